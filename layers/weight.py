"""Variables that belong to a layer. In: a first value and what the layer knows about it; out: a `Weight`."""

from __future__ import annotations

from typing import Any

from weft.tracer.variable import Variable


class Weight(Variable):
    """A `Variable` with its place in the model.

    path: ``"dense/kernel"``. regularizer, constraint: functions of the weight, or None.
    """

    regularizer: Any = None

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
        super().__init__(value, trainable=trainable, dtype=dtype, name=path, constraint=constraint)
        self.regularizer = regularizer

    @property
    def path(self) -> str:
        """The names of the model, the layer and the weight: ``"dense/kernel"``."""
        return self._name

    @property
    def name(self) -> str:
        """The name the layer gave it, ``"kernel"``."""
        return self._name.rsplit("/", 1)[-1]

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
