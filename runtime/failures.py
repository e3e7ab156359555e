"""Checks and effects of a program, seen from Python. In: a check's code or an effect's number; out: the exception, or the act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import weft.graph.errors as graph_errors
from weft.codegen.program import Program
from weft.graph.dims import parse_size, size_value
from weft.graph.op import REGISTRY


def shape_of(texts: Sequence[str], dims: Mapping[str, int]) -> tuple[int, ...]:
    """The shape that size texts stand for."""
    return tuple(size_value(parse_size(t), dims) for t in texts)


def run_effect(program: Program, index: int, arrays: Sequence[np.ndarray]) -> None:
    """Does what effect number ``index`` of a program does; its errors carry the user's line."""
    decl = program.effects[index]
    token: Any = None
    attrs = {k: tuple(v) if isinstance(v, list) else v for k, v in decl.attrs.items()}
    try:
        REGISTRY[decl.op].evaluate((token, *arrays), attrs)
    except Exception as error:  # passed on
        if decl.origin:
            error.add_note(f"In {decl.op}, {decl.origin}.")
        raise


def failed_check(program: Program, code: int) -> Exception:
    """The exception that a non-zero result of ``step`` stands for."""
    if not 0 < code <= len(program.checks):
        return RuntimeError(f"A compiled step failed in a way that weft never generates: this is a defect. Received: code {code}")
    check = program.checks[code - 1]
    error: Exception = getattr(graph_errors, check.error)(check.message)
    if check.origin:
        error.add_note(f"In {check.origin}.")
    return error
