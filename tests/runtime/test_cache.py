"""The cache on disk: a second process compiles nothing, and no state of the folder can break a computation."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import subprocess
import sys
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import weft
import weft.codegen
from weft.runtime import blas, cache, entry, jit, source_version, store
from weft.runtime.config import config, default_cache_dir
from weft.runtime.executable import build
from weft.runtime.kernel_workers import Kernel, kernel_workers


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache folder; what the process remembers is put aside."""
    monkeypatch.setattr(config, "cache_dir", tmp_path / "cache")
    monkeypatch.setattr(store, "_warned", set())
    monkeypatch.setattr(store, "_pruned", set())
    monkeypatch.setattr(store, "_memory", type(store._memory)())
    yield tmp_path / "cache"


def files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def test_bytes_come_back_from_disk(folder: Path) -> None:
    key = store.content_key("a", "b")
    assert store.load_bytes("objects", key) is None
    store.store_bytes("objects", key, b"\0code")
    store.forget_memory()
    assert store.load_bytes("objects", key) == b"\0code"
    assert folder.stat().st_mode & 0o077 == 0, "nobody else may put code there"
    assert [p.name for p in files(folder)] == [key]


def test_keys_depend_on_where_parts_end() -> None:
    assert store.content_key("ab", "c") != store.content_key("a", "bc")


@pytest.mark.parametrize("damage", [b"", b"weft cache 1\n", b"x" * 200, None])
def test_a_damaged_file_is_made_again(folder: Path, damage: bytes | None) -> None:
    store.store_bytes("objects", "k" * 64, b"payload" * 20)
    (path,) = files(folder)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"?" if damage is None else damage)
    store.forget_memory()
    with pytest.warns(store.CacheWarning, match="corrupt"):
        assert store.load_bytes("objects", "k" * 64) is None
    assert not files(folder)
    store.store_bytes("objects", "k" * 64, b"payload" * 20)
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_made_costs_one_warning(folder: Path) -> None:
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("a file where the folder should be")
    with pytest.warns(store.CacheWarning, match="kept in memory only"):
        store.store_bytes("objects", "k", b"code")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.store_bytes("objects", "l", b"more")
        assert store.load_bytes("objects", "m") is None
    assert store.load_bytes("objects", "k") == b"code"


def test_files_that_may_not_be_read_cost_one_warning(folder: Path) -> None:
    for key in "kl":
        store.store_bytes("objects", key, b"code")
        (path,) = [p for p in files(folder) if p.name == key]
        path.unlink()
        path.mkdir()  # whoever runs the tests may read any file
    store.forget_memory()
    with pytest.warns(store.CacheWarning, match="could not be read") as told:
        assert [store.load_bytes("objects", key) for key in "kl"] == [None, None]
    assert len(told) == 1


def test_another_thread_may_push_out_what_one_just_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(OrderedDict[tuple[str, str], bytes]):
        def get(self, key: tuple[str, str], default: None = None) -> bytes | None:  # type: ignore[override]
            found = super().get(key, default)
            self.pop(key, None)
            return found

        def move_to_end(self, key: tuple[str, str], last: bool = True) -> None:
            self.pop(key, None)
            super().move_to_end(key, last)

    monkeypatch.setattr(store, "_memory", Full({("objects", "k"): b"code"}))
    assert store.load_bytes("objects", "k") == b"code"


