"""Which trace serves a call. In: keys and shapes; out: the trace that fits, or the types a new trace should have.

A trace is remembered by its key and by argument types whose sizes may be symbolic. Sizes that were seen to change become
symbolic; sizes that always changed together share one name, and that equality is checked on every new combination of shapes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

from weft.graph.dims import Dim, Size
from weft.graph.dtype import DType
from weft.graph.ir import ArrayType
from weft.graph.record import field, record

from .trace_key import Call, has_dead_object

EXACT_LIMIT = 1024
TRACE_LIMIT = 64

Shapes = tuple[tuple[Any, ...], ...]


@record(frozen=False, eq=False)
class Entry:
    """One trace: its argument types, what it was made for, and what serves the call (a concrete function)."""

    key: tuple[Any, ...]
    types: tuple[ArrayType, ...]
    shapes: Shapes
    concrete: Any
    reason: str
    pinned: bool = False  # tracing with symbolic sizes failed here: sizes of this key stay as they are

    @property
    def symbolic(self) -> bool:
        return any(t.names for t in self.types)

    def serves(self, shapes: Shapes) -> bool:
        return match_sizes(self.types, number_unknown(shapes)) is not None


@record(frozen=False)
class TraceTable:
    """The traces of one function, by exact shapes and by key."""

    entries: OrderedDict[tuple[Any, ...], list[Entry]] = field(default_factory=OrderedDict)
    exact: OrderedDict[Any, Entry] = field(default_factory=OrderedDict)
    plain: dict[Any, Entry] = field(default_factory=dict)  # calls with nothing but tensors, by a key that is quick to make

    def __iter__(self) -> Iterator[Entry]:
        return (e for entries in self.entries.values() for e in entries)

    def find(self, call: Call) -> Entry | None:
        """The most specific trace that fits, or None."""
        exact_key = (call.key, call.shapes)
        entry = self.exact.get(exact_key)
        if entry is None:
            fitting = [e for e in self.entries.get(call.key, ()) if e.serves(call.shapes)]
            if not fitting:
                return None
            entry = min(fitting, key=lambda e: sum(len(t.names) for t in e.types))
            self.exact[exact_key] = entry
            if len(self.exact) > EXACT_LIMIT:
                self.exact.popitem(last=False)
        return entry

    def add(self, call: Call, entry: Entry) -> None:
        """Registers the trace; drops traces of dead objects and, past the limit, the oldest."""
        self.remove(e for e in list(self) if has_dead_object(e.key))
        self.entries.setdefault(call.key, []).append(entry)
        self.exact[(call.key, call.shapes)] = entry
        if sum(map(len, self.entries.values())) > TRACE_LIMIT:
            self.remove([next(iter(self))])

    def remember_plain(self, key: Any, entry: Entry) -> None:
        if len(self.plain) >= EXACT_LIMIT:
            self.plain.clear()
        self.plain[key] = entry

    def remove(self, entries: Any) -> None:
        gone = set(entries)
        if not gone:
            return
        for key in [k for k, es in self.entries.items() if gone & set(es)]:
            self.entries[key] = [e for e in self.entries[key] if e not in gone]
            if not self.entries[key]:
                del self.entries[key]
        self.plain.clear()
        for exact_key in [k for k, e in self.exact.items() if e in gone]:
            del self.exact[exact_key]


def number_unknown(shapes: Shapes) -> Shapes:
    """The shapes with a number of its own, equal to no size, for each None and each name: a trace that serves them serves any."""
    if all(isinstance(size, int) for shape in shapes for size in shape):
        return shapes
    numbers: dict[Any, int] = {}
    return tuple(
        tuple(
            size if isinstance(size, int) else numbers.setdefault(size if isinstance(size, Dim) else (i, axis), -1 - len(numbers))
            for axis, size in enumerate(shape)
        )
        for i, shape in enumerate(shapes)
    )


def match_sizes(types: Sequence[ArrayType], shapes: Shapes) -> dict[str, int] | None:
    """The symbolic sizes for which the types have these shapes, or None."""
    known: dict[str, int] = {}
    for t, shape in zip(types, shapes, strict=True):
        for size, actual in zip(t.shape, shape, strict=True):
            if isinstance(size, Dim):
                (name,) = size.names
                if not isinstance(actual, int) or known.setdefault(name, actual) != actual:
                    return None
            elif size != actual:
                return None
    return known


def concrete_types(dtypes: Sequence[DType], declared: Shapes, actual: Shapes) -> tuple[ArrayType, ...]:
    """Types for the declared shapes. Unknown sizes (None) of first axes share the name ``batch`` if the actual sizes are known
    to be equal; others get a name of their own. Sizes declared as a `Dim` keep their name."""
    batches: dict[Any, Dim] = {}
    taken = {name for shape in declared for size in shape if isinstance(size, Dim) for name in size.names}
    names = (n for n in ("batch", *(f"batch{i}" for i in range(1, 1 + len(declared) + len(taken)))) if n not in taken)
    out = []
    for i, (dtype, shape, now) in enumerate(zip(dtypes, declared, actual, strict=True)):
        sizes: list[Size] = []
        for axis, size in enumerate(shape):
            if size is not None:
                sizes.append(size)
            elif axis == 0:
                same = now[0] if isinstance(now[0], int) else (i, now[0])
                sizes.append(batches[same] if same in batches else batches.setdefault(same, Dim(next(names))))
            else:
                sizes.append(Dim(f"d{i}_{axis}"))
        out.append(ArrayType(dtype, tuple(sizes)))
    return tuple(out)


def relax_types(old: Entry, dtypes: Sequence[DType], shapes: Shapes) -> tuple[ArrayType, ...]:
    """Types that serve the old trace's shapes and these: what differs becomes symbolic, equal histories share a name."""
    names: dict[Any, Dim] = {}
    out = []
    for dtype, was, shape in zip(dtypes, old.types, shapes, strict=True):
        sizes: list[Size] = []
        for axis, (before, now) in enumerate(zip(was.shape, shape, strict=True)):
            if before == now and not isinstance(before, Dim):
                sizes.append(now)
                continue
            history = (str(before), now)
            if history not in names:
                names[history] = Dim(_fresh_name(axis, names.values()))
            sizes.append(names[history])
        out.append(ArrayType(dtype, tuple(sizes)))
    return tuple(out)


