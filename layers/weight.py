"""Variables that belong to a layer. In: a first value and what the layer knows about it; out: a `Weight`."""

from __future__ import annotations

from typing import Any

from weft.tracer.variable import Variable

from . import initializers
from .precision import floatx


class KerasVariable(Variable):
    """A `Variable` by Keras' constructor.

    initializer: the value; or a name or a function of (shape, dtype), which needs the shape and is `floatx` by default.
    """

    regularizer: Any = None

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str = "none",
        synchronization: str = "auto",
        name: str | None = None,
    ) -> None:
        if isinstance(initializer, str) or (callable(initializer) and not hasattr(initializer, "shape")):
            if shape is None:
                raise ValueError(f"A variable with an initializer needs a shape. Received: {initializer!r}, shape=None")
            initializer, shape = initializers.get(initializer)(shape, dtype=dtype or floatx()), None
        super().__init__(initializer, trainable=trainable, dtype=dtype, name=name or "variable", shape=shape)

    @property
    def path(self) -> str:
        """The names of the model, the layer and the weight: ``"dense/kernel"``."""
        return self._name

    @property
    def name(self) -> str:
        """The last part of the path, ``"kernel"``."""
        return self._name.rsplit("/", 1)[-1]


class Weight(KerasVariable):
    """A variable with its place in the model.

    path: ``"dense/kernel"``. regularizer, constraint: functions of the weight, or None.
    """

    def __init__(
        self,
        value: Any,
        *,
        path: str,
        trainable: bool = True,
        dtype: Any = None,
        regularizer: Any = None,
        constraint: Any = None,
    ) -> None:
        Variable.__init__(self, value, trainable=trainable, dtype=dtype, name=path, constraint=constraint)
        self.regularizer = regularizer

    def __deepcopy__(self, memo: Any) -> Weight:
        out = super().__deepcopy__(memo)
        out.regularizer = self.regularizer  # type: ignore[attr-defined]  # the copy is of this class
        return out  # type: ignore[return-value]  # as above

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (super().__reduce__(), self.regularizer)


def _restore(variable: tuple[Any, ...], regularizer: Any) -> Any:
    make, arguments = variable
    out = make(*arguments)
    out.regularizer = regularizer
    return out
