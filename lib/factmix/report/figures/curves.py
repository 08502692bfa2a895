"""Figures over training steps: logged quantities, answer shares and metrics."""

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
    """One quantity over training steps: its running mean, a curve for each seed.

    Where there are no seeds to tell apart, the value of each step is drawn faintly behind it.
    Rewards of different kinds have different scales: draw them on separate axes.

    Args:
        metrics: columns arm, step (and seed, if there are several) and those of metrics.parquet.
        component: a column such as "kl" or "accuracy|NA", or a reward component such as "explore".
        window: steps of the centred running mean, which has fewer steps at the ends. A quantity
            that is measured less often is smoothed over fewer values.
        ax: the axes to draw on; by default those of a new figure.
    """
    ax = ax or plt.figure(figsize=(WIDTH, 3)).add_subplot()
    column = component if component in metrics else f"reward/{component}"
    metrics = metrics.dropna(subset=column)  # drops arms whose reward lacks this component
    colours = arm_colours(metrics["arm"].tolist())
    parts = ["arm", "seed"] if "seed" in metrics else ["arm"]
    for each, run in metrics.groupby(parts, sort=False):
        arm = str(each[0])
        run = run.sort_values("step")
        if parts == ["arm"]:  # raw values below all the smooth curves
            ax.plot(run["step"], run[column], color=colours[arm], lw=0.7, alpha=0.35, zorder=1.5)
        apart = run["step"].diff().median() if len(run) > 1 else 1
        smooth = run[column].rolling(max(1, int(window / apart)), center=True, min_periods=1).mean()
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
    """Several quantities over training steps, one panel each, with one legend.

    Args:
        metrics: as for `plot_training_curves`.
        components: title of a panel -> its component, as for `plot_training_curves`.
        columns: panels per row.
        ylabel: the y label of all panels.
        sharey: whether all panels share one y scale.
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
    """The total reward over training steps; one panel per reward, because scales differ.

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
    """The share of each answer during training as stacked areas; one panel per arm.

    Areas are running means; faint lines are the values of single steps. If an arm collapses to one
    answer, its panel has one colour.

    Args:
        metrics: columns arm, step, share/NA, share/PASS, share/FAIL and share/INVALID; rows with
            the same arm and step, as from several seeds, are averaged.
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
    """A metric on the trajectory subset during training, with intervals; a panel per dataset.

    Intervals of arms at the same step are drawn side by side.

    Args:
        trajectory: columns arm, dataset, step, metric, value, low, high (fractions).
        metric: the metric to draw. For balanced accuracy, a dotted line marks constant answers.
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


def plot_dose(dose: pd.DataFrame, *, metric: str = "recall_na") -> Figure:
    """A change since the start of training against the prompts of its dataset; a panel each.

    Args:
        dose: columns arm, dataset, metric, prompts, value, low, high (fractions).
        metric: the metric to draw.
    """
    drawn = dose[dose["metric"] == metric]
    datasets, arms = names(drawn, "dataset"), names(drawn, "arm")
    colours, markers = arm_colours(arms), arm_markers(arms)
    figure, axes = panels(datasets, 3)
    most = max(1, drawn["prompts"].max())
    for ax, dataset in zip(axes, datasets, strict=True):
        for arm in arms:
            rows = drawn[(drawn["dataset"] == dataset) & (drawn["arm"] == arm)]
            x, y = [0, *rows["prompts"]], [0, *100 * rows["value"]]
            ax.plot(x, y, marker=markers[arm], color=colours[arm], label=arm)
            ax.vlines(
                rows["prompts"], 100 * rows["low"], 100 * rows["high"], color=colours[arm],
                linewidth=1, alpha=0.6,
            )  # fmt: skip
        ax.axhline(0, color=plt.rcParams["text.color"], linewidth=1)
        ax.set_xlim(-0.04 * most, 1.04 * most)
        ax.locator_params(axis="x", nbins=4)
    axes[0].set_ylabel(f"change of {words(metric)}, points")
    below(figure, "prompts of the domain in training so far")
    legend_above(figure, *axes[0].get_legend_handles_labels())
    return figure


def _without_names(ax: Axes, title: str) -> None:
    """Sets a panel's title and removes its axis labels and legend, which the figure has once."""
    ax.set_title(title)
    ax.set_xlabel("")
    ax.set_ylabel("")
    legend = ax.get_legend()
    if legend:
        legend.remove()


def _entries(axes: Iterable[Axes]) -> dict[str, Artist]:
    """One curve per arm from all panels, for the legend."""
    return {
        str(label): handle
        for ax in axes
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }


def _hide(unused: Iterable[Axes]) -> None:
    for ax in unused:
        ax.set_axis_off()
