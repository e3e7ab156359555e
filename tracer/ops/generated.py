"""Public functions that an op's record describes completely. In: the registry; out: functions by their dotted public names."""

from __future__ import annotations

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
    function.__signature__ = signature  # type: ignore[attr-defined]
    function.__name__ = function.__qualname__ = name
    function.__doc__ = op.doc
    return function


def generate_functions() -> dict[str, Callable[..., Any]]:
    """All generated functions by dotted name; an op's aliases are one function."""
    out: dict[str, Callable[..., Any]] = {}
    for op in list(REGISTRY.values()):
        if op.public:
            function = make_function(op, op.public[0].rpartition(".")[2])
            out.update(dict.fromkeys(op.public, function))
    return out


FUNCTIONS = generate_functions()


def namespace(prefix: str) -> dict[str, Callable[..., Any]]:
    """The generated functions of one module, "" for the top level, by their last name."""
    head = prefix + "." if prefix else ""
    return {n[len(head) :]: f for n, f in FUNCTIONS.items() if n.startswith(head) and "." not in n[len(head) :]}
