"""All layers, under Keras' path. In: ``keras.layers.Dense``; out: the classes of `weft.layers`."""

from weft.layers import *  # noqa: F403 - the same names in another place
from weft.layers import __all__ as __all__
