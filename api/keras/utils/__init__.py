"""Helpers by Keras' names. In: ``keras.utils.to_categorical``; out: the functions of this folder and of its neighbours."""

from ..saving import (
    CustomObjectScope,
    custom_object_scope,
    deserialize_keras_object,
    get_custom_objects,
    register_keras_serializable,
    serialize_keras_object,
)
from ..trainers import Progbar, PyDataset, pack_x_y_sample_weight, unpack_x_y_sample_weight
from .labels import normalize, to_categorical
from .session import clear_session, is_keras_tensor, set_random_seed
from .splitting import split_dataset

Sequence = PyDataset  # Keras 2's name

__all__ = [
    "CustomObjectScope", "Progbar", "PyDataset", "Sequence", "clear_session", "custom_object_scope",
    "deserialize_keras_object", "get_custom_objects", "is_keras_tensor", "normalize", "pack_x_y_sample_weight",
    "register_keras_serializable", "serialize_keras_object", "set_random_seed", "split_dataset", "to_categorical",
    "unpack_x_y_sample_weight",
]  # fmt: skip
