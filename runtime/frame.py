"""What a compiled step runs on. In: a program, the variables' storages, the sizes of a call; out: pointer table and callable.

A `Layout` is a program's tables, parsed once. A `Frame` is one thread's memory: an arena, and one `Binding` per set of input
shapes seen. A binding's tables are complete but for the inputs' and outputs' addresses, which each call writes.
"""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from weft.codegen.program import Port, Program
from weft.graph.dims import parse_size, size_value
from weft.graph.dtype import BY_SHORT
from weft.graph.errors import DTypeError, ShapeError
from weft.graph.evaluate import solve_dims
from weft.graph.ir import ArrayType
from weft.tracer.blocks import aligned_copy

from . import entry
from .arena import Arena, SlotPlan
from .jit import NativeStep, TeamStep
from .result_pool import maker_of, new_result
from .team import team
from .team_build import share_step
from .team_choice import choose_calls, choose_long
from .team_layout import ROW_FIELDS, ROWS

_MOST_BINDINGS = 256
_NO_COUNT = (1 << 64) - 1  # of the inputs of a binding that is not to be used
EffectCallback = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int64)


@functools.lru_cache(maxsize=1024)  # a program's buffers have few types
def parse_type(dtype: str, shape: tuple[str, ...]) -> ArrayType:
    return ArrayType(BY_SHORT[dtype], tuple(parse_size(s) for s in shape))


class Layout:
    """A program's tables with sizes parsed and constants in aligned memory.

    moves: (position among inputs and outputs, index in the pointer table). fresh: per array made for the caller, the output
    buffer's index and the array's type. results: per output of the program the position of its array in ``fresh``, or -1 if it is
    a copy of its buffer.
    """

    def __init__(self, program: Program, variables: Sequence[np.ndarray]) -> None:
        self.program = program
        self.inputs = [parse_type(p.dtype, p.shape) for p in program.inputs]
        self.buffers = [parse_type(b.dtype, b.shape) for b in program.buffers]
        self.sizes = [parse_size(s) for s in program.sizes]
        self.slots = SlotPlan(program.slots)
        self.constants = [_constant(c) for c in program.constants]
        self.variables = _checked_storages(program, variables)
        self.fresh = self._fresh_outputs()
        position = {index: i for i, (index, _) in enumerate(self.fresh)}
        self.results = [self._source(p, position) for p in program.outputs]
        self.plain_results = self.results == list(range(len(self.fresh)))
        count = len(self.inputs)
        places = {"input": {i: i for i in range(count)}, "output": {k: count + i for k, i in position.items()}}
        self.moves = [(places[b.kind][b.index], i) for i, b in enumerate(program.buffers) if b.kind in places]

    def _fresh_outputs(self) -> list[tuple[int, ArrayType]]:
        """(output buffer's index, type of the array made for it): the shape of the first output that shows the buffer."""
        found: dict[int, ArrayType] = {}
        for port in self.program.outputs:
            buffer = self.program.buffers[port.buffer]
            if buffer.kind == "output":
                found.setdefault(buffer.index, parse_type(port.dtype, port.shape))
        for buffer, t in zip(self.program.buffers, self.buffers):
            if buffer.kind == "output":
                found.setdefault(buffer.index, t)
        return sorted(found.items(), key=lambda item: item[0])

    def _source(self, port: Port, position: dict[int, int]) -> int:
        """Where an output comes from. A buffer shown twice, or not made for the caller, is copied."""
        buffer = self.program.buffers[port.buffer]
        first = next(p for p in self.program.outputs if p.buffer == port.buffer)
        return position[buffer.index] if buffer.kind == "output" and first is port else -1

    def prepare(self, inputs: Sequence[Any]) -> list[np.ndarray]:
        """The inputs as exact, C-contiguous, aligned arrays. Raises `DTypeError` or `ShapeError` for what does not fit at all."""
        if len(inputs) != len(self.inputs):
            raise ShapeError(f"This step takes {len(self.inputs)} arrays. Received: {len(inputs)}.")
        arrays = []
        for value, expected in zip(inputs, self.inputs):
            exact = type(value) is np.ndarray and value.dtype is expected.dtype.np
            if exact and value.flags.c_contiguous and value.flags.aligned:
                arrays.append(value)
                continue
            array = np.asarray(value)
            if array.dtype != expected.dtype.np:
                raise DTypeError(f"An input of type {expected} takes arrays of its dtype. Received: {array.dtype}.")
            whole = np.require(array, None, ["C", "A"]).view(np.ndarray).reshape(array.shape)
            # Equal dtypes are not always one object, and the native call compares objects.
            arrays.append(whole.view(expected.dtype.np))
        return arrays

    def solve(self, arrays: Sequence[np.ndarray]) -> dict[str, int]:
        """The symbolic sizes for these inputs; `ShapeError` if the shapes do not fit the types."""
        return solve_dims(self.inputs, [a.shape for a in arrays])


