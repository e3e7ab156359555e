"""All layers, under Keras' path. In: ``keras.layers.Dense``; out: the classes of `weft.layers`."""

from typing import TYPE_CHECKING, Any

from weft import layers
from weft.layers import __all__ as __all__

if TYPE_CHECKING:
    from weft.layers import *  # noqa: F403 - the same names in another place


def __getattr__(name: str) -> Any:
    value = globals()[name] = getattr(layers, name)
    return value


def __dir__() -> list[str]:
    return list(__all__)
