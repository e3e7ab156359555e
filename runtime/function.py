"""``@weft.function``: a Python function that is traced once per kind of arguments and then runs compiled.

In: a Python function and how to specialise it; out: a `Function`, called like the original. Concrete traces live in ``concrete``,
the choice among them in ``dispatch``, what a trace is remembered by in ``trace_key``.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from weft.graph.ir import ArrayType
from weft.graph.op import DimConflict
from weft.tracer import executing_eagerly, tree
from weft.tracer.trace import Traced, trace

from .concrete import ConcreteFunction
from .config import config
from .dispatch import Entry, TraceTable, concrete_types, match_sizes, pin_sizes, relax_types, resolve_conflict
from .guards import Guards
from .retrace_reason import explain_miss
from .trace_key import ArgumentBinder, Call, describe_call, plain_call

if TYPE_CHECKING:
    from .input_signature import InputSignature
    from .memory import MemoryReport

WARN_TRACES, WARN_WINDOW, WARN_LIMIT = 5, 10, 2  # warn when so many of the last calls traced, at most so often
LEAST_PATIENCE, MOST_PATIENCE = 16, 64
"""Calls like the latest one before machine code makes them: the first time, and at most after another one ended that."""


def _no_direct_call(args: tuple[Any, ...]) -> Any:
    return NotImplemented


class Function:
    """A Python function with its traces. Made by `function`.

    Calling it runs the trace that fits the arguments, tracing first if there is none. Python code runs while tracing only.
    """

    def __init__(
        self,
        python_function: Callable[..., Any],
        input_signature: Sequence[Any] | None = None,
        reduce_retracing: bool | None = None,
        jit_compile: bool | None = None,
        name: str | None = None,
    ) -> None:
        self.python_function = python_function
        self.jit_compile = jit_compile
        self.reduce_retracing = reduce_retracing
        self.binder = ArgumentBinder(python_function)
        self.table = TraceTable()
        functools.update_wrapper(self, python_function, updated=())
        self.__name__: str = name or str(getattr(python_function, "__name__", type(python_function).__name__))
        self._signature: InputSignature | None = None
        if input_signature is not None:
            from .input_signature import InputSignature  # most functions take what comes

            self._signature = InputSignature(input_signature, self.binder, self.__name__)
        self._lock = threading.RLock()
        self._guards: Guards | None = None
        self._trace_count = 0
        self._created = False
        self._recent: deque[bool] = deque(maxlen=WARN_WINDOW)
        self._warnings = 0
        self._bound: dict[int, tuple[Any, Function]] = {}
        self._latest: tuple[Any, ConcreteFunction] | None = None  # of calls with tensors only: the guards' values and the trace
        self._direct: Callable[[tuple[Any, ...]], Any] = _no_direct_call
        self._repeats, self._patience = 0, LEAST_PATIENCE

    @property
    def input_signature(self) -> tuple[Any, ...] | None:
        return None if self._signature is None else self._signature.specs

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not kwargs:
            result = self._direct(args)
            if result is not NotImplemented:
                return result
        if config.run_functions_eagerly or not executing_eagerly():
            return self.python_function(*args, **kwargs)
        plain = None
        if not kwargs:
            guarded = () if self._guards is None else self._guards.key()
            latest = self._latest
            if latest is not None and latest[0] == guarded:
                result = latest[1].call_again(args)
                if result is not NotImplemented:
                    self._recent.append(False)
                    self._repeats += 1
                    if self._repeats >= self._patience:
                        self._go_direct(latest[1])
                    return result
            plain = plain_call(args)
            known = None if plain is None else self.table.plain.get((plain[0], guarded))
            if plain is not None and known is not None:
                self._recent.append(False)
                self._latest, self._direct = (guarded, known.concrete), _no_direct_call
                return known.concrete.call_flat(args, plain[1])
        return self._call_any(args, kwargs, plain)

    def _go_direct(self, concrete: ConcreteFunction) -> None:
        """Has machine code make the calls that repeat the latest one."""
        self._repeats, self._patience = 0, min(2 * self._patience, MOST_PATIENCE)
        watches = [] if self._guards is None else self._guards.watch()
        direct = None if watches is None else concrete.direct_call(watches, self._recent.append)
        self._direct = direct or _no_direct_call

    def _call_any(self, args: tuple[Any, ...], kwargs: dict[str, Any], plain: Any) -> Any:
        """A call that the quick ways do not know. plain: what `plain_call` said of it."""
        call = self._describe(args, kwargs)
        entry = self.table.find(call)
        self._recent.append(entry is None)
        if entry is None:
            entry = self._trace(call)
        tensors = [call.leaves[i] for i in call.dynamic]
        if plain is not None and len(tensors) == len(args) and self._signature is None:
            self.table.remember_plain((plain[0], call.key[2]), entry)
        return entry.concrete.call_flat(tensors, call.arrays)

    def _describe(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        bound_args, bound_kwargs = self.binder.bind(args, kwargs)
        if self._signature is not None:
            bound_args = self._signature.convert(bound_args)
        if self._guards is None:
            self._guards = Guards(self.python_function)
        return describe_call(bound_args, bound_kwargs, self.binder.names, self._guards.key())

    # Tracing

    def _trace(self, call: Call) -> Entry:
        """Traces for a call that no trace serves. A failure leaves no trace and no state behind."""
        with self._lock:
            entry = self.table.find(call)
            if entry is not None:  # another thread was faster
                return entry
            reason = explain_miss(call, self.table)
            self._warn(reason)
            types, pinned = self._types_for(call)
            traced, types, pinned = self._trace_relaxed(call, types, pinned)
            concrete = ConcreteFunction(self, call, types, traced)
            assert self._guards is not None
            call.key = (*call.key[:2], self._guards.key())  # the first trace may have created what the function names
            entry = Entry(call.key, types, call.shapes, concrete, reason, pinned)
            self.table.add(call, entry)
            self._latest, self._direct = None, _no_direct_call
            return entry

    def _types_for(self, call: Call) -> tuple[tuple[ArrayType, ...], bool]:
        """The types to trace with, and whether relaxing was given up for this key."""
        if self._signature is not None:
            return concrete_types(call.dtypes, self._signature.shapes(call.shapes), call.shapes), False
        earlier = self.table.entries.get(call.key, [])
        if self.reduce_retracing is False or not earlier or any(e.pinned for e in earlier):
            return concrete_types(call.dtypes, call.shapes, call.shapes), any(e.pinned for e in earlier)
        return relax_types(earlier[-1], call.dtypes, call.shapes), False

    def _trace_relaxed(
        self, call: Call, types: tuple[ArrayType, ...], pinned: bool
    ) -> tuple[Traced, tuple[ArrayType, ...], bool]:
        """Traces; where symbolic sizes turn out to have to be equal or known, unites or fixes them and tries again."""
        known = all(isinstance(size, int) for shape in call.shapes for size in shape)
        while True:
            symbolic = any(t.names for t in types)
            try:
                return self._trace_once(call, types), types, pinned
            except DimConflict as conflict:
                united = resolve_conflict(types, call.shapes, conflict.sizes) if symbolic else types
                if united == types:
                    if not (symbolic and known):
                        raise
                    united, pinned = pin_sizes(types, call.shapes), True
                types = united
            except Exception:  # it may come from a size that weft, not the user, made symbolic: trace with this call's sizes
                if not symbolic or not known or self._signature is not None:
                    raise
                types, pinned = pin_sizes(types, call.shapes), True

    def _trace_once(self, call: Call, types: tuple[ArrayType, ...]) -> Traced:
        values = None if any(a is None for a in call.arrays) else call.arrays
        names = [call.paths()[i] for i in call.dynamic]
        first = not self._created and not self._trace_count
        traced = trace(self._replay(call), types, names, values, first, self.__name__)
        if traced.created:
            # A function that creates variables on every call must fail now, not later: trace once more without creation.
            traced = trace(self._replay(call), types, names, values, False, self.__name__)
            self._created = True
        self._trace_count += 1
        return traced

    def _replay(self, call: Call) -> Callable[..., Any]:
        """The Python function as a function of the tensor leaves alone."""

        def run(*inputs: Any) -> Any:
            leaves = list(call.leaves)
            for position, tensor in zip(call.dynamic, inputs, strict=True):
                leaves[position] = tensor
            args, kwargs = call.structure.unflatten(leaves)
            result = self.python_function(*args, **kwargs)
            self._require_unchanged(call, leaves, args, kwargs)
            return result

        return run

    def _require_unchanged(self, call: Call, leaves: list[Any], args: Any, kwargs: Any) -> None:
        after, structure = tree.flatten((args, kwargs))
        if structure != call.structure or any(a is not b for a, b in zip(after, leaves, strict=True)):
            names = self.binder.names(len(args))
            raise ValueError(
                f"{self.__name__}() should not modify its Python input arguments. Modifying a copy is allowed. "
                f"The arguments are: {', '.join(names)}."
            )

    def _warn(self, reason: str) -> None:
        traced = sum(self._recent)
        if traced >= WARN_TRACES and self._warnings < WARN_LIMIT:
            self._warnings += 1
            import logging  # not needed by those whom nothing is said to

            logging.getLogger("weft").warning(
                "%d out of the last %d calls to %r triggered tracing. The last one because of %s.",
                traced,
                len(self._recent),
                self,
                reason,
            )

    # Looking inside

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> ConcreteFunction:
        """The trace for these arguments, each a value or a `TensorSpec` (unknown sizes: None); traced if there is none.

        Without arguments: for the input signature. Raises TypeError or ValueError for arguments that do not fit.
        """
        if self._signature is not None and not args and not kwargs:
            args = self._signature.specs
        call = self._describe(args, kwargs)
        entry = self.table.find(call)
        if entry is None:
            entry = self._trace(call)
        return entry.concrete

    @property
    def traces(self) -> tuple[ConcreteFunction, ...]:
        """All living traces, oldest first."""
        return tuple(e.concrete for e in self.table)

    @property
    def trace_count(self) -> int:
        """How often the function has been traced."""
        return self._trace_count

    def experimental_get_tracing_count(self) -> int:
        """TensorFlow's name for `trace_count`."""
        return self._trace_count

    def graph(self, *args: Any, optimized: bool = True, **kwargs: Any) -> str:
        """The graph for these arguments as text (without arguments: of the latest trace), after or before the passes."""
        return self._pick(args, kwargs).text(optimized=optimized)

    def source(self, *args: Any, **kwargs: Any) -> str:
        """Path of the generated Python module for these arguments (without arguments: of the latest trace)."""
        return str(self._pick(args, kwargs).source)

    def memory(self, *args: Any, **kwargs: Any) -> MemoryReport:
        """What a call with these arguments needs in memory, before it is made: `print` it for a table.

        Traces if there is no trace for them; runs and compiles nothing. ValueError for a `TensorSpec` with an unknown size: ask
        ``get_concrete_function(...).memory(batch=64)`` then.
        """
        call = self._describe(args, kwargs)
        concrete = (self.table.find(call) or self._trace(call)).concrete
        sizes = match_sizes(concrete.types, call.shapes) or {}
        return concrete.memory(**sizes)

    def trace_call(self, *args: Any, **kwargs: Any) -> tuple[ConcreteFunction, list[Any]]:
        """The trace that serves this call, made if there is none, and the arrays it would run on (None for a `TensorSpec`)."""
        call = self._describe(args, kwargs)
        return (self.table.find(call) or self._trace(call)).concrete, list(call.arrays)

    def explain(self, *args: Any, **kwargs: Any) -> str:
        """Why a call with these arguments would trace or reuse what; without arguments: the history of the traces."""
        if not args and not kwargs:
            lines = [f"{i}. {e.concrete}: {e.reason}" for i, e in enumerate(self.table, 1)]
            return "\n".join([f"{self.__name__}: {self._trace_count} traces made, {len(lines)} alive", *lines])
        call = self._describe(args, kwargs)
        entry = self.table.find(call)
        if entry is not None:
            return f"reuses {entry.concrete} (traced because of: {entry.reason})"
        reason = explain_miss(call, self.table)
        return f"would trace: {reason}"

    def _pick(self, args: Any, kwargs: Any) -> ConcreteFunction:
        if args or kwargs or self._signature is not None:
            return self.get_concrete_function(*args, **kwargs)
        if not self.traces:
            raise ValueError(f"{self.__name__} has not been traced yet: call it, or name the arguments' TensorSpecs.")
        return self.traces[-1]

    def pretty_printed_concrete_signatures(self, verbose: bool = True) -> str:
        """One paragraph per trace."""
        return "\n\n".join(str(t) for t in self.traces)

    def clear(self) -> None:
        """Forgets all traces."""
        with self._lock:
            self.table = TraceTable()
            self._latest, self._direct = None, _no_direct_call

    # Methods: each instance has traces of its own and is not kept alive by them

    def __get__(self, instance: Any, owner: type | None = None) -> Function:
        if instance is None:
            return self
        key = id(instance)
        found = self._bound.get(key)
        if found is None or found[0]() is not instance:
            with self._lock:
                forget = functools.partial(self._bound.pop, key, None)
                weak = weakref.ref(instance, lambda _: forget())
                method = _weak_method(self.python_function, weak)
                bound = Function(method, None, self.reduce_retracing, self.jit_compile, self.__name__)
                if self._signature is not None:
                    bound._signature = self._signature.without_self(bound.binder)
                found = self._bound[key] = (weak, bound)
        return found[1]

    def __reduce__(self) -> tuple[Any, ...]:
        specs = self._signature.specs if self._signature else None
        return Function, (self.python_function, specs, self.reduce_retracing, self.jit_compile, self.__name__)

    def __repr__(self) -> str:
        code = getattr(self.python_function, "__code__", None)
        where = f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
        return f"<weft.function {self.__name__}{where}, {len(self.traces)} traces>"


