"""weft's side of the comparison."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from keras_steps import prepare_tensorflow
from serve import Run, serve
from workloads import Workload

import weft as tf
from weft import keras


def prepare(w: Workload, function=tf.function) -> Run:
    return prepare_tensorflow(tf, keras, function, w)


if __name__ == "__main__":
    if "--eager" in sys.argv:
        serve("weft eager", tf.__version__, lambda w: prepare(w, function=lambda f: f))
    else:
        serve("weft", tf.__version__, prepare)
