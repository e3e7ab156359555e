"""In which loops a graph is computed: `generate` turns a `Graph` into a `Program`."""

from .generate import generate
from .lower_graph import order_variables
from .program import Program
from .target import Target

__all__ = ["Program", "Target", "generate", "order_variables"]
