"""What is computed: types, nodes, ops, gradients, passes. Importing this package fills the op registry."""

from . import ops
from .build import Builder, constant, dim_value, o, parameter, read
from .dims import Dim, Shape, Size
from .dtype import DType, as_dtype
from .ir import ArrayType, Graph, Literal, Node, TokenType, TupleType, VariableRef, make
from .op import REGISTRY, Op, define

__all__ = [
    "REGISTRY",
    "ArrayType",
    "Builder",
    "DType",
    "Dim",
    "Graph",
    "Literal",
    "Node",
    "Op",
    "Shape",
    "Size",
    "TokenType",
    "TupleType",
    "VariableRef",
    "as_dtype",
    "constant",
    "define",
    "dim_value",
    "make",
    "o",
    "ops",
    "parameter",
    "read",
]
