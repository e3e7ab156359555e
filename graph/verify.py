"""The verifier. In: a graph; out: nothing, or a `VerificationError` that names the node and the invariant it breaks.

Passes are checked with it in tests and in debug mode: what it rejects is a defect of weft, never of the user's program.
"""

from __future__ import annotations

from collections.abc import Iterable

from .dims import Dim
from .errors import VerificationError
from .families import Control, Effect, Layout
from .ir import ArrayType, Graph, Node, TokenType, TupleType
from .op import REGISTRY, Op


def verify(graph: Graph) -> Graph:
    """Checks the graph and those it holds, and returns it. Raises `VerificationError`.

    Checked: every node's op is registered, has the declared number of arguments and attributes, and the type its rule gives;
    nothing depends on itself; inputs are different ``parameter`` nodes and no other parameter is used; every symbolic size
    occurs in an input or a variable; a variable is written once, with its own type; every effect lies on the one chain of
    tokens that ends in ``graph.token``; outputs are arrays.
    """
    nodes = _acyclic(graph)
    known = _known_sizes(graph)
    for node in nodes:
        _check_node(node)
        _check_sizes(node, known)
        for value in node.attrs.values():
            if isinstance(value, Graph):
                verify(value)
    _check_inputs(graph, nodes)
    _check_results(graph)
    _check_tokens(graph, nodes)
    return graph


def _require(truth: bool, rule: str, received: object) -> None:
    if not truth:
        raise VerificationError(f"{rule} Received: {_describe(received) if isinstance(received, Node) else received}.")


def _describe(node: Node) -> str:
    args = ", ".join(str(a.type) for a in node.args)
    where = f" from {node.origins[0]}" if node.origins else ""
    return f"{node.op.name}({args}) -> {node.type}{where}"


def _acyclic(graph: Graph) -> list[Node]:
    """The graph's nodes in order. Nodes are immutable, so a cycle takes deliberate damage; it must still be found."""
    state: dict[Node, bool] = {}  # False: being visited, True: done
    order: list[Node] = []
    stack = [(n, False) for n in reversed((*graph.inputs, *graph.roots))]
    while stack:
        node, leave = stack.pop()
        if leave:
            state[node] = True
            order.append(node)
        elif node not in state:
            state[node] = False
            stack.append((node, True))
            for arg in reversed(node.args):
                _require(state.get(arg, True), "A node must not depend on itself.", arg)
                stack.append((arg, False))
    return order


def _check_node(node: Node) -> None:
    op = node.op
    _require(REGISTRY.get(op.name) is op, "A node's op must be the registered one.", op.name)
    if not _takes_any_number(op):
        _require(len(node.args) == len(op.params), f"{op.name} takes {len(op.params)} arguments ({', '.join(op.params)}).", node)
    _require(list(node.attrs) == list(op.attributes), f"{op.name} has the attributes {list(op.attributes)}.", list(node.attrs))
    try:
        inferred = op.infer(tuple(a.type for a in node.args), node.attrs)
    except Exception as error:  # a rule may raise whatever it likes
        raise VerificationError(f"The rule of {op.name} rejects its own node: {error}") from error
    _require(inferred == node.type, f"The rule of {op.name} gives {inferred}.", node)


def _takes_any_number(op: Op) -> bool:
    """Whether the last parameter stands for any number of arguments: concat, print, call."""
    return isinstance(op, (Effect, Control)) or (isinstance(op, Layout) and op.place is not None)


def _known_sizes(graph: Graph) -> frozenset[str]:
    """Names of sizes that can be read off the inputs and variables."""
    types = [n.type for n in graph.inputs] + [v.type for v, _ in graph.writes] + [v.type for v in graph.reads()]
    return frozenset(name for t in types if isinstance(t, ArrayType) for name in t.names)


def _check_sizes(node: Node, known: frozenset[str]) -> None:
    types = node.type.items if isinstance(node.type, TupleType) else (node.type,)
    names = {name for t in types if isinstance(t, ArrayType) for name in t.names}
    names |= {name for value in node.attrs.values() for name in _size_names(value)}
    _require(names <= known, f"The size {', '.join(sorted(names - known))} is in no input's and no variable's shape.", node)


def _size_names(value: object) -> Iterable[str]:
    if isinstance(value, Dim):
        return value.names
    if isinstance(value, tuple):
        return [name for v in value for name in _size_names(v)]
    return ()


def _check_inputs(graph: Graph, nodes: Iterable[Node]) -> None:
    _require(len(set(graph.inputs)) == len(graph.inputs), "The inputs of a graph are different nodes.", graph.name)
    for node in graph.inputs:
        _require(_is_parameter(node), "The inputs of a graph are parameters.", node)
    inputs = set(graph.inputs)
    for node in nodes:
        _require(not _is_parameter(node) or node in inputs, "A parameter that is used must be an input of the graph.", node)


def _is_parameter(node: Node) -> bool:
    return not node.args and "uid" in node.attrs and isinstance(node.type, ArrayType)


def _check_results(graph: Graph) -> None:
    for node in graph.outputs:
        _require(isinstance(node.type, ArrayType), "The outputs of a graph are arrays.", node)
    written = [v for v, _ in graph.writes]
    _require(len(set(written)) == len(written), "A graph writes a variable at most once.", [v.name for v in written])
    for variable, node in graph.writes:
        _require(node.type == variable.type, f"The value written to {variable.name} must be of type {variable.type}.", node)


def _check_tokens(graph: Graph, nodes: Iterable[Node]) -> None:
    """Effects form one chain: each token is used once, and the last one is the graph's."""
    chain: set[Node] = set()
    token = graph.token
    while token is not None:
        _require(isinstance(token.type, TokenType), "The last effect of a graph is a token.", token)
        chain.add(token)
        token = next((a for a in token.args if isinstance(a.type, TokenType)), None)
    for node in nodes:
        in_order = not isinstance(node.type, TokenType) or node in chain
        _require(in_order, "Every effect is on the graph's one chain of tokens.", node)
