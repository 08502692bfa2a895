"""The figures of the book: what each is drawn from, what draws it, and what it shows in words.

The words are the macros of book/templates/alt_texts.j2.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from factmix.published import audit
from factmix.published.released import CONTROL, DATASETS, MIXTURES, PRINTED, WINDOW
from factmix.report import figure_data, figures, plot_style, ternary
from factmix.report.baselines import BaselineGroup, baseline_groups, compared_mixtures
from factmix.report.published_study import Published
from factmix.report.sources import Results
from factmix.report.templates import say
from factmix.results import of_training
from factmix.results.numbers import Leaf
from factmix.results.results_json import result_key, tidy
from factmix.results.statements import DECIDING, families
from factmix.study.labels import ANSWERS, LABELS
from factmix.training.rewards import component_names

SHARES = ("share/", "accuracy", "format_rate", "zero_spread")  # columns that are fractions
MOST = 3  # cells of a heat map that its words name


@dataclass(frozen=True)
class Drawing:
    """A figure that can be drawn.

    Attributes:
        data: what it is drawn from, which readers get as a file.
        draw: draws that.
        alt: what it shows, as a macro of alt_texts.j2 and what the macro takes.
        notebook: the executed notebook that shows it too, such as "compare"; "" where none does.
    """

    data: pd.DataFrame
    draw: Callable[[pd.DataFrame], Any]
    alt: tuple[Any, ...]
    notebook: str = "compare"

    @property
    def words(self) -> str:
        return say("alt_texts.j2", *self.alt)


def images(drawn: Mapping[str, Drawing], folder: str) -> dict[str, str | bytes]:
    """Each figure, drawn once, in its light and its dark version, and its data; by path."""
    files: dict[str, str | bytes] = {}
    for name, drawing in drawn.items():
        light = plot_style.svg(partial(drawing.draw, drawing.data))
        files[f"{folder}/{name}-light.svg"] = light
        files[f"{folder}/{name}-dark.svg"] = plot_style.darkened(light)
        table = drawing.data.to_csv(index=False, float_format="%.6g", lineterminator="\n")
        files[f"{folder}/{name}.csv"] = table
    return files


def descriptions(drawn: Mapping[str, Drawing], folder: str) -> dict[str, str]:
    """figures.json, which has the alt text and the notebook of each figure; by path."""
    about = {name: {"alt": each.words, "notebook": each.notebook} for name, each in drawn.items()}
    return {f"{folder}/figures.json": json.dumps(about, indent=2, ensure_ascii=False) + "\n"}


def of_study(results: Results) -> dict[str, Drawing]:
    """Every figure that a study has data for, once for each baseline."""
    names = (*_COMPARED, *_DRAWINGS)
    drawn = {f"{name}{suffix}": each for name, suffix, each in _of_baselines(results, names)}
    return drawn | {"mixtures": _mixtures(results)}


def of_second(results: Results) -> dict[str, Drawing]:
    """The figure of the page about a second base model."""
    drawing = _learning(baseline_groups(results)[0])
    return {"learning": replace(drawing, notebook="")}


def of_protocols(results: Results, published: Mapping[str, Any]) -> dict[str, Drawing]:
    """The figure of the page about described and released, beside the published arms' levels."""
    data = figure_data.protocols(results, published)
    na = data[data["outcome"] == "na_share"]
    by_mixture = [
        (mixture, [(row.cell, row.dataset, row.value) for row in of.itertuples()])
        for mixture, of in na.groupby("mixture", sort=False)
    ]
    alt = ("protocols", by_mixture)
    return {"levels": Drawing(data, figures.plot_protocols, alt, notebook="")}


def of_plateau(results: Results) -> dict[str, Drawing]:
    """The figure of the page about more steps."""
    drawn = _of_baselines(results, ("trajectory",))
    return {name: replace(each, notebook="") for name, _, each in drawn}


def of_real(results: Results) -> dict[str, Drawing]:
    """The figures of the page about a language model on real claims."""
    names = ("learning", "reward", "spread", "trajectory-na", "confusion")
    drawn = _of_baselines(results, names)
    return {name: replace(each, notebook="") for name, _, each in drawn}


