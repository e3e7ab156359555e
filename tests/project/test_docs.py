"""The documentation's links and pictures lead somewhere."""

from __future__ import annotations

import re
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

import weft

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_within_a_page_lead_to_headings(page: Path) -> None:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", page.read_text())) <= anchors


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_files_that_are_named_exist(page: Path) -> None:
    """A name with a folder is a path from the root or within a room; one without is that of any file."""
    files = {f"/{f.relative_to(ROOT)}" for f in ROOT.rglob("*.py")}
    named = re.findall(r"`(?:[^`\n]* )?([\w/]+\.py)\b[^`\n]*`", page.read_text())
    assert [n for n in named if not any(f.endswith(f"/{n}") for f in files)] == []


@pytest.mark.parametrize("picture", sorted((ROOT / "docs").rglob("*.svg")), ids=lambda p: p.name)
def test_pictures_are_whole(picture: Path) -> None:
    assert xml.parse(picture).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_generated_parts_are_marked_once() -> None:
    text = (ROOT / "docs" / "performance.md").read_text()
    begins, ends = (re.findall(rf"<!-- {word} (\w+) -->", text) for word in ("begin", "end"))
    assert begins == ends and len(set(begins)) == len(begins)
    assert set(begins) == {"machine", "width", "depth", "batch", "compile", "startup", "peers", "rows"}


@pytest.mark.compiles
def test_the_readmes_program_trains(capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    path = ROOT / "README.py"  # the decorated function's lines are named after it
    names: dict[str, object] = {"__name__": "readme"}
    weft.random.set_seed(3)  # the loss that is printed is that of two samples
    exec(compile(program, str(path), "exec"), names)
    assert names["train_step"].trace_count == 2  # type: ignore[attr-defined]
    epochs = re.findall(r"^(\d) ([\d.]+)$", capsys.readouterr().out, flags=re.MULTILINE)
    assert len(epochs) == 10 and float(epochs[-1][1]) < 0.5 * float(epochs[0][1])
