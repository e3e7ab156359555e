"""`custom_gradient`. In: a function that returns its result and its own gradient; out: a function that tapes differentiate so."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from .bound_rule import bind_rule
from .context import state
from .convert import convert_to_tensor
from .tape import GradientTape
from .tensor import alias
from .tree import flatten


def custom_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates ``function(*tensors) -> (result, grad)``: tapes call ``grad(*output gradients)`` for the gradients of the
    arguments.

    A function that reads variables needs a ``grad`` with a parameter ``variables`` and then returns (argument gradients, variable
    gradients). Raises TypeError if that parameter is missing, ValueError if the number of gradients is wrong (when asked for).
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        tensors = [convert_to_tensor(a) for a in args]
        reader = GradientTape(persistent=True)
        with reader:  # tapes outside see the ops, too: the gradient may use what the function computed
            result, grad = function(*tensors, **kwargs)
        leaves, structure = flatten(result)
        outputs = tuple(alias(convert_to_tensor(leaf)) for leaf in leaves)
        variables = list(reader.watched_variables())
        rule = _rule(function, grad, variables, len(tensors))
        inputs = (*tensors, *[v.value() for v in variables])
        if state.interpreter.recording:
            outputs = bind_rule(state.interpreter, inputs, outputs, rule)
        for tape in state.tapes:
            tape.record_rule(inputs, outputs, rule)
        return structure.unflatten(outputs)

    return wrapped


def _rule(function: Callable[..., Any], grad: Callable[..., Any], variables: list[Any], count: int) -> Callable[..., list[Any]]:
    """Output gradients -> gradients of the arguments, then of the variables."""
    name = getattr(function, "__name__", "function")

    def rule(*given: Any) -> list[Any]:
        if not variables:
            return _exactly(grad(*given), count, name)
        parameters = inspect.signature(grad).parameters.values()
        if not any(p.name == "variables" or p.kind is p.VAR_KEYWORD for p in parameters):
            raise TypeError(
                f"'{name}' decorated with custom_gradient reads variables, so its gradient function needs a keyword argument "
                "'variables' and must return (argument gradients, variable gradients)."
            )
        of_arguments, of_variables = grad(*given, variables=variables)
        return _exactly(of_arguments, count, name) + _exactly(of_variables, len(variables), name)

    return rule


def _exactly(given: Any, count: int, name: str) -> list[Any]:
    parts = list(given) if isinstance(given, (list, tuple)) else [given]
    if len(parts) != count:
        raise ValueError(f"custom_gradient function '{name}' must return {count} gradients. Received: {len(parts)}.")
    return parts
