"""What to write instead. In: the name of an attribute that tensors lack but arrays of other libraries have; out: a hint."""

from __future__ import annotations

_HINTS = {
    "T": "weft.transpose(x)",
    "argmax": "weft.argmax(x, axis)",
    "argmin": "weft.argmin(x, axis)",
    "astype": "weft.cast(x, dtype)",
    "clip": "weft.clip_by_value(x, low, high)",
    "copy": "x itself: tensors are immutable",
    "cumsum": "weft.cumsum(x, axis)",
    "detach": "weft.stop_gradient(x)",
    "flatten": "weft.reshape(x, [-1])",
    "item": "float(x), int(x) or x.numpy()",
    "max": "weft.reduce_max(x, axis)",
    "mean": "weft.reduce_mean(x, axis)",
    "min": "weft.reduce_min(x, axis)",
    "prod": "weft.reduce_prod(x, axis)",
    "ravel": "weft.reshape(x, [-1])",
    "reshape": "weft.reshape(x, shape)",
    "requires_grad": "GradientTape.watch(x)",
    "backward": "GradientTape.gradient(x, sources)",
    "size": "weft.size(x)",
    "squeeze": "weft.squeeze(x)",
    "std": "weft.math.reduce_std(x, axis)",
    "sum": "weft.reduce_sum(x, axis)",
    "tolist": "x.numpy().tolist()",
    "transpose": "weft.transpose(x, perm)",
    "assign": "a Variable, which can be assigned to",
    "assign_add": "a Variable, which can be assigned to",
}


def missing_attribute(kind: str, name: str) -> AttributeError:
    """The error for ``x.name``."""
    hint = f" Use {_HINTS[name]}." if name in _HINTS else ""
    return AttributeError(f"{kind!r} object has no attribute {name!r}.{hint}")
