"""Pictures of scores, every contender in each: what decides, and where each earns or fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.crossval.comparison import TITLES, Comparison, Estimate, by_perturbation
from evaluation.report.figures import ROW, name_points, picture, plain_log
from evaluation.report.words import goes_with, rank_correlation
from evaluation.scoring.metrics import METRICS
from perturbation.competition import PROGRAM_FLAGS

SIGNS = {metric: 1 if better == "higher" else -1 for metric, better in METRICS.items()}
VERDICT_COLOURS = {"better": "C2", "worse": "C4"}
N_NAMED = 8
MOST_GROUPS = 5
KNOCKOUTS_A_GROUP = 4
UNIT = "log2(1 + counts per 100,000)"


def draw_forest(found: Sequence[Comparison]) -> Callable[[Figure], None]:
    """Every difference to the shipped submission with its interval; better is right."""
    names = list(dict.fromkeys(c.contender for c in found))

    def draw(figure: Figure) -> None:
        for ax, metric in zip(figure.subplots(len(METRICS)), METRICS, strict=True):
            for c in (c for c in found if c.metric == metric):
                colour = VERDICT_COLOURS.get(c.verdict, "C7")
                _interval(ax, c.difference, names.index(c.contender), colour, SIGNS[metric])
            ax.axvline(0, color="C0", lw=1)
            ax.set_title(f"{TITLES[metric]} gained over the shipped submission", loc="left")
            _rows(ax, names)

    return draw


def forest(comparisons: Sequence[Comparison]) -> str:
    """Draw what decides: see `draw_forest`."""
    found = [c for c in comparisons if c.difference]
    n = {v: sum(c.verdict == v for c in found) for v in ("better", "worse")}
    says = (
        f"Right of the line is better than what ships, in every metric. Of {len(found)} "
        f"differences {n['better']} are really better (green), {n['worse']} really worse (red); "
        "the grey ones cannot be told from noise."
    )
    size = forest_size(len(found) // len(METRICS))
    return picture(draw_forest(found), "Differences to the shipped submission", says, size)


def forest_size(n_rows: int) -> tuple[float, float]:
    """Inches for a block of rows for each metric."""
    return 5.4, len(METRICS) * (ROW * 1.4 * n_rows + 0.75)


def levels(comparisons: Sequence[Comparison]) -> str:
    """Draw every mean score with its interval."""
    names = list(dict.fromkeys(c.contender for c in comparisons))

    def draw(figure: Figure) -> None:
        for ax, metric in zip(figure.subplots(len(METRICS)), METRICS, strict=True):
            for c in (c for c in comparisons if c.metric == metric):
                number = names.index(c.contender)
                _interval(ax, c.score, number, f"C{number % 7}", 1)
            ax.set_title(f"{TITLES[metric]}, {METRICS[metric]} is better", loc="left")
            _rows(ax, names)

    best = {
        m: max((c for c in comparisons if c.metric == m), key=lambda c: SIGNS[m] * c.score.mean)
        for m in METRICS
    }
    says = "Mean scores. Best: " + "; ".join(
        f"{TITLES[m]} {c.contender} ({c.score.mean:.4f})" for m, c in best.items()
    )
    return picture(draw, "Mean scores with intervals", f"{says}.", forest_size(len(names)))


def _interval(ax: Axes, estimate: Estimate, row: int, colour: str, sign: int) -> None:
    ends = [sign * estimate.low, sign * estimate.high]
    ax.plot(ends, [row, row], color=colour, lw=2, solid_capstyle="butt")
    ax.plot(sign * estimate.mean, row, "o", color=colour, ms=5)


def _rows(ax: Axes, names: Sequence[str]) -> None:
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.locator_params(axis="x", nbins=5)


def against(scores: pd.DataFrame, metric: str, facts: pd.Series, what: str, *, log: bool) -> str:
    """Draw a metric against a fact about the knock-outs: the shipped dots, every mean a line."""
    means = by_perturbation(scores)[metric]
    facts = facts.reindex(means.index).dropna()
    means = means.loc[facts.index]
    n_groups = max(1, min(MOST_GROUPS, len(facts) // KNOCKOUTS_A_GROUP))
    if len(facts) < KNOCKOUTS_A_GROUP:
        return ""
    groups = pd.qcut(facts, n_groups, labels=False, duplicates="drop")
    x, y = facts.to_numpy(float), means.iloc[:, 0].to_numpy()

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        ax.scatter(x, y, 10, color="C0", alpha=0.6)
        for number, (name, column) in enumerate(means.items()):
            ax.plot(
                facts.groupby(groups).mean(),
                column.groupby(groups).mean(),
                marker="o",
                ms=3,
                lw=2 if number == 0 else 1.2,
                color=f"C{number % 7}",
                label=name,
            )
        ax.set(xlabel=what, ylabel=TITLES[metric])
        if log:
            plain_log(ax, "x")
        figure.legend(*ax.get_legend_handles_labels(), loc="outside lower left", ncols=2)
        extremes = np.argsort(-np.abs(y - np.median(y)))[:4]
        name_points(ax, x, y, list(facts.index), extremes)

    rho, p = rank_correlation(x, y)
    gain = (SIGNS[metric] * means.sub(means.iloc[:, 0], axis=0)).drop(columns=means.columns[0])
    ahead = gain.groupby(groups).mean().max(axis=1)
    lost = ", ".join(str(int(g) + 1) for g in ahead.index[ahead > 0])
    says = (
        f"{TITLES[metric]} of the shipped submission {goes_with(p)} {what} (rank correlation "
        f"{rho:+.2f}, p {p:.2g}). Of {groups.nunique()} groups from left to "
        + (f"right another leads in {lost}." if lost else "right it leads in all.")
    )
    return picture(draw, f"{TITLES[metric]} against {what}", says, (4.2, 3.7))


def every_knockout(scores: pd.DataFrame) -> str:
    """Draw all scores as coloured cells, a row a knock-out, the shipped one's best on top."""
    means = by_perturbation(scores)
    shipped = means["pearson_delta"].columns[0]
    means = means.loc[means["pearson_delta"][shipped].sort_values(ascending=False).index]
    names = list(means["pearson_delta"].columns)

    def draw(figure: Figure) -> None:
        axes = figure.subplots(1, len(METRICS), sharey=True)
        for ax, metric in zip(axes, METRICS, strict=True):
            values = SIGNS[metric] * means[metric].to_numpy()
            low, high = np.quantile(values, [0.02, 0.98])
            ax.imshow(
                values, aspect="auto", cmap="viridis", vmin=low, vmax=high, interpolation="none"
            )
            ax.set_xticks(range(len(names)), names, rotation=90)
            ax.set_yticks(range(len(means)), means.index)
            ax.grid(visible=False)
            ax.set_title(TITLES[metric])

    gain = (SIGNS["pearson_delta"] * means["pearson_delta"]).rank(axis=1)[shipped].eq(len(names))
    says = (
        "Bright is good, in all three; sorted by the Pearson delta of the shipped submission, "
        f"which is the best of all for {gain.sum()} of {len(means)} knock-outs. Numbers: below."
    )
    size = (1.1 + 0.27 * len(METRICS) * len(names), ROW * len(means) + 2)
    return picture(draw, "Scores of every knock-out", says, size)


