"""Runs every program under ``sources`` with real TensorFlow and stores what it prints under ``expected``.

Run with a Python that has TensorFlow: ``python tests/programs/make_expected.py``. The tests only read the stored texts.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

HERE = Path(__file__).parent


def main() -> None:
    """``tf.print`` and ``print`` write to different streams: both go to one file, by descriptor."""
    import tensorflow  # noqa: F401  # its own messages come before the first program

    for source in sorted((HERE / "sources").glob("*.py")):
        target = HERE / "expected" / f"{source.stem}.txt"
        target.parent.mkdir(exist_ok=True)
        file = os.open(target, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND)
        saved = os.dup(1), os.dup(2)
        os.dup2(file, 1), os.dup2(file, 2)
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        try:
            runpy.run_path(str(source))
        finally:
            sys.stdout.flush()
            os.dup2(saved[0], 1), os.dup2(saved[1], 2)
            os.close(file)
        lines = target.read_text().splitlines()
        target.write_text("".join(f"{line}\n" for line in lines if not line.startswith(("WARNING", "I0000", "W0000"))))


if __name__ == "__main__":
    main()
