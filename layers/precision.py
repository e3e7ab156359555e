"""Numeric settings of all layers. In: the user's choice; out: the default dtype, the fuzz factor, a layer's dtype policy."""

from __future__ import annotations

from typing import Any

from weft.tracer.tensor import as_dtype

FLOATS = ("float16", "float32", "float64")

_settings: dict[str, Any] = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}


def floatx() -> str:
    """The default floating dtype of layers, ``"float32"`` unless changed."""
    return _settings["floatx"]


def set_floatx(value: str) -> None:
    """Sets the default floating dtype. ValueError for a dtype weft's layers cannot use."""
    if value not in FLOATS:
        raise ValueError(f"floatx must be one of {', '.join(FLOATS)}. Received: {value!r}")
    _settings["floatx"] = str(value)


def epsilon() -> float:
    """The fuzz factor that keeps logarithms and quotients finite, 1e-7 unless changed."""
    return _settings["epsilon"]


def set_epsilon(value: float) -> None:
    """Sets the fuzz factor."""
    _settings["epsilon"] = float(value)


def image_data_format() -> str:
    """``"channels_last"`` unless changed."""
    return _settings["image_data_format"]


def set_image_data_format(value: str) -> None:
    """Sets where the channel axis of images lies: ``"channels_last"`` or ``"channels_first"``."""
    if value not in ("channels_last", "channels_first"):
        raise ValueError(f"The data format must be channels_last or channels_first. Received: {value!r}")
    _settings["image_data_format"] = value


class DTypePolicy:
    """The dtypes a layer stores and computes in; in weft both are the same.

    name: ``"float32"``, ``"float64"`` or another element type's name.
    """

    def __init__(self, name: str) -> None:
        self.name = as_dtype(name).name
        self.compute_dtype = self.name
        self.variable_dtype = self.name

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'


def get_policy(value: Any) -> DTypePolicy:
    """The policy for None (floatx), a policy, its serialized form, a dtype or a dtype's name."""
    if value is None:
        return DTypePolicy(floatx())
    if isinstance(value, DTypePolicy):
        return value
    if isinstance(value, dict):
        return DTypePolicy(value.get("config", value)["name"])
    if isinstance(value, str) and value.startswith("mixed_"):
        raise ValueError(f"Mixed precision is not supported; use float32 or float64. Received: dtype={value!r}")
    try:
        return DTypePolicy(as_dtype(value).name)
    except TypeError as error:
        raise ValueError(f"A layer's dtype must name an element type. Received: dtype={value!r}") from error
