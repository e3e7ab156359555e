"""What real Keras' fit, evaluate and predict give and print. In: the arrays of `keras_inputs`; out: cases with their results."""

import contextlib
import io
import time

import keras
import numpy as np
from keras_inputs import floats, one_hot, plain, rng


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
