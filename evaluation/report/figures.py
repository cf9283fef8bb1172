"""Matplotlib pictures as HTML: one light and one dark rendering, nothing too small to read."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Callable, Iterable
from html import escape
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, NullFormatter

from perturbation.files import whole_file

Draw = Callable[[Figure], None]
"""Gets an empty figure. Takes colours as C0 to C7, and clouds of points `rasterized`."""

NARROW = (4.2, 3.5)
"""Inches at 96 pixels: fits a screen of 500 pixels."""
ROW = 0.17
"""Inches for a line of text."""
NAME_PLACES = tuple(product((3, -9, 16, -22, 30, -36), ((4, "left"), (-4, "right"))))
"""Where a name may stand, in points from its own; a thin line leads to it."""
THEMES = ("light", "dark")
LEADER = {"arrowstyle": "-", "lw": 0.4, "color": "C7"}
SAVED: dict[str, dict[str, Any]] = {
    "svg": {"metadata": {"Date": None}},
    "png": {"metadata": {"Software": None}, "dpi": 110},
}
"""How, and without what would make two files of the same picture differ."""
LONGEST_NAME = 22


def picture(draw: Draw, alt: str, says: str, size: tuple[float, float] = NARROW) -> str:
    """Draw under both themes; the style sheet shows the one that the reader prefers.

    Parameters
    ----------
    draw
        Draws it.
    alt
        Said to people who cannot see it.
    says
        One sentence below it: what to see.
    size
        Width and height in inches, 96 pixels each; what is wider than the screen scrolls.
    """
    images = ""
    for theme in THEMES:
        source = f"data:image/svg+xml;base64,{b64encode(_drawn(draw, size, theme, 'svg')).decode()}"
        images += f'<img class="{theme}" alt="{escape(alt)}" src="{source}">'
    return (
        f'<figure><div class="wide" tabindex="0">{images}</div>'
        f"<figcaption>{escape(says)}</figcaption></figure>"
    )


def save_png(draw: Draw, path: Path, size: tuple[float, float]) -> None:
    """Draw under the light theme into a PNG file."""
    with whole_file(path) as unfinished:
        unfinished.write_bytes(_drawn(draw, size, "light", "png"))


def _drawn(draw: Draw, size: tuple[float, float], theme: str, form: str) -> bytes:
    file = io.BytesIO()
    with style.context([Path(__file__).with_name(f"{name}.mplstyle") for name in ("page", theme)]):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(file, format=form, **SAVED[form])
    return file.getvalue()


def short(name: str) -> str:
    """Cut a long name: a module's or a path keeps its end, all others their beginning."""
    if len(name) <= LONGEST_NAME:
        return name
    if {":", "/"} & set(name):
        return f"…{name[1 - LONGEST_NAME :]}"
    return f"{name[: LONGEST_NAME - 1]}…"


def legend_below(figure: Figure, ax: Axes, ncols: int = 2) -> None:
    """Explain the colours of one of the axes below the figure."""
    handles, labels = ax.get_legend_handles_labels()
    labels = [short(label) for label in labels]
    figure.legend(handles, labels, loc="outside lower left", ncols=ncols, markerscale=2)


def plain_log(ax: Axes, axes: str = "xy") -> None:
    """Make axes logarithmic with 1, 2, 3 and 5 written as plain numbers."""
    ax.set(**{f"{name}scale": "log" for name in axes})
    for axis in (getattr(ax, f"{name}axis") for name in axes):
        axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        axis.set_major_formatter("{x:,.6g}")
        axis.set_minor_formatter(NullFormatter())


def heat(ax: Axes, table: pd.DataFrame, **options: Any) -> AxesImage:  # noqa: ANN401, imshow's
    """Draw a table as colours, its names at the sides."""
    ax.set_xticks(range(table.shape[1]), [short(str(name)) for name in table], rotation=90)
    ax.set_yticks(range(len(table)), table.index)
    ax.grid(visible=False)
    return ax.imshow(table, **options)


def draw_named(
    x: pd.Series,
    y: pd.Series,
    named: Iterable[str],
    xlabel: str,
    ylabel: str,
    *,
    line: pd.Series | None = None,
    log: bool = False,
) -> Draw:
    """Draw points, some with their names, and a line from its index to its values."""

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        if line is not None:
            ax.plot(line, color="C1", label=line.name)
            ax.legend()
        ax.scatter(x, y, 14, color="C0")
        ax.set(xlabel=xlabel, ylabel=ylabel)
        if log:
            plain_log(ax)
        name_points(figure, ax, x, y, named)

    return draw


def name_points(figure: Figure, ax: Axes, x: pd.Series, y: pd.Series, named: Iterable[str]) -> None:
    """Write names beside points, in this order; one that finds no free place is left out.

    Call it last: it asks where things are.
    """
    figure.draw_without_rendering()
    points, legend = ax.transData.transform(np.column_stack([x, y])), ax.get_legend()
    taken = [legend.get_window_extent()] if legend else []
    outline = [withStroke(linewidth=2, foreground=ax.get_facecolor())]
    for name in named:
        for dy, (dx, side) in NAME_PLACES:
            at, away = (x[name], y[name]), (dx, dy)
            text = ax.annotate(name, at, away, "data", "offset points", arrowprops=LEADER)
            text.set(ha=side, fontsize=8.5, path_effects=outline, in_layout=False)
            text.get_window_extent()  # subtle: puts it into its place; this box has the line in it
            box = Text.get_window_extent(text)
            fits = all(ax.bbox.contains(*corner) for corner in box.corners())
            if fits and not box.count_overlaps(taken) and not box.count_contains(points):
                taken.append(box)
                break
            text.remove()
