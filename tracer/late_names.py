"""Names that a package loads when they are first asked for. In: which module has which names; out: the package's ``__getattr__``.

A program that trains a model needs a third of what Keras offers, and every module costs a start a fraction of a millisecond. For
type checkers the package imports the same names under ``TYPE_CHECKING``. No module may have the name of something else in its
package: importing the module would put it in that place.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

Loaders = tuple[Callable[[str], Any], Callable[[], list[str]]]


def _import(name: str) -> Any:
    """The module. Nothing that an import makes is garbage, so the collector, which would look at it all, waits meanwhile.

    Afterwards it counts as old: frozen and thawed, if nobody else froze anything, objects are among those looked at last.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        return import_module(name)
    finally:
        if collecting:
            if not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def late_names(
    package: str, homes: Mapping[str, Iterable[str]], makers: Mapping[str, Callable[[], Any]] | None = None
) -> Loaders:
    """``__getattr__`` and ``__dir__`` of the package.

    homes: names by the module below the package, or by the whole name of one elsewhere; ``"f as g"`` where the module calls
    ``g`` otherwise; none: the module itself. makers: what makes the values of further names.
    """
    places: dict[str, tuple[str, str]] = {}
    for home, names in homes.items():
        pairs = [(attribute, name or attribute) for attribute, _, name in (text.partition(" as ") for text in names)]
        places |= {name: (home, attribute) for attribute, name in pairs} or {home: (home, "")}
    made = makers or {}

    def load(name: str) -> Any:
        if name in places:
            home, attribute = places[name]
            module = _import(home if home.startswith("weft.") else f"{package}.{home}")
            value = getattr(module, attribute) if attribute else module
        elif name in made:
            value = made[name]()
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, value)
        return value

    def list_names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *places, *made})

    return load, list_names
