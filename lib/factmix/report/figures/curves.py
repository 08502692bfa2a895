"""What happened during training: quantities, answers and metrics over its steps."""

from collections.abc import Iterable, Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from factmix.report.figures.layout import (
    below,
    beside,
    dotted,
    legend_above,
    legend_columns,
    names,
    panels,
    words,
)
from factmix.report.plot_style import ANSWER_COLOURS, WIDTH, arm_colours, arm_markers
from factmix.study.labels import ANSWERS, LABELS

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
        component: a column such as "kl" or "accuracy|NA", or a reward component such as "explore".
        window: steps of the centred running mean; at the ends it is of the steps there are.
        ax: where to draw; by default a new figure.
    """
    ax = ax or plt.figure(figsize=(WIDTH, 3)).add_subplot()
    column = component if component in metrics else f"reward/{component}"
    metrics = metrics.dropna(subset=column)  # arms whose reward has no such component
    colours = arm_colours(metrics["arm"].tolist())
    parts = ["arm", "seed"] if "seed" in metrics else ["arm"]
    for each, run in metrics.groupby(parts, sort=False):
        arm = str(each[0])
        run = run.sort_values("step")
        # raw below the smooth curves of all
        ax.plot(run["step"], run[column], color=colours[arm], lw=0.7, alpha=0.35, zorder=1.5)
        smooth = run[column].rolling(window, center=True, min_periods=1).mean()
        ax.plot(run["step"], smooth, color=colours[arm], label=arm)
    place = ax.get_subplotspec()
    if place is None or place.is_last_row():
        ax.set_xlabel("training step")
    part = column.removeprefix("reward/")
    ax.set_ylabel(_QUANTITIES.get(part) or (words(part) if part == column else f"{part} reward"))
    ax.margins(x=0.01)
    if len(colours) > 1:
        entries = _entries([ax])
        ax.legend(
            entries.values(), entries, ncols=legend_columns(list(entries)),
            loc="lower center", bbox_to_anchor=(0.5, 1),
        )  # fmt: skip
    return ax


def plot_curves(
    metrics: pd.DataFrame,
    components: Mapping[str, str],
    *,
    columns: int,
    ylabel: str,
    sharey: bool = False,
    window: int = 10,
) -> Figure:
    """Several quantities over training steps, a panel each, with one legend.

    Args:
        metrics: as `plot_training_curves` takes them.
        components: title of a panel -> what it shows, as `plot_training_curves` takes it.
        columns: panels in a row.
        ylabel: what all panels measure.
        sharey: whether they do so on one scale.
        window: steps of the running mean.
    """
    rows = -(-len(components) // columns)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(WIDTH, 0.7 + 2.0 * rows),
        sharex=True,
        sharey=sharey,
        squeeze=False,
    )
    for ax, (title, component) in zip(axes.flat, components.items(), strict=False):
        plot_training_curves(metrics, component=component, window=window, ax=ax)
        _without_names(ax, title)
    _hide(axes.flat[len(components) :])
    below(figure, "training step")
    beside(figure, ylabel)
    entries = _entries(axes.flat)
    if len(entries) > 1:
        legend_above(figure, list(entries.values()), list(entries))
    return figure


def plot_rewards(metrics: pd.DataFrame, *, window: int = 10) -> Figure:
    """The total reward over training steps, one panel per kind of reward, as their scales differ.

    Args:
        metrics: columns arm, step, reward/total, and reward, the name of the arm's reward.
        window: steps of the running mean.
    """
    rewards = names(metrics, "reward")
    figure, axes = plt.subplots(1, len(rewards), figsize=(WIDTH, 3), squeeze=False)
    for ax, name in zip(axes.flat, rewards, strict=True):
        plot_training_curves(metrics[metrics["reward"] == name], window=window, ax=ax)
        _without_names(ax, f"reward {name}")
    below(figure, "training step")
    beside(figure, "mean reward")
    entries = _entries(axes.flat)
    legend_above(figure, list(entries.values()), list(entries))
    return figure


def plot_answer_shares(metrics: pd.DataFrame, *, window: int = 10) -> Figure:
    """What the model answers during training, one panel per arm, as areas that add up to all.

    An area is the running mean of its answer's share; a faint line is where every step's value
    would put its edge. A collapse to one answer is a panel of one colour.

    Args:
        metrics: columns arm, step, share/NA, share/PASS, share/FAIL and share/INVALID; of rows
            with the same arm and step, as from several seeds, the mean is drawn.
        window: steps of the centred running mean.
    """
    arms = names(metrics, "arm")
    columns = min(3, len(arms))
    rows = -(-len(arms) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(WIDTH, 0.7 + 1.8 * rows), sharex=True, sharey=True, squeeze=False
    )
    shares = [f"share/{answer}" for answer in ANSWERS]
    for ax, arm in zip(axes.flat, arms, strict=False):
        run = metrics[metrics["arm"] == arm].groupby("step")[shares].mean().sort_index()
        raw = run.cumsum(axis=1)
        smooth = run.rolling(window, center=True, min_periods=1).mean().cumsum(axis=1)
        start = np.zeros(len(run))
        for answer, share in zip(map(str, ANSWERS), shares, strict=True):
            colour = ANSWER_COLOURS[answer]
            ax.fill_between(
                run.index, start, smooth[share], color=colour, alpha=0.75, lw=0, label=answer
            )
            start = smooth[share].to_numpy()
        for share in shares[:-1]:
            ax.plot(run.index, raw[share], color=plt.rcParams["text.color"], lw=0.4, alpha=0.4)
        ax.set_title(arm)
        ax.set_ylim(0, 1)
        ax.margins(x=0)
        ax.grid(visible=False)
        ax.xaxis.set_tick_params(labelbottom=True)
    _hide(axes.flat[len(arms) :])
    below(figure, "training step")
    beside(figure, "share of completions")
    legend_above(figure, *axes.flat[0].get_legend_handles_labels())
    return figure


def plot_trajectory(trajectory: pd.DataFrame, *, metric: str = "balanced_accuracy") -> Figure:
    """A metric at some steps of training on the fixed subset, with intervals; a panel per dataset.

    Intervals of arms that were evaluated at the same step are drawn side by side.

    Args:
        trajectory: columns arm, dataset, step, metric, value, low, high (fractions).
        metric: the one to draw. Balanced accuracy comes with the line of any constant answer.
    """
    drawn = trajectory[trajectory["metric"] == metric]
    datasets, arms = names(drawn, "dataset"), names(drawn, "arm")
    colours, markers = arm_colours(arms), arm_markers(arms)
    dodge = 0.012 * max(drawn["step"].max(), 1)
    figure, axes = panels(datasets, 3)
    for ax, dataset in zip(axes, datasets, strict=True):
        for i, arm in enumerate(arms):
            rows = drawn[(drawn["dataset"] == dataset) & (drawn["arm"] == arm)].sort_values("step")
            at = rows["step"] + dodge * (i - (len(arms) - 1) / 2)
            ax.plot(at, rows["value"], marker=markers[arm], color=colours[arm], label=arm)
            ax.vlines(at, rows["low"], rows["high"], color=colours[arm], linewidth=1, alpha=0.6)
        if metric == "balanced_accuracy":
            ax.axhline(1 / len(LABELS), color=plt.rcParams["text.color"], ls=":", lw=1)
        ax.grid(axis="x", visible=False)
    axes[0].set_ylabel(words(metric))
    below(figure, "training step")
    handles, labels = axes[0].get_legend_handles_labels()
    if metric == "balanced_accuracy":
        handles.append(dotted())
        labels.append("any constant answer")
    legend_above(figure, handles, labels)
    return figure


def _without_names(ax: Axes, title: str) -> None:
    """A panel's title; what its axes measure and whose curves they are is said once for all."""
    ax.set_title(title)
    ax.set_xlabel("")
    ax.set_ylabel("")
    legend = ax.get_legend()
    if legend:
        legend.remove()


def _entries(axes: Iterable[Axes]) -> dict[str, Artist]:
    """One curve per arm of all the panels, for the legend."""
    return {
        str(label): handle
        for ax in axes
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }


def _hide(unused: Iterable[Axes]) -> None:
    for ax in unused:
        ax.set_axis_off()
