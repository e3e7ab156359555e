"""LLVM text of contraction kernels: what a `FunctionWriter` prints, and vectors. In: instructions; out: one function's text."""

from __future__ import annotations

from weft.graph.record import record

from .function_writer import FunctionWriter, Integer

LINE_BYTES = 64  # of memory, fetched at once
_UNCHANGED = "!9 = !{}"


@record
class Lanes:
    """Vectors of one element type: ``short`` is f32 or f64, ``width`` elements fill a register."""

    short: str
    width: int

    @property
    def size(self) -> int:
        """Bytes of an element."""
        return 4 if self.short == "f32" else 8

    @property
    def real(self) -> str:
        return "float" if self.short == "f32" else "double"

    @property
    def vector(self) -> str:
        return f"<{self.width} x {self.real}>"

    @property
    def mask(self) -> str:
        return f"<{self.width} x i1>"

    @property
    def folds(self) -> bool:
        """Whether an instruction can load one element into all lanes of an operand: AVX-512's can."""
        return self.width * self.size == 64

    @property
    def suffix(self) -> str:
        """How LLVM's intrinsics name the vector type."""
        return f"v{self.width}{self.short}"


class Writer(FunctionWriter):
    """A function over vectors of one type; ``declared`` gathers the intrinsics it calls."""

    def __init__(self, lanes: Lanes) -> None:
        super().__init__()
        self.lanes = lanes
        self.declared: set[str] = set()

    def at(self, pointer: str, offset: Integer, kind: str | None = None) -> str:
        """The address of an element."""
        if offset == 0:
            return pointer
        return self.let(f"getelementptr inbounds {kind or self.lanes.real}, ptr {pointer}, i64 {offset}")

    def load(self, pointer: str, mask: str | None = None) -> str:
        """A vector; lanes that the mask leaves out are zero and their memory is not touched."""
        v = self.lanes
        if mask is None:
            return self.let(f"load {v.vector}, ptr {pointer}, align {v.size}")
        self.declared.add(f"declare {v.vector} @llvm.masked.load.{v.suffix}.p0(ptr, i32, {v.mask}, {v.vector})")
        arguments = f"ptr {pointer}, i32 {v.size}, {v.mask} {mask}, {v.vector} zeroinitializer"
        return self.let(f"call {v.vector} @llvm.masked.load.{v.suffix}.p0({arguments})")

    def load_one(self, pointer: str, again: bool = False) -> str:
        """An element. ``again``: once more, by its own instruction; a note on it keeps LLVM from taking the value it has."""
        v = self.lanes
        note = ""
        if again:
            self.declared.add(_UNCHANGED)
            note = f", !invariant.load {_UNCHANGED.split()[0]}"
        return self.let(f"load {v.real}, ptr {pointer}, align {v.size}{note}")

    def store(self, value: str, pointer: str, mask: str | None = None) -> None:
        v = self.lanes
        if mask is None:
            self.line(f"store {v.vector} {value}, ptr {pointer}, align {v.size}")
            return
        self.declared.add(f"declare void @llvm.masked.store.{v.suffix}.p0({v.vector}, ptr, i32, {v.mask})")
        self.line(f"call void @llvm.masked.store.{v.suffix}.p0({v.vector} {value}, ptr {pointer}, i32 {v.size}, {v.mask} {mask})")

    def fetch(self, pointer: str, written: bool, near: bool = False) -> None:
        """Asks for a line of memory: into the L1 cache if it will be written or is needed ``near`` by, else into the L2 cache."""
        self.declared.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        self.line(f"call void @llvm.prefetch.p0(ptr {pointer}, i32 {int(written)}, i32 {2 + (written or near)}, i32 1)")

    def splat(self, scalar: str) -> str:
        """A vector with the scalar in every lane."""
        v = self.lanes
        one = self.let(f"insertelement {v.vector} poison, {v.real} {scalar}, i64 0")
        return self.let(f"shufflevector {v.vector} {one}, {v.vector} poison, <{v.width} x i32> zeroinitializer")

    def multiply_add(self, a: str, b: str, c: str) -> str:
        """a * b + c, rounded once where the CPU can."""
        v = self.lanes
        self.declared.add(f"declare {v.vector} @llvm.fmuladd.{v.suffix}({v.vector}, {v.vector}, {v.vector})")
        return self.let(f"call {v.vector} @llvm.fmuladd.{v.suffix}({v.vector} {a}, {v.vector} {b}, {v.vector} {c})")

    def lanes_below(self, count: Integer) -> str:
        """The mask of the first ``count`` lanes; none if it is negative, all if it is larger than a vector."""
        width = self.lanes.width
        bounded = self.least(self.most(count, 0), width)
        narrow = self.let(f"trunc i64 {bounded} to i32")
        one = self.let(f"insertelement <{width} x i32> poison, i32 {narrow}, i64 0")
        limit = self.let(f"shufflevector <{width} x i32> {one}, <{width} x i32> poison, <{width} x i32> zeroinitializer")
        ramp = ", ".join(f"i32 {i}" for i in range(width))
        return self.let(f"icmp ult <{width} x i32> <{ramp}>, {limit}")
