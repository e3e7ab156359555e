"""Tensor-level terms: the graph in the few forms that differ for loops. In: nodes, by `lower_graph`; out: `Term` trees.

Ten kinds of term, told apart by the class of ``rule``:

===========  =============================================================================================
`Leaf`       an input, variable or constant: an array that exists before the step
`Literal`    one number, the same everywhere
`SizeValue`  a size as a number
`Ramp`       the element's own index along one axis
`Formula`    one scalar expression of broadcast arguments (elementwise ops, the phases of row ops)
`Strided`    a view: each index is offset + stride * one output index
`Reshape`    the same elements in row-major order
`Fold`       a reduction over some axes
`Pick`       gather: an index read from a second argument
`Own`        computed by a kernel of its own kind: contraction, scatter, scan, random numbers, placing
===========  =============================================================================================

Terms are interned per graph, so common parts that only appear after lowering (two softmax phases) merge too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Union

from weft.graph.dims import Shape, Size, product
from weft.graph.dtype import DType
from weft.graph.ir import Node
from weft.graph.record import field, record


@record
class Leaf:
    """kind: "input", "variable" or "constant"; index: position among them."""

    kind: str
    index: int


@record
class Literal:
    """``text`` is the exact repr, so that 0.0 and -0.0 stay apart."""

    text: str


@record
class SizeValue:
    size: Size


@record
class Ramp:
    """The index along ``axis``."""

    axis: int


@record
class Fault:
    """A condition (scalar language) under which an element is an error, and what is raised then."""

    condition: str
    error: str
    message: str


@record
class Formula:
    """``expr`` in the scalar language. names: what the arguments are called in it. numbers: dtype of its literals.

    attrs: numeric attributes by name. title: for the reader.
    """

    expr: str
    names: tuple[str, ...]
    numbers: DType
    attrs: tuple[tuple[str, Any], ...] = ()
    title: str = field(default="", compare=False)
    fault: Fault | None = None


@record
class Strided:
    """Index ``k`` of the argument is ``offset[k] + stride[k] * index[axis[k]]`` (axis None: ``offset[k]``)."""

    axis: tuple[int | None, ...]
    stride: tuple[int, ...]
    offset: tuple[Size, ...]


@record
class Reshape:
    pass


@record
class Fold:
    """``acc = combine(acc, a)`` over ``axes``, from ``start``. wide: float32 is summed in float64. additive: combine is a sum.

    winner: the result is the position along the one axis of the element for which combine ("a beats acc") held last. apart: it is
    not computed where its argument is, see `fold_in_stages`.
    """

    axes: tuple[int, ...]
    combine: str
    start: str
    wide: bool = False
    additive: bool = False
    winner: bool = False
    title: str = field(default="", compare=False)
    apart: bool = False


@record
class Pick:
    """Arguments (params, indices): index ``axis`` of params is read from indices; ``batch`` leading axes are common.

    The indices have been tested.
    """

    axis: int
    batch: int


@record
class Own:
    """``family`` names the builder; ``attrs`` are its facts (hashable)."""

    family: str
    attrs: tuple[Any, ...] = ()


Rule = Union[Leaf, Literal, SizeValue, Ramp, Formula, Strided, Reshape, Fold, Pick, Own]


class Term:
    """An array-valued expression. Identity is equality within one `Terms` table. ``nodes``: where it comes from.

    kind: a number that terms with equal rules share, titles included.
    """

    __slots__ = ("args", "dtype", "kind", "nodes", "order", "rule", "shape", "size")

    def __init__(self, rule: Rule, kind: int, args: tuple[Term, ...], dtype: DType, shape: Shape, order: int) -> None:
        self.rule = rule
        self.kind = kind
        self.args = args
        self.dtype = dtype
        self.shape = shape
        self.size: Size = product(shape)
        self.order = order  # every argument has a smaller one
        self.nodes: list[Node] = []

    @property
    def title(self) -> str:
        """A short word for the reader."""
        name = getattr(self.rule, "title", "") or getattr(self.rule, "family", "")
        return name or type(self.rule).__name__.lower()

    def __repr__(self) -> str:
        return f"<Term {self.order} {self.title} {self.dtype.short}[{','.join(map(str, self.shape))}]>"


class Terms:
    """The interning table of one graph."""

    def __init__(self) -> None:
        self._table: dict[object, Term] = {}
        self._kinds: dict[object, int] = {}
        self.node: Node | None = None  # the node being lowered

    def make(self, rule: Rule, args: Sequence[Term], dtype: DType, shape: Iterable[Size]) -> Term:
        shape = tuple(shape)
        key = (type(rule), rule, tuple(a.order for a in args), dtype.name, shape)
        term = self._table.get(key)
        if term is None:
            term = self._table[key] = Term(rule, self.kind(rule), tuple(args), dtype, shape, len(self._table))
        if self.node is not None and self.node not in term.nodes:
            term.nodes.append(self.node)
        return term

    def kind(self, rule: Rule) -> int:
        """The number of the rule. Texts tell numbers apart that are equal but not the same, such as 0.0 and -0.0."""
        attrs = getattr(rule, "attrs", ())
        key = (type(rule), rule, getattr(rule, "title", ""), repr(attrs) if attrs else "")
        return self._kinds.setdefault(key, len(self._kinds))

    def formula(self, rule: Formula, args: Sequence[Term], dtype: DType, shape: Iterable[Size]) -> Term:
        return self.make(rule, args, dtype, shape)

    def reshape(self, x: Term, shape: Iterable[Size]) -> Term:
        """The term with another shape of the same size; reshapes of reshapes collapse."""
        shape = tuple(shape)
        while isinstance(x.rule, Reshape):
            (x,) = x.args
        return x if x.shape == shape else self.make(Reshape(), (x,), x.dtype, shape)

    def literal(self, value: Any, dtype: DType, shape: Iterable[Size] = ()) -> Term:
        text = repr(value.item() if hasattr(value, "item") else value)
        return self.make(Literal(text), (), dtype, shape)

    def copy(self, x: Term, purpose: object) -> Term:
        """A new term with the elements of ``x`` that is kept apart from it: what a second buffer is filled with."""
        rule = Formula("a", ("a",), x.dtype, (("copy", purpose),), "copy")
        return self.make(rule, (x,), x.dtype, x.shape)
