"""What a layer's call hands down to the layers inside it. In: the outermost call; out: the training flag for every call below."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class CallContext(threading.local):
    """depth: how many layer calls are running in this thread. training: what the innermost of them was told, or None."""

    depth: int = 0
    training: Any = None


context = CallContext()


@contextmanager
def entered(training: Any) -> Iterator[None]:
    """Layer calls made inside inherit this training flag."""
    before = context.training
    context.training = training
    context.depth += 1
    try:
        yield
    finally:
        context.training = before
        context.depth -= 1


@contextmanager
def fresh_context() -> Iterator[None]:
    """Layer calls made inside inherit nothing: used while building, which must not depend on who triggers it."""
    before = (context.depth, context.training)
    context.depth, context.training = 1, None  # not 0, so that losses already collected stay
    try:
        yield
    finally:
        context.depth, context.training = before


class CallSignature:
    """The parameters of a layer's ``call`` or ``build``."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.signature = inspect.signature(function)
        parameters = self.signature.parameters
        self.names = tuple(parameters)
        self.open = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        self.positional = tuple(n for n, p in parameters.items() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD))
        self.required = tuple(n for n in self.positional if parameters[n].default is inspect.Parameter.empty)
        self.takes_training = "training" in parameters
        default = parameters["training"].default if self.takes_training else None
        self.training_default = None if default is inspect.Parameter.empty else default

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Arguments by name, in the order of the signature; TypeError as Python raises it."""
        return dict(self.signature.bind(*args, **kwargs).arguments)


_signatures: dict[Any, CallSignature] = {}


def signature_of(method: Callable[..., Any]) -> CallSignature:
    """The signature of a bound method without ``self``, remembered by function."""
    key = getattr(method, "__func__", method)
    found = _signatures.get(key)
    if found is None:
        found = _signatures[key] = CallSignature(method)
    return found
