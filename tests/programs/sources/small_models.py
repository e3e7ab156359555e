"""Policy gradient, k-means, power iteration, triplet loss, Huber, box overlap, integers, an ODE."""

import numpy as np
import tensorflow as tf

np.random.seed(2)
dw = tf.Variable(np.random.randn(2, 8).astype("f4") * 0.5)


# policy gradient
@tf.function
def pg(states, actions, returns):
    with tf.GradientTape() as t:
        lp = tf.nn.log_softmax(states @ tf.ones([2, 3]) * dw[:, :3][0])
        sel = tf.reduce_sum(lp * tf.one_hot(actions, 3), axis=1)
        adv = (returns - tf.reduce_mean(returns)) / (tf.math.reduce_std(returns) + 1e-8)
        ent = -tf.reduce_mean(tf.reduce_sum(tf.exp(lp) * lp, 1))
        l = -tf.reduce_mean(sel * adv) - 0.01 * ent
    return l, tf.convert_to_tensor(t.gradient(l, dw))


for n in (4, 7):
    print(
        [
            np.round(t.numpy(), 4).tolist()
            for t in pg(np.random.randn(n, 2).astype("f4"), np.random.randint(0, 3, n), np.random.randn(n).astype("f4"))
        ]
    )


# kmeans
@tf.function
def kmeans(x, c):
    d = tf.reduce_sum((x[:, None] - c[None]) ** 2, -1)
    a = tf.argmin(d, 1)
    oh = tf.one_hot(a, c.shape[0])
    return tf.math.divide_no_nan(tf.transpose(oh) @ x, tf.reduce_sum(oh, 0)[:, None]), tf.reduce_mean(tf.reduce_min(d, 1))


x = np.random.randn(30, 2).astype("f4")
c = tf.constant(x[:3])
for _ in range(4):
    c, l = kmeans(x, c)
print(c.numpy(), float(l))


# power iteration, conv by hand, triplet
@tf.function
def power(a, v):
    for _ in range(8):
        v = tf.linalg.matvec(a, v)
        v = v / tf.norm(v)
    return tf.tensordot(v, tf.linalg.matvec(a, v), 1)


a = np.random.randn(4, 4).astype("f4")
print(power(a @ a.T, tf.ones([4])))


@tf.function
def triplet(e, y):
    d = tf.reduce_sum(e**2, 1)[:, None] - 2 * tf.matmul(e, e, transpose_b=True) + tf.reduce_sum(e**2, 1)[None]
    same = tf.equal(y[:, None], y[None])
    eye = tf.eye(tf.shape(e)[0], dtype=tf.bool) if False else tf.cast(tf.eye(tf.shape(e)[0]), tf.bool)
    pos = tf.reduce_max(tf.where(same & ~eye, d, 0.0), 1)
    neg = tf.reduce_min(tf.where(same, 1e9, d), 1)
    return tf.reduce_mean(tf.nn.relu(pos - neg + 0.2))


for n in (6, 4, 9):
    print(float(triplet(np.random.RandomState(n).randn(n, 3).astype("f4"), np.arange(n) % 2)))


@tf.function
def huber(y, p, delta=1.0):
    e = y - p
    a = tf.abs(e)
    return tf.reduce_mean(tf.where(a <= delta, 0.5 * e**2, delta * a - 0.5 * delta**2))


print(huber(tf.constant([0.0, 5.0]), tf.constant([0.5, 1.0])), huber(tf.constant([0.0, 5.0]), tf.constant([0.5, 1.0]), 2.0))


@tf.function
def iou(a, b):
    lt = tf.maximum(a[:, None, :2], b[None, :, :2])
    rb = tf.minimum(a[:, None, 2:], b[None, :, 2:])
    wh_ = tf.maximum(rb - lt, 0.0)
    i = wh_[..., 0] * wh_[..., 1]
    ar = lambda q: (q[:, 2] - q[:, 0]) * (q[:, 3] - q[:, 1])
    return i / (ar(a)[:, None] + ar(b)[None] - i)


print(iou(tf.constant([[0.0, 0.0, 2.0, 2.0]]), tf.constant([[1.0, 1.0, 3.0, 3.0], [0.0, 0.0, 1.0, 1.0]])))


@tf.function
def topics(x):
    q, r = x // 3, x % 3
    return (
        tf.stack([q, r], -1),
        tf.cast(q, tf.float32) / 2.0,
        x[::-1],
        tf.where(x > 2, x, -x),
        tf.reduce_sum(tf.cast(x, tf.int64)),
        tf.cast(x, tf.bool),
        tf.math.floordiv(-x, 4),
    )


for n in (3, 5, 1, 0):
    print([o.numpy().tolist() for o in topics(tf.range(n))])


@tf.function
def normalise(img):
    img = tf.cast(img, tf.float32) / 255.0
    img = tf.image.flip_left_right(img) if False else tf.reverse(img, [2])
    return (img - 0.5) * 2.0, tf.reduce_mean(img, [1, 2])


print(normalise(np.arange(24, dtype="u1").reshape(2, 3, 2, 2) * 10)[1])


@tf.function
def ode(y0):
    y = y0
    for _ in range(10):
        k1 = -y
        k2 = -(y + 0.05 * k1)
        y = y + 0.1 * k2
    return y


print(ode(tf.constant([1.0, 2.0], tf.float64)))
