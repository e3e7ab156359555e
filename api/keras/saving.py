"""Objects as data. In: layers, models, the user's own classes; out: dictionaries, and the objects built back from them."""

from weft.layers.serialization import custom_object_scope, get_custom_objects, register_keras_serializable
from weft.layers.serialization import deserialize_object as deserialize_keras_object
from weft.layers.serialization import serialize_object as serialize_keras_object

CustomObjectScope = custom_object_scope

__all__ = [
    "CustomObjectScope", "custom_object_scope", "deserialize_keras_object", "get_custom_objects", "register_keras_serializable",
    "serialize_keras_object",
]  # fmt: skip
