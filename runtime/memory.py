"""What a compiled step needs in memory. In: a program, its variables, the sizes of one call; out: a `MemoryReport`.

Every buffer of a step is known before it runs: nothing is allocated while it does, so the report is also the peak.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from weft.codegen.program import Port, Program
from weft.graph.dims import parse_size, size_value
from weft.graph.dtype import BY_SHORT
from weft.graph.record import field, record

from .arena import ALIGNMENT, SlotPlan
from .result_pool import result_bytes, results

Measure = Callable[[Program, Mapping[str, int]], int]
PARAMETERS, STATE = "parameters", "other variables"


@record
class MemoryReport:
    """The bytes that one step needs, all of them known before the first one.

    name: of the step. sizes: what its symbolic sizes stand for. variables: bytes by kind, such as "parameters" or "optimizer
    slots". constants: data in the program. arena: every intermediate value, after sharing, and the packed blocks of matrix
    products. team: what threads that share the step have for themselves. inputs: the arrays of one call; a loop over many batches
    gathers shuffled rows into as much, for each thread if need be (`own_rows`). outputs: the arrays made for the results of one
    call, large ones with their blocks' room.

    spare: what the process keeps at present of large results that are gone, of all steps, for later ones; not part of the step.
    """

    name: str
    sizes: Mapping[str, int]
    variables: Mapping[str, int]
    constants: int
    arena: int
    inputs: int
    outputs: int
    team: int = 0
    spare: int = field(default=0, compare=False)

    @property
    def total(self) -> int:
        """All bytes: the peak while a step runs. Each further thread that runs the step at the same time adds an arena."""
        return sum(self.variables.values()) + self.constants + self.arena + self.team + self.inputs + self.outputs

    def __str__(self) -> str:
        at = ", ".join(f"{name} = {size}" for name, size in self.sizes.items())
        rows = {
            **self.variables, "constants": self.constants, "arena": self.arena, "team": self.team, "inputs": self.inputs,
            "outputs": self.outputs, "total": self.total, "kept for later results": self.spare,
        }  # fmt: skip
        width = max(map(len, rows))
        lines = [f"  {name:<{width}} {size:>15,} bytes" for name, size in rows.items() if size or name == "total"]
        return "\n".join([f"memory of {self.name}" + (f" with {at}" if at else ""), *lines])


def default_kind(variable: Any) -> str:
    """What a variable counts as if nobody knows better."""
    return PARAMETERS if variable.trainable else STATE


def report_memory(
    program: Program, variables: Sequence[Any], sizes: Mapping[str, int], kind: Callable[[Any], str], team: Measure
) -> MemoryReport:
    """The report for one set of sizes. kind: what a variable is listed as. team: tells what sharing the program among threads
    takes. ValueError if a size is not given.
    """
    missing = [name for name in program.sizes if name not in sizes]
    if missing:
        raise ValueError(f"The memory of {program.name} depends on its sizes; give {missing[0]}=... Received: {dict(sizes)}.")
    by_kind: dict[str, int] = {}
    for variable, decl in zip(variables, program.variables, strict=True):
        name = kind(variable)
        by_kind[name] = by_kind.get(name, 0) + _bytes(decl.dtype, decl.shape, sizes)
    _, arena = SlotPlan(program.slots).offsets(sizes)
    return MemoryReport(
        program.name,
        {name: sizes[name] for name in program.sizes},
        dict(sorted(by_kind.items(), key=lambda item: -item[1])),
        sum(-(-c.nbytes // ALIGNMENT) * ALIGNMENT for c in program.constants),
        arena,
        _port_bytes(program.inputs, sizes),
        sum(result_bytes(_port_bytes([p], sizes)) for p in program.outputs),
        team(program, sizes),
        results.spare_bytes,
    )


def footprint(program: Program, sizes: Mapping[str, int]) -> int:
    """The bytes that one step touches: all but its code."""
    _, arena = SlotPlan(program.slots).offsets(sizes)
    variables = sum(_bytes(v.dtype, v.shape, sizes) for v in program.variables)
    constants = sum(c.nbytes for c in program.constants)
    return variables + constants + arena + _port_bytes(program.inputs, sizes) + _port_bytes(program.outputs, sizes)


def _port_bytes(ports: Sequence[Port], sizes: Mapping[str, int]) -> int:
    return sum(_bytes(p.dtype, p.shape, sizes) for p in ports)


def _bytes(dtype: str, shape: Sequence[str], sizes: Mapping[str, int]) -> int:
    return BY_SHORT[dtype].size * prod(size_value(parse_size(s), sizes) for s in shape)
