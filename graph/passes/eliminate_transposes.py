"""Layout: rules for fewer ops that only move elements. All are exact: they move elements and change none.

Transposes go into the flags of matrix products, chains of layout ops become one, and those that change nothing go.
"""

from __future__ import annotations

from ..dims import Size
from ..families import Layout
from ..ir import Node
from ..pattern import Make
from ..rewrite import AnyRule, FamilyRule, Rule

CHAINS = (
    Rule("reshape(reshape(x, shape=s), shape=t)", "reshape(x, shape=t)",
         example={"x": "f32[2,6]", "s": (3, 4), "t": (12,)}),
    Rule("transpose(transpose(x, perm=p), perm=q)", "transpose(x, perm=composed(p, q))",
         example={"x": "f32[2,3,4]", "p": (1, 2, 0), "q": (0, 2, 1)}),
    Rule("broadcast_to(broadcast_to(x, shape=s), shape=t)", "broadcast_to(x, shape=t)",
         example={"x": "f32[3]", "s": (2, 3), "t": (4, 2, 3)}),
    Rule("broadcast_to(reshape(x, shape=s), shape=t)", "broadcast_to(x, shape=t)", where="adds_leading_ones(x, s)",
         example={"x": "f32[3]", "s": (1, 3), "t": (2, 3)}),
    Rule("reshape(broadcast_to(x, shape=s), shape=t)", "broadcast_to(x, shape=t)", where="x.shape == ()",
         example={"x": "f32[]", "s": (6,), "t": (2, 3)}),
    Rule("transpose(broadcast_to(x, shape=s), perm=p)", "broadcast_to(x, shape=root.shape)", where="x.shape == ()",
         example={"x": "f32[]", "s": (2, 3), "p": (1, 0)}),
)

NOTHING_TO_DO = (
    Rule("reshape(x, shape=s)", "x", where="s == x.shape", example={"x": "f32[2,3]", "s": (2, 3)}),
    Rule("broadcast_to(x, shape=s)", "x", where="s == x.shape", example={"x": "f32[2,3]", "s": (2, 3)}),
    Rule("transpose(x, perm=p)", "x", where="identity_permutation(p)", example={"x": "f32[2,3]", "p": (0, 1)}),
    Rule("slice(x, begin=b, shape=s, strides=t)", "x", where="full_slice(x, b, s, t)",
         example={"x": "f32[2,3]", "b": (0, 0), "s": (2, 3), "t": (1, 1)}),
    Rule("pad(x, low=l, high=h, interior=i, value=v)", "x", where="all_zero(l, h, i)",
         example={"x": "f32[2,3]", "l": (0, 0), "h": (0, 0), "i": (0, 0), "v": 0.0}),
    Rule("reverse(x, axes=a)", "x", where="ones_at(x, a)", example={"x": "f32[2,1]", "a": (1,)}),
    Rule("concat(x, axis=a)", "x", example={"x": "f32[2,3]", "a": 0}),
)

CHEAPER_MOVES = (
    Rule("transpose(x, perm=p)", "reshape(x, shape=root.shape)", where="moves_only_ones(x, p)",
         example={"x": "f32[2,1,3]", "p": (1, 0, 2)}, why="no element moves in memory"),
)

PRODUCTS = (
    Rule("matmul(transpose(x, perm=p), y, transpose_a=s, transpose_b=t)", "matmul(x, y, transpose_a=not s, transpose_b=t)",
         where="swaps_last_two(p)", example={"x": "f32[3,2]", "p": (1, 0), "y": "f32[3,4]", "s": False, "t": False}),
    Rule("matmul(x, transpose(y, perm=p), transpose_a=s, transpose_b=t)", "matmul(x, y, transpose_a=s, transpose_b=not t)",
         where="swaps_last_two(p)", example={"x": "f32[5,2,3]", "p": (0, 2, 1), "y": "f32[5,4,3]", "s": False, "t": False}),
)


def slice_part(node: Node, make: Make) -> Node | None:
    """The slice of the one part of a concatenation that it lies in. Sizes that are symbolic must be those of the part."""
    if not isinstance(node.op, Layout) or len(node.args) != 1 or set(node.attrs) != {"begin", "shape", "strides"}:
        return None
    (whole,) = node.args
    if not isinstance(whole.op, Layout) or whole.op.place is None or whole.op.fill is not None:
        return None
    begin, shape, strides = node.attrs["begin"], node.attrs["shape"], node.attrs["strides"]
    if any(s != 1 and n != 1 for s, n in zip(strides, shape, strict=True)):
        return None
    for part, place in zip(whole.args, whole.op.place(tuple(a.type for a in whole.args), whole.attrs), strict=True):
        if all(map(_lies_within, begin, shape, place.offset, part.shape)):
            inside = tuple(b - f for b, f in zip(begin, place.offset, strict=True))
            return make(node.op, [part], {"begin": inside, "shape": shape, "strides": strides})
    return None


def _lies_within(begin: Size, count: Size, offset: Size, size: Size) -> bool:
    if begin == offset and count == size:
        return True
    values = (begin, count, offset, size)
    known = all(isinstance(v, int) for v in values)
    return known and offset <= begin and begin + count <= offset + size  # type: ignore[operator]  # numbers, all of them


PARTS = (
    FamilyRule(
        "a slice of one part of a concatenation is a slice of the part",
        ("layout",),
        slice_part,
        before=(
            "graph f(%0, %1):\n  %0: f32[batch] = parameter()\n  %1: f32[3] = parameter()\n"
            "  %2: f32[batch+3] = concat(%0, %1, axis=0)\n"
            "  %3: f32[batch] = slice(%2, begin=(0,), shape=(batch,), strides=(1,))\n  return %3"
        ),
        after="graph f(%0, %1):\n  %0: f32[batch] = parameter()\n  %1: f32[3] = parameter()\n  return %0",
        lighter="an op less, and the other parts go",
    ),
)

LAYOUT: tuple[AnyRule, ...] = (*CHAINS, *NOTHING_TO_DO, *CHEAPER_MOVES, *PRODUCTS, *PARTS)
