"""The figures of chapters and run pages: what they are drawn from, and what draws them."""

import io
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from factmix.report import figure_data, figures, plot_style
from factmix.results.compare import training_metrics
from factmix.results.results_json import result_key, tidy
from factmix.study.labels import ANSWERS, LABELS
from factmix.training.rewards import component_names
from factmix_book import alt_texts
from factmix_book.parts import BaselineGroup, parts
from factmix_book.sources import Results, write_if_changed


@dataclass(frozen=True)
class Drawing:
    """A figure that can be drawn.

    Attributes:
        alt: what it shows, in words.
        data: what it is drawn from, which readers get as a file.
        draw: draws that.
        notebook: the executed notebook that shows it too, such as "compare"; "" where none does.
    """

    alt: str
    data: pd.DataFrame
    draw: Callable[[pd.DataFrame], Figure]
    notebook: str = ""


def write(results: Results, into: Path) -> set[Path]:
    """Draws every figure that the study has data for, once for each baseline."""
    drawn: dict[str, Drawing] = {}
    for part in parts(results):
        for name, make in ((_COMPARED if part.compared else {}) | _DRAWINGS).items():
            drawing = make(part)
            if drawing is not None:
                drawn[f"{name}{part.suffix}"] = drawing
    drawn["mixtures"] = _mixtures(results)
    return write_drawings(drawn, into)


def write_drawings(drawn: Mapping[str, Drawing], into: Path) -> set[Path]:
    """Draws each figure in its light and its dark version, and writes its data.

    figures.json has for each its alt text and its notebook.
    """
    written = set()
    for name, drawing in drawn.items():
        for theme in ("light", "dark"):
            with plot_style.style(dark=theme == "dark"):
                figure = drawing.draw(drawing.data)
                written.add(write_if_changed(into / f"{name}-{theme}.svg", _svg(figure)))
                plt.close(figure)
        table = drawing.data.to_csv(index=False, float_format="%.6g", lineterminator="\n")
        written.add(write_if_changed(into / f"{name}.csv", table))
    about = {name: {"alt": each.alt, "notebook": each.notebook} for name, each in drawn.items()}
    text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
    return written | {write_if_changed(into / "figures.json", text)}


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # Without a date the same figure is the same file, and its page is not built again.
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return plot_style.shortened(buffer.getvalue())


def _gains(part: BaselineGroup, *metrics: str) -> Drawing:
    gains = part.rows(figure_data.gains(part.results.content, part.results.study))
    draw = partial(figures.plot_gains, metrics=metrics, alpha=part.results.study.statistics.alpha)
    rows = gains[gains["metric"].isin(metrics)]
    return Drawing(alt_texts.gains(part, *metrics), rows, draw, "compare")


def _transfer(part: BaselineGroup) -> Drawing:
    rows = part.rows(figure_data.transfer(part.results.content, part.results.study))
    return Drawing(alt_texts.transfer(part, rows), rows, figures.plot_transfer, "compare")


def _pairs(part: BaselineGroup) -> Drawing:
    rows = part.rows(figure_data.pairs(part.results.content, part.results.study))
    draw = partial(figures.plot_pairs, alpha=part.results.study.statistics.alpha)
    return Drawing(alt_texts.pairs(part), rows, draw, "compare")


def seeds(part: BaselineGroup) -> Drawing | None:
    """Every seed's gains and their mean; None of a study with one seed."""
    if len(part.results.content["seeds"]) < 2:
        return None
    metrics = ("balanced_accuracy", "recall_na")
    rows = part.rows(figure_data.seeds(part.results.content))
    rows = rows[rows["metric"].isin(metrics)]
    draw = partial(figures.plot_seeds, metrics=metrics)
    return Drawing(alt_texts.seeds(part, metrics[0]), rows, draw, "compare")


def _confusion(part: BaselineGroup) -> Drawing:
    rows = part.rows(figure_data.confusion(part.results.content))
    return Drawing(alt_texts.confusion(part), rows, figures.plot_confusion, "compare")


def _reliability(part: BaselineGroup) -> Drawing:
    rows = part.rows(figure_data.reliability(part.results.content))
    return Drawing(alt_texts.reliability(part), rows, figures.plot_reliability, "compare")


def _risk(part: BaselineGroup) -> Drawing:
    results = part.results
    rows = part.rows(figure_data.risk_coverage(results.content, results.study, results.paths))
    return Drawing(alt_texts.risk(part), rows, figures.plot_risk_coverage, "compare")


