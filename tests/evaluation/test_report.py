"""The page holds everything in one file, and a real browser can show it."""

import os
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from evaluation.crossval import run as cross_validation_run
from evaluation.crossval.contenders import BASELINES, SHIPPED
from evaluation.crossval.fast import Settings
from evaluation.crossval.workers import Workers
from evaluation.report.page import Report, render
from evaluation.report.svg import Axis, Points, dumbbells, scatter
from tests.conftest import ROOT

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
]

MEASURE = """<script>
const problems = [];
const wide = document.documentElement.scrollWidth - window.innerWidth;
if (wide > 0) problems.push(`page is ${wide} pixels too wide`);
for (const svg of document.querySelectorAll("svg")) {
  const box = svg.getBoundingClientRect(), name = svg.getAttribute("aria-label");
  if (box.width < 100 || box.height < 40) problems.push(`${name}: ${box.width} x ${box.height}`);
  for (const mark of svg.querySelectorAll("text, circle")) {
    const inner = mark.getBoundingClientRect();
    const inside = inner.left >= box.left - 1 && inner.right <= box.right + 1
      && inner.top >= box.top - 1 && inner.bottom <= box.bottom + 1;
    if (!inside) problems.push(`${name}: ${mark.textContent || "a dot"} is cut off`);
  }
}
document.body.innerHTML = `<pre id="problems">${problems.join("\\n")}</pre>`;
</script>"""


@pytest.fixture(scope="module")
def finished(competition):
    settings = Settings((SHIPPED, *BASELINES), n_folds=3, panel_genes=20, panel_draws=2)
    return cross_validation_run.run(competition, ROOT / "resources", settings, Workers())


@pytest.fixture(scope="module")
def page(finished, tmp_path_factory):
    return cross_validation_run.report(finished, tmp_path_factory.mktemp("report"))


def browse(page, tmp_path, *arguments):
    """Run chromium on the page in a profile of its own; return what it prints."""
    command = [
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={tmp_path / 'profile'}",
        *arguments,
        f"file://{page}",
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def test_the_page_needs_no_other_file(page):
    text = page.read_text()
    assert not re.findall(r"<(?:script|link|img|iframe)\b|https?://|url\(|@import", text)
    assert page.parent.joinpath("index.html") == page


def test_the_page_shows_every_knock_out_and_contender(finished, page):
    text = page.read_text()
    for name in (
        *finished.material.summary.training.perturbation_centroids.index,
        *(c.name for c in BASELINES),
    ):
        assert name in text
    assert text.count("<svg") == 3 + 3 + 3 + 4


def test_many_knock_outs_are_drawn_in_several_charts(finished):
    scores = pd.concat(
        finished.scores.assign(perturbation=finished.scores["perturbation"] + f"-{i}")
        for i in range(4)
    )
    names = scores["perturbation"].unique()
    proportions = pd.DataFrame(
        0.25, index=names, columns=finished.material.summary.training.proportions.columns
    )
    report = Report(
        scores, finished.comparisons, "control centroid", {}, proportions, finished.words
    )
    assert len(names) == 48
    assert render(report).count("<svg") == 2 * 3 + 4


def test_names_are_escaped():
    chart = dumbbells(
        ["<b>&"],
        np.array([1.0]),
        np.array([2.0]),
        title='"t"',
        x_label="x",
        limits=np.array([1, 2]),
    )
    assert "<b>" not in chart
    assert "&lt;b&gt;&amp;" in chart


def test_points_stand_where_their_values_are():
    axis = Axis(0, 10, 100, 200)
    assert axis.at(0) == 100
    assert axis.at(5) == 150
    chart = scatter([Points(np.array([0.0, 1.0]), np.array([0.0, 2.0]))], "x", "y", title="t")
    (x0, y0), (x1, y1) = re.findall(r'<circle r="2" cx="([\d.]+)" cy="([\d.]+)"', chart)
    assert float(x0) < float(x1)
    assert float(y0) > float(y1)  # pixels count downwards


def test_ticks_are_round_and_inside():
    for low, high in ((0.013, 0.094), (-3, 250), (0.5, 0.5001)):
        ticks = Axis(low, high, 0, 1).ticks()
        assert 2 <= len(ticks) <= 7
        assert all(low <= tick <= high for tick in ticks)


def test_one_value_makes_an_axis():
    axis = Axis.over(np.array([2.0, 2.0]), 0, 100)
    assert axis.at(2.0) == 50


@needs_chromium
@pytest.mark.parametrize("width", [1100, 500])
def test_nothing_is_cut_off_in_a_browser(page, tmp_path, width):
    measured = tmp_path / "measured.html"
    measured.write_text(page.read_text().replace("</body>", MEASURE + "</body>"))
    dom = browse(measured, tmp_path, f"--window-size={width},900", "--dump-dom")
    assert re.search(r'<pre id="problems">(.*?)</pre>', dom, re.DOTALL)[1] == ""


@needs_chromium
@pytest.mark.parametrize(("scheme", "is_light"), [(1, True), (0, False)])
def test_light_and_dark_follow_the_reader(page, tmp_path, scheme, is_light):
    picture = tmp_path / "page.png"
    options = (f"--blink-settings=preferredColorScheme={scheme}", "--window-size=1100,900")
    browse(page, tmp_path, *options, f"--screenshot={picture}")
    brightness = imread(picture)[..., :3].mean(axis=-1)
    assert (np.median(brightness) > 0.9) == is_light
    assert brightness.max() - brightness.min() > 0.6  # text stands out


@needs_chromium
def test_a_dark_reader_prints_black_on_white(page, tmp_path):
    """The print style is asked for on screen, as a PDF cannot be looked at here."""
    as_printed = tmp_path / "printed.html"
    as_printed.write_text(page.read_text().replace("@media print", "@media screen"))
    picture = tmp_path / "page.png"
    options = ("--blink-settings=preferredColorScheme=0", "--window-size=1100,900")
    browse(as_printed, tmp_path, *options, f"--screenshot={picture}")
    assert np.median(imread(picture)[..., :3]) > 0.99
    browse(page, tmp_path, f"--print-to-pdf={tmp_path / 'page.pdf'}")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
