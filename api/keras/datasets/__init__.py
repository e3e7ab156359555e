"""Data sets by Keras' names. In: the package's own file or the local cache; out: NumPy arrays. Nothing is downloaded."""

from __future__ import annotations

from . import boston_housing, digits, fashion_mnist, mnist

__all__ = ["boston_housing", "digits", "fashion_mnist", "mnist"]
