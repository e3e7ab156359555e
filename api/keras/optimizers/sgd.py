"""Gradient descent. In: gradients; out: variables moved against them, with momentum if wanted."""

from __future__ import annotations

from typing import Any

import weft
from weft.layers.serialization import public

from .optimizer import Optimizer, Variables


@public("keras.optimizers")
class SGD(Optimizer):
    """Stochastic gradient descent: ``w -= learning_rate * g``; with momentum ``v = momentum * v - learning_rate * g; w += v``.

    nesterov: look ahead, ``w += momentum * v - learning_rate * g``.
    Other arguments: see `Optimizer`. Raises ValueError unless momentum is within [0, 1].
    """

    _slot_names = ("momentum", "nesterov")

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        if isinstance(momentum, bool) or not isinstance(momentum, (int, float)) or not 0 <= momentum <= 1:
            raise ValueError(f"momentum must be a number between 0 and 1. Received: {momentum!r}")
        self.momentum = momentum
        self.nesterov = nesterov

    def build(self, variables: Variables) -> None:
        if self.built:
            return
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum") if self.momentum else []

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        step = weft.cast(gradient, variable.dtype) * weft.cast(learning_rate, variable.dtype)
        if not self.momentum:
            self.assign_sub(variable, step)
            return
        momentum = self.momentums[self._get_variable_index(variable)]
        velocity = momentum * self.momentum - step
        self.assign(momentum, velocity)
        self.assign_add(variable, velocity * self.momentum - step if self.nesterov else velocity)
