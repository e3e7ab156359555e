"""What is known about shape tensors while tracing."""

from __future__ import annotations

import numpy as np
import pytest

from weft.graph.dims import Dim
from weft.graph.ir import array_type
from weft.tracer import apply, convert_to_tensor, known_sizes
from weft.tracer.trace import trace

N = Dim("n")


def reduce(name, x):
    return apply(name, (x,), axes=(0,), keepdims=False)


@pytest.mark.parametrize(
    ("build", "want"),
    [
        (lambda s: s, (N, 4)),
        (lambda s: s[0], (N,)),
        (lambda s: s[::-1], (4, N)),
        (lambda s: s * 2 + 1, (N * 2 + 1, 9)),
        (lambda s: s[0] * s[1] - 3, (N * 4 - 3,)),
        (lambda s: convert_to_tensor([s[1], s[0], 7]), (4, N, 7)),
        (lambda s: reduce("reduce_prod", s), (N * 4,)),
        (lambda s: reduce("reduce_sum", s), (N + 4,)),
        (lambda s: (s[0] * 6) // 3, (N * 2,)),
        (lambda s: apply("gather", (s, np.array([1, 1, 0])), axis=0, batch_dims=0), (4, 4, N)),
        (lambda s: apply("cast", (s,), dtype=convert_to_tensor(np.int64(1)).dtype), (N, 4)),
        (lambda s: -s, (-N, -4)),
        (lambda s: convert_to_tensor([-1, 3]), (-1, 3)),
        (lambda s: s // 3, None),
    ],
)
def test_sizes_are_followed_through_arithmetic(build, want):
    found = []

    def function(x):
        found.append(known_sizes(build(convert_to_tensor(x.shape, "int32"))))

    trace(function, [array_type("float32", (N, 4))])
    assert found == [want]


def test_values_of_inputs_are_not_known():
    def function(x):
        assert known_sizes(x) is None
        assert known_sizes(x + 1) is None

    trace(function, [array_type("int32", (2,))])
    assert known_sizes(convert_to_tensor([1, 2])) == (1, 2)
    assert known_sizes(convert_to_tensor([1.0])) is None
    assert known_sizes([1, 2]) is None
