"""The team of threads that run parts of steps. In: compiled team steps and the settings; out: an entry like the plain step's.

Worker threads are Python daemon threads, each inside one native call without the GIL. They are started when the first step that
pays for them is bound, stopped at exit, and started again in a forked child when it needs them. Where there is no team, another
thread has it, or a neighbour takes the cores, the entry runs the plain step: the results are the same, bit for bit.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from weft.graph.record import record

from .arena import Arena
from .config import config
from .cores import usable_cores
from .engine import engine
from .host import machine_key, target_triple
from .object_code import compiled_object
from .store import content_key
from .team_layout import (
    CALL,
    CELL_BYTES,
    CONDITION,
    COUNTER_NAMES,
    COUNTERS,
    DESCRIPTOR,
    EFFECT,
    FALLIBLE,
    FREE,
    MUTEX,
    NOTE_BYTES,
    RUN_SYMBOL,
    SEEN,
    SEEN_BYTES,
    SEQUENCE,
    SLOT_BYTES,
    TEAM,
    TEAM_SYMBOL,
    TIMED,
    UNEVEN,
    UNIT_BITS,
)
from .team_retired import RetiredSteps, StepMemory, Worker

if TYPE_CHECKING:
    from .plan_team import TeamPlan

WORKER_SYMBOL, STOP_SYMBOL = "weft_team_worker", "weft_team_stop"
MOST_THREADS = 64
_NEEDED = (
    "clock_gettime", "sched_yield", "pthread_mutex_lock", "pthread_mutex_unlock", "pthread_cond_wait", "pthread_cond_broadcast",
)  # fmt: skip


def thread_count() -> int:
    """How many threads a step may use: what was set, else the physical cores that this process may run on."""
    wanted = config.intra_op_threads or usable_cores()
    return max(1, min(wanted, MOST_THREADS)) if _supported() else 1


@functools.cache
def _supported() -> bool:
    """Whether the C library has what the team waits with; elsewhere steps run on one thread."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):
        return False
    return hasattr(time, "CLOCK_MONOTONIC") and all(hasattr(library, name) for name in (*_NEEDED, "pthread_mutex_init"))


@functools.cache
def _functions() -> dict[str, int]:
    """Addresses of the team's native functions."""
    from .team_text import team_text  # for steps that are shared

    text = team_text(target_triple(), time.CLOCK_MONOTONIC)
    library = ctypes.CDLL(None)
    api = {name: ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0 for name in _NEEDED}
    out = {}
    for symbol in (RUN_SYMBOL, WORKER_SYMBOL, STOP_SYMBOL):
        code = compiled_object(content_key("team", text, machine_key()), lambda: text, vectorize=False)
        out[symbol] = engine.keep(code, symbol, api)
    return out


class _Cell:
    """The address of the control block in use, or 0, and the team's lock. Compiled steps know the cell, never the block."""

    def __init__(self) -> None:
        self._memory = Arena(CELL_BYTES)
        self._words = self._memory.bytes.view(np.int64)
        self.address: int = self._memory.address
        self.reset()

    def set(self, address: int) -> None:
        self._words[0] = address

    def reset(self) -> None:
        """No team, and nobody holds the lock."""
        self._words[:] = 0


@record(frozen=False, eq=False)
class _Members:
    """A running team: its control block and its worker threads."""

    control: Arena
    size: int
    threads: list[threading.Thread]


