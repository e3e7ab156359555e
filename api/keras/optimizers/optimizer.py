"""The base of all optimizers. In: gradients and variables; out: updated variables, by the subclass's `update_step`."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import weft
from weft.layers import initializers
from weft.layers.naming import auto_name, to_snake_case
from weft.layers.precision import floatx
from weft.layers.serialization import deserialize_object

from .clipping import clip_by_norm, clip_by_value, clip_together
from .learning_rate_schedule import LearningRateSchedule

Gradient = Any  # a weft.Tensor or None
Variables = Sequence[Any]


class Optimizer:
    """Keeps the learning rate, the step counter and the slots, and applies gradients to variables.

    A subclass creates its slots in ``build(variables)`` and says in ``update_step(gradient, variable, learning_rate)`` what one
    step does, with ``self.assign``, ``self.assign_add`` and ``self.assign_sub``.

    learning_rate: a number, a `schedules.LearningRateSchedule`, or a function without arguments. It is kept in a variable and may
        be changed between steps (``optimizer.learning_rate = 1e-4``) without a new trace.
    weight_decay: the fraction, times the learning rate, that every variable loses before its update; None for none.
    clipnorm, clipvalue, global_clipnorm: at most one of them; limits on each gradient's norm, on its elements, on all together.
    use_ema, ema_momentum, ema_overwrite_frequency: a moving average of the variables, put in their place at the end of `fit`
        (and every so many steps).
    loss_scale_factor: gradients are divided by it.
    gradient_accumulation_steps: gradients of so many steps are averaged before one update.

    Raises ValueError for a learning rate that is not finite and for options that exclude each other.
    """

    _slot_names: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        learning_rate = kwargs.pop("lr", learning_rate)  # the spelling of Keras 2
        if kwargs.pop("decay", None) is not None:
            warnings.warn("The argument decay is ignored, as in Keras: give a schedule as learning rate.", stacklevel=3)
        if kwargs:
            raise ValueError(f"{type(self).__name__} has no such arguments. Received: {', '.join(sorted(kwargs))}")
        check_clipping(clipnorm=clipnorm, clipvalue=clipvalue, global_clipnorm=global_clipnorm)
        check_averaging(use_ema, ema_momentum, ema_overwrite_frequency)
        if gradient_accumulation_steps is not None and gradient_accumulation_steps < 2:
            raise ValueError(f"gradient_accumulation_steps must be at least 2. Received: {gradient_accumulation_steps}")
        self.name = name or auto_name(to_snake_case(type(self).__name__))
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.built = False
        self._variables: list[Any] = []
        self._trainable_variables: list[Any] = []
        self._indices: dict[int, int] = {}
        self._undecayed: list[Any] = []
        self._undecayed_pattern: re.Pattern[str] | None = None
        self._gate: Any = None  # while gradients are accumulated: whether this step updates
        self._iterations = self._add_number(0, weft.int64, "iteration")
        self._learning_rate: Any = learning_rate
        if not isinstance(learning_rate, LearningRateSchedule) and not callable(learning_rate):
            self._learning_rate = self._add_number(checked_learning_rate(learning_rate), floatx(), "learning_rate")

    # Variables

    def _track(self, variable: Any) -> Any:
        self._variables.append(variable)
        return variable

    def _add_number(self, value: float, dtype: Any, name: str) -> Any:
        with weft.init_scope():
            return self._track(weft.Variable(value, dtype=dtype, name=name, trainable=False))

    @property
    def variables(self) -> list[Any]:
        """Step counter, learning rate and slots, in the order of their creation."""
        return list(self._variables)

    @property
    def iterations(self) -> Any:
        """The number of updates so far, int64."""
        if self.gradient_accumulation_steps:
            return self._iterations // self.gradient_accumulation_steps
        return self._iterations

    def build(self, variables: Variables) -> None:
        """Creates the slots for these variables. Called by the first `apply_gradients`; a subclass extends it."""
        self._trainable_variables = list(variables)
        self._indices = {id(v): i for i, v in enumerate(variables)}
        if self.use_ema:
            self._averages = self.add_optimizer_variables(variables, "average")
        if self.gradient_accumulation_steps:
            self._accumulated = self.add_optimizer_variables(variables, "gradient_accumulator")
        self.built = True

    def add_variable(self, shape: Sequence[int], initializer: Any = "zeros", dtype: Any = None, name: str | None = None) -> Any:
        """A new variable of the optimizer."""
        with weft.init_scope():  # slots made while a step is traced live outside the trace
            value = initializers.get(initializer)(tuple(shape), dtype=dtype or floatx())
            return self._track(weft.Variable(value, name=name or "variable", trainable=False))

    def add_variable_from_reference(self, reference_variable: Any, name: str | None = None, initializer: Any = "zeros") -> Any:
        """A new variable of the shape and dtype of another."""
        path = getattr(reference_variable, "path", None) or reference_variable.name
        full_name = f"{str(path).replace('/', '_').replace(':', '_')}_{name or 'var'}"
        return self.add_variable(reference_variable.shape, initializer, reference_variable.dtype, full_name)

    def add_optimizer_variables(self, trainable_variables: Variables, name: Any, initializer: Any = "zeros") -> Any:
        """One slot per variable: a list for one name, a tuple of lists for a list of names."""
        if isinstance(name, str):
            return [self.add_variable_from_reference(v, name, initializer) for v in trainable_variables]
        starts = list(initializer) if isinstance(initializer, (list, tuple)) else [initializer] * len(name)
        if len(starts) != len(name):
            raise ValueError(f"Each slot needs one initializer. Received: {len(name)} names, {len(starts)} initializers")
        slots: tuple[list[Any], ...] = tuple([] for _ in name)
        for variable in trainable_variables:
            for slot, slot_name, start in zip(slots, name, starts, strict=True):
                slot.append(self.add_variable_from_reference(variable, slot_name, start))
        return slots

    def _get_variable_index(self, variable: Any) -> int:
        return self._indices[id(variable)]

    def _check_variables_are_known(self, variables: Variables) -> None:
        for variable in variables:
            if id(variable) not in self._indices:
                raise ValueError(
                    f"The optimizer can only update the variables it was built with; make a new one for others. "
                    f"Received: {variable.name!r}"
                )

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Of a copy: its variables are new objects, so they are found under new identities."""
        self.__dict__.update(state)
        self._indices = {id(v): i for i, v in enumerate(self._trainable_variables)}

    # The learning rate

    @property
    def learning_rate(self) -> Any:
        """The learning rate: a variable, or for a schedule its value at the present step."""
        rate = self._learning_rate
        if isinstance(rate, LearningRateSchedule):
            return rate(self.iterations)
        return rate() if not isinstance(rate, weft.Variable) and callable(rate) else rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if isinstance(value, LearningRateSchedule) or (callable(value) and not isinstance(value, weft.Variable)):
            self._learning_rate = value
        elif isinstance(self._learning_rate, LearningRateSchedule):
            raise TypeError(
                "This optimizer's learning rate follows a schedule, so it cannot be set. Give the optimizer a number instead. "
                f"Received: {value!r}"
            )
        elif isinstance(self._learning_rate, weft.Variable):
            traced = weft.is_tensor(value) and not weft.executing_eagerly()
            self._learning_rate.assign(weft.cast(value, self._learning_rate.dtype) if traced else checked_learning_rate(value))
        else:
            self._learning_rate = self._add_number(checked_learning_rate(value), floatx(), "learning_rate")

    # Applying gradients

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Gradient, Any]]) -> Any:
        """One step from (gradient, variable) pairs: ``zip(grads, model.trainable_variables)``. Returns the step counter."""
        pairs = list(grads_and_vars)
        if pairs:
            self.apply([g for g, _ in pairs], [v for _, v in pairs])
        return self._iterations

    def apply(self, grads: Sequence[Gradient], trainable_variables: Variables | None = None) -> None:
        """One step. Variables whose gradient is None are left alone.

        Raises ValueError if no variable has a gradient or if a variable was not there when the optimizer was built.
        """
        if not len(grads):
            return
        variables = self._known_variables(grads, trainable_variables)
        pairs = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
        if not pairs:
            names = ", ".join(repr(v.name) for v in variables)
            raise ValueError(f"No gradients: the loss depends on none of the variables. Received variables: {names}")
        gradients, updated = [g for g, _ in pairs], [v for _, v in pairs]
        if self.loss_scale_factor is not None:
            gradients = [g / self.loss_scale_factor for g in gradients]
        self._update(gradients, updated)
        for variable in updated:
            constraint = getattr(variable, "constraint", None)
            if constraint is not None:
                variable.assign(constraint(variable))
        self._iterations.assign_add(1)

    def _known_variables(self, grads: Sequence[Gradient], variables: Variables | None) -> list[Any]:
        if variables is None:
            if not self.built:
                raise ValueError("Gradients without variables need a built optimizer; call optimizer.build(variables) first.")
            variables = self._trainable_variables
        if len(grads) != len(variables):
            raise ValueError(f"Each variable needs one gradient. Received: {len(grads)} gradients, {len(variables)} variables")
        if not self.built:
            self.build(list(variables))
            self.built = True
        self._check_variables_are_known(variables)
        return list(variables)

    def _update(self, gradients: list[Any], variables: list[Any]) -> None:
        if self.gradient_accumulation_steps:
            gradients = self._accumulate(gradients, variables)
        gradients = self._clip_gradients(gradients)
        rate = self.learning_rate
        self._apply_weight_decay(variables)
        for gradient, variable in zip(gradients, variables, strict=True):
            self.update_step(gradient, variable, rate)
        if self.use_ema:
            self._update_averages(self._trainable_variables)  # also of those without a gradient: all are overwritten in the end
        self._gate = None

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable and its slots; implemented by each optimizer."""
        raise NotImplementedError(f"{type(self).__name__} must implement update_step(gradient, variable, learning_rate).")

    def assign(self, variable: Any, value: Any) -> None:
        """Sets a variable or slot, unless gradients are only being accumulated."""
        variable.assign(value if self._gate is None else weft.where(self._gate, value, variable))

    def assign_add(self, variable: Any, value: Any) -> None:
        """Adds to a variable or slot, unless gradients are only being accumulated."""
        if self._gate is None:
            variable.assign_add(value)
        else:
            self.assign(variable, variable + value)

    def assign_sub(self, variable: Any, value: Any) -> None:
        """Subtracts from a variable or slot, unless gradients are only being accumulated."""
        if self._gate is None:
            variable.assign_sub(value)
        else:
            self.assign(variable, variable - value)

    def _accumulate(self, gradients: list[Any], variables: list[Any]) -> list[Any]:
        steps = self.gradient_accumulation_steps or 1
        gate = weft.equal((self._iterations + 1) % steps, 0)
        means = []
        for gradient, variable in zip(gradients, variables, strict=True):
            total = self._accumulated[self._get_variable_index(variable)]
            summed = total + gradient
            means.append(summed / steps)
            total.assign(weft.where(gate, weft.zeros_like(summed), summed))
        self._gate = gate  # from here on every assign is conditional
        return means

    def _clip_gradients(self, gradients: list[Any]) -> list[Any]:
        if self.clipnorm and self.clipnorm > 0:
            return [clip_by_norm(g, self.clipnorm) for g in gradients]
        if self.global_clipnorm and self.global_clipnorm > 0:
            return clip_together(gradients, self.global_clipnorm)
        if self.clipvalue and self.clipvalue > 0:
            return [clip_by_value(g, self.clipvalue) for g in gradients]
        return gradients

    # Weight decay

    def exclude_from_weight_decay(self, var_list: Variables | None = None, var_names: Sequence[str] | None = None) -> None:
        """These variables, and those whose names contain one of the patterns, do not decay. Call it before the first step."""
        if self.built:
            raise ValueError("exclude_from_weight_decay() must be called before the optimizer is built.")
        self._undecayed = list(var_list or ())
        self._undecayed_pattern = re.compile("|".join(var_names)) if var_names else None

    def _use_weight_decay(self, variable: Any) -> bool:
        by_name = self._undecayed_pattern is not None and self._undecayed_pattern.search(variable.name) is not None
        return not by_name and all(variable is not v for v in self._undecayed)

    def _apply_weight_decay(self, variables: Variables) -> None:
        if self.weight_decay is None:
            return
        for variable in variables:
            if self._use_weight_decay(variable):
                rate = weft.cast(self.learning_rate, variable.dtype)
                self.assign(variable, variable - variable * self.weight_decay * rate)

    # The moving average

    def _update_averages(self, variables: Variables) -> None:
        overwrite = None
        if self.ema_overwrite_frequency:
            overwrite = weft.equal((self.iterations + 1) % self.ema_overwrite_frequency, 0)
        for variable in variables:
            average = self._averages[self._get_variable_index(variable)]
            momentum = weft.cast(weft.not_equal(self.iterations, 0), variable.dtype) * self.ema_momentum
            self.assign(average, momentum * average + (1.0 - momentum) * variable)
            if overwrite is not None:
                self.assign(variable, weft.where(overwrite, average, variable))

    def finalize_variable_values(self, var_list: Variables) -> None:
        """Puts the moving averages in the variables' place, if ``use_ema``. `fit` calls it at its end."""
        if self.use_ema and self.built:
            for variable in var_list:
                if id(variable) in self._indices:
                    variable.assign(self._averages[self._get_variable_index(variable)])

    # Configuration

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON-able data, with the present learning rate."""
        from_variable = isinstance(self._learning_rate, weft.Variable)
        rate: Any = float(self._learning_rate.numpy()) if from_variable else self._learning_rate
        config: dict[str, Any] = {"name": self.name, "learning_rate": rate}
        for key in (
            "weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema", "ema_momentum", "ema_overwrite_frequency",
            "loss_scale_factor", "gradient_accumulation_steps", *self._slot_names,
        ):  # fmt: skip
            config[key] = getattr(self, key)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Optimizer:
        """The inverse of `get_config`."""
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = deserialize_object(config["learning_rate"], custom_objects)
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def checked_learning_rate(value: Any) -> float:
    """The number as a float. ValueError unless it is finite and at least zero."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"learning_rate must be a number, a schedule or a function. Received: {value!r}") from None
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"learning_rate must be finite and not negative. Received: {value!r}")
    return number


def check_clipping(**limits: float | None) -> None:
    """ValueError if more than one limit is set."""
    given = {k: v for k, v in limits.items() if v is not None}
    if len(given) > 1:
        raise ValueError(f"Only one of clipnorm, clipvalue and global_clipnorm can be set. Received: {given}")


def check_averaging(use_ema: bool, momentum: float, frequency: int | None) -> None:
    """ValueError if the moving average's options make no sense."""
    if use_ema and not 0 <= momentum <= 1:
        raise ValueError(f"ema_momentum must be between 0 and 1. Received: {momentum}")
    if use_ema and frequency is not None and (not isinstance(frequency, int) or frequency < 1):
        raise ValueError(f"ema_overwrite_frequency must be an integer of at least 1, or None. Received: {frequency!r}")
