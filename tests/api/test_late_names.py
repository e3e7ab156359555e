"""Names that are loaded when they are first used. In: ways of importing, in fresh processes; out: failures where one differs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import weft
from weft import keras

WAYS = [
    "from weft import keras; keras.datasets.digits; keras.callbacks.CSVLogger; keras.utils.to_categorical; keras.ops.add",
    "import weft.keras.ops; weft.keras.ops.add",
    "import weft.keras; weft.keras.random; weft.keras.callbacks.EarlyStopping",
    "from weft.keras.callbacks import LambdaCallback, ReduceLROnPlateau",
    "from weft.keras.callbacks import *; CSVLogger, MonitorCallback, History",
    "from weft.keras import *; activations, callbacks, datasets, saving, Model",
    "from weft.keras.datasets import mnist; mnist.load_data",
    "import weft as tf; tf.data.Dataset; tf.errors.InvalidArgumentError; tf.linalg; tf.nest.flatten; tf.dtypes; tf.bitwise",
    "from weft import data, debugging; data.Dataset, debugging",
    "from weft.graph.passes import PIPELINE, optimize; optimize, PIPELINE[0]",
]


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_importing_works(way: str) -> None:
    subprocess.run([sys.executable, "-c", way], check=True)


@pytest.mark.parametrize("package", [weft, keras, keras.callbacks, keras.datasets])
def test_what_is_public_is_listed_and_loads(package: object) -> None:
    names = package.__all__  # type: ignore[attr-defined]
    assert set(names) <= set(dir(package))
    for name in names:
        assert getattr(package, name) is getattr(package, name)


@pytest.mark.parametrize("package", [weft, keras, keras.callbacks, keras.datasets])
def test_other_names_are_missing(package: object) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        package.nothing  # type: ignore[attr-defined]  # noqa: B018
