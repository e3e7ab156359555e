"""The ``weft`` command. In: command-line arguments; out: the demo's output."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Runs ``weft demo``; returns the exit status."""
    parser = argparse.ArgumentParser(prog="weft", description="tf.function for the CPU, readable.")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="train a digit classifier on real images, eager and compiled")
    demo.add_argument("--eager", action="store_true", help="run everything op by op, without compiling")
    demo.add_argument("--epochs", type=int, default=12, help="epochs of each loop (default 12)")
    arguments = parser.parse_args(argv)

    from weft.demo import run  # Keras is loaded only when it is used

    return run(eager=arguments.eager, epochs=arguments.epochs)


if __name__ == "__main__":
    raise SystemExit(main())
