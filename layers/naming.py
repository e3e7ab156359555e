"""Names of layers and what is looked up by name. In: a class or a wish; out: a unique name, or an error with near matches."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

_counts: dict[str, int] = {}
_lock = threading.Lock()


class _Path(threading.local):
    names: tuple[str, ...] = ()


_path = _Path()


def to_snake_case(name: str) -> str:
    """``"BatchNormalization"`` becomes ``"batch_normalization"``, ``"ReLU"`` ``"re_lu"``, as Keras names layers."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def auto_name(prefix: str) -> str:
    """``prefix``, then ``prefix_1``, ``prefix_2``, ... for every call since the last `reset_names`."""
    with _lock:
        count = _counts.get(prefix, 0)
        _counts[prefix] = count + 1
    return prefix if count == 0 else f"{prefix}_{count}"


def reset_names() -> None:
    """Starts the counting of automatic names again."""
    with _lock:
        _counts.clear()


@contextmanager
def name_scope(name: str) -> Iterator[None]:
    """Weights made inside have paths that begin with this name."""
    before, _path.names = _path.names, (*_path.names, name)
    try:
        yield
    finally:
        _path.names = before


def current_path() -> str:
    """``"model/dense"`` inside the scopes of these names."""
    return "/".join(_path.names)


def near_matches(name: str, known: Iterable[str]) -> str:
    """``Did you mean 'a' or 'b'?``, or the list of known names where none is near."""
    import difflib  # for mistakes only

    names = sorted(set(known))
    wanted = str(name)
    alike: dict[str, list[str]] = {}  # spelling without case and underscores -> the names spelt so
    for known_name in names:
        alike.setdefault(known_name.lower().replace("_", ""), []).append(known_name)
    near = difflib.get_close_matches(wanted.lower().replace("_", ""), alike, n=3, cutoff=0.6)
    if near:
        best = [max(alike[n], key=lambda spelt: difflib.SequenceMatcher(None, wanted, spelt).ratio()) for n in near]
        return f"Did you mean {' or '.join(map(repr, best))}?"
    return f"Known: {', '.join(names)}."
