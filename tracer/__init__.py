"""How Python becomes a graph. In: the user's functions, tensors and variables; out: eager results, or traced graphs.

One door, `apply(op, args, **attrs)`; the current interpreter is chosen by context: `eager.Eager` computes with NumPy,
`recording.Trace` makes nodes. What neighbours use is re-exported here; `trace`, `tree` and `tape` are modules.
"""

from . import tree
from .apply import apply
from .context import executing_eagerly, init_scope, inside_function, stop_recording
from .convert import convert_to_tensor
from .errors import InaccessibleTensorError, OperatorNotAllowedInGraphError, SymbolicToNumpyError, VariableCreationError
from .origin import layer_scope, user_line, user_origins
from .shape_values import known_sizes
from .tape import GradientTape, UnconnectedGradients, record, watching
from .tensor import EagerTensor, Tensor, TracedTensor
from .tensor_shape import TensorShape
from .tensor_spec import TensorSpec
from .trace import Traced
from .variable import Variable

__all__ = [
    "EagerTensor",
    "GradientTape",
    "InaccessibleTensorError",
    "OperatorNotAllowedInGraphError",
    "SymbolicToNumpyError",
    "Tensor",
    "TensorShape",
    "TensorSpec",
    "Traced",
    "TracedTensor",
    "UnconnectedGradients",
    "Variable",
    "VariableCreationError",
    "apply",
    "convert_to_tensor",
    "executing_eagerly",
    "init_scope",
    "inside_function",
    "known_sizes",
    "layer_scope",
    "record",
    "stop_recording",
    "tree",
    "user_line",
    "user_origins",
    "watching",
]
