"""`Dataset`: an input pipeline that can be passed over any number of times. In: arrays or generators; out: elements as tensors.

Each method returns a new data set; nothing is computed before it is iterated. Pipelines run in the caller's thread.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from weft.graph.dtype import as_dtype, int64
from weft.graph.errors import InvalidArgumentError, OutOfRangeError, UnimplementedError
from weft.tracer import Tensor, TensorSpec, convert_to_tensor, init_scope, tree
from weft.tracer.ops import random

from .batches import Batch, Cache, PaddedBatch, Unbatch
from .elements import Form, form_of, take_apart, wrap
from .functions import Filter, FlatMap, Map
from .order import Concatenate, Repeat, Selection, Shard, Shuffle, Skip, Take
from .sources import Count, Generated, Single, Zipped, slice_arrays
from .stage import INFINITE, UNKNOWN, Stage

AUTOTUNE = -1  # "as many as is best", accepted wherever TensorFlow takes it


class DatasetIterator:
    """One pass over a data set: ``next(iterator)``."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._structure: tree.Structure | None = None
        self._rows = stage.open()

    def __iter__(self) -> DatasetIterator:
        return self

    def __next__(self) -> Any:
        row = next(self._rows)
        if self._structure is None:
            self._structure = self._stage.structure
        return wrap(row, self._structure)

    def get_next(self) -> Any:
        """The next element; OutOfRangeError at the end."""
        try:
            return next(self)
        except StopIteration:
            raise OutOfRangeError("End of sequence") from None

    @property
    def element_spec(self) -> Any:
        return self._stage.form.nested


