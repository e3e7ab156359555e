"""The functions of Keras' old backend module, ``K.mean(K.square(x))``. In: tensors and numbers; out: tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import weft
from weft.layers import activations
from weft.layers.precision import floatx

from . import losses
from .losses.probabilistic import binary_crossentropies

abs, cos, exp, log, pow, round, sign, sin = weft.abs, weft.cos, weft.exp, weft.math.log, weft.pow, weft.round, weft.sign, weft.sin
sqrt, square, tanh, transpose, stop_gradient = weft.sqrt, weft.square, weft.tanh, weft.transpose, weft.stop_gradient
equal, not_equal, maximum, minimum = weft.equal, weft.not_equal, weft.maximum, weft.minimum
greater, greater_equal, less, less_equal = weft.greater, weft.greater_equal, weft.less, weft.less_equal
cumsum, cumprod, reshape, reverse, stack, tile = weft.cumsum, weft.math.cumprod, weft.reshape, weft.reverse, weft.stack, weft.tile
cast, constant, gather, ones_like, shape, zeros_like = (
    weft.cast, weft.constant, weft.gather, weft.ones_like, weft.shape, weft.zeros_like,
)  # fmt: skip
elu, hard_sigmoid, sigmoid = activations.elu, activations.hard_sigmoid, activations.sigmoid
softmax, softplus, softsign = activations.softmax, activations.softplus, activations.softsign


def _reduction(function: Callable[..., Any], name: str, doc: str, bools: bool = False) -> Callable[..., Any]:
    def reduce(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = weft.convert_to_tensor(x)
        if x.dtype.is_bool and not bools:
            x = weft.cast(x, floatx())
        return function(weft.cast(x, "bool") if bools else x, axis=axis, keepdims=keepdims)

    reduce.__name__, reduce.__doc__ = name, doc
    return reduce


sum = _reduction(weft.reduce_sum, "sum", "The sum along ``axis`` (None: of all elements).")
mean = _reduction(weft.reduce_mean, "mean", "The mean along ``axis``; bools count as 0 and 1.")
prod = _reduction(weft.reduce_prod, "prod", "The product along ``axis``.")
max = _reduction(weft.reduce_max, "max", "The largest element along ``axis``.")
min = _reduction(weft.reduce_min, "min", "The least element along ``axis``.")
std = _reduction(weft.math.reduce_std, "std", "The standard deviation along ``axis``.")
var = _reduction(weft.math.reduce_variance, "var", "The variance along ``axis``.")
any = _reduction(weft.reduce_any, "any", "Whether one element along ``axis`` is not 0.", bools=True)
all = _reduction(weft.reduce_all, "all", "Whether no element along ``axis`` is 0.", bools=True)


def argmax(x: Any, axis: int = -1) -> Any:
    """The position of the largest element along ``axis``."""
    return weft.argmax(x, axis)


def argmin(x: Any, axis: int = -1) -> Any:
    """The position of the least element along ``axis``."""
    return weft.argmin(x, axis)


def clip(x: Any, min_value: Any, max_value: Any) -> Any:
    """The elements, kept within the bounds; None is no bound."""
    x = weft.convert_to_tensor(x)
    low, high = (-float("inf") if min_value is None else min_value), (float("inf") if max_value is None else max_value)
    return weft.clip_by_value(x, low, high)


def concatenate(tensors: Sequence[Any], axis: int = -1) -> Any:
    """The tensors joined along ``axis``."""
    return weft.concat(list(tensors), axis)


def dot(x: Any, y: Any) -> Any:
    """The sum of products over the last axis of x and the last but one of y (the only one of a vector)."""
    x, y = weft.convert_to_tensor(x), weft.convert_to_tensor(y)
    inner = len(y.shape) - 2 if len(y.shape) > 1 else 0
    return weft.tensordot(x, y, [[len(x.shape) - 1], [inner]])


def expand_dims(x: Any, axis: int = -1) -> Any:
    """The tensor with a new axis of size 1."""
    return weft.expand_dims(x, axis)


def eye(size: int, dtype: Any = None, name: str | None = None) -> Any:
    """The identity matrix as a variable."""
    return variable(weft.eye(size, dtype=dtype or floatx()), name=name)


def flatten(x: Any) -> Any:
    """All elements along one axis."""
    return weft.reshape(x, [-1])


def batch_flatten(x: Any) -> Any:
    """The elements of each sample along one axis."""
    return weft.reshape(x, [weft.shape(x)[0], -1])


def l2_normalize(x: Any, axis: Any = None) -> Any:
    """The tensor divided by its norm along ``axis``."""
    return weft.math.l2_normalize(x, axis=axis)


def one_hot(indices: Any, num_classes: int) -> Any:
    """Class numbers as rows of zeros with a one."""
    return weft.one_hot(indices, num_classes)


def permute_dimensions(x: Any, pattern: Sequence[int]) -> Any:
    """The axes in another order."""
    return weft.transpose(x, pattern)


def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    """Each element ``rep`` times along ``axis``."""
    return weft.repeat(x, rep, axis=axis)


def squeeze(x: Any, axis: int) -> Any:
    """The tensor without this axis of size 1."""
    return weft.squeeze(x, [axis])


def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """`activations.relu` under older argument names."""
    return activations.relu(x, alpha, max_value, threshold)


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """One of both by the condition; functions are called for their value."""
    then, other = (e() if callable(e) else e for e in (then_expression, else_expression))
    return weft.where(weft.cast(condition, "bool"), then, other)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """The crossentropy of each element, without the mean."""
    output = weft.convert_to_tensor(output)
    return binary_crossentropies(weft.cast(target, output.dtype), output, from_logits)


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """The crossentropy of one-hot targets."""
    return losses.categorical_crossentropy(target, output, from_logits, axis=axis)


def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1, ignore_class: int | None = None
) -> Any:
    """The crossentropy of class numbers."""
    return losses.sparse_categorical_crossentropy(target, output, from_logits, ignore_class, axis)


def random_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: int | None = None) -> Any:
    """Normally distributed numbers."""
    return weft.random.normal(shape, mean, stddev, dtype or floatx(), seed)


def random_uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: int | None = None) -> Any:
    """Evenly distributed numbers."""
    return weft.random.uniform(shape, minval, maxval, dtype or floatx(), seed)


def truncated_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: int | None = None) -> Any:
    """Normally distributed numbers within two standard deviations."""
    return weft.random.truncated_normal(shape, mean, stddev, dtype or floatx(), seed)


def variable(value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None) -> Any:
    """A variable, of dtype `floatx` by default."""
    return weft.Variable(weft.cast(value, dtype or floatx()), name=name, constraint=constraint)


def zeros(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
    """A variable of zeros."""
    return variable(weft.zeros(shape), dtype, name)


def ones(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
    """A variable of ones."""
    return variable(weft.ones(shape), dtype, name)


def get_value(x: Any) -> Any:
    """The value of a variable or tensor as an array."""
    return x.numpy() if hasattr(x, "numpy") else x


eval = get_value


def set_value(x: Any, value: Any) -> None:
    """Sets a variable."""
    x.assign(weft.cast(value, x.dtype))


def update(x: Any, new_x: Any) -> Any:
    """Sets a variable and returns it."""
    return x.assign(new_x)


def update_add(x: Any, increment: Any) -> Any:
    """Adds to a variable and returns it."""
    return x.assign_add(increment)


def update_sub(x: Any, decrement: Any) -> Any:
    """Subtracts from a variable and returns it."""
    return x.assign_sub(decrement)


def count_params(x: Any) -> int:
    """The number of elements."""
    count: Any = weft.size(x)  # only a tensor with a value is a number; another one says so itself
    return int(count)


def dtype(x: Any) -> str:
    """The name of the tensor's dtype."""
    return x.dtype.name


def int_shape(x: Any) -> tuple[int | None, ...]:
    """The sizes, None for those that are not known yet."""
    return tuple(s if isinstance(s, int) else None for s in x.shape)


def ndim(x: Any) -> int:
    """The number of axes."""
    return len(x.shape)
