"""A generator and a discriminator with gradient penalty, both trained in one function."""

import numpy as np
import tensorflow as tf

# GAN-like two optimizers by hand, gradient penalty, in one function
np.random.seed(0)
gw = tf.Variable(np.random.randn(2, 2).astype("f4") * 0.3)
gb = tf.Variable(tf.zeros([2]))
dw = tf.Variable(np.random.randn(2, 8).astype("f4") * 0.5)
dv = tf.Variable(np.random.randn(8, 1).astype("f4") * 0.5)


def gen(z):
    return z @ gw + gb


def disc(x):
    return tf.nn.leaky_relu(x @ dw, alpha=0.2) @ dv


bce = lambda y, l: tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=l))


@tf.function
def train(real, z):
    with tf.GradientTape() as gt, tf.GradientTape() as dt:
        fake = gen(z)
        rl, fl = disc(real), disc(fake)
        gl = bce(tf.ones_like(fl), fl)
        dl = bce(tf.ones_like(rl), rl) + bce(tf.zeros_like(fl), fl)
        eps = 0.5
        mid = eps * real + (1 - eps) * fake
        with tf.GradientTape() as pt:
            pt.watch(mid)
            ml = disc(mid)
        g = pt.gradient(ml, mid)
        gp = tf.reduce_mean((tf.sqrt(tf.reduce_sum(g**2, axis=1) + 1e-12) - 1.0) ** 2)
        dl += 10.0 * gp
    for grads, vs in ((gt.gradient(gl, [gw, gb]), [gw, gb]), (dt.gradient(dl, [dw, dv]), [dw, dv])):
        for q, v in zip(grads, vs):
            v.assign_sub(0.05 * q)
    return gl, dl, gp


for i in range(6):
    n = 16 if i < 5 else 5
    print([round(float(t), 4) for t in train(np.random.randn(n, 2).astype("f4") + 2.0, np.random.randn(n, 2).astype("f4"))])
print(gw.numpy(), gb.numpy())
