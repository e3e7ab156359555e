"""Programs written for TensorFlow, run by weft with one changed import: what they print must be what TensorFlow printed."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
from pathlib import Path

import pytest

import weft

HERE = Path(__file__).parent
SOURCES = sorted((HERE / "sources").glob("*.py"))
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+|inf\b|nan\b)")


def printed(source: Path, folder: Path) -> str:
    """What the program prints with weft in TensorFlow's place."""
    program = folder / source.name
    program.write_text(source.read_text().replace("import tensorflow as tf", "import weft as tf"))
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        runpy.run_path(str(program))
    return out.getvalue()


def parts(text: str) -> tuple[str, list[float]]:
    """The text without its numbers and spacing, and the numbers."""
    return re.sub(r"\s+", "", NUMBER.sub("#", text)), [float(n) for n in NUMBER.findall(text)]


def compare(got: str, want: str) -> None:
    frame, numbers = parts(got)
    expected_frame, expected_numbers = parts(want)
    assert frame == expected_frame
    assert numbers == pytest.approx(expected_numbers, rel=5e-5, abs=5e-6, nan_ok=True)


@pytest.fixture(autouse=True)
def fresh_names():
    weft.random.set_seed(1)
    yield
    weft.config.run_functions_eagerly(False)


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.stem)
def test_prints_what_tensorflow_prints_eagerly(source, tmp_path):
    weft.config.run_functions_eagerly(True)
    compare(printed(source, tmp_path), (HERE / "expected" / f"{source.stem}.txt").read_text())


@pytest.mark.compiles
@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.stem)
def test_prints_what_tensorflow_prints_compiled(source, tmp_path):
    compare(printed(source, tmp_path), (HERE / "expected" / f"{source.stem}.txt").read_text())
