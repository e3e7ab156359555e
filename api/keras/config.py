"""Settings under Keras' names. In: calls like ``keras.config.set_floatx("float64")``; out: the settings of all layers."""

from __future__ import annotations

from weft.layers.precision import epsilon, floatx, image_data_format, set_epsilon, set_floatx, set_image_data_format

__all__ = ["backend", "epsilon", "floatx", "image_data_format", "set_epsilon", "set_floatx", "set_image_data_format"]


def backend() -> str:
    """The name of the library that computes: always "weft"."""
    return "weft"
