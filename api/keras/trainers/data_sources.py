"""Where batches come from. In: arrays, data sets, generators; out: `Source` objects, which yield batches as arrays."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from weft.tracer.tensor import EagerTensor

from .array_pass import ArrayPass
from .batch_arrays import (
    Layout,
    class_weights_as_sample_weights,
    count_samples,
    is_number_list,
    pack_x_y_sample_weight,
    take_apart,
    to_array,
    to_arrays,
    unpack_x_y_sample_weight,
)
from .py_dataset import PyDataset

Batch = tuple[Layout, list[np.ndarray]]  # how the step takes the data apart, and its arrays


class Source:
    """num_batches: of one pass, None if unknown. restartable: whether there can be a second pass. uniform: whether all batches
    have the same structure, dtypes and shapes but for the batch axis.
    """

    num_batches: int | None = None
    restartable = True
    uniform = False

    def batches(self) -> Iterator[Batch]:
        """One pass over the data."""
        raise NotImplementedError

    def begin_epoch(self) -> None:
        """An epoch begins."""

    def end_epoch(self) -> None:
        """An epoch is over."""


class ArraySource(Source):
    """Whole arrays, cut into batches, in random order if ``shuffle``. Full, unshuffled batches are views of the data."""

    uniform = True

    def __init__(
        self, x: Any, y: Any, sample_weight: Any, batch_size: int, rng: np.random.Generator | None, within_batches: bool = False
    ) -> None:
        self.samples = count_samples((("x", x), ("y", y), ("sample_weight", sample_weight)))
        self._layout, self._arrays = take_apart(pack_x_y_sample_weight(x, y, sample_weight))
        self.batch_size = batch_size
        self.num_batches = math.ceil(self.samples / batch_size)
        self._rng = rng
        self._within_batches = within_batches

    def one_pass(self) -> ArrayPass:
        """The next pass, in an order of its own if there is a generator of random numbers."""
        return ArrayPass(self._layout, self._arrays, self.samples, self.batch_size, self._order())

    def batches(self) -> Iterator[Batch]:
        return self.one_pass().batches()

    def _order(self) -> np.ndarray | None:
        if self._rng is None:
            return None
        if not self._within_batches:
            return self._rng.permutation(self.samples)
        order = np.arange(self.samples, dtype=np.int64)
        for start in range(0, self.samples, self.batch_size):
            self._rng.shuffle(order[start : start + self.batch_size])
        return order


class IterableSource(Source):
    """Anything that yields batches: a `weft.data.Dataset`, a generator, an iterable. ``once``: it can be walked only once."""

    def __init__(self, elements: Iterable[Any], num_batches: int | None, once: bool, convert: Callable[[Any], Batch]) -> None:
        self._elements = elements
        self.num_batches = num_batches
        self.restartable = not once
        self._convert = convert

    def batches(self) -> Iterator[Batch]:
        return map(self._convert, self._elements)


class SequenceSource(Source):
    """An object with ``__len__`` and ``__getitem__``; batches in random order if there is a generator of random numbers."""

    def __init__(self, sequence: Any, rng: np.random.Generator | None, convert: Callable[[Any], Batch]) -> None:
        self._sequence = sequence
        self.num_batches = sequence.num_batches if isinstance(sequence, PyDataset) else len(sequence)
        self._rng = rng
        self._convert = convert
        if self.num_batches == 0:
            raise ValueError("There must be at least one batch. Received: a data set of length 0")

    def batches(self) -> Iterator[Batch]:
        if self.num_batches is None:
            order: Iterable[int] = iter(_count())
        else:
            order = range(self.num_batches) if self._rng is None else self._rng.permutation(self.num_batches).tolist()
        return (self._convert(self._sequence[int(i)]) for i in order)

    def begin_epoch(self) -> None:
        getattr(self._sequence, "on_epoch_begin", _nothing)()

    def end_epoch(self) -> None:
        getattr(self._sequence, "on_epoch_end", _nothing)()


def _nothing() -> None:
    return None


def _count() -> Iterator[int]:
    i = 0
    while True:
        yield i
        i += 1


_PAIR, _ = take_apart((np.zeros(1), np.zeros(1)))


def convert_batch(element: Any, class_weight: dict[int, float] | None = None) -> Batch:
    """One element of a data set as the arrays of a batch."""
    if type(element) is tuple and len(element) == 2 and class_weight is None and all(type(e) is EagerTensor for e in element):
        x, y = (to_array(e, "x", False) for e in element)  # what most data sets yield, and must not wait
        if len(x) == len(y):
            return _PAIR, [x, y]
    x, y, weight = unpack_x_y_sample_weight(element)
    x, y, weight = to_arrays(x, "x", False), to_arrays(y, "y", False), to_arrays(weight, "sample_weight", False)
    if class_weight is not None:
        if weight is not None:
            raise ValueError("Only one of class_weight and sample weights can be given. Received: both")
        weight = class_weights_as_sample_weights(y, class_weight)
    layout, arrays = take_apart(pack_x_y_sample_weight(x, y, weight))
    if len({len(a) for a in arrays}) > 1:
        raise ValueError(f"All arrays of a batch must have the same length. Received: {', '.join(str(len(a)) for a in arrays)}")
    return layout, arrays


def make_source(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int | None = None,
    steps: int | None = None,
    rng: np.random.Generator | None = None,
    shuffle: Any = False,
    class_weight: dict[int, float] | None = None,
) -> Source:
    """The source of whatever `fit`, `evaluate` or `predict` was given as data.

    Raises ValueError for arrays of different or no length, for targets beside a data set that brings its own, and for batch sizes
    that are no positive integer.
    """
    whole = isinstance(batch_size, (int, np.integer)) and not isinstance(batch_size, bool)
    if batch_size is not None and not (whole and batch_size >= 1):
        raise ValueError(f"batch_size must be a positive integer. Received: {batch_size!r}")
    if x is None:
        raise ValueError("There must be data. Received: x=None")
    rng = rng if shuffle else None
    if _is_arrays(x):
        return _array_source(x, y, sample_weight, batch_size, steps, rng, shuffle, class_weight)
    kind = type(x).__name__
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if value is not None:
            raise ValueError(f"{name} must be part of the elements when x is a {kind}. Received: {name} as an argument")

    return _element_source(x, steps, rng, functools.partial(convert_batch, class_weight=class_weight))


def _element_source(x: Any, steps: int | None, rng: np.random.Generator | None, convert: Callable[[Any], Batch]) -> Source:
    """The source of a data set or a generator, whose elements are batches."""
    if isinstance(x, PyDataset) or (hasattr(x, "__getitem__") and hasattr(x, "__len__")):
        return SequenceSource(x, rng, convert)
    if not hasattr(x, "__iter__") or isinstance(x, (str, bytes)):
        raise TypeError(f"x must be arrays, a data set or a generator of batches. Received: {x!r} of type {type(x).__name__}")
    if steps is None and getattr(x, "INFINITE_CARDINALITY", None) is not None and int(x.cardinality()) == x.INFINITE_CARDINALITY:
        raise ValueError(
            "An infinite data set needs the number of steps: steps_per_epoch= in fit, validation_steps= for validation data, "
            f"steps= in evaluate and predict. Received: {x!r}"
        )
    return IterableSource(x, _length(x), iter(x) is x, convert)


def _array_source(
    x: Any, y: Any, sample_weight: Any, batch_size: int | None, steps: int | None, rng: Any, shuffle: Any, class_weight: Any
) -> ArraySource:
    x, y, sample_weight = to_arrays(x, "x"), to_arrays(y, "y"), to_arrays(sample_weight, "sample_weight")
    if class_weight is not None:
        if sample_weight is not None:
            raise ValueError("Only one of class_weight and sample_weight can be given. Received: both")
        sample_weight = class_weights_as_sample_weights(y, class_weight)
    if batch_size is None:
        samples = count_samples((("x", x), ("y", y), ("sample_weight", sample_weight)))
        batch_size = math.ceil(samples / steps) if steps else 32
    return ArraySource(x, y, sample_weight, int(batch_size), rng, within_batches=shuffle == "batch")


def _is_arrays(x: Any) -> bool:
    if isinstance(x, (dict, list, tuple)):
        return is_number_list(x) or all(_is_arrays(v) for v in (x.values() if isinstance(x, dict) else x))
    return isinstance(x, np.ndarray) or (hasattr(x, "__array__") and hasattr(x, "shape"))


def _length(x: Any) -> int | None:
    """The number of batches of a data set that knows it."""
    try:
        return len(x)
    except TypeError:
        return None