def own_transcript(scores: pd.DataFrame) -> str:
    """Draw the Pearson delta of every contender with and without the target's own transcript."""
    columns = ["pearson_delta", "pearson_without_own"]
    means = scores.groupby("contender", observed=True)[columns].mean()

    def draw(figure: Figure) -> None:
        ax, rows = figure.subplots(), range(len(means))
        ax.hlines(rows, *means.to_numpy().T, color="C7", lw=1)
        ax.plot(means[columns[0]], rows, "o", color="C0", label="all genes of the panel")
        ax.plot(means[columns[1]], rows, "o", color="C1", label="without the target's own")
        ax.set(xlabel="Pearson delta")
        _rows(ax, list(means.index))
        figure.legend(*ax.get_legend_handles_labels(), loc="outside lower left", ncols=2)

    with_own, without = means.iloc[0]
    says = (
        f"Without the target's own transcript the shipped submission scores {without:.4f} in place "
        f"of {with_own:.4f}: on these panels {with_own - without:+.4f} comes from it."
    )
    size = (5.6, ROW * 1.4 * len(means) + 1.2)
    return picture(draw, "Pearson delta with and without the own transcript", says, size)


def strength(scores: pd.DataFrame) -> str:
    """Draw predicted against true lengths of the effects."""
    keys = ["contender", "perturbation"]
    lengths = scores.groupby(keys, observed=True)[["true_length", "predicted_length"]].mean()

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        for number, (name, table) in enumerate(lengths.groupby(level=0, observed=True)):
            kept = table[table["predicted_length"] > 1e-3]
            if len(kept):
                ax.scatter(*kept.to_numpy().T, 10, color=f"C{number % 7}", label=name, alpha=0.8)
        ends = [lengths["true_length"].min(), lengths["true_length"].max()]
        ax.plot(ends, ends, color="C7", lw=1, ls="--")
        ax.set(xlabel=f"true length, {UNIT}", ylabel="predicted length")
        plain_log(ax)
        figure.legend(*ax.get_legend_handles_labels(), loc="outside lower left", ncols=2)

    first = lengths.loc[lengths.index.levels[0][0]]
    ratio = float((first["predicted_length"] / first["true_length"]).median())
    rank = first.corr("spearman").iloc[0, 1]
    says = (
        f"Length of the effect against the perturbed centroid. The shipped submission predicts "
        f"{ratio:.2f} of the true length in the median, and ranks lengths with a correlation of "
        f"{rank:.2f}. Pearson delta does not see length; MMD does."
    )
    return picture(draw, "Predicted against true strength", says, (4.2, 4.0))


