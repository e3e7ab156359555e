"""Keras' fit on JAX, and a custom step of JAX' own: jit, value_and_grad, hand-written optimizer updates."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import jax
import jax.numpy as jnp
import keras
from keras_steps import build, prepare_loop, repeat
from serve import Run, serve
from workloads import Workload


def forward(weights, x):
    for i in range(0, len(weights), 2):
        x = x @ weights[i] + weights[i + 1]
        if i + 2 < len(weights):
            x = jax.nn.relu(x)
    return x


def loss_of(weights, x, y):
    logits = forward(weights, x)
    if logits.shape[-1] == 1:
        return jnp.mean((logits - y) ** 2)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1))


@partial(jax.jit, donate_argnums=(0, 1))
def rmsprop_step(weights, slots, x, y):
    loss, gradients = jax.value_and_grad(loss_of)(weights, x, y)
    slots = [0.9 * v + 0.1 * g * g for v, g in zip(slots, gradients, strict=True)]
    weights = [w - 0.001 * g / jnp.sqrt(v + 1e-7) for w, g, v in zip(weights, gradients, slots, strict=True)]
    return loss, weights, slots


def prepare(w: Workload) -> Run:
    x, y = w.data()
    if w.kind == "pointwise":
        return prepare_pointwise(x)
    if w.kind in ("fit", "predict"):
        model, loss = build(keras, w)
        model.compile(optimizer=w.optimizer, loss=loss)
        return prepare_loop(model, w, x, y)
    weights = [jnp.asarray(v) for v in w.initial_weights()]
    state = [weights, [jnp.zeros_like(v) for v in weights]]
    x, y = jnp.asarray(x), jnp.asarray(y)

    def run(steps: int) -> float:
        for _ in range(steps):
            loss, *state[:] = rmsprop_step(*state, x, y)
        return float(loss.block_until_ready())

    return run


def prepare_pointwise(x) -> Run:
    chain = jax.jit(lambda x: jax.nn.gelu(x * 1.5 - 0.5, approximate=False) * 0.25)
    return repeat(lambda x: chain(x).block_until_ready(), [jnp.asarray(x.reshape(-1))], lambda y: float(y[-1]))


if __name__ == "__main__":
    serve("JAX jit / Keras on JAX", f"{jax.__version__}, Keras {keras.__version__}", prepare)
