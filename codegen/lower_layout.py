"""Layout ops -> terms. In: a layout node; out: a reshape, a strided view, or a term that places its arguments."""

from __future__ import annotations

from weft.graph.dims import Shape
from weft.graph.families import Layout
from weft.graph.ir import Node

from .terms import Literal, Own, Strided, Term, Terms


def lower_layout(table: Terms, node: Node, args: list[Term]) -> Term:
    """Views of a number are that number; the others stay symbolic until a kernel reads through them."""
    op, types = node.op, tuple(a.type for a in node.args)
    assert isinstance(op, Layout)
    if op.place is not None:
        places = op.place(types, node.attrs)
        fill = None if op.fill is None else repr(node.dtype.np.type(op.fill(node.attrs)).item())
        return table.make(Own("place", (fill, *((p.stride, p.offset) for p in places))), args, node.dtype, node.shape)
    (x,) = args
    if isinstance(x.rule, Literal):
        return table.make(x.rule, (), node.dtype, node.shape)
    if op.linear:
        return table.reshape(x, node.shape)
    assert op.view is not None
    view = op.view(types, node.attrs)
    return view_term(table, x, Strided(view.axis, view.stride, view.offset), node.shape)


def view_term(table: Terms, x: Term, rule: Strided, shape: Shape) -> Term:
    """The view, or the term itself if nothing moves."""
    same = x.shape == shape and rule.axis == tuple(range(len(shape)))
    if same and all(s == 1 for s in rule.stride) and all(o == 0 for o in rule.offset):
        return x
    return table.make(rule, (x,), x.dtype, shape)


def broadcast_leading(table: Terms, x: Term, leading: Shape) -> Term:
    """The matrices of ``x`` repeated to the leading shape; one matrix for all stays as it is."""
    own = x.shape[:-2]
    if own == leading or all(s == 1 for s in own):
        return x
    lead = len(leading) - len(own)
    axis = tuple(None if s == 1 and k < len(own) else k + lead for k, s in enumerate(x.shape))
    return table.make(Strided(axis, (1,) * len(x.shape), (0,) * len(x.shape)), (x,), x.dtype, (*leading, *x.shape[-2:]))
