"""What every test gets: a cache of its own run, and names that are the same in every process."""

from __future__ import annotations

import os
import signal
import tempfile

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says something about the machine's other guests, and nothing about what is tested.
settings.register_profile("weft", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("weft")


def pytest_configure(config: pytest.Config) -> None:
    """Compiled steps of a test run are kept apart from the user's; workers of one run share them. Tests interrupt themselves,
    which does nothing where a shell has started them in the background, with Ctrl-C ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "WEFT_CACHE_DIR" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="weft-tests-")
        config.add_cleanup(folder.cleanup)
        os.environ["WEFT_CACHE_DIR"] = folder.name


def pytest_make_parametrize_id(val: object) -> str | None:
    """Functions among the parameters are named by their name: their default name holds an address, different in each worker."""
    return getattr(val, "__name__", None) if callable(val) else None