class Team:
    """The one team of this process."""

    def __init__(self) -> None:
        self.cell = _Cell()
        self._lock = threading.RLock()
        self._members: _Members | None = None
        self._sequence = 0  # of the next control block: job numbers only ever grow
        self._controls: list[Arena] = []  # a step that is called just now may still look at one that is not in use any more
        self._retired = RetiredSteps()
        self._bound: weakref.WeakSet[Any] = weakref.WeakSet()

    @property
    def size(self) -> int:
        """Threads now in the team, the caller's included; 1 without a team."""
        return self._members.size if self._members is not None else 1

    def counters(self) -> dict[str, int]:
        """What the team now running did: jobs, jobs run alone and why, parts taken over, waits that ended asleep."""
        if self._members is None:
            return dict.fromkeys(COUNTER_NAMES, 0)
        words = self._members.control.bytes.view(np.int64)
        return {name: int(words[COUNTERS // 8 + i]) for i, name in enumerate(COUNTER_NAMES)}

    def start(self, size: int) -> bool:
        """Makes sure that a team of this size runs. False: it could not be started, steps run on one thread."""
        if size < 2:
            return False
        with self._lock:
            if self._members is not None and self._members.size == size:
                return True
            self.stop()
            control = self._control(size)
            try:
                threads = [self._worker(control, tid) for tid in range(1, size)]
            except RuntimeError:  # no more threads, or the interpreter is ending: those that started find a stop
                self._halt(control)
                return False
            self._members = _Members(control, size, threads)
            self.cell.set(control.address)
            return True

    def stop(self, seconds: float = 1.0) -> None:
        """Ends the team; a step that is running now finishes with it. Steps run on one thread until the next start."""
        with self._lock:
            members, self._members = self._members, None
            self.cell.set(0)
            if members is None:
                return
            self._halt(members.control, seconds)
            deadline = time.monotonic() + seconds
            for thread in members.threads:
                thread.join(max(0.0, deadline - time.monotonic()))

    def _halt(self, control: Arena, seconds: float = 1.0) -> None:
        """Tells the workers to end. If a step holds the team for longer, they stay asleep: no later step uses their block."""
        stop = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p)(_functions()[STOP_SYMBOL])
        deadline = time.monotonic() + seconds
        while not stop(control.address, self.cell.address) and time.monotonic() < deadline:
            time.sleep(0.0005)
        self._sequence = _after_last_job(control)

    def _control(self, size: int) -> Arena:
        control = Arena(SEEN + SEEN_BYTES * size)
        control.bytes[:] = 0
        words = control.bytes.view(np.int64)
        words[SEQUENCE // 8], words[TEAM // 8] = self._sequence, size
        library = ctypes.CDLL(None)
        library.pthread_mutex_init(ctypes.c_void_p(control.address + MUTEX), None)
        library.pthread_cond_init(ctypes.c_void_p(control.address + CONDITION), None)
        self._controls.append(control)
        return control

    def _worker(self, control: Arena, tid: int) -> threading.Thread:
        work = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(_functions()[WORKER_SYMBOL])
        thread = threading.Thread(target=work, args=(control.address, tid, self._sequence), name=f"weft_{tid}", daemon=True)
        thread.start()
        self._retired.watch(Worker(thread, control, tid))
        return thread

    # Steps ------------------------------------------------------------------------------------------------------------------

    def describe(self, plan: TeamPlan, alone: int) -> tuple[np.ndarray, list[Any]]:
        """A step's descriptor, and all memory that it needs, itself included. alone: address of the plain step."""
        parts = plan.threads
        table = np.zeros((len(plan.segments), len(CALL)), np.int64)
        most = parts * plan.pieces
        pairs: list[tuple[int, int]] = []
        timed = None if any(s.uneven for s in plan.segments) else next((s for s in plan.segments if s.tells_speeds(parts)), None)
        for row, segment in zip(table, plan.segments, strict=True):
            first = len(pairs)
            pairs += [(j, int(same)) for j, same in segment.needs]
            flags = FALLIBLE * segment.fallible | EFFECT * segment.effect | FREE * segment.free | UNEVEN * segment.uneven
            flags |= TIMED * (segment is timed)
            row[:] = parts * segment.pieces if segment.cut else 1, flags, first, len(pairs)
        needs_table = np.array([*pairs, (0, 0)], np.int64)
        slots = Arena(len(plan.segments) * most * SLOT_BYTES)
        slots.bytes[:] = 0
        work = Arena(plan.work_bytes * parts)
        notes, edges = Arena(parts * NOTE_BYTES), np.arange(parts + 1, dtype=np.int64) * (1 << UNIT_BITS) // parts
        notes.bytes[:] = 0
        values = {
            "cell": self.cell.address, "alone": alone, "calls": len(plan.segments), "table": table.ctypes.data,
            "needs": needs_table.ctypes.data, "slots": slots.address, "parts": most, "work": work.address,
            "work_bytes": plan.work_bytes, "threads": parts, "edges": edges.ctypes.data, "notes": notes.address,
        }  # fmt: skip
        descriptor = np.array([values.get(name, 0) for name in DESCRIPTOR], np.uint64)
        return descriptor, [table, needs_table, slots, work, notes, edges, descriptor]

    def load(self, text: str, plan: TeamPlan, alone: int, imports: dict[str, int]) -> tuple[int, StepMemory]:
        """The address of a step's entry for the team, from its printed text, and what must live as long as it is called."""
        self._retired.sweep()
        key = content_key("team step", text, machine_key())
        code = compiled_object(key, lambda: text, vectorize=False)
        address, handle = engine.load(code, TEAM_SYMBOL, {**imports, RUN_SYMBOL: _functions()[RUN_SYMBOL]})
        descriptor, memory = self.describe(plan, alone)
        entry = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(address)
        entry(None, descriptor.ctypes.data, None)
        return address, self._retired.keep([*memory, handle])

    # Forks ------------------------------------------------------------------------------------------------------------------

    def watch_fork(self, frame: Any) -> None:
        """``frame.unbind()`` is called in a forked child, so that its next call starts a team of the child's own."""
        self._bound.add(frame)

    def forget(self) -> None:
        """In a forked child: the threads are gone."""
        self._lock, self._retired = threading.RLock(), RetiredSteps()
        members, self._members = self._members, None
        self.cell.reset()
        if members is not None:
            self._sequence = _after_last_job(members.control)
        for frame in list(self._bound):
            frame.unbind()


def _after_last_job(control: Arena) -> int:
    """A sequence number that no job of this block has, whether or not one is being published."""
    return int(control.bytes.view(np.int64)[SEQUENCE // 8]) + 4 & ~1


def descriptor_bytes(plan: TeamPlan) -> int:
    """What `Team.describe` allocates for a step."""
    parts, calls = plan.threads, len(plan.segments)
    words = calls * len(CALL) + 2 * (1 + sum(len(s.needs) for s in plan.segments)) + len(DESCRIPTOR) + parts + 1
    return 8 * words + parts * (calls * plan.pieces * SLOT_BYTES + plan.work_bytes + NOTE_BYTES)


team = Team()
atexit.register(team.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=team.forget)
