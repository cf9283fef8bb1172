"""Matplotlib pictures as HTML: one light and one dark rendering, nothing too small to read."""

import io
from base64 import b64encode
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.transforms import Bbox

from perturbation.files import whole_file

NARROW = (4.2, 3.5)
"""Inches at 96 pixels: fits a screen of 500 pixels."""
ROW = 0.17
"""Inches for a line of text."""
UNIT = "log2(1 + counts per 100,000)"
N_NAMED = 12
NAME_PLACES = ((4, 3, "left"), (-4, 3, "right"), (4, -9, "left"), (-4, -9, "right"))
"""Where a name may stand: points to the right of its own and above it, and its alignment."""
LONGEST_NAME = 22


class Picture(NamedTuple):
    """A picture with its words; str() gives HTML, where the reader's preference picks the theme.

    Attributes
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

    draw: Callable[[Figure], None]
    alt: str
    says: str
    size: tuple[float, float] = NARROW

    def __str__(self) -> str:
        images = ""
        for theme in ("light", "dark"):
            source = b64encode(self.drawn(theme, "svg")).decode()
            images += f'<img class="{theme}" alt="{escape(self.alt)}" '
            images += f'src="data:image/svg+xml;base64,{source}">'
        return (
            f'<figure><div class="wide" tabindex="0">{images}</div>'
            f"<figcaption>{escape(self.says)}</figcaption></figure>"
        )

    def save_png(self, path: Path) -> None:
        """Write it under the light theme into a PNG file."""
        with whole_file(path) as unfinished:
            unfinished.write_bytes(self.drawn("light", "png"))

    def drawn(self, theme: str, form: str) -> bytes:
        """Return the file, the same bytes every time."""
        file = io.BytesIO()
        sheets = [Path(__file__).with_name(f"{name}.mplstyle") for name in ("page", theme)]
        with style.context(sheets):
            figure = Figure(figsize=self.size, layout="constrained")
            self.draw(figure)
            figure.savefig(file, format=form, metadata={"Date": None})
        return file.getvalue()


def short(name: str) -> str:
    """Cut the middle out of a long name."""
    return name if len(name) <= LONGEST_NAME else f"{name[:9]}…{name[-12:]}"


def heat(ax: Axes, table: pd.DataFrame, **options: Any) -> AxesImage:  # noqa: ANN401, imshow's
    """Draw a table as colours, its names at the sides."""
    ax.set_xticks(range(table.shape[1]), [short(str(name)) for name in table], rotation=90)
    ax.set_yticks(range(len(table)), table.index)
    ax.grid(visible=False)
    return ax.imshow(table, **options)


def scatter(
    x: pd.Series,
    y: pd.DataFrame,
    xlabel: str,
    ylabel: str,
    says: str,
    *,
    lines: pd.DataFrame | None = None,
) -> Picture:
    """Draw each column of `y` against `x`, a colour each, and each of `lines` over their index.

    The furthest points of the first column are named.
    """

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        if lines is not None:
            ax.plot(lines, color="C7", lw=1, ls="--", label=list(lines))
        for number, name in enumerate(y):
            points = ax.scatter(x, y[name], 10, label=short(str(name)), lw=0, alpha=0.7)
            points.set(color=f"C{number % 7}", zorder=3 - number / 9, rasterized=True)
        ax.set(xlabel=xlabel, ylabel=ylabel)
        figure.legend(loc="outside lower left", ncols=2)
        name_points(figure, ax, x, y.iloc[:, 0])

    return Picture(draw, f"{ylabel} against {xlabel}", says, (4.2, 4.1))


def name_points(
    figure: Figure, ax: Axes, x: pd.Series, y: pd.Series, n_named: int = N_NAMED
) -> None:
    """Write names beside the furthest points; one that finds no free place is left out.

    Call it last: it asks where things are.
    """
    figure.draw_without_rendering()
    points = ax.transData.transform(np.column_stack([x, y]))
    taken: list[Bbox] = []
    from_middle = pd.DataFrame({"x": x, "y": y}) - [x.median(), y.median()]
    furthest = (from_middle**2 / [x.var() or 1, y.var() or 1]).sum(axis=1).nlargest(n_named)
    for name in furthest.index:
        for dx, dy, side in NAME_PLACES:
            text = ax.annotate(name, (x[name], y[name]), (dx, dy), textcoords="offset points")
            text.set(ha=side, fontsize=8.5, in_layout=False)
            box = text.get_window_extent()
            fits = all(ax.bbox.contains(*corner) for corner in box.corners())
            if fits and not box.count_overlaps(taken) and not box.count_contains(points):
                taken.append(box)
                break
            text.remove()
