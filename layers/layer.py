"""The base of all layers. In: tensors (NumPy arrays are converted) and the constructor's settings; out: tensors, and state.

A layer is built once, at its first call: `build` makes the weights that its input's shape asks for. What a layer owns (weights,
metrics, other layers) is found through its attributes, see ``tracking``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np

from weft.tracer import convert_to_tensor, ops, tree
from weft.tracer.context import init_scope, inside_function
from weft.tracer.origin import layer_scope
from weft.tracer.tensor import Tensor
from weft.tracer.variable import Variable

from . import call_context, regularizers
from .configuration import Configurable
from .input_spec import InputSpec, check_inputs
from .layer_state import LayerState
from .naming import auto_name, current_path, name_scope, to_snake_case
from .precision import get_policy
from .shapes import as_shapes, map_shapes, static
from .symbolic import KerasTensor, any_symbolic, infer_outputs, record_call

LEGACY_ARGUMENTS = ("input_shape", "batch_input_shape", "batch_shape", "input_dim", "weights")


class Layer(LayerState, Configurable):
    """A function with state. Subclasses define ``call`` and, if they have weights, ``build(input_shape)``.

    trainable: whether the optimizer changes the weights. dtype: of weights and computations, floatx if None. autocast: whether
    floating inputs are cast to that dtype. activity_regularizer: a penalty on the output. name: unique automatic name if None.
    input_shape: accepted on the first layer of a `Sequential`, without the batch axis.
    """

    input_spec: Any = None
    _inbound_nodes: list[Any]
    _build_shapes: Any
    _building: bool
    _path: str
    _keeps_dtype = False  # the output has the input's dtype, also if that is no floating one

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        self = super().__new__(cls)
        self._constructor = (args, kwargs)
        self._weights = []
        self._losses = []
        self._losses_since = 0
        self._inbound_nodes = []
        self._build_shapes = None
        self._building = False
        self._trainable = True
        self.built = False
        return self

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.name = auto_name(to_snake_case(type(self).__name__)) if name is None else _check_name(name)
        self._input_shape_arg = _legacy_shape(kwargs, type(self).__name__)
        self._trainable = bool(trainable)
        self._policy = get_policy(dtype)
        self.autocast = autocast
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.supports_masking = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = _guard_build(cls.__dict__["build"])  # type: ignore[method-assign]  # the class is being made

    # -- to override ---------------------------------------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Makes the weights. input_shape: sizes with None where unknown; a list or dictionary of shapes for several inputs."""
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The computation. Takes ``training`` if it differs between training and inference."""
        raise NotImplementedError(f"The layer {type(self).__name__} must define call(self, inputs).")

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The output's shape for an input's shape; found by tracing ``call`` unless overridden."""
        args, kwargs = map_shapes(self._symbolic, args), map_shapes(self._symbolic, kwargs) if kwargs else {}
        if not self.built:
            self._build_from(args, kwargs)
        return tree.map_structure(lambda t: static(t.shape), infer_outputs(self.call, args, kwargs))

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs for symbolic inputs."""
        if type(self).compute_output_shape is Layer.compute_output_shape:
            return infer_outputs(self.call, args, kwargs)
        dtype = tree.leaves_of(args[0])[0].dtype if self._keeps_dtype else self.compute_dtype
        return map_shapes(lambda s: KerasTensor(s, dtype), self.compute_output_shape(_shapes_of(args[0])))

    def _symbolic(self, shape: Any) -> KerasTensor:
        return KerasTensor(shape, self.compute_dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask that belongs to the output."""
        return previous_mask

    # -- calling -------------------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Builds the layer if needed, then runs it.

        Floating inputs are cast to the layer's dtype. ``training`` comes from the argument, else from the layer or model around
        this one, else from ``call``'s default. Raises ValueError if the input's shape does not fit.
        """
        self._check_initialised()
        if not (len(args) == 1 and not kwargs and self._is_ready(args[0])):
            args, kwargs = self._convert(args, kwargs)
        spec = self.input_spec
        if (
            spec is not None
            and args
            and not (spec.__class__ is InputSpec and isinstance(args[0], Tensor) and spec.fits(args[0]))
        ):
            check_inputs(spec, args[0], self.name)
        if not self.built:
            self._build_from(args, kwargs)
            self.built = True  # also if `build` comes from a class beside `Layer`
        symbolic = any_symbolic(args, kwargs)
        args, inner, training = self._resolve_training(args, kwargs)
        context = call_context.context
        if context.depth == 0 and not symbolic:
            self._losses_since = context.start_call()
        outside = context.training
        context.training, context.depth = training, context.depth + 1
        try:
            with layer_scope(self.name) if inside_function() else nullcontext(), name_scope(self.name):
                outputs = self.compute_output_spec(*args, **inner) if symbolic else self.call(*args, **inner)
                if self.activity_regularizer is not None and not symbolic:
                    self._regularize_activity(outputs)
        finally:
            context.training, context.depth = outside, context.depth - 1
        return record_call(self, args, kwargs, outputs) if symbolic else outputs

    def _check_initialised(self) -> None:
        if "_policy" not in self.__dict__:
            raise RuntimeError(
                f"In layer {type(self).__name__}, you forgot to call `super().__init__()` as the first statement in the "
                "`__init__()` method. Go add it!"
            )

    def _is_ready(self, x: Any) -> bool:
        if not isinstance(x, Tensor):
            return False
        dtype = x.dtype
        return not dtype.is_floating or not self.autocast or dtype.name == self._policy.compute_dtype

    def _convert(self, args: Any, kwargs: Any) -> tuple[Any, Any]:
        args = tuple(convert_to_tensor(a) if _is_number_list(a) else a for a in args)
        return tree.map_structure(self._convert_leaf, args), tree.map_structure(self._convert_leaf, kwargs)

    def _convert_leaf(self, x: Any) -> Any:
        if isinstance(x, (np.ndarray, np.generic, Variable)) or (hasattr(x, "__array__") and not isinstance(x, Tensor)):
            x = convert_to_tensor(x)
        if isinstance(x, Tensor) and not self._is_ready(x):
            return ops.cast(x, self.compute_dtype)
        return x

    def _resolve_training(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any], Any]:
        """The arguments for ``call`` with the training flag decided, and the flag that inner layers inherit."""
        signature = call_context.signature_of(self.call)
        if "training" not in kwargs and signature.takes_training and "training" in signature.positional[: len(args)]:
            return args, kwargs, args[signature.positional.index("training")]
        inner = dict(kwargs)
        training = inner.pop("training", None)
        if training is None:
            training = call_context.context.training
        if training is None:
            training = signature.training_default
        if signature.takes_training:
            inner["training"] = training
        elif signature.open and "training" in kwargs:
            inner["training"] = kwargs["training"]
        if "mask" in inner and "mask" not in signature.names and not signature.open:
            del inner["mask"]
        return args, inner, training

    def _regularize_activity(self, outputs: Any) -> None:
        for output in tree.leaves_of(outputs):
            if isinstance(output, Tensor):
                batch = ops.cast(ops.shape(output)[0], output.dtype)  # the penalty is per sample
                self.add_loss(self.activity_regularizer(output) / batch)

    # -- building ------------------------------------------------------------------------------------------------------------

    def _build_from(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Calls `build` with the shapes of the tensors among the arguments."""
        bare = {k: v for k, v in kwargs.items() if k not in ("training", "mask")}
        signature = call_context.signature_of(self.call)
        bound = signature.bind(args, {k: v for k, v in kwargs.items() if k in bare or k in signature.names or signature.open})
        shapes = {n: _shapes_of(v) for n, v in bound.items() if any(isinstance(t, Tensor) for t in tree.leaves_of(v))}
        wanted = call_context.signature_of(self.build)
        named = {f"{n}_shape": s for n, s in shapes.items()}
        if len(shapes) > 1 and (wanted.open or sum(n in named for n in wanted.names) == len(wanted.required) > 1):
            self.build(**{n: s for n, s in named.items() if wanted.open or n in wanted.names})
        elif not wanted.positional:
            self.build()  # type: ignore[call-arg]  # a subclass' own `build`
        else:
            self.build(next(iter(shapes.values()), None))

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes the layer was built with, for saving; None before."""
        if self._build_shapes is None:
            return None
        args, kwargs = self._build_shapes
        return {"input_shape": args[0]} if len(args) == 1 and not kwargs else {"shapes_dict": dict(kwargs)}

    def build_from_config(self, config: Mapping[str, Any]) -> None:
        """Builds the layer as `get_build_config` says."""
        if "shapes_dict" in config:
            self.build(**{k: as_shapes(v) for k, v in config["shapes_dict"].items()})
        elif config.get("input_shape") is not None:
            self.build(as_shapes(config["input_shape"]))

    # -- description ---------------------------------------------------------------------------------------------------------

    @property
    def dtype_policy(self) -> Any:
        return self._policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        self._policy = get_policy(value)

    @property
    def dtype(self) -> str:
        return self._policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        return self._policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        return self._policy.variable_dtype

    @property
    def input_dtype(self) -> str:
        return self._policy.compute_dtype

    @property
    def path(self) -> str:
        return getattr(self, "_path", self.name)

    @property
    def input(self) -> Any:
        """The symbolic input of the layer's only call; AttributeError if it was called more or less than once."""
        return self._only_node("input").inputs

    @property
    def output(self) -> Any:
        """The symbolic output of the layer's only call; AttributeError if it was called more or less than once."""
        return self._only_node("output").outputs

    def _only_node(self, what: str) -> Any:
        if len(self._inbound_nodes) != 1:
            times = "never" if not self._inbound_nodes else f"{len(self._inbound_nodes)} times"
            raise AttributeError(f"The layer {self.name!r} was called {times} on symbolic tensors: its {what} is not defined.")
        return self._inbound_nodes[0]

    def base_config(self) -> dict[str, Any]:
        """The settings every layer has."""
        config = {"name": self.name, "trainable": self._trainable, "dtype": self._policy.name}
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return config

    def __getattr__(self, name: str) -> Any:
        hint = ""
        if not name.startswith("_") and not self.__dict__.get("built", True):
            hint = " The layer is not built yet: its weights exist after its first call, or after build(input_shape)."
        raise AttributeError(f"'{type(self).__name__}' object has no attribute {name!r}.{hint}", name=name, obj=self)

    def __repr__(self) -> str:
        built = f", built={self.built}"
        return f"<{type(self).__name__} name={getattr(self, 'name', '?')}{built}>"

    __str__ = __repr__


