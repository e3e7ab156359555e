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


def prepare(w: Workload) -> Run:
    return prepare_tensorflow(tf, keras, tf.function, w)


if __name__ == "__main__":
    eager = "--eager" in sys.argv
    tf.config.run_functions_eagerly(eager)
    serve("weft eager" if eager else "weft", tf.__version__, prepare)
