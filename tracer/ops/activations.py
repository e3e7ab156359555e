"""Activations that take more than their op does: another axis, a factor, a choice. In: tensors; out: tensors of that shape."""

from __future__ import annotations

from typing import Any

from weft.graph.errors import DTypeError, ShapeError

from ..apply import apply
from ..tensor import Tensor
from .arguments import as_axis, as_tensor, sizes_of
from .arithmetic import cast


def along_last_axis(op: str, value: Any, axis: Any) -> Tensor:
    """The row op applied along ``axis`` (None: the last)."""
    x = as_tensor(value)
    rank = len(sizes_of(x))
    if rank == 0:
        raise ShapeError(f"{op} needs at least one axis. Received: a scalar.")
    at = as_axis(-1 if axis is None else axis, rank)
    if at == rank - 1:
        return apply(op, (x,))
    swap = tuple(rank - 1 if i == at else at if i == rank - 1 else i for i in range(rank))
    return apply("transpose", (apply(op, (apply("transpose", (x,), perm=swap),)),), perm=swap)


def softmax(logits: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """``exp(x) / sum(exp(x))`` along ``axis`` (None: the last), without overflow."""
    return along_last_axis("softmax", logits, axis)


def log_softmax(logits: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """``x - log(sum(exp(x)))`` along ``axis`` (None: the last), without overflow."""
    return along_last_axis("log_softmax", logits, axis)


def silu(features: Any, beta: Any = 1.0) -> Tensor:
    """``x * sigmoid(beta * x)``, also called swish."""
    x = as_tensor(features)
    if isinstance(beta, (int, float)) and beta == 1:
        return apply("silu", (x,))
    return apply("mul", (x, apply("sigmoid", (apply("mul", (x, as_tensor(beta, x.dtype))),))))


swish = silu


def gelu(features: Any, approximate: bool = False, name: str | None = None) -> Tensor:
    """``x * P(X <= x)`` for a standard normal X; ``approximate`` uses the formula with tanh."""
    x = as_tensor(features)
    if not x.dtype.is_floating:
        raise DTypeError(f"gelu takes floating tensors. Received: dtype {x.dtype.name}.")
    return apply("gelu_tanh" if approximate else "gelu", (x,))


def leaky_relu(features: Any, alpha: Any = 0.2, name: str | None = None) -> Tensor:
    """``x`` where positive, else ``alpha * x``. Integers become float32."""
    x = as_tensor(features)
    x = cast(x, "float32") if x.dtype.is_integer else x
    if isinstance(alpha, (int, float)):
        return apply("leaky_relu", (x,), alpha=float(alpha))
    return apply("where", (apply("greater", (x, as_tensor(0, x.dtype))), x, apply("mul", (as_tensor(alpha, x.dtype), x))))


def crelu(features: Any, axis: Any = -1, name: str | None = None) -> Tensor:
    """``relu(x)`` and ``relu(-x)`` joined along ``axis``."""
    x = as_tensor(features)
    at = as_axis(axis, len(sizes_of(x)))
    return apply("concat", [apply("relu", (x,)), apply("relu", (apply("neg", (x,)),))], axis=at)