def of_pairs(results: Results) -> dict[str, Drawing]:
    """The figure of the page about the number of training domains."""
    data = figure_data.domain_number(results)
    means = data.groupby(["dataset", "number"], sort=False, as_index=False)["value"].mean()
    alt = ("domain_number", means[["dataset", "number", "value"]].to_numpy().tolist())
    kinds = figure_data.by_kind(results)
    elsewhere = kinds[~kinds["trained_on"]].sort_values("value", ascending=False)
    most = elsewhere[["mixture", "kind", "dataset", "value"]].head(MOST).to_numpy().tolist()
    return {
        "number": Drawing(data, figures.plot_domain_number, alt, notebook=""),
        "kinds": Drawing(kinds, figures.plot_by_kind, ("by_kind", most), notebook=""),
    }


def of_sweep(results: Results) -> dict[str, Drawing]:
    """The figure of the page about the shares of training domains."""
    data = figure_data.domain_shares(results)
    ends = []
    for panel, of in data.groupby("panel", sort=False):
        ordered = of.sort_values("value")[["mixture", "value"]].to_numpy().tolist()
        ends.append((panel, ordered[-1], ordered[0]))
    alt = ("domain_shares", ends)
    return {"simplex": Drawing(data, figures.plot_simplex, alt, notebook="")}


def show(results: Results, *names: str) -> None:
    """Draws some figures of a study, once for each baseline, where figures are now shown."""
    for _, _, drawing in _of_baselines(results, names):
        drawing.draw(drawing.data)


def _of_baselines(results: Results, names: Collection[str]) -> Iterator[tuple[str, str, Drawing]]:
    for group in baseline_groups(results):
        for name, make in ((_COMPARED if group.compared else {}) | _DRAWINGS).items():
            if name in names and (drawing := make(group)) is not None:
                yield name, group.suffix, drawing


def _gains(group: BaselineGroup, *metrics: str) -> Drawing:
    rows = group.rows(figure_data.gains(group.results))
    draw = partial(figures.plot_gains, metrics=metrics, alpha=group.alpha)
    return Drawing(rows[rows["metric"].isin(metrics)], draw, ("gains", group, metrics))


def _learning(group: BaselineGroup) -> Drawing:
    rows = group.rows(figure_data.learning(group.results))
    parts = ("shift", "learning")
    draw = partial(figures.plot_gains, metrics=parts, alpha=group.alpha, over="the base model")
    return Drawing(rows[rows["metric"].isin(parts)], draw, ("learning", group))


def summary(group: BaselineGroup) -> Drawing:
    """Of the arms that decide about the statements of the plan; elsewhere the main gains."""
    arms, parts = _deciding_arms(group.results), ("total", "learning")
    if not arms:
        return _gains(group, "balanced_accuracy", "recall_na")
    rows = figure_data.learning(group.results)
    rows = rows[rows["arm"].isin(arms) & rows["metric"].isin(parts)].reset_index(drop=True)
    draw = partial(figures.plot_gains, metrics=parts, alpha=group.alpha, over="the base model")
    return Drawing(rows, draw, ("summary", group, arms))


def _dose(group: BaselineGroup, metric: str, arms: Collection[str]) -> Drawing | None:
    """Of some arms that differ in their mixture alone; None where step 0 was not answered."""
    rows = figure_data.dose(group.results)
    rows = rows[rows["arm"].isin(arms) & (rows["metric"] == metric)]
    if rows.empty:
        return None
    last = rows.loc[rows.groupby(["arm", "dataset"], sort=False)["step"].idxmax()].itertuples()
    section = group.results.content["dose"]
    ends: dict[str, dict[str, Leaf]] = {}
    for row in last:
        found = section[str(row.arm)][str(row.dataset)][f"step_{row.step}"]
        ends.setdefault(str(row.arm), {})[str(row.dataset)] = found[metric]
    return Drawing(rows, partial(figures.plot_dose, metric=metric), ("dose", metric, ends))


