"""Public functions that an op's record describes completely. In: the registry; out: functions by their dotted public names.

A function is made when it is first asked for: there are more than a hundred, and a program uses a few.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from weft.graph.op import REGISTRY, Op

from ..apply import apply


def make_function(op: Op, name: str) -> Callable[..., Any]:
    """``f(*params, *attributes, name=None)`` for an op whose arguments are tensors."""
    params, attributes = op.params, tuple(op.attributes)

    def function(*args: Any, **kwargs: Any) -> Any:
        if len(args) == len(params) and not kwargs:
            return apply(op, args)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        values = bound.arguments
        return apply(op, [values[p] for p in params], **{a: values[a] for a in attributes})

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(p, kind) for p in params]
    for attribute, default in op.attributes.items():
        parameters.append(inspect.Parameter(attribute, kind, default=inspect.Parameter.empty if default is ... else default))
    parameters.append(inspect.Parameter("name", kind, default=None))
    signature = inspect.Signature(parameters)
    function.__signature__ = signature  # type: ignore[attr-defined]  # a function takes any attribute
    function.__name__ = function.__qualname__ = name
    function.__doc__ = op.doc
    return function


@functools.cache
def _makers() -> dict[str, Callable[[], Callable[..., Any]]]:
    """By dotted name what makes, or has made, the function; an op's aliases are one function."""
    out: dict[str, Callable[[], Callable[..., Any]]] = {}
    for op in REGISTRY.values():
        if op.public:
            make = functools.cache(functools.partial(make_function, op, op.public[0].rpartition(".")[2]))
            out.update(dict.fromkeys(op.public, make))
    return out


def all_functions() -> dict[str, Callable[[], Callable[..., Any]]]:
    """What makes each function, by the last part of its name; the first of a name counts."""
    out: dict[str, Callable[[], Callable[..., Any]]] = {}
    for name, make in _makers().items():
        out.setdefault(name.rpartition(".")[2], make)
    return out


def namespace(prefix: str) -> dict[str, Callable[[], Callable[..., Any]]]:
    """What makes the functions of one module, "" for the top level, by the last part of their names."""
    head = prefix + "." if prefix else ""
    return {n[len(head) :]: make for n, make in _makers().items() if n.startswith(head) and "." not in n[len(head) :]}
