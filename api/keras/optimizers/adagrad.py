"""Adagrad. In: gradients; out: variables moved by the gradients divided by the size of all gradients so far."""

from __future__ import annotations

from typing import Any

import weft
from weft.layers import initializers
from weft.layers.serialization import public

from .optimizer import Optimizer, Variables


@public("keras.optimizers")
class Adagrad(Optimizer):
    """Parameters that were updated often take smaller steps (Duchi et al., 2011).

    ``a += g²; w -= learning_rate * g / sqrt(a + epsilon)``, a starting at ``initial_accumulator_value``.
    Other arguments: see `Optimizer`.
    """

    _slot_names = ("initial_accumulator_value", "epsilon")

    def __init__(
        self, learning_rate: Any = 0.001, initial_accumulator_value: float = 0.1, epsilon: float = 1e-7, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def build(self, variables: Variables) -> None:
        if self.built:
            return
        super().build(variables)
        start = initializers.Constant(self.initial_accumulator_value)
        self._accumulators = self.add_optimizer_variables(variables, "accumulator", start)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        rate = weft.cast(learning_rate, variable.dtype)
        gradient = weft.cast(gradient, variable.dtype)
        accumulator = self._accumulators[self._get_variable_index(variable)]
        total = accumulator + weft.square(gradient)
        self.assign(accumulator, total)
        self.assign_sub(variable, rate * gradient / weft.sqrt(total + self.epsilon))
