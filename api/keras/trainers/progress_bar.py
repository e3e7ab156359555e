"""The progress bar of Keras 3, character by character. In: step numbers and metric values; out: text on standard output."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

BOLD, GREEN, WHITE, PLAIN = "\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"


def print_message(message: Any, line_break: bool = True) -> None:
    """Writes to standard output at once. Where its encoding lacks a character, a plain one takes its place."""
    text = f"{message}\n" if line_break else str(message)
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "utf-8"
        plain = text.replace("━", "=")
        sys.stdout.write(plain.encode(encoding, errors="ignore").decode(encoding))
    sys.stdout.flush()


class Progbar:
    """Shows how far a loop is, how long a step takes and the metrics.

    target: the number of steps, None if unknown.
    width: of the bar, in characters.
    verbose: 0 shows nothing, 1 a bar that is redrawn at most every ``interval`` seconds, 2 one line at the end.
    stateful_metrics: names shown as given; all others are averaged over the steps.
    stateless_metrics: names averaged over the steps; all others are shown as given. Only one of the two may be given.
    unit_name: what a step is called.

    The text is that of Keras 3, on a terminal and elsewhere: with backspaces wherever Keras would write them.
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError("Only one of stateful_metrics and stateless_metrics can be given.")
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self.stateful_metrics = None if stateless_metrics is not None else set(stateful_metrics or ())
        self.stateless_metrics = None if stateless_metrics is None else set(stateless_metrics)
        # Keras looks for the module "posix", so on Unix the line is redrawn in files too.
        self._dynamic_display = (
            (hasattr(sys.stdout, "isatty") and sys.stdout.isatty())
            or "ipykernel" in sys.modules
            or "posix" in sys.modules
            or "PYCHARM_HOSTED" in os.environ
        )
        self._seen_so_far = 0
        self._values: dict[str, list[Any]] = {}  # name -> [sum, count], in the order of first appearance
        self._start = time.time()
        self._last_update = 0.0
        self._time_after_first_step: float | None = None
        self._prev_total_width = 0

    def is_due(self, current: int) -> bool:
        """Whether `update` would draw now. Keeps the time of step 1; so a loop may skip updates that are not due."""
        now = time.time()
        if current == 1 and self._time_after_first_step is None:
            self._time_after_first_step = now
        return self.verbose == 1 and now - self._last_update >= self.interval

    def update(self, current: int, values: Iterable[tuple[str, Any]] | None = None, finalize: bool | None = None) -> None:
        """Takes the values of step ``current`` and draws, if it is time.

        finalize: whether this is the last update; by default, whether the target is reached.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        for name, value in values or ():
            self._take(name, value, current, finalize)
        self._seen_so_far = current
        now = time.time()
        duration = self._step_duration(current, now)
        if self.verbose == 1:
            if now - self._last_update < self.interval and not finalize:
                return
            print_message(self._draw(current, now, duration, finalize), line_break=False)
        elif self.verbose == 2 and finalize and self.target:
            print_message(self._line(current, now, duration), line_break=False)
        self._last_update = now

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """Updates after n more steps."""
        self.update(self._seen_so_far + n, values)

    def _take(self, name: str, value: Any, current: int, finalize: bool) -> None:
        if self.stateful_metrics is not None:
            averaged = name not in self.stateful_metrics
        else:
            averaged = name in (self.stateless_metrics or ())
        if not averaged or finalize:
            self._values[name] = [value, 1]
            return
        steps = max(current - self._seen_so_far, 1)
        total = self._values.setdefault(name, [0.0, 0])
        total[0] += value * steps
        total[1] += steps

    def _step_duration(self, current: int, now: float) -> float:
        """Seconds per step, leaving out the first, which is not representative, as soon as there are others."""
        if not current:
            return 0
        if self._time_after_first_step is not None and current > 1:
            duration = (now - self._time_after_first_step) / (current - 1)
        else:
            duration = (now - self._start) / current
        if current == 1:
            self._time_after_first_step = now
        return duration

    def _draw(self, current: int, now: float, duration: float, finalize: bool) -> str:
        start = "\b" * self._prev_total_width + "\r" if self._dynamic_display else "\n"
        bar, hidden = self._bar(current)
        hidden += len(BOLD) + len(PLAIN)
        info = f" {BOLD}{self._clock(current, now, duration, finalize)}{PLAIN}"
        info += f" {format_duration(duration)}/{self.unit_name}"
        info += "".join(f" - {name}: {self._number(name, absolute=True)}" for name in self._values)
        width = len(bar) + len(info) - hidden
        blanks = " " * max(self._prev_total_width - width, 0)
        self._prev_total_width = width
        return start + bar + info + blanks + ("\n" if finalize else "")

    def _bar(self, current: int) -> tuple[str, int]:
        """The step count and the bar, and how many of the characters are invisible."""
        if not self.target or self.target <= 0:
            return f"{current:7d}/Unknown", 0
        bar = f"{BOLD}{current:{len(str(self.target))}d}/{self.target}{PLAIN} "
        hidden = len(BOLD) + len(PLAIN)
        done = int(self.width * (float(current) / self.target))
        if done > 0:
            bar += f"{GREEN}{'━' * done}{PLAIN}"
            hidden += len(GREEN) + len(PLAIN)
        bar += f"{WHITE}{'━' * (self.width - done)}{PLAIN}"
        return bar, hidden + len(WHITE) + len(PLAIN)

    def _clock(self, current: int, now: float, duration: float, finalize: bool) -> str:
        """The time left, or at the end (or if that is unknown) the time taken."""
        if not self.target or self.target <= 0 or finalize:
            return f"{now - self._start:.0f}s"
        left = duration * (self.target - current)
        if left > 3600:
            return f"{int(left // 3600)}:{int(left % 3600 // 60):02d}:{int(left % 60):02d}"
        return f"{int(left // 60)}:{int(left % 60):02d}" if left > 60 else f"{int(left)}s"

    def _line(self, current: int, now: float, duration: float) -> str:
        digits = len(str(self.target))
        text = f"{current:{digits}d}/{self.target} - {now - self._start:.0f}s - {format_duration(duration)}/{self.unit_name}"
        return text + "".join(f" - {name}: {self._number(name, absolute=False)}" for name in self._values) + "\n"

    def _number(self, name: str, absolute: bool) -> str:
        total, count = self._values[name]
        mean = (total if isinstance(total, float) else np.mean(total)) / max(1, count)
        return f"{mean:.4f}" if (abs(mean) if absolute else mean) > 1e-3 else f"{mean:.4e}"


def format_duration(seconds: float) -> str:
    """``2s``, ``13ms`` or ``40us``."""
    if seconds >= 1 or seconds == 0:
        return f"{seconds:.0f}s"
    return f"{seconds * 1e3:.0f}ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us"
