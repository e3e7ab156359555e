"""Activation functions by Keras' names. In: a tensor, or a name for `get`; out: a tensor of the same shape, or the function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weft.tracer import Tensor, convert_to_tensor, ops

from .serialization import deserialize_object, find_object, public, resolve, serialize_object

_public = public("keras.activations")


def _remember_logits(y: Any, name: str, x: Any) -> Any:
    """The result with a note of what it was made of: a crossentropy from x keeps its gradient where y has rounded to 0 or 1."""
    if isinstance(y, Tensor):
        y._logits = name, x
    return y


@_public
def linear(x: Any) -> Any:
    """x."""
    return x


@_public
def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """x where it is above the threshold (at most ``max_value``), else ``negative_slope * (x - threshold)``."""
    x = convert_to_tensor(x)
    if threshold == 0.0:
        positive = ops.relu(x)
        if negative_slope and max_value is None:
            return ops.leaky_relu(x, alpha=negative_slope)
    else:
        positive = ops.where(x > threshold, x, ops.zeros_like(x))
    if max_value is not None:
        positive = ops.minimum(positive, max_value)
    if not negative_slope:
        return positive
    return positive - negative_slope * ops.relu(threshold - x if threshold else -x)


@_public
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """x where it is positive, else ``negative_slope * x``."""
    return ops.leaky_relu(x, alpha=negative_slope)


@_public
def relu6(x: Any) -> Any:
    """x limited to 0...6."""
    return relu(x, max_value=6.0)


@_public
def softmax(x: Any, axis: int = -1) -> Any:
    """exp(x), scaled so that it sums to one along ``axis``."""
    x = convert_to_tensor(x)
    y = ops.softmax(x, axis=axis)
    return _remember_logits(y, "softmax", x) if axis in (-1, len(x.shape) - 1) else y


@_public
def log_softmax(x: Any, axis: int = -1) -> Any:
    """The logarithm of `softmax`."""
    return ops.log_softmax(x, axis=axis)


@_public
def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, else ``alpha * (exp(x) - 1)``."""
    if alpha == 1.0:
        return ops.elu(x)
    return ops.where(x > 0.0, x, alpha * ops.expm1(ops.minimum(x, 0.0)))


@_public
def celu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, else ``alpha * (exp(x / alpha) - 1)``."""
    return ops.maximum(x, 0.0) + alpha * ops.expm1(ops.minimum(x, 0.0) / alpha)


@_public
def selu(x: Any) -> Any:
    """The scaled exponential unit that keeps mean 0 and variance 1."""
    return ops.selu(x)


@_public
def softplus(x: Any) -> Any:
    """log(1 + exp(x))."""
    return ops.softplus(x)


@_public
def softsign(x: Any) -> Any:
    """x / (1 + |x|)."""
    return x / (ops.abs(x) + 1.0)


@_public
def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x moved towards zero by the threshold; zero where it is nearer."""
    return ops.maximum(x - threshold, 0.0) + ops.minimum(x + threshold, 0.0)


@_public
def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x where |x| is above the threshold, else zero."""
    return ops.where(ops.abs(x) > threshold, x, ops.zeros_like(x))


@_public
def tanh_shrink(x: Any) -> Any:
    """x - tanh(x)."""
    return x - ops.tanh(x)


@_public
def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """x where it is above the threshold, else ``default_value``."""
    return ops.where(x > threshold, x, ops.zeros_like(x) + default_value)


@_public
def sparse_plus(x: Any) -> Any:
    """0 up to -1, x from 1 on, ``(x + 1)² / 4`` between."""
    bent = ops.square(x + 1.0) * 0.25
    return ops.where(x >= 1.0, x, ops.where(x <= -1.0, ops.zeros_like(x), bent))


@_public
def sparse_sigmoid(x: Any) -> Any:
    """0 up to -1, 1 from 1 on, ``(x + 1) / 2`` between."""
    return ops.clip_by_value((x + 1.0) * 0.5, 0.0, 1.0)


@_public
def squareplus(x: Any, b: float = 4) -> Any:
    """(x + sqrt(x² + b)) / 2."""
    return (x + ops.sqrt(ops.square(x) + float(b))) * 0.5


@_public
def silu(x: Any) -> Any:
    """x * sigmoid(x), also called swish."""
    return ops.silu(x)


@_public
def gelu(x: Any, approximate: bool = False) -> Any:
    """x times the normal distribution's cumulative value at x; ``approximate`` takes the tanh form."""
    return ops.gelu(x, approximate=approximate)


@_public
def glu(x: Any, axis: int = -1) -> Any:
    """The first half along ``axis`` times the sigmoid of the second half."""
    first, second = ops.split(x, 2, axis=axis)
    return first * ops.sigmoid(second)


@_public
def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    return ops.tanh(x)


@_public
def hard_tanh(x: Any) -> Any:
    """x limited to -1...1."""
    return ops.clip_by_value(x, -1.0, 1.0)


@_public
def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    x = convert_to_tensor(x)
    return _remember_logits(ops.sigmoid(x), "sigmoid", x)


@_public
def hard_sigmoid(x: Any) -> Any:
    """x / 6 + 1/2, limited to 0...1."""
    return ops.clip_by_value(x + 3.0, 0.0, 6.0) / 6.0


@_public
def hard_silu(x: Any) -> Any:
    """x * hard_sigmoid(x)."""
    return x * hard_sigmoid(x)


@_public
def log_sigmoid(x: Any) -> Any:
    """The logarithm of `sigmoid`."""
    return -ops.softplus(-x)


@_public
def exponential(x: Any) -> Any:
    """exp(x)."""
    return ops.exp(x)


@_public
def mish(x: Any) -> Any:
    """x * tanh(softplus(x))."""
    return x * ops.tanh(ops.softplus(x))


FUNCTIONS: tuple[Callable[..., Any], ...] = (
    linear,
    relu,
    leaky_relu,
    relu6,
    softmax,
    log_softmax,
    elu,
    celu,
    selu,
    softplus,
    softsign,
    soft_shrink,
    hard_shrink,
    tanh_shrink,
    threshold,
    sparse_plus,
    sparse_sigmoid,
    squareplus,
    silu,
    gelu,
    glu,
    tanh,
    hard_tanh,
    sigmoid,
    hard_sigmoid,
    hard_silu,
    log_sigmoid,
    exponential,
    mish,
)
TABLE: dict[str, Any] = {f.__name__: f for f in FUNCTIONS}
TABLE.update(swish=silu, hard_swish=hard_silu)
swish, hard_swish = silu, hard_silu


def get(identifier: Any) -> Any:
    """The function for a name, a function, a layer or its configuration; None gives `linear`.

    Raises ValueError with the near matches for an unknown name.
    """
    if identifier is None:
        return linear
    if identifier is ops.softmax or identifier is ops.sigmoid:
        return TABLE[identifier.__name__]  # whose results remember their logits
    return resolve("activation", TABLE, None, identifier)


def serialize(activation: Any) -> Any:
    """The function's name, or the configuration of a user's own."""
    name = getattr(activation, "__name__", None)
    if name in TABLE and str(getattr(activation, "__module__", "")).split(".")[0] == "weft":
        return TABLE[name].__name__  # also weft.nn.relu and its like
    return serialize_object(activation)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The function that `serialize` wrote."""
    return find_object(config) if isinstance(config, str) else deserialize_object(config, custom_objects)
