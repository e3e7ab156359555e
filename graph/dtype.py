"""Element types. In: a name, a NumPy dtype or a Python type; out: the one `DType` object that stands for it."""

from __future__ import annotations

from typing import Any

import numpy as np


class DType:
    """An element type such as ``weft.float32``.

    There is one object per type, so identity is equality; comparing with a string or a NumPy dtype also works,
    as TensorFlow's users expect (``x.dtype == "float32"``).
    """

    __slots__ = ("as_numpy_dtype", "kind", "name", "np", "short", "size")

    def __init__(self, name: str, short: str, scalar: type) -> None:
        self.name = name
        self.short = short
        self.as_numpy_dtype = scalar
        self.np: np.dtype[Any] = np.dtype(scalar)
        self.size = self.np.itemsize
        self.kind: str = self.np.kind
        """NumPy's letter: ``f``, ``i``, ``u`` or ``b``."""

    @property
    def is_floating(self) -> bool:
        return self.kind == "f"

    @property
    def is_integer(self) -> bool:
        return self.kind in "iu"

    @property
    def is_unsigned(self) -> bool:
        return self.kind == "u"

    @property
    def is_bool(self) -> bool:
        return self.kind == "b"

    @property
    def is_complex(self) -> bool:
        return False

    @property
    def is_numeric(self) -> bool:
        return not self.is_bool

    @property
    def base_dtype(self) -> DType:
        return self

    real_dtype = base_dtype

    @property
    def limits(self) -> tuple[Any, Any]:
        """What an image of this dtype may hold: 0 to the largest integer, or 0 to 1."""
        return 0, 1 if self.is_floating else self.max

    def is_compatible_with(self, other: Any) -> bool:
        return self is as_dtype(other)

    @property
    def min(self) -> Any:
        return np.finfo(self.np).min if self.is_floating else False if self.is_bool else np.iinfo(self.np).min

    @property
    def max(self) -> Any:
        return np.finfo(self.np).max if self.is_floating else True if self.is_bool else np.iinfo(self.np).max

    def __eq__(self, other: object) -> bool:
        if isinstance(other, DType):
            return self is other
        try:
            return self is as_dtype(other)
        except TypeError:
            return False

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"tf.{self.name}"

    def __str__(self) -> str:
        return f"<dtype: '{self.name}'>"

    def __reduce__(self) -> tuple[Any, ...]:
        return as_dtype, (self.name,)


float16 = DType("float16", "f16", np.float16)
float32 = DType("float32", "f32", np.float32)
float64 = DType("float64", "f64", np.float64)
int8 = DType("int8", "i8", np.int8)
int16 = DType("int16", "i16", np.int16)
int32 = DType("int32", "i32", np.int32)
int64 = DType("int64", "i64", np.int64)
uint8 = DType("uint8", "u8", np.uint8)
uint16 = DType("uint16", "u16", np.uint16)
uint32 = DType("uint32", "u32", np.uint32)
uint64 = DType("uint64", "u64", np.uint64)
bool_ = DType("bool", "b1", np.bool_)

ALL = (float16, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64, bool_)
FLOATS = (float16, float32, float64)
BY_SHORT = {d.short: d for d in ALL}

_KNOWN: dict[Any, DType] = {}
for _d in ALL:
    _KNOWN[_d.name] = _KNOWN[_d.np] = _KNOWN[_d.as_numpy_dtype] = _d
_KNOWN.update({float: float32, int: int32, bool: bool_, "half": float16, "float": float32, "double": float64})


def as_dtype(value: Any) -> DType:
    """The `DType` of a name, NumPy dtype, NumPy scalar class or Python type (``float`` is float32, ``int`` int32).

    Raises TypeError for anything that is no supported element type.
    """
    if isinstance(value, DType):
        return value
    try:
        return _KNOWN[value]
    except (KeyError, TypeError):
        pass
    try:
        return _KNOWN[np.dtype(value)]
    except (KeyError, TypeError):
        names = ", ".join(d.name for d in ALL)
        raise TypeError(f"Cannot convert {value!r} to an element type. Supported: {names}.") from None