@pytest.mark.parametrize("errno_name", ["ENOSPC", "EROFS", "EACCES"])
def test_a_full_or_read_only_disk_costs_one_warning(folder: Path, errno_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(getattr(errno, errno_name), os.strerror(getattr(errno, errno_name)))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.warns(store.CacheWarning, match="could not be written"):
        store.store_bytes("objects", "k", b"code")
    assert store.load_bytes("objects", "k") == b"code"
    assert not files(folder), "no half-written file stays"


def test_the_oldest_entries_go_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for age, key in enumerate(["new", "middle", "old"]):
        store.store_bytes("objects", key, b"x" * 1000)
        os.utime(folder / "objects" / key[:2] / key, (1e9 - age, 1e9 - age))
    monkeypatch.setattr(config, "cache_bytes", 3300)
    monkeypatch.setattr(store, "_pruned", set())
    store.store_bytes("objects", "newest", b"x" * 1000)
    assert {p.name for p in files(folder)} == {"new", "middle", "newest"}


def test_programs_survive_without_pickles(folder: Path, dense: SimpleNamespace) -> None:
    program = dense.program()
    assert cache.load_program("f") is None
    cache.store_program("f", program)
    store.forget_memory()
    again = cache.load_program("f")
    assert again is not None
    assert again.to_tables() == program.to_tables()
    assert [c.tobytes() for c in again.constants] == [c.tobytes() for c in program.constants]
    assert again.constants[0].dtype == np.float32 and not again.constants[0].flags.writeable


def test_another_version_reads_nothing(folder: Path, dense: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.store_program("f", dense.program())
    monkeypatch.setattr(cache, "source_version", lambda: "another")
    assert cache.load_program("f") is None


def test_machine_code_is_keyed_by_all_that_prints_mathematics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code whose text does not hold the functions it calls would else outlive a change of them."""
    hashed: list[str] = []
    monkeypatch.setattr(source_version, "_hash_files", lambda paths: hashed.extend(Path(p).name for p in paths) or "")
    source_version.printer_version.__wrapped__()
    texts = {p.stem: p.read_text() for p in Path(weft.codegen.__path__[0]).glob("*.py")}
    found = {"llvm_formulas"}
    for _ in range(4):  # what these import, and so on
        found |= {n for n in texts for f in found if re.search(rf"from \.{n} |from \. .*\b{n}\b", texts[f])}
    printers = found - {"kernel"}  # the tree of loops prints nothing
    assert {f"{name}.py" for name in printers} | {"special.py"} <= set(hashed)
    assert {"vector_tables", "vector_normal", "vector_inverses"} <= found


def test_a_program_of_another_form_is_not_used(folder: Path) -> None:
    key = cache._program_key("f")
    store.store_bytes("programs", key, b"\5\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0[1,2]")
    with pytest.warns(store.CacheWarning, match="could not be read"):
        assert cache.load_program("f") is None


@pytest.mark.parametrize("value", ["", "off", " OFF "])
def test_the_environment_switches_the_disk_off(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", value)
    assert default_cache_dir() is None


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path))
    assert default_cache_dir() == str(tmp_path)
    monkeypatch.delenv("WEFT_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert default_cache_dir() == str(tmp_path / "x" / "weft")


def test_memory_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "cache_dir", None)
    store.store_bytes("objects", "k", b"code")
    assert store.load_bytes("objects", "k") == b"code"
    assert not folder.exists()


def test_the_entry_is_compiled_beside_the_first_program(folder: Path) -> None:
    key = entry._kernel().key
    store.forget_memory()
    assert store.load_bytes("objects", key) is None
    weft.function(lambda x: x * 271.25).get_concrete_function(weft.TensorSpec([3])).compiled  # noqa: B018 - compiles
    store.forget_memory()
    assert (store.load_bytes("objects", key) is not None) == entry.layout_is_known()


@pytest.mark.parametrize("fails", [False, True])
def test_threads_switch_often_only_while_kernels_compile(fails: bool) -> None:
    seen: list[float] = []

    def compile_nothing(text: str) -> bytes:
        seen.append(sys.getswitchinterval())
        if fails:
            raise RuntimeError(text)
        return text.encode()

    before = sys.getswitchinterval()
    kernel = Kernel("k", "key", lambda: "text", compile_nothing)
    with pytest.raises(RuntimeError) if fails else contextlib.nullcontext(), kernel_workers:
        kernel_workers.start(kernel)
        assert kernel_workers.finish(kernel) == b"text"
    assert seen[0] < before == sys.getswitchinterval()


CHILD = """
import sys
sys.path.insert(0, {tests!r})
import numpy as np
from conftest import data, dense_program, weights
from weft.runtime import jit
from weft.runtime.executable import build
from weft.runtime.kernel_workers import Kernel, kernel_workers
step = build(dense_program(), [weights()])
result = step([data(5)])[0]
imported = "numba" if "numba" in sys.modules else "llvm" if "llvmlite" in sys.modules else "neither"
print(jit.counters.kernels_compiled, jit.counters.kernels_loaded, imported, result.tobytes().hex())
"""


def run_child(folder: Path) -> list[str]:
    text = CHILD.format(tests=str(Path(__file__).parent))
    environment = {**os.environ, "WEFT_CACHE_DIR": str(folder)}
    done = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split()


@pytest.mark.compiles
def test_a_second_process_compiles_nothing_and_imports_no_compiler(tmp_path: Path) -> None:
    kernels = 3 if blas.contract_dtypes() else 4  # the fourth is the matrix product
    compiled, loaded, imported, first = run_child(tmp_path)
    assert (int(compiled), int(loaded), imported) == (kernels, 0, "numba")
    compiled, loaded, imported, second = run_child(tmp_path)
    assert (int(compiled), int(loaded)) == (0, kernels)
    assert imported == ("neither" if sys.platform == "linux" and platform.machine() == "x86_64" else "llvm")
    assert first == second
    for path in files(tmp_path):
        if "steps" in path.parts:
            path.write_bytes(path.read_bytes()[:100])
    assert run_child(tmp_path)[:2] == ["0", str(kernels)]  # the kernels are stored one by one as well
    for path in files(tmp_path):
        if "objects" in path.parts or "steps" in path.parts:
            path.write_bytes(path.read_bytes()[:100])
    compiled, loaded, imported, third = run_child(tmp_path)
    assert (int(compiled), int(loaded), third) == (kernels, 0, first)


TRAINING = """
import sys
before = set(sys.modules)  # an editable installation brings some along
import numpy as np
from weft import keras
from weft.runtime import jit
model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(5, "tanh"), keras.layers.Dropout(0.5), keras.layers.Dense(3)])
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.train_on_batch(np.ones((4, 6), np.float32), np.zeros(4, np.int32))
print(jit.counters.kernels_compiled, jit.counters.steps_compiled, "weft.codegen.generate" in sys.modules)
heavy = {"llvmlite", "numba", "weft.graph.passes.pipeline", "pathlib", "logging", "shutil", "tempfile", "difflib"}
unused = {
    "weft.runtime.driver", "weft.runtime.plan_team", "weft.runtime.team_step", "weft.runtime.team_text",
    "weft.runtime.batch_loop", "weft.runtime.blas",
    "weft.runtime.background", "weft.runtime.differentiate", "weft.runtime.kernel_module", "weft.runtime.module_text",
    "weft.layers.normalization", "weft.layers.merging", "weft.layers.shaping", "weft.layers.activation_layers",
    "weft.keras.losses.regression", "weft.keras.metrics.auc", "weft.keras.optimizers.sgd", "weft.keras.models.summary",
    "weft.keras.callbacks", "weft.keras.trainers.loops", "weft.tracer.ops.einstein_sum",
    "json", "weft.config", "weft.tracer.ops.effects", "weft.tracer.ops.joining", "weft.tracer.custom_gradient",
    "weft.tracer.jacobian",
}
print(*sorted((heavy | unused) & set(sys.modules) - before))
"""


def test_the_second_process_of_a_training_finds_everything(tmp_path: Path) -> None:
    environment = {**os.environ, "WEFT_CACHE_DIR": str(tmp_path)}

    def train() -> list[str]:
        done = subprocess.run([sys.executable, "-c", TRAINING], env=environment, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    assert int(train()[0].split()[0]) > 3
    stored = {path for path in files(tmp_path) if "steps" in path.parts}
    counts, imported = train()
    assert counts.split()[:3] == ["0", "0", "False"]
    if sys.platform == "linux" and platform.machine() == "x86_64":
        assert imported == ""
    assert {path for path in files(tmp_path) if "steps" in path.parts} == stored  # found under the key it was stored under


@pytest.mark.compiles
def test_processes_may_share_a_folder(tmp_path: Path) -> None:
    text = CHILD.format(tests=str(Path(__file__).parent))
    environment = {**os.environ, "WEFT_CACHE_DIR": str(tmp_path)}
    children = [
        subprocess.Popen([sys.executable, "-c", text], env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    results = {child.communicate()[0].splitlines()[-1].split()[-1] for child in children}
    assert [child.returncode for child in children] == [0, 0, 0]
    assert len(results) == 1
    assert not [p for p in files(tmp_path) if p.name.startswith(".new")]


@pytest.mark.compiles
def test_equal_kernels_are_compiled_once(folder: Path, dense: SimpleNamespace) -> None:
    build(dense.program(), [dense.weights()])
    before = jit.counters.kernels_compiled + jit.counters.kernels_loaded
    other = dense.source.replace("size(d, 0)", "size(d, 0) * 1")
    build(dense.program(other), [dense.weights()])
    assert jit.counters.kernels_compiled + jit.counters.kernels_loaded == before
    renamed = dense.source.replace("HALF = float32(0.5)", "HALF = float32(0.25)")
    w = dense.weights()
    build(dense.program(renamed), [w])([dense.data(2)])
    np.testing.assert_array_equal(w, dense.weights() * np.float32(0.25))
