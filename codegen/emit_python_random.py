"""Kernels for random numbers. In: distribution, element type and limits; out: the text of a kernel (a: key, out, n0: count).

One Philox block gives four 32-bit words, or two 64-bit words for 8-byte types. The transforms are those of the random ops, in the
same order of operations, so that eager and compiled code draw the same numbers (up to 1 ulp of ``log``, ``sin`` and ``cos``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from weft.graph.dtype import DType
from weft.graph.errors import UnimplementedError
from weft.graph.special import ERFINV_CENTRAL

HEAD = '''def {name}(a, out, n0):
    """Random numbers, {title}. a: u64 key, out: {short} written"""
    a = view(a, 2)
    out = view(out, n0)
    seed = a[0]
    draw = a[1]
    for i0 in range((n0 + {last}) // {width}):
        w0, w1, w2, w3 = philox(seed, draw, uint64(i0))
'''


def random_text(distribution: str, dtype: DType, attrs: dict[str, Any]) -> str:
    """The kernel's text, named KERNEL. UnimplementedError for a distribution that is not known here."""
    transform = _TRANSFORMS.get(distribution)
    if transform is None:
        raise UnimplementedError(f"Random numbers of the distribution {distribution!r} cannot be compiled.")
    width = 2 if dtype.size == 8 else 4
    lines = [f"q{i} = {_wide_word(i)}" for i in range(2)] if width == 2 else []
    words = [f"q{i}" for i in range(2)] if width == 2 else [f"w{i}" for i in range(4)]
    lines += transform(words, dtype, attrs)
    lines.append(f"j = i0 * {width}")
    lines.append("out[j] = x0")
    for i in range(1, width):
        lines += [f"if j + {i} < n0:", f"    out[j + {i}] = x{i}"]
    head = HEAD.format(name="KERNEL", title=distribution, short=dtype.short, last=width - 1, width=width)
    return head + "".join(f"        {line}\n" for line in lines) + "    return 0\n"


def _wide_word(i: int) -> str:
    return f"uint64(w{2 * i}) | (uint64(w{2 * i + 1}) << uint64(32))"


def _uniform(words: list[str], dtype: DType, attrs: dict[str, Any]) -> list[str]:
    if dtype.size == 8:
        return [f"x{i} = float64({w} >> uint64(11)) * {2.0**-53!r}" for i, w in enumerate(words)]
    return [f"x{i} = float32(float64({w} >> uint32(8)) * {2.0**-24!r})" for i, w in enumerate(words)]


def _open_interval(words: list[str], dtype: DType) -> list[str]:
    if dtype.size == 8:
        return [f"u{i} = (float64({w} >> uint64(11)) + 0.5) * {2.0**-53!r}" for i, w in enumerate(words)]
    return [f"u{i} = (float64({w}) + 0.5) * {2.0**-32!r}" for i, w in enumerate(words)]


def _normal(words: list[str], dtype: DType, attrs: dict[str, Any]) -> list[str]:
    lines = _open_interval(words, dtype)
    for i in range(0, len(words), 2):
        lines += [
            f"r{i} = sqrt(-2.0 * log(u{i}))",
            f"v{i} = {2.0 * math.pi!r} * u{i + 1}",
            f"x{i} = {dtype.name}(r{i} * cos(v{i}))",
            f"x{i + 1} = {dtype.name}(r{i} * sin(v{i}))",
        ]
    return lines


def _truncated_normal(words: list[str], dtype: DType, attrs: dict[str, Any]) -> list[str]:
    lines = _open_interval(words, dtype)
    for i in range(len(words)):
        lines += [f"z{i} = (2.0 * u{i} - 1.0) * {math.erf(math.sqrt(2.0))!r}", f"s{i} = -log1p(-z{i} * z{i})"]
        lines.append(f"g{i} = {ERFINV_CENTRAL[-1]!r}")
        lines += [f"g{i} = g{i} * s{i} + {c!r}" for c in ERFINV_CENTRAL[-2::-1]]
        lines.append(f"x{i} = {dtype.name}({math.sqrt(2.0)!r} * (z{i} * g{i}))")
    return lines


def _int(words: list[str], dtype: DType, attrs: dict[str, Any]) -> list[str]:
    word, span, low, name = f"uint{64 if dtype.size == 8 else 32}", attrs["high"] - attrs["low"], attrs["low"], dtype.name
    return [f"x{i} = {name}({name}({word}({w} % {word}({span}))) + {name}({low}))" for i, w in enumerate(words)]


_TRANSFORMS: dict[str, Callable[[list[str], DType, dict[str, Any]], list[str]]] = {
    "uniform": _uniform,
    "normal": _normal,
    "truncated_normal": _truncated_normal,
    "int": _int,
}
