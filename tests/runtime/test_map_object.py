"""Code placed without a linker. In: small LLVM modules; out: failures where it differs from what LLVM's own linker loads."""

from __future__ import annotations

import ctypes
import gc
import platform
import sys

import pytest

from weft.runtime import engine as engine_module
from weft.runtime.engine import Engine, compile_text
from weft.runtime.host import Host, host
from weft.runtime.map_object import map_object

PLACEABLE = sys.platform == "linux" and platform.machine() == "x86_64"
TEXT = """
@table = private constant [4 x i64] [i64 3, i64 5, i64 7, i64 11]
@count = internal global i64 100
@text = private constant [6 x i8] c"weft!\\00"
declare i64 @strlen(ptr)
declare i64 @given(i64)
define internal i64 @entry(i64 %i) noinline {
  %at = getelementptr i64, ptr @table, i64 %i
  %v = load i64, ptr %at
  ret i64 %v
}
define i64 @sum(i64 %i) {
  %a = call i64 @entry(i64 %i)
  %b = call i64 @strlen(ptr @text)
  %c = call i64 @given(i64 %a)
  %d = add i64 %b, %c
  %old = load i64, ptr @count
  %new = add i64 %old, 1
  store i64 %new, ptr @count
  %e = add i64 %d, %new
  ret i64 %e
}
"""
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)


def given(callback: object) -> dict[str, int]:
    return {"given": ctypes.cast(callback, ctypes.c_void_p).value or 0}  # type: ignore[arg-type]  # a ctypes function


@pytest.mark.parametrize("linker", [False, True])
def test_both_ways_of_loading_give_the_same_function(linker: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if linker:
        monkeypatch.setattr(engine_module, "map_object", lambda *_: None)
    double = CALLBACK(lambda x: 2 * x)
    code = compile_text(TEXT)
    assert (map_object(code, "sum", given(double)) is not None) == PLACEABLE
    address, handle = Engine().load(code, "sum", given(double))
    function = CALLBACK(address)
    assert [function(i) for i in range(4)] == [2 * x + 5 + 101 + i for i, x in enumerate((3, 5, 7, 11))]
    assert handle is not None


def test_code_goes_when_nobody_keeps_it() -> None:
    code, double = compile_text(TEXT), CALLBACK(lambda x: 2 * x)

    def executable_pages() -> int:
        with open("/proc/self/maps") as file:
            ranges = [line.split()[0].split("-") for line in file if line.split()[1] == "r-xp" and len(line.split()) < 6]
        return sum(int(end, 16) - int(start, 16) for start, end in ranges) // 4096

    def load() -> int:
        kept = [Engine().load(code, "sum", given(double)) for _ in range(64)]
        return executable_pages() if kept else 0

    if PLACEABLE:
        before = executable_pages()
        during = load()
        gc.collect()
        assert during >= before + 64 and executable_pages() <= before


@pytest.mark.parametrize("damage", ["cut", "missing", "alien", "empty"])
def test_what_is_not_as_expected_is_left_to_the_linker(damage: str) -> None:
    code = compile_text(TEXT)
    broken = {"cut": code[: len(code) // 2], "missing": code, "alien": b"\xcf\xfa\xed\xfe" + code[4:], "empty": b""}[damage]
    assert map_object(broken, "sum", {}) is None
    with pytest.raises(RuntimeError):
        Engine().load(broken, "sum", {})


def test_the_machine_is_described_as_llvm_does() -> None:
    import llvmlite.binding as llvm

    assert host() == host.__wrapped__() and isinstance(host(), Host)  # the second from the cache
    assert host().cpu == llvm.get_host_cpu_name() and host().features == llvm.get_host_cpu_features().flatten()
