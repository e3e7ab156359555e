"""How many cores this process may use. In: the system's word; out: a number of physical cores.

Two hyper-threads of one core share its arithmetic units, so they count once. A limit on processor time (cgroups, as containers
set it) counts as well: more threads than it allows would be stopped in the middle of a step.
"""

from __future__ import annotations

import functools
import math
import os

_TOPOLOGY = "/sys/devices/system/cpu"
_QUOTA = "/sys/fs/cgroup/cpu.max"


def usable_cores() -> int:
    """Physical cores that the calling process may run on now, at least 1."""
    return max(1, min(_physical(frozenset(_allowed())), _quota()))


def _allowed() -> set[int]:
    """Numbers of the logical processors of this process."""
    try:
        return set(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return set(range(os.cpu_count() or 1))


@functools.cache
def _physical(processors: frozenset[int]) -> int:
    """Cores among these processors; each counts as one where the system does not say."""
    cores = set()
    for processor in processors:
        try:
            with open(f"{_TOPOLOGY}/cpu{processor}/topology/thread_siblings_list") as file:
                cores.add(file.read().strip())
        except OSError:
            cores.add(str(processor))
    return len(cores)


def _quota() -> int:
    """Whole cores that the process's group may keep busy; very many without a limit."""
    try:
        with open(_QUOTA) as file:
            limit, period = file.read().split()
        return 1 << 30 if limit == "max" else math.ceil(int(limit) / int(period))
    except (OSError, ValueError):
        return 1 << 30
