"""Data sets by Keras' names. In: the package's own file or the local cache; out: NumPy arrays. Nothing is downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.tracer.late_names import late_names

if TYPE_CHECKING:
    from . import boston_housing, digits, fashion_mnist, mnist

__all__ = ["boston_housing", "digits", "fashion_mnist", "mnist"]

__getattr__, __dir__ = late_names(__name__, dict.fromkeys(__all__, ()))
