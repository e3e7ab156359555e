"""What a layer's call hands down to the layers inside it. In: the outermost call; out: the training flag for every call below."""

from __future__ import annotations

import inspect
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_serial = itertools.count(1)


class CallContext(threading.local):
    """What a thread's running layer calls know.

    depth: how many are running. training: what the innermost was told, or None. call: number of the outermost call, which tells
    the losses it added from older ones. symbolic: shapes are being inferred, nothing is really computed.
    """

    depth: int = 0
    training: Any = None
    call: int = 0
    symbolic: bool = False

    def start_call(self) -> int:
        """A new number, to be called by the outermost call."""
        self.call = next(_serial)
        return self.call


context = CallContext()


@contextmanager
def building() -> Iterator[None]:
    """Layer calls made inside inherit no training flag, and do not count as outermost."""
    before = (context.depth, context.training)
    context.depth, context.training = 1, None
    try:
        yield
    finally:
        context.depth, context.training = before


@contextmanager
def inferring() -> Iterator[None]:
    """Losses added inside are not kept: they belong to a trace that is thrown away."""
    before, context.symbolic = context.symbolic, True
    try:
        yield
    finally:
        context.symbolic = before


class CallSignature:
    """The parameters of a layer's ``call`` or ``build``, without ``self``."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self.signature = inspect.signature(method)
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


_signatures: weakref.WeakKeyDictionary[Any, CallSignature] = weakref.WeakKeyDictionary()


def signature_of(method: Callable[..., Any]) -> CallSignature:
    """The signature of a bound method without ``self``, remembered by function."""
    key = getattr(method, "__func__", method)
    found = _signatures.get(key)
    if found is None:
        found = _signatures[key] = CallSignature(method)
    return found
