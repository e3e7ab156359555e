"""custom_gradient, gradient penalties, Hessian products, embeddings, derivatives at kinks."""

import numpy as np
import tensorflow as tf


@tf.custom_gradient
def log1pexp(x):
    e = tf.exp(x)

    def grad(upstream):
        return upstream * (1 - 1 / (1 + e))

    return tf.math.log(1 + e), grad


x = tf.constant([0.0, 100.0, -3.0])
with tf.GradientTape() as t:
    t.watch(x)
    y = log1pexp(x)
print(y, t.gradient(y, x))


@tf.function
def f(x):
    with tf.GradientTape() as t:
        t.watch(x)
        y = log1pexp(x)
    return t.gradient(y, x)


print(f(x))


@tf.custom_gradient
def clip_grad(x):
    def g(dy):
        return tf.clip_by_norm(dy, 0.5)

    return tf.identity(x), g


v = tf.Variable(2.0)
with tf.GradientTape() as t:
    out = clip_grad(v * v)
print(t.gradient(out, v))
# jacobian loop
w = tf.Variable([[1.0, 2.0], [3.0, 4.0]])


def net(x):
    return tf.tanh(tf.linalg.matvec(w, x))


@tf.function
def jac(x):
    rows = []
    with tf.GradientTape(persistent=True) as t:
        t.watch(x)
        y = net(x)
        ys = tf.unstack(y)
    for yi in ys:
        rows.append(t.gradient(yi, x))
    return tf.stack(rows)


xx = tf.constant([0.1, 0.2])
print(jac(xx))
with tf.GradientTape() as t:
    t.watch(xx)
    y = net(xx)
print(t.jacobian(y, xx))
with tf.GradientTape() as t:
    y = net(xx)
print(t.jacobian(y, w))


@tf.function
def gp(x):
    with tf.GradientTape() as t2:
        with tf.GradientTape() as t1:
            t1.watch(x)
            y = tf.reduce_sum(net(x))
        g = t1.gradient(y, x)
        pen = tf.square(tf.norm(g) - 1.0)
    return pen, t2.gradient(pen, w)


print(gp(xx))
# hvp
vv = tf.constant([1.0, -1.0])


def loss(x):
    return tf.reduce_sum(tf.nn.softplus(x) * x**2)


with tf.GradientTape() as t2:
    t2.watch(xx)
    with tf.GradientTape() as t1:
        t1.watch(xx)
        l = loss(xx)
    g = t1.gradient(l, xx)
    gv = tf.reduce_sum(g * vv)
print(t2.gradient(gv, xx))
# third
z = tf.constant(2.0)
with tf.GradientTape() as a:
    a.watch(z)
    with tf.GradientTape() as b:
        b.watch(z)
        with tf.GradientTape() as c:
            c.watch(z)
            y = z**5
        d1 = c.gradient(y, z)
    d2 = b.gradient(d1, z)
print(d1, d2, a.gradient(d2, z))


@tf.function
def inner(x):
    return tf.sin(x) * w[0, 0]


with tf.GradientTape(persistent=True) as t:
    t.watch(z)
    y = inner(z) ** 2
print(t.gradient(y, [z, w]))
with tf.GradientTape() as t:
    t.watch(z)
    y = inner(z)
    y2 = inner(y)
print(t.gradient(y2, z))
x = tf.Variable(2.0)
with tf.GradientTape() as t:
    y = x * x
    x.assign_add(1.0)
    z2 = x * y
print(t.gradient(z2, x))
with tf.GradientTape() as t:
    x = x + 1
    y = x * x
print(t.gradient(y, x))
with tf.GradientTape() as t:
    y = tf.constant(np.square(3.0))
print(t.gradient(y, v))
emb = tf.Variable(tf.reshape(tf.range(8.0), [4, 2]))
with tf.GradientTape() as t:
    l = tf.reduce_sum(tf.gather(emb, [1, 1, 3]) ** 2)
g = t.gradient(l, emb)
print(tf.convert_to_tensor(g))
with tf.GradientTape() as t:
    l = tf.reduce_sum(tf.nn.embedding_lookup(emb, [0, 2]))
print(tf.convert_to_tensor(t.gradient(l, emb)))
for fn in (
    tf.abs,
    tf.sqrt,
    tf.nn.relu,
    lambda x: tf.maximum(x, 0.0),
    lambda x: tf.reduce_max(x),
    lambda x: tf.norm(x),
    lambda x: tf.clip_by_value(x, 0.0, 1.0),
    tf.sign,
    lambda x: x**0.5,
    lambda x: tf.minimum(x, x),
    tf.math.log,
):
    x0 = tf.constant([0.0, 1.0, 1.0])
    with tf.GradientTape() as t:
        t.watch(x0)
        y = fn(x0)
    print(t.gradient(y, x0))
