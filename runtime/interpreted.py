"""A program run as plain Python. In: a `Program` and storages; out: the same results as machine code, slowly and visibly.

The generated module is executed over `prelude_python`. Its file exists on disk, so a debugger shows the lines.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from weft.codegen.program import Program
from weft.graph.dims import size_value
from weft.graph.record import replace

from . import failures
from .batch_loop import BatchRun, RunResult
from .config import config
from .frame import Layout
from .prelude_python import PRELUDE
from .store import make_private_folder, write_atomically


def module_path(program: Program) -> Path:
    """The file that holds the program's generated module, named by the hash of its text; written if it does not exist."""
    data = program.source.encode()
    stem = re.sub(r"\W+", "_", program.name)
    name = f"{stem}_{hashlib.sha256(data).hexdigest()[:12]}.py"
    folders = [Path(tempfile.gettempdir()) / "weft_modules"]
    if config.cache_dir is not None:
        folders.insert(0, Path(config.cache_dir) / "modules")
    for folder in folders:
        path = folder / name
        try:
            if not path.exists() or path.read_bytes() != data:
                make_private_folder(str(folder), str(folder if folder is folders[-1] else folder.parent))
                write_atomically(str(path), data)
            return path
        except OSError as error:
            last = error
    raise last


class InterpretedStep:
    """A program as plain Python; one call at a time."""

    streams = True

    def __init__(self, program: Program, variables: Sequence[np.ndarray]) -> None:
        self.program = program
        self._layout = Layout(program, variables)
        self._lock = threading.RLock()
        self._memory: list[np.ndarray] = []
        self._dims: dict[str, int] = {}
        path = module_path(program)
        self._names: dict[str, Any] = {**PRELUDE, "__name__": path.stem, "__file__": str(path), "effect": self._effect}
        exec(compile(program.source, str(path), "exec"), self._names)

    def __call__(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        layout = self._layout
        arrays = layout.prepare(inputs)
        dims = layout.solve(arrays)
        with self._lock:
            before = self._dims, self._memory  # an effect may call this step again
            self._dims = dims
            self._memory = self._allocate(arrays)
            try:
                return self._run()
            finally:
                self._dims, self._memory = before

    def run_again(self, inputs: Sequence[Any]) -> list[np.ndarray] | None:
        """Never: every call looks at its inputs."""
        return None

    def _run(self) -> list[np.ndarray]:
        sizes = [size_value(s, self._dims) for s in self._layout.sizes]
        with np.errstate(all="ignore"):
            code = int(self._names["step"](self._memory, sizes))
        if code:
            raise failures.failed_check(self.program, code)
        return [self._array(p.buffer, p.shape).copy() for p in self.program.outputs]

    def run_many(
        self, run: BatchRun, into: Sequence[np.ndarray] | None = None, seconds: float | None = None, every: int = 1
    ) -> RunResult:
        """The batches of the run one call after the other, see `executable.Executable`."""
        run = replace(run, sources=self._layout.prepare(run.sources))
        run.check()
        started = time.monotonic()
        outputs: list[np.ndarray] = []
        for done in range(run.count):
            try:
                outputs = self([a[run.rows(done)] for a in run.sources])
            except Exception as error:  # whatever the step raises is part of the result
                return RunResult(done, outputs, error)
            for target, output in zip(into or (), outputs):
                target.reshape(-1)[done * output.size : (done + 1) * output.size] = output.reshape(-1)
            if seconds is not None and (done + 1) % every == 0 and time.monotonic() - started >= seconds:
                break
        return RunResult(done + 1, outputs if into is None else list(into))

    def _allocate(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The pointer table: every buffer as a flat array; scratch buffers that share a slot share memory."""
        layout, sources = self._layout, {"input": arrays, "variable": self._layout.variables, "constant": self._layout.constants}
        offsets, total = layout.slots.offsets(self._dims)
        block = np.zeros(total, np.uint8)
        fresh: dict[int, np.ndarray] = {}
        out = []
        for buffer, t in zip(self.program.buffers, layout.buffers):
            count = size_value(t.size, self._dims)
            if buffer.kind == "scratch":
                start = offsets[buffer.index]
                out.append(block[start : start + count * t.dtype.size].view(t.dtype.np))
            elif buffer.kind == "output":
                out.append(fresh.setdefault(buffer.index, np.zeros(count, t.dtype.np)))
            else:
                out.append(sources[buffer.kind][buffer.index].reshape(-1))
        return out

    def _array(self, buffer: int, shape: Sequence[str]) -> np.ndarray:
        return self._memory[buffer].reshape(failures.shape_of(shape, self._dims))

    def _effect(self, index: int) -> int:
        decl = self.program.effects[index]
        arrays = [self._array(b, s).copy() for b, s in zip(decl.buffers, decl.shapes)]
        failures.run_effect(self.program, index, arrays)
        return 0
