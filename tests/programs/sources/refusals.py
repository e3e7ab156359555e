"""What is refused, eagerly, while tracing and in a compiled call."""

import tensorflow as tf

REFUSED = (ValueError, TypeError, tf.errors.InvalidArgumentError)


def attempt(function, *args):
    try:
        result = function(*args)
    except REFUSED:
        print("refused")
    else:
        print(result)


@tf.function
def add(a, b):
    return a + b


attempt(add, tf.ones([2, 3]), tf.ones([2]))
attempt(add, tf.constant(1), tf.constant(1.0))
for n, m in ((2, 2), (3, 3), (4, 4), (1, 4), (3, 4)):
    attempt(add, tf.ones([n]), tf.ones([m]))


@tf.function(input_signature=[tf.TensorSpec([None]), tf.TensorSpec([None])])
def add_vectors(a, b):
    return tf.add(a, b)


attempt(add_vectors, [1.0, 2.0], [3.0, 4.0])
attempt(add_vectors, [1.0], [3.0, 4.0])
attempt(add_vectors, [1.0, 2.0, 3.0], [3.0, 4.0])
attempt(add_vectors, tf.ones([2], tf.int32), [1.0])
v = tf.Variable(0.0)


@tf.function
def checked(x):
    tf.debugging.assert_positive(x, "not positive")
    v.assign_add(1.0)
    return x * 2.0


attempt(checked, tf.constant(1.0))
attempt(checked, tf.constant(-1.0))


@tf.function
def cross_entropy(logits, labels):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


attempt(cross_entropy, tf.ones([2, 3]), tf.constant([0, 1]))
attempt(cross_entropy, tf.ones([2, 3]), tf.constant([0, 3, 1]))


@tf.function
def pick(x, i):
    return tf.gather(x, i)


attempt(pick, tf.constant([1.0, 2.0]), tf.constant([1, 0]))
attempt(pick, tf.constant([1.0, 2.0]), tf.constant([1, 2]))


@tf.function
def divide(a, b):
    return a // b, a % b


attempt(divide, tf.constant(-7), tf.constant(2))
attempt(divide, tf.constant(7), tf.constant(0))


@tf.function
def assign(x):
    v.assign(x)


attempt(assign, tf.constant([1.0, 2.0]))
attempt(assign, tf.constant(1))


@tf.function
def thirds(x):
    return tf.reshape(x, [3, -1])


for n in (6, 7, 9):
    attempt(thirds, tf.ones([n]))
attempt(tf.matmul, tf.ones([2, 3]), tf.ones([2, 3]))
attempt(tf.concat, [[1], [2.0]], 0)
attempt(tf.range, 3, 0)
attempt(tf.constant, [[1, 2], [3]])
attempt(tf.Variable(1).assign, 2.5)
attempt(len, tf.constant(1))
attempt(hash, tf.constant(1))