def _shapes_of(value: Any) -> Any:
    return tree.map_structure(lambda t: static(t.shape) if isinstance(t, Tensor) else None, value)


def _check_name(name: Any) -> str:
    if not isinstance(name, str) or not name or "/" in name:
        raise ValueError(f"A layer's name must be a string that is not empty and holds no slash. Received: name={name!r}")
    return name


def _legacy_shape(kwargs: dict[str, Any], cls: str) -> tuple[Any, ...] | None:
    """The input shape given as a constructor argument in Keras 2's spellings; TypeError for other unknown arguments."""
    unknown = sorted(set(kwargs) - set(LEGACY_ARGUMENTS))
    if unknown:
        raise TypeError(f"{cls}.__init__() got an unexpected keyword argument {unknown[0]!r}")
    if kwargs.get("input_dim") is not None:
        return (None, int(kwargs["input_dim"]))
    batch = kwargs.get("batch_input_shape", kwargs.get("batch_shape"))
    if batch is not None:
        return tuple(batch)
    shape = kwargs.get("input_shape")
    if shape is None:
        return None
    return (None, *((shape,) if isinstance(shape, int) else shape))


def _is_number_list(value: Any) -> bool:
    """Whether the value is a (nested) list of plain numbers, which stands for one tensor."""
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return isinstance(value, (int, float, bool)) and not isinstance(value, np.generic)


def _guard_build(build: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps a class' own ``build``: outside any trace, under the layer's name, remembering the shapes and that it was built."""
    if getattr(build, "_guarded", False):
        return build

    @functools.wraps(build)
    def guarded(self: Layer, *args: Any, **kwargs: Any) -> None:
        if self._building:  # called through super().build
            build(self, *args, **kwargs)
            return
        self._building = True
        try:
            with init_scope(), call_context.building(), _own_scope(self):
                self._path = current_path()
                build(self, *args, **kwargs)
        finally:
            self._building = False
        self._build_shapes = (args, kwargs)
        self.built = True

    guarded._guarded = True  # type: ignore[attr-defined]  # a function takes any attribute
    return guarded


def _own_scope(layer: Layer) -> Any:
    return name_scope(layer.name)
