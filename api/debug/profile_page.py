"""A profile as a picture. In: a `Profile`; out: its drawing (calls over time, roofline) and a page that holds it and the tables.

The page is one file without scripts: it opens from the disk and can be mailed.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from .chart import Axis, draw_axes
from .svg import COLOURS, FAINT, FONT, INK, Picture

if TYPE_CHECKING:
    from .profiling import Profile, ProfileRow

WIDTH, ROW, LABEL, SIDE = 1100, 18, 380, 230

STYLE = f"""body {{{FONT};color:{INK};margin:2em;max-width:1200px}} table {{border-collapse:collapse;font-size:13px}}
td,th {{padding:2px 10px;text-align:right;border-bottom:1px solid {FAINT};vertical-align:top}}
td.t,th.t {{text-align:left}} code {{font-size:12px;color:#555555}} svg {{max-width:100%;height:auto}}"""


def draw_profile(profile: Profile) -> Picture:
    """The calls over time, one line each, and below them the roofline with a dot per call."""
    timeline, roofline = draw_timeline(profile), draw_roofline(profile)
    picture = Picture(WIDTH, timeline.height + roofline.height)
    picture.place(timeline, 0, 0)
    picture.place(roofline, 0, timeline.height)
    return picture


def draw_timeline(profile: Profile) -> Picture:
    """A bar per call from its start to its end; the dark part is what the work takes at the machine's limits."""
    top = 30 + 18 * len(profile.heading())
    picture = Picture(WIDTH, top + ROW * (len(profile.rows) + 1) + 20)
    for i, line in enumerate(profile.heading()):
        picture.text(12, 24 + 18 * i, line, 14 if i == 0 else 12)
    scale = (WIDTH - LABEL - SIDE) / max(profile.kernel_seconds, 1e-12)
    at = 0.0
    colours = _colours(profile.rows)
    for i, row in enumerate(profile.rows):
        y, x = top + ROW * i, LABEL + at * scale
        colour = colours[row.bound]
        picture.text(LABEL - 10, y + 13, _short(f"{row.ops}  {row.origin}", 60), 11, "end")
        picture.rect(x, y + 3, max(row.seconds * scale, 0.5), ROW - 6, colour + "55", describe(row))
        picture.rect(x, y + 3, min(row.floor, row.seconds) * scale, ROW - 6, colour, describe(row))
        picture.text(WIDTH - SIDE + 14, y + 13, f"{row.seconds * 1e6:,.2f} µs, {row.roofline:.0%} of {row.bound}", 11)
        at += row.seconds
    foot = top + ROW * len(profile.rows) + 18
    picture.text(12, foot, "dark: the same work at the machine's limits; bound by", 11)
    for i, (bound, colour) in enumerate(colours.items()):
        picture.rect(LABEL + 90 * i, foot - 9, 10, 10, colour)
        picture.text(LABEL + 16 + 90 * i, foot, bound, 11)
    return picture


def draw_roofline(profile: Profile) -> Picture:
    """FLOPs per second over FLOPs per byte: the roofs of this machine, and a dot per call whose area grows with its time."""
    picture = Picture(WIDTH, 400)
    peak = profile.limits.peak["f32"] * 1e-9
    x = Axis("FLOPs per byte", 2**-6, 2**10, 70, WIDTH - 240, 2)
    y = Axis("GFLOP/s", peak * 2e-4, peak * 2, 352, 40)
    draw_axes(picture, "Roofline of one core", x, y)
    colours = _colours(profile.rows)
    for level in profile.limits.levels:
        rate = level.bandwidth * 1e-9
        ridge = min(max(peak / rate, x.low), x.high)
        start = max(x.low, y.low / rate)
        picture.line([(x.at(start), y.at(start * rate)), (x.at(ridge), y.at(ridge * rate))], colours.get(level.name, INK), 1.5)
        picture.text(x.at(start) + 6, y.at(start * rate) - 6, f"{level.name}: {rate:,.0f} GB/s", 11)
    low = min(level.bandwidth for level in profile.limits.levels) * 1e-9
    high = max(level.bandwidth for level in profile.limits.levels) * 1e-9
    picture.line([(x.at(max(peak / high, x.low)), y.at(peak)), (x.at(x.high), y.at(peak))], colours.get("FMA", INK), 1.5)
    picture.text(x.at(max(peak / low, x.low)), y.at(peak) - 6, f"FMA: {peak:,.0f} GFLOP/s", 11)
    for row in profile.rows:
        if row.flops and row.bytes and row.seconds:
            rate, intensity = row.flops / row.seconds * 1e-9, row.flops / row.bytes
            radius = 3 + 12 * (row.seconds / max(profile.kernel_seconds, 1e-12)) ** 0.5
            inside = min(max(intensity, x.low), x.high), min(max(rate, y.low), y.high)
            picture.circle(x.at(inside[0]), y.at(inside[1]), radius, colours[row.bound] + "99", describe(row))
    return picture


def describe(row: ProfileRow) -> str:
    """What the mouse shows: the call in words."""
    time = f"{row.seconds * 1e6:,.2f} µs, {row.gflops:,.1f} GFLOP/s, {row.gigabytes:,.1f} GB/s"
    return f"{row.kernel}\n{row.ops} -> {row.result}\n{row.origin}\n{time}, {row.roofline:.0%} of {row.bound}"


def write_page(profile: Profile) -> str:
    """The page: heading, drawing, a table of all calls with the user's lines, totals per layer and per line."""
    title, *rest = map(escape, profile.heading())
    total = max(profile.kernel_seconds, 1e-12)
    calls = [
        (
            f"{r.seconds * 1e6:,.2f}", f"{r.seconds / total:.0%}", f"{r.gflops:,.1f}", f"{r.gigabytes:,.1f}",
            f"{r.roofline:.0%} {r.bound}", r.kernel, r.result, _where(profile, r.origin),
        )
        for r in profile.rows
    ]  # fmt: skip
    head = ("µs", "time", "GFLOP/s", "GB/s", "roofline", "kernel", "result", "from")
    parts = [
        f"<h1>{title}</h1>", *(f"<p>{line}</p>" for line in rest), str(draw_profile(profile)),
        "<h2>Kernel calls, in order</h2>", _table(head, calls, 5),
        "<h2>Layers</h2>", _totals(profile.by_layer(), total),
        "<h2>Lines</h2>", _totals(profile.by_line(), total, profile.sources),
    ]  # fmt: skip
    body = "\n".join(parts)
    return f'<!doctype html>\n<meta charset="utf-8">\n<title>{escape(profile.name)}</title>\n<style>{STYLE}</style>\n{body}\n'


def _totals(seconds: dict[str, float], total: float, sources: dict[str, str] | None = None) -> str:
    rows = [(f"{s * 1e6:,.2f}", f"{s / total:.0%}", _with_source(name, sources or {})) for name, s in seconds.items()]
    return _table(("µs", "time", "from"), rows, 2)


def _where(profile: Profile, origin: str) -> str:
    """The user's lines and layers, with their text."""
    return "<br>".join(_with_source(part, profile.sources) for part in origin.split(", ")) if origin else "-"


def _with_source(where: str, sources: dict[str, str]) -> str:
    text = sources.get(where.partition(" ")[0], "")
    return escape(where) + (f" <code>{escape(text)}</code>" if text else "")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]], numbers: int) -> str:
    """The rows as a table; the last column is HTML already, the first ``numbers`` columns stand to the right."""

    def line(tag: str, cells: tuple[str, ...]) -> str:
        shown = [*(escape(c) for c in cells[:-1]), cells[-1]]
        return "".join(f"<{tag}{' class=t' if i >= numbers else ''}>{c}</{tag}>" for i, c in enumerate(shown))

    body = "\n".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    return f"<table>\n<tr>{line('th', head)}</tr>\n{body}\n</table>"


def _colours(rows: Iterable[ProfileRow]) -> dict[str, str]:
    """A colour per bound, the same in every picture."""
    order = {"FMA": 0, "L1": 2, "L2": 4, "L3": 3, "memory": 1}
    return {b: COLOURS[order.get(b, 6)] for b in sorted({r.bound for r in rows}, key=lambda b: order.get(b, 6))}


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
