"""Matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..build import reshape
from ..dims import Dim, Shape, product
from ..errors import ShapeError
from ..families import Contract
from ..ir import Node
from ..op import Attrs, DimConflict, Sample, Types, broadcast_shapes, define
from ..samples import spread


def _matmul_shape(types: Types, attrs: Attrs) -> Shape:
    a, b = types
    if a.rank < 2 or b.rank < 2:
        raise ShapeError(f"matmul needs tensors of rank 2 or more. Received: {a} and {b}.")
    m, k = a.shape[-2:] if not attrs["transpose_a"] else a.shape[:-3:-1]
    kb, n = b.shape[-2:] if not attrs["transpose_b"] else b.shape[:-3:-1]
    if k != kb:
        flags = "".join(f", {f}" for f in ("transpose_a", "transpose_b") if attrs[f])
        message = f"matmul needs equal inner sizes: {k} against {kb}. Received: {a} and {b}{flags}."
        if isinstance(k, Dim) or isinstance(kb, Dim):
            raise DimConflict(message, k, kb)
        raise ShapeError(message)
    if a.rank == 2 and b.rank == 2:
        return (m, n)
    return (*broadcast_shapes([a.shape[:-2], b.shape[:-2]], lambda: f"matmul of {a} and {b}"), m, n)


def _matmul(a: Any, b: Any, transpose_a: bool, transpose_b: bool) -> Any:
    return np.matmul(a.swapaxes(-1, -2) if transpose_a else a, b.swapaxes(-1, -2) if transpose_b else b)


def _matmul_gradient(o: Any, y: Node, g: Node) -> tuple[Node, Node]:
    a, b = y.args
    ta, tb = y.attrs["transpose_a"], y.attrs["transpose_b"]
    if a.rank > 2 and b.rank == 2 and not ta:
        return o.matmul(g, b, transpose_b=not tb), _weight_gradient(o, a, g, tb)
    to_a = o.matmul(b, g, transpose_a=tb, transpose_b=True) if ta else o.matmul(g, b, transpose_b=not tb)
    to_b = o.matmul(g, a, transpose_a=True, transpose_b=ta) if tb else o.matmul(a, g, transpose_a=not ta)
    return to_a, to_b


def _weight_gradient(o: Any, a: Node, g: Node, transposed: bool) -> Node:
    """One product over all leading axes at once, instead of many products and a sum."""
    rows = product(a.shape[:-1])
    left, right = reshape(a, (rows, a.shape[-1])), reshape(g, (rows, g.shape[-1]))
    return o.matmul(right, left, transpose_a=True) if transposed else o.matmul(left, right, transpose_a=True)


def _samples() -> list[Sample]:
    out = []
    for m, k, n in ((3, 4, 5), (1, 1, 1), (2, 0, 3), (0, 2, 3)):
        for ta, tb in ((False, False), (True, False), (False, True), (True, True)):
            a, b = spread((k, m) if ta else (m, k)), spread((n, k) if tb else (k, n), phase=0.8)
            out.append(Sample((a, b), {"transpose_a": ta, "transpose_b": tb}))
    out.append(Sample((spread((2, 3, 4)), spread((4, 2)))))
    out.append(Sample((spread((2, 3, 4)), spread((2, 4))), {"transpose_b": True}))
    out.append(Sample((spread((2, 4, 3)), spread((4, 2))), {"transpose_a": True}))
    out.append(Sample((spread((2, 1, 3, 2)), spread((3, 2, 4)))))
    out.append(Sample((spread((2, 3)), spread((2, 3, 2))), {"transpose_b": False}))
    return [*out, Sample((spread((2, 3), -9, 9, np.int32), spread((3, 2), -9, 9, np.int32)), differentiable=False)]


define(
    Contract(
        name="matmul",
        params=("a", "b"),
        attributes={"transpose_a": False, "transpose_b": False},
        shape=_matmul_shape,
        compute=_matmul,
        gradient=_matmul_gradient,
        samples=_samples,
        doc="The matrix product over the last two axes; leading axes broadcast.",
    )
)
