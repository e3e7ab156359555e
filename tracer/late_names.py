"""Names that a package loads when they are first asked for. In: which module has which names; out: the package's ``__getattr__``.

A program that trains a model needs a third of what Keras offers, and every module costs a start a fraction of a millisecond. For
type checkers the package imports the same names under ``TYPE_CHECKING``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def late_names(package: str, homes: Mapping[str, Iterable[str]]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of the package. homes: names by the module below the package; none: the module itself."""
    places = {name: (home, name) for home, names in homes.items() for name in names}
    places |= {home: (home, "") for home, names in homes.items() if not tuple(names)}

    def load(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home, attribute = places[name]
        module = importlib.import_module(f"{package}.{home}")
        value = getattr(module, attribute) if attribute else module
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *places})

    return load, names
