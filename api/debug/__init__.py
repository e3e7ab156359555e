"""Tools for looking at compiled functions. In: a function and arguments; out: tables and texts."""

from .comparison import Comparison, compare

__all__ = ["Comparison", "compare"]
