"""Who may write which variables now. In: the storages of a step's variables; out: a lock to hold while it runs.

Two steps that run at once must not write one variable, nor may one write what the other reads while updating its own. So
steps that touch a variable which one of them writes form a group, and a group has one lock: two models train in two threads
without waiting for one another, and a step takes one lock however many variables it has. A new step may unite groups.

No thread can wait for another in a circle. Whoever may want a second lock, because his step calls back into Python or because
he unites groups, first takes the one lock for that; everybody else holds a group's lock only while native code runs. A step that
calls back may come to compile another one. So a step joins its group when it first runs, not while it is compiled. The order:
`_nesting`, then groups, then `engine.compile_lock`.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


class Group:
    """Steps that wait for one another. parent: the group that this one has become a part of."""

    __slots__ = ("__weakref__", "lock", "parent")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.parent: Group | None = None
        _groups.add(self)

    def root(self) -> Group:
        group = self
        while group.parent is not None:
            group = group.parent
        return group


class _Place:
    """The memory of a variable. storages: the arrays that lie there. writers: the group of the steps that write it. readers: the
    groups of those that read it and write something else."""

    __slots__ = ("readers", "storages", "writers")

    def __init__(self) -> None:
        self.storages: list[weakref.ref[np.ndarray]] = []
        self.writers: Callable[[], Group | None] = lambda: None
        self.readers: weakref.WeakSet[Group] = weakref.WeakSet()

    def is_used(self) -> bool:
        return any(storage() is not None for storage in self.storages)


class UpdateLock:
    """What a step that writes variables runs under."""

    def __init__(self, storages: Sequence[np.ndarray], written: Sequence[bool], calls_back: bool) -> None:
        """storages: of the step's variables; written: which of them it writes. calls_back: it may run Python code."""
        self._pairs = [(s, w) for s, w in zip(storages, written, strict=True) if s.nbytes]
        self._calls_back = calls_back
        self._joined: Group | None = None

    @property
    def _group(self) -> Group:
        """The group that the step belongs to from its first run on."""
        if self._joined is None:
            with _nesting:
                for at in [at for at, place in _places.items() if not place.is_used()]:
                    del _places[at]
                written = [_place_of(s) for s, writes in self._pairs if writes]
                self._joined = _join(written, [_place_of(s) for s, writes in self._pairs if not writes])
        return self._joined

    def group(self) -> Group:
        """Whose lock is held now. Later it may be a part of another group, whose lock is held then."""
        return self._group.root()

    def hold(self, call: Callable[..., Any], *args: Any) -> Any:
        """What the call returns, made while no step outside it writes these variables.

        The locks are taken by ``with`` alone: Ctrl-C may come between a lock taken by a method of ours and the ``with`` around
        that method, and then nobody would ever give the lock back.
        """
        if not self._calls_back:
            return self._hold_group(call, args)
        with _nesting:
            return self._hold_group(call, args)

    def _hold_group(self, call: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        while True:
            group = self._group.root()
            with group.lock:
                if group.parent is not None:
                    continue  # united with another in the meantime
                if not self._calls_back:
                    return call(*args)
                depth = len(_held)
                try:
                    _held.append(group)
                    return call(*args)
                finally:
                    del _held[depth:]


_groups: weakref.WeakSet[Group] = weakref.WeakSet()
_places: dict[int, _Place] = {}  # by address
_nesting = threading.RLock()
_held: list[Group] = []  # of steps that call back, outermost first; guarded by `_nesting`


def _join(written: Sequence[_Place], read: Sequence[_Place]) -> Group:
    """The group of a step that touches these places; `_nesting` is held.

    Readers of one variable need not wait for one another, until somebody writes it: he must wait for all of them.
    """
    found = [place.writers() for place in (*written, *read)]
    found += [group for place in written for group in place.readers]
    group = _unite({g.root() for g in found if g is not None}) if any(found) else Group()
    for place in written:
        place.writers = weakref.ref(group)
    for place in read:
        place.readers.add(group)
    return group


def _place_of(storage: np.ndarray) -> _Place:
    """What is known about the storage's memory; nothing if it belonged to a variable that is gone."""
    place = _places.get(storage.ctypes.data)
    if place is None or not place.is_used():
        place = _places[storage.ctypes.data] = _Place()
    if all(known() is not storage for known in place.storages):
        place.storages.append(weakref.ref(storage))
    return place


def _unite(roots: set[Group]) -> Group:
    """One group of several. A group that this thread's step holds stays the root, so that leaving it finds the same lock."""
    root = next((g for g in _held if g in roots), None) or next(iter(roots))
    for other in roots - {root}:
        with root.lock, other.lock:
            other.parent = root
    return root


def _reset() -> None:
    """In a forked child: locks that other threads held stay locked for ever, so there are new ones."""
    global _nesting
    if not _nesting._is_owned():  # type: ignore[attr-defined]  # not in the stubs
        _nesting = threading.RLock()
        _held.clear()
    for group in list(_groups):
        if group not in _held:
            group.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset)
