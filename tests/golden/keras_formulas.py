"""Losses, metrics, optimizers and schedules of real Keras. In: the arrays of `keras_inputs`; out: cases with their results."""

import keras
import numpy as np
from keras_inputs import (
    BINARY,
    BINARY_LOGITS,
    CLASSES,
    LOGITS,
    NUMBERS,
    ONE_HOT,
    POSITIVE,
    PROBABILITIES,
    SIGNS,
    SPARSE,
    UNNORMALISED,
    WEIGHTS,
    floats,
    one_hot,
    plain,
    probabilities,
    rng,
)


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