def proportions(scores: pd.DataFrame, observed: pd.DataFrame, program: str) -> str:
    """Draw predicted against observed shares of a program."""
    predicted = (
        scores.groupby(["perturbation", "contender"], observed=True)[program].mean().unstack()
    )
    true = observed.loc[predicted.index, program]

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        for number, name in reversed(list(enumerate(predicted))):
            ax.scatter(true, predicted[name], 12, color=f"C{number % 7}", label=name)
        ends = [true.min(), true.max()]
        ax.plot(ends, ends, color="C7", lw=1, ls="--")
        ax.set(xlabel=f"observed share of {program}", ylabel="predicted")
        figure.legend(*ax.get_legend_handles_labels(), loc="outside lower left", ncols=2)
        far = np.argsort(-np.abs(true - predicted.iloc[:, 0]).to_numpy())[:N_NAMED]
        name_points(ax, true.to_numpy(), predicted.iloc[:, 0].to_numpy(), list(true.index), far)

    errors = predicted.sub(true, axis=0).abs().mean()
    says = (
        f"{program}: mean error {errors.iloc[0]:.4f} for the shipped submission, smallest "
        f"{errors.min():.4f} ({errors.idxmin()}); the observed shares spread by {true.std():.3f}."
    )
    return picture(draw, f"Predicted against observed share of {program}", says, (4.2, 3.9))


def weights(found: dict[str, pd.Series]) -> list[str]:
    """Draw learnt weights as bars, a picture for each kind."""

    def bars(kind: str, values: pd.Series) -> str:
        def draw(figure: Figure) -> None:
            ax = figure.subplots()
            ax.barh(range(len(values)), values, color="C0", height=0.6)
            ax.set_xlabel("weight")
            _rows(ax, list(values.index))

        says = f"{kind}: {values.idxmax()} weighs most ({values.max():.2f})"
        if len(idle := values.index[values < 0.005]):
            says += f"; nothing is given to {', '.join(idle)}"
        return picture(draw, kind, f"{says}.", (4.5, ROW * 1.6 * len(values) + 0.7))

    return [bars(kind, values) for kind, values in found.items()]


def all_proportions(scores: pd.DataFrame, observed: pd.DataFrame) -> list[str]:
    """Draw the shares of every program."""
    return [proportions(scores, observed, program) for program in PROGRAM_FLAGS]
