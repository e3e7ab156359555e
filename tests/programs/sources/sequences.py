"""A recurrent network and a language model with masked loss, for changing lengths."""

import numpy as np
import tensorflow as tf

np.random.seed(1)
# RNN by hand
T, U = 5, 4
wx = tf.Variable(np.random.randn(3, U).astype("f4") * 0.3)
wh = tf.Variable(np.random.randn(U, U).astype("f4") * 0.3)
bb = tf.Variable(tf.zeros([U]))


@tf.function
def rnn(x):
    with tf.GradientTape() as t:
        h = tf.zeros([tf.shape(x)[0], U])
        outs = []
        for s in range(x.shape[1]):
            h = tf.tanh(x[:, s] @ wx + h @ wh + bb)
            outs.append(h)
        seq = tf.stack(outs, axis=1)
        l = tf.reduce_mean(seq[:, -1] ** 2) + tf.reduce_sum(seq) * 1e-2
    return l, t.gradient(l, [wx, wh, bb])


for n in (2, 3, 1):
    l, g = rnn(np.random.randn(n, T, 3).astype("f4"))
    print(round(float(l), 5), [round(float(tf.norm(q)), 5) for q in g])
# LSTM cell / layer norm / embedding + softmax
emb = tf.Variable(np.random.randn(11, 4).astype("f4"))
proj = tf.Variable(np.random.randn(4, 11).astype("f4"))
gamma = tf.Variable(tf.ones([4]))
beta = tf.Variable(tf.zeros([4]))


@tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)])
def lm(ids):
    x, y = ids[:, :-1], ids[:, 1:]
    with tf.GradientTape() as t:
        h = tf.nn.embedding_lookup(emb, x)
        m, v = tf.nn.moments(h, axes=[-1], keepdims=True)
        h = (h - m) * tf.math.rsqrt(v + 1e-5) * gamma + beta
        logits = tf.einsum("bte,ev->btv", h, proj)
        ce = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
        mask = tf.cast(tf.not_equal(y, 0), tf.float32)
        l = tf.reduce_sum(ce * mask) / tf.reduce_sum(mask)
    gs = t.gradient(l, [emb, proj, gamma, beta])
    acc = tf.reduce_sum(tf.cast(tf.equal(tf.argmax(logits, -1, output_type=tf.int32), y), tf.float32) * mask)
    return l, acc, [tf.norm(tf.convert_to_tensor(q)) for q in gs]


for shape in ((3, 5), (1, 4), (4, 7)):
    l, a, gs = lm(np.random.randint(0, 11, shape).astype("i4"))
    print(round(float(l), 4), float(a), [round(float(q), 4) for q in gs])
