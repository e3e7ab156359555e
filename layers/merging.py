"""Layers that join several tensors. In: a list of tensors; out: one tensor. Each also has a function of the lower-case name."""

from __future__ import annotations

import functools
from typing import Any

from weft.tracer import ops

from .layer import Layer
from .serialization import public
from .shapes import Shape, is_shape


class Merge(Layer):
    """Combines at least two tensors element by element; shapes broadcast as in Keras, from the batch axis on.

    A tensor of lower rank gets axes of size 1 behind its batch axis. Subclasses define ``merge(a, b)``.
    """

    _keeps_dtype = True
    exact: int | None = None  # the number of inputs, where it is fixed

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def merge(self, a: Any, b: Any) -> Any:
        """The combination of two tensors of one rank."""
        raise NotImplementedError(f"The layer {type(self).__name__} must define merge(self, a, b).")

    def build(self, input_shape: Any) -> None:
        kind = type(self).__name__
        if is_shape(input_shape) or len(input_shape) < 1:
            raise ValueError(f"A `{kind}` layer should be called on a list of inputs. Received: input_shape={input_shape}")
        if self.exact is not None and len(input_shape) != self.exact:
            raise ValueError(f"A `{kind}` layer takes exactly {self.exact} inputs. Received: input_shape={input_shape}")
        batches = {s[0] for s in input_shape if s and s[0] is not None}
        if len(batches) > 1:
            raise ValueError(f"Cannot merge tensors with different batch sizes. Received tensors with shapes {input_shape}")
        self.compute_output_shape(input_shape)

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, (list, tuple)):
            raise ValueError(f"A `{type(self).__name__}` layer should be called on a list of inputs. Received: {inputs!r}")
        rank = max(len(x.shape) for x in inputs)
        aligned = [self._align(x, rank) for x in inputs]
        return functools.reduce(self.merge, aligned)

    @staticmethod
    def _align(x: Any, rank: int) -> Any:
        sizes = tuple(x.shape)
        missing = rank - len(sizes)
        return ops.reshape(x, (*sizes[:1], *(1,) * missing, *sizes[1:])) if missing else x

    def compute_output_shape(self, input_shape: Any) -> Shape:
        rank = max(len(s) for s in input_shape)
        aligned = [(*s[:1], *(1,) * (rank - len(s)), *s[1:]) for s in input_shape]
        return tuple(_broadcast_sizes(sizes, input_shape) for sizes in zip(*aligned, strict=True))


def _broadcast_sizes(sizes: tuple[int | None, ...], shapes: Any) -> int | None:
    fixed = {s for s in sizes if s not in (1, None)}
    if len(fixed) > 1:
        raise ValueError(f"Inputs have incompatible shapes. Received shapes {' and '.join(str(tuple(s)) for s in shapes)}")
    if fixed:
        return fixed.pop()
    return None if None in sizes else 1


@public("keras.layers")
class Add(Merge):
    """The sum of the inputs."""

    def merge(self, a: Any, b: Any) -> Any:
        return a + b


@public("keras.layers")
class Subtract(Merge):
    """The first input minus the second."""

    exact = 2

    def merge(self, a: Any, b: Any) -> Any:
        return a - b


@public("keras.layers")
class Multiply(Merge):
    """The product of the inputs, element by element."""

    def merge(self, a: Any, b: Any) -> Any:
        return a * b


@public("keras.layers")
class Average(Merge):
    """The mean of the inputs."""

    def merge(self, a: Any, b: Any) -> Any:
        return a + b

    def call(self, inputs: Any) -> Any:
        return super().call(inputs) / len(inputs)


@public("keras.layers")
class Maximum(Merge):
    """The largest of the inputs, element by element."""

    def merge(self, a: Any, b: Any) -> Any:
        return ops.maximum(a, b)


@public("keras.layers")
class Minimum(Merge):
    """The smallest of the inputs, element by element."""

    def merge(self, a: Any, b: Any) -> Any:
        return ops.minimum(a, b)


@public("keras.layers")
class Concatenate(Merge):
    """The inputs behind one another along ``axis``; all other sizes must be equal."""

    saved = ("axis",)

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, (list, tuple)):
            raise ValueError(f"A `Concatenate` layer should be called on a list of inputs. Received: {inputs!r}")
        return ops.concat(list(inputs), axis=self.axis)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        ranks = {len(s) for s in input_shape}
        if len(ranks) != 1 or not -min(ranks) <= self.axis < min(ranks):
            raise ValueError(
                f"`Concatenate(axis={self.axis})` needs inputs of one rank with that axis. Received: {input_shape}"
            )
        axis = self.axis % ranks.pop()
        out: list[int | None] = []
        for i, sizes in enumerate(zip(*input_shape, strict=True)):
            known = {s for s in sizes if s is not None}
            if i != axis and len(known) > 1:
                raise ValueError(
                    "A `Concatenate` layer requires inputs with matching shapes except for the concatenation axis. "
                    f"Received: input_shape={input_shape}, axis={self.axis}"
                )
            out.append((None if None in sizes else sum(sizes)) if i == axis else known.pop() if known else None)
        return tuple(out)


@public("keras.layers")
class Dot(Merge):
    """The product of two tensors, summed along ``axes`` (one axis, or one per input); ``normalize`` gives the cosine."""

    saved = ("axes", "normalize")
    exact = 2

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axes, self.normalize = axes, normalize

    def compute_output_shape(self, input_shape: Any) -> Shape:
        a, b = (tuple(s) for s in input_shape)
        left, right = self._axes(len(a), len(b))
        if a[left] is not None and b[right] is not None and a[left] != b[right]:
            raise ValueError(f"Dot needs equal sizes along its axes. Received shapes {a} and {b}, axes={self.axes}")
        out = (*(s for i, s in enumerate(a) if i != left), *(s for i, s in enumerate(b) if i not in (0, right)))
        return (*out, 1) if len(out) == 1 else out

    def _axes(self, a: int, b: int) -> tuple[int, int]:
        left, right = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        return left % a, right % b

    def call(self, inputs: Any) -> Any:
        a, b = inputs
        left, right = self._axes(len(a.shape), len(b.shape))
        if self.normalize:
            a, b = ops.l2_normalize(a, axis=left), ops.l2_normalize(b, axis=right)
        letters = "abcdefghijklmnop"
        first = letters[: len(a.shape)]
        second = [letters[len(a.shape) + i] for i in range(len(b.shape))]
        second[0], second[right] = first[0], first[left]
        out = [c for c in first if c != first[left]] + [c for i, c in enumerate(second) if i not in (0, right)]
        result = ops.einsum(f"{first},{''.join(second)}->{''.join(out)}", a, b)
        return ops.expand_dims(result, 1) if len(out) == 1 else result


def add(inputs: Any, **kwargs: Any) -> Any:
    """`Add` as a function."""
    return Add(**kwargs)(inputs)


def subtract(inputs: Any, **kwargs: Any) -> Any:
    """`Subtract` as a function."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Any, **kwargs: Any) -> Any:
    """`Multiply` as a function."""
    return Multiply(**kwargs)(inputs)


def average(inputs: Any, **kwargs: Any) -> Any:
    """`Average` as a function."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Any, **kwargs: Any) -> Any:
    """`Maximum` as a function."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Any, **kwargs: Any) -> Any:
    """`Minimum` as a function."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """`Concatenate` as a function."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Any, axes: Any = -1, **kwargs: Any) -> Any:
    """`Dot` as a function."""
    return Dot(axes=axes, **kwargs)(inputs)
