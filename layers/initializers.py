"""First values of weights. In: a shape and a dtype; out: a tensor drawn or filled as Keras' initializer of that name does.

An initializer without a seed takes one from Python's generator when it is made, so ``keras.utils.set_random_seed`` fixes it.
Like Keras', a seeded initializer gives the same values every time it is called.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from weft.tracer.tensor import EagerTensor, as_dtype

from .precision import floatx
from .serialization import NameTable, deserialize_object, known_settings, public, resolve, serialize_object

TRUNCATED_STDDEV = 0.87962566103423978  # of the standard normal cut off at two standard deviations


def make_default_seed() -> int:
    """A seed drawn from Python's own generator."""
    return random.randint(1, int(1e9))


class Initializer:
    """Base class: subclasses define ``__call__(shape, dtype=None)`` and, with arguments, ``get_config``."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __call__(self, shape, dtype=None).")

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        return cls(**known_settings(config))

    def clone(self) -> Initializer:
        return type(self).from_config(self.get_config())


class ArrayInitializer(Initializer):
    """Base class of weft's own: they compute an array with NumPy, ``array(shape, dtype)``, and return it as a tensor."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> EagerTensor:
        return EagerTensor(self.array(shape, dtype))

    def array(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        """The values, in an array that nobody else holds."""
        raise NotImplementedError(f"{type(self).__name__} must define array(shape, dtype).")


def _numpy_dtype(dtype: Any) -> np.dtype[Any]:
    return as_dtype(floatx() if dtype is None else dtype).np


@public("keras.initializers")
class Zeros(ArrayInitializer):
    """All zeros."""

    def array(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        return np.zeros(shape, _numpy_dtype(dtype))


@public("keras.initializers")
class Ones(ArrayInitializer):
    """All ones."""

    def array(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        return np.ones(shape, _numpy_dtype(dtype))


@public("keras.initializers")
class Constant(ArrayInitializer):
    """All ``value``: a number, or an array that broadcasts to the shape."""

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def array(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        return np.array(np.broadcast_to(np.asarray(self.value, _numpy_dtype(dtype)), tuple(shape)))

    def get_config(self) -> dict[str, Any]:
        return {"value": serialize_object(self.value)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constant:
        value = config.get("value", 0.0)
        if isinstance(value, dict):
            value = np.asarray(value["config"]["value"], value["config"]["dtype"])
        return cls(value)


@public("keras.initializers")
class Identity(ArrayInitializer):
    """The identity matrix times ``gain``; only for two axes."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def array(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        if len(shape) != 2:
            raise ValueError(f"The identity initializer only makes matrices. Received: shape={tuple(shape)}")
        return np.eye(*shape, dtype=_numpy_dtype(dtype)) * _numpy_dtype(dtype).type(self.gain)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


class RandomInitializer(ArrayInitializer):
    """Base class of the random ones. seed: an integer; None draws one when the initializer is made."""

    def __init__(self, seed: int | None = None) -> None:
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer))):
            raise ValueError(f"An initializer's seed must be an integer or None. Received: seed={seed!r}")
        self._init_seed = seed
        self.seed = make_default_seed() if seed is None else int(seed)

    def _generator(self) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(np.random.SeedSequence(abs(self.seed))))

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._init_seed}


def _normal(
    generator: np.random.Generator, shape: tuple[int, ...], mean: float, stddev: float, dtype: np.dtype[Any]
) -> np.ndarray:
    return (mean + stddev * generator.standard_normal(shape)).astype(dtype)


def _truncated(
    generator: np.random.Generator, shape: tuple[int, ...], mean: float, stddev: float, dtype: np.dtype[Any]
) -> np.ndarray:
    """Normal values, those further than two standard deviations away drawn again."""
    values = generator.standard_normal(shape)
    flat = values.reshape(-1)
    while (outside := np.flatnonzero(np.abs(flat) > 2.0)).size:
        flat[outside] = generator.standard_normal(outside.size)
    return (mean + stddev * flat.reshape(shape)).astype(dtype)


def _uniform(
    generator: np.random.Generator, shape: tuple[int, ...], low: float, high: float, dtype: np.dtype[Any]
) -> np.ndarray:
    return (low + (high - low) * generator.random(shape)).astype(dtype)


@public("keras.initializers")
class RandomNormal(RandomInitializer):
    """Normally distributed."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def array(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        return _normal(self._generator(), tuple(shape), self.mean, self.stddev, _numpy_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


@public("keras.initializers")
class TruncatedNormal(RandomNormal):
    """Normally distributed, cut off at two standard deviations."""

    def array(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        return _truncated(self._generator(), tuple(shape), self.mean, self.stddev, _numpy_dtype(dtype))


@public("keras.initializers")
class RandomUniform(RandomInitializer):
    """Uniformly distributed in [minval, maxval)."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval, self.maxval = minval, maxval

    def array(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        return _uniform(self._generator(), tuple(shape), self.minval, self.maxval, _numpy_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


def compute_fans(shape: Sequence[int]) -> tuple[int, int]:
    """Inputs and outputs of one unit: the last two axes are taken as in and out, the axes before them as a receptive field."""
    if len(shape) < 2:
        size = int(shape[0]) if shape else 1
        return size, size
    field = math.prod(shape[:-2])
    return int(shape[-2] * field), int(shape[-1] * field)


@public("keras.initializers")
class VarianceScaling(RandomInitializer):
    """A spread that keeps the variance of signals from layer to layer (Glorot and Bengio 2010, He et al. 2015).

    The variance is scale / n, where n is the number of inputs (``fan_in``), of outputs (``fan_out``) or their mean (``fan_avg``).
    distribution: ``truncated_normal`` (also ``normal``), ``untruncated_normal`` or ``uniform``.
    """

    def __init__(
        self, scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal", seed: int | None = None
    ) -> None:
        if scale <= 0.0:
            raise ValueError(f"scale must be positive. Received: scale={scale}")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"mode must be fan_in, fan_out or fan_avg. Received: mode={mode!r}")
        distribution = "truncated_normal" if distribution.lower() == "normal" else distribution.lower()
        if distribution not in ("uniform", "truncated_normal", "untruncated_normal"):
            raise ValueError(
                f"distribution must be uniform, truncated_normal or untruncated_normal. Received: distribution={distribution!r}"
            )
        super().__init__(seed)
        self.scale, self.mode, self.distribution = scale, mode, distribution

    def array(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        fan_in, fan_out = compute_fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        scale = self.scale / max(1.0, n)
        generator, kind = self._generator(), _numpy_dtype(dtype)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * scale)
            return _uniform(generator, tuple(shape), -limit, limit, kind)
        if self.distribution == "truncated_normal":
            return _truncated(generator, tuple(shape), 0.0, math.sqrt(scale) / TRUNCATED_STDDEV, kind)
        return _normal(generator, tuple(shape), 0.0, math.sqrt(scale), kind)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "mode": self.mode, "distribution": self.distribution}


class _NamedScaling(VarianceScaling):
    """A `VarianceScaling` with fixed arguments; only the seed is its own."""

    fixed: tuple[float, str, str]

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(*self.fixed, seed=seed)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._init_seed}


@public("keras.initializers")
class GlorotUniform(_NamedScaling):
    """Uniform in ±sqrt(6 / (fan_in + fan_out))."""

    fixed = (1.0, "fan_avg", "uniform")


@public("keras.initializers")
class GlorotNormal(_NamedScaling):
    """Truncated normal of variance 2 / (fan_in + fan_out)."""

    fixed = (1.0, "fan_avg", "truncated_normal")


@public("keras.initializers")
class LecunNormal(_NamedScaling):
    """Truncated normal of variance 1 / fan_in."""

    fixed = (1.0, "fan_in", "truncated_normal")


@public("keras.initializers")
class LecunUniform(_NamedScaling):
    """Uniform in ±sqrt(3 / fan_in)."""

    fixed = (1.0, "fan_in", "uniform")


@public("keras.initializers")
class HeNormal(_NamedScaling):
    """Truncated normal of variance 2 / fan_in."""

    fixed = (2.0, "fan_in", "truncated_normal")


@public("keras.initializers")
class HeUniform(_NamedScaling):
    """Uniform in ±sqrt(6 / fan_in)."""

    fixed = (2.0, "fan_in", "uniform")


@public("keras.initializers")
class Orthogonal(RandomInitializer):
    """A matrix with orthonormal rows or columns times ``gain``, by QR of a normal matrix (Saxe et al. 2014)."""

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def array(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        if len(shape) < 2:
            raise ValueError(f"The orthogonal initializer needs at least two axes. Received: shape={tuple(shape)}")
        rows, columns = math.prod(shape[:-1]), int(shape[-1])
        normal = self._generator().standard_normal((max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(normal)
        q = q * np.sign(np.diag(r))  # makes the decomposition unique, so that q is uniformly distributed
        q = q.T if rows < columns else q
        return (self.gain * q.reshape(tuple(shape))).astype(_numpy_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gain": self.gain}


CLASSES = (
    "Zeros", "Ones", "Constant", "Identity", "RandomNormal", "TruncatedNormal", "RandomUniform", "VarianceScaling",
    "GlorotUniform", "GlorotNormal", "LecunNormal", "LecunUniform", "HeNormal", "HeUniform", "Orthogonal",
)  # fmt: skip
ALIASES = {
    "normal": "RandomNormal", "uniform": "RandomUniform", "zero": "Zeros", "one": "Ones", "IdentityInitializer": "Identity",
    "OrthogonalInitializer": "Orthogonal",
}  # fmt: skip
TABLE = NameTable(__name__, CLASSES, ALIASES)


def get(identifier: Any) -> Any:
    """The initializer for None, a name, an `Initializer`, its configuration, a function of (shape, dtype) or an array."""
    if isinstance(identifier, (np.ndarray, np.generic)) or hasattr(identifier, "numpy"):
        return _initialize_with(np.asarray(identifier))
    return resolve("initializer", TABLE, Initializer, identifier)


def _initialize_with(array: np.ndarray) -> Any:
    def initialize(shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        if tuple(shape) != array.shape:
            raise ValueError(
                f"An array used as initializer must have the weight's shape {tuple(shape)}. Received: {array.shape}"
            )
        return array.astype(_numpy_dtype(dtype))

    return initialize


def serialize(initializer: Any) -> Any:
    """The initializer as plain data."""
    return serialize_object(initializer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The initializer that `serialize` wrote."""
    return deserialize_object(config, custom_objects)
