"""Gradients of what a tape noted. In: notes, targets, sources; out: gradient tensors, computed by ordinary ops.

The notes that matter become a small graph of their own whose inputs are the tensors that no note made; `graph.gradient`
differentiates it; the new nodes are then replayed, op by op, through the current interpreter, so that outer tapes and traces
see them. Eager training asks for the same gradient again and again, so the list of ops to replay (`Plan`) is remembered by the
structure of the notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from weft.graph.build import parameter
from weft.graph.gradient import gradients
from weft.graph.ir import Node, TupleType, make, topological
from weft.graph.op import REGISTRY, Attrs, Op
from weft.graph.origin import Origins, created_at
from weft.graph.record import record

from .apply import apply
from .checked import evaluators
from .context import state
from .eager import wrap
from .tensor import EagerTensor


def differentiate(
    notes: Sequence[Any], targets: Sequence[Any], sources: Sequence[Sequence[Any]], seeds: Sequence[Any] | None
) -> list[Any]:
    """One gradient tensor (or None) per source; a source is a list of tensors whose gradients are added.

    notes: a tape's, in program order. seeds: one tensor or None per target; None altogether means ones.
    """
    pairs = [(t, None if seeds is None else seeds[i]) for i, t in enumerate(targets)]
    flat = [t for group in sources for t in group]
    customs = [n for n in notes if n.rule is not None]
    for note in reversed(customs):
        pairs.extend(_through_rule(note, _gradients(notes, pairs, note.outputs)))
    found = iter(_gradients(notes, pairs, flat))
    return [_total([next(found) for _ in group]) for group in sources]


def _through_rule(note: Any, given: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Hands the gradients of a custom op's outputs to the user's function; gives (input, gradient) pairs."""
    if all(g is None for g in given):
        return []
    filled = [_zeros(t) if g is None else g for t, g in zip(note.outputs, given)]
    return [(t, g) for t, g in zip(note.inputs, note.rule(*filled)) if g is not None]


def _zeros(tensor: Any) -> Any:
    return apply("broadcast_to", (apply("cast", (0,), dtype=tensor.dtype),), shape=tuple(tensor.shape))


def _total(parts: Sequence[Any]) -> Any:
    total = None
    for part in parts:
        if part is not None:
            total = part if total is None else apply("add", (total, part))
    return total


def _gradients(notes: Sequence[Any], pairs: Sequence[tuple[Any, Any]], sources: Sequence[Any]) -> list[Any]:
    needed = _needed(notes, pairs)
    slots: dict[int, int] = {}
    values: list[Any] = []

    def slot(tensor: Any) -> int:
        found = slots.get(id(tensor))
        if found is None:
            found = slots[id(tensor)] = len(values)
            values.append(tensor)
        return found

    steps = [(n, tuple([slot(t) for t in n.inputs]), tuple([slot(t) for t in n.outputs])) for n in needed]
    ends = tuple([(slot(t), -1 if s is None else slot(s)) for t, s in pairs])
    starts = tuple([slot(s) for s in sources])
    key = None
    if not state.interpreter.recording:
        shapes = tuple([(values[t]._array.dtype, values[t]._array.shape) for end in ends for t in end if t >= 0])
        key = (tuple([(n.checked, i, o) for n, i, o in steps]), ends, starts, shapes)
    plan = _plans.get(key) if key is not None else None
    if plan is None:
        plan = _make_plan(steps, values, ends, starts)
        if key is not None:
            if len(_plans) > 256:
                _plans.clear()
            _plans[key] = plan
    return _replay(plan, values)


def _needed(notes: Sequence[Any], pairs: Sequence[tuple[Any, Any]]) -> list[Any]:
    """The notes that the targets depend on, in program order. Custom rules are not looked through."""
    wanted = {id(t) for t, _ in pairs}
    found = []
    for note in reversed(notes):
        if note.rule is None and any(id(t) in wanted for t in note.outputs):
            wanted.update([id(t) for t in note.inputs])
            found.append(note)
    found.reverse()
    return found


