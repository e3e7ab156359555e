"""Functions as a callback. In: a function per hook; out: a callback that calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weft.layers.naming import near_matches

from .callback import Callback

HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class LambdaCallback(Callback):
    """Calls the given functions: ``LambdaCallback(on_epoch_end=lambda epoch, logs: print(logs["loss"]))``.

    Every hook of `Callback` is a keyword argument. Raises TypeError for any other keyword.
    """

    def __init__(self, **hooks: Callable[..., Any] | None) -> None:
        super().__init__()
        for name, function in hooks.items():
            if name not in HOOKS:
                raise TypeError(f"LambdaCallback takes one function per hook. Received: {name!r}. {near_matches(name, HOOKS)}")
            if function is not None:
                setattr(self, name, function)