def _constant(array: np.ndarray) -> np.ndarray:
    out = aligned_copy(array)
    out.setflags(write=False)
    return out


def _checked_storages(program: Program, variables: Sequence[np.ndarray]) -> list[np.ndarray]:
    if len(variables) != len(program.variables):
        raise ShapeError(f"This program uses {len(program.variables)} variables. Received: {len(variables)} storages.")
    for decl, storage in zip(program.variables, variables):
        expected = parse_type(decl.dtype, decl.shape)
        if not isinstance(storage, np.ndarray):
            raise DTypeError(f"The storage of the variable {decl.name} must be an array. Received: {type(storage).__name__}.")
        fits = storage.dtype == expected.dtype.np and storage.shape == expected.shape and storage.flags.c_contiguous
        if not fits:
            received = f"{storage.dtype} storage of shape {storage.shape}"
            raise ShapeError(f"The variable {decl.name} is {expected}. Received: {received}.")
    return list(variables)


class Binding:
    """The tables for one set of symbolic sizes. ``call``: runs the step on a tuple of the inputs and `make_outputs`' arrays."""

    def __init__(self, layout: Layout, step: NativeStep, arena: Arena, dims: dict[str, int], effect: int) -> None:
        self.dims = dims
        self.arena = arena
        self.fresh = [_maker(_shape(t, dims), t.dtype.np) for _, t in layout.fresh]
        self._pointers = np.zeros(len(layout.buffers) + 2, np.uint64)
        self.rows = np.zeros(ROWS + ROW_FIELDS * len(layout.inputs), np.int64)  # what a step for a team gathers, see `own_rows`
        self._pointers[-1] = self.rows.ctypes.data
        self._fill(layout, dims)
        self._sizes = np.array([*(size_value(s, dims) for s in layout.sizes), 0], np.int64)
        self._header = self._make_header(layout, step, effect)
        self.header: int = self._header.ctypes.data
        self.team_step: TeamStep | None = None
        calls = choose_calls(layout.program, dims)
        self.shared = bool(calls)
        if calls:
            share_step(self._header, step, calls, choose_long(layout.program, dims, calls), self._note_team)
        self.batch: Arena | None = None  # where the native loop gathers the rows of a batch
        self.call = self._native() if entry.layout_is_known() else self._portable(layout, step, effect)

    def make_outputs(self) -> list[np.ndarray]:
        """A fresh array per output buffer."""
        return [make(shape, dtype) for make, shape, dtype in self.fresh]

    def _fill(self, layout: Layout, dims: dict[str, int]) -> None:
        offsets, _ = layout.slots.offsets(dims)
        for i, buffer in enumerate(layout.program.buffers):
            if buffer.kind == "scratch":
                self._pointers[i] = self.arena.address + offsets[buffer.index]
            elif buffer.kind in ("variable", "constant"):
                arrays = layout.variables if buffer.kind == "variable" else layout.constants
                self._pointers[i] = arrays[buffer.index].ctypes.data

    def retire(self) -> None:
        """No more calls: no tuple of inputs fits any longer."""
        self._header[entry.HEADER.index("inputs")] = _NO_COUNT

    def set_spare_pointer(self, address: int) -> None:
        """Fills the entry behind the buffers' pointers, which ordinary steps do not read."""
        self._pointers[-2] = address

    def output_bytes(self) -> list[int]:
        """The size of each of `make_outputs`' arrays."""
        return [dtype.itemsize * math.prod(shape) for _, shape, dtype in self.fresh]

    def _note_team(self, shared: TeamStep) -> None:
        self.team_step = shared

    def _make_header(self, layout: Layout, step: NativeStep, effect: int) -> np.ndarray:
        """What native code finds the step and its tables by, see `entry.HEADER`."""
        specs: list[int] = []
        for t in layout.inputs:
            specs += [id(t.dtype.np), t.rank, *_shape(t, self.dims)]
        self._specs = np.array([*specs, 0], np.uint64)
        self._moves = np.array([*layout.moves, (0, 0)], np.int64)
        values = {
            "step": step.address, "pointers": self._pointers.ctypes.data, "sizes": self._sizes.ctypes.data, "effect": effect,
            "inputs": len(layout.inputs), "specs": self._specs.ctypes.data, "moves": self._moves.ctypes.data,
            "move_count": len(layout.moves), "ndarray": id(np.ndarray),
        }  # fmt: skip
        if step.uses_blas:
            from . import blas  # own kernels do without

            values |= dict(zip(("blas_count", "blas_get", "blas_set"), blas.thread_controls(), strict=True))
        return np.array([values.get(name, 0) for name in entry.HEADER], np.uint64)

    def _native(self) -> Callable[[tuple[Any, ...]], int]:
        return entry.make_native_call(self.header)

    def _portable(self, layout: Layout, step: NativeStep, effect: int) -> Callable[[tuple[Any, ...]], int]:
        """The same through ctypes, a few microseconds slower, where objects are laid out in another way."""
        from . import blas

        expected = [(t.dtype.np, _shape(t, self.dims)) for t in layout.inputs]
        function = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(step.address)

        def call(arrays: tuple[Any, ...]) -> int:
            for array, (dtype, shape) in zip(arrays, expected):
                fits = type(array) is np.ndarray and array.dtype == dtype and array.shape == shape
                if not fits or not array.flags.c_contiguous or not array.flags.aligned:
                    return entry.MISMATCH
            for position, index in layout.moves:
                self._pointers[index] = arrays[position].ctypes.data
            with blas.one_thread():
                return int(function(self._pointers.ctypes.data, self._sizes.ctypes.data, effect or None))

        return call

    def read(self, layout: Layout, buffer: int, shape: tuple[int, ...]) -> np.ndarray:
        """A copy of what is in a buffer now."""
        dtype = layout.buffers[buffer].dtype.np
        out = new_result(shape, dtype)
        ctypes.memmove(out.ctypes.data, int(self._pointers[buffer]), out.nbytes)
        return out


