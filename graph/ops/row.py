"""Softmax, log-sum-exp and the cross-entropies from logits, each one op for the sake of numerics. All work on the last axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..build import expand_dims
from ..dims import Dim
from ..dtype import int32
from ..errors import DTypeError, IndexRangeError, ShapeError
from ..families import Row
from ..ir import Node
from ..op import Attrs, DimConflict, Op, Sample, Types, define, received, require_same_dtype
from ..samples import spread

_MAX = ("m", "max", "a")
_SUM = ("s", "sum", "exp(a - m)")


def _samples() -> list[Sample]:
    out = [Sample((spread(s, -3, 3),)) for s in ((4,), (1,), (3, 5), (2, 3, 4), (0, 3), (2, 1))]
    return [*out, Sample((np.array([[1e4, -1e4, 0], [-np.inf, 0, 1], [np.nan, 0, 1]], np.float32),), differentiable=False)]


def _softmax_gradient(o: Any, y: Node, g: Node) -> tuple[Node]:
    weighted = o.mul(g, y)
    return (o.mul(o.sub(g, o.reduce_sum(weighted, axes=(y.rank - 1,), keepdims=True)), y),)


define(
    Row(
        name="softmax",
        params=("logits",),
        phases=(_MAX, _SUM),
        result="exp(a - m) / s",
        gradient=_softmax_gradient,
        samples=_samples,
        doc="``exp(logits)`` divided by its sum over the last axis, without overflow.",
    )
)


def _log_softmax_gradient(o: Any, y: Node, g: Node) -> tuple[Node]:
    return (o.sub(g, o.mul(o.exp(y), o.reduce_sum(g, axes=(y.rank - 1,), keepdims=True))),)


define(
    Row(
        name="log_softmax",
        params=("logits",),
        phases=(_MAX, _SUM),
        result="a - m - log(s)",
        gradient=_log_softmax_gradient,
        samples=_samples,
        doc="The logarithm of `softmax`, without loss of small values.",
    )
)
define(
    Row(
        name="logsumexp",
        params=("input_tensor",),
        phases=(_MAX, ("s", "sum", "exp(a - where(isfinite(m), m, 0))")),
        result="log(s) + where(isfinite(m), m, 0)",
        keeps=False,
        gradient=lambda o, y, g: (o.mul(expand_dims(g, -1), o.exp(o.sub(y.args[0], expand_dims(y, -1)))),),
        samples=lambda: [
            *_samples(),
            Sample((np.array([[-np.inf, -np.inf], [np.inf, 0]], np.float32),), differentiable=False),
            Sample((np.zeros((2, 0), np.float32),), differentiable=False),
        ],
        doc="``log(sum(exp(x)))`` over the last axis, without overflow; -inf of no elements.",
    )
)


def _require_same_shape(op: Op, types: Types, attrs: Attrs) -> None:
    require_same_dtype(op, types)
    logits, labels = types
    for a, b in zip(logits.shape, labels.shape, strict=False):
        if a != b and (isinstance(a, Dim) or isinstance(b, Dim)) and logits.rank == labels.rank:
            raise DimConflict(f"{op.name} needs logits and labels of one shape. Received: {received(op, types)}.", a, b)
    if logits.shape != labels.shape:
        raise ShapeError(f"{op.name} needs logits and labels of one shape. Received: {received(op, types)}.")


def _dense_gradient(o: Any, y: Node, g: Node) -> tuple[Node, Node]:
    """Right for labels of any sum; TensorFlow's rule assumes that each row of labels sums to 1."""
    logits, labels = y.args
    total = o.reduce_sum(labels, axes=(labels.rank - 1,), keepdims=True)
    scale = expand_dims(g, -1)
    to_logits = o.mul(o.sub(o.mul(o.softmax(logits), total), labels), scale)
    return to_logits, o.neg(o.mul(o.log_softmax(logits), scale))


def _dense_samples() -> list[Sample]:
    out = []
    for shape in ((4,), (3, 5), (2, 3, 4), (0, 3), (2, 1)):
        labels = spread(shape, 0.1, 1.0, phase=0.8)
        out.append(Sample((spread(shape, -3, 3), labels)))
        out.append(Sample((spread(shape, -3, 3), labels / labels.sum(-1, keepdims=True))))
    extreme = np.array([[1e4, -1e4, 0], [-np.inf, 0, 1]], np.float32), np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    return [*out, Sample(extreme, differentiable=False)]


define(
    Row(
        name="softmax_cross_entropy_with_logits",
        params=("logits", "labels"),
        phases=(_MAX, _SUM, ("t", "sum", "where(b == 0, 0, b * (log(s) - (a - m)))")),
        result="t",
        keeps=False,
        rule=_require_same_shape,
        gradient=_dense_gradient,
        samples=_dense_samples,
        doc="``-sum(labels * log_softmax(logits))`` over the last axis; a label of 0 adds nothing, even for a logit of -inf.",
    )
)


def _require_class_labels(op: Op, types: Types, attrs: Attrs) -> None:
    logits, labels = types
    if labels.dtype.kind != "i" or labels.dtype.size < 4:
        raise DTypeError(f"{op.name} needs int32 or int64 labels. Received: {received(op, types)}.")
    if labels.shape != logits.shape[:-1]:
        message = f"{op.name} needs labels of the logits' shape without the last axis. Received: {received(op, types)}."
        if labels.rank == logits.rank - 1:
            for a, b in zip(logits.shape[:-1], labels.shape, strict=True):
                if a != b and (isinstance(a, Dim) or isinstance(b, Dim)):
                    raise DimConflict(message, a, b)
        raise ShapeError(message)


def _sparse_gradient(o: Any, y: Node, g: Node) -> tuple[Node, None]:
    logits, labels = y.args
    chosen = labels if labels.dtype is int32 else o.cast(labels, dtype=int32)  # a label that is no column has raised
    hit = o.equal(expand_dims(chosen, -1), o.iota(size=logits.shape[-1], dtype=int32))
    p = o.softmax(logits)
    return o.mul(o.where(hit, o.sub(p, 1), p), expand_dims(g, -1)), None


def _sparse_samples() -> list[Sample]:
    out = []
    for shape in ((4,), (3, 5), (2, 3, 4), (0, 3), (2, 1)):
        count = int(np.prod(shape[:-1]))
        labels = (np.arange(count, dtype=np.int32) * 2 % shape[-1]).reshape(shape[:-1])
        out.append(Sample((spread(shape, -3, 3), labels if len(shape) == 2 else labels.astype(np.int64))))
    extreme = np.array([[1e4, -1e4, 0], [-np.inf, 0, 1]], np.float32), np.array([1, 2], np.int64)
    return [*out, Sample(extreme, differentiable=False)]


define(
    Row(
        name="sparse_softmax_cross_entropy_with_logits",
        params=("logits", "labels"),
        phases=(_MAX, _SUM, ("t", "sum", "where(j == b, a - m, 0)")),
        result="log(s) - t",
        keeps=False,
        row_args=1,
        check="(b < 0) | (b >= n)",
        error=IndexRangeError,
        message="A label must name a column of the logits.",
        rule=_require_class_labels,
        gradient=_sparse_gradient,
        samples=_sparse_samples,
        doc="``-log_softmax(logits)`` at the column that each label names. Raises `IndexRangeError` for a label outside.",
    )
)
