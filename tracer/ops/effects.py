"""Printing and assertions, which happen in program order, eagerly and in a traced function. In: tensors; out: nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from weft.graph.dtype import as_dtype
from weft.graph.errors import DTypeError, ShapeError, UnimplementedError

from ..apply import apply
from ..tensor import Tensor
from ..tensor_shape import TensorShape
from .arguments import as_integer, as_tensor, as_tensors, is_tensor_like, sizes_of


def print_tensors(
    *inputs: Any, output_stream: Any = None, end: str = "\n", sep: str = " ", summarize: int = 3, name: str | None = None
) -> None:
    """Prints tensors and other objects with their values, to stderr unless ``output_stream`` is ``sys.stdout``.

    Of long axes the first and last ``summarize`` entries are shown; -1 shows all.
    """
    stream = _stream_name(output_stream)
    parts: list[str | None] = []
    tensors: list[Tensor] = []
    for i, value in enumerate(inputs):
        if i:
            parts.append(sep)
        _add_parts(value, parts, tensors, top=True)
    limit = -1 if summarize is None else int(summarize)
    apply("print", tensors, parts=tuple(parts), end=end, summarize=limit, stream=stream)


print_tensors.__name__ = print_tensors.__qualname__ = "print"


def _stream_name(stream: Any) -> str:
    if stream is None or stream is sys.stderr or stream == "stderr":
        return "stderr"
    if stream is sys.stdout or stream == "stdout":
        return "stdout"
    raise UnimplementedError(f"print writes to sys.stderr or sys.stdout. Received: output_stream={stream!r}.")


def _add_parts(value: Any, parts: list[str | None], tensors: list[Tensor], top: bool) -> None:
    """Text for what is known now, None for each tensor."""
    if is_tensor_like(value):
        parts.append(None)
        tensors.append(as_tensor(value))
    elif isinstance(value, (list, tuple)):
        start, end = "[]" if isinstance(value, list) else "()"
        _add_items([("", v) for v in value], start, end, parts, tensors)
    elif isinstance(value, Mapping):
        _add_items([(f"{k!r}: ", v) for k, v in value.items()], "{", "}", parts, tensors)
    else:
        parts.append(str(value) if top else repr(value))


def _add_items(items: list[tuple[str, Any]], start: str, end: str, parts: list[str | None], tensors: list[Tensor]) -> None:
    parts.append(start)
    for i, (label, value) in enumerate(items):
        parts.append((", " if i else "") + label)
        _add_parts(value, parts, tensors, top=False)
    parts.append(end)


def check(condition: Any, data: Any, message: str, summarize: int | None = None) -> None:
    """Raises `CheckFailedError` with the message and the data unless the condition holds everywhere."""
    tensors = [as_tensor(d) for d in data]
    apply("check", (as_tensor(condition), *tensors), message=message, summarize=3 if summarize is None else int(summarize))


def assert_true(condition: Any, data: Any, summarize: int | None = None, name: str | None = None) -> None:
    """Raises unless the bool ``condition`` is true everywhere; the message shows the tensors in ``data``."""
    check(condition, [d for d in data if not isinstance(d, str)], "Expected the condition to be true. " + _words(data), summarize)


assert_true.__name__ = assert_true.__qualname__ = "Assert"


def _words(data: Any) -> str:
    return " ".join(d for d in data if isinstance(d, str)) or "Summarized data:"


def _compare(op: str, sign: str, x: Any, y: Any, message: str | None, summarize: int | None) -> None:
    a, b = as_tensors(x, y)
    text = f"{message or ''}\nCondition x {sign} y did not hold. x and y:".lstrip("\n")
    check(apply(op, (a, b)), [a, b], text, summarize)


def assert_equal(x: Any, y: Any, message: str | None = None, summarize: int | None = None, name: str | None = None) -> None:
    """Raises unless ``x == y`` everywhere."""
    _compare("equal", "==", x, y, message, summarize)


def assert_none_equal(x: Any, y: Any, summarize: int | None = None, message: str | None = None, name: str | None = None) -> None:
    """Raises unless ``x != y`` everywhere."""
    _compare("not_equal", "!=", x, y, message, summarize)


def assert_less(x: Any, y: Any, message: str | None = None, summarize: int | None = None, name: str | None = None) -> None:
    """Raises unless ``x < y`` everywhere."""
    _compare("less", "<", x, y, message, summarize)


def assert_less_equal(x: Any, y: Any, message: str | None = None, summarize: int | None = None, name: str | None = None) -> None:
    """Raises unless ``x <= y`` everywhere."""
    _compare("less_equal", "<=", x, y, message, summarize)


def assert_greater(x: Any, y: Any, message: str | None = None, summarize: int | None = None, name: str | None = None) -> None:
    """Raises unless ``x > y`` everywhere."""
    _compare("greater", ">", x, y, message, summarize)


def assert_greater_equal(
    x: Any, y: Any, message: str | None = None, summarize: int | None = None, name: str | None = None
) -> None:
    """Raises unless ``x >= y`` everywhere."""
    _compare("greater_equal", ">=", x, y, message, summarize)


def assert_positive(x: Any, message: str | None = None, summarize: int | None = None, name: str | None = None) -> None:
    """Raises unless ``x > 0`` everywhere."""
    _compare("greater", ">", x, 0, message, summarize)


def assert_negative(x: Any, message: str | None = None, summarize: int | None = None, name: str | None = None) -> None:
    """Raises unless ``x < 0`` everywhere."""
    _compare("less", "<", x, 0, message, summarize)


def assert_non_negative(x: Any, message: str | None = None, summarize: int | None = None, name: str | None = None) -> None:
    """Raises unless ``x >= 0`` everywhere."""
    _compare("greater_equal", ">=", x, 0, message, summarize)


def assert_non_positive(x: Any, message: str | None = None, summarize: int | None = None, name: str | None = None) -> None:
    """Raises unless ``x <= 0`` everywhere."""
    _compare("less_equal", "<=", x, 0, message, summarize)


def assert_near(
    x: Any, y: Any, rtol: Any = None, atol: Any = None, message: str | None = None, summarize: int | None = None,
    name: str | None = None,
) -> None:
    """Raises unless ``|x - y| <= atol + rtol * |y|`` everywhere; the tolerances are 10 times the dtype's precision by default."""
    a, b = as_tensors(x, y)
    default = {2: 1e-2, 4: 10 * 2.0**-23, 8: 10 * 2.0**-52}[a.dtype.size] if a.dtype.is_floating else 0
    relative, absolute = (as_tensor(default if t is None else t, a.dtype) for t in (rtol, atol))
    limit = apply("add", (absolute, apply("mul", (relative, apply("abs", (b,))))))
    text = f"{message or ''}\nx and y are not equal to the tolerance. x and y:".lstrip("\n")
    check(apply("less_equal", (apply("abs", (apply("sub", (a, b)),)), limit)), [a, b], text, summarize)


