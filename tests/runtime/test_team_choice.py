"""Which steps threads share, and how many threads there are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import weft
from weft.codegen.program import Split
from weft.runtime import cores, team_choice
from weft.runtime.config import config
from weft.runtime.team_choice import choose_calls

pytestmark = [pytest.mark.compiles, pytest.mark.usefixtures("thread_team")]


def test_small_steps_stay_alone() -> None:
    """The estimate: a small model is not worth a hand-over, a wide pointwise chain is."""
    config.intra_op_threads = 4
    small = weft.function(lambda x: weft.exp(x) * 2.0).get_concrete_function(weft.TensorSpec([None], weft.float32))
    program = small.compiled.program
    assert isinstance(program.kernels[0].split, Split)
    (name,) = program.sizes
    assert choose_calls(program, {name: 1000}) == frozenset()
    assert choose_calls(program, {name: 1_000_000}) == {0}
    config.intra_op_threads = 1
    assert choose_calls(program, {name: 1_000_000}) == frozenset()


@pytest.mark.parametrize(("share", "shared"), [(1.0, False), (0.5, True)])
def test_shorter_vectors_make_threads_pay_sooner(share: float, shared: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same product takes longer with them."""
    monkeypatch.setattr(team_choice, "arithmetic_share", lambda: share)
    config.intra_op_threads = 2
    w = weft.constant(np.zeros((128, 128), np.float32))
    step = weft.function(lambda x: weft.matmul(x, w)).get_concrete_function(weft.TensorSpec([100, 128], weft.float32))
    assert bool(choose_calls(step.compiled.program, {})) == shared


def test_cores_are_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, siblings in enumerate(("0,2", "1,3", "0,2", "1,3")):
        folder = tmp_path / f"cpu{number}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(siblings + "\n")
    quota = tmp_path / "cpu.max"
    quota.write_text("max 100000\n")
    cores._physical.cache_clear()
    monkeypatch.setattr(cores, "_TOPOLOGY", tmp_path)
    monkeypatch.setattr(cores, "_QUOTA", quota)
    monkeypatch.setattr(cores, "_allowed", lambda: {0, 1, 2, 3})
    assert cores.usable_cores() == 2
    monkeypatch.setattr(cores, "_allowed", lambda: {0, 2})
    assert cores.usable_cores() == 1
    monkeypatch.setattr(cores, "_allowed", lambda: set(range(16)))
    quota.write_text("250000 100000\n")
    assert cores.usable_cores() == 3
    cores._physical.cache_clear()
