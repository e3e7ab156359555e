"""The base of all metrics. In: targets, predictions, weights, batch after batch; out: one number (or array) over all of them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

import weft
from weft.layers import initializers
from weft.layers.naming import auto_name, to_snake_case
from weft.layers.precision import floatx


@functools.cache
def _zeros(shape: tuple[int, ...], dtype: Any) -> Any:
    """Zeros of this kind, made once: every call of `fit` and of `train_on_batch` resets all metrics."""
    with weft.init_scope():
        return weft.constant(np.zeros(shape, dtype.np))


class Metric:
    """State kept in variables, so that it is updated inside the compiled step.

    A subclass creates variables with ``self.add_variable`` in its constructor and implements ``update_state`` and ``result``.
    """

    _direction: str | None = None  # "up" or "down": which way is better, for callbacks

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or auto_name(to_snake_case(type(self).__name__))
        self._dtype = weft.as_dtype(dtype or floatx()).name
        self._variables: list[Any] = []

    @property
    def dtype(self) -> str:
        return self._dtype

    @property
    def variables(self) -> list[Any]:
        """Its own variables and those of metrics held in its attributes."""
        inner = [v for m in vars(self).values() if isinstance(m, Metric) for v in m.variables]
        return [*self._variables, *inner]

    def add_variable(self, shape: Sequence[int] = (), initializer: Any = None, dtype: Any = None, name: str | None = None) -> Any:
        """A new state variable, zero unless an initializer says otherwise."""
        if not hasattr(self, "_variables"):
            raise RuntimeError(f"{type(self).__name__} must call super().__init__() before it adds variables.")
        with weft.init_scope():  # a metric first used inside a trace keeps its state outside
            value = initializers.get(initializer or "zeros")(tuple(shape), dtype=dtype or self.dtype)
            variable = weft.Variable(value, name=name or "variable", trainable=False)
        self._variables.append(variable)
        return variable

    add_weight = add_variable

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """Takes one batch into account; implemented by each metric."""
        raise NotImplementedError(f"{type(self).__name__} must implement update_state().")

    def result(self) -> Any:
        """The value over all batches since the last reset; implemented by each metric."""
        raise NotImplementedError(f"{type(self).__name__} must implement result().")

    def reset_state(self) -> None:
        """Forgets every batch: all state variables become zero."""
        for variable in self.variables:
            variable.assign(_zeros(variable.storage.shape, variable.dtype))

    def reset_states(self) -> None:
        """The spelling of Keras 2 for `reset_state`."""
        self.reset_state()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Updates the state and returns the result."""
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        """The inverse of `get_config`."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"
