"""Charts as plain SVG and HTML: they follow light and dark through CSS variables, scale, and need no script."""

import math
from dataclasses import dataclass

import numpy as np

from .markup import esc

HEIGHT = 240
LEFT, RIGHT, TOP, BOTTOM = 40, 24, 12, 36


@dataclass(frozen=True)
class Line:
    """A curve: its name, colour (any CSS colour), points, and the words for a point's tooltip."""

    name: str
    colour: str
    points: list[tuple[float, float]]
    dashed: bool = False
    labels: list[str] | None = None


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, about `count` of them."""
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return [low]
    step = 10 ** math.floor(math.log10(span / count))
    step *= next((m for m in (1, 2, 5, 10) if span / (step * m) <= count), 10)
    first = math.ceil(low / step - 1e-9)
    return [(first + i) * step for i in range(int((high + 1e-9 * span) / step) - first + 1)]


def line_chart(
    lines: list[Line],
    x_label: str,
    y_label: str,
    zero: bool = False,
    marks: list[tuple[float, str]] | None = None,
    shade: tuple[float, float] | None = None,
    width: int = 520,
) -> str:
    """Curves over shared axes. `marks` are labelled vertical lines, `shade` is a span of x drawn tinted, `width` is in
    units of which the height has 240.

    Points that are not finite are left out; without any, a sentence stands in for the chart.
    """
    points = [p for c in lines for p in c.points if all(map(math.isfinite, p))]
    if not points:
        return '<p class="lead">Nothing to draw yet.</p>'
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    x0, x1 = min(xs), max(max(xs), min(xs) + 1e-9)
    y0, y1 = (0.0 if zero else min(ys)), max(ys)
    pad = 0.06 * (y1 - y0) or 0.5
    y0, y1 = (y0 if zero else y0 - pad), y1 + pad

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (x - x0) / (x1 - x0) * (width - LEFT - RIGHT),
            HEIGHT - BOTTOM - (y - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM),
        )

    parts = []
    if shade:
        a, b = at(max(shade[0], x0), y0)[0], at(min(shade[1], x1), y0)[0]
        parts.append(
            f'<rect class="shade" x="{a:.1f}" y="{TOP}" width="{max(b - a, 0):.1f}" height="{HEIGHT - TOP - BOTTOM}"/>'
        )
    for y in ticks(y0, y1):
        v = at(x0, y)[1]
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{width - RIGHT}" y1="{v:.1f}" y2="{v:.1f}"/>')
        parts.append(f'<text x="{LEFT - 7}" y="{v + 4:.1f}" text-anchor="end">{y:g}</text>')
    for x in ticks(x0, x1, 6):
        h = at(x, y0)[0]
        parts.append(f'<text x="{h:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{x:,g}</text>')
    for x, label in marks or []:
        h = at(x, y0)[0]
        end = "end" if h > width / 2 else "start"
        shift = -5 if end == "end" else 5
        parts.append(f'<line class="mark" x1="{h:.1f}" x2="{h:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text class="strong" x="{h + shift:.1f}" y="{TOP + 11}" text-anchor="{end}">{esc(label)}</text>')
    for c in lines:
        good = [(i, at(*p)) for i, p in enumerate(c.points) if all(map(math.isfinite, p))]
        path = " ".join(f"{x:.1f},{y:.1f}" for _, (x, y) in good)
        dash = ' stroke-dasharray="5 4"' if c.dashed else ""
        parts.append(f'<polyline points="{path}" fill="none" stroke="{c.colour}" stroke-width="2"{dash}/>')
        for i, (x, y) in good if len(good) <= 200 else []:
            words = c.labels[i] if c.labels else f"{c.name}: {c.points[i][1]:.4g} at {c.points[i][0]:g}"
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{c.colour}"><title>{esc(words)}</title></circle>'
            )
    parts.append(f'<text x="{(LEFT + width - RIGHT) / 2}" y="{HEIGHT - 3}" text-anchor="middle">{esc(x_label)}</text>')
    legend = "".join(
        f'<span><i style="background:{c.colour}"></i>{esc(c.name)}</span>' for c in lines if len(lines) > 1
    )
    svg = (
        f'<svg class="chart" viewBox="0 0 {width} {HEIGHT}" style="max-width:{1.27 * width:.0f}px" role="img" '
        f'aria-label="{esc(y_label)} by {esc(x_label)}">'
        f"{''.join(parts)}</svg>"
    )
    return (
        f'<figure class="figure"><figcaption><span class="muted">{esc(y_label)}</span>{legend}</figcaption>'
        f'<div class="scroll">{svg}</div></figure>'
    )


def bars(rows: list[tuple[str, float, str]], colour: str = "var(--s-red)", mono: bool = False) -> str:
    """Horizontal bars: (name, share of the full width from 0 to 1, words at the end)."""
    lines = "".join(
        f'<div class="bar"><span class="bar-name{" mono" if mono else ""}" dir="auto">{esc(name)}</span>'
        f'<span class="bar-track"><i style="width:{100 * min(max(share, 0), 1):.1f}%;background:{colour}"></i></span>'
        f'<span class="bar-words">{esc(words)}</span></div>'
        for name, share, words in rows
    )
    return f'<div class="bars">{lines}</div>'


def heat_map(weights: np.ndarray, names: list[str], offset: int = 0, chosen: int | None = None) -> str:
    """A causal [T, T] map: each row a token that looks, each column a token looked at; darker is more.

    `offset` is the number of the first token (they count from 1 in the tooltips); `chosen` is a row to mark.
    """
    T, cell, left, top = len(names), 16, 96, 78
    size_x, size_y = left + T * cell + 44, top + T * cell + 6  # the last column's name leans out to the right
    parts = []
    for i, name in enumerate(names):
        short = esc(name if len(name) <= 11 else name[:10] + "…")
        middle = top + i * cell + cell * 0.72
        strong = ' class="strong"' if i == chosen else ""
        parts.append(f'<text{strong} x="{left - 6}" y="{middle:.1f}" text-anchor="end">{short}</text>')
        x = left + i * cell + cell * 0.7
        parts.append(f'<text x="{x:.1f}" y="{top - 6}" transform="rotate(-55 {x:.1f} {top - 6})">{short}</text>')
    for i in range(T):
        for j in range(i + 1):
            weight = float(weights[i, j])
            words = f"{offset + i + 1} {names[i]!r} looks at {offset + j + 1} {names[j]!r}: {weight:.1%}"
            parts.append(
                f'<rect x="{left + j * cell}" y="{top + i * cell}" width="{cell - 1}" height="{cell - 1}" '
                f'fill-opacity="{min(weight, 1) ** 0.6:.3f}"><title>{esc(words)}</title></rect>'
            )
    if chosen is not None:
        parts.append(
            f'<rect class="frame" x="{left - 1.5}" y="{top + chosen * cell - 1.5}" width="{(chosen + 1) * cell + 2}" '
            f'height="{cell + 2}"/>'
        )
    return (
        f'<div class="scroll"><svg class="heat" viewBox="0 0 {size_x} {size_y}" width="{size_x}" height="{size_y}" '
        f'role="img" aria-label="attention: rows look at columns">{"".join(parts)}</svg></div>'
    )
