"""A linear classifier written from scratch, as in TensorFlow's guides: variables, a tape, and a decorated step."""

from __future__ import annotations

import numpy as np

import weft as tf


def make_points(count: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds of points in the plane, and which cloud each belongs to."""
    rng = np.random.default_rng(0)
    below = rng.multivariate_normal([0, 3], [[1, 0.5], [0.5, 1]], count)
    above = rng.multivariate_normal([3, 0], [[1, 0.5], [0.5, 1]], count)
    points = np.vstack([below, above]).astype(np.float32)
    labels = np.vstack([np.zeros((count, 1)), np.ones((count, 1))]).astype(np.float32)
    return points, labels


def main(steps: int = 40, learning_rate: float = 0.1) -> float:
    """Trains on all points at once and returns the share that is classified rightly."""
    points, labels = make_points()
    w = tf.Variable(tf.random.uniform(shape=(2, 1)))
    b = tf.Variable(tf.zeros(shape=(1,)))

    @tf.function
    def train_step(inputs, targets):
        with tf.GradientTape() as tape:
            predictions = tf.matmul(inputs, w) + b
            loss = tf.reduce_mean(tf.square(targets - predictions))
        dw, db = tape.gradient(loss, [w, b])
        w.assign_sub(dw * learning_rate)
        b.assign_sub(db * learning_rate)
        return loss

    for step in range(steps):
        loss = train_step(points, labels)
        if step % 10 == 0:
            print(f"Loss at step {step}: {loss:.4f}")
    found = (tf.matmul(points, w) + b).numpy() > 0.5
    return float(np.mean(found == labels))


if __name__ == "__main__":
    print(f"rightly classified: {main():.3f}")
