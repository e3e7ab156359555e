"""Merging loops that run over neighbours in memory. In: a kernel; out: the same kernel with as few and as long loops as possible.

Two perfectly nested loops become one if every index in them advances by the inner extent times the inner factor. A chain of
elementwise ops thus becomes one flat loop whose length is an argument, equal for all shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from weft.graph.record import replace

from .kernel import (
    Affine,
    Apply,
    Check,
    Expr,
    Kernel,
    Let,
    Load,
    Loop,
    Position,
    Statement,
    Store,
    affine,
    expressions,
    statements,
)
from .walk_terms import loop_name


def collapse_loops(kernel: Kernel) -> Kernel:
    kernel.body = [_number(_merge(s), 0) for s in kernel.body]
    return kernel


def _merge(statement: Statement) -> Statement:
    if not isinstance(statement, Loop):
        return statement
    body = [_merge(s) for s in statement.body]
    loop = Loop(statement.variable, statement.extent, body)
    if len(body) == 1 and isinstance(body[0], Loop):
        inner = body[0]
        if all(i.factor(loop.variable) == i.factor(inner.variable) * inner.extent for i in indices(inner.body)):
            outer = loop.variable
            merged = [map_indices(s, lambda i: affine(i.offset, (t for t in i.terms if t[0] != outer))) for s in inner.body]
            return Loop(inner.variable, loop.extent * inner.extent, merged)
    return loop


def _number(statement: Statement, depth: int) -> Statement:
    """Names loop variables by depth again, so that equal kernels have equal texts."""
    if not isinstance(statement, Loop):
        return statement
    old, new = statement.variable, loop_name(depth)
    body = statement.body
    if old != new:
        body = [map_indices(s, lambda i: affine(i.offset, ((new if n == old else n, f) for n, f in i.terms))) for s in body]
    return Loop(new, statement.extent, [_number(s, depth + 1) for s in body])


def indices(body: list[Statement]) -> Iterator[Affine]:
    """All indices in the statements, the inner ones included."""
    for statement in statements(body):
        if isinstance(statement, Store):
            yield statement.index
        for value in values(statement):
            for part in expressions(value):
                if isinstance(part, (Load, Position)):
                    yield part.index


def values(statement: Statement) -> tuple[Expr, ...]:
    if isinstance(statement, (Let, Store)):
        return (statement.value,)
    return (statement.condition,) if isinstance(statement, Check) else ()


def map_indices(statement: Statement, change: Callable[[Affine], Affine]) -> Statement:
    """The statement with every index changed."""
    if isinstance(statement, Loop):
        return Loop(statement.variable, statement.extent, [map_indices(s, change) for s in statement.body])
    if isinstance(statement, Let):
        return replace(statement, value=_map(statement.value, change))
    if isinstance(statement, Store):
        return replace(statement, index=change(statement.index), value=_map(statement.value, change))
    if isinstance(statement, Check):
        return replace(statement, condition=_map(statement.condition, change))
    return statement


def _map(value: Expr, change: Callable[[Affine], Affine]) -> Expr:
    if isinstance(value, (Load, Position)):
        return replace(value, index=change(value.index))
    if isinstance(value, Apply):
        return replace(value, args=tuple(_map(a, change) for a in value.args))
    return value
