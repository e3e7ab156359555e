"""The metrics given to `compile` as one. In: targets, outputs, weights; out: every metric's value by its full name."""

from __future__ import annotations

from typing import Any

from weft.layers.naming import to_snake_case

from .. import metrics as metrics_package
from ..metrics import BinaryAccuracy, CategoricalAccuracy, MeanMetricWrapper, Metric, SparseCategoricalAccuracy
from .outputs import Names, align, align_targets, binary_or_sparse, flatten_outputs, is_array

ACCURACY = ("accuracy", "acc")
CROSSENTROPY = ("crossentropy", "ce")
ACCURACIES = {"binary": BinaryAccuracy, "sparse": SparseCategoricalAccuracy, "categorical": CategoricalAccuracy}
CROSSENTROPIES = {
    "binary": metrics_package.BinaryCrossentropy,
    "sparse": metrics_package.SparseCategoricalCrossentropy,
    "categorical": metrics_package.CategoricalCrossentropy,
}


class CompileMetrics(Metric):
    """metrics, weighted_metrics: a list for a single output; for several, a list or dictionary with one entry per output.

    An entry is a metric's name, object or function, or a list of those. Only weighted_metrics see the sample weights. The strings
    "accuracy" and "crossentropy" become the kind that fits the shapes. Raises ValueError at once for unknown names.
    """

    def __init__(self, metrics: Any, weighted_metrics: Any = None, output_names: Names = None) -> None:
        super().__init__(name="compile_metrics")
        self._given = {"metrics": metrics, "weighted_metrics": weighted_metrics}
        self._output_names = output_names
        self._plain: list[list[Metric]] = []  # per output
        self._weighted: list[list[Metric]] = []
        self._names: list[str] = []  # full names, the plain ones first
        self.built = False
        for what, given in self._given.items():
            _check(what, given, output_names)

    @property
    def metrics(self) -> list[Metric]:
        """All metrics, flat; empty before the first update."""
        return [m for group in (*self._plain, *self._weighted) for m in group]

    @property
    def variables(self) -> list[Any]:
        return [v for m in self.metrics for v in m.variables]

    @property
    def full_names(self) -> list[str]:
        """The names under which `result` reports the metrics; before the first update those that are certain already."""
        if self.built:
            return list(self._names)
        return [n for given in self._given.values() for n in _known_names(given, self._output_names)]

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Makes the metric objects of every output."""
        names, predictions = flatten_outputs(y_pred, self._output_names)
        targets = align_targets(y_true, names, [True] * len(names))
        groups = {what: _entries(given, names, what) for what, given in self._given.items()}

        def make(what: str) -> list[list[Metric]]:
            return [[make_metric(m, targets[i], predictions[i]) for m in group] for i, group in enumerate(groups[what])]

        self._plain, self._weighted = make("metrics"), make("weighted_metrics")
        prefixes = [f"{n}_" if n and len(names) > 1 else "" for n in names]
        self._names = _full_names(self._plain, self._weighted, prefixes)
        self.built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes in one batch."""
        if not self.built:
            self.build(y_true, y_pred)
        names, predictions = flatten_outputs(y_pred, self._output_names)
        targets = align_targets(y_true, names, [bool(a or b) for a, b in zip(self._plain, self._weighted, strict=True)])
        shared = sample_weight is None or is_array(sample_weight)
        weights = [sample_weight] * len(names) if shared else align(sample_weight, names, "sample_weight", is_array)
        for i, prediction in enumerate(predictions):
            for metric in self._plain[i]:
                metric.update_state(targets[i], prediction)
            for metric in self._weighted[i]:
                metric.update_state(targets[i], prediction, sample_weight=weights[i])

    def result(self) -> dict[str, Any]:
        """Every metric's value by its full name."""
        return {name: metric.result() for name, metric in zip(self._names, self.metrics, strict=True)}

    def reset_state(self) -> None:
        for metric in self.metrics:
            metric.reset_state()


def make_metric(identifier: Any, y_true: Any, y_pred: Any) -> Metric:
    """The metric object that a name, object or function means for these targets and predictions."""
    kinds = None
    if isinstance(identifier, str):
        kinds = ACCURACIES if identifier.lower() in ACCURACY else CROSSENTROPIES if identifier.lower() in CROSSENTROPY else None
    if kinds is not None:
        return kinds[binary_or_sparse(y_true, y_pred)](name=identifier)
    found = metrics_package.get(identifier)
    name = identifier if isinstance(identifier, str) else _name_of(found)
    if not (isinstance(found, Metric) or hasattr(found, "update_state")):
        found = MeanMetricWrapper(found, name=name)
    if isinstance(identifier, str):
        found.name = name
    return found


def _name_of(metric: Any) -> str:
    """A metric's own name; a function's as Keras writes it: ``diceScore`` becomes ``dice_score``."""
    return str(getattr(metric, "name", None) or to_snake_case(getattr(metric, "__name__", type(metric).__name__)))


def _is_entry(value: Any) -> bool:
    return not isinstance(value, (list, tuple, dict)) or (isinstance(value, dict) and "class_name" in value)


def _entries(given: Any, names: list[Any], what: str) -> list[list[Any]]:
    """A list of metrics per output."""
    if not given:
        return [[] for _ in names]
    if len(names) == 1 and not (isinstance(given, dict) and not _is_entry(given)):
        return [_flat(given)]
    return [_flat(entry) for entry in align(given, names, what, _is_entry)]


def _flat(entry: Any) -> list[Any]:
    if entry is None:
        return []
    return [entry] if _is_entry(entry) else [m for part in entry for m in _flat(part)]


def _leaves(given: Any) -> list[Any]:
    if isinstance(given, dict) and not _is_entry(given):
        return [m for part in given.values() for m in _leaves(part)]
    return _flat(given)


def _check(what: str, given: Any, output_names: Names) -> None:
    if given is not None and not isinstance(given, (list, tuple, dict)):
        raise ValueError(f"{what} must be a list, tuple or dictionary. Received: {given!r}")
    for identifier in _leaves(given):
        special = isinstance(identifier, str) and identifier.lower() in (*ACCURACY, *CROSSENTROPY)
        if not special:
            metrics_package.get(identifier)
    if output_names and isinstance(given, dict):
        align(given, output_names, what, _is_entry)


def _known_names(given: Any, output_names: Names) -> list[str]:
    if isinstance(given, dict) and output_names and len(output_names) > 1:
        return [f"{n}_{_text(m)}" for n in output_names for m in _flat(given.get(n))]
    return [_text(m) for m in _leaves(given)]


def _text(metric: Any) -> str:
    return metric if isinstance(metric, str) else _name_of(metric)


def _full_names(plain: list[list[Metric]], weighted: list[list[Metric]], prefixes: list[str]) -> list[str]:
    """Unique names: prefixed with the output's name if there are several, numbered or marked as weighted where they repeat."""
    taken: dict[str, int] = {}
    names = []
    for groups, mark in ((plain, ""), (weighted, "weighted_")):
        for prefix, group in zip(prefixes, groups, strict=True):
            for metric in group:
                name = f"{prefix}{metric.name}"
                if name in taken and mark:
                    name = f"{prefix}{mark}{metric.name}"
                count = taken.get(name, 0)
                taken[name] = count + 1
                names.append(name if not count else f"{name}_{count}")
    return names
