"""What a thread of the team takes at a time. In: the calls of a step, in order; out: `Segment`s, and what each has to wait for.

Calls that are cut alike, or not at all, and that hang together are one segment: it is claimed once and waited for once. To take a
call and to wait for one costs half a microsecond, and a small model's calls last one or two.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from weft.codegen.contract_parts import ALWAYS
from weft.codegen.program import Split
from weft.graph.record import field, record

PIECES = 6
"""Parts per thread of a long segment: a half, a quarter, ... of the thread's share, and the last as long as the one before. A
thread that is done takes what others have not begun, so all end within a thirty-second of a share of one another."""
MANY = 16
"""Granules per thread from which shares count as equal even if one has a granule more."""


@record
class Access:
    """One buffer that a call touches. stretch: what of it each part touches, None if anything: (extent, granule, bytes per
    iteration).

    columns: where the columns begin that each unit of a product's extent reads, and where the last ones end; () if not known.
    """

    buffer: object
    written: bool
    stretch: tuple[str, int, str] | None
    columns: tuple[int, ...] = ()


@record(eq=False)
class TeamCall:
    """One call: the statement, its failure branch, how it is cut (None: one thread runs it), and what it touches.

    work: (position, bytes) of a pointer to scratch memory, of which each thread has its own. long: it takes so long that threads
    should be able to help one another. even: all shares must be equal, because each thread has only its own part of what is read.
    granules: how many there are to share out, if not only the sizes of a batch say so.
    """

    node: ast.Call
    failure: ast.If | None
    split: Split | None
    accesses: tuple[Access, ...]
    effect: bool = False
    work: tuple[int, int] = (-1, 0)
    long: bool = False
    even: bool = False
    granules: int | None = None


@record(frozen=False, eq=False)
class Segment:
    """Calls that one thread runs one after the other; of calls that are cut, the same part of each.

    needs: pairs (earlier segment, whether a part needs only the same part). known: a bit for each earlier segment that is
    finished when this one starts. free: whoever comes first takes it.
    """

    calls: list[TeamCall]
    needs: list[tuple[int, bool]] = field(default_factory=list)
    known: int = 0
    free: bool = False

    @property
    def cut(self) -> bool:
        return self.calls[0].split is not None

    @property
    def pieces(self) -> int:
        """Parts per thread."""
        splits = [c.split for c in self.calls]
        if len(splits) > 1 and any(s is not None and (s.repeats or s.again) for s in splits):
            return 1  # they share their scratch memory, and are cut alike whatever sizes say
        whole = any(s is None or s.repeats == ALWAYS for s in splits)
        return PIECES if not whole and any(c.long for c in self.calls) else 1

    @property
    def uneven(self) -> bool:
        """Whether the shares of threads are as large as these are quick: of what takes long and is not in pieces."""
        return self.cut and self.pieces == 1 and any(c.long for c in self.calls) and not any(c.even for c in self.calls)

    def tells_speeds(self, threads: int) -> bool:
        """Whether all threads' shares are about equally long, so that the times they take can be compared."""
        counts = [c.granules for c in self.calls]
        equal = all(n is not None and (n % threads == 0 or n >= MANY * threads) for n in counts)
        return self.cut and self.pieces == 1 and not self.uneven and equal

    @property
    def effect(self) -> bool:
        return self.calls[0].effect

    @property
    def fallible(self) -> bool:
        return any(c.failure is not None for c in self.calls)


def form_segments(calls: Iterable[TeamCall]) -> list[Segment]:
    """The segments, in the order of the calls but for those that can go ahead of the last cut one. These are free, and so is
    each behind it: nobody's data lie better.
    """
    calls, ahead = _go_ahead(list(calls))
    segments: list[Segment] = []
    known = 0  # segments that every thread has seen finished before this point, one bit each
    for call in calls:
        if segments and _joins(segments, call, known):
            continue
        if segments and segments[-1].fallible:
            known |= 1 << len(segments) - 1  # everybody waits for its code
        needs, known = _find_needs(call, segments, known)
        segments.append(Segment([call], needs, known))
    for segment in reversed(segments):
        if segment.cut:
            break
        segment.free = not segment.effect
    for segment in segments:
        segment.free |= all(c in ahead for c in segment.calls)
    cuts = [(s.pieces, s.uneven) for s in segments]
    for segment, cut in zip(segments, cuts):  # parts of different sizes are not the same parts
        segment.needs = [(j, same and cuts[j] == cut) for j, same in segment.needs]
    return segments


def _go_ahead(calls: list[TeamCall]) -> tuple[list[TeamCall], list[TeamCall]]:
    """The calls, and those of them that went ahead of the last cut one: if that comes in pieces, threads end together after it,
    and what one thread alone does behind it leaves the others idle. So what does not need it comes before it, where it may also
    run beside something else that one thread does; pieces make up for the time it takes. Nothing passes a call that can fail: a
    variable that it writes would not be as it was.
    """
    last = next((i for i in reversed(range(len(calls))) if calls[i].split is not None), len(calls))
    if last == len(calls) or Segment([calls[last]]).pieces == 1:
        return calls, []
    ahead: list[TeamCall] = []
    behind = [calls[last]]
    for call in calls[last + 1 :]:
        safe = all(c.failure is None for c in (*behind, call))
        fits = safe and not call.effect and not _conflict(behind, call)
        (ahead if fits else behind).append(call)
    return [*calls[:last], *ahead, *behind], ahead


def _joins(segments: Sequence[Segment], call: TeamCall, known: int) -> bool:
    """Adds the call to the last segment, if it needs that and nothing else that has to be waited for."""
    last = segments[-1]
    if last.effect or call.effect or last.cut != (call.split is not None):
        return False
    if _conflict(last.calls, call) != (1 if last.cut else 2):
        return False
    needs, _ = _find_needs(call, segments[:-1], known)
    if any(not same for _, same in needs):
        return False
    last.needs += [n for n in needs if n not in last.needs]
    last.calls.append(call)
    return True


def _find_needs(call: TeamCall, segments: Sequence[Segment], known: int) -> tuple[list[tuple[int, bool]], int]:
    """The segments that a call must wait for and that no other wait implies; and what is known to be finished then."""
    needs: list[tuple[int, bool]] = []
    for j in reversed(range(len(segments))):
        conflict = 0 if known >> j & 1 else _conflict(segments[j].calls, call)
        if conflict:
            needs.append((j, conflict == 1))
        if conflict == 2:
            known |= segments[j].known | 1 << j
    return [(j, same) for j, same in needs if not (same and known >> j & 1)], known


def _conflict(calls: Iterable[TeamCall], second: TeamCall) -> int:
    """0: they may run at once; 1: a part of the second needs the same part of the first ones; 2: it needs all of it."""
    return max(_conflict_of_two(first, second) for first in calls)


def _conflict_of_two(first: TeamCall, second: TeamCall) -> int:
    if first.effect or second.effect:
        return 2
    found = 0
    for a in first.accesses:
        for b in second.accesses:
            if a.buffer == b.buffer and (a.written or b.written):
                found = max(found, 1 if a.stretch is not None and a.stretch == b.stretch else 2)
    return found
