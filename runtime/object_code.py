"""Object code by content. In: a key and a way to print the LLVM text; out: machine code, compiled at most once per cache."""

from __future__ import annotations

from collections.abc import Callable

from .engine import compile_text
from .store import load_bytes, store_bytes


def compiled_object(key: str, text: Callable[[], str], *, vectorize: bool = True, effort: int = 2) -> bytes:
    """Object code stored under the key, or compiled now from the LLVM text that ``text()`` returns, and stored.

    vectorize, effort: as for `compile_text`; no effort at all leaves the text as it is, too.
    """
    code = load_bytes("objects", key)
    if code is None:
        code = compile_text(text(), vectorize=vectorize, tidy=effort > 0, effort=effort)
        store_bytes("objects", key, code)
    return code