def _deciding_arms(results: Results) -> list[str]:
    """The arms that decide about the statements; none of a study without."""
    runs = families(results.study).get(DECIDING, {})
    return [result_key(run.arm) for run in runs.values()]


def _transfer(group: BaselineGroup) -> Drawing:
    rows = group.rows(figure_data.transfer(group.results))
    left_out: dict[str, dict[str, Leaf]] = {}
    for row in rows[~rows["trained_on"] & (rows["metric"] == "balanced_accuracy")].itertuples():
        leaf = group.results.content["gains"][row.arm][row.dataset]["balanced_accuracy"]
        left_out.setdefault(str(row.arm), {})[str(row.dataset)] = leaf
    return Drawing(rows, figures.plot_transfer, ("transfer", group, left_out))


def seeds(group: BaselineGroup) -> Drawing | None:
    """Every seed's gains and their mean; None of a study with one seed."""
    if len(group.results.content["seeds"]) < 2:
        return None
    metrics = ("balanced_accuracy", "recall_na")
    rows = group.rows(figure_data.seeds(group.results))
    rows = rows[rows["metric"].isin(metrics)]
    return Drawing(rows, partial(figures.plot_seeds, metrics=metrics), ("seeds", group, metrics[0]))


def _trajectory(group: BaselineGroup, metric: str) -> Drawing:
    """In words: where the arms end, and where they start, which is the same for all."""
    section = group.results.content["trajectory"]
    rows = group.rows(tidy(section, ["arm", "dataset", "step", "metric"]))

    def at(place: int, arm: str) -> dict[str, Leaf]:
        return {d: list(steps.values())[place][metric] for d, steps in section[arm].items()}

    alt = ("trajectory", metric, at(0, group.arms[0]), {arm: at(-1, arm) for arm in group.arms})
    draw = partial(figures.plot_trajectory, metric=metric)
    return Drawing(rows[rows["metric"] == metric], draw, alt)


def _logged(
    group: BaselineGroup, columns: Iterable[str], arms: Collection[str] = ()
) -> pd.DataFrame:
    """What all seeds of the arms, or of some of them, logged at every step."""
    metrics = group.rows(of_training.training_metrics(group.results.study, group.results.paths))
    chosen = metrics["arm"].map(result_key).isin(arms or group.arms)
    return metrics[chosen].reset_index(drop=True)[["arm", "seed", "step", *columns]]


