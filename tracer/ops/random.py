"""Random numbers. In: shapes, distributions and seeds; out: tensors, the same eagerly and in a traced function.

Every stream is a `Variable` of two uint64, the seed and the number of the next draw. A draw reads it as the key of the
counter-based generator (Philox) and writes it back with the draw number one higher, so that program order decides what is drawn.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from typing import Any

import numpy as np

from weft.graph.dims import Shape
from weft.graph.dtype import DType, as_dtype, float32, int64, uint32, uint64

from ..apply import apply
from ..context import init_scope
from ..tensor import EagerTensor, Tensor
from ..variable import Variable
from .arguments import as_axis, as_integer, as_sizes, as_tensor, refuse_symbolic, sizes_of
from .arithmetic import cast
from .sorting import ascending_order

_WORD = 1 << 64
_NEXT = EagerTensor(np.array([0, 1], np.uint64))
_lock = threading.RLock()


class Generator:
    """A stream of random numbers: ``Generator.from_seed(1).normal([2, 3])``.

    The stream's state is a `Variable`, so that a traced function advances it at every call.
    """

    _state: Variable

    def __init__(self, copy_from: Generator | None = None, state: Any = None, alg: Any = None) -> None:
        if (copy_from is None) == (state is None):
            raise ValueError("A Generator needs exactly one of copy_from and state. Use Generator.from_seed(seed) for a new one.")
        value = copy_from._state.numpy() if copy_from is not None else _state_array(state)
        with init_scope():
            self._state = Variable(value, trainable=False, name="random_state", dtype=uint64)

    @classmethod
    def from_seed(cls, seed: int, alg: Any = None) -> Generator:
        """The stream that belongs to an integer seed."""
        return cls(state=[as_integer(seed) % _WORD, 0])

    @classmethod
    def from_non_deterministic_state(cls, alg: Any = None) -> Generator:
        """A stream nobody can predict."""
        return cls(state=[secrets.randbits(64), 0])

    @classmethod
    def from_state(cls, state: Any, alg: Any = None) -> Generator:
        """A stream that goes on from a `state`."""
        return cls(state=state)

    @property
    def state(self) -> Variable:
        """Seed and number of the next draw, a variable of two uint64."""
        return self._state

    @property
    def key(self) -> Tensor:
        """The seed, as a uint64 scalar."""
        return self._state[0]

    @property
    def algorithm(self) -> int:
        """TensorFlow's number of the algorithm: 1, Philox."""
        return 1

    def reset(self, state: Any) -> None:
        """Sets seed and draw number."""
        self._state.assign(_state_array(state))

    def reset_from_seed(self, seed: int) -> None:
        """Starts the stream of another seed."""
        self._state.assign(_state_array([as_integer(seed) % _WORD, 0]))

    def skip(self, delta: int) -> None:
        """Leaves out ``delta`` draws."""
        step = EagerTensor(np.array([0, as_integer(delta) % _WORD], np.uint64))
        self._state.assign(apply("add", (self._state, step)))

    def next_key(self) -> Tensor:
        """The key of one draw; the stream moves on."""
        with _lock:  # two threads never draw with the same key
            key = as_tensor(self._state)
            self._state.assign(apply("add", (key, _NEXT)))
        return key

    def uniform(self, shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = float32, name: str | None = None) -> Tensor:
        """Evenly distributed numbers from ``minval`` up to but without ``maxval`` (1 for floats)."""
        return _uniform(self.next_key, as_sizes(shape), minval, maxval, as_dtype(dtype))

    def normal(self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, name: str | None = None) -> Tensor:
        """Normally distributed numbers."""
        return _scaled("random_normal", self.next_key(), as_sizes(shape), mean, stddev, as_dtype(dtype))

    def truncated_normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, name: str | None = None
    ) -> Tensor:
        """Normally distributed numbers, none further from the mean than two standard deviations."""
        return _scaled("random_truncated_normal", self.next_key(), as_sizes(shape), mean, stddev, as_dtype(dtype))

    def uniform_full_int(self, shape: Any, dtype: Any = uint64, name: str | None = None) -> Tensor:
        """Integers from the whole range of ``dtype``."""
        return random_bits(self.next_key(), as_sizes(shape), as_dtype(dtype))

    def make_seeds(self, count: int = 1) -> Tensor:
        """Seeds for stateless functions: int64 of shape (2, count)."""
        return self.uniform_full_int([2, count], int64)

    def split(self, count: int = 1) -> list[Generator]:
        """New, independent streams; eagerly only."""
        return [Generator(state=[seed, 0]) for seed in self.uniform_full_int([count], uint64).numpy()]

    def __repr__(self) -> str:
        seed, draw = self._state.numpy()
        return f"<weft.random.Generator seed={seed} draw={draw}>"


