"""Index expressions on tensors and variables, sliced assignment, gradients through slices."""

import numpy as np
import tensorflow as tf

x = tf.reshape(tf.range(24), [2, 3, 4])
print(x[0], x[-1], x[:, 1], x[..., 0], x[0, ..., -1], x[:, ::2], x[:, ::-1, :])
print(x[tf.newaxis].shape, x[:, None, :, 0], x[1, 2, 3], x[0:1], x[5:], x[-5:1], x[..., tf.newaxis].shape)
print(x[tf.constant(1)], x[: tf.constant(1)], x[np.int64(1)], x[0][1], x[:, 2:0:-1], x[x > 20], x[...], x[[slice(None), 1]])
v = tf.Variable(tf.zeros([3, 3]))
v[0, 0].assign(3.0)
v[1].assign([1.0, 2.0, 3.0])
v[:, 2].assign([4.0, 5.0, 6.0])
print(v.numpy(), v[0], v[1, 1])


@tf.function
def parts(x, i):
    return x[i], x[:, i], x[0, ..., -1], x[:, None, ::-1], x[1:], x[:-1, 0]


for n, i in ((3, 1), (5, 2), (2, 0)):
    for part in parts(tf.reshape(tf.range(n * 4.0), [n, 4]), tf.constant(i)):
        print(part)


@tf.function
def write(value):
    v[0, 1].assign(value)
    v[1:, 0].assign([1.0, 2.0])
    return v[0] * 2.0


print(write(5.0), v.numpy())
with tf.GradientTape() as tape:
    y = tf.reduce_sum(v[1:, ::2] ** 2)
print(tape.gradient(y, v))
