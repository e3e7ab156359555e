"""All callbacks of one loop as one. In: a hook call, metrics unread; out: the hook of each callback, metrics as floats."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..trainers.logs import read_logs
from .callback import Callback, Logs, overrides
from .history import History
from .progress import ProgbarLogger

BatchHook = Callable[..., None]


class CallbackList(Callback):
    """Calls the hooks of every callback in order, `History` and `ProgbarLogger` last where they are added.

    Metrics are read from the compiled step's variables only if a callback overrides the hook or the bar is due.
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        super().__init__()
        self.callbacks: list[Any] = list(flatten_callbacks(callbacks))
        if add_history and not any(isinstance(c, History) for c in self.callbacks):
            self.callbacks.append(History())
        if add_progbar and not any(isinstance(c, ProgbarLogger) for c in self.callbacks):
            self.callbacks.append(ProgbarLogger())
        if model is not None:
            self.set_model(model)
        if params:
            self.set_params(params)

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        for callback in self.callbacks:
            if isinstance(callback, History):
                model.history = callback
            callback.set_model(model)

    def append(self, callback: Any) -> None:
        """Adds a callback to this loop."""
        self.callbacks.append(callback)

    def batch_hooks(self, mode: str) -> tuple[BatchHook | None, BatchHook | None, bool]:
        """What to call before and after batches of "train", "test" or "predict", None where no callback wants to know.

        And whether every batch counts: a progress bar is content to hear now and then.
        """
        begin, end = f"on_{mode}_batch_begin", f"on_{mode}_batch_end"
        old = (("on_batch_begin",), ("on_batch_end",)) if mode == "train" else ((), ())
        at_begin = [c for c in self.callbacks if overrides(c, begin, *old[0])]
        at_end = [c for c in self.callbacks if overrides(c, end, *old[1]) and not isinstance(c, ProgbarLogger)]
        bars = [c for c in self.callbacks if isinstance(c, ProgbarLogger)]
        return _begin_hook(at_begin, begin), _end_hook(at_end, bars, end, mode == "test"), bool(at_begin or at_end)

    def _call(self, hook: str, *args: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(*args)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self._call("on_batch_begin", batch, read_logs(logs))

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._call("on_batch_end", batch, read_logs(logs))

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._call("on_epoch_begin", epoch, read_logs(logs))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._call("on_epoch_end", epoch, read_logs(logs))

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self._call("on_train_batch_begin", batch, read_logs(logs))

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._call("on_train_batch_end", batch, read_logs(logs))

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self._call("on_test_batch_begin", batch, read_logs(logs))

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._call("on_test_batch_end", batch, read_logs(logs))

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self._call("on_predict_batch_begin", batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._call("on_predict_batch_end", batch, logs)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._call("on_train_begin", read_logs(logs))

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._call("on_train_end", read_logs(logs))

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._call("on_test_begin", read_logs(logs))

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._call("on_test_end", read_logs(logs))

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._call("on_predict_begin", logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._call("on_predict_end", logs)


def flatten_callbacks(callbacks: Any) -> Iterable[Any]:
    """The callbacks in nested lists; one callback alone stands for a list of it. TypeError for a class or anything else."""
    if callbacks is None:
        return
    if isinstance(callbacks, (list, tuple)):
        for callback in callbacks:
            yield from flatten_callbacks(callback)
    elif isinstance(callbacks, type) or not hasattr(callbacks, "on_epoch_end"):
        raise TypeError(f"callbacks must be Callback objects. Received: {callbacks!r}")
    else:
        yield callbacks


def _begin_hook(callbacks: list[Any], name: str) -> BatchHook | None:
    if not callbacks:
        return None
    hooks = [getattr(c, name) for c in callbacks]

    def begin(batch: int) -> None:
        for hook in hooks:
            hook(batch, logs=read_logs(None))

    return begin


def _end_hook(callbacks: list[Any], bars: list[ProgbarLogger], name: str, in_test: bool) -> BatchHook | None:
    if not callbacks and not bars:
        return None
    hooks = [getattr(c, name) for c in callbacks]
    in_predict = name == "on_predict_batch_end"

    def end(batch: int, logs: Any) -> None:
        values = None
        if hooks:
            values = logs if in_predict else read_logs(logs)
            for hook in hooks:
                hook(batch, logs=values)
        for bar in bars:
            bar.seen = batch + 1
            if bar.is_due(batch, in_test):
                values = values if values is not None or in_predict else read_logs(logs)
                getattr(bar, name)(batch, values)

    return end