class Dataset:
    """A sequence of elements, each a tensor or a nested structure of tensors.

    Made by ``from_tensor_slices``, ``from_tensors``, ``from_generator``, ``range`` or ``zip``, changed by the other methods.
    """

    INFINITE_CARDINALITY = INFINITE
    UNKNOWN_CARDINALITY = UNKNOWN

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    # -- sources -------------------------------------------------------------------------------------------------------

    @staticmethod
    def from_tensor_slices(tensors: Any, name: str | None = None) -> Dataset:
        """The slices along the first axis of every component. ValueError if the first sizes differ."""
        return Dataset(slice_arrays(tensors))

    @staticmethod
    def from_tensors(tensors: Any, name: str | None = None) -> Dataset:
        """One element: the tensors as they are."""
        return Dataset(Single(tensors))

    @staticmethod
    def from_generator(
        generator: Callable[..., Any], output_types: Any = None, output_shapes: Any = None, args: Any = None,
        output_signature: Any = None, name: str | None = None,
    ) -> Dataset:
        """What the iterator ``generator(*args)`` yields; the function is called for every pass.

        output_signature: the nested `TensorSpec` of the elements; without it ``output_types``, or the first element, decides.
        """
        if not callable(generator):
            raise TypeError(f"`generator` must be a Python callable. Received: {generator!r}.")
        form = _generator_form(generator, args or (), output_signature, output_types, output_shapes)
        return Dataset(Generated(generator, tuple(args or ()), form))

    @staticmethod
    def range(*args: Any, output_type: Any = int64, name: str | None = None) -> Dataset:
        """``range(stop)``, ``range(start, stop)`` or ``range(start, stop, step)`` as int64 scalars."""
        if not 1 <= len(args) <= 3:
            raise ValueError(f"range takes one to three numbers. Received: {args}.")
        numbers = [int(a) for a in args]
        start, stop, step = (0, *numbers, 1) if len(numbers) == 1 else (*numbers, 1)[:3]
        return Dataset(Count(start, stop, step, as_dtype(output_type)))

    @staticmethod
    def counter(start: int = 0, step: int = 1, dtype: Any = int64, name: str | None = None) -> Dataset:
        """``start, start + step, ...`` without end."""
        return Dataset(Count(int(start), None, int(step), as_dtype(dtype)))

    @staticmethod
    def zip(*args: Any, datasets: Any = None, name: str | None = None) -> Dataset:
        """Elements of several data sets side by side; takes them as arguments or as one nested structure."""
        nested = datasets if datasets is not None else args[0] if len(args) == 1 else tuple(args)
        leaves, structure = tree.flatten(nested)
        if not leaves or not all(isinstance(leaf, Dataset) for leaf in leaves):
            raise TypeError(f"zip takes data sets. Received: {nested!r}.")
        return Dataset(Zipped([leaf._stage for leaf in leaves], structure))

    # -- order ---------------------------------------------------------------------------------------------------------

    def shuffle(
        self, buffer_size: Any, seed: Any = None, reshuffle_each_iteration: bool | None = True, name: str | None = None
    ) -> Dataset:
        """Random order by a buffer of ``buffer_size`` elements: evenly random if it holds the whole data set.

        Without ``seed`` the order follows `weft.random.set_seed`, if that was called.
        """
        size = self._stage.cardinality if buffer_size is None else int(buffer_size)
        if size <= 0:
            raise ValueError(f"buffer_size must be greater than zero. Received: {buffer_size}.")
        with init_scope():
            number = _shuffle_seed(None if seed is None else int(seed))
        return Dataset(Shuffle(self._stage, size, number, reshuffle_each_iteration is not False))

    def repeat(self, count: Any = None, name: str | None = None) -> Dataset:
        """``count`` passes one after the other; None or -1: without end."""
        return Dataset(Repeat(self._stage, -1 if count is None else int(count)))

    def take(self, count: Any, name: str | None = None) -> Dataset:
        """The first ``count`` elements; -1: all."""
        return Dataset(Take(self._stage, int(count)))

    def skip(self, count: Any, name: str | None = None) -> Dataset:
        """All but the first ``count`` elements; -1: none."""
        return Dataset(Skip(self._stage, int(count)))

    def shard(self, num_shards: Any, index: Any, name: str | None = None) -> Dataset:
        """Every ``num_shards``-th element, starting with element ``index``."""
        number, at = int(num_shards), int(index)
        if not 0 <= at < number:
            raise InvalidArgumentError(f"index must lie between 0 and num_shards - 1. Received: index={at}, num_shards={number}.")
        return Dataset(Shard(self._stage, number, at))

    def concatenate(self, dataset: Dataset, name: str | None = None) -> Dataset:
        """This data set, then the other one; TypeError if their elements are nested differently or have other dtypes."""
        return Dataset(Concatenate(self._stage, dataset._stage, _joint_form(self._stage.form, dataset._stage.form)))

    # -- batches -------------------------------------------------------------------------------------------------------

    def batch(
        self, batch_size: Any, drop_remainder: bool = False, num_parallel_calls: Any = None, deterministic: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """``batch_size`` elements stacked along a new first axis; the last, smaller batch is kept unless ``drop_remainder``."""
        return Dataset(Batch(self._stage, _positive("batch_size", batch_size), bool(drop_remainder)))

    def padded_batch(
        self, batch_size: Any, padded_shapes: Any = None, padding_values: Any = None, drop_remainder: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """`batch` for elements of different shapes, filled up with ``padding_values`` (0) to ``padded_shapes``.

        A size None or -1 means the largest in the batch; so does padded_shapes=None for every axis.
        """
        form = self._stage.form
        shapes = _padded_shapes(padded_shapes, form)
        values = tree.flatten(padding_values)[0] if padding_values is not None else [0]
        values = values * len(shapes) if len(values) == 1 else values
        plain = [np.asarray(0 if v is None else v).item() for v in values]
        return Dataset(PaddedBatch(self._stage, _positive("batch_size", batch_size), bool(drop_remainder), shapes, plain))

    def unbatch(self, name: str | None = None) -> Dataset:
        """The slices of every element along its first axis."""
        return Dataset(Unbatch(self._stage))

    def rebatch(self, batch_size: Any, drop_remainder: bool = False, name: str | None = None) -> Dataset:
        """Batches of another size."""
        return self.unbatch().batch(batch_size, drop_remainder)

    def cache(self, filename: str = "", name: str | None = None) -> Dataset:
        """Keeps the elements of the first complete pass in memory."""
        if filename:
            raise UnimplementedError(f"cache keeps elements in memory only. Received: filename={filename!r}.")
        return Dataset(Cache(self._stage))

    def prefetch(self, buffer_size: Any = AUTOTUNE, name: str | None = None) -> Dataset:
        """The same elements. Nothing runs ahead: on a CPU the training step needs the cores itself."""
        int(buffer_size)
        return Dataset(Selection(self._stage))

    # -- functions -----------------------------------------------------------------------------------------------------

    def map(
        self, map_func: Callable[..., Any], num_parallel_calls: Any = None, deterministic: bool | None = None,
        synchronous: bool | None = None, use_unbounded_threadpool: bool = False, name: str | None = None,
    ) -> Dataset:
        """``map_func(element)`` for every element, called eagerly; a tuple's components are separate arguments."""
        return Dataset(Map(self._stage, map_func))

    def filter(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements for which ``predicate`` returns true."""
        return Dataset(Filter(self._stage, predicate))

    def take_while(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements before the first for which ``predicate`` returns false."""
        return Dataset(Filter(self._stage, predicate, stop=True))

    def flat_map(self, map_func: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements of the data sets that ``map_func(element)`` gives, one after the other."""
        return Dataset(FlatMap(self._stage, map_func, _stage_of))

    def interleave(
        self, map_func: Callable[..., Any], cycle_length: Any = None, block_length: Any = None, num_parallel_calls: Any = None,
        deterministic: bool | None = None, name: str | None = None,
    ) -> Dataset:
        """Like `flat_map`, but ``cycle_length`` data sets at a time, ``block_length`` elements of each in turn."""
        cycle = 1 if cycle_length is None or int(cycle_length) == AUTOTUNE else int(cycle_length)
        return Dataset(FlatMap(self._stage, map_func, _stage_of, cycle, 1 if block_length is None else int(block_length)))

    def enumerate(self, start: int = 0, name: str | None = None) -> Dataset:
        """Pairs of a running int64 number and the element."""
        return Dataset.zip(Dataset.counter(start), self)

    def reduce(self, initial_state: Any, reduce_func: Callable[..., Any], name: str | None = None) -> Any:
        """``reduce_func(state, element)`` over all elements; returns the last state."""
        state = tree.map_structure(convert_to_tensor, initial_state)
        for element in self:
            state = tree.map_structure(convert_to_tensor, reduce_func(state, element))
        return state

    def apply(self, transformation_func: Callable[[Dataset], Dataset]) -> Dataset:
        """``transformation_func(self)``."""
        result = transformation_func(self)
        if not isinstance(result, Dataset):
            raise TypeError(f"The function given to apply must return a Dataset. Received: {result!r}.")
        return result

    def with_options(self, options: Any, name: str | None = None) -> Dataset:
        """Accepted for compatibility: there is nothing to set."""
        return self

    # -- looking at it -------------------------------------------------------------------------------------------------

    @property
    def element_spec(self) -> Any:
        """The nested `TensorSpec` of the elements."""
        return self._stage.form.nested

    def cardinality(self) -> Tensor:
        """The number of elements as an int64 scalar, or one of `INFINITE_CARDINALITY` and `UNKNOWN_CARDINALITY`."""
        return convert_to_tensor(self._stage.cardinality, int64)

    def get_single_element(self, name: str | None = None) -> Any:
        """The only element. InvalidArgumentError if there is none, or more than one."""
        elements = iter(self)
        try:
            out = next(elements)
        except StopIteration:
            raise InvalidArgumentError("Dataset was empty.") from None
        if next(elements, None) is not None:
            raise InvalidArgumentError("Dataset had more than one element.")
        return out

    def as_numpy_iterator(self) -> Iterator[Any]:
        """One pass with NumPy arrays instead of tensors."""
        return (tree.map_structure(lambda t: t.numpy(), element) for element in self)

    def __iter__(self) -> DatasetIterator:
        return DatasetIterator(self._stage)

    def __len__(self) -> int:
        count = self._stage.cardinality
        if count < 0:
            raise TypeError("The dataset is infinite." if count == INFINITE else "The dataset length is unknown.")
        return count

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<_{type(self._stage).__name__}Dataset element_spec={self.element_spec}>"


def _positive(name: str, value: Any) -> int:
    number = int(value)
    if number <= 0:
        raise ValueError(f"{name} must be greater than zero. Received: {value}.")
    return number


def _shuffle_seed(seed: int | None) -> int:
    """64 bits: of the seed if given, else of the global stream, which `set_seed` makes repeatable."""
    if seed is not None:
        return random.combined_seed(seed)
    if random.get_seed() is None:
        return secrets.randbits(64)
    return int(random.get_global_generator().uniform_full_int([], "uint64").numpy())


def _stage_of(value: Any) -> Stage:
    if not isinstance(value, Dataset):
        raise TypeError(f"The function given to flat_map or interleave must return a Dataset. Received: {value!r}.")
    return value._stage


def _generator_form(generator: Any, args: Any, signature: Any, types: Any, shapes: Any) -> Form:
    if signature is not None:
        specs, structure = tree.flatten(tuple(signature) if isinstance(signature, list) else signature)
        if not all(isinstance(s, TensorSpec) for s in specs):
            raise TypeError(f"`output_signature` must contain TensorSpec objects. Received: {signature!r}.")
        return Form(structure, tuple(specs))
    if types is not None:
        dtypes, structure = tree.flatten(tuple(types) if isinstance(types, list) else types)
        known = [None] * len(dtypes) if shapes is None else _shapes_of(shapes, len(dtypes))
        return Form(structure, tuple(TensorSpec(s, d) for s, d in zip(known, dtypes, strict=True)))
    for value in iter(generator(*args)):
        row, structure = take_apart(value)
        return Form(structure, tuple(TensorSpec([None] * len(s.shape), s.dtype) for s in form_of(row, structure).specs))
    raise ValueError("Without an output_signature the generator must yield at least one element.")


def _shapes_of(shapes: Any, count: int) -> list[Any]:
    """Shapes in the structure of the components: a single one may be given as it is."""
    single = shapes is None or all(s is None or isinstance(s, int) for s in shapes)
    if count == 1 and single:
        return [shapes]
    return [s for _, s in sorted(shapes.items())] if isinstance(shapes, dict) else list(shapes)


def _padded_shapes(wanted: Any, form: Form) -> list[Any]:
    if wanted is None:
        if any(s.shape.rank is None for s in form.specs):
            raise ValueError("padded_shapes must be given for elements of unknown rank.")
        return [[n if isinstance(n, int) else None for n in s.shape] for s in form.specs]
    return [[None if n in (None, -1) else int(n) for n in shape] for shape in _shapes_of(wanted, len(form.specs))]


def _joint_form(a: Form, b: Form) -> Form:
    """The form of elements of either."""
    same = a.structure == b.structure and all(s.dtype is t.dtype for s, t in zip(a.specs, b.specs, strict=False))
    if not same:
        raise TypeError(f"Two data sets to concatenate have incompatible types: {a.nested} and {b.nested}.")
    specs = []
    for s, t in zip(a.specs, b.specs, strict=True):
        fits = s.shape.rank is not None and s.shape.rank == t.shape.rank
        shape = [m if m == n else None for m, n in zip(s.shape, t.shape, strict=True)] if fits else None
        specs.append(TensorSpec(shape, s.dtype))
    return Form(a.structure, tuple(specs))
