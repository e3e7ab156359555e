"""Elementwise logic on bool tensors, bits of integers, and the choice between two tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..families import Elementwise
from ..op import Sample, define
from ..samples import NONFINITE, spread

_T, _F = np.array([True, False, True]), np.array([[True], [False]])


def _logical(name: str, expr: str, numpy: Any, params: tuple[str, ...], doc: str) -> None:
    define(
        Elementwise(
            name=name,
            params=params,
            public=(name, f"math.{name}"),
            expr=expr,
            kinds="b",
            numpy=numpy,
            samples=lambda: [Sample((_T, _F)[: len(params)]), Sample((_F[:0], np.array(True))[: len(params)])],
            doc=doc,
        )
    )


_logical("logical_and", "a & b", np.logical_and, ("x", "y"), "Where both are true.")
_logical("logical_or", "a | b", np.logical_or, ("x", "y"), "Where at least one is true.")
_logical("logical_xor", "a ^ b", np.logical_xor, ("x", "y"), "Where exactly one is true.")
_logical("logical_not", "~a", np.logical_not, ("x",), "Where ``x`` is false.")


def _bitwise(name: str, expr: str, numpy: Any, params: tuple[str, ...], doc: str) -> None:
    def samples() -> list[Sample]:
        pairs = [(spread((2, 3), -9, 9, np.int32), spread((3,), -9, 9, np.int32, 0.8))]
        pairs.append((np.arange(5, dtype=np.uint8), np.full((), 6, np.uint8)))
        return [Sample(p[: len(params)]) for p in pairs]

    define(
        Elementwise(
            name=name,
            params=params,
            public=(f"bitwise.{name}",),
            expr=expr,
            kinds="iu",
            numpy=numpy,
            samples=samples,
            doc=doc,
        )
    )


_bitwise("bitwise_and", "a & b", np.bitwise_and, ("x", "y"), "The bits set in both integers.")
_bitwise("bitwise_or", "a | b", np.bitwise_or, ("x", "y"), "The bits set in at least one of the integers.")
_bitwise("bitwise_xor", "a ^ b", np.bitwise_xor, ("x", "y"), "The bits set in exactly one of the integers.")
_bitwise("invert", "~a", np.invert, ("x",), "Every bit of the integer flipped.")


def _where_gradient(o: Any, y: Any, g: Any) -> tuple[Any, Any, Any]:
    zero = o.constant_like(0, g)
    return None, o.where(y.args[0], g, zero), o.where(y.args[0], zero, g)


def _where_samples() -> list[Sample]:
    shapes: tuple[tuple[Any, Any, Any], ...] = (
        ((), (), ()), ((3,), (3,), (3,)), ((2, 1), (3,), ()), ((4,), (2, 4), (2, 1)), ((0,), (1,), ()),
    )  # fmt: skip
    out = [Sample((spread(c) > 0, spread(x), spread(y, phase=0.8))) for c, x, y in shapes]
    out.append(Sample((NONFINITE > 0, NONFINITE, -NONFINITE), differentiable=False))
    out.append(Sample((_T, np.array([1, 2, 3], np.int64), np.int64(9)), differentiable=False))
    return [*out, Sample((_T, _F, _T), differentiable=False)]


define(
    Elementwise(
        name="where",
        params=("condition", "x", "y"),
        expr="where(a, b, c)",
        kinds="fiub",
        masks=1,
        numpy=np.where,
        gradient=_where_gradient,
        samples=_where_samples,
        doc="``x`` where the condition holds, else ``y``, with broadcasting.",
    )
)
