"""Models: functional, sequential, subclassed. In: layers; out: something to train."""

from typing import TYPE_CHECKING

from weft.tracer.late_names import late_names

if TYPE_CHECKING:
    from .cloning import clone_model
    from .functional import Functional
    from .model import Model, model_from_json
    from .sequential import Sequential

__all__ = ["Functional", "Model", "Sequential", "clone_model", "model_from_json"]

_LATE = {
    "cloning": ("clone_model",),
    "functional": ("Functional",),
    "model": ("Model", "model_from_json"),
    "sequential": ("Sequential",),
}

__getattr__, __dir__ = late_names(__name__, _LATE)
