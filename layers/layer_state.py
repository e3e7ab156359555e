"""What a layer owns and adds to the loss. In: weights, losses, inner layers; out: the lists that models and optimizers read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from weft.tracer import convert_to_tensor, ops, tree
from weft.tracer.context import init_scope
from weft.tracer.tensor import as_dtype
from weft.tracer.variable import Variable

from . import call_context, constraints, initializers, regularizers
from .naming import current_path
from .tracking import is_metric, owned_by, unique
from .weight import Weight


class LayerState:
    """The part of `Layer` that holds state."""

    name: str
    built: bool
    _weights: list[Weight]
    _losses: list[tuple[int, Any]]  # the number of the outermost call they belong to, and the scalar
    _losses_since: int
    _trainable: bool

    @property
    def variable_dtype(self) -> str:
        """The dtype of weights, unless `add_weight` is told otherwise."""
        raise NotImplementedError

    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Weight:
        """Makes a weight and returns it.

        shape: sizes, an integer or () for a scalar. initializer: glorot_uniform for floating dtypes, zeros for others if None.
        Raises ValueError for a size that is not known or not positive.
        """
        sizes = self._weight_sizes(shape, name)
        kind = as_dtype(self.variable_dtype if dtype is None else dtype)
        if initializer is None:
            initializer = "glorot_uniform" if kind.is_floating else "zeros"
        label = name or "variable"
        path = "/".join(part for part in (current_path() or self.name, label) if part)
        with init_scope():
            value = convert_to_tensor(initializers.get(initializer)(sizes, dtype=kind.name))
            value = value if value.dtype is kind else ops.cast(value, kind)
            weight = Weight(
                value,
                path=path,
                trainable=bool(trainable),
                dtype=kind,
                regularizer=regularizers.get(regularizer),
                constraint=constraints.get(constraint),
            )
        self._weights.append(weight)
        return weight

    def _weight_sizes(self, shape: Any, name: str | None) -> tuple[int, ...]:
        if isinstance(shape, str):
            raise ValueError(f"add_weight's first argument is the shape; pass the name as name=. Received: shape={shape!r}")
        sizes = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape or ())
        if any(not isinstance(s, (int, np.integer)) or isinstance(s, bool) or s < 0 for s in sizes):
            raise ValueError(f"Layer {self.name!r}: a weight's sizes must be known integers. Received: {name!r}, shape={sizes}")
        return sizes

    def add_loss(self, loss: Any) -> None:
        """Adds a scalar (or a list of scalars) to what `fit` minimises, for this call."""
        context = call_context.context
        if context.symbolic:
            return
        if context.depth and self._losses and self._losses[-1][0] < context.call:
            self._losses.clear()
        number = context.call if context.depth else context.start_call()
        self._losses.extend((number, convert_to_tensor(one)) for one in tree.leaves_of(loss))

    @property
    def losses(self) -> list[Any]:
        """Scalars from `add_loss` since the last outermost call, then the penalties on trainable weights."""
        own = self._added_losses(0, set())
        weights = [v for v in self.trainable_weights if getattr(v, "regularizer", None) is not None]
        return [*own, *(v.regularizer(v) for v in weights)]  # type: ignore[attr-defined]  # has one

    def _added_losses(self, since: int, seen: set[int]) -> list[Any]:
        """The losses added here and below since that call; an outermost call of any layer around them makes them old."""
        since = max(since, self._losses_since)
        seen.add(id(self))
        found = [loss for number, loss in self._losses if number >= since]
        for layer in self._layers_inside:
            if id(layer) not in seen:
                found.extend(layer._added_losses(since, seen))
        return found

    def _owned(self) -> list[Any]:
        return owned_by(self)

    @property
    def _layers_inside(self) -> list[LayerState]:
        return self._layers_among(self._owned())

    def _layers_among(self, owned: list[Any]) -> list[LayerState]:
        return unique(x for x in owned if isinstance(x, LayerState) and x is not self)

    def _flatten_layers(self) -> list[LayerState]:
        """This layer and all layers below it, each once, in depth-first order."""
        return [layer for layer, _ in self._walk()]

    def _walk(self) -> Iterator[tuple[LayerState, list[Any]]]:
        """`_flatten_layers`, each with what it owns, which is asked once."""
        seen: set[int] = set()
        stack: list[LayerState] = [self]
        while stack:
            layer = stack.pop()
            if id(layer) not in seen:
                seen.add(id(layer))
                owned = layer._owned()
                yield layer, owned
                stack.extend(reversed(layer._layers_among(owned)))

    def _own_variables(self) -> list[Variable]:
        held = [x for x in self._owned() if isinstance(x, Variable)]
        mine = unique([*self._weights, *held])
        return [v for v in mine if v.trainable] + [v for v in mine if not v.trainable]

    @property
    def weights(self) -> list[Variable]:
        """All weights: the layer's own (trainable first), then those of the layers inside."""
        own = self._own_variables()
        return unique([*own, *(w for layer in self._layers_inside for w in layer.weights)])

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights an optimizer changes; none while ``trainable`` is False."""
        if not self._trainable:
            return []
        owned = self._owned()  # asked once: `fit` comes here for every layer and epoch
        held = [*self._weights, *(x for x in owned if isinstance(x, Variable))]
        inside = self._layers_among(owned)
        return unique([*(v for v in held if v.trainable), *(w for layer in inside for w in layer.trainable_weights)])

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights an optimizer does not change."""
        trainable = {id(v) for v in self.trainable_weights}
        return [v for v in self.weights if id(v) not in trainable]

    @property
    def variables(self) -> list[Variable]:
        """All weights and the state of the metrics held by this layer and the layers inside."""
        return unique([*self.weights, *self.metrics_variables])

    @property
    def trainable_variables(self) -> list[Variable]:
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Variable]:
        trainable = {id(v) for v in self.trainable_weights}
        return [v for v in self.variables if id(v) not in trainable]

    def _metrics_inside(self) -> list[Any]:
        found: list[Any] = []
        for _, owned in self._walk():
            found.extend(x for x in owned if not isinstance(x, (Variable, LayerState)) and is_metric(x))
        return unique(found)

    @property
    def metrics_variables(self) -> list[Variable]:
        return [v for metric in self._metrics_inside() for v in metric.variables]

    @property
    def trainable(self) -> bool:
        """Whether the optimizer changes the weights; setting it also sets it in the layers inside."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for layer in self._layers_inside:
            layer.trainable = value

    def get_weights(self) -> list[np.ndarray]:
        """The values of ``weights``, as NumPy arrays."""
        return [w.numpy() for w in self.weights]

    def set_weights(self, weights: Any) -> None:
        """Sets all weights. ValueError, before anything is changed, if the number or a shape differs."""
        mine = self.weights
        values = [np.asarray(w) for w in weights]
        if len(mine) != len(values):
            hint = "" if self.built else " The layer is not built yet: call it on data, or build(input_shape), first."
            raise ValueError(
                f"You called `set_weights(weights)` on layer '{self.name}' with a weight list of length {len(values)}, "
                f"but the layer was expecting {len(mine)} weights.{hint}"
            )
        for variable, value in zip(mine, values, strict=True):
            if tuple(variable.shape) != value.shape:
                raise ValueError(
                    f"Layer {self.name} weight {getattr(variable, 'path', variable.name)} has shape {tuple(variable.shape)}, "
                    f"which is not compatible with provided weight shape {value.shape}."
                )
        for variable, value in zip(mine, values, strict=True):
            variable.assign(value.astype(variable.dtype.np))

    def count_params(self) -> int:
        """The number of scalars in the weights. ValueError before the layer is built."""
        if not self.built:
            raise ValueError(
                f"You tried to call `count_params` on layer '{self.name}', but the layer isn't built. "
                "You can build it manually via: `layer.build(input_shape)`."
            )
        return sum(math.prod(w.shape) for w in self.weights)
