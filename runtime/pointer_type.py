"""The type of a kernel's pointers, for Numba. In: an element type; out: ``a[i]`` and ``a[i] = v`` as one instruction each.

Numba's own pointer type loads a bool as the byte in memory and then mixes it with one-bit values; its arrays test indices for
wrap-around. Neither is of use to a kernel.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.datamodel import models, register_default
from numba.core.imputils import Registry as LoweringRegistry
from numba.core.typing import templates


class KernelPointer(types.Type):
    """The address of elements of one type, without a length."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(f"pointer({dtype})")


register_default(KernelPointer)(models.PointerModel)


class _Load(templates.AbstractTemplate):
    key = operator.getitem

    def generic(self, args: Any, kws: Any) -> Any:
        pointer, index = args
        if isinstance(pointer, KernelPointer) and isinstance(index, types.Integer):
            return templates.signature(pointer.dtype, pointer, types.intp)
        return None


class _Store(templates.AbstractTemplate):
    key = operator.setitem

    def generic(self, args: Any, kws: Any) -> Any:
        pointer, index, value = args
        if not isinstance(pointer, KernelPointer) or not isinstance(index, types.Integer):
            return None
        # Whatever is stored must have the element's type already: a conversion here would hide a defect of the emitter.
        if types.unliteral(value) != pointer.dtype:
            return None
        return templates.signature(types.none, pointer, types.intp, pointer.dtype)


def _load(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
    value = builder.load(builder.gep(args[0], [args[1]], inbounds=True))
    is_bool = isinstance(signature.return_type, types.Boolean)
    return builder.icmp_unsigned("!=", value, ir.Constant(value.type, 0)) if is_bool else value


def _store(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
    pointer, index, value = args
    if isinstance(signature.args[2], types.Boolean):
        value = builder.zext(value, ir.IntType(8))
    builder.store(value, builder.gep(pointer, [index], inbounds=True))
    return context.get_dummy_value()


def register(typing_registry: Any, lowering_registry: LoweringRegistry) -> None:
    """Makes loads and stores known."""
    typing_registry.globals.append((operator.getitem, types.Function(_Load)))
    typing_registry.globals.append((operator.setitem, types.Function(_Store)))
    lowering_registry.lower(operator.getitem, KernelPointer, types.Integer)(_load)
    lowering_registry.lower(operator.setitem, KernelPointer, types.Integer, types.Any)(_store)
