"""RMSprop. In: gradients; out: variables moved by the gradients divided by their recent size."""

from __future__ import annotations

from typing import Any

import weft
from weft.layers.serialization import public

from .optimizer import Optimizer, Variables


@public("keras.optimizers")
class RMSprop(Optimizer):
    """Divides the gradient by a running average of its recent magnitude (Hinton, 2012, lecture 6e).

    ``v = rho * v + (1 - rho) * g²; w -= learning_rate * g / sqrt(v + epsilon)``.
    centered: subtract the squared average gradient under the root. momentum: smooth the steps.
    Other arguments: see `Optimizer`.
    """

    _slot_names = ("rho", "momentum", "epsilon", "centered")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    def build(self, variables: Variables) -> None:
        if self.built:
            return
        super().build(variables)
        self._velocities = self.add_optimizer_variables(variables, "velocity")
        self._momentums = self.add_optimizer_variables(variables, "momentum") if self.momentum > 0 else []
        self._average_gradients = self.add_optimizer_variables(variables, "average_gradient") if self.centered else []

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        rate = weft.cast(learning_rate, variable.dtype)
        gradient = weft.cast(gradient, variable.dtype)
        velocity = self.rho * self._velocities[index] + (1 - self.rho) * weft.square(gradient)
        self.assign(self._velocities[index], velocity)
        denominator = velocity + self.epsilon
        if self.centered:
            average = self.rho * self._average_gradients[index] + (1 - self.rho) * gradient
            self.assign(self._average_gradients[index], average)
            denominator = velocity - weft.square(average) + self.epsilon
        increment = rate * gradient / weft.sqrt(denominator)
        if self.momentum > 0:
            momentum = self.momentum * self._momentums[index] + increment
            self.assign(self._momentums[index], momentum)
            increment = momentum
        self.assign_sub(variable, increment)
