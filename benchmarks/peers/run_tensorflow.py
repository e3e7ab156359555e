"""TensorFlow: a custom train step under tf.function, with and without XLA; Keras' own fit on TensorFlow."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import keras
import tensorflow as tf
from keras_steps import prepare_tensorflow
from serve import serve

XLA = "--xla" in sys.argv

if __name__ == "__main__":
    prepare = functools.partial(prepare_tensorflow, tf, keras, tf.function(jit_compile=XLA), jit_compile=XLA)
    serve("TF tf.function" + (" XLA" if XLA else ""), f"{tf.__version__}, Keras {keras.__version__}", prepare)
