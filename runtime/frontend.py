"""Numba as a front end. In: a kernel's Python text and argument types; out: LLVM text, not yet optimised.

Numba parses, types and lowers the function. Its own back end is left out: it would optimise everything twice, wrap the function
for Python, and name symbols by a counter of this process. `kernel_module` gives the function a C signature and a symbol made of
its content instead. The pipeline holds only the passes that plain loops over pointers need.

Importing this module takes half a second, because it imports Numba. Only a cache miss should.
"""

from __future__ import annotations

import functools
import re
import types as python_types
from typing import Any

from numba.core import codegen, compiler, cpu, typed_passes, types, typing, untyped_passes
from numba.core.compiler import CompilerBase, Flags
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import PassManager
from numba.core.typing import templates

from . import prelude_numba, prelude_python

_PASSES = (
    untyped_passes.TranslateByteCode, untyped_passes.FixupArgs, untyped_passes.IRProcessing,
    untyped_passes.ReconstructSSA, typed_passes.NopythonTypeInference, typed_passes.PreLowerStripPhis,
    typed_passes.IRLegalization, typed_passes.AnnotateTypes, typed_passes.NativeLowering, typed_passes.NoPythonBackend,
)  # fmt: skip


class _Pipeline(CompilerBase):
    def define_pipelines(self) -> list[Any]:
        passes = PassManager("weft")
        for one in _PASSES:
            passes.add_pass(one, one.__name__)
        passes.finalize()
        return [passes]


class _TextLibrary(codegen.CodeLibrary):
    """Takes the lowered module as text and stops there; it touches no LLVM, so another kernel may be optimised meanwhile."""

    text = ""

    def add_ir_module(self, module: Any) -> None:
        self.text = str(module)

    def _refuse(self, *args: Any) -> Any:
        raise NotImplementedError("Kernels call no other Numba functions; only their text is taken.")

    add_linking_library = finalize = get_function = get_llvm_str = get_asm_str = _refuse


def _flags() -> Any:
    flags: Any = Flags()
    flags.no_cpython_wrapper = True
    flags.no_cfunc_wrapper = True
    flags.no_compile = True
    flags.nrt = False
    flags.boundscheck = False
    flags.error_model = "numpy"
    return flags


class _Typing(typing.Context):
    """Numba's operators on numbers and the prelude, loaded once: Numba looks for news before every compilation.

    Attributes and methods are left out. Kernels use none, and making them known imports all of Numba's support for NumPy, strings
    and containers, half of its start-up time.
    """

    _loaded = False

    def refresh(self) -> None:
        if not self._loaded:
            self._loaded = True
            super().refresh()

    def _load_builtins(self) -> None:
        from numba.core.typing import builtins

        registry = templates.Registry()
        known = templates.builtin_registry
        registry.functions = [f for f in known.functions if f.__module__ == builtins.__name__]
        registry.globals = list(known.globals)
        self.install_registry(registry)

    def load_additional_registries(self) -> None:
        self.install_registry(prelude_numba.typing_registry)

    def resolve_value_type(self, val: Any) -> Any:
        """The type of a global. Functions first: asking what kind of type ``range`` is would import Numba's containers."""
        known = self._lookup_global(val) if callable(val) else None
        return known or super().resolve_value_type(val)


class _Target(cpu.CPUContext):
    """How those become LLVM instructions, likewise loaded once."""

    _loaded = False

    def refresh(self) -> None:
        if not self._loaded:
            self._loaded = True
            super().refresh()

    def load_additional_registries(self) -> None:
        from numba.cpython import builtins, numbers, rangeobj, tupleobj  # noqa: F401 - registering is all they are imported for

        self.install_registry(prelude_numba.lowering_registry)

    def post_lowering(self, module: Any, library: Any) -> None:
        """Nothing: kernels hold no Python objects, so Numba's runtime has no part in them."""


@functools.cache
def _contexts() -> tuple[Any, Any]:
    types_known = _Typing()
    target = _Target(types_known, "cpu")
    target.refresh()
    return types_known, target


def namespace_of(constants: str) -> dict[str, Any]:
    """The globals of a compiled kernel: the module's constants, evaluated, and the prelude."""
    values: dict[str, Any] = dict(prelude_python.PRELUDE)
    exec(constants, values)
    return {k: v for k, v in values.items() if k not in prelude_python.PRELUDE} | prelude_numba.PRELUDE


_VIEW = re.compile(r"^    (\w+) = view\(\1, .*\)$")
_NUMBER = re.compile(r"^    (\w+) = (\w+\(-?(?:[0-9][\w.+-]*|inf|nan)\))$")


def lighten(text: str) -> tuple[str, str]:
    """The kernel without what Numba need not see, and the numbers taken out of it as assignments. Lines keep their positions.

    A view of a pointer is the pointer. A number named once becomes a global constant. Each such line would cost Numba 3 ms.
    """
    lines, numbers = text.split("\n"), []
    for i, line in enumerate(lines):
        number = _NUMBER.match(line)
        if number and len(re.findall(rf"^ *{number[1]} [-+*/]?=[^=]", text, flags=re.M)) == 1:
            numbers.append(line.strip())
        elif not _VIEW.match(line):
            continue
        lines[i] = ""
    return "\n".join(lines), "".join(f"{n}\n" for n in numbers)


def lower_kernel(text: str, name: str, constants: str, pointers: tuple[str, ...], integers: int, path: str) -> tuple[str, str]:
    """LLVM text of one kernel and the name of its function there.

    text: the ``def``. constants: the module-level assignments it uses. pointers: dtype short names. Raises what Numba raises
    (`numba.core.errors.NumbaError`) if the kernel uses something outside the subset.
    """
    text, numbers = lighten(text)
    values = namespace_of(constants + numbers)
    exec(compile(text, path, "exec"), values)
    function: python_types.FunctionType = values[name]
    arguments = (*(prelude_numba.pointer_type(p) for p in pointers), *[types.int64] * integers)
    with global_compiler_lock:
        types_known, target = _contexts()
        library = _TextLibrary(target.codegen(), name)
        result = compiler.compile_extra(
            types_known, target, function, arguments, types.int32, _flags(), {}, library=library, pipeline_class=_Pipeline
        )
    return library.text, result.fndesc.llvm_func_name