def ends(metrics: pd.DataFrame, shown: Mapping[str, str]) -> tuple[Any, ...]:
    """Where curves begin and end, for their words: means over the first and the last steps.

    Args:
        metrics: columns arm, step and those shown; a mean over seeds is taken.
        shown: what it is -> column.
    """

    def of_arm(column: str, arm: str) -> tuple[float, float, str]:
        steps = metrics[metrics["arm"] == arm].groupby("step")[column].mean().sort_index()
        window = min(of_training.WINDOW, max(1, len(steps) // 2))
        unit = "fraction" if column.startswith(SHARES) else ""
        return float(steps[:window].mean()), float(steps[-window:].mean()), unit

    arms = list(dict.fromkeys(metrics["arm"]))
    every = {about: {arm: of_arm(c, arm) for arm in arms} for about, c in shown.items()}
    most = []
    for about, found in every.items():
        arm = max(found, key=lambda arm: abs(found[arm][1] - found[arm][0]))
        most.append((about, arm, found[arm]))
    return "curves", most, every


def _reward(group: BaselineGroup) -> Drawing:
    """Arms are not compared in words: their rewards may be on different scales."""
    rewards = {result_key(name): arm.reward for name, arm in group.results.study.arms.items()}
    metrics = _logged(group, ["reward/total"])
    metrics = metrics.assign(reward=metrics["arm"].map(result_key).map(rewards))
    return Drawing(metrics, figures.plot_rewards, ("reward", group))


def _curve(group: BaselineGroup, column: str, about: str) -> Drawing:
    """One quantity of all arms, on one axis."""
    metrics = _logged(group, [column])
    draw = partial(figures.plot_training_curves, component=column)
    return Drawing(metrics, draw, ends(metrics, {about: column}))


def _curves(
    group: BaselineGroup, shown: dict[str, str], arms: Collection[str] = (), **look: Any
) -> Drawing:
    """Several quantities, a panel each: title -> column of metrics.parquet."""
    metrics = _logged(group, shown.values(), arms)
    draw = partial(figures.plot_curves, components=shown, **look)
    return Drawing(metrics, draw, ends(metrics, shown))


def _components(group: BaselineGroup) -> Drawing | None:
    if not group.weighted:
        return None
    names = component_names(next(iter(group.weighted.values())))
    shown = {name: f"reward/{name}" for name in names}
    return _curves(group, shown, group.weighted, columns=2, ylabel="mean per completion")


def _by_gold(group: BaselineGroup, column: str, ylabel: str, **look: Any) -> Drawing | None:
    """One quantity of the arms that log it, by gold label."""
    arms = group.weighted if column.startswith("reward/") else group.arms
    shown = {f"gold {label}": f"{column}|{label}" for label in LABELS}
    return _curves(group, shown, arms, columns=3, ylabel=ylabel, **look) if arms else None


def _shares(group: BaselineGroup) -> Drawing:
    metrics = _logged(group, [f"share/{answer}" for answer in ANSWERS])
    alt = ends(metrics, {"share of NA among the answers": "share/NA"})
    return Drawing(metrics, figures.plot_answer_shares, alt)


def _mixtures(results: Results) -> Drawing:
    data = figure_data.mixtures(results.study)
    sizes: dict[Any, int] = data.groupby("mixture", sort=False)["value"].sum().to_dict()
    low, high = (by(sizes.items(), key=lambda size: size[1]) for by in (min, max))
    alt = ("mixtures", results.study.mixtures, low, high)
    return Drawing(data, figures.plot_mixtures, alt, "data")


# What a baseline is compared with; there is none where it stands alone.
_COMPARED: dict[str, Callable[[BaselineGroup], Drawing | None]] = {
    "summary": summary,
    "gains": lambda group: _gains(group, "accuracy", "balanced_accuracy", "macro_f1", "recall_na"),
    "transfer": _transfer,
    "dose": lambda group: _dose(group, "recall_na", compared_mixtures(group.results)),
    "dose-balanced_accuracy": lambda group: _dose(
        group, "balanced_accuracy", _deciding_arms(group.results)
    ),
    "pairs": lambda group: Drawing(
        group.rows(figure_data.pairs(group.results)),
        partial(figures.plot_pairs, alpha=group.alpha),
        ("pairs", group),
    ),
    "seeds": seeds,
}
_DRAWINGS: dict[str, Callable[[BaselineGroup], Drawing | None]] = {
    "learning": _learning,
    "reward": _reward,
    "components": _components,
    "reward-by-label": lambda group: _by_gold(group, "reward/total", "mean reward"),
    "accuracy-by-label": lambda group: _by_gold(
        group, "accuracy", "share that is right", sharey=True
    ),
    "format": lambda group: _curve(group, "format_rate", "share of well-formed completions"),
    "spread": lambda group: _curve(group, "zero_spread", "share of groups that all earn the same"),
    "shares": _shares,
    "trajectory": lambda group: _trajectory(group, "balanced_accuracy"),
    "trajectory-na": lambda group: _trajectory(group, "recall_na"),
    "confusion": lambda group: Drawing(
        group.rows(figure_data.confusion(group.results.content)),
        figures.plot_confusion,
        ("confusion", group),
    ),
    "reliability": lambda group: Drawing(
        group.rows(figure_data.reliability(group.results)),
        figures.plot_reliability,
        ("reliability", group),
    ),
    "risk": lambda group: Drawing(
        group.rows(figure_data.risk_coverage(group.results)),
        figures.plot_risk_coverage,
        ("risk", group),
    ),
}


def of_published(study: Published) -> dict[str, Drawing]:
    """The figures of the pages on the published study, from its committed counts and curves."""
    numbers, names = study.numbers, DATASETS.items()
    gains = pd.DataFrame(study.report["gains"]).assign(
        arm=lambda rows: rows["mixture"],
        dataset=lambda rows: rows["dataset"].map(DATASETS),
        value=lambda rows: rows["recomputed"],
    )
    columns = ["arm", "dataset", "metric", "value", "low", "high", "p"]
    gained = {m: {name: numbers["gains"][m][d]["accuracy"] for d, name in names} for m in MIXTURES}
    counts = figure_data.confusion(study.report)
    recall = {
        system: {name: numbers["metrics"][system][d]["recall_na"] for d, name in names}
        for system in study.report["confusion"]
    }
    # Means of every ten steps are what is kept of the logs.
    shown = {"reward": "reward/total", "explore part": "reward/r_explore", "accuracy": "accuracy"}
    logs = []
    for mixture in MIXTURES:
        logged = study.derived["curves"][mixture]["logged"]
        log = pd.DataFrame({name: logged[name]["windows"] for name in shown.values()})
        logs.append(log.assign(arm=mixture, step=WINDOW * log.index + WINDOW / 2))
    look: dict[str, Any] = {"columns": 3, "ylabel": "mean per completion", "window": 1}
    curves = {name: of for name, of in numbers["curves"].items() if name != CONTROL}
    # The corners of the regions in the triangle of beliefs.
    maps = {name: audit.decision_regions(reward) for name, reward in study.rewards.items()}
    corners = pd.DataFrame(
        [
            (title, str(label), *corner)
            for title, regions in maps.items()
            for label, corners_V3 in regions.items()
            for corner in corners_V3.tolist()
        ],
        columns=["reward", "answer", *(f"p({label})" for label in LABELS)],
    )
    drawn: dict[str, tuple[pd.DataFrame, Callable[[pd.DataFrame], Figure], Any]] = {
        "gains": (
            gains[columns],
            partial(figures.plot_gains, metrics=PRINTED, alpha=study.ledger.alpha),
            gained,
        ),
        "confusion": (
            counts.assign(dataset=counts["dataset"].map(DATASETS)),
            figures.plot_confusion,
            recall,
        ),
        "curves": (pd.concat(logs), partial(figures.plot_curves, components=shown, **look), curves),
        "decisions": (corners, lambda _: ternary.plot_decision_maps(maps), study.decision_shares),
    }
    return {
        name: Drawing(data, draw, (f"published_{name}", facts), "published")
        for name, (data, draw, facts) in drawn.items()
    }


def of_benchmark(name: str, measured: Mapping[str, Any]) -> Drawing | None:
    """What a benchmark that measures along something shows; None of another."""
    result, machine = measured["result"], measured["machine"]
    if name in _ALONG:
        key, at, value, draw = _ALONG[name]
        rows = [(int(place), x) for place, x in result[key].items()]
        data = pd.DataFrame(rows, columns=[at, value]).sort_values(at, ignore_index=True)
        first, last = data.iloc[0], data.iloc[-1]
        return Drawing(data, draw, (name, machine, first, last), "")
    if name == "study":
        seconds = {phase: each["seconds"] for phase, each in result["phases"].items()}
        data = pd.DataFrame(list(seconds.items()), columns=["phase", "seconds"])
        longest = max(seconds, key=seconds.__getitem__)
        return Drawing(data, figures.plot_phases, (name, machine, longest, seconds[longest]), "")
    if name == "curves":
        data = pd.concat(
            pd.DataFrame({"arm": trainer, "step": range(1, len(each) + 1), "reward/total": each})
            for trainer, each in result["rewards"].items()
        )
        gap = (data["step"].max(), result["reward_gap"], result["reward_gap_error"])
        return Drawing(data, figures.plot_training_curves, ("trainers", *gap), "")
    return None


# Benchmark -> what was measured, at which places, in which unit, and what draws it.
_ALONG: dict[str, tuple[str, str, str, Callable[[pd.DataFrame], Figure]]] = {
    "group_size": ("step_seconds", "completions", "seconds", figures.plot_step_times),
    "prompt_length": ("sampling_and_backward_ratio", "tokens", "ratio", figures.plot_ratios),
}
