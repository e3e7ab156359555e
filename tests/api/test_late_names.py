"""Names that are loaded when they are first used. In: ways of importing, in fresh processes; out: failures where one differs."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import weft
import weft.layers
import weft.tracer.ops
from weft import keras
from weft.tracer.late_names import late_names

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
    "import weft.tracer.ops.einstein_sum; import weft; weft.einsum('ij->ji', [[1.0]]); weft.linalg.einsum('i->i', [1.0])",
    "import weft.keras.losses.margins; from weft import keras; keras.losses.hinge([[1.0]], [[1.0]])",
    "from weft import *; print, range, function, Variable, exp, matmul, keras.layers.Dense, nn.softmax, math.log",
    "from weft.keras.layers import Dense, Dropout; from weft.keras.metrics import *; AUC, mean_squared_error, Mean",
    "import weft.tracer.sliced, weft.tracer.jacobian, weft; weft.custom_gradient(lambda x: (x, lambda g: g))(1.0)",
    "from weft.keras.models import Model, Sequential; from weft.keras.optimizers.schedules import LearningRateSchedule",
]

LATE = [
    weft, weft.math, weft.nn, weft.bitwise, weft.layers, weft.tracer.ops, keras, keras.callbacks, keras.datasets, keras.layers,
    keras.losses, keras.metrics, keras.models, keras.optimizers,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_importing_works(way: str) -> None:
    subprocess.run([sys.executable, "-c", way], check=True)


@pytest.mark.parametrize("package", LATE)
def test_what_is_public_is_listed_and_loads(package: ModuleType) -> None:
    names = package.__all__
    assert set(names) <= set(dir(package))
    for name in names:
        assert getattr(package, name) is getattr(package, name)


@pytest.mark.parametrize("package", LATE)
def test_no_module_takes_the_place_of_something_else(package: ModuleType) -> None:
    """Importing a file ``hinge.py`` would put the module where the function ``hinge`` belongs."""
    for path in Path(package.__file__ or "").parent.glob("*.py") if hasattr(package, "__path__") else ():
        if path.stem in package.__all__:
            assert isinstance(getattr(package, path.stem), ModuleType), path


@pytest.mark.parametrize("package", LATE)
def test_other_names_are_missing(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        package.nothing  # noqa: B018


def run_child(text: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-c", text, *arguments], check=True)


def test_a_saved_model_needs_nothing_imported_before() -> None:
    layers = [keras.Input((4,)), keras.layers.Dense(3, "relu"), keras.layers.BatchNormalization(), keras.layers.Reshape((3, 1))]
    text = keras.Sequential(layers).to_json()
    run_child(
        "import sys\nfrom weft.keras import models\nassert models.model_from_json(sys.argv[1]).to_json() == sys.argv[1]", text
    )
    a = keras.Input((2,))
    text = keras.Model(a, keras.layers.Add()([a, keras.layers.Dropout(0.5)(a)])).to_json()
    run_child("import sys\nfrom weft import keras\nkeras.models.model_from_json(sys.argv[1])", text)


@pytest.mark.parametrize("first", ["keras.losses.Hinge", "keras.metrics.Hinge", "keras.initializers.Identity", "keras"])
def test_what_a_plain_name_means_does_not_depend_on_what_was_imported_first(first: str) -> None:
    run_child(
        f"from weft import keras\n{first}\nfrom weft.layers.serialization import find_object\n"
        "assert find_object('Hinge') is keras.metrics.Hinge\n"
        "assert find_object('keras.losses.Hinge') is keras.losses.Hinge\n"
        "assert find_object('Identity') is keras.layers.Identity\n"
    )


@pytest.mark.parametrize("collecting", [True, False])
def test_loading_leaves_the_collector_as_it_was(collecting: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "holder_of_late_names").mkdir()
    (tmp_path / "holder_of_late_names" / "__init__.py").touch()
    (tmp_path / "holder_of_late_names" / "good.py").write_text("import gc\npaused = not gc.isenabled()\n")
    (tmp_path / "holder_of_late_names" / "bad.py").write_text("raise RuntimeError('bad')\n")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("holder_of_late_names")
    load, _ = late_names("holder_of_late_names", {"good": ("paused",), "bad": ("thing",)})
    before = gc.isenabled()
    try:
        (gc.enable if collecting else gc.disable)()
        assert load("paused") is True
        assert gc.isenabled() is collecting
        with pytest.raises(RuntimeError, match="bad"):
            load("thing")
        assert gc.isenabled() is collecting
    finally:
        (gc.enable if before else gc.disable)()