def _fresh_name(axis: int, taken: Any) -> str:
    used = {str(d) for d in taken}
    candidates = ["batch"] if axis == 0 else []
    return next(n for n in (*candidates, *(f"d{axis}_{i}" for i in range(len(used) + 1))) if n not in used)


def resolve_conflict(types: tuple[ArrayType, ...], shapes: Shapes, sizes: tuple[Size, Size]) -> tuple[ArrayType, ...]:
    """Types after two sizes met that must be equal: two names that are equal now become one; otherwise they become numbers."""
    known = match_sizes(types, shapes) or {}
    named = [s for s in sizes if isinstance(s, Dim)]
    names = sorted({n for s in named for n in s.names})
    simple = len(named) == 2 and all(s.terms[0][1] == 1 and len(s.terms) == 1 and len(s.terms[0][0]) == 1 for s in named)
    change: dict[str, Size]
    if simple and known.get(names[0]) == known.get(names[-1]):
        keep = "batch" if "batch" in names else names[0]
        change = {n: Dim(keep) for n in names}
    else:
        change = {n: known[n] for n in names if n in known}
    return substitute_sizes(types, change)


def substitute_sizes(types: Sequence[ArrayType], change: dict[str, Size]) -> tuple[ArrayType, ...]:
    return tuple(
        ArrayType(t.dtype, tuple(s.substitute(change) if isinstance(s, Dim) else s for s in t.shape)) for t in types
    )


def pin_sizes(types: Sequence[ArrayType], shapes: Shapes) -> tuple[ArrayType, ...]:
    """The types with every symbolic size that the call fixes as a number."""
    return substitute_sizes(types, dict(match_sizes(types, shapes) or {}))
