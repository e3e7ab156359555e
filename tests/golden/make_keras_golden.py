"""Makes keras.json, the numbers of real Keras that tests/keras compares with.

Run with an interpreter that has Keras 3 and JAX: ``KERAS_BACKEND=jax python tests/golden/make_keras_golden.py``. Each case
holds its inputs, so the tests need neither this script nor Keras.
"""

import contextlib
import io
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

rng = np.random.default_rng(20)


def plain(value):
    """Numbers and lists that JSON can hold; float32 in its short form."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)) and not all(isinstance(v, (int, float)) for v in value):
        return [plain(v) for v in value]
    array = np.asarray(value)
    return short(array) if array.dtype == np.float32 else array.tolist()


def short(array):
    """Nested lists of the shortest decimals that give these float32 numbers back."""
    return [short(part) for part in array] if array.ndim else float(str(array))


def floats(*shape):
    return rng.normal(size=shape).astype("float32")


def probabilities(*shape):
    e = np.exp(floats(*shape))
    return (e / e.sum(-1, keepdims=True)).astype("float32")


def one_hot(classes, n):
    return np.eye(n, dtype="float32")[classes]


NUMBERS = (floats(6, 3), floats(6, 3))
POSITIVE = (np.abs(floats(6, 3)), np.abs(floats(6, 3)))
BINARY = (rng.integers(0, 2, (6, 3)).astype("float32"), rng.random((6, 3)).astype("float32"))
BINARY_LOGITS = (BINARY[0], floats(6, 3))
CLASSES = rng.integers(0, 4, 6)
PROBABILITIES = probabilities(6, 4)
LOGITS = floats(6, 4)
SPARSE = (CLASSES, PROBABILITIES)
ONE_HOT = (one_hot(CLASSES, 4), PROBABILITIES)
SIGNS = (np.sign(floats(6, 3)), floats(6, 3))
WEIGHTS = np.array([1, 0, 2, 0.5, 1, 3], "float32")
UNNORMALISED = np.array([[0.2, 0.2, 0.1], [1.0, 0.0, 0.0], [0.0, 0.9, 0.3]], "float32")


def loss_cases():
    listed = [
        ("MeanSquaredError", {}, NUMBERS),
        ("MeanAbsoluteError", {}, NUMBERS),
        ("MeanAbsolutePercentageError", {}, NUMBERS),
        ("MeanSquaredLogarithmicError", {}, POSITIVE),
        ("CosineSimilarity", {}, NUMBERS),
        ("CosineSimilarity", {"axis": 0}, NUMBERS),
        ("Huber", {}, NUMBERS),
        ("Huber", {"delta": 0.3}, NUMBERS),
        ("LogCosh", {}, NUMBERS),
        ("KLDivergence", {}, (probabilities(6, 4), PROBABILITIES)),
        ("Poisson", {}, POSITIVE),
        ("BinaryCrossentropy", {}, BINARY),
        ("BinaryCrossentropy", {"from_logits": True}, BINARY_LOGITS),
        ("BinaryCrossentropy", {"label_smoothing": 0.2}, BINARY),
        ("BinaryCrossentropy", {}, (np.array([[0.0], [1.0], [1.0]], "float32"), np.array([[0.0], [0.0], [1.0]], "float32"))),
        ("BinaryFocalCrossentropy", {"apply_class_balancing": True}, BINARY),
        ("BinaryFocalCrossentropy", {"from_logits": True, "gamma": 3.0}, BINARY_LOGITS),
        ("CategoricalCrossentropy", {}, ONE_HOT),
        ("CategoricalCrossentropy", {"from_logits": True}, (ONE_HOT[0], LOGITS)),
        ("CategoricalCrossentropy", {"label_smoothing": 0.1}, ONE_HOT),
        ("CategoricalCrossentropy", {}, (one_hot([0, 1, 2], 3), UNNORMALISED)),
        ("CategoricalFocalCrossentropy", {}, ONE_HOT),
        ("SparseCategoricalCrossentropy", {}, SPARSE),
        ("SparseCategoricalCrossentropy", {"from_logits": True}, (CLASSES, LOGITS)),
        ("SparseCategoricalCrossentropy", {}, (np.array([0, 1, 2]), UNNORMALISED)),
        ("SparseCategoricalCrossentropy", {}, (CLASSES.reshape(6, 1), PROBABILITIES)),
        ("SparseCategoricalCrossentropy", {"ignore_class": 2, "from_logits": True}, (np.array([0, 2, 1, 3, 2, 1]), LOGITS)),
        ("Hinge", {}, SIGNS),
        ("SquaredHinge", {}, BINARY),
        ("CategoricalHinge", {}, ONE_HOT),
    ]
    for name, config, (y_true, y_pred) in listed:
        values = []
        for reduction in ("sum_over_batch_size", "sum", "mean_with_sample_weight", None):
            for weighted in (False, True):
                if config == {"axis": 0} and (weighted or reduction is None):
                    continue  # one loss per column: sample weights do not apply
                loss = getattr(keras.losses, name)(reduction=reduction, **config)
                weight = WEIGHTS[: len(y_true)] if weighted else None
                values.append([reduction, weighted, plain(loss(y_true, y_pred, sample_weight=weight))])
        yield {
            "name": name,
            "config": config,
            "y_true": plain(y_true),
            "y_pred": plain(y_pred),
            "integers": y_true.dtype.kind == "i",
            "weight": plain(WEIGHTS[: len(y_true)]),
            "values": values,
        }


def metric_cases():
    scores = (rng.integers(0, 2, 12).astype("float32"), rng.random(12).astype("float32"))
    exact = (np.array([0, 1, 1, 0, 1, 0], "float32"), np.array([0.0, 1.0, 0.5, 0.25, 0.75, 0.5], "float32"))
    labels = (rng.integers(0, 2, (12, 3)).astype("float32"), rng.random((12, 3)).astype("float32"))
    thresholds = [0.1, 0.3, 0.7]
    listed = [
        ("Accuracy", {}, (CLASSES, (CLASSES + np.array([0, 1, 0, 0, 1, 0])) % 4)),
        ("BinaryAccuracy", {}, BINARY),
        ("BinaryAccuracy", {"threshold": 0.3}, BINARY),
        ("BinaryAccuracy", {}, (scores[0], scores[1][:, None])),
        ("CategoricalAccuracy", {}, ONE_HOT),
        ("SparseCategoricalAccuracy", {}, SPARSE),
        ("SparseCategoricalAccuracy", {}, (CLASSES.reshape(6, 1), PROBABILITIES)),
        ("TopKCategoricalAccuracy", {"k": 2}, ONE_HOT),
        ("SparseTopKCategoricalAccuracy", {"k": 2}, SPARSE),
        ("MeanSquaredError", {}, NUMBERS),
        ("MeanAbsoluteError", {}, NUMBERS),
        ("MeanAbsolutePercentageError", {}, NUMBERS),
        ("MeanSquaredLogarithmicError", {}, POSITIVE),
        ("RootMeanSquaredError", {}, NUMBERS),
        ("LogCoshError", {}, NUMBERS),
        ("CosineSimilarity", {}, NUMBERS),
        ("KLDivergence", {}, (probabilities(6, 4), PROBABILITIES)),
        ("Poisson", {}, POSITIVE),
        ("BinaryCrossentropy", {"from_logits": True}, BINARY_LOGITS),
        ("CategoricalCrossentropy", {"label_smoothing": 0.1}, ONE_HOT),
        ("SparseCategoricalCrossentropy", {"from_logits": True}, (CLASSES, LOGITS)),
        ("Hinge", {}, SIGNS),
        ("SquaredHinge", {}, SIGNS),
        ("CategoricalHinge", {}, ONE_HOT),
        ("Precision", {}, scores),
        ("Recall", {}, scores),
        ("Precision", {"thresholds": thresholds}, scores),
        ("Recall", {"thresholds": 0.3}, labels),
        ("Precision", {"top_k": 2}, ONE_HOT),
        ("Recall", {"top_k": 1, "class_id": 1}, ONE_HOT),
        ("Recall", {"class_id": 2}, labels),
        ("Precision", {"thresholds": [0.0, 0.5, 1.0]}, exact),
        ("TruePositives", {}, scores),
        ("FalsePositives", {"thresholds": thresholds}, scores),
        ("TrueNegatives", {}, labels),
        ("FalseNegatives", {"thresholds": thresholds}, scores),
        ("AUC", {}, scores),
        ("AUC", {"num_thresholds": 5}, exact),
        ("AUC", {"thresholds": thresholds}, scores),
        ("AUC", {"curve": "PR"}, scores),
        ("AUC", {"curve": "PR", "summation_method": "majoring"}, scores),
        ("AUC", {"summation_method": "minoring"}, scores),
        ("AUC", {"curve": "PRGAIN", "summation_method": "minoring"}, scores),
        ("AUC", {"multi_label": True}, labels),
        ("AUC", {"multi_label": True, "label_weights": [1.0, 0.0, 3.0]}, labels),
        ("AUC", {"from_logits": True}, (scores[0], floats(12))),
        ("AUC", {"label_weights": [1.0, 0.5, 2.0]}, labels),
    ]
    for name, config, (y_true, y_pred) in listed:
        for weighted in (False, True):
            if weighted and "label_weights" in config and not config.get("multi_label"):
                continue
            if weighted and name in ("FalsePositives", "FalseNegatives", "Precision") and "thresholds" in config:
                continue  # Keras itself fails on weights with several uneven thresholds
            if weighted and name in ("Recall", "Precision", "AUC", "TrueNegatives") and config.get("thresholds"):
                continue
            metric = getattr(keras.metrics, name)(**config)
            half = len(y_true) // 2
            weight = np.resize(WEIGHTS, len(y_true)) if weighted else None
            results = []
            for part in (slice(0, half), slice(half, None)):
                metric.update_state(y_true[part], y_pred[part], None if weight is None else weight[part])
                results.append(plain(metric.result()))
            yield {
                "name": name,
                "config": config,
                "y_true": plain(y_true),
                "y_pred": plain(y_pred),
                "half": half,
                "integers": y_true.dtype.kind == "i",
                "weight": None if weight is None else plain(weight),
                "results": results,
            }
    for name in ("Mean", "Sum"):
        for values, weight in ((floats(5), None), (floats(5), np.abs(floats(5))), (floats(5, 2), np.abs(floats(5)))):
            metric = getattr(keras.metrics, name)()
            metric.update_state(values, weight)
            yield {
                "name": name,
                "values": plain(values),
                "weight": None if weight is None else plain(weight),
                "result": plain(metric.result()),
            }


def optimizer_cases():
    common = [
        {},
        {"weight_decay": 0.1},
        {"clipnorm": 0.5},
        {"clipvalue": 0.3},
        {"global_clipnorm": 0.7},
        {"use_ema": True, "ema_momentum": 0.5},
    ]
    own = {
        "SGD": [
            {"learning_rate": 0.1},
            {"momentum": 0.9, "learning_rate": 0.1},
            {"momentum": 0.9, "nesterov": True, "learning_rate": 0.1},
        ],
        "RMSprop": [
            {},
            {"learning_rate": 0.01, "rho": 0.8},
            {"momentum": 0.5},
            {"centered": True, "momentum": 0.9, "learning_rate": 0.01},
        ],
        "Adam": [
            {"learning_rate": 0.01},
            {"amsgrad": True, "learning_rate": 0.1},
            {"beta_1": 0.5, "beta_2": 0.7, "epsilon": 1e-3},
        ],
        "AdamW": [{"learning_rate": 0.01}, {"learning_rate": 0.1, "weight_decay": 0.2}],
        "Adagrad": [{"learning_rate": 0.1}, {"initial_accumulator_value": 0.5, "epsilon": 1e-2, "learning_rate": 0.1}],
    }
    extra = [{"gradient_accumulation_steps": 2}, {"loss_scale_factor": 4.0}]
    starts = [floats(3, 2), floats(2)]
    gradients = [[floats(3, 2), floats(2)] for _ in range(5)]
    for name, configs in own.items():
        for config in configs + [{**configs[0], **c} for c in common[1:] + extra]:
            optimizer = getattr(keras.optimizers, name)(**config)
            variables = [keras.Variable(s) for s in starts]
            for step in gradients:
                optimizer.apply_gradients(zip([keras.ops.convert_to_tensor(g) for g in step], variables))
            if config.get("use_ema"):
                optimizer.finalize_variable_values(variables)
            yield {
                "name": name,
                "config": config,
                "starts": plain(starts),
                "gradients": plain(gradients),
                "values": [plain(v.numpy()) for v in variables],
                "slots": len(optimizer.variables),
            }


def schedule_cases():
    schedules = keras.optimizers.schedules
    listed = [
        ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 4, "decay_rate": 0.5}),
        ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 4, "decay_rate": 0.5, "staircase": True}),
        ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5}),
        ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 6, "end_learning_rate": 0.01, "power": 2.0}),
        ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 3, "end_learning_rate": 0.01, "cycle": True}),
        ("PiecewiseConstantDecay", {"boundaries": [2, 5], "values": [1.0, 0.5, 0.1]}),
        ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 8, "alpha": 0.1}),
        ("CosineDecay", {"initial_learning_rate": 0.0, "decay_steps": 8, "warmup_target": 0.2, "warmup_steps": 3}),
    ]
    for name, config in listed:
        schedule = getattr(schedules, name)(**config)
        yield {"name": name, "config": config, "values": [float(schedule(step)) for step in range(12)]}


def fit_cases():
    x, classes = floats(50, 5), rng.integers(0, 3, 50)
    y = (x @ floats(5, 1) + 0.1 * floats(50, 1)).astype("float32")
    weights = np.abs(floats(50))
    dense = [
        {"units": 8, "activation": "relu", "kernel": plain(floats(5, 8) * 0.5), "bias": plain(floats(8) * 0.1)},
        {"units": 3, "activation": "softmax", "kernel": plain(floats(8, 3) * 0.5), "bias": plain(floats(3) * 0.1)},
    ]
    linear = [{"units": 1, "activation": None, "kernel": plain(floats(5, 1)), "bias": [0.0]}]
    two = [dense[0], {"units": 1, "activation": "sigmoid", "kernel": plain(floats(8, 1)), "bias": [0.1]}]
    sparse = "sparse_categorical_crossentropy"
    binary = (classes > 0).astype("int64")
    listed = [
        ("classify", dense, classes, {"optimizer": ["RMSprop", {}], "loss": sparse, "metrics": ["accuracy"]}, {}),
        (
            "adam with validation",
            dense,
            classes,
            {"optimizer": ["Adam", {"learning_rate": 0.01}], "loss": sparse, "metrics": ["accuracy", sparse]},
            {"validation_split": 0.2},
        ),
        (
            "one hot",
            dense,
            one_hot(classes, 3),
            {
                "optimizer": ["SGD", {"learning_rate": 0.1, "momentum": 0.9}],
                "loss": "categorical_crossentropy",
                "metrics": ["acc", "mse"],
            },
            {},
        ),
        ("regression", linear, y, {"optimizer": ["SGD", {"learning_rate": 0.05}], "loss": "mse", "metrics": ["mae"]}, {}),
        (
            "weights",
            linear,
            y,
            {"optimizer": ["Adam", {"learning_rate": 0.05}], "loss": "mse", "metrics": ["mae"], "weighted_metrics": ["mae"]},
            {"sample_weight": plain(weights)},
        ),
        (
            "class weights",
            dense,
            classes,
            {"optimizer": ["Adagrad", {"learning_rate": 0.1}], "loss": sparse, "weighted_metrics": ["accuracy"]},
            {"class_weight": {0: 1.0, 2: 3.0}},
        ),
        (
            "binary",
            two,
            binary,
            {"optimizer": ["AdamW", {}], "loss": "binary_crossentropy", "metrics": ["accuracy", "AUC", "Precision"]},
            {},
        ),
        (
            "steps per execution",
            linear,
            y,
            {"optimizer": ["SGD", {"learning_rate": 0.05}], "loss": "mae", "steps_per_execution": 3},
            {},
        ),
    ]
    for title, layers, targets, compiled, fitted in listed:
        yield fit_case(title, layers, x, targets, compiled, fitted)


def fit_case(title, layers, x, targets, compiled, fitted):
    model = keras.Sequential([keras.Input((5,))] + [keras.layers.Dense(d["units"], activation=d["activation"]) for d in layers])
    model.set_weights([np.array(d[k], "float32") for d in layers for k in ("kernel", "bias")])
    name, config = compiled["optimizer"]
    model.compile(**{**compiled, "optimizer": getattr(keras.optimizers, name)(**config)})
    arguments = {k: np.array(v, "float32") if k == "sample_weight" else v for k, v in fitted.items()}
    history = model.fit(x, targets, batch_size=16, epochs=3, shuffle=False, verbose=0, **arguments)
    evaluated = model.evaluate(x, targets, batch_size=16, verbose=0, return_dict=True)
    listed = model.evaluate(x, targets, batch_size=16, verbose=0)
    return {
        "title": title,
        "layers": layers,
        "x": plain(x),
        "y": plain(targets),
        "integers": targets.dtype.kind == "i",
        "compile": compiled,
        "fit": fitted,
        "history": plain(history.history),
        "evaluate": plain(evaluated),
        "evaluate_list": plain(listed),
        "predict": plain(model.predict(x[:4], verbose=0)),
        "weights": [plain(w) for w in model.get_weights()],
    }


def bar_cases():
    """Progress bars drawn by Keras while the clock is ours."""
    listed = [
        (10, 1, [(i + 1, 0.1, [["accuracy", 0.1 * i], ["loss", 2.0 / (i + 1)]]) for i in range(10)], {}),
        (None, 1, [(i + 1, 0.2, [["loss", 1e-4 * i]]) for i in range(4)], {}),
        (
            1200,
            1,
            [
                (1, 2.5, [["loss", 12.5]]),
                (2, 5.0, [["loss", 1.5]]),
                (600, 9.0, [["loss", -0.0005]]),
                (1200, 0.5, [["loss", 0.25]]),
            ],
            {},
        ),
        (3, 2, [(1, 0.5, [["loss", 3.0]]), (3, 0.5, [["loss", 1.0], ["val_loss", 1e-5]])], {}),
        (
            5,
            1,
            [(i + 1, 0.06, [["a", float(i)], ["b", 2.0 * i]]) for i in range(5)],
            {"stateful_metrics": ["b"], "unit_name": "sample"},
        ),
        (100, 1, [(1, 100.0, []), (2, 100.0, []), (99, 0.01, []), (100, 0.01, [["loss", float("nan")]])], {"width": 30}),
    ]
    for target, verbose, updates, options in listed:
        now = [1000.0]
        real, time.time = time.time, lambda now=now: now[0]
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                bar = keras.utils.Progbar(target, verbose=verbose, **options)
                for current, seconds, values in updates:
                    now[0] += seconds
                    bar.update(current, values, finalize=True if target is None and current == 4 else None)
        finally:
            time.time = real
        yield {"target": target, "verbose": verbose, "updates": updates, "options": options, "text": out.getvalue()}


def text_cases(fits):
    """What fit, evaluate and predict print while the clock stands still."""
    case = next(c for c in fits if c["title"] == "adam with validation")
    # Keras may draw from other threads, in any order; the text to compare with is the one drawn in order.
    keras.callbacks.CallbackList._configure_async_dispatch = lambda self, callbacks: None
    x, y = np.array(case["x"], "float32"), np.array(case["y"])
    for verbose in (1, 2):
        dense = [keras.layers.Dense(d["units"], activation=d["activation"]) for d in case["layers"]]
        model = keras.Sequential([keras.Input((5,)), *dense])
        model.set_weights([np.array(d[k], "float32") for d in case["layers"] for k in ("kernel", "bias")])
        name, config = case["compile"]["optimizer"]
        model.compile(**{**case["compile"], "optimizer": getattr(keras.optimizers, name)(**config)})
        real, time.time = time.time, lambda: 1000.0
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=verbose, validation_split=0.2)
                model.fit(x, y, batch_size=16, epochs=1, shuffle=False, verbose=verbose)
                model.evaluate(x, y, batch_size=16, verbose=verbose)
                model.predict(x, batch_size=16, verbose=verbose)
        finally:
            time.time = real
        yield {"title": case["title"], "verbose": verbose, "text": out.getvalue()}


def main():
    fits = list(fit_cases())
    made = {
        "keras": keras.__version__,
        "losses": list(loss_cases()),
        "metrics": list(metric_cases()),
        "optimizers": list(optimizer_cases()),
        "schedules": list(schedule_cases()),
        "fits": fits,
        "texts": list(text_cases(fits)),
        "bars": list(bar_cases()),
    }
    path = Path(__file__).with_name("keras.json")
    path.write_text(json.dumps(made, separators=(",", ":")).replace('},{"', '},\n{"') + "\n")
    print({k: len(v) for k, v in made.items() if isinstance(v, list)}, path.stat().st_size, file=sys.stderr)


if __name__ == "__main__":
    main()
