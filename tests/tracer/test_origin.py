"""The user's line, found on the stack and in tracebacks; contexts are per thread."""

from __future__ import annotations

import os
import threading

import pytest

import weft.tracer
from weft.graph.ir import array_type
from weft.tracer import GradientTape, Variable, convert_to_tensor, init_scope, layer_scope, user_line, user_origins, watching
from weft.tracer.origin import is_own, traceback_origin
from weft.tracer.trace import trace

HERE = os.path.abspath(__file__)


def test_own_files_are_recognised_by_directory():
    assert is_own(os.path.abspath(weft.tracer.__file__))
    assert not is_own(HERE)
    assert not is_own("<stdin>")


def test_line_of_the_caller():
    (origin,) = user_origins()
    assert origin.file == HERE
    assert origin.function == "test_line_of_the_caller"
    assert f'File "{HERE}", line ' in user_line()


def test_frames_of_weft_are_skipped():
    seen = []
    Variable(lambda: seen.append(user_origins()[0]) or 1.0)
    assert seen[0].file == HERE
    with pytest.raises(ValueError, match="Shape mismatch") as caught:
        Variable([1.0]).assign([1.0, 2.0])
    where = traceback_origin(caught.value.__traceback__)
    assert where is not None
    assert (where.file, where.function) == (HERE, "test_frames_of_weft_are_skipped")


def test_layers_nest():
    with layer_scope("model"):
        with layer_scope("dense"):
            assert user_origins()[0].layer == "model/dense"
        assert user_origins()[0].layer == "model"
    assert user_origins()[0].layer == ""


def test_gradients_belong_to_the_line_they_are_the_derivative_of():
    def step(x):
        with GradientTape() as tape:
            tape.watch(x)
            with layer_scope("square"):
                y = x * x
        return tape.gradient(y, x)

    traced = trace(step, [array_type("float32", (2,))])
    origin = traced.graph.outputs[0].origins[0]
    assert (origin.line, origin.layer) == (step.__code__.co_firstlineno + 4, "square")


def test_tapes_and_scopes_belong_to_their_thread():
    seen = []

    def work():
        seen.append((watching(), user_origins()[0].layer))

    with GradientTape() as tape, layer_scope("here"):
        x = convert_to_tensor(1.0)
        tape.watch(x)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        with init_scope():
            assert not watching()
        assert watching()
    assert seen == [(False, "")]
