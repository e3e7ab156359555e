"""Adam and AdamW. In: gradients; out: variables moved by the bias-corrected mean of the gradients over their spread."""

from __future__ import annotations

from typing import Any

import weft
from weft.layers.serialization import public

from .optimizer import Optimizer, Variables


@public("keras.optimizers")
class Adam(Optimizer):
    """Adaptive moment estimation (Kingma and Ba, 2014), in the form before section 2.1 of the paper: epsilon is "epsilon hat".

    ``m += (g - m) * (1 - beta_1); v += (g² - v) * (1 - beta_2); w -= alpha * m / (sqrt(v) + epsilon)`` with
    ``alpha = learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t)``.
    amsgrad: divide by the largest v so far. Other arguments: see `Optimizer`.
    """

    _slot_names = ("beta_1", "beta_2", "epsilon", "amsgrad")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad

    def build(self, variables: Variables) -> None:
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])
        self._velocity_hats = self.add_optimizer_variables(variables, "velocity_hat") if self.amsgrad else []

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        dtype = variable.dtype
        rate = weft.cast(learning_rate, dtype)
        gradient = weft.cast(gradient, dtype)
        step = weft.cast(self.iterations + 1, dtype)
        power_1 = weft.pow(weft.constant(self.beta_1, dtype), step)
        power_2 = weft.pow(weft.constant(self.beta_2, dtype), step)
        alpha = rate * weft.sqrt(1.0 - power_2) / (1.0 - power_1)
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        mean = m + (gradient - m) * (1 - self.beta_1)
        spread = v + (weft.square(gradient) - v) * (1 - self.beta_2)
        self.assign(m, mean)
        self.assign(v, spread)
        if self.amsgrad:
            spread = weft.maximum(self._velocity_hats[index], spread)
            self.assign(self._velocity_hats[index], spread)
        self.assign_sub(variable, mean * alpha / (weft.sqrt(spread) + self.epsilon))


@public("keras.optimizers")
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2017): every variable first loses ``weight_decay * learning_rate``
    of itself.

    Raises ValueError if weight_decay is None.
    """

    def __init__(self, learning_rate: Any = 0.001, weight_decay: float = 0.004, *args: Any, **kwargs: Any) -> None:
        super().__init__(learning_rate, *args, weight_decay=weight_decay, **kwargs)
        if weight_decay is None:
            raise ValueError("weight_decay must be a number. Received: None")
