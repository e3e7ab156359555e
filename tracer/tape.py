"""`GradientTape`. In: ops on watched tensors and variables, eager or traced; out: their gradients.

A tape notes which op made which tensor; the graph that `graph.gradient` differentiates is built when a gradient is asked for
(`backward`). One mechanism serves both interpreters: the notes hold tensors, whatever is inside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from weft.graph.errors import ShapeError
from weft.graph.op import REGISTRY, Attrs, Op
from weft.graph.origin import Origins

from .apply import apply
from .backward import differentiate
from .checked import Checked, attrs_key, check, recall
from .context import state
from .convert import convert_to_tensor
from .origin import user_origins
from .tensor import Tensor, alias, same_value
from .tree import flatten


class Note(NamedTuple):
    """One op as a tape saw it. outputs: its result tensors. rule: the user's gradient function of a `custom_gradient`."""

    checked: Checked | None
    inputs: Sequence[Any]
    outputs: tuple[Any, ...]
    origins: Origins
    rule: Callable[..., Any] | None = None


class UnconnectedGradients:
    """What `GradientTape.gradient` returns for sources that the target does not depend on."""

    NONE = "none"
    ZERO = "zero"


class GradientTape:
    """Records ops for automatic differentiation.

    persistent: allow several calls of `gradient`. watch_accessed_variables: watch every trainable variable that is read inside.

        with GradientTape() as tape:
            loss = reduce_mean((x @ w - y) ** 2)
        dw = tape.gradient(loss, w)
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._persistent = persistent
        self._watch_accessed = watch_accessed_variables
        self._active = False
        self._used = True  # until it is entered, there is nothing to compute
        self._forget()

    def _forget(self) -> None:
        self._notes: list[Note] = []
        self._tracked: dict[int, Any] = {}  # id -> tensor; holding the tensor keeps its id from being reused
        self._variables: dict[int, tuple[Any, list[Any]]] = {}  # id -> variable and the tensors read from it

    def _release(self) -> None:
        """Lets go of all tensors, but still knows which variables were watched."""
        watched = [variable for variable, _ in self._variables.values()]
        self._forget()
        self._variables = {id(v): (v, []) for v in watched}

    # -- recording -----------------------------------------------------------------------------------------------------

    def __enter__(self) -> GradientTape:
        if self._active:
            raise ValueError("Tape is still recording, This can happen if you try to re-enter an already-active tape.")
        if self._used and not self._persistent:
            self._forget()
        self._used = False
        self._start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._active:
            self._stop()

    def _start(self) -> None:
        self._active = True
        state.tapes = (*state.tapes, self)

    def _stop(self) -> None:
        self._active = False
        state.tapes = tuple(t for t in state.tapes if t is not self)

    def watch(self, tensor: Any) -> None:
        """Makes gradients with respect to these tensors (or variables, or nested structures of them) possible."""
        for leaf in flatten(tensor)[0]:
            if isinstance(leaf, Tensor):
                self._tracked[id(leaf)] = leaf
            elif hasattr(type(leaf), "__weft_tensor__"):
                self._variables.setdefault(id(leaf), (leaf, []))
                self.on_read(leaf, self.fresh_read(leaf, state.interpreter.read(leaf)))
            else:
                raise ValueError(
                    f"Passed in object {leaf!r} of type {type(leaf).__name__!r}, not tf.Tensor or tf.Variable or ExtensionType."
                )

    def on_read(self, variable: Any, tensor: Any) -> None:
        """Called by a variable that was read while this tape records."""
        entry = self._variables.get(id(variable))
        if entry is None:
            if not (self._watch_accessed and variable.trainable):
                return
            entry = self._variables[id(variable)] = (variable, [])
        if not entry[1] or entry[1][-1] is not tensor:
            self._tracked[id(tensor)] = tensor
            entry[1].append(tensor)

    def fresh_read(self, variable: Any, tensor: Any) -> Any:
        """The value with an identity that reads outside this tape do not have; the same one until the variable changes."""
        entry = self._variables.get(id(variable))
        if entry is not None and entry[1] and same_value(entry[1][-1], tensor):
            return entry[1][-1]
        return alias(tensor)

    def record(self, checked: Checked, inputs: Sequence[Any], out: Any) -> None:
        """Called by the interpreter after an op through which a gradient may flow."""
        tracked = self._tracked
        for tensor in inputs:
            if id(tensor) in tracked:
                break
        else:
            return
        outputs = out if out.__class__ is tuple else (out,)
        for tensor in outputs:
            tracked[id(tensor)] = tensor
        self._notes.append(Note(checked, inputs, outputs, user_origins()))

    def record_rule(self, inputs: Sequence[Any], outputs: tuple[Any, ...], rule: Callable[..., Any]) -> None:
        """Notes outputs whose gradient is the user's function: output gradients -> input gradients."""
        if any(id(t) in self._tracked for t in inputs):
            for tensor in outputs:
                self._tracked[id(tensor)] = tensor
            self._notes.append(Note(None, inputs, outputs, user_origins(), rule))

    def same(self, tensor: Any, other: Any) -> None:
        """Notes that two objects stand for one value."""
        if id(tensor) in self._tracked:
            self.record(_checked(REGISTRY["identity"], (tensor,), {}), (tensor,), other)

    @contextmanager
    def stop_recording(self) -> Any:
        """Ops inside are not recorded. ValueError if the tape does not record anyway."""
        if not self._active:
            raise ValueError("Tape is not recording.")
        self._stop()
        try:
            yield
        finally:
            self._start()

    def reset(self) -> None:
        """Forgets everything; recording goes on."""
        if not self._active:
            raise ValueError("Tape is not recording, nothing to reset.")
        self._forget()

    def watched_variables(self) -> tuple[Any, ...]:
        """The variables that were watched or read, in order."""
        return tuple(v for v, _ in self._variables.values())

    # -- gradients -----------------------------------------------------------------------------------------------------

    def gradient(
        self, target: Any, sources: Any, output_gradients: Any = None, unconnected_gradients: Any = UnconnectedGradients.NONE
    ) -> Any:
        """The gradient of the sum of the targets with respect to every source, in the structure of ``sources``.

        output_gradients: weights of the target's elements, in the target's structure; default ones. A source that no
        differentiable path leads from gets None (zeros for ``unconnected_gradients="zero"``). RuntimeError at a second call
        unless persistent.
        """
        self._check_use()
        zero = self._zero_for(unconnected_gradients)
        if target is None:
            raise TypeError(
                "Argument `target` should be a list or nested structure of Tensors, Variables or CompositeTensors to be "
                "differentiated, but received None."
            )
        if self._active and not self._persistent:
            self._stop()
        targets = [self._target(t) for t in flatten(target)[0]]
        seeds = self._seeds(output_gradients, targets)
        leaves, structure = flatten(sources)
        found = differentiate(self._notes, targets, [self._source(s) for s in leaves], seeds)
        if zero:
            found = [_zeros_like(s) if g is None else g for s, g in zip(leaves, found)]
        if not self._persistent:
            self._used = True
            self._release()
        return structure.unflatten(found)

    def jacobian(self, target: Any, sources: Any, unconnected_gradients: Any = "none", **ignored: Any) -> Any:
        """Derivatives of every element of the target: shape ``target.shape + source.shape`` per source. Fixed shapes only."""
        self._check_use()
        with self._kept():
            from .jacobian import jacobian  # few ask for it

            return jacobian(self.gradient, self._target(target), sources, unconnected_gradients)

    def batch_jacobian(self, target: Any, source: Any, unconnected_gradients: Any = "none", **ignored: Any) -> Any:
        """The jacobian per example: target (batch, *t), source (batch, *s) -> (batch, *t, *s). Examples must not mix."""
        self._check_use()
        with self._kept():
            from .jacobian import batch_jacobian  # few ask for it

            return batch_jacobian(self.gradient, target, source, unconnected_gradients)

    @contextmanager
    def _kept(self) -> Any:
        before, self._persistent = self._persistent, True
        if self._active and not before:
            self._stop()
        try:
            yield
        finally:
            self._persistent = before
            if not before:
                self._used = True
                self._release()

    def _check_use(self) -> None:
        if self._used and not self._persistent:
            raise RuntimeError(
                "A non-persistent GradientTape can only be used to compute one set of gradients (or jacobians)"
            )

    @staticmethod
    def _zero_for(unconnected: Any) -> bool:
        value = getattr(unconnected, "value", unconnected)
        if value not in (UnconnectedGradients.NONE, UnconnectedGradients.ZERO):
            raise ValueError(f"Unknown value for unconnected_gradients: {unconnected!r}")
        return value == UnconnectedGradients.ZERO

    def _target(self, target: Any) -> Any:
        if hasattr(type(target), "__weft_tensor__"):
            entry = self._variables.get(id(target))
            return entry[1][-1] if entry and entry[1] else state.interpreter.read(target)
        return target if isinstance(target, Tensor) else convert_to_tensor(target)

    def _source(self, source: Any) -> list[Any]:
        """The tracked tensors whose gradients add up to the source's."""
        if hasattr(type(source), "__weft_tensor__"):
            entry = self._variables.get(id(source))
            return entry[1] if entry else []
        if not isinstance(source, Tensor):
            raise TypeError(f"A source must be a tensor or a variable. Received: {source!r} of type {type(source).__name__}.")
        return [source] if id(source) in self._tracked else []

    @staticmethod
    def _seeds(output_gradients: Any, targets: list[Any]) -> list[Any] | None:
        if output_gradients is None:
            return None
        given = flatten(output_gradients)[0]
        if len(given) != len(targets):
            raise ValueError(f"output_gradients needs one entry per target, {len(targets)}. Received: {len(given)}.")
        seeds = [None if g is None else convert_to_tensor(g, dtype_hint=t.dtype) for g, t in zip(given, targets)]
        for seed, target in zip(seeds, targets):
            if seed is not None and tuple(seed.shape) != tuple(target.shape):
                raise ShapeError(f"An output gradient must have its target's shape {target.shape}. Received: {seed.shape}.")
        return seeds


def watching() -> bool:
    """True if any tape records now."""
    return bool(state.tapes)


def record(op: Op | str, inputs: Sequence[Any], outputs: Sequence[Any], **attrs: Any) -> None:
    """Shows an op that was computed elsewhere (a compiled function) to all tapes that record now.

    inputs: the tensors it was computed from, for variables ``v.value()`` taken before the call. outputs: its result tensors,
    one per item of the op's type. A gradient then goes through the op's own gradient rule.
    """
    if not state.tapes:
        return
    checked = _checked(REGISTRY[op] if isinstance(op, str) else op, inputs, attrs)
    if checked.floating:
        for tape in state.tapes:
            tape.record(checked, tuple(inputs), tuple(outputs))


def _checked(op: Op, inputs: Sequence[Any], attrs: Attrs) -> Checked:
    types = tuple(t.type for t in inputs)
    key = ("noted", op, types, attrs_key(attrs))
    return recall(key) or check(key, op, attrs, types)


def _zeros_like(source: Any) -> Any:
    zero = convert_to_tensor(0 if not source.dtype.is_bool else False, source.dtype)
    return apply("broadcast_to", (zero,), shape=tuple(source.shape))
