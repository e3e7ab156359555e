"""Type checking of eager ops, remembered. In: an op, its arguments' dtypes and shapes, its attributes; out: a `Checked` record.

Checking an op costs more than a small NumPy kernel, and programs apply the same op to the same types again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weft.graph.ir import ArrayType
from weft.graph.op import Attrs, Op

from .tensor_shape import TensorShape


class Checked:
    """An op with attributes and argument types that fit together. There is one object per such combination (while it is
    remembered), so identity stands for the whole combination.

    evaluate: the NumPy kernel. type: the result's type. floating: a gradient may flow through it.
    """

    __slots__ = ("attrs", "evaluate", "floating", "op", "type", "types")

    def __init__(self, op: Op, attrs: Attrs, types: tuple[Any, ...], type: Any) -> None:
        self.op = op
        self.attrs = attrs
        self.types = types
        self.type = type
        self.evaluate = evaluators.get(op.name, op.evaluate)
        self.floating = op.gradient is not None and _is_floating(type)


evaluators: dict[str, Any] = {}
"""Kernels that replace the op's own in eager mode, by op name: the run time registers one for ``call``. Same signature."""

_known: dict[Any, Checked] = {}
_NO_ATTRS: Attrs = {}


def check(key: Any, op: Op, attrs: Attrs, types: tuple[ArrayType, ...]) -> Checked:
    """Checks by the op's own rules and remembers the result under the key. Raises `ShapeError`, `DTypeError`, TypeError."""
    full = op.canonical({k: _plain(v) for k, v in attrs.items()})
    checked = Checked(op, full, types, op.infer(types, full))
    if len(_known) > 8192:
        _known.clear()
    _known[key] = checked
    return checked


def recall(key: Any) -> Checked | None:
    """The record remembered under the key."""
    return _known.get(key)


def attrs_key(attrs: Attrs) -> Any:
    """A key that tells 1, 1.0 and True apart, and 0.0 from -0.0. Tuples hold sizes and names, never floats."""
    out: list[Any] = []
    for name, value in attrs.items():
        kind = value.__class__
        out.append(name)
        out.append(kind)
        out.append(value if kind is not float or value * value > 0 else str(value))  # zeros and NaN by their text
    return tuple(out)


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, TensorShape) else value


def plain_attrs(attrs: Attrs) -> Attrs:
    """The attributes as nodes hold them: shapes as plain tuples."""
    return {k: _plain(v) for k, v in attrs.items()} if attrs else _NO_ATTRS


def _is_floating(type: Any) -> bool:
    items: Sequence[Any] = getattr(type, "items", None) or (type,)
    return any(isinstance(t, ArrayType) and t.dtype.is_floating for t in items)