def _trajectory(part: BaselineGroup, metric: str) -> Drawing:
    levels = ["arm", "dataset", "step", "metric"]
    rows = part.rows(tidy(part.results.content["trajectory"], levels))
    draw = partial(figures.plot_trajectory, metric=metric)
    alt = alt_texts.trajectory(part, metric)
    return Drawing(alt, rows[rows["metric"] == metric], draw, "compare")


def _logged(
    part: BaselineGroup, columns: Iterable[str], arms: Collection[str] = ()
) -> pd.DataFrame:
    """What all seeds of the arms, or of some of them, logged at every step."""
    metrics = part.rows(training_metrics(part.results.study, part.results.paths))
    if arms:
        metrics = metrics[metrics["arm"].map(result_key).isin(arms)]
    return metrics[["arm", "seed", "step", *columns]]


def _weighted(part: BaselineGroup) -> list[str]:
    """The arms whose reward has the published parts."""
    return [arm for arm in part.arms if arm in map(result_key, part.results.weighted_arms)]


def _reward(part: BaselineGroup) -> Drawing:
    rewards = {result_key(name): arm.reward for name, arm in part.results.study.arms.items()}
    metrics = _logged(part, ["reward/total"])
    metrics = metrics.assign(reward=metrics["arm"].map(result_key).map(rewards))
    return Drawing(alt_texts.reward(part), metrics, figures.plot_rewards, "compare")


def _curve(part: BaselineGroup, column: str, about: str) -> Drawing:
    """One quantity of all arms, on one axis."""
    metrics = _logged(part, [column])

    def draw(metrics: pd.DataFrame) -> Figure:
        figure = plt.figure(figsize=(plot_style.WIDTH, 3))
        figures.plot_training_curves(metrics, component=column, ax=figure.add_subplot())
        return figure

    return Drawing(alt_texts.ends(metrics, {about: column}), metrics, draw, "compare")


def _curves(
    part: BaselineGroup, shown: dict[str, str], arms: Collection[str] = (), **look: Any
) -> Drawing:
    """Several quantities, a panel each: title -> column of metrics.parquet."""
    metrics = _logged(part, shown.values(), arms)
    draw = partial(figures.plot_curves, components=shown, **look)
    return Drawing(alt_texts.ends(metrics, shown), metrics, draw, "compare")


def _components(part: BaselineGroup) -> Drawing | None:
    weighted = _weighted(part)
    if not weighted:
        return None
    study = part.results.study
    reward = study.rewards[part.results.study.arms[part.results.weighted_arms[0]].reward]
    shown = {name: f"reward/{name}" for name in component_names(reward)}
    return _curves(part, shown, weighted, columns=2, ylabel="mean per completion")


def _reward_by_label(part: BaselineGroup) -> Drawing | None:
    weighted = _weighted(part)
    if not weighted:
        return None
    shown = {f"gold {label}": f"reward/total|{label}" for label in LABELS}
    return _curves(part, shown, weighted, columns=3, ylabel="mean reward")


def _accuracy_by_label(part: BaselineGroup) -> Drawing:
    shown = {f"gold {label}": f"accuracy|{label}" for label in LABELS}
    return _curves(part, shown, columns=3, ylabel="share that is right", sharey=True)


def _shares(part: BaselineGroup) -> Drawing:
    metrics = _logged(part, [f"share/{answer}" for answer in ANSWERS])
    alt = alt_texts.ends(metrics, {"share of NA among the answers": "share/NA"})
    return Drawing(alt, metrics, figures.plot_answer_shares, "compare")


def _mixtures(results: Results) -> Drawing:
    data = figure_data.mixtures(results.study)
    return Drawing(alt_texts.mixtures(results), data, figures.plot_mixtures, "data")


# What a baseline is compared with; there is none where it stands alone.
_COMPARED: dict[str, Callable[[BaselineGroup], Drawing | None]] = {
    "summary": lambda part: _gains(part, "balanced_accuracy", "recall_na"),
    "gains": lambda part: _gains(part, "accuracy", "balanced_accuracy", "macro_f1", "recall_na"),
    "transfer": _transfer,
    "pairs": _pairs,
    "seeds": seeds,
}
_DRAWINGS: dict[str, Callable[[BaselineGroup], Drawing | None]] = {
    "reward": _reward,
    "components": _components,
    "reward-by-label": _reward_by_label,
    "accuracy-by-label": _accuracy_by_label,
    "format": lambda part: _curve(part, "format_rate", "share of well-formed completions"),
    "spread": lambda part: _curve(part, "zero_spread", "share of groups that all earn the same"),
    "shares": _shares,
    "trajectory": lambda part: _trajectory(part, "balanced_accuracy"),
    "trajectory-na": lambda part: _trajectory(part, "recall_na"),
    "confusion": _confusion,
    "reliability": _reliability,
    "risk": _risk,
}
