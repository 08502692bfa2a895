"""Arms against their baseline: gains with intervals, answers fixed and broken, and seeds."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from factmix.report.figures.layout import (
    arm_handles,
    below,
    beside,
    legend_above,
    names,
    panels,
    words,
)
from factmix.report.plot_style import SHADE, WIDTH, arm_colours, arm_markers

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "recall_na")


def plot_gains(
    gains: pd.DataFrame,
    *,
    metrics: Sequence[str] = METRICS,
    alpha: float = 0.01,
    over: str = "the baseline",
) -> Figure:
    """Forest plot of differences to a baseline with their intervals; a panel per dataset.

    All panels have one scale, so that effects on different datasets can be compared.

    Args:
        gains: columns arm, dataset, metric, value, low, high (fractions), p, and optionally p_holm,
            which is then used instead of p.
        metrics: the metrics to draw, from top to bottom.
        alpha: gains with p below it get a filled marker, others a hollow one.
        over: what they are differences to.
    """
    tested = "p_holm" if "p_holm" in gains else "p"
    datasets, arms = names(gains, "dataset"), names(gains, "arm")
    colours, markers = arm_colours(arms), arm_markers(arms)
    figure, axes = panels(datasets, _height(metrics, arms), sharex=True)
    for ax, dataset in zip(axes, datasets, strict=True):
        for i, arm in enumerate(arms):
            rows = gains[(gains["arm"] == arm) & (gains["dataset"] == dataset)]
            rows = rows.set_index("metric").reindex(list(metrics))
            y = _places(metrics, arms, i)
            ax.hlines(y, 100 * rows["low"], 100 * rows["high"], color=colours[arm], linewidth=1.6)
            hollow = plt.rcParams["patch.edgecolor"]
            fill = [colours[arm] if p < alpha else hollow for p in rows[tested]]
            ax.scatter(
                100 * rows["value"], y, s=24, marker=markers[arm], color=fill,
                edgecolors=colours[arm], linewidths=1.3, zorder=3,
            )  # fmt: skip
    _forest(axes, metrics)
    level = f"p < {alpha:g}" + (", corrected by Holm" if tested == "p_holm" else "")
    below(figure, f"percentage points above {over} (filled: {level})")
    legend_above(figure, arm_handles(arms), arms)
    return figure


def plot_seeds(seeds: pd.DataFrame, *, metrics: Sequence[str] = METRICS) -> Figure:
    """The gain of each training seed, and their mean with its interval; a panel per dataset.

    Args:
        seeds: columns arm, dataset, metric, seed, value (fractions), low, high; one row per seed,
            and one with seed "mean", whose low and high are the interval over seeds.
        metrics: the metrics to draw, from top to bottom.
    """
    datasets, arms = names(seeds, "dataset"), names(seeds, "arm")
    colours, markers = arm_colours(arms), arm_markers(arms)
    figure, axes = panels(datasets, _height(metrics, arms))
    for ax, dataset in zip(axes, datasets, strict=True):
        for i, arm in enumerate(arms):
            rows = seeds[(seeds["arm"] == arm) & (seeds["dataset"] == dataset)]
            for metric, y in zip(metrics, _places(metrics, arms, i), strict=True):
                of = rows[rows["metric"] == metric]
                mean, each = of[of["seed"] == "mean"], of[of["seed"] != "mean"]
                colour = colours[arm]
                ax.hlines(y, 100 * mean["low"], 100 * mean["high"], color=colour, linewidth=1.6)
                ax.scatter(100 * mean["value"], [y], s=60, marker="|", color=colour, zorder=3)
                ax.scatter(
                    100 * each["value"], [y] * len(each), s=16, marker=markers[arm],
                    color=colour, alpha=0.65, linewidths=0, zorder=2,
                )  # fmt: skip
    _forest(axes, metrics)
    below(figure, "percentage points above the baseline of the same seed (bar: their mean)")
    legend_above(figure, arm_handles(arms), arms)
    return figure


def plot_pairs(pairs: pd.DataFrame, *, alpha: float = 0.01) -> Figure:
    """Bars of the answers that an arm fixes (right) and breaks (left); a panel per dataset.

    Args:
        pairs: columns arm, dataset, fixed, broken (examples) and p, of McNemar's test.
        alpha: bars with p below it are opaque, others faint.
    """
    datasets, arms = names(pairs, "dataset"), names(pairs, "arm")
    colours = arm_colours(arms)
    figure, axes = panels(datasets, 0.8 + 0.34 * len(arms), sharex=True)
    reach = max(1, pairs[["fixed", "broken"]].to_numpy().max())
    for ax, dataset in zip(axes, datasets, strict=True):
        rows = pairs[pairs["dataset"] == dataset].set_index("arm").reindex(arms)
        for sign, column, side in ((1, "fixed", "left"), (-1, "broken", "right")):
            counts = rows[column].to_numpy(dtype=float)
            bars = ax.barh(range(len(arms)), sign * counts, height=0.66)
            for y, (bar, arm, p) in enumerate(zip(bars, arms, rows["p"], strict=True)):
                bar.set(color=colours[arm], alpha=0.95 if p < alpha else 0.4)
                ax.annotate(
                    f"{counts[y]:.0f}", (sign * counts[y], y), (3 * sign, 0),
                    textcoords="offset points", ha=side, va="center", fontsize=8,
                )  # fmt: skip
        ax.axvline(0, color=plt.rcParams["text.color"], linewidth=1)
        ax.set_xlim(-1.6 * reach, 1.6 * reach)
        ax.xaxis.set_major_formatter(lambda count, _: f"{abs(count):.0f}")
        ax.grid(axis="y", visible=False)
        ax.tick_params(axis="y", length=0)
    axes[0].set_yticks(range(len(arms)), arms)
    axes[0].set_ylim(len(arms) - 0.5, -0.5)
    below(
        figure,
        "examples broken (left) and fixed (right) against the baseline; "
        f"strong: p < {alpha:g}, corrected by Holm",
    )
    return figure


def plot_protocols(levels: pd.DataFrame) -> Figure:
    """Shares by protocol and mixture with intervals: a column per dataset, a row per outcome.

    Args:
        levels: columns mixture, cell, dataset, outcome, value, low, high (fractions; low and high
            may be missing). The cells are drawn in the order in which they occur.
    """
    datasets, outcomes = names(levels, "dataset"), names(levels, "outcome")
    cells, mixtures = names(levels, "cell"), names(levels, "mixture")
    colours, markers = arm_colours(mixtures), arm_markers(mixtures)
    figure, axes = plt.subplots(
        len(outcomes), len(datasets), figsize=(WIDTH, 0.9 + 1.9 * len(outcomes)), sharex=True,
        sharey=True, squeeze=False,
    )  # fmt: skip
    for row, outcome in zip(axes, outcomes, strict=True):
        for ax, dataset in zip(row, datasets, strict=True):
            for i, mixture in enumerate(mixtures):
                drawn = levels[
                    (levels["mixture"] == mixture)
                    & (levels["dataset"] == dataset)
                    & (levels["outcome"] == outcome)
                ].set_index("cell")
                of = drawn[["value", "low", "high"]].reindex(cells)
                x = np.arange(len(cells)) + 0.24 * (i - (len(mixtures) - 1) / 2)
                ax.vlines(x, 100 * of["low"], 100 * of["high"], color=colours[mixture])
                ax.scatter(
                    x, 100 * of["value"], s=24, marker=markers[mixture], color=colours[mixture],
                    label=mixture, zorder=3,
                )  # fmt: skip
            ax.grid(axis="x", visible=False)
        row[0].set_ylabel(f"{words(outcome)}, %")
    for ax, dataset in zip(axes[0], datasets, strict=True):
        ax.set_title(dataset)
    for ax in axes[-1]:
        ax.set_xticks(range(len(cells)), cells, rotation=60, ha="right", rotation_mode="anchor")
    legend_above(figure, *axes[0][0].get_legend_handles_labels())
    return figure


def plot_domain_number(learning: pd.DataFrame) -> Figure:
    """Learning by how many datasets a mixture has, with intervals; a panel per dataset.

    A line connects the means of mixtures with as many datasets.

    Args:
        learning: columns mixture, number (of its datasets), dataset, trained_on (whether the
            mixture has the dataset), value, low and high (fractions).
    """
    datasets, numbers = names(learning, "dataset"), sorted(learning["number"].unique())
    figure, axes = panels(datasets, 2.9, sharex=True)
    for ax, dataset in zip(axes, datasets, strict=True):
        of = learning[learning["dataset"] == dataset]
        means = 100 * of.groupby("number")["value"].mean()
        ax.plot(means.index, means, color=plt.rcParams["axes.edgecolor"], linewidth=1, zorder=1)
        for number in numbers:
            rows = of[of["number"] == number]
            x = number + 0.25 * (np.arange(len(rows)) - (len(rows) - 1) / 2)
            ax.vlines(x, 100 * rows["low"], 100 * rows["high"], color=SHADE, linewidth=1.4)
            hollow = plt.rcParams["patch.edgecolor"]
            fill = [SHADE if inside else hollow for inside in rows["trained_on"]]
            ax.scatter(
                x, 100 * rows["value"], s=26, color=fill, edgecolors=SHADE, linewidths=1.3, zorder=3
            )
            for at, high, mixture in zip(x, rows["high"], rows["mixture"], strict=True):
                ax.annotate(
                    mixture, (at, 100 * high), (0, 3), textcoords="offset points", ha="center",
                    fontsize=plt.rcParams["xtick.labelsize"],
                )  # fmt: skip
        ax.axhline(0, color=plt.rcParams["text.color"], linewidth=1)
        ax.set_xticks(numbers)
        ax.grid(axis="x", visible=False)
    below(figure, "training domains, by their initials (filled: with the panel's domain)")
    beside(figure, "learning, percentage points")
    return figure


def plot_shift(split: pd.DataFrame) -> Figure:
    """What moved thresholds give and what is learned beyond them, with intervals, by dataset.

    Args:
        split: columns dataset, part (shift or learning), value, low and high (fractions).
    """
    datasets = names(split, "dataset")
    figure, (ax,) = panels([""], 1.1 + 0.45 * len(datasets))
    for part, apart, marker, colour in (
        ("shift", -0.14, "D", plt.rcParams["axes.edgecolor"]),
        ("learning", 0.14, "o", SHADE),
    ):
        rows = split[split["part"] == part].set_index("dataset").reindex(datasets)
        y = np.arange(len(datasets)) + apart
        ax.hlines(y, 100 * rows["low"], 100 * rows["high"], color=colour, linewidth=1.8)
        ax.scatter(100 * rows["value"], y, s=34, marker=marker, color=colour, zorder=3, label=part)
    _forest([ax], datasets)
    below(figure, "percentage points of balanced accuracy")
    legend_above(figure, *ax.get_legend_handles_labels())
    return figure


def _height(metrics: Sequence[str], arms: Sequence[str]) -> float:
    return 0.9 + 0.155 * len(metrics) * (len(arms) + 1)


def _places(metrics: Sequence[str], arms: Sequence[str], i: int) -> np.ndarray:
    """The y positions of the i-th arm, one per metric."""
    step = 1 / (len(arms) + 1)
    return np.arange(len(metrics)) + step * (i - (len(arms) - 1) / 2)


def _forest(axes: Sequence[Axes], metrics: Sequence[str]) -> None:
    """Draws lines at 0 and between metrics, and the metrics' names on the left."""
    for ax in axes:
        ax.axvline(0, color=plt.rcParams["text.color"], linewidth=1)
        for between in np.arange(len(metrics) - 1) + 0.5:
            ax.axhline(between, color=plt.rcParams["grid.color"], linewidth=0.8)
        ax.grid(axis="y", visible=False)
        ax.tick_params(axis="y", length=0)
    axes[0].set_yticks(range(len(metrics)), [words(metric) for metric in metrics])
    axes[0].set_ylim(len(metrics) - 0.5, -0.5)
