"""Who may write which variables now. In: the storages of a step's variables; out: a lock to hold while it runs.

Two steps that run at once must not write one variable, nor may one write what the other reads while updating its own. So
steps that touch a variable which one of them writes form a group, and a group has one lock: two models train in two threads
without waiting for one another, and a step takes one lock however many variables it has. A new step may unite groups.

No thread can wait for another in a circle. Whoever may want a second lock, because his step calls back into Python or because
he unites groups, first takes the one lock for that; everybody else holds a group's lock only while native code runs. The order:
`_nesting`, then groups.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Sequence

import numpy as np


class _Group:
    """Steps that wait for one another. parent: the group that this one has become a part of."""

    __slots__ = ("__weakref__", "lock", "parent")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.parent: _Group | None = None
        _groups.add(self)

    def root(self) -> _Group:
        group = self
        while group.parent is not None:
            group = group.parent
        return group

    def acquire(self) -> _Group:
        """Takes the lock of the group that this one now belongs to, and returns it."""
        while True:
            group = self.root()
            group.lock.acquire()
            if group.parent is None:
                return group
            group.lock.release()  # united with another in the meantime


class UpdateLock:
    """``with`` it, a step that writes variables runs."""

    def __init__(self, storages: Sequence[np.ndarray], written: Sequence[bool], calls_back: bool) -> None:
        """storages: of the step's variables; written: which of them it writes. calls_back: it may run Python code."""
        places = [(s.ctypes.data, w) for s, w in zip(storages, written, strict=True) if s.nbytes]
        self._calls_back = calls_back
        with _nesting:
            self._group = _join({at for at, written in places if written}, {at for at, written in places if not written})

    def __enter__(self) -> None:
        if self._calls_back:
            _nesting.acquire()
            _held.append(self._group.acquire())
        else:
            self._group.acquire()

    def __exit__(self, *error: object) -> None:
        if self._calls_back:
            _held.pop().lock.release()
            _nesting.release()
        else:
            self._group.root().lock.release()  # the one that was taken: uniting needs its lock


_groups: weakref.WeakSet[_Group] = weakref.WeakSet()
_writers: weakref.WeakValueDictionary[int, _Group] = weakref.WeakValueDictionary()  # by the address of a storage
_readers: dict[int, weakref.WeakSet[_Group]] = {}  # the same, of steps that write something else
_nesting = threading.RLock()
_held: list[_Group] = []  # of steps that call back, outermost first; guarded by `_nesting`


def _join(written: set[int], read: set[int]) -> _Group:
    """The group of a step that touches these addresses; `_nesting` is held.

    Readers of one variable need not wait for one another, until somebody writes it: he must wait for all of them.
    """
    for at in [at for at, groups in _readers.items() if not groups]:
        del _readers[at]
    found = [_writers.get(at) for at in (*written, *read)]
    found += [group for at in written for group in _readers.get(at, ())]
    group = _unite({g.root() for g in found if g is not None}) if any(found) else _Group()
    for at in written:
        _writers[at] = group
    for at in read:
        _readers.setdefault(at, weakref.WeakSet()).add(group)
    return group


def _unite(roots: set[_Group]) -> _Group:
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