@record
class _Step:
    """One op to replay. args, out: slots. origins: the lines it is the derivative of."""

    op: Op
    args: tuple[int, ...]
    attrs: Attrs
    out: int
    origins: Origins


@record
class Plan:
    """The ops that compute gradients, over slots: first those of the notes, then constants, then new results."""

    size: int
    constants: tuple[tuple[int, EagerTensor], ...]
    steps: tuple[_Step, ...]
    results: tuple[int, ...]  # a slot per source, -1 for None


_plans: dict[Any, Plan] = {}


def _make_plan(steps: Sequence[Any], values: Sequence[Any], ends: Sequence[tuple[int, int]], starts: Sequence[int]) -> Plan:
    nodes: dict[int, Node] = {}

    def node(i: int) -> Node:
        if i not in nodes:
            nodes[i] = parameter(values[i].type)
        return nodes[i]

    for note, args, outs in steps:
        with created_at(note.origins):
            made = make(note.checked.op, [node(i) for i in args], note.checked.attrs)
            parts = [made] if not isinstance(made.type, TupleType) else [_item(made, i) for i in range(len(outs))]
        nodes.update(zip(outs, parts))
    found = gradients(
        [node(t) for t, _ in ends], [node(s) for s in starts], [None if s < 0 else node(s) for _, s in ends]
    )
    return _linearise(nodes, found, len(values))


def _item(node: Node, index: int) -> Node:
    return make(REGISTRY["item"], (node,), {"index": index})


def _linearise(nodes: dict[int, Node], found: Sequence[Node | None], size: int) -> Plan:
    slots: dict[Node, int] = {}
    for i, n in nodes.items():
        slots.setdefault(n, i)
    constants: list[tuple[int, EagerTensor]] = []
    steps: list[_Step] = []
    recording = state.interpreter.recording
    for n in topological([n for n in found if n is not None], slots):
        slots[n] = size
        if n.args or recording:  # a trace makes its own nodes, also constants and sizes
            steps.append(_Step(n.op, tuple(slots[a] for a in n.args), n.attrs, size, n.origins))
        else:
            constants.append((size, wrap(n.op.evaluate([], n.attrs))))
        size += 1
    return Plan(size, tuple(constants), tuple(steps), tuple(-1 if n is None else slots[n] for n in found))


def _replay(plan: Plan, tensors: Sequence[Any]) -> list[Any]:
    interpreter = state.interpreter
    if not interpreter.recording and not state.tapes:
        return _replay_arrays(plan, tensors)
    slots = [*tensors, *[None] * (plan.size - len(tensors))]
    for i, constant in plan.constants:
        slots[i] = constant
    for step in plan.steps:
        args = [slots[a] for a in step.args]
        if args and args[0].__class__ is tuple:
            slots[step.out] = args[0][step.attrs["index"]]
        elif interpreter.recording:
            slots[step.out] = interpreter.compute(step.op, args, step.attrs, step.origins)
        else:
            slots[step.out] = interpreter.compute(step.op, args, step.attrs)
    return [None if i < 0 else slots[i] for i in plan.results]


def _replay_arrays(plan: Plan, tensors: Sequence[Any]) -> list[Any]:
    """The same without anybody watching: NumPy kernels on bare arrays, whose types were checked when the plan was made."""
    slots: list[Any] = [t._array for t in tensors]
    slots.extend([None] * (plan.size - len(tensors)))
    for i, constant in plan.constants:
        slots[i] = constant._array
    for step in plan.steps:
        result = evaluators.get(step.op.name, step.op.evaluate)([slots[a] for a in step.args], step.attrs)
        slots[step.out] = result if isinstance(result, (np.ndarray, tuple, list)) else np.asarray(result)
    return [None if i < 0 else EagerTensor(slots[i]) for i in plan.results]
