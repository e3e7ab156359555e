"""Custom gradients inside graphs. In: traced inputs, outputs and the user's gradient function; out: outputs that carry it along.

A compiled function may be differentiated by a tape outside it, when the Python function that knows the gradient is out of reach.
So the gradient is traced beside the result and kept in a ``custom_call`` node, which inlining removes once gradients are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from weft.graph.build import parameter
from weft.graph.dims import Dim
from weft.graph.ir import Graph, Node, make, substitute, topological
from weft.graph.op import REGISTRY
from weft.graph.origin import created_at

from .context import stop_recording
from .convert import convert_to_tensor
from .origin import user_origins
from .recording import Trace
from .tensor import TracedTensor


def bind_rule(
    trace: Trace, inputs: Sequence[Any], outputs: Sequence[Any], rule: Callable[..., Sequence[Any]]
) -> tuple[TracedTensor, ...]:
    """New tensors of the outputs' values whose gradient with respect to the inputs is the rule's.

    rule: one gradient tensor per output -> one per input, or None.
    """
    xs, ys = [trace.node_of(t) for t in inputs], [trace.node_of(t) for t in outputs]
    seeds = [parameter(y.type, "gradient") for y in ys]
    with stop_recording(), trace.dry_run():
        given = rule(*[TracedTensor(s, trace) for s in seeds])
        found = [None if g is None else trace.node_of(convert_to_tensor(g)) for g in given]
    results = [n for n in found if n is not None]
    args = [*ys, *xs, *_captured(results, seeds, {*xs, *ys})]
    inner = [parameter(a.type) for a in args]
    replacement = dict(zip(reversed(args), reversed(inner)))  # of two equal arguments the first
    rebuilt = substitute(results, {**replacement, **{s: s for s in seeds}})
    attrs = {
        "graph": Graph(tuple(inner), tuple(inner[: len(ys)]), name=trace.name),
        "backward": Graph((*inner, *seeds), tuple(rebuilt[n] for n in results), name=f"{trace.name}_gradient"),
        "connected": tuple(len(ys) + i for i, n in enumerate(found) if n is not None),
    }
    with created_at(user_origins()):
        call, item = make(REGISTRY["custom_call"], args, attrs), REGISTRY["item"]
        return tuple(TracedTensor(make(item, (call,), {"index": i}), trace) for i in range(len(ys)))


def _captured(results: Sequence[Node], seeds: Sequence[Node], known: set[Node]) -> list[Node]:
    """What the gradient uses from the surrounding graph: the last nodes that do not depend on an output gradient."""
    dependent: set[Node] = set(seeds)
    needed: list[Node] = list(results)
    for node in topological(results):
        if any(a in dependent for a in node.args):
            dependent.add(node)
            needed.extend(node.args)
    found = dict.fromkeys(n for n in needed if n not in dependent and n not in known)
    return [n for n in found if n.args or not _is_self_contained(n)]


def _is_self_contained(node: Node) -> bool:
    """Constants and sizes mean the same in every graph."""
    return "value" in node.attrs or isinstance(node.attrs.get("size"), Dim)
