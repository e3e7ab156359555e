"""A kernel in loop IR, under construction. In: loops to open, elements to compute and to store; out: a `Kernel`.

Elements are evaluated on demand. Every value is placed at the depth of the deepest loop that it depends on, so whatever an inner
loop does not change is computed outside it, and evaluated once per place however many terms read it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from weft.graph.dims import Size
from weft.graph.dtype import DType, int64

from .kernel import (
    Affine,
    Apply,
    Check,
    Const,
    Expr,
    Kernel,
    Let,
    Load,
    Loop,
    Name,
    Param,
    Position,
    SizeOf,
    Statement,
    Store,
    flatten_index,
    variable,
)
from .lower_formula import cast, lower_condition, lower_formula
from .terms import Fault, Fold, Formula, Literal, Pick, Ramp, Reshape, SizeValue, Term
from .walk_terms import Index, Place, arguments, loop_name, pick_place, picked

Storage = Callable[[Term], Sequence[int]]  # the buffers a term is stored in, the first of them its home
Overwritten = Callable[[Term], Sequence[Term]]  # arrays the kernel reads whose memory the term's elements take over


class Nest:
    """A kernel under construction: open loops, parameters, and the values already computed at each depth."""

    def __init__(self, storage: Storage, alias: Callable[[int], object], overwritten: Overwritten) -> None:
        self.storage, self.alias, self.overwritten = storage, alias, overwritten
        self.blocks: list[list[Statement]] = [[]]
        self.extents: list[Size] = []
        self.memo: list[dict[Place, Expr]] = [{}]
        self.depths: dict[str, int] = {}
        self.params: dict[object, Param] = {}
        self.buffers: list[int] = []  # one per parameter
        self.faults: list[Fault] = []
        self.fault_terms: list[Term] = []
        self.titles: list[str] = []
        self.available: Callable[[Term], bool] = lambda term: True
        self.count = 0

    # Loops ------------------------------------------------------------------------------------------------------------------

    @property
    def depth(self) -> int:
        return len(self.blocks) - 1

    def open(self, extent: Size) -> str:
        """Begins a loop; what is added from now on may go inside."""
        name = loop_name(self.depth)
        self.depths[name] = self.depth + 1
        self.extents.append(extent)
        self.blocks.append([])
        self.memo.append({})
        return name

    def close(self) -> None:
        body, extent = self.blocks.pop(), self.extents.pop()
        self.memo.pop()
        self.blocks[-1].append(Loop(loop_name(self.depth), extent, body))

    def kernel(self) -> Kernel:
        assert self.depth == 0, "a loop is still open"
        titles = list(dict.fromkeys(self.titles))
        return Kernel(short_title(titles), list(self.params.values()), self.blocks[0], tuple(titles), len(self.faults))

    # Memory -----------------------------------------------------------------------------------------------------------------

    def array(self, buffer: int, dtype: DType, term: Term, write: bool) -> Param:
        """The parameter that stands for the buffer; buffers in one place share it."""
        key = self.alias(buffer)
        param = self.params.get(key)
        if param is None:
            param = self.params[key] = Param(self.name_array(write), dtype, term.size)
            self.buffers.append(buffer)
        param.written = param.written or write
        return param

    def name_array(self, write: bool) -> str:
        """The next parameter's name."""
        outputs = sum(p.name.startswith("out") for p in self.params.values())
        if write:
            return f"out{outputs or ''}"
        return array_name(len(self.params) - outputs)

    def load(self, term: Term, position: Affine) -> Expr:
        place: Place = (term, (position,))
        depth = self.depth_of(position)
        known = self.lookup(place, depth)
        if known is None:
            param = self.array(self.storage(term)[0], term.dtype, term, write=False)
            known = self.let(Load(param.name, position, term.dtype), depth)
            self.memo[depth][place] = known
        return known

    def store(self, term: Term, position: Affine, value: Expr, note: str = "") -> None:
        """Writes the element to all of the term's buffers, at the present depth."""
        for old in self.overwritten(term):
            self.load(old, position)  # must be in a register before it is gone
        for buffer in self.storage(term):
            param = self.array(buffer, term.dtype, term, write=True)
            self.blocks[-1].append(Store(param.name, position, value, note))

    # Values -----------------------------------------------------------------------------------------------------------------

    def fresh(self, prefix: str = "t") -> str:
        self.count += 1
        return f"{prefix}{self.count - 1}"

    def let(self, value: Expr, depth: int, note: str = "", prefix: str = "t") -> Name:
        name = Name(self.fresh(prefix), value.dtype)
        self.depths[name.name] = depth
        self.blocks[depth].append(Let(name.name, value, note))
        return name

    def depth_of(self, index: Affine) -> int:
        return max((self.depths[v] for v in index.variables), default=0)

    def depth_of_value(self, value: Expr) -> int:
        if isinstance(value, Name):
            return self.depths[value.name]
        if isinstance(value, Position):
            return self.depth_of(value.index)
        if isinstance(value, Apply):
            return max(map(self.depth_of_value, value.args), default=0)
        return 0

    def lookup(self, place: Place, depth: int) -> Expr | None:
        return next((m[place] for m in self.memo[: depth + 1] if place in m), None)

    def value(self, term: Term, index: Index) -> Expr:
        """The element at the index: from memory if it is there, else computed, at the outermost possible depth."""
        root = term.args[0] if isinstance(term.rule, Reshape) else term
        place: Place = (root, (flatten_index(index, term.shape),))
        known = self.lookup(place, self.depth)
        if known is not None:
            return known
        if self.available(root):
            return self.load(root, place[1][0])
        value = self.compute(term, index)
        self.memo[self.depth_of_value(value)][place] = value
        return value

    def compute(self, term: Term, index: Index) -> Expr:
        rule = term.rule
        if isinstance(rule, Literal):
            return Const(literal_value(rule.text, term.dtype), term.dtype)
        if isinstance(rule, SizeValue):
            return SizeOf(rule.size, term.dtype)
        if isinstance(rule, Ramp):
            return Position(index[rule.axis], term.dtype)
        if isinstance(rule, Pick):
            return self.pick(term, index)
        args = [self.value(t, i) for t, i in arguments(term, index)]
        if not isinstance(rule, Formula):
            (value,) = args
            return value
        if rule.fault is not None:
            self.check(rule.fault, lower_condition(rule.fault.condition, rule, args), term)
        self.titles.append(rule.title)
        value = lower_formula(rule, args, term.dtype)
        return self.let(value, self.depth_of_value(value), rule.title) if isinstance(value, Apply) else value

    def check(self, fault: Fault, condition: Expr, term: Term) -> None:
        self.faults.append(fault)
        self.fault_terms.append(term)
        self.blocks[self.depth_of_value(condition)].append(Check(condition, len(self.faults), fault.message))

    def pick(self, term: Term, index: Index) -> Expr:
        """A gathered element."""
        self.titles.append("gather")
        return self.value(*picked(term, index, self.index_name(pick_place(term, index))))

    def index_name(self, place: Place) -> str:
        """The name of an int64 that holds the index element."""
        value = cast(self.value(*place), int64)
        if not isinstance(value, Name):
            key: Place = (place[0], (*place[1], variable("int64")))
            depth = self.depth_of_value(value)
            known = self.lookup(key, self.depth)
            value = self.memo[depth][key] = known or self.let(value, depth, prefix="k")
        assert isinstance(value, Name)
        return value.name

    # Accumulators -----------------------------------------------------------------------------------------------------------

    def start(self, value: Expr, depth: int, prefix: str = "acc") -> Name:
        return self.let(value, depth, prefix=prefix)

    def update(self, name: Name, value: Expr) -> None:
        self.blocks[-1].append(Let(name.name, value))

    def fill(self, term: Term, text: str) -> None:
        """Sets all elements of the term's home to a number, in a loop of its own before everything else."""
        param = self.array(self.storage(term)[0], term.dtype, term, write=True)
        value = Const(literal_value(text, term.dtype), term.dtype)
        self.blocks[0].append(Loop("i0", term.size, [Store(param.name, variable("i0"), value)]))


def short_title(titles: Sequence[str]) -> str:
    """The first few op names, as a name for a function."""
    title = "_".join(titles[:1])
    for more in titles[1:3]:
        title = f"{title}_{more}" if len(title) + len(more) < 40 else title
    return title


def array_name(index: int) -> str:
    return "abcdefghjklmnoqrsuvwxyz"[index] if index < 23 else f"a{index}"


def literal_value(text: str, dtype: DType) -> object:
    value = {"inf": float("inf"), "-inf": float("-inf"), "nan": float("nan")}.get(text)
    return dtype.np.type(ast.literal_eval(text) if value is None else value).item()


def combine(rule: Fold, acc: Expr, value: Expr) -> Expr:
    """``acc`` with the value taken in."""
    formula = Formula(rule.combine, ("acc", "a"), acc.dtype)
    return lower_formula(formula, (acc, value), acc.dtype)
