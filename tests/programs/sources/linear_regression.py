"""Linear regression from scratch: two variables, a data set, a decorated step."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(0)
X = rng.randn(100, 3).astype("float32")
true_w = np.array([[1.0], [-2.0], [3.0]], "float32")
y = X @ true_w + 0.5 + 0.01 * rng.randn(100, 1).astype("float32")
w = tf.Variable(tf.zeros([3, 1]), name="w")
b = tf.Variable(0.0, name="b")


@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        pred = x @ w + b
        loss = tf.reduce_mean(tf.square(pred - y))
    dw, db = tape.gradient(loss, [w, b])
    w.assign_sub(0.1 * dw)
    b.assign_sub(0.1 * db)
    return loss


ds = tf.data.Dataset.from_tensor_slices((X, y)).batch(32)
for epoch in range(5):
    for xb, yb in ds:
        loss = train_step(xb, yb)
    tf.print("epoch", epoch, "loss", loss)
    print(f"epoch {epoch} loss {loss:.4f} {float(loss):.3f}")
print(w.numpy(), b.numpy())
print(w)
print(b)
