"""Layers as modules, an input signature on a method, batch sizes 1, 0 and 7."""

import tensorflow as tf


class Dense(tf.Module):
    def __init__(self, i, o, name=None):
        super().__init__(name=name)
        self.w = tf.Variable(tf.reshape(tf.range(i * o, dtype=tf.float32), [i, o]) / 10.0, name="w")
        self.b = tf.Variable(tf.zeros([o]), name="b")

    def __call__(self, x):
        return tf.nn.relu(tf.matmul(x, self.w) + self.b)


class MLP(tf.Module):
    def __init__(self):
        super().__init__()
        self.l1 = Dense(3, 4)
        self.l2 = Dense(4, 2)
        self.layers = [self.l1, self.l2]

    @tf.function
    def __call__(self, x):
        return self.l2(self.l1(x))

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32), tf.TensorSpec([None], tf.int32)])
    def loss(self, x, y):
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=self(x)))


m = MLP()
print(m(tf.ones([2, 3])))
print(m(tf.ones([5, 3])).shape)
print([v.name for v in m.trainable_variables], [v.shape for v in m.variables])
with tf.GradientTape() as t:
    l = m.loss(tf.ones([4, 3]), [0, 1, 0, 1])
gs = t.gradient(l, m.trainable_variables)
for g in gs:
    print(g.shape, tf.reduce_sum(g).numpy())
print(l)
for n in (1, 0, 7):
    print(n, m(tf.ones([n, 3])).shape)
print(m.name, m.l1.name)
