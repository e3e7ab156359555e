"""GradientTape in all its forms: persistent, nested, jacobians, unconnected, stopped, reset."""

import tensorflow as tf

x = tf.constant(3.0)
with tf.GradientTape() as g:
    g.watch(x)
    y = x * x
print(g.gradient(y, x))
with tf.GradientTape() as g:
    y = x * x
print(g.gradient(y, x))
with tf.GradientTape(persistent=True) as g:
    g.watch(x)
    y = x * x
    z = y * y
print(g.gradient(z, x), g.gradient(y, x))
del g
with tf.GradientTape() as t1:
    t1.watch(x)
    with tf.GradientTape() as t2:
        t2.watch(x)
        y = x**3
    dy = t2.gradient(y, x)
print(dy, t1.gradient(dy, x))
w = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
with tf.GradientTape() as t:
    loss = tf.reduce_sum(tf.square(w) * [1.0, 2.0])
print(t.gradient(loss, w))
with tf.GradientTape(watch_accessed_variables=False) as t:
    loss = tf.reduce_sum(w)
print(t.gradient(loss, w))
d = {"a": tf.Variable(1.0), "b": [tf.Variable(2.0), tf.Variable(3.0)]}
with tf.GradientTape() as t:
    l = d["a"] * d["b"][0] + d["b"][1] ** 2
print(t.gradient(l, d))
with tf.GradientTape() as t:
    l = d["a"] * 2.0
print(t.gradient(l, [d["a"], d["b"][0]], unconnected_gradients=tf.UnconnectedGradients.ZERO))
# output gradients
x = tf.constant([1.0, 2.0, 3.0])
with tf.GradientTape() as t:
    t.watch(x)
    y = x * x
print(t.gradient(y, x, output_gradients=tf.constant([1.0, 10.0, 100.0])))
with tf.GradientTape(persistent=True) as t:
    t.watch(x)
    y = x * x
    rows = [y[i] for i in range(3)]
print(tf.stack([t.gradient(r, x) for r in rows]))
with tf.GradientTape() as t:
    t.watch(x)
    y = x * x
print(t.jacobian(y, x))
xb = tf.reshape(tf.range(6.0), [2, 3])
with tf.GradientTape() as t:
    t.watch(xb)
    y = xb * xb
print(t.batch_jacobian(y, xb))
i = tf.constant(3)
with tf.GradientTape() as t:
    t.watch(i)
    y = i * i
print(t.gradient(y, i))
with tf.GradientTape() as t:
    t.watch(x)
    with t.stop_recording():
        y = x * x
    z = x * 2.0
print(t.gradient([y, z], x))
with tf.GradientTape() as t:
    t.watch(x)
    y = x * x
    t.reset()
    t.watch(x)
    y = x * 3.0
print(t.gradient(y, x))
print(t.watched_variables())


@tf.function
def hess(x):
    with tf.GradientTape() as t1:
        t1.watch(x)
        with tf.GradientTape() as t2:
            t2.watch(x)
            y = tf.reduce_sum(tf.sin(x) * x**2)
        g = t2.gradient(y, x)
    return g, t1.gradient(g, x)


print(hess(x))
f = tf.function(lambda x: tf.reduce_sum(x**3))
with tf.GradientTape() as t1:
    t1.watch(x)
    with tf.GradientTape() as t2:
        t2.watch(x)
        y = f(x)
    g = t2.gradient(y, x)
print(g, t1.gradient(g, x))
with tf.GradientTape() as t:
    t.watch(x)
    y = tf.stop_gradient(x) * x
print(t.gradient(y, x))
try:
    with tf.GradientTape() as t:
        t.watch(x)
        y = x * x
        g1 = t.gradient(y, x)
    print(g1)
except Exception as e:
    print(type(e))
