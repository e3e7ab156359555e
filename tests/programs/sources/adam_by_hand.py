"""A classifier with a focal loss, clipped gradients and Adam written out, with batches of 32, 6, 1 and 7."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(1)
X = rng.randn(70, 4).astype("f4")
Y = (X[:, 0] * X[:, 1] > 0).astype("i4")
init = [rng.randn(4, 8).astype("f4") * 0.5, np.zeros(8, "f4"), rng.randn(8, 2).astype("f4") * 0.5, np.zeros(2, "f4")]
params = [tf.Variable(p) for p in init]
ms = [tf.Variable(tf.zeros_like(p)) for p in params]
vs = [tf.Variable(tf.zeros_like(p)) for p in params]
step = tf.Variable(0, dtype=tf.int64)


def model(x):
    h = tf.nn.tanh(x @ params[0] + params[1])
    return h @ params[2] + params[3]


def custom_loss(y, logits):
    p = tf.nn.softmax(logits)
    oh = tf.one_hot(y, 2)
    focal = -tf.reduce_sum(oh * (1.0 - p) ** 2 * tf.math.log(p + 1e-7), axis=-1)
    return tf.reduce_mean(focal) + 1e-3 * tf.add_n([tf.nn.l2_loss(p) for p in params])


@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        loss = custom_loss(y, model(x))
    grads = tape.gradient(loss, params)
    grads, norm = tf.clip_by_global_norm(grads, 1.0)
    step.assign_add(1)
    t = tf.cast(step, tf.float32)
    for p, g, m, v in zip(params, grads, ms, vs):
        m.assign(0.9 * m + 0.1 * g)
        v.assign(0.999 * v + 0.001 * tf.square(g))
        mh = m / (1.0 - 0.9**t)
        vh = v / (1.0 - tf.pow(0.999, t))
        p.assign_sub(0.01 * mh / (tf.sqrt(vh) + 1e-7))
    acc = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(model(x), 1, output_type=tf.int32), y), tf.float32))
    return {"loss": loss, "norm": norm, "acc": acc}


for e in range(3):
    for i in range(0, 70, 32):
        r = train_step(X[i : i + 32], Y[i : i + 32])
    print(e, {k: round(float(v), 4) for k, v in r.items()})
print(step.numpy(), [float(tf.reduce_sum(p)) for p in params])
print(train_step(X[:1], Y[:1])["loss"].numpy(), train_step(X[:7], Y[:7])["loss"].numpy())
