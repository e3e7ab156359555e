"""torch: a custom train step, eager or under torch.compile. There is no fit of its own, so fits are a plain loop over batches."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from serve import Run, serve
from workloads import Workload

COMPILE = "--compile" in sys.argv
OPTIMIZERS = {
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.001, alpha=0.9, eps=1e-7),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.01),
    "adam": lambda p: torch.optim.Adam(p, lr=0.001, eps=1e-7),
}


def build(w: Workload) -> torch.nn.Module:
    layers: list[torch.nn.Module] = []
    values = iter(w.initial_weights())
    for i, (a, b) in enumerate(zip(w.sizes, w.sizes[1:], strict=False)):
        dense = torch.nn.Linear(a, b)
        with torch.no_grad():
            dense.weight.copy_(torch.from_numpy(next(values).T.copy()))
            dense.bias.copy_(torch.from_numpy(next(values)))
        layers += [dense] if i == len(w.sizes) - 2 else [dense, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers)


def make_step(w: Workload, model: torch.nn.Module) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """A train step: from a batch to its loss."""
    optimizer = OPTIMIZERS[w.optimizer](model.parameters())
    loss_fn = torch.nn.functional.mse_loss if w.sizes[-1] == 1 else torch.nn.functional.cross_entropy

    def step(x, y):
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return torch.compile(step) if COMPILE else step


def prepare(w: Workload) -> Run:
    if w.kind == "pointwise":
        return prepare_pointwise(w)
    if w.kind == "predict":
        return prepare_predict(w)
    train_step = make_step(w, build(w))
    x, y = (torch.from_numpy(v) for v in w.data())
    y = y if w.sizes[-1] == 1 else y.long()

    def run(steps: int) -> float:
        for i in range(steps):
            if w.kind == "fit":
                rows = slice(i * w.batch, (i + 1) * w.batch)
                loss = train_step(x[rows], y[rows])
            else:
                loss = train_step(x, y)
        return float(loss)

    return run


def prepare_predict(w: Workload) -> Run:
    model = build(w)
    forward = torch.compile(model) if COMPILE else model
    x = torch.from_numpy(w.data()[0])

    def run(steps: int) -> float:
        with torch.inference_mode():
            for _ in range(steps):
                out = forward(x).numpy()
        return float(out[0, 0])

    return run


def prepare_pointwise(w: Workload) -> Run:
    def formula(x):
        return torch.nn.functional.gelu(x * 1.5 - 0.5) * 0.25

    chain = torch.compile(formula) if COMPILE else formula
    x = torch.from_numpy(w.data()[0].reshape(-1))

    def run(steps: int) -> float:
        with torch.inference_mode():
            for _ in range(steps):
                y = chain(x)
        return float(y[-1])

    return run


if __name__ == "__main__":
    serve("torch.compile" if COMPILE else "torch eager", torch.__version__, prepare)
