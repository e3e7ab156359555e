"""The doctor: what it reports, and what it calls a problem."""

from __future__ import annotations

import json
from pathlib import Path

import llvmlite
import numpy as np
import pytest

from weft import doctor
from weft.__main__ import main
from weft.runtime.config import config
from weft.runtime.machine_limits import Level, Limits
from weft.runtime.store import cache_usage, store_bytes


@pytest.mark.compiles
def test_a_healthy_machine_has_no_problems(capsys):
    assert main(["doctor", "--quick"]) == 0
    text = capsys.readouterr().out
    assert f"numpy {np.__version__}" in text and f"llvmlite {llvmlite.__version__}" in text
    assert "No problems found." in text and "test step" in text
    for subject in ("CPU", "SIMD", "caches", "threads", "cache", "BLAS"):
        assert subject in text
    assert "GFLOP/s" not in text


@pytest.mark.compiles
def test_it_prints_json_too(capsys):
    assert main(["doctor", "--quick", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["problems"] == [] and str(config.cache_dir) in found["facts"]["cache"]


def test_the_measured_speed_is_a_line():
    limits = Limits(1, {"f32": 200e9, "f64": 100e9}, (Level("L1", 1e4, 300e9), Level("memory", float("inf"), 12e9)))
    assert doctor.limits_text(limits) == "FMA 200 GFLOP/s float32, 100 float64; GB/s: L1 300, memory 12"


def test_it_counts_what_the_cache_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "cache_dir", tmp_path / "cache")
    assert cache_usage() == {}
    store_bytes("objects", "a" * 64, b"1234")
    store_bytes("programs", "b" * 64, b"12345678")
    usage = cache_usage()
    assert {kind: count for kind, (count, _) in usage.items()} == {"objects": 1, "programs": 1}
    assert usage["programs"][1] == usage["objects"][1] + 4
    report = doctor.Report()
    doctor._examine_cache(report)
    assert "2 entries (1 objects, 1 programs)" in report.facts["cache"] and not report.problems


def test_a_cache_that_cannot_be_written_is_a_problem(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(config, "cache_dir", tmp_path / "file")
    report = doctor.Report()
    doctor._examine_cache(report)
    assert len(report.problems) == 1 and str(tmp_path / "file") in report.problems[0]
    assert "problem: the cache folder" in str(report)


def test_no_cache_on_disk_is_a_choice(monkeypatch):
    monkeypatch.setattr(config, "cache_dir", None)
    report = doctor.Report()
    doctor._examine_cache(report)
    assert "in memory" in report.facts["cache"] and not report.problems


def test_a_step_that_fails_or_is_wrong_is_a_problem(monkeypatch, capsys):
    def fail():
        raise RuntimeError("LLVM is broken")

    monkeypatch.setattr(doctor, "_try_step", fail)
    assert main(["doctor", "--quick"]) == 1
    assert "LLVM is broken" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "_try_step", lambda: (0.1, 0.5))
    assert main(["doctor", "--quick"]) == 1
    assert "wrong numbers" in capsys.readouterr().out


def test_the_model_name_is_that_of_the_system():
    if Path("/proc/cpuinfo").exists():
        assert doctor._model_name()
    assert doctor._size(512) == "512 B" and doctor._size(3 * 2**20) == "3 MiB" and doctor._size(2**31) == "2.0 GiB"