def _state_array(state: Any) -> np.ndarray:
    values = [int(v) % _WORD for v in np.asarray(state if not hasattr(state, "numpy") else state.numpy()).reshape(-1)]
    if len(values) != 2:
        raise ValueError(f"A generator's state has two numbers, seed and draw number. Received: {state!r}.")
    return np.array(values, np.uint64)


_DEFAULT_SEED = 87654321  # what an op's own seed is combined with as long as nobody called set_seed
_seed: int | None = None
_global: Generator | None = None
_by_op_seed: dict[int, Generator] = {}


def set_seed(seed: int) -> None:
    """Restarts all streams: from here on the same program draws the same numbers, eagerly or traced."""
    global _seed
    with _lock, init_scope():
        _seed = as_integer(seed)
        if _global is not None:
            _global.reset_from_seed(_seed)
        for op_seed, generator in _by_op_seed.items():
            generator.reset_from_seed(combined_seed(op_seed))


def combined_seed(op_seed: int) -> int:
    """The seed of the stream that belongs to an op seed, given the one of `set_seed`."""
    text = f"{_DEFAULT_SEED if _seed is None else _seed}/{op_seed}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def get_seed() -> int | None:
    """What `set_seed` was called with, None before."""
    return _seed


def get_global_generator() -> Generator:
    """The stream of functions that are given no seed."""
    global _global
    with _lock:
        if _global is None:
            _global = Generator.from_seed(secrets.randbits(64) if _seed is None else _seed)
        return _global


def set_global_generator(generator: Generator) -> None:
    """Makes ``generator`` the stream of functions without a seed. Traced functions keep the stream they were traced with."""
    global _global
    with _lock:
        _global = generator


def stream(seed: int | None) -> Generator:
    """The global stream, or the one of an op's own seed: it draws other numbers each time, and restarts with `set_seed`."""
    if seed is None:
        return get_global_generator()
    with _lock:
        number = as_integer(seed)
        if number not in _by_op_seed:
            _by_op_seed[number] = Generator.from_seed(combined_seed(number))
        return _by_op_seed[number]


def _scaled(op: str, key: Tensor, shape: Shape, mean: Any, stddev: Any, dtype: DType) -> Tensor:
    refuse_symbolic(shape)
    out = apply(op, (key,), shape=shape, dtype=dtype)
    if not (isinstance(stddev, (int, float)) and stddev == 1):
        out = apply("mul", (out, as_tensor(stddev, dtype)))
    if not (isinstance(mean, (int, float)) and mean == 0):
        out = apply("add", (out, as_tensor(mean, dtype)))
    return out


def _uniform(next_key: Any, shape: Shape, minval: Any, maxval: Any, dtype: DType) -> Tensor:
    refuse_symbolic(shape)
    if dtype.is_integer:
        if maxval is None:
            raise ValueError(f"Must specify maxval for integer dtype {dtype!r}")
        low, high = as_integer(minval), as_integer(maxval)
        if low >= high:
            raise ValueError(f"minval must be below maxval. Received: minval={low}, maxval={high}.")
        return apply("random_int", (next_key(),), shape=shape, dtype=dtype, low=low, high=high)
    if not dtype.is_floating:
        raise ValueError(f"Random numbers are floating or integer. Received: dtype={dtype.name}.")
    out = apply("random_uniform", (next_key(),), shape=shape, dtype=dtype)
    low, high = minval, 1 if maxval is None else maxval
    plain = isinstance(low, (int, float)) and isinstance(high, (int, float))
    if plain and (low, high) == (0, 1):
        return out
    width = as_tensor(high - low, dtype) if plain else apply("sub", (as_tensor(high, dtype), as_tensor(low, dtype)))
    return apply("add", (apply("mul", (out, width)), as_tensor(low, dtype)))


def random_bits(key: Tensor, shape: Shape, dtype: DType) -> Tensor:
    """Integers from the whole range of ``dtype``: 64 bits are put together from two draws of 32."""
    if dtype.size < 8:
        return cast(apply("random_int", (key,), shape=shape, dtype=uint64, low=0, high=1 << 8 * dtype.size), dtype)
    halves = apply("random_int", (key,), shape=(*shape, 2), dtype=uint64, low=0, high=1 << 32)
    weights = EagerTensor(np.array([1, 1 << 32], np.uint64))
    return cast(apply("reduce_sum", (apply("mul", (halves, weights)),), axes=(len(shape),), keepdims=False), dtype)


def uniform(
    shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = float32, seed: int | None = None, name: str | None = None
) -> Tensor:
    """Evenly distributed numbers from ``minval`` up to but without ``maxval`` (1 for floats; integers must give it)."""
    return _uniform(stream(seed).next_key, as_sizes(shape), minval, maxval, as_dtype(dtype))


def normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, seed: int | None = None, name: str | None = None
) -> Tensor:
    """Normally distributed numbers."""
    return _scaled("random_normal", stream(seed).next_key(), as_sizes(shape), mean, stddev, as_dtype(dtype))


def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, seed: int | None = None, name: str | None = None
) -> Tensor:
    """Normally distributed numbers, none further from the mean than two standard deviations."""
    return _scaled("random_truncated_normal", stream(seed).next_key(), as_sizes(shape), mean, stddev, as_dtype(dtype))


def _stateless_key(seed: Any) -> Tensor:
    key = as_tensor(seed)
    if sizes_of(key) != (2,) or not key.dtype.is_integer:
        raise ValueError(f"A stateless function's seed has two integers. Received: shape {key.shape}, dtype {key.dtype.name}.")
    return cast(key, uint64)


def stateless_uniform(
    shape: Any, seed: Any, minval: Any = 0, maxval: Any = None, dtype: Any = float32, name: str | None = None,
    alg: Any = "auto_select",
) -> Tensor:
    """`uniform` with a seed of two integers: the same seed always gives the same numbers."""
    key = _stateless_key(seed)
    return _uniform(lambda: key, as_sizes(shape), minval, maxval, as_dtype(dtype))


def stateless_normal(
    shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, name: str | None = None,
    alg: Any = "auto_select",
) -> Tensor:
    """`normal` with a seed of two integers: the same seed always gives the same numbers."""
    return _scaled("random_normal", _stateless_key(seed), as_sizes(shape), mean, stddev, as_dtype(dtype))


def stateless_truncated_normal(
    shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, name: str | None = None,
    alg: Any = "auto_select",
) -> Tensor:
    """`truncated_normal` with a seed of two integers: the same seed always gives the same numbers."""
    return _scaled("random_truncated_normal", _stateless_key(seed), as_sizes(shape), mean, stddev, as_dtype(dtype))


def split(seed: Any, num: int = 2, alg: Any = "auto_select") -> Tensor:
    """``num`` new seeds for stateless functions, of shape (num, 2) and the dtype of ``seed``."""
    return random_bits(_stateless_key(seed), (as_integer(num), 2), as_tensor(seed).dtype)


def fold_in(seed: Any, data: Any, alg: Any = "auto_select") -> Tensor:
    """A new seed for stateless functions that depends on ``seed`` and the integer ``data``."""
    first = random_bits(_stateless_key(seed), (2,), uint64)
    mixed = apply("add", (first, apply("mul", (cast(as_tensor(data), uint64), EagerTensor(np.array([0, 1], np.uint64))))))
    return random_bits(mixed, (2,), as_tensor(seed).dtype)


def _pick(key: Tensor, logits: Any, num_samples: Any, dtype: DType) -> Tensor:
    """The class with the largest logit plus Gumbel noise has the softmax's distribution (Gumbel 1954)."""
    x = as_tensor(logits)
    rows, classes = sizes_of(x)
    shape = (rows, as_sizes(num_samples)[0], classes)
    noise = apply("random_uniform", (key,), shape=shape, dtype=x.dtype)
    tiny = as_tensor(float(np.finfo(x.dtype.np).tiny), x.dtype)
    noise = apply("neg", (apply("log", (apply("neg", (apply("log", (apply("maximum", (noise, tiny)),)),)),)),))
    scores = apply("add", (noise, apply("reshape", (x,), shape=(rows, 1, classes))))
    return apply("argmax", (scores,), axes=(2,), dtype=dtype)


def categorical(logits: Any, num_samples: Any, dtype: Any = None, seed: int | None = None, name: str | None = None) -> Tensor:
    """Classes drawn with the probabilities ``softmax(logits)``: shape (rows, classes) gives (rows, num_samples), int64."""
    return _pick(stream(seed).next_key(), logits, num_samples, as_dtype(dtype or int64))


def stateless_categorical(logits: Any, num_samples: Any, seed: Any, dtype: Any = int64, name: str | None = None) -> Tensor:
    """`categorical` with a seed of two integers."""
    return _pick(_stateless_key(seed), logits, num_samples, as_dtype(dtype))


def shuffle(value: Any, seed: int | None = None, name: str | None = None) -> Tensor:
    """The slices along the first axis in random order."""
    x = as_tensor(value)
    as_axis(0, len(sizes_of(x)))
    size = sizes_of(x)[0]
    keys = random_bits(stream(seed).next_key(), (size,), uint32)
    return apply("gather", (x, ascending_order(keys)), axis=0, batch_dims=0)
