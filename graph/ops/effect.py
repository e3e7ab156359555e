"""Effects on the world outside the graph, kept in program order by their tokens: print and assert."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..errors import CheckFailedError
from ..families import Effect
from ..op import define


def format_array(array: Any, summarize: int = 3) -> str:
    """The array as ``print`` shows it: TensorFlow's brackets, no commas, the middle of long axes left out."""
    value = np.asarray(array)
    if value.ndim == 0:
        return _format_number(value[()])
    rows = [format_array(v, summarize) for v in _ends(value, summarize)]
    if 0 <= 2 * summarize < len(value):
        rows.insert(summarize, "...")
    if value.ndim == 1:
        return f"[{' '.join(rows)}]"
    gap = "\n" * (value.ndim - 1) + " "
    return f"[{gap.join(r.replace(chr(10), chr(10) + ' ') for r in rows)}]"


def _ends(value: np.ndarray, summarize: int) -> list[Any]:
    if 0 <= 2 * summarize < len(value):
        return [*value[:summarize], *value[len(value) - summarize :]]
    return list(value)


def _format_number(value: Any) -> str:
    if isinstance(value, (np.bool_, bool)):
        return str(int(value))
    if isinstance(value, np.floating):
        few, enough = (15, 17) if value.dtype.itemsize == 8 else (6, 9)  # as TensorFlow: few digits if they give the same number
        short = f"{float(value):.{few}g}"
        return short if value.dtype.type(short) == value else f"{float(value):.{enough}g}"
    return str(value)


def _print(*arrays: Any, parts: tuple[str | None, ...], end: str, summarize: int, stream: str) -> None:
    values = iter(arrays)
    text = "".join(format_array(next(values), summarize) if part is None else part for part in parts)
    print(text, end=end, file=sys.stdout if stream == "stdout" else sys.stderr, flush=True)


define(
    Effect(
        name="print",
        params=("token", "inputs"),
        attributes={"parts": ..., "end": "\n", "summarize": 3, "stream": "stderr"},
        act=_print,
        doc="Prints ``parts``, in which each None stands for the next tensor; ``stream`` is stderr or stdout.",
    )
)


def _check(condition: Any, *data: Any, message: str, summarize: int) -> None:
    if not np.all(condition):
        shown = "".join(f"\n{format_array(d, summarize)}" for d in data)
        raise CheckFailedError(f"{message}{shown}")


define(
    Effect(
        name="check",
        params=("token", "condition", "data"),
        attributes={"message": "The condition does not hold.", "summarize": 3},
        act=_check,
        doc="Raises `CheckFailedError` with the message and the data unless all of the condition is true.",
    )
)