def _weak_method(function: Callable[..., Any], weak: weakref.ref[Any]) -> Callable[..., Any]:
    """The method bound to an instance that it does not keep alive."""

    @functools.wraps(function)
    def method(*args: Any, **kwargs: Any) -> Any:
        instance = weak()
        if instance is None:
            raise ReferenceError(f"The object whose method {function.__name__} was taken no longer exists.")
        return function(instance, *args, **kwargs)

    bound = functools.partial(function, None)  # for the signature without the first parameter, whatever its name
    method.__signature__ = ArgumentBinder(bound).signature  # type: ignore[attr-defined]  # a function takes any attribute
    return method


def function(
    func: Callable[..., Any] | None = None,
    input_signature: Sequence[Any] | None = None,
    autograph: bool = True,
    jit_compile: bool | None = None,
    reduce_retracing: bool | None = None,
    experimental_implements: Any = None,
    experimental_autograph_options: Any = None,
    experimental_attributes: Any = None,
    experimental_relax_shapes: bool | None = None,
    experimental_compile: bool | None = None,
    experimental_follow_type_hints: Any = None,
) -> Any:
    """Compiles a function of tensors into one call; usable as ``@function``, ``@function(...)`` and ``function(f)``.

    func: the Python function; it is run once per kind of arguments, to be traced.
    input_signature: (nested) `TensorSpec` per argument; then there is one trace, whatever sizes the unknown dimensions have.
    jit_compile: None or True compiles to machine code; False runs the graph with the NumPy kernels.
    reduce_retracing: a second size of a dimension makes it symbolic, so that a third one does not trace (default); False
    keeps one trace per shape.
    The remaining parameters are TensorFlow's and have no effect here.

    Raises TypeError for a signature that does not fit the function's parameters.
    """
    if experimental_relax_shapes is not None:
        reduce_retracing = experimental_relax_shapes
    if experimental_compile is not None:
        jit_compile = experimental_compile

    def decorate(inner: Callable[..., Any]) -> Any:
        if isinstance(inner, (staticmethod, classmethod)):
            return type(inner)(decorate(inner.__func__))
        if isinstance(inner, Function):
            inner = inner.python_function
        if not callable(inner):
            raise TypeError(f"function needs something callable. Received: {inner!r} of type {type(inner).__name__}.")
        return Function(inner, input_signature, reduce_retracing, jit_compile)

    return decorate if func is None else decorate(func)