def assert_rank(x: Any, rank: Any, message: str | None = None, name: str | None = None) -> None:
    """ValueError unless ``x`` has ``rank`` axes."""
    assert_rank_in(x, [rank], message)


def assert_rank_in(x: Any, ranks: Any, message: str | None = None, name: str | None = None) -> None:
    """ValueError unless the number of axes of ``x`` is in ``ranks``."""
    tensor, allowed = as_tensor(x), [as_integer(r) for r in ranks]
    if len(sizes_of(tensor)) not in allowed:
        shown = allowed[0] if len(allowed) == 1 else allowed
        raise ShapeError(f"{message or ''} The tensor must have rank {shown}. Received: shape {tensor.shape}.".strip())


def assert_rank_at_least(x: Any, rank: Any, message: str | None = None, name: str | None = None) -> None:
    """ValueError unless ``x`` has at least ``rank`` axes."""
    tensor = as_tensor(x)
    if len(sizes_of(tensor)) < as_integer(rank):
        raise ShapeError(f"{message or ''} The tensor must have at least rank {rank}. Received: shape {tensor.shape}.".strip())


def assert_scalar(tensor: Any, message: str | None = None, name: str | None = None) -> Tensor:
    """The tensor; ValueError unless it has no axes."""
    assert_rank(tensor, 0, message)
    return as_tensor(tensor)


def assert_type(tensor: Any, tf_type: Any, message: str | None = None, name: str | None = None) -> None:
    """TypeError unless the tensor has this dtype."""
    x = as_tensor(tensor)
    if x.dtype is not as_dtype(tf_type):
        wanted = as_dtype(tf_type).name
        raise DTypeError(f"{message or ''} The tensor must have dtype {wanted}. Received: {x.dtype.name}.".strip())


def assert_integer(x: Any, message: str | None = None, name: str | None = None) -> None:
    """TypeError unless the tensor has an integer dtype."""
    tensor = as_tensor(x)
    if not tensor.dtype.is_integer:
        raise DTypeError(f"{message or ''} The tensor must have an integer dtype. Received: {tensor.dtype.name}.".strip())


def assert_shapes(
    shapes: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> None:
    """ValueError unless the tensors have the given shapes.

    shapes: a list of (tensor, shape); a letter in a shape stands for the same size wherever it occurs, None for any.
    """
    sizes: dict[Any, Any] = {}
    for tensor, shape in shapes.items() if isinstance(shapes, Mapping) else shapes:
        x = as_tensor(tensor)
        here, wanted = sizes_of(x), tuple(shape) if isinstance(shape, (list, tuple, str, TensorShape)) else (shape,)
        fits = len(here) == len(wanted)
        for size, want in zip(here, wanted, strict=False):
            if isinstance(want, str):
                want = sizes.setdefault(want, size)
            fits = fits and (want is None or want == size)
        if not fits:
            raise ShapeError(f"{message or ''} The tensor must have the shape {wanted}. Received: shape {x.shape}.".strip())


def check_numerics(tensor: Any, message: str, name: str | None = None) -> Tensor:
    """The tensor; raises `CheckFailedError`, an InvalidArgumentError, if an element is NaN or infinite."""
    x = as_tensor(tensor)
    check(apply("isfinite", (x,)), [], f"{message} : Tensor had NaN or Inf values")
    return x


def assert_all_finite(x: Any, message: str, name: str | None = None) -> Tensor:
    """`check_numerics` under TensorFlow's other name."""
    return check_numerics(x, message)


def is_numeric_tensor(tensor: Any) -> bool:
    """Whether ``tensor`` is a tensor of numbers."""
    return is_tensor_like(tensor) and not tensor.dtype.is_bool
