"""Processes that are measured in turns. In: a Python, one of the peers' scripts and lines to it; out: its answers.

A process says a line when it is ready, and then answers every line with one.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent / "peers"


class Worker:
    """One such process. greeting: its first line, empty if it could not start."""

    def __init__(self, python: str, script: str, *options: str) -> None:
        command, pipe = [python, str(SCRIPTS / script), *options], subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self._command = " ".join(command)
        self.greeting = self._answers.readline().strip()

    def ask(self, request: str) -> str:
        """The answer; SystemExit if the process has ended."""
        try:
            print(request, file=self._requests, flush=True)
        except BrokenPipeError:
            line = ""
        else:
            line = self._answers.readline().strip()
        if not line:
            raise SystemExit(f"{self._command} ended.")
        return line

    def close(self) -> None:
        self._requests.close()
        self._process.wait(timeout=60)
