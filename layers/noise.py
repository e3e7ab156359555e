"""Layers that add chance while training. In: a tensor; out: a tensor of the same shape, equal to the input outside training."""

from __future__ import annotations

from typing import Any

from weft.tracer import ops

from .core import as_floating
from .layer import Layer
from .serialization import public
from .shapes import Shape


class _Noise(Layer):
    """Holds the seed: an integer gives the layer draws of its own, None takes them from the global generator."""

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if seed is not None and not isinstance(seed, int):
            raise ValueError(f"A layer's seed must be an integer or None. Received: seed={seed!r}")
        self.seed = seed
        self.supports_masking = True
        self._generator = None if seed is None else ops.random.Generator.from_seed(seed)

    def draw(self, kind: str, shape: Any, dtype: Any, *args: float) -> Any:
        """Random numbers: ``uniform`` in [low, high) or ``normal`` with mean and deviation."""
        source = ops.random if self._generator is None else self._generator
        return getattr(source, kind)(shape, *args, dtype=dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


def check_rate(rate: Any) -> float:
    """The rate as a float; ValueError unless it lies in 0...1."""
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
        raise ValueError(f"A rate must be a number between 0 and 1. Received: rate={rate}")
    return rate


@public("keras.layers")
class Dropout(_Noise):
    """Sets a share ``rate`` of the elements to zero while training and scales the others by 1 / (1 - rate).

    noise_shape: where it has 1, one draw serves the whole axis; None keeps the input's size.
    """

    saved = ("rate", "seed", "noise_shape")

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = check_rate(rate)
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)

    def _shape(self, x: Any) -> tuple[Any, ...]:
        sizes = tuple(x.shape)
        if self.noise_shape is None:
            return sizes
        if len(self.noise_shape) != len(sizes):
            raise ValueError(f"noise_shape needs one entry per axis of the input {sizes}. Received: {self.noise_shape}")
        return tuple(s if n is None else n for s, n in zip(sizes, self.noise_shape, strict=True))

    def call(self, inputs: Any, training: Any = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        x = as_floating(self, inputs)
        if self.rate == 1:
            return ops.zeros_like(x)
        kept = self.draw("uniform", self._shape(x), x.dtype, 0.0, 1.0) >= self.rate
        return ops.where(kept, x * (1.0 / (1.0 - self.rate)), ops.zeros_like(x))


@public("keras.layers")
class SpatialDropout1D(Dropout):
    """`Dropout` of whole features: (batch, steps, features), one draw for all steps."""

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, noise_shape=(None, 1, None), seed=seed, **kwargs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {k: config[k] for k in ("name", "dtype", "rate", "seed")}


@public("keras.layers")
class GaussianNoise(_Noise):
    """Adds normal noise of deviation ``stddev`` while training."""

    saved = ("stddev", "seed")

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        if not 0 <= stddev <= 1:
            raise ValueError(
                f"Invalid value received for argument `stddev`. Expected a float value between 0 and 1. Received: stddev={stddev}"
            )
        self.stddev = stddev

    def call(self, inputs: Any, training: Any = False) -> Any:
        if not training or self.stddev == 0:
            return inputs
        x = as_floating(self, inputs)
        return x + self.draw("normal", tuple(x.shape), x.dtype, 0.0, self.stddev)


@public("keras.layers")
class GaussianDropout(_Noise):
    """Multiplies by normal noise of mean 1 and deviation sqrt(rate / (1 - rate)) while training."""

    saved = ("rate", "seed")

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = check_rate(rate)

    def call(self, inputs: Any, training: Any = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        x = as_floating(self, inputs)
        return x * self.draw("normal", tuple(x.shape), x.dtype, 1.0, (self.rate / (1.0 - self.rate)) ** 0.5)


@public("keras.layers")
class ActivityRegularization(Layer):
    """Passes the input through and adds a penalty on it to the loss."""

    saved = ("l1", "l2")

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer={"class_name": "L1L2", "config": {"l1": l1, "l2": l2}}, **kwargs)
        self.l1, self.l2 = l1, l2

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("activity_regularizer", None)
        return config
