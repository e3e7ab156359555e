"""The ``weft`` command. In: command-line arguments; out: the demo's output, or the doctor's report."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Runs ``weft demo`` or ``weft doctor``; returns the exit status."""
    parser = argparse.ArgumentParser(prog="weft", description="tf.function for the CPU, readable.")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="train a digit classifier on real images, eager and compiled")
    demo.add_argument("--eager", action="store_true", help="run everything op by op, without compiling")
    demo.add_argument("--epochs", type=int, default=12, help="epochs of each loop (default 12)")
    doctor = commands.add_parser("doctor", help="what this machine offers, and whether weft works on it")
    doctor.add_argument("--quick", action="store_true", help="measure neither arithmetic nor memory")
    doctor.add_argument("--json", action="store_true", help="print the facts and problems as JSON")
    arguments = parser.parse_args(argv)
    return _doctor(arguments) if arguments.command == "doctor" else _demo(arguments)


def _demo(arguments: argparse.Namespace) -> int:
    from weft.demo import run  # Keras is loaded only when it is used

    return run(eager=arguments.eager, epochs=arguments.epochs)


def _doctor(arguments: argparse.Namespace) -> int:
    """0 if there are no problems, else 1."""
    from weft.doctor import examine

    report = examine(measure=not arguments.quick)
    print(json.dumps({"facts": report.facts, "problems": report.problems}, indent=1) if arguments.json else report)
    return 1 if report.problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
