"""Einstein summation. In: an equation and tensors; out: one tensor, computed by transposes, reshapes and matrix products."""

from __future__ import annotations

from typing import Any

from weft.graph.dims import Dim, Size, product
from weft.graph.errors import ShapeError
from weft.graph.op import DimConflict

from ..apply import apply
from ..tensor import Tensor
from .arguments import as_tensors, sizes_of
from .contraction import diag_part

Labels = str
_UNNAMED = "".join(chr(0x391 + i) for i in range(16))  # capital Greek letters


def einsum(equation: str, *inputs: Any, optimize: Any = "greedy", name: str | None = None) -> Tensor:
    """The sum of products that the equation describes, such as ``"bij,bjk->bik"``; ``...`` stands for leading axes.

    Operands are combined from left to right. ValueError if the equation does not fit the operands.
    """
    if not inputs:
        raise ValueError("einsum needs at least one tensor. Received: none.")
    tensors = as_tensors(*inputs)
    terms, result = _parse_equation(equation, [len(sizes_of(t)) for t in tensors])
    _check_sizes(equation, terms, tensors)
    terms, tensors = list(terms), list(tensors)
    for i, term in enumerate(terms):
        terms[i], tensors[i] = _without_repeats(term, tensors[i])
    while len(tensors) > 1:
        needed = set(result).union(*terms[2:])
        term, tensor = _multiply(terms[0], tensors[0], terms[1], tensors[1], needed)
        terms[:2], tensors[:2] = [term], [tensor]
    term, tensor = _summed(terms[0], tensors[0], set(result))
    return _ordered(tensor, term, result)


def _parse_equation(equation: str, ranks: list[int]) -> tuple[list[Labels], Labels]:
    """The labels of every operand and of the result, with ``...`` replaced by capital Greek letters."""
    text = equation.replace(" ", "")
    left, arrow, result = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ValueError(f"The equation {equation!r} names {len(terms)} operands. Received: {len(ranks)} tensors.")
    widths = [rank - len(term.replace("...", "")) for term, rank in zip(terms, ranks, strict=True)]
    for term, rank, width in zip(terms, ranks, widths, strict=True):
        if width < 0 or (width > 0 and "..." not in term):
            raise ShapeError(f"The term {term!r} of {equation!r} does not fit a tensor of rank {rank}.")
    letters = _UNNAMED[: max([w for t, w in zip(terms, widths, strict=True) if "..." in t], default=0)]
    full = [t.replace("...", letters[len(letters) - w :]) for t, w in zip(terms, widths, strict=True)]
    if not arrow:
        joined = "".join(full)
        once = sorted(c for c in set(joined) if joined.count(c) == 1 and c not in letters)
        return full, letters + "".join(once)
    out = result.replace("...", letters)
    if any(c not in "".join(full) for c in out) or len(set(out)) != len(out):
        raise ValueError(f"The result of {equation!r} must name labels of the operands, each once.")
    return full, out


def _check_sizes(equation: str, terms: list[Labels], tensors: list[Tensor]) -> None:
    """A label has one size everywhere; only the axes that ``...`` stands for may be broadcast."""
    sizes: dict[str, Size] = {}
    for term, tensor in zip(terms, tensors, strict=True):
        for label, size in zip(term, sizes_of(tensor), strict=True):
            before = sizes.setdefault(label, size)
            if before == 1 and label in _UNNAMED:
                sizes[label] = size
            elif size != before and not (size == 1 and label in _UNNAMED):
                shapes = ", ".join(str(t.shape) for t in tensors)
                message = f"{label!r} in {equation!r} has the sizes {before} and {size}. Received: shapes {shapes}."
                raise DimConflict(message, before, size) if Dim in (type(before), type(size)) else ShapeError(message)


def _without_repeats(term: Labels, tensor: Tensor) -> tuple[Labels, Tensor]:
    """Takes the diagonal wherever a label occurs twice in one operand."""
    while len(set(term)) < len(term):
        label = next(c for c in term if term.count(c) > 1)
        i, j = [k for k, c in enumerate(term) if c == label][:2]
        rest = [k for k in range(len(term)) if k not in (i, j)]
        tensor = diag_part(apply("transpose", (tensor,), perm=(*rest, i, j)))
        term = "".join(term[k] for k in rest) + label
    return term, tensor


def _summed(term: Labels, tensor: Tensor, needed: set[str]) -> tuple[Labels, Tensor]:
    """Sums away the labels nobody needs."""
    axes = tuple(i for i, c in enumerate(term) if c not in needed)
    if not axes:
        return term, tensor
    return "".join(c for c in term if c in needed), apply("reduce_sum", (tensor,), axes=axes, keepdims=False)


def _ordered(tensor: Tensor, term: Labels, wanted: Labels) -> Tensor:
    perm = tuple(term.index(c) for c in wanted)
    return tensor if perm == tuple(range(len(perm))) else apply("transpose", (tensor,), perm=perm)


def _multiply(p: Labels, x: Tensor, q: Labels, y: Tensor, needed: set[str]) -> tuple[Labels, Tensor]:
    """One product: a batched matrix product with the axes grouped into batch, rows, inner and columns."""
    p, x = _summed(p, x, needed | set(q))
    q, y = _summed(q, y, needed | set(p))
    size_p, size_q = dict(zip(p, sizes_of(x), strict=True)), dict(zip(q, sizes_of(y), strict=True))
    inner = [c for c in p if c in q and c not in needed]
    if any(size_p[c] != size_q[c] for c in inner):  # one of them is 1: broadcasting inside a sum, so multiply and sum instead
        return _multiply_broadcast(p, x, q, y, needed)
    batch = [c for c in p if c in q and c in needed]
    rows, columns = [c for c in p if c not in q], [c for c in q if c not in p]
    if not inner:
        return _multiply_broadcast(p, x, q, y, needed)
    left = _ordered(x, p, "".join([*batch, *rows, *inner]))
    right = _ordered(y, q, "".join([*batch, *inner, *columns]))
    k = product(size_p[c] for c in inner)
    a = apply("reshape", (left,), shape=(*(size_p[c] for c in batch), product(size_p[c] for c in rows), k))
    b = apply("reshape", (right,), shape=(*(size_q[c] for c in batch), k, product(size_q[c] for c in columns)))
    out = apply("matmul", (a, b), transpose_a=False, transpose_b=False)
    shape = (*sizes_of(out)[:-2], *(size_p[c] for c in rows), *(size_q[c] for c in columns))
    return "".join([*batch, *rows, *columns]), apply("reshape", (out,), shape=shape)


def _multiply_broadcast(p: Labels, x: Tensor, q: Labels, y: Tensor, needed: set[str]) -> tuple[Labels, Tensor]:
    union = "".join([*p, *(c for c in q if c not in p)])
    size_q = dict(zip(q, sizes_of(y), strict=True))
    a = apply("reshape", (x,), shape=(*sizes_of(x), *(1,) * (len(union) - len(p))))
    b = apply("reshape", (_ordered(y, q, "".join(c for c in union if c in q)),), shape=tuple(size_q.get(c, 1) for c in union))
    return _summed(union, apply("mul", (a, b)), needed)
