"""Who may import whom. In: the import statements of every file; out: a failure for each arrow the house does not have."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {"api": "weft", "layers": "weft.layers", "tracer": "weft.tracer", "graph": "weft.graph", "codegen": "weft.codegen",
         "runtime": "weft.runtime"}  # fmt: skip
MAY_IMPORT = {
    "graph": {"graph"},
    "tracer": {"graph", "tracer"},
    "codegen": {"graph", "codegen"},
    "runtime": {"graph", "tracer", "codegen", "runtime"},
    "layers": {"tracer", "layers"},
    "api": set(ROOMS),
}
ALLOWED_OUTSIDE = {"graph": {"numpy"}, "tracer": {"numpy"}, "codegen": {"numpy"}, "layers": {"numpy"}, "api": {"numpy"},
                   "runtime": {"numpy", "numba", "llvmlite"}}  # fmt: skip


def room_of(module: str) -> str | None:
    """The room of an absolute module name: ``weft.graph.ir`` lives in graph, ``weft.nn`` in api."""
    if module != "weft" and not module.startswith("weft."):
        return None
    second = [*module.split("."), ""][1]
    return second if second in ROOMS and second != "api" else "api"


def imports(path: Path, package: str) -> list[tuple[int, str]]:
    """Every module the file imports, anywhere in it, as absolute names with line numbers."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, a.name) for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            target = ".".join([*base, *([node.module] if node.module else [])])
            # `from weft import graph` names a room by its alias
            found += [(node.lineno, f"{target}.{a.name}" if target == "weft" else target) for a in node.names]
    return found


def source_files() -> list[tuple[str, Path, str]]:
    out = []
    for room, package in ROOMS.items():
        for path in sorted((ROOT / room).rglob("*.py")):
            inside = path.parent.relative_to(ROOT / room).parts
            out.append((room, path, ".".join([package, *inside])))
    return out


@pytest.mark.parametrize(("room", "path", "package"), source_files(), ids=lambda v: v.name if isinstance(v, Path) else None)
def test_imports_follow_the_table(room: str, path: Path, package: str) -> None:
    import sys

    wrong = []
    for line, module in imports(path, package):
        target = room_of(module)
        top = module.split(".")[0]
        if target is None and top not in sys.stdlib_module_names and top not in ALLOWED_OUTSIDE[room]:
            wrong.append(f"{path}:{line} imports {module}, which is no dependency of {room}")
        elif target is not None and target not in MAY_IMPORT[room]:
            wrong.append(f"{path}:{line} imports {module}: {room} may not import {target}")
        elif module.startswith("weft.graph.ops.") and path.parent.name == "ops" and path.name != "__init__.py":
            wrong.append(f"{path}:{line}: an op file imports another op file")
    assert not wrong, "\n".join(wrong)


def test_every_folder_is_a_listed_package() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    folders = set()
    for room, package in ROOMS.items():
        for init in (ROOT / room).rglob("__init__.py"):
            folders.add(".".join([package, *init.parent.relative_to(ROOT / room).parts]))
    assert listed == folders


def test_file_names_say_something() -> None:
    banned = {"utils.py", "util.py", "common.py", "basic.py", "misc.py", "helpers.py", "helper.py"}
    assert not [str(p) for _, p, _ in source_files() if p.name in banned]
