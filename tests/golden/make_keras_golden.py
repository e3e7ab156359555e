"""Makes keras.json, the numbers of real Keras that tests/keras compares with.

Run with an interpreter that has Keras 3 and JAX: ``KERAS_BACKEND=jax python tests/golden/make_keras_golden.py``. Each case
holds its inputs, so the tests need neither this script nor Keras.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
from keras_formulas import loss_cases, metric_cases, optimizer_cases, schedule_cases
from keras_runs import bar_cases, fit_cases, text_cases


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
