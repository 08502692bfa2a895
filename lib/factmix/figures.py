"""Figures: tidy data in, axes or a figure out; nothing is loaded, estimated or saved here.

Draw inside `style`, once for light and once for dark pages; the background is transparent.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from factmix.labels import ANSWERS, LABELS
from factmix.look import ANSWER_COLOURS, SHADE, STYLE, WIDTH, arm_colours, arm_markers, style

__all__ = [
    "STYLE",
    "WIDTH",
    "plot_answer_shares",
    "plot_confusion",
    "plot_gains",
    "plot_mixtures",
    "plot_training_curves",
    "plot_trajectory",
    "style",
]

_QUANTITIES = {
    "total": "mean reward",
    "kl": "KL (nats per token)",
    "entropy": "entropy (nats per token)",
    "format_rate": "format valid (share)",
    "zero_spread": "groups without spread (share)",
    "grad_norm": "gradient norm",
}


def plot_training_curves(
    metrics: pd.DataFrame, *, component: str = "total", window: int = 10, ax: Axes | None = None
) -> Axes:
    """One quantity over training steps: every step's value faint, their running mean strong.

    Arms with different rewards earn on different scales: draw these on axes of their own.

    Args:
        metrics: columns arm, step (and seed, when there are several) and those of metrics.parquet.
        component: a reward component such as "explore", or any other column such as "kl".
        window: steps of the centred running mean; at the ends it is of the steps there are.
        ax: where to draw; by default a new figure.
    """
    ax = ax or plt.figure(figsize=(WIDTH, 3)).add_subplot()
    column = f"reward/{component}" if f"reward/{component}" in metrics else component
    metrics = metrics.dropna(subset=column)  # arms whose reward has no such component
    colours = arm_colours(metrics["arm"].tolist())
    parts = ["arm", "seed"] if "seed" in metrics else ["arm"]
    for names, run in metrics.groupby(parts, sort=False):
        arm = str(names[0])
        _smoothed_over_raw(ax, run, column, window, colours[arm], arm)
    place = ax.get_subplotspec()
    if place is None or place.is_last_row():
        ax.set_xlabel("training step")
    named = component if column in (component, "reward/total") else f"{component} reward"
    ax.set_ylabel(_QUANTITIES.get(named) or _words(named))
    ax.margins(x=0.01)
    handles, labels = ax.get_legend_handles_labels()
    if len(colours) > 1:
        one_per_arm = dict(zip(labels, handles, strict=True))
        ax.legend(one_per_arm.values(), one_per_arm)
    return ax


def plot_answer_shares(metrics: pd.DataFrame, *, window: int = 10) -> Figure:
    """What the model answers during training, one panel per arm; lines as in the training curves.

    Args:
        metrics: columns arm, step, share/NA, share/PASS, share/FAIL and share/INVALID; of rows
            with the same arm and step, as from several seeds, the mean is drawn.
        window: steps of the centred running mean.
    """
    arms = list(dict.fromkeys(metrics["arm"]))
    columns = min(3, len(arms))
    rows = -(-len(arms) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(WIDTH, 0.5 + 1.8 * rows), sharex=True, sharey=True, squeeze=False
    )
    for ax, arm in zip(axes.flat, arms, strict=False):
        run = metrics[metrics["arm"] == arm].groupby("step", as_index=False).mean(numeric_only=True)
        for answer in map(str, ANSWERS):
            colour = ANSWER_COLOURS[answer]
            _smoothed_over_raw(ax, run, f"share/{answer}", window, colour, answer)
        ax.set_title(arm)
        ax.set_ylim(-0.02, 1.02)
        ax.margins(x=0.01)
        ax.xaxis.set_tick_params(labelbottom=True)
    for ax in axes.flat[len(arms) :]:
        ax.set_axis_off()
    figure.supxlabel("training step", fontsize=plt.rcParams["axes.labelsize"])
    figure.supylabel("share of completions", fontsize=plt.rcParams["axes.labelsize"])
    _legend_above(figure, *axes.flat[0].get_legend_handles_labels())
    return figure


def plot_trajectory(trajectory: pd.DataFrame, *, metric: str = "balanced_accuracy") -> Figure:
    """A metric at some steps of training on the fixed subset, with intervals; a panel per dataset.

    Intervals of arms that were evaluated at the same step are drawn side by side.

    Args:
        trajectory: columns arm, dataset, step, metric, value, low, high (fractions).
        metric: the one to draw. Balanced accuracy comes with the line of any constant answer.
    """
    drawn = trajectory[trajectory["metric"] == metric]
    datasets, arms = list(dict.fromkeys(drawn["dataset"])), list(dict.fromkeys(drawn["arm"]))
    colours, markers = arm_colours(arms), arm_markers(arms)
    dodge = 0.012 * max(drawn["step"].max(), 1)
    figure, axes = plt.subplots(1, len(datasets), figsize=(WIDTH, 3), sharey=True, squeeze=False)
    for ax, dataset in zip(axes.flat, datasets, strict=True):
        for i, arm in enumerate(arms):
            rows = drawn[(drawn["dataset"] == dataset) & (drawn["arm"] == arm)].sort_values("step")
            at = rows["step"] + dodge * (i - (len(arms) - 1) / 2)
            ax.plot(at, rows["value"], marker=markers[arm], color=colours[arm], label=arm)
            ax.vlines(at, rows["low"], rows["high"], color=colours[arm], linewidth=1, alpha=0.6)
        if metric == "balanced_accuracy":
            ax.axhline(1 / len(LABELS), color=plt.rcParams["text.color"], ls=":", lw=1)
        ax.set_title(dataset)
        ax.grid(axis="x", visible=False)
    axes[0, 0].set_ylabel(_words(metric))
    axes[0, len(datasets) // 2].set_xlabel("training step")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    if metric == "balanced_accuracy":
        handles.append(Line2D([], [], color=plt.rcParams["text.color"], ls=":", lw=1))
        labels.append("any constant answer")
    _legend_above(figure, handles, labels)
    return figure


def plot_confusion(predictions: pd.DataFrame) -> Figure:
    """Gold labels against answers: a row of panels per arm, a column per dataset.

    Each row of a panel adds up to 100 %; right answers are framed.

    Args:
        predictions: columns arm, dataset, gold, predicted; one row per answer.
    """
    arms = list(dict.fromkeys(predictions["arm"]))
    datasets = list(dict.fromkeys(predictions["dataset"]))
    shape, size = (len(arms), len(datasets)), (WIDTH, 0.5 + 1.15 * len(arms))
    figure, axes = plt.subplots(*shape, figsize=size, sharex=True, sharey=True, squeeze=False)
    for row, arm in enumerate(arms):
        for column, dataset in enumerate(datasets):
            of_panel = (predictions["arm"] == arm) & (predictions["dataset"] == dataset)
            _confusion_panel(axes[row, column], predictions[of_panel])
            if row == 0:
                axes[row, column].set_title(dataset)
        name = arm if len(arm) < 13 else arm.replace("_", "_\n")
        axes[row, 0].set_ylabel(name, fontweight="bold", labelpad=6)
    figure.supxlabel("answer", fontsize=plt.rcParams["axes.labelsize"])
    figure.supylabel("gold label", fontsize=plt.rcParams["axes.labelsize"])
    return figure


def plot_gains(
    gains: pd.DataFrame,
    *,
    metrics: Sequence[str] = ("accuracy", "balanced_accuracy", "macro_f1", "recall_na"),
    alpha: float = 0.01,
) -> Figure:
    """Forest plot of the differences to the baseline with their intervals; a panel per dataset.

    Args:
        gains: columns arm, dataset, metric, value, low, high (fractions) and p.
        metrics: which, from top to bottom.
        alpha: gains with p below it get a filled marker, others a hollow one.
    """
    datasets, arms = list(dict.fromkeys(gains["dataset"])), list(dict.fromkeys(gains["arm"]))
    colours, markers = arm_colours(arms), arm_markers(arms)
    figure, axes = plt.subplots(
        1,
        len(datasets),
        figsize=(WIDTH, 0.9 + 0.155 * len(metrics) * (len(arms) + 1)),
        sharey=True,
        squeeze=False,
    )
    step = 1 / (len(arms) + 1)
    for ax, dataset in zip(axes.flat, datasets, strict=True):
        for i, arm in enumerate(arms):
            rows = gains[(gains["arm"] == arm) & (gains["dataset"] == dataset)]
            rows = rows.set_index("metric").reindex(list(metrics))
            y = np.arange(len(metrics)) + step * (i - (len(arms) - 1) / 2)
            ax.hlines(y, 100 * rows["low"], 100 * rows["high"], color=colours[arm], linewidth=1.6)
            fill = [colours[arm] if p < alpha else plt.rcParams["patch.edgecolor"] for p in rows.p]
            look = {"marker": markers[arm], "edgecolors": colours[arm], "zorder": 3}
            ax.scatter(100 * rows["value"], y, s=24, color=fill, linewidths=1.3, **look)
        ax.axvline(0, color=plt.rcParams["text.color"], linewidth=1)
        for between in np.arange(len(metrics) - 1) + 0.5:
            ax.axhline(between, color=plt.rcParams["grid.color"], linewidth=0.8)
        ax.grid(axis="y", visible=False)
        ax.tick_params(axis="y", length=0)
        ax.set_title(dataset)
    axes[0, 0].set_yticks(range(len(metrics)), [_words(metric) for metric in metrics])
    axes[0, 0].set_ylim(len(metrics) - 0.5, -0.5)
    figure.supxlabel(
        f"percentage points above the baseline (filled: p < {alpha:g})",
        fontsize=plt.rcParams["axes.labelsize"],
    )
    handles = [Line2D([], [], color=colours[arm], marker=markers[arm]) for arm in arms]
    _legend_above(figure, handles, arms)
    return figure


def plot_mixtures(mixtures: pd.DataFrame) -> Figure:
    """How many training examples of each label a mixture takes from each dataset.

    Args:
        mixtures: columns mixture, dataset, label, value (examples).
    """
    names = list(dict.fromkeys(mixtures["mixture"]))
    # The order of the mixture with most datasets: others may lack the first one.
    of_mixture = [list(rows) for _, rows in mixtures.groupby("mixture", sort=False)["dataset"]]
    datasets = list(dict.fromkeys([*max(of_mixture, key=len), *mixtures["dataset"]]))
    table = mixtures.pivot_table("value", ["mixture", "dataset"], "label", "sum", fill_value=0)
    table = table.reindex(columns=list(LABELS), fill_value=0).astype(int)
    figure, axes = plt.subplots(
        1,
        len(datasets),
        figsize=(WIDTH, 0.8 + 0.32 * len(names)),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for ax, dataset in zip(axes.flat, datasets, strict=True):
        counts = table.xs(dataset, level="dataset").reindex(names, fill_value=0)
        start = np.zeros(len(names))
        for label in LABELS:
            bars = ax.barh(
                names, counts[label], left=start, color=ANSWER_COLOURS[label], label=label
            )
            texts = [str(count) if count else "" for count in counts[label]]
            ax.bar_label(bars, texts, label_type="center", color="white", fontsize=8)
            start += counts[label].to_numpy()
        for y in np.flatnonzero(start == 0):
            ax.annotate("none", (0, y), (4, 0), textcoords="offset points", va="center", fontsize=8)
        ax.set_title(dataset)
        ax.grid(axis="y", visible=False)
        ax.tick_params(axis="y", length=0)
    axes[0, 0].set_ylim(len(names) - 0.5, -0.5)
    axes[0, len(datasets) // 2].set_xlabel("training examples")
    _legend_above(figure, *axes[0, 0].get_legend_handles_labels())
    return figure


def _smoothed_over_raw(
    ax: Axes, run: pd.DataFrame, column: str, window: int, colour: str, label: str
) -> None:
    run = run.sort_values("step")
    smooth = run[column].rolling(window, center=True, min_periods=1).mean()
    ax.plot(run["step"], run[column], color=colour, linewidth=0.7, alpha=0.35)
    ax.plot(run["step"], smooth, color=colour, label=label)


def _confusion_panel(ax: Axes, answers: pd.DataFrame) -> None:
    counts_LA = (
        pd.crosstab(answers["gold"], answers["predicted"])
        .reindex(index=list(LABELS), columns=list(ANSWERS), fill_value=0)
        .to_numpy()
    )
    share_LA = counts_LA / np.maximum(counts_LA.sum(axis=1, keepdims=True), 1)
    shade_LA4 = np.empty((*share_LA.shape, 4))
    shade_LA4[..., :3] = to_rgba(SHADE)[:3]
    shade_LA4[..., 3] = 0.75 * share_LA  # never so strong that the text cannot be read on it
    ax.imshow(shade_LA4, aspect="auto")
    for gold, answer in np.ndindex(*share_LA.shape):
        share = f"{share_LA[gold, answer]:.0%}"
        ax.text(answer, gold, share, ha="center", va="center", fontsize=8)
    for right in range(len(LABELS)):
        corner, ink = (right - 0.5, right - 0.5), plt.rcParams["text.color"]
        ax.add_patch(Rectangle(corner, 1, 1, fill=False, ec=ink, lw=1.2, clip_on=False))
    ax.set_xticks(range(len(ANSWERS)), list(ANSWERS))
    ax.set_yticks(range(len(LABELS)), list(LABELS))
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[["left", "bottom"]].set_visible(False)


def _legend_above(figure: Figure, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    in_one_row = sum(map(len, labels)) + 5 * len(labels) <= 90  # letters that fit the width
    columns = len(labels) if in_one_row else -(-len(labels) // 2)
    figure.legend(handles, labels, loc="outside upper center", ncols=columns)


def _words(metric: str) -> str:
    capital = {"na": "NA", "pass": "PASS", "fail": "FAIL", "f1": "F1", "kl": "KL"}
    return " ".join(capital.get(word, word) for word in metric.split("_"))
