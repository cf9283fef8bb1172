"""Each page holds everything in one file, and a real browser shows it whole."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from evaluation.report.figures import Picture, scatter, short
from evaluation.report.page import bullets, render, table
from evaluation.report.pictures import every_knockout
from evaluation.scoring.metrics import METRICS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and "REQUIRE_CHROMIUM" not in os.environ, reason="chromium is not installed"
)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
]
MEGABYTES = 1e6
LOADED = r'<(?:script|iframe|object)[^>]+src|src="(?!data:)|url\(|@import'
LINKED = r"#s\d+$|data:,$|atlas\.csv$|https://pubmed\.ncbi\.nlm\.nih\.gov/"

MEASURE = f"<script>{Path(__file__).with_name('measure.js').read_text()}</script>"
PRINTED = """<script>
const narrow = [...document.images].filter((image) => image.offsetParent && image.width < 200);
const told = narrow.map((image) => `${image.alt}: ${image.width} pixels on paper`);
document.body.innerHTML = `<pre id="problems">${told.join("; ")}</pre>`;
</script>"""
COLLECT = r"""<pre id="problems"></pre><script>
addEventListener("load", () => {
  const told = [...document.querySelectorAll("iframe")].map((frame) => {
    const found = frame.contentDocument.querySelector("#problems");
    const text = found === null ? "not measured" : found.textContent;
    return text && `${frame.src}: ${text}`;
  });
  document.querySelector("#problems").textContent = told.filter(Boolean).join("\n");
});
</script>"""


def browse(page, tmp_path, *arguments):
    """Run chromium on the page in a profile of its own; return what it prints."""
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *arguments]
    done = subprocess.run(
        [*command, f"file://{page}"], capture_output=True, text=True, timeout=180, check=True
    )
    assert "CONSOLE" not in done.stderr
    return done.stdout


def as_printed(page):
    """What holds on a screen alone is asked of another medium, as a PDF cannot be looked at."""
    text = page.read_text().replace("@media screen", "@media speech")
    return text.replace("@media print", "@media all")


def each_page(all_pages):
    return [page for paths, _, _ in all_pages.values() for page in paths.values()]


def test_a_page_is_small_and_loads_nothing(all_pages):
    for page in each_page(all_pages):
        text = page.read_text()
        assert len(text) < 10 * MEGABYTES
        assert not re.findall(LOADED, text)
        assert all(re.match(LINKED, link) for link in re.findall(r'href="([^"]*)"', text))


def test_every_knock_out_and_contender_is_on_the_report(all_pages):
    paths, _, finished = all_pages["demo"]
    text = paths["report"].read_text()
    names = finished.scores["perturbation"].unique()
    for name in (*names, *finished.scores["contender"].cat.categories):
        assert f">{name}<" in text or f", {name}<" in text


def test_names_are_escaped():
    frame = pd.DataFrame({"<i>x": ["<b>&"]}, index=pd.Index(["<u>"], name="<s>"))
    text = render("<t>", "<p>", {"<h>": [bullets(["<l>"]), table(frame, "<c>")]})
    for name in ("<i>", "<b>", "<u>", "<s>", "<t>", "<h>", "<l>", "<c>"):
        assert name not in text.replace("<h1>", "").replace("<h2>", "")
    assert "<b>" not in str(Picture(lambda figure: None, "<b>", "<b>"))


def test_a_hundred_knock_outs_make_one_picture():
    rng, names = np.random.default_rng(0), [f"G{i}" for i in range(122)]
    means = {m: pd.DataFrame(rng.normal(size=(122, 4)), names, list("abcd")) for m in METRICS}
    assert str(every_knockout(means)).count("<figure") == 1


def test_points_get_their_names_and_no_name_covers_another():
    rng, genes = np.random.default_rng(0), [f"GENE{i}" for i in range(500)]
    x, y = (pd.Series(rng.normal(size=500), genes) for _ in range(2))
    figure = Figure(layout="constrained")
    scatter(x, y.to_frame("y"), "x", "y", "").draw(figure)
    names = figure.axes[0].texts
    assert len(names) >= 8
    boxes = [name.get_window_extent() for name in names]
    assert all(box.count_overlaps(boxes) == 1 for box in boxes)


def test_a_long_name_keeps_what_tells_it_apart():
    assert short("a.long.package.of.models:Mine").endswith(":Mine")
    assert short("shipped, but with every weight at one").startswith("shipped")


def test_the_same_picture_has_the_same_bytes():
    def draw(figure):
        figure.subplots().plot([1, 2])

    assert str(Picture(draw, "a", "b")) == str(Picture(draw, "a", "b"))


@needs_chromium
def test_a_browser_shows_sorts_and_searches_everything(all_pages, tmp_path):
    """One start measures every page in frames: 1,200 and 500 pixels wide, and as on paper."""
    frames = ""
    for number, page in enumerate(each_page(all_pages)):
        measured = tmp_path / f"{number}-{page.parent.name}.html"
        measured.write_text(page.read_text().replace("</body>", MEASURE + "</body>"))
        printed = tmp_path / f"{number}-{page.parent.name}-printed.html"
        printed.write_text(as_printed(page).replace("</body>", PRINTED + "</body>"))
        for name, width in ((measured.name, 1200), (measured.name, 500), (printed.name, 700)):
            style = f"width: {width}px; height: 900px; border: 0"
            frames += f'<iframe src="{name}" style="{style}"></iframe>'
    together = tmp_path / "together.html"
    together.write_text(f"<!doctype html><body>{frames}{COLLECT}</body>")
    options = ("--window-size=1300,900", "--allow-file-access-from-files", "--dump-dom")
    dom = browse(together, tmp_path, *options)
    assert re.search(r'<pre id="problems">(.*?)</pre>', dom, re.DOTALL)[1] == ""


@needs_chromium
@pytest.mark.parametrize(("scheme", "is_light"), [(1, True), (0, False)])
def test_light_and_dark_follow_the_reader(all_pages, tmp_path, scheme, is_light):
    picture = tmp_path / "page.png"
    options = (f"--blink-settings=preferredColorScheme={scheme}", "--window-size=1100,900")
    browse(all_pages["demo"][0]["report"], tmp_path, *options, f"--screenshot={picture}")
    brightness = imread(picture)[..., :3].mean(axis=-1)
    assert (np.median(brightness) > 0.9) == is_light
    assert brightness.max() - brightness.min() > 0.6  # text stands out


@needs_chromium
def test_a_dark_reader_prints_black_on_white(all_pages, tmp_path):
    page = all_pages["demo"][0]["report"]
    printed = tmp_path / "printed.html"
    printed.write_text(as_printed(page))
    picture = tmp_path / "page.png"
    options = ("--blink-settings=preferredColorScheme=0", "--window-size=1100,900")
    browse(printed, tmp_path, *options, f"--screenshot={picture}")
    assert np.median(imread(picture)[..., :3]) > 0.99
