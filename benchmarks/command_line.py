"""The benchmarks' options. In: a script's docstring and which of the usual options it has; out: a parser to add its own to."""

from __future__ import annotations

import argparse


def make_parser(description: str | None, *, peers: str = "", rounds: int = 0, part: str = "") -> argparse.ArgumentParser:
    """A parser that shows the docstring as it is.

    peers: what must be installed beside the Python that ``--peers`` names. rounds: the default of ``--rounds``. part: what
    ``--write`` puts into docs/performance.md.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if peers:
        parser.add_argument("--peers", help=f"Python of an environment with {peers}; default: no peers")
    if rounds:
        parser.add_argument("--rounds", type=int, default=rounds)
    if part:
        parser.add_argument("--write", action="store_true", help=f"write {part} into docs/performance.md")
    return parser
