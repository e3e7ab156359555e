"""Learning rates that depend on the step. In: the step counter; out: the learning rate, computed inside the compiled step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import weft
from weft.layers.precision import floatx
from weft.layers.serialization import deserialize_object, public, serialize_object

from .learning_rate_schedule import LearningRateSchedule as LearningRateSchedule


def _number(step: Any) -> Any:
    return weft.cast(step, floatx())


def _check_positive(name: str, value: float) -> None:
    if value <= 0:
        raise ValueError(f"{name} must be positive. Received: {value}")


@public("keras.optimizers.schedules")
class ExponentialDecay(LearningRateSchedule):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``; staircase: with the quotient rounded down."""

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:  # fmt: skip
        _check_positive("decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: Any) -> Any:
        part = _number(step) / float(self.decay_steps)
        part = weft.floor(part) if self.staircase else part
        return self.initial_learning_rate * weft.pow(weft.constant(self.decay_rate, floatx()), part)


@public("keras.optimizers.schedules")
class InverseTimeDecay(LearningRateSchedule):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``; staircase: with the quotient rounded down."""

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:  # fmt: skip
        _check_positive("decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: Any) -> Any:
        part = _number(step) / float(self.decay_steps)
        part = weft.floor(part) if self.staircase else part
        return self.initial_learning_rate / (1.0 + self.decay_rate * part)


@public("keras.optimizers.schedules")
class PolynomialDecay(LearningRateSchedule):
    """From ``initial_learning_rate`` to ``end_learning_rate`` in ``decay_steps``, along ``(1 - step / decay_steps) ** power``.

    cycle: begin anew, ever more slowly, instead of staying at the end.
    """

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, end_learning_rate: float = 0.0001, power: float = 1.0,
        cycle: bool = False, name: str = "PolynomialDecay",
    ) -> None:  # fmt: skip
        _check_positive("decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step: Any) -> Any:
        now, length = _number(step), weft.constant(self.decay_steps, floatx())
        if self.cycle:
            length = length * weft.maximum(weft.math.ceil(now / float(self.decay_steps)), 1.0)
        else:
            now = weft.minimum(now, float(self.decay_steps))
        left = weft.pow(1.0 - now / length, weft.constant(self.power, floatx()))
        return (self.initial_learning_rate - self.end_learning_rate) * left + self.end_learning_rate


@public("keras.optimizers.schedules")
class PiecewiseConstantDecay(LearningRateSchedule):
    """``values[0]`` up to and including step ``boundaries[0]``, then ``values[1]`` up to ``boundaries[1]``, ..."""

    def __init__(self, boundaries: Sequence[int], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        if len(boundaries) != len(values) - 1 or not boundaries:
            raise ValueError(
                f"There must be one value more than boundaries. Received: {len(boundaries)} boundaries, {len(values)} values"
            )
        self.boundaries = list(boundaries)
        self.values = list(values)
        self.name = name

    def __call__(self, step: Any) -> Any:
        now = _number(step)
        rate = weft.constant(self.values[-1], floatx())
        for boundary, value in zip(reversed(self.boundaries), reversed(self.values[:-1]), strict=True):
            rate = weft.where(now <= float(boundary), weft.constant(value, floatx()), rate)
        return rate


@public("keras.optimizers.schedules")
class CosineDecay(LearningRateSchedule):
    """Half a cosine from ``initial_learning_rate`` to ``alpha`` times it in ``decay_steps``.

    warmup_target, warmup_steps: first a straight line from the initial rate to the target, which then is what decays.
    """

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, alpha: float = 0.0, name: str = "CosineDecay",
        warmup_target: float | None = None, warmup_steps: int = 0,
    ) -> None:  # fmt: skip
        _check_positive("decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.alpha = alpha
        self.name = name
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def __call__(self, step: Any) -> Any:
        now = _number(step)
        if self.warmup_target is None:
            return self._decay(now, self.initial_learning_rate)
        rise = (self.warmup_target - self.initial_learning_rate) * now / float(max(self.warmup_steps, 1))
        decayed = self._decay(now - float(self.warmup_steps), self.warmup_target)
        return weft.where(now < float(self.warmup_steps), self.initial_learning_rate + rise, decayed)

    def _decay(self, now: Any, start: float) -> Any:
        part = weft.minimum(now, float(self.decay_steps)) / float(self.decay_steps)
        return start * ((1.0 - self.alpha) * 0.5 * (1.0 + weft.cos(part * math.pi)) + self.alpha)


@public("keras.optimizers.schedules")
class CosineDecayRestarts(LearningRateSchedule):
    """Half cosines from ``initial_learning_rate`` to ``alpha`` times it, one after another (Loshchilov and Hutter 2017).

    The first takes ``first_decay_steps``, each further one ``t_mul`` times as many, and begins ``m_mul`` times as high.
    """

    def __init__(
        self, initial_learning_rate: float, first_decay_steps: int, t_mul: float = 2.0, m_mul: float = 1.0, alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:  # fmt: skip
        _check_positive("first_decay_steps", first_decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = first_decay_steps
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def __call__(self, step: Any) -> Any:
        part = _number(step) / float(self.first_decay_steps)
        if self.t_mul == 1.0:
            round_number = weft.floor(part)
            part = part - round_number
        else:
            round_number = weft.floor(weft.math.log(1.0 - part * (1.0 - self.t_mul)) / math.log(self.t_mul))
            length = weft.pow(weft.constant(self.t_mul, floatx()), round_number)
            part = (part - (1.0 - length) / (1.0 - self.t_mul)) / length
        height = 0.5 * weft.pow(weft.constant(self.m_mul, floatx()), round_number) * (1.0 + weft.cos(part * math.pi))
        return self.initial_learning_rate * ((1.0 - self.alpha) * height + self.alpha)


def serialize(learning_rate_schedule: LearningRateSchedule) -> Any:
    """The schedule as JSON-able data."""
    return serialize_object(learning_rate_schedule)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The inverse of `serialize`."""
    return deserialize_object(config, custom_objects)
