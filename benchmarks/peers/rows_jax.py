"""JAX: the cases of `row_cases.py` under jit, on one core XLA held to one thread."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from row_cases import Call, Case, limit_cores, serve

if limit_cores():
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp


def forward(case: Case, x: jax.Array, *rows: jax.Array) -> jax.Array:
    if case.kind.endswith("sum"):
        return jnp.sum(x, 0 if case.kind == "column_sum" else None)
    if case.kind == "softmax":
        return jax.nn.softmax(x)
    if case.kind == "logsumexp":
        return jax.nn.logsumexp(x, -1)
    mean, variance = jnp.mean(x, case.axes, keepdims=True), jnp.var(x, case.axes, keepdims=True)
    return (x - mean) * (jax.lax.rsqrt(variance + 1e-5) * rows[0]) + rows[1]


def prepare(case: Case) -> Call:
    arguments, gradient = case.data()
    arrays = [jnp.asarray(a) for a in (gradient, *arguments)]

    def step(gradient: jax.Array, *arguments: jax.Array) -> object:
        if not case.backward:
            return forward(case, *arguments)
        result, back = jax.vjp(lambda *a: forward(case, *a), *arguments)
        return result, back(gradient)

    compiled = jax.jit(step)
    return lambda: jax.block_until_ready(compiled(*arrays))


if __name__ == "__main__":
    serve(f"JAX {jax.__version__}", prepare)
