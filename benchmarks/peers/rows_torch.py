"""torch, eager: the cases of `row_cases.py`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from row_cases import Call, Case, limit_cores, serve

one = limit_cores()

import torch  # noqa: E402 - reads how many cores there are

if one:
    torch.set_num_threads(1)


def forward(case: Case, x: torch.Tensor, *rows: torch.Tensor) -> torch.Tensor:
    if case.kind.endswith("sum"):
        return torch.sum(x, 0) if case.kind == "column_sum" else torch.sum(x)
    if case.kind == "softmax":
        return torch.softmax(x, -1)
    if case.kind == "logsumexp":
        return torch.logsumexp(x, -1)
    if case.kind == "layer_norm":
        return torch.nn.functional.layer_norm(x, x.shape[-1:], *rows)
    turned = x.movedim(-1, 1)  # channels last in memory, as the others
    return torch.nn.functional.batch_norm(turned, None, None, *rows, training=True, eps=1e-5).movedim(1, -1)


def prepare(case: Case) -> Call:
    arguments, gradient = case.data()
    tensors = [torch.from_numpy(a).requires_grad_(case.backward) for a in arguments]
    upstream = torch.from_numpy(gradient)
    if not case.backward:

        def evaluate() -> object:
            with torch.inference_mode():
                return forward(case, *tensors)

        return evaluate
    return lambda: torch.autograd.grad(forward(case, *tensors), tensors, upstream)


if __name__ == "__main__":
    serve(f"torch {torch.__version__}", prepare)
