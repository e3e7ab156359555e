"""Random numbers by Keras' names. In: shapes, distributions, seeds; out: tensors, the same eagerly and in a traced function."""

from __future__ import annotations

from typing import Any

import weft
from weft.layers.initializers import make_default_seed
from weft.layers.precision import floatx

__all__ = ["SeedGenerator", "categorical", "dropout", "normal", "randint", "shuffle", "truncated_normal", "uniform"]


class SeedGenerator:
    """A stream of draws: give it as ``seed`` to draw other numbers each time. seed: an integer; None takes one by chance."""

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        self._initial = make_default_seed() if seed is None else int(seed)
        self.name = name or "seed_generator"
        self.generator = weft.random.Generator.from_seed(self._initial)

    @property
    def state(self) -> Any:
        """Seed and number of the next draw, as a variable."""
        return self.generator.state

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._initial}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        return cls(**config)


def _source(seed: Any) -> Any:
    """The stream to draw from: a `SeedGenerator`'s, a new one for an integer (it repeats), the global one for None."""
    if isinstance(seed, SeedGenerator):
        return seed.generator
    return weft.random if seed is None else weft.random.Generator.from_seed(int(seed))


def normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normally distributed numbers."""
    return _source(seed).normal(shape, mean, stddev, dtype=dtype or floatx())


def truncated_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normally distributed numbers, none further from the mean than two standard deviations."""
    return _source(seed).truncated_normal(shape, mean, stddev, dtype=dtype or floatx())


def uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Evenly distributed numbers from ``minval`` up to but without ``maxval``."""
    return _source(seed).uniform(shape, minval, maxval, dtype=dtype or floatx())


def randint(shape: Any, minval: int, maxval: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """Integers from ``minval`` up to but without ``maxval``."""
    return _source(seed).uniform(shape, minval, maxval, dtype=dtype)


def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Any:
    """The slices along ``axis`` in random order."""
    x = weft.convert_to_tensor(x)
    order = weft.argsort(_source(seed).uniform((x.shape[axis],)))
    return weft.gather(x, order, axis=axis)


def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """Classes drawn with the probabilities ``softmax(logits)``: (rows, classes) gives (rows, num_samples)."""
    x = weft.convert_to_tensor(logits)
    rows, classes = tuple(x.shape)
    uniform_numbers = _source(seed).uniform((rows, num_samples, classes), 1e-30, 1.0, dtype=x.dtype)
    noise = -weft.math.log(-weft.math.log(uniform_numbers))  # Gumbel's: the largest sum has the softmax's distribution
    return weft.argmax(weft.reshape(x, (rows, 1, classes)) + noise, axis=2, output_type=dtype)


def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """A share ``rate`` of the elements set to zero, the others scaled by 1 / (1 - rate)."""
    x = weft.convert_to_tensor(inputs)
    kept = _source(seed).uniform(tuple(x.shape) if noise_shape is None else noise_shape, dtype=x.dtype) >= rate
    return weft.where(kept, x * (1.0 / (1.0 - rate)), weft.zeros_like(x))
