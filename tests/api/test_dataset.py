"""Data sets: sources, order, batches, functions, cardinalities, element specs, errors."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import weft as tf
from weft.data import AUTOTUNE, Dataset

X = np.arange(20, dtype=np.float32).reshape(10, 2)
Y = np.arange(10)


def listed(dataset: Dataset) -> list[Any]:
    """The elements with arrays as lists."""
    return [tf.nest.map_structure(lambda a: np.asarray(a).tolist(), e) for e in dataset.as_numpy_iterator()]


def slices() -> Dataset:
    """Rows of arrays in memory: the fast path."""
    return Dataset.from_tensor_slices(Y)


def computed() -> Dataset:
    """The same elements, computed: the general path."""
    return Dataset.range(10).map(lambda i: i)


BOTH = pytest.mark.parametrize("make", [slices, computed])


def test_from_tensor_slices_nests() -> None:
    dataset = Dataset.from_tensor_slices({"a": X, "b": (Y, [1] * 10)})
    first = next(iter(dataset))
    assert first["a"].numpy().tolist() == [0, 1] and first["b"][0].dtype == tf.int64 and int(first["b"][1]) == 1
    assert dataset.element_spec == {
        "a": tf.TensorSpec((2,), tf.float32),
        "b": (tf.TensorSpec((), tf.int64), tf.TensorSpec((), tf.int32)),
    }
    assert len(dataset) == 10


def test_namedtuple_structure_is_kept() -> None:
    Pair = collections.namedtuple("Pair", "x y")
    element = next(iter(Dataset.from_tensor_slices(Pair(X, Y)).batch(3)))
    assert type(element) is Pair and element.x.shape == (3, 2)


def test_elements_do_not_see_later_changes_of_the_array() -> None:
    array = np.zeros(3)
    dataset = Dataset.from_tensor_slices(array)
    array[:] = 1
    assert listed(dataset) == [0, 0, 0]


def test_from_tensors_is_one_element() -> None:
    assert listed(Dataset.from_tensors((X, 3))) == [(X.tolist(), 3)]
    assert len(Dataset.from_tensors(1)) == 1


@pytest.mark.parametrize("args", [(4,), (2, 5), (1, 10, 3), (5, 0, -2), (0,), (3, 3)])
def test_range_counts_as_pythons(args: tuple[int, ...]) -> None:
    dataset = Dataset.range(*args)
    assert listed(dataset) == list(range(*args)) and len(dataset) == len(range(*args))
    assert dataset.element_spec == tf.TensorSpec((), tf.int64)


def test_from_generator() -> None:
    def count(n: int = 3) -> Any:
        for i in range(n):
            yield i, [i / 2] * i

    signature = (tf.TensorSpec((), tf.int32), tf.TensorSpec((None,), tf.float32))
    dataset = Dataset.from_generator(count, output_signature=signature)
    assert listed(dataset) == listed(dataset) == [(0, []), (1, [0.5]), (2, [1.0, 1.0])]
    assert dataset.element_spec == signature and int(dataset.cardinality()) == tf.data.UNKNOWN_CARDINALITY
    assert len(listed(Dataset.from_generator(count, args=(5,), output_types=(tf.int64, tf.float64)))) == 5
    scalars = Dataset.from_generator(lambda: iter([1, 2]), output_types=tf.int32, output_shapes=())
    assert scalars.element_spec == tf.TensorSpec((), tf.int32) and listed(scalars) == [1, 2]
    assert Dataset.from_generator(count).element_spec[1] == tf.TensorSpec((None,), tf.float32)


def test_generator_breaking_its_signature_raises() -> None:
    wrong_shape = Dataset.from_generator(lambda: iter([[1, 2]]), output_signature=tf.TensorSpec((3,), tf.int32))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"shape \(2,\) where the shape \(3,\)"):
        list(wrong_shape)
    with pytest.raises(TypeError, match="nested like"):
        list(Dataset.from_generator(lambda: iter([(1, 2)]), output_signature=(tf.TensorSpec(()),) * 3))
    with pytest.raises(TypeError, match="callable"):
        Dataset.from_generator([1, 2])  # type: ignore[arg-type]


@BOTH
def test_batches_keep_the_rest_unless_it_is_dropped(make: Callable[[], Dataset]) -> None:
    assert listed(make().batch(4)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert listed(make().batch(4, drop_remainder=True)) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert len(make().batch(4)) == 3 and len(make().batch(4, drop_remainder=True)) == 2
    assert make().batch(4).element_spec == tf.TensorSpec((None,), tf.int64)
    assert make().batch(4, drop_remainder=True).element_spec == tf.TensorSpec((4,), tf.int64)
    assert listed(make().batch(2).batch(2)) == [[[0, 1], [2, 3]], [[4, 5], [6, 7]], [[8, 9]]]
    assert listed(make().batch(100)) == [list(range(10))]


@BOTH
def test_take_skip_shard_repeat_concatenate(make: Callable[[], Dataset]) -> None:
    assert listed(make().take(3)) == [0, 1, 2] and len(make().take(3)) == 3
    assert listed(make().take(0)) == [] and listed(make().take(-1)) == list(range(10))
    assert listed(make().skip(8)) == [8, 9] and listed(make().skip(20)) == [] and listed(make().skip(-1)) == []
    assert listed(make().shard(3, 1)) == [1, 4, 7] and len(make().shard(3, 0)) == 4
    assert listed(make().skip(8).repeat(2)) == [8, 9, 8, 9] and len(make().repeat(3)) == 30
    assert listed(make().repeat().take(12)) == [*range(10), 0, 1]
    assert listed(make().take(0).repeat()) == []
    assert listed(make().take(2).concatenate(make().skip(8))) == [0, 1, 8, 9]
    assert listed(make().repeat(2).batch(6)) == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 0, 1], [2, 3, 4, 5, 6, 7], [8, 9]]
    assert listed(make().repeat(2).shard(7, 3)) == [3, 0, 7]
    assert listed(make().repeat(2).skip(9).take(3)) == [9, 0, 1]


@BOTH
def test_infinite_and_unknown_lengths(make: Callable[[], Dataset]) -> None:
    assert int(make().repeat().cardinality()) == tf.data.INFINITE_CARDINALITY
    with pytest.raises(TypeError, match="infinite"):
        len(make().repeat())
    with pytest.raises(TypeError, match="unknown"):
        len(make().filter(lambda i: i > 2))
    assert bool(make().take(0))


@BOTH
@pytest.mark.parametrize("size", [1, 3, 10, 100])
def test_shuffle_permutes(make: Callable[[], Dataset], size: int) -> None:
    dataset = make().shuffle(size, seed=1)
    first, second = listed(dataset), listed(dataset)
    assert sorted(first) == sorted(second) == list(range(10))
    if size == 1:
        assert first == list(range(10))
    else:
        assert first != second
    assert all(value <= place + size for place, value in enumerate(first))  # nothing comes out before it came in


@BOTH
def test_shuffle_seeds(make: Callable[[], Dataset]) -> None:
    a, b = make().shuffle(10, seed=1), make().shuffle(10, seed=1)
    assert [listed(a), listed(a)] == [listed(b), listed(b)]
    assert listed(make().shuffle(10, seed=1)) != listed(make().shuffle(10, seed=2))
    fixed = make().shuffle(10, seed=1, reshuffle_each_iteration=False)
    assert listed(fixed) == listed(fixed) == listed(make().shuffle(10, seed=1))
    tf.random.set_seed(5)
    first = listed(make().shuffle(10))
    tf.random.set_seed(5)
    assert listed(make().shuffle(10)) == first


def test_shuffle_is_uniform() -> None:
    dataset = Dataset.range(4).shuffle(4, seed=3)
    firsts = collections.Counter(listed(dataset)[0] for _ in range(800))
    assert all(140 < firsts[i] < 260 for i in range(4))


def test_fast_path_equals_general_path() -> None:
    fast = Dataset.from_tensor_slices((X, Y)).shuffle(4, seed=9).repeat(3).skip(2).batch(7)
    slow = Dataset.from_tensor_slices((X, Y)).map(lambda x, y: (x, y)).shuffle(4, seed=9).repeat(3).skip(2).batch(7)
    assert [len(e[1]) for e in listed(fast)] == [len(e[1]) for e in listed(slow)]
    for x, y in fast:
        np.testing.assert_array_equal(x, X[y.numpy()])


def test_shuffle_keeps_components_together() -> None:
    for x, y in Dataset.from_tensor_slices((X, Y)).shuffle(10).batch(3):
        np.testing.assert_array_equal(x, X[y.numpy()])


def test_map_keeps_the_functions_structure() -> None:
    dataset = Dataset.from_tensor_slices((X, Y)).map(lambda x, y: {"x": x * 2, "y": (y, 1.5)}, num_parallel_calls=AUTOTUNE)
    first = next(iter(dataset))
    assert first["x"].numpy().tolist() == [0, 2] and float(first["y"][1]) == 1.5
    assert dataset.element_spec == {
        "x": tf.TensorSpec((2,), tf.float32),
        "y": (tf.TensorSpec((), tf.int64), tf.TensorSpec((), tf.float32)),
    }
    assert len(dataset) == 10
    assert listed(Dataset.range(3).map(lambda i: [i, i + 1])) == [[0, 1], [1, 2], [2, 3]]


def test_map_calls_once_per_element_and_pass() -> None:
    calls = []

    def double(i: Any) -> Any:
        calls.append(int(i))
        return i * 2

    assert listed(Dataset.range(3).map(double).batch(2)) == [[0, 2], [4]]
    assert calls == [0, 1, 2]


def test_map_with_python_control_flow_has_a_spec() -> None:
    dataset = Dataset.range(4).map(lambda i: i if i > 1 else -i)
    assert dataset.element_spec == tf.TensorSpec((), tf.int64) and listed(dataset) == [0, -1, 2, 3]


def test_map_may_not_change_its_nesting() -> None:
    with pytest.raises(TypeError, match="same nesting"):
        list(Dataset.range(2).map(lambda i: (i, i) if i else i))


def test_filter_take_while_enumerate() -> None:
    assert listed(Dataset.range(6).filter(lambda i: i % 2 == 0)) == [0, 2, 4]
    assert listed(Dataset.from_tensor_slices((X, Y)).filter(lambda x, y: y > 7).map(lambda x, y: y)) == [8, 9]
    assert listed(Dataset.range(6).take_while(lambda i: i < 3)) == [0, 1, 2]
    assert listed(Dataset.range(5, 7).enumerate(start=3)) == [(3, 5), (4, 6)]


def test_flat_map_and_interleave() -> None:
    assert listed(Dataset.range(3).flat_map(lambda i: Dataset.from_tensors(i).repeat(int(i)))) == [1, 2, 2]
    mixed = Dataset.range(1, 4).interleave(lambda i: Dataset.from_tensors(i).repeat(4), cycle_length=2, block_length=2)
    assert listed(mixed) == [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 3, 3]
    with pytest.raises(TypeError, match="must return a Dataset"):
        list(Dataset.range(2).flat_map(lambda i: i))


def test_zip_ends_with_the_shortest() -> None:
    assert listed(Dataset.zip((Dataset.range(3), Dataset.range(5, 9)))) == [(0, 5), (1, 6), (2, 7)]
    assert listed(Dataset.zip(Dataset.range(2), Dataset.range(2))) == [(0, 0), (1, 1)]
    nested = Dataset.zip({"a": Dataset.range(2), "b": Dataset.from_tensor_slices((X, Y))})
    assert nested.element_spec["b"][0] == tf.TensorSpec((2,), tf.float32) and len(nested) == 2
    assert next(iter(nested))["b"][1].numpy() == 0
    with pytest.raises(TypeError, match="zip takes data sets"):
        Dataset.zip(1, 2)


def test_unbatch_and_rebatch() -> None:
    batched = Dataset.from_tensor_slices((X, Y)).batch(4)
    assert [y for _, y in listed(batched.unbatch())] == list(range(10))
    assert [len(y) for _, y in listed(batched.rebatch(3))] == [3, 3, 3, 1]
    assert batched.unbatch().element_spec == (tf.TensorSpec((2,), tf.float32), tf.TensorSpec((), tf.int64))
    with pytest.raises(ValueError, match="first axis"):
        list(Dataset.range(3).unbatch())


def ragged() -> Dataset:
    return Dataset.range(1, 4).map(lambda i: tf.fill([int(i)], i))


def test_padded_batch() -> None:
    assert listed(ragged().padded_batch(2, padded_shapes=[None])) == [[[1, 0], [2, 2]], [[3, 3, 3]]]
    filled = ragged().padded_batch(3, padded_shapes=[4], padding_values=-1)
    assert listed(filled) == [[[1, -1, -1, -1], [2, 2, -1, -1], [3, 3, 3, -1]]]
    with pytest.raises(tf.errors.InvalidArgumentError, match="must fit"):
        list(ragged().padded_batch(3, padded_shapes=[2]))


def test_cache_runs_the_pipeline_once() -> None:
    calls: list[int] = []
    dataset = Dataset.range(3).map(lambda i: (calls.append(1), i)[1]).cache()
    assert listed(dataset) == listed(dataset) == [0, 1, 2]
    assert len(calls) == 3
    with pytest.raises(tf.errors.UnimplementedError, match="memory"):
        dataset.cache("file")


def test_incomplete_pass_is_not_cached() -> None:
    dataset = Dataset.range(5).cache()
    assert listed(dataset.take(2)) == [0, 1] and listed(dataset) == [0, 1, 2, 3, 4]


def test_prefetch_reduce_apply_single() -> None:
    assert listed(Dataset.range(4).prefetch(AUTOTUNE)) == [0, 1, 2, 3]
    assert int(Dataset.range(5).reduce(np.int64(0), lambda s, i: s + i)) == 10
    assert listed(Dataset.range(4).apply(lambda d: d.batch(2))) == [[0, 1], [2, 3]]
    assert int(Dataset.range(7, 8).get_single_element()) == 7
    with pytest.raises(tf.errors.InvalidArgumentError, match="more than one"):
        Dataset.range(2).get_single_element()
    with pytest.raises(tf.errors.InvalidArgumentError, match="empty"):
        Dataset.range(0).get_single_element()


def test_iterators_are_independent() -> None:
    dataset = Dataset.range(3)
    one, two = iter(dataset), iter(dataset)
    assert [int(next(one)), int(next(one)), int(next(two))] == [0, 1, 0]
    assert int(one.get_next()) == 2
    with pytest.raises(tf.errors.OutOfRangeError, match="End of sequence"):
        one.get_next()


def test_repr_shows_the_spec() -> None:
    assert repr(Dataset.range(2).batch(2)).startswith("<_BatchDataset element_spec=TensorSpec(shape=(None,), dtype=tf.int64")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Dataset.from_tensor_slices((X, Y[:3])), ValueError, r"same first dimension. Received: \[10, 3\]"),
        (lambda: Dataset.from_tensor_slices(3.0), ValueError, "scalar"),
        (lambda: Dataset.from_tensor_slices(()), ValueError, "at least one component"),
        (lambda: Dataset.from_tensor_slices((X, None)), ValueError, "None"),
        (lambda: Dataset.range(3).batch(0), ValueError, "batch_size must be greater than zero"),
        (lambda: Dataset.range(3).shuffle(0), ValueError, "buffer_size"),
        (lambda: Dataset.range(3).shard(2, 2), tf.errors.InvalidArgumentError, "index"),
        (lambda: Dataset.range(), ValueError, "one to three"),
        (lambda: Dataset.range(3).concatenate(Dataset.from_tensors(1.0)), TypeError, "incompatible types"),
        (lambda: list(ragged().batch(2)), tf.errors.InvalidArgumentError, "component 0"),
    ],
)
def test_bad_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
