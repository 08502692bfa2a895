"""The figures of chapters and run pages, drawn from results in a light and a dark version."""

import io
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from factmix import figures, look
from factmix.compare import tidy, training_metrics
from factmix.rewards import component_names
from factmix.runs import Paths
from factmix_book import alt_texts
from factmix_book.sources import Results, write_if_changed

Drawing = tuple[str, Callable[[], Figure]]  # its alt text, and what draws it


def write(results: Results, into: Path) -> set[Path]:
    """Draws every figure that the study has data for, and alt.json with their alt texts."""
    drawn: dict[str, Drawing] = {}
    for name, draw in _DRAWINGS.items():
        alt = alt_texts.TEXTS[name](results)
        if alt is not None:
            drawn[name] = (alt, partial(draw, results))
    return write_drawings(drawn, into)


def write_drawings(drawn: Mapping[str, Drawing], into: Path) -> set[Path]:
    """Draws each figure in its light and its dark version, and writes alt.json."""
    written = set()
    for name, (_, draw) in drawn.items():
        for theme in ("light", "dark"):
            with look.style(dark=theme == "dark"):
                figure = draw()
                written.add(write_if_changed(into / f"{name}-{theme}.svg", _svg(figure)))
                plt.close(figure)
    alts = {name: alt for name, (alt, _) in drawn.items()}
    text = json.dumps(alts, indent=2, ensure_ascii=False) + "\n"
    return written | {write_if_changed(into / "alt.json", text)}


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # Without a date the same figure is the same file, and its page is not built again.
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return look.shortened(buffer.getvalue())


def _gains(results: Results, metrics: tuple[str, ...]) -> Figure:
    gains = tidy(results.content["gains"], ["arm", "dataset", "metric"])
    alpha = results.study.statistics.alpha
    return figures.plot_gains(gains[gains["arm"] != "base"], metrics=metrics, alpha=alpha)


def _curves(results: Results, component: str) -> Figure:
    """One quantity of all arms, on one axis."""
    metrics = training_metrics(results.study, results.paths)
    figure = plt.figure(figsize=(look.WIDTH, 3))
    figures.plot_training_curves(metrics, component=component, ax=figure.add_subplot())
    return figure


def _reward(results: Results) -> Figure:
    """The total reward, one panel per kind of reward, as their scales differ."""
    metrics = training_metrics(results.study, results.paths)
    reward = metrics["arm"].map({name: arm.reward for name, arm in results.study.arms.items()})
    rewards = list(dict.fromkeys(reward))
    figure, axes = plt.subplots(
        1, len(rewards), figsize=(look.WIDTH, 3), squeeze=False, layout="constrained"
    )
    for ax, name in zip(axes.flat, rewards, strict=True):
        figures.plot_training_curves(metrics[reward == name], ax=ax)
        ax.set_title(name)
        ax.set_ylabel("")
    axes[0, 0].set_ylabel("mean reward")
    return figure


def _components(results: Results) -> Figure:
    metrics = training_metrics(results.study, results.paths)
    weighted = results.weighted_arms
    metrics = metrics[metrics["arm"].isin(weighted)]
    reward = results.study.rewards[results.study.arms[weighted[0]].reward]
    figure, axes = plt.subplots(2, 2, figsize=(look.WIDTH, 4.6), sharex=True, layout="constrained")
    for ax, name in zip(axes.flat, component_names(reward), strict=True):
        figures.plot_training_curves(metrics, component=name, ax=ax)
        ax.set_title(name)
        ax.set_ylabel("")
        ax.set_xlabel("")
        legend = ax.get_legend()
        if ax is not axes[0, 0]:
            legend.remove()
    figure.supxlabel("training step", fontsize=plt.rcParams["axes.labelsize"])
    figure.supylabel("mean per completion", fontsize=plt.rcParams["axes.labelsize"])
    return figure


def _trajectory(results: Results, metric: str) -> Figure:
    levels = ["arm", "dataset", "step", "metric"]
    return figures.plot_trajectory(tidy(results.content["trajectory"], levels), metric=metric)


def _confusion(results: Results) -> Figure:
    return figures.plot_confusion(predictions(results))


def predictions(results: Results) -> pd.DataFrame:
    """Every answer of the untrained model and of each arm's first seed."""
    paths: Paths = results.paths
    folders = [paths.base, *(paths.arm(arm, results.seed) for arm in results.study.arms)]
    return pd.concat([pd.read_parquet(folder / "predictions.parquet") for folder in folders])


def _mixtures(results: Results) -> Figure:
    rows = [
        (mixture, dataset, label, count)
        for mixture, datasets in results.study.mixtures.items()
        for dataset, counts in datasets.items()
        for label, count in counts.items()
    ]
    return figures.plot_mixtures(
        pd.DataFrame(rows, columns=["mixture", "dataset", "label", "value"])
    )


_DRAWINGS: dict[str, Callable[[Results], Figure]] = {
    "summary": lambda results: _gains(results, ("balanced_accuracy", "recall_na")),
    "gains": lambda results: _gains(
        results, ("accuracy", "balanced_accuracy", "macro_f1", "recall_na")
    ),
    "reward": _reward,
    "components": _components,
    "format": lambda results: _curves(results, "format_rate"),
    "spread": lambda results: _curves(results, "zero_spread"),
    "shares": lambda results: figures.plot_answer_shares(
        training_metrics(results.study, results.paths)
    ),
    "trajectory": lambda results: _trajectory(results, "balanced_accuracy"),
    "trajectory-na": lambda results: _trajectory(results, "recall_na"),
    "confusion": _confusion,
    "mixtures": _mixtures,
}
