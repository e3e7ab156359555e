"""The examples run and do what they say."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.compiles
def test_linear_regression_separates_the_clouds() -> None:
    assert runpy.run_path(str(EXAMPLES / "linear_regression.py"))["main"]() > 0.98


@pytest.mark.compiles
def test_look_inside_shows_everything(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / "look_inside.py"))["main"]()
    shown = capsys.readouterr().out
    for word in ("2 traces made", "look_inside.py:", "generated module:", "speed-up", "roofline", "eagerly:"):
        assert word in shown
