"""Layers that bring activations to mean 0 and variance 1. In: a tensor; out: a tensor of the same shape."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from weft.tracer import convert_to_tensor, ops

from . import constraints, initializers, regularizers
from .core import as_floating
from .input_spec import InputSpec
from .layer import Layer
from .serialization import public
from .shapes import Shape


class _ScaledAndCentred(Layer):
    """The learned scale ``gamma`` and offset ``beta`` that both normalizations end with."""

    saved: ClassVar[tuple[str, ...]] = (
        "axis", "epsilon", "center", "scale", "beta_initializer", "gamma_initializer", "beta_regularizer", "gamma_regularizer",
        "beta_constraint", "gamma_constraint",
    )  # fmt: skip

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis, self.epsilon, self.center, self.scale = axis, epsilon, bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.supports_masking = True
        self.gamma: Any = None
        self.beta: Any = None

    def _build_scale(self, shape: tuple[int, ...]) -> None:
        if self.scale:
            self.gamma = self.add_weight(
                shape,
                self.gamma_initializer,
                name="gamma",
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )
        if self.center:
            self.beta = self.add_weight(
                shape, self.beta_initializer, name="beta", regularizer=self.beta_regularizer, constraint=self.beta_constraint
            )

    def _known_size(self, input_shape: Shape, axis: int) -> int:
        size = input_shape[axis]
        if size is None:
            raise ValueError(
                f"Axis {self.axis} of the input of layer {self.name!r} must have a known size. "
                f"Received: input shape {input_shape}"
            )
        return size

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        axes = [self.axis] if isinstance(self.axis, int) else self.axis
        if any(not -len(input_shape) <= a < len(input_shape) for a in axes):
            raise ValueError(f"Axis {self.axis} is out of bounds for input shape {input_shape}. Received: axis={self.axis}")
        return input_shape


@public("keras.layers")
class BatchNormalization(_ScaledAndCentred):
    """Normalizes each feature over the batch (Ioffe and Szegedy 2015).

    In training the batch's own mean and variance are used, and the moving ones updated; otherwise the moving ones are used.
    Setting ``trainable = False`` also switches to the moving ones.
    """

    saved: ClassVar[tuple[str, ...]] = ("momentum", "moving_mean_initializer", "moving_variance_initializer", "synchronized")

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            axis,
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        self.axis = int(axis)
        self.momentum = float(momentum)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.synchronized = synchronized
        self.moving_mean: Any
        self.moving_variance: Any

    def build(self, input_shape: Shape) -> None:
        self.compute_output_shape(input_shape)
        size = self._known_size(input_shape, self.axis)
        self._build_scale((size,))
        self.moving_mean = self.add_weight((size,), self.moving_mean_initializer, name="moving_mean", trainable=False)
        self.moving_variance = self.add_weight(
            (size,), self.moving_variance_initializer, name="moving_variance", trainable=False
        )
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        x = as_floating(self, inputs)
        rank = len(x.shape)
        axis = self.axis % rank
        shape = tuple(int(x.shape[i]) if i == axis else 1 for i in range(rank))
        if training and self.trainable:
            mean, variance = self._moments(x, axis, mask)
            self._update(self.moving_mean, mean)
            self._update(self.moving_variance, variance)
        else:
            mean, variance = convert_to_tensor(self.moving_mean), convert_to_tensor(self.moving_variance)
        factor = ops.rsqrt(variance + self.epsilon)
        if self.gamma is not None:
            factor = factor * self.gamma
        offset = -mean * factor
        if self.beta is not None:
            offset = offset + self.beta
        if axis == rank - 1:
            return x * factor + offset
        return x * ops.reshape(factor, shape) + ops.reshape(offset, shape)

    def _moments(self, x: Any, axis: int, mask: Any) -> tuple[Any, Any]:
        """Mean and (biased) variance per feature; masked steps do not count."""
        others = [i for i in range(len(x.shape)) if i != axis]
        if mask is None:
            mean = ops.reduce_mean(x, axis=others, keepdims=True)
            variance = ops.reduce_mean(ops.square(x - mean), axis=others)
            return ops.reshape(mean, (-1,)), variance
        weights = ops.expand_dims(ops.cast(mask, x.dtype), -1)
        count = ops.reduce_sum(weights, axis=others, keepdims=True) + self.epsilon
        mean = ops.reduce_sum(weights * x, axis=others, keepdims=True) / count
        variance = ops.reduce_sum(weights * ops.square(x - mean), axis=others, keepdims=True) / count
        return ops.reshape(mean, (-1,)), ops.reshape(variance, (-1,))

    def _update(self, moving: Any, value: Any) -> None:
        moving.assign(moving * self.momentum + value * (1.0 - self.momentum))


@public("keras.layers")
class LayerNormalization(_ScaledAndCentred):
    """Normalizes each sample over its features, the axes ``axis`` (Ba et al. 2016)."""

    def __init__(self, axis: Any = -1, *args: Any, **kwargs: Any) -> None:
        if not isinstance(axis, (int, list, tuple)):
            raise TypeError(f"axis must be an integer or a list of integers. Received: axis={axis!r}")
        super().__init__(axis if isinstance(axis, int) else list(axis), *args, **kwargs)

    def _axes(self, rank: int) -> list[int]:
        return sorted(a % rank for a in ([self.axis] if isinstance(self.axis, int) else self.axis))

    def build(self, input_shape: Shape) -> None:
        self.compute_output_shape(input_shape)
        if isinstance(self.axis, int):
            self.axis = [self.axis]
        self._build_scale(tuple(self._known_size(input_shape, a) for a in self._axes(len(input_shape))))

    def call(self, inputs: Any) -> Any:
        x = as_floating(self, inputs)
        rank = len(x.shape)
        axes = self._axes(rank)
        mean = ops.reduce_mean(x, axis=axes, keepdims=True)
        centred = x - mean
        variance = ops.reduce_mean(ops.square(centred), axis=axes, keepdims=True)
        out = centred * ops.rsqrt(variance + self.epsilon)
        shape = tuple(int(x.shape[i]) if i in axes else 1 for i in range(axes[0], rank))
        if self.gamma is not None:
            out = out * self._spread(self.gamma, shape)
        return out if self.beta is None else out + self._spread(self.beta, shape)

    @staticmethod
    def _spread(weight: Any, shape: tuple[int, ...]) -> Any:
        return weight if tuple(weight.shape) == shape else ops.reshape(weight, shape)


@public("keras.layers")
class UnitNormalization(Layer):
    """Scales each sample to length one along ``axis``."""

    saved = ("axis",)

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any) -> Any:
        x = as_floating(self, inputs)
        square = ops.reduce_sum(ops.square(x), axis=self.axis, keepdims=True)
        return x * ops.rsqrt(ops.maximum(square, 1e-12))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


@public("keras.layers")
class Normalization(Layer):
    """Subtracts a fixed mean and divides by a fixed deviation per feature; ``adapt(data)`` learns them.

    axis: the axis (or axes) that keep their own statistics; None for one mean of everything. mean, variance: fix them at once.
    """

    def __init__(self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if (mean is None) != (variance is None):
            raise ValueError(f"Give both mean and variance, or none. Received: mean={mean}, variance={variance}")
        self.axis = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        self.input_mean, self.input_variance, self.invert = mean, variance, invert
        self._mean: Any = None
        self._variance: Any = None

    def build(self, input_shape: Shape) -> None:
        kept = [a % len(input_shape) for a in self.axis]
        sizes = [input_shape[a] for a in kept]
        if any(s is None for s in sizes):
            raise ValueError(f"All axes in axis={self.axis} must have known sizes. Received: input shape {input_shape}")
        self._spread = tuple(int(input_shape[i] or 0) if i in kept else 1 for i in range(len(input_shape)))
        if self.input_mean is None:
            self._mean = self.add_weight(tuple(sizes), "zeros", name="mean", trainable=False)
            self._variance = self.add_weight(tuple(sizes), "ones", name="variance", trainable=False)
            self.add_weight((), "zeros", dtype="int32", name="count", trainable=False)

    def _statistic(self, fixed: Any, learned: Any) -> Any:
        """Mean or variance in a shape that broadcasts against the input."""
        if fixed is None:
            return ops.reshape(learned, self._spread)
        kind = np.dtype(self.compute_dtype)
        sizes = tuple(s for i, s in enumerate(self._spread) if i in {a % len(self._spread) for a in self.axis})
        return convert_to_tensor(np.broadcast_to(np.asarray(fixed, kind), sizes).reshape(self._spread))

    @property
    def mean(self) -> Any:
        """What is subtracted, in a shape that broadcasts; None before the layer is built."""
        return self._statistic(self.input_mean, self._mean) if self.built else None

    @property
    def variance(self) -> Any:
        """The squared deviation that is divided by, in a shape that broadcasts; None before the layer is built."""
        return self._statistic(self.input_variance, self._variance) if self.built else None

    def adapt(self, data: Any) -> None:
        """Learns mean and variance from an array, or from an iterable of batches."""
        if self.input_mean is not None:
            raise ValueError("This Normalization layer got its mean and variance from its constructor; it cannot adapt.")
        batches = (
            [np.asarray(data, np.float64)]
            if hasattr(data, "shape") or isinstance(data, (list, tuple))
            else [np.asarray(b[0] if isinstance(b, tuple) else b, np.float64) for b in data]
        )
        if not batches:
            raise ValueError("adapt() needs data. Received: an empty iterable.")
        if not self.built:
            self.build((None, *batches[0].shape[1:]))
        rank = batches[0].ndim
        others = tuple(i for i in range(rank) if i not in {a % rank for a in self.axis})
        count = sum(b.size for b in batches) / max(1, int(np.prod([batches[0].shape[a] for a in self.axis])))
        mean = sum(b.sum(axis=others) for b in batches) / count
        variance = sum(np.square(b - np.expand_dims(mean, others)).sum(axis=others) for b in batches) / count
        self._mean.assign(mean.astype(self._mean.dtype.np))
        self._variance.assign(variance.astype(self._variance.dtype.np))

    def call(self, inputs: Any) -> Any:
        x = as_floating(self, inputs)
        mean, deviation = self.mean, ops.maximum(ops.sqrt(self.variance), 1e-7)
        return mean + x * deviation if self.invert else (x - mean) / deviation

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        fixed = {
            k: None if v is None else np.asarray(v).tolist()
            for k, v in (("mean", self.input_mean), ("variance", self.input_variance))
        }
        return {**self.base_config(), "axis": list(self.axis) or None, "invert": self.invert, **fixed}
