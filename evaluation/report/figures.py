"""Matplotlib pictures as HTML: one light and one dark rendering, nothing too small to read."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Sequence
from html import escape
from itertools import product
from pathlib import Path

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from perturbation.files import whole_file

NARROW = (4.2, 3.5)
"""Inches at 96 pixels: fits a screen of 500 pixels. Text of 8.5 points is 11 pixels high."""
ROW = 0.17
"""Inches for a line of such text."""
NAME_PLACES = ((4, 3, "left"), (4, -9, "left"), (-4, 3, "right"), (-4, -9, "right"))

_COMMON = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "font.size": 9,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "savefig.bbox": "tight",
    "savefig.dpi": 144,
    "savefig.pad_inches": 0.04,
    "svg.hashsalt": "page",
    "text.parse_math": False,  # a name may hold a dollar sign
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
}


def _theme(paper: str, ink: str, line: str, colours: Sequence[str], diverging: str) -> dict:
    inked = [f"{part}.color" for part in ("text", "xtick", "ytick")]
    inked += ["axes.edgecolor", "axes.labelcolor"]
    inked += [f"boxplot.{part}props.color" for part in ("box", "cap", "whisker")]
    return (
        _COMMON
        | dict.fromkeys(inked, ink)
        | dict.fromkeys(("axes.facecolor", "savefig.facecolor"), paper)
        | {"grid.color": line, "image.cmap": diverging, "axes.prop_cycle": cycler(color=colours)}
    )


THEMES = {
    "light": _theme(
        *("#ffffff", "#1b1f24", "#e3e7ec"),
        ("#1a5fb4", "#c2570c", "#23803c", "#8a3fa8", "#b01030", "#7a6a00", "#0a7f86", "#6b7480"),
        "RdBu_r",
    ),
    "dark": _theme(
        *("#14181d", "#e4e8ec", "#2a323b"),
        ("#7fb2ff", "#ffa45c", "#6fd08c", "#d39cf5", "#ff8296", "#d9c94e", "#5fd3da", "#98a3af"),
        "berlin",
    ),
}


def picture(
    draw: Callable[[Figure], None], alt: str, says: str, size: tuple[float, float] = NARROW
) -> str:
    """Draw under both themes; the style sheet shows the one that the reader prefers.

    Parameters
    ----------
    draw
        Gets an empty figure. Takes colours as C0 to C7, and clouds of points `rasterized`.
    alt
        Said to people who cannot see it.
    says
        One sentence below it: what to see.
    size
        Width and height in inches, 96 pixels each; what is wider than the screen scrolls.
    """
    images = "".join(
        f'<img class="{theme}" alt="{escape(alt)}" src="{_drawn(draw, size, theme)}">'
        for theme in THEMES
    )
    return (
        f'<figure><div class="wide" tabindex="0">{images}</div>'
        f"<figcaption>{escape(says)}</figcaption></figure>"
    )


def _drawn(draw: Callable[[Figure], None], size: tuple[float, float], theme: str) -> str:
    file = io.BytesIO()
    with mpl.rc_context(THEMES[theme]):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(file, format="svg", metadata={"Date": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(file.getvalue()).decode()}"


def save_png(draw: Callable[[Figure], None], path: Path, size: tuple[float, float]) -> None:
    """Draw under the light theme into a PNG file."""
    with mpl.rc_context(THEMES["light"]), whole_file(path) as unfinished:
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(unfinished, format="png", dpi=110, metadata={"Software": None})


def plain_log(ax: Axes, axes: str = "xy") -> None:
    """Make axes logarithmic with 1, 2 and 5 written as plain numbers."""
    ax.set(**{f"{name}scale": "log" for name in axes})
    for axis in (getattr(ax, f"{name}axis") for name in axes):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:,.6g}")
        axis.set_minor_formatter(NullFormatter())


def name_points(
    ax: Axes, x: np.ndarray, y: np.ndarray, names: Sequence[str], order: Iterable[int]
) -> None:
    """Write names beside points, in this order; one that finds no free place is left out.

    Call it last: it asks where things are.
    """
    ax.figure.draw_without_rendering()
    points = ax.transData.transform(np.column_stack([x, y]))
    taken = [ax.get_legend().get_window_extent()] if ax.get_legend() else []
    for i, (dx, dy, side) in product(order, NAME_PLACES):
        if any(text.get_text() == names[i] for text in ax.texts):
            continue
        text = ax.annotate(
            names[i],
            (x[i], y[i]),
            (dx, dy),
            textcoords="offset points",
            ha=side,
            fontsize=8.5,
            path_effects=[withStroke(linewidth=2, foreground=ax.get_facecolor())],
        )
        text.set_in_layout(False)
        box = text.get_window_extent()
        is_free = not (box.count_overlaps(taken) or box.count_contains(np.delete(points, i, 0)))
        if is_free and _fits(ax.get_window_extent(), box):
            taken.append(box)
        else:
            text.remove()


def _fits(frame: Bbox, box: Bbox) -> bool:
    return frame.x0 <= box.x0 and frame.x1 >= box.x1 and frame.y0 <= box.y0 and frame.y1 >= box.y1