def _maker(shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[Callable[..., np.ndarray], tuple[int, ...], np.dtype[Any]]:
    """(function, its arguments) that makes the array of one result."""
    return maker_of(dtype.itemsize * math.prod(shape)), shape, dtype


def _shape(t: ArrayType, dims: dict[str, int]) -> tuple[int, ...]:
    return tuple(size_value(s, dims) for s in t.shape)


class Frame:
    """Memory for one call at a time. ``latest`` is the binding of the latest call, which may be running; ``current`` is the same
    as long as another call may use it."""

    def __init__(self, layout: Layout, step: NativeStep, run_effect: Callable[[Frame, int], None]) -> None:
        self._layout, self._step = layout, step
        self._arena = Arena(0)
        self._bindings: dict[tuple[tuple[int, ...], ...], Binding] = {}  # by the inputs' shapes
        self.current: Binding | None = None
        self.latest: Binding | None = None
        self.error: BaseException | None = None
        self._callback = EffectCallback(self._guarded(run_effect)) if layout.program.effects else None
        team.watch_fork(self)

    def bind(self, arrays: Sequence[np.ndarray]) -> Binding:
        """The binding for these inputs, made if their sizes are new, and now current."""
        shapes = tuple([a.shape for a in arrays])
        binding = self._bindings.get(shapes)
        if binding is None:
            dims = self._layout.solve(arrays)
            _, total = self._layout.slots.offsets(dims)
            if total > self._arena.size or len(self._bindings) >= _MOST_BINDINGS:
                self._arena = Arena(max(total, self._arena.size))
                self._bindings.clear()  # their tables point into the old arena
            effect = ctypes.cast(self._callback, ctypes.c_void_p).value or 0 if self._callback else 0
            binding = self._bindings[shapes] = Binding(self._layout, self._step, self._arena, dims, effect)
        self.current = self.latest = binding
        return binding

    def unbind(self) -> None:
        """Forgets all bindings; the next call makes its own. A call whose effect has just forked goes on with its binding."""
        for binding in self._bindings.values():
            binding.retire()
        self._bindings.clear()
        self.current = None

    def _guarded(self, run: Callable[[Frame, int], None]) -> Callable[[int], int]:
        """The effect as C calls it: an exception is kept for the caller of the step, which stops at once."""

        def call(index: int) -> int:
            try:
                run(self, index)
            except BaseException as error:  # Ctrl-C, too, must not be lost between C's frames
                self.error = error
                return -1
            return 0

        return call
