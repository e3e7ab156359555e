"""Tools for looking at compiled functions. In: a function and arguments; out: tables and texts."""

from .comparison import Comparison, compare
from .profiling import Profile, ProfileRow, profile

__all__ = ["Comparison", "Profile", "ProfileRow", "compare", "profile"]
