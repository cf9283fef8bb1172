"""One self-contained HTML page: sections, tables one can sort and search, nothing loaded."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import pandas as pd

from evaluation.report.figures import Picture
from perturbation.files import whole_file

PAGE = "index.html"
HERE = Path(__file__).parent
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""The browser itself refuses to load anything from elsewhere."""

Sections = Mapping[str, Sequence[str | Picture]]
"""From a heading to HTML and pictures."""


def write_page(directory: Path, title: str, intro: str, sections: Sections) -> Path:
    """Write index.html, whole or not at all, and return its path.

    Parameters
    ----------
    directory
        Made if it is missing.
    title, intro
        Text.
    sections
        From a heading to what stands below it, side by side where there is room.
    """
    path = directory / PAGE
    with whole_file(path) as unfinished:
        unfinished.write_text(render(title, intro, sections), encoding="utf-8")
    return path


def render(title: str, intro: str, sections: Sections) -> str:
    """Return the page of `write_page`."""
    links, body = "", ""
    for number, (name, parts) in enumerate(sections.items()):
        links += f'<a href="#s{number}">{escape(name)}</a> '
        body += f'<section id="s{number}"><h2>{escape(name)}</h2><div class="charts">'
        body += f"{''.join(map(str, parts))}</div></section>"
    style, script = ((HERE / name).read_text("utf-8") for name in ("page.css", "page.js"))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{style}</style>'
        f"</head><body><h1>{escape(title)}</h1><p>{escape(intro)}</p><nav>{links}</nav>{body}"
        f"<script>{script}</script></body></html>\n"
    )


def bullets(sentences: Iterable[str]) -> str:
    """Sentences as a list."""
    return f"<ul>{''.join(f'<li>{escape(words)}</li>' for words in sentences)}</ul>"


def table(frame: pd.DataFrame, caption: str, html: Collection[str] = ()) -> str:
    """Return a table that the reader can sort, and search where it is long.

    Parameters
    ----------
    frame
        Its index is the first column. Numbers are written with four digits.
    caption
        Text above it.
    html
        Columns that are HTML already; all others are escaped.
    """
    frame = frame.rename_axis(index=None, columns=None).reset_index(names=frame.index.name or "")
    for name in frame.columns.difference(list(html)):
        frame[name] = frame[name].map(_written)
    frame = frame.rename(columns=lambda name: escape(str(name)))
    body = frame.to_html(index=False, border=0, escape=False, justify="unset")
    body = body.replace(">", f"><caption><span>{escape(caption)}</span></caption>", 1)
    return f'<div class="wide" tabindex="0">{body}</div>'


def _written(value: str | float) -> str:
    if isinstance(value, str):
        return escape(value)
    return "" if pd.isna(value) else f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
