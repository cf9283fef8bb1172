"""Small charts as inline SVG; colours come from the page's style sheet by class name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

TICKS = 5
CHARACTER = 7.5
"""Width of a capital letter in pixels; the style sheet's text is 11 pixels high."""
RIGHT = 16
"""Margin that half of a tick's label fits into."""


@dataclass(frozen=True)
class Points:
    """Points of one kind.

    Attributes
    ----------
    x, y
        (n,) coordinates in data units.
    kind
        Class of the marks: "a" a filled dot, "b" a ring.
    names
        (n,) text shown when the pointer rests on a mark; empty for none.
    radius
        Of the marks, in pixels.
    """

    x: np.ndarray
    y: np.ndarray
    kind: str = "a"
    names: Sequence[str] = ()
    radius: float = 2


@dataclass(frozen=True)
class Axis:
    """A linear axis from `low` to `high` (data units) over `start` to `end` (pixels)."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: np.ndarray, start: float, end: float) -> Axis:
        """Cover the values with a margin of five percent."""
        low, high = float(np.min(values)), float(np.max(values))
        margin = 0.05 * (high - low) or 0.5
        return cls(low - margin, high + margin, start, end)

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """Return round numbers inside the axis, about `TICKS` of them."""
        rough = (self.high - self.low) / TICKS
        power = 10.0 ** np.floor(np.log10(rough))
        step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
        first = np.ceil(self.low / step)
        return [float(step * k) for k in np.arange(first, np.floor(self.high / step) + 1)]


def scatter(
    series: Sequence[Points],
    x_label: str,
    y_label: str,
    *,
    title: str,
    diagonal: bool = False,
    rules: bool = False,
    labels: Collection[str] = (),
    size: tuple[int, int] = (300, 280),
) -> str:
    """Draw points over two axes.

    Parameters
    ----------
    series
        Drawn in this order.
    title
        Said to people who cannot see the chart.
    diagonal
        One scale for both axes, and the line where both are equal.
    rules
        Lines where x or y is 0.
    labels
        Names of points that are written beside them.
    """
    width, height = size
    x = np.concatenate([points.x for points in series])
    y = np.concatenate([points.y for points in series])
    if diagonal:
        x = y = np.concatenate([x, y])
    across, up = Axis.over(x, 46, width - RIGHT), Axis.over(y, height - 36, 8)
    parts = [_frame(across, up), _x_ticks(across, height - 36), _y_ticks(up, 46)]
    if diagonal:
        ends = f'x1="{across.start}" y1="{up.start}" x2="{across.end}" y2="{up.end}"'
        parts.append(f'<line class="rule" {ends}/>')
    if rules:
        parts.append(_zero_lines(across, up))
    parts += [_marks(points, across, up) for points in series]
    parts += [_names_beside(points, labels, across, up) for points in series if labels]
    middle = (up.start + up.end) / 2
    parts.append(_text(width / 2 + 20, height - 4, x_label, "middle"))
    parts.append(
        f'<text transform="translate(11 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_label)}</text>"
    )
    return _svg(width, height, title, parts)


def dumbbells(
    names: Sequence[str],
    first: np.ndarray,
    second: np.ndarray,
    *,
    title: str,
    x_label: str,
    limits: np.ndarray,
    width: int = 330,
) -> str:
    """Draw one row a name: a dot for `first`, a ring for `second`, and a line between them.

    Parameters
    ----------
    limits
        Values that the axis covers, so that charts can share a scale.
    """
    row, left = 15, 14 + CHARACTER * max(len(name) for name in names)
    bottom = 8 + row * len(names)
    across = Axis.over(limits, left, width - RIGHT)
    rows = Axis(0, len(names), 8, bottom)
    parts = [_frame(across, rows), _x_ticks(across, bottom)]
    parts.append(_zero_lines(across, Axis(1, 2, 8, bottom)))
    for i, name in enumerate(names):
        y = rows.at(i + 0.5)
        ends = f'x1="{across.at(first[i])}" y1="{y}" x2="{across.at(second[i])}" y2="{y}"'
        parts += [f'<line class="link" {ends}/>', _text(left - 6, y + 4, name, "end")]
    y = np.arange(len(names)) + 0.5
    for values, kind in ((second, "b"), (first, "a")):
        labels = [f"{name}: {value:.4f}" for name, value in zip(names, values, strict=True)]
        parts.append(_marks(Points(values, y, kind, labels, 3.5), across, rows))
    parts.append(_text((left + width) / 2, bottom + 32, x_label, "middle"))
    return _svg(width, bottom + 38, title, parts)


def _marks(points: Points, across: Axis, up: Axis) -> str:
    """Circles; their size and colour are the style sheet's."""
    names = points.names or [""] * len(points.x)
    marks = []
    for x, y, name in zip(points.x, points.y, names, strict=True):
        place = f'cx="{across.at(x)}" cy="{up.at(y)}"'
        hint = f"><title>{escape(name)}</title></circle>" if name else "/>"
        marks.append(f'<circle r="{points.radius}" {place}{hint}')
    return f'<g class="{points.kind}">{"".join(marks)}</g>'


def _names_beside(points: Points, labels: Collection[str], across: Axis, up: Axis) -> str:
    """Write names to the right of their marks, or to the left in the right half."""
    texts = []
    for x, y, name in zip(points.x, points.y, points.names, strict=True):
        if name in labels:
            is_left = across.at(x) < (across.start + across.end) / 2
            place, anchor = (8, "start") if is_left else (-8, "end")
            texts.append(_text(across.at(x) + place, up.at(y) + 4, name, anchor))
    return "".join(texts)


def _zero_lines(across: Axis, up: Axis) -> str:
    """Dashed lines through the origin, where it is inside."""
    lines = []
    if across.low < 0 < across.high:
        x = across.at(0)
        lines.append(f'<line class="rule" x1="{x}" y1="{up.start}" x2="{x}" y2="{up.end}"/>')
    if up.low < 0 < up.high:
        y = up.at(0)
        lines.append(
            f'<line class="rule" x1="{across.start}" y1="{y}" x2="{across.end}" y2="{y}"/>'
        )
    return "".join(lines)


def _frame(across: Axis, up: Axis) -> str:
    x, y = min(across.start, across.end), min(up.start, up.end)
    width, height = abs(across.end - across.start), abs(up.end - up.start)
    return f'<rect class="frame" x="{x}" y="{y}" width="{width}" height="{height}"/>'


def _x_ticks(across: Axis, y: float) -> str:
    return "".join(
        f'<line class="tick" x1="{across.at(v)}" y1="{y}" x2="{across.at(v)}" y2="{y + 4}"/>'
        + _text(across.at(v), y + 16, f"{v:.4g}", "middle")
        for v in across.ticks()
    )


def _y_ticks(up: Axis, x: float) -> str:
    return "".join(
        f'<line class="tick" x1="{x - 4}" y1="{up.at(v)}" x2="{x}" y2="{up.at(v)}"/>'
        + _text(x - 6, up.at(v) + 4, f"{v:.4g}", "end")
        for v in up.ticks()
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    box = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'<svg {box} role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
