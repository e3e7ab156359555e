"""Variables that are created inside the first call."""

import tensorflow as tf


class M:
    def __init__(self):
        self.w = None

    @tf.function
    def __call__(self, x):
        if self.w is None:
            self.w = tf.Variable(tf.ones([x.shape[-1], 2]))
        return x @ self.w


m = M()
print(m(tf.constant([[1.0, 2.0]])))
m.w.assign(m.w * 2)
print(m(tf.constant([[1.0, 2.0]])))
print(m(tf.constant([[1.0, 2.0], [3.0, 4.0]])))
m2 = M()
print(m2(tf.constant([[1.0, 2.0, 3.0]])))
v = None


@tf.function
def counter():
    global v
    if v is None:
        v = tf.Variable(0, dtype=tf.int64)
    v.assign_add(1)
    return v


for i in range(3):
    print(counter().numpy())
