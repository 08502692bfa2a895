"""The default study once more with other seeds of training, and what of it came again."""

import json
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from factmix.results import rerun_diff
from factmix.results.numbers import Leaf, amount, probability, show
from factmix.results.results_json import established, established_over_seeds
from factmix_book import drawings
from factmix_book.findings import bullet_list, listed, num
from factmix_book.headlines import Contrast, compared_mixtures, contrasts_of, most_changed
from factmix_book.parts import arm_name, parts
from factmix_book.sources import SEEDS_NOTEBOOK, Results, SourceError, write_if_changed
from factmix_book.tables import markdown

METRICS = {"balanced_accuracy": "balanced accuracy", "recall_na": "recall of NA"}


def write(default: Results, again: Results, generated: Path) -> set[Path]:
    """Writes the tables, the figure and the sentences of the page about seeds.

    Args:
        default: the study with one seed.
        again: the same study with several others.
        generated: the folder below which everything generated is.
    """
    _check_same(default, again)
    made = {
        "seeds-findings": findings(default, again),
        "seeds-in-short": in_short(default, again),
    }
    for metric in METRICS:
        made[f"seeds-{metric}"] = gains(default, again, metric)
        made[f"seeds-contrasts-{metric}"] = contrasts(default, again, metric)
    tables = generated / "tables"
    written = {write_if_changed(tables / f"{name}.md", text) for name, text in made.items()}
    drawing = drawings.seeds(parts(again)[0])
    assert drawing is not None  # there are several seeds
    drawn = {"seeds": replace(drawing, notebook=SEEDS_NOTEBOOK)}
    return written | drawings.write_drawings(drawn, generated / "figures" / "seeds")


def gains(default: Results, again: Results, metric: str) -> str:
    """Gains over the baseline: of the default study, and of the other seeds."""
    rows = [
        [arm_name(arm), dataset, *_cells(default.content["gains"][arm][dataset], spread, metric)]
        for arm, datasets in again.content["across_seeds"].items()
        for dataset, spread in datasets.items()
    ]
    return markdown(["points over the baseline", *_columns(again)], rows)


def contrasts(default: Results, again: Results, metric: str) -> str:
    """Differences of arms that differ in their mixture, or their reward, alone."""
    rows = []
    for setting, found in contrasts_of(default, compared_mixtures(default)).items():
        for each in found:
            once = default.content["contrasts"][setting][each.pair][each.dataset]
            words = f"{arm_name(each.second)} over {arm_name(each.first)}"
            spread = _over_seeds(again, setting, each)
            rows.append([words, each.dataset, *_cells(once, spread, metric)])
    return markdown(["points over another arm", *_columns(again)], rows)


def _columns(again: Results) -> list[str]:
    seeds = len(again.content["seeds"])
    mean = f"mean of {seeds} seeds"
    return ["dataset", "default study", mean, "interval, claims too", "p, Holm", "single seeds"]


def _cells(once: Any, spread: Any, metric: str) -> list[str]:
    each = sorted(_by_seed(spread[metric]), key=lambda leaf: leaf["value"])
    mean, both = spread[metric]["by_t"], spread[metric]["hierarchical"]
    tested = probability(mean["p_holm"]) if "p_holm" in mean else "not defined"
    between = show(both, "cell").partition(" ")[2]
    low, high = (show(leaf, "cell") for leaf in (each[0], each[-1]))
    return [show(once[metric], "cell"), show(mean, "cell"), between, tested, f"{low} to {high}"]


def _check_same(default: Results, again: Results) -> None:
    """Raises SourceError unless both studies' arms differ in nothing but their seeds."""

    def made_of(results: Results) -> list[str]:
        runs = rerun_diff.run_records(results.root).values()
        return sorted({_but_for_seeds(run) for run in runs})

    if made_of(default) != made_of(again):
        raise SourceError(
            f"{again.root}: the arms of {again.name} are not those of {default.name} with other "
            f"seeds: they were trained with other settings, or on other data; make them again "
            f"with: make study STUDY={again.name}, and make freeze STUDY={again.name}"
        )


def _but_for_seeds(run: dict[str, Any]) -> str:
    """What the training and the evaluation of a run depend on, without its seed and its code."""
    record = run["depends_on"]
    settings = {key: value for key, value in record["settings"].items() if key != "seed"}
    files = [record["training_sample_sha256"], run["evaluation_sample_sha256"]]
    return json.dumps([run["arm"], settings, *files], sort_keys=True)


def _by_seed(spread: Any) -> list[Leaf]:
    return list(spread["by_seed"].values())


def _over_seeds(again: Results, setting: str, contrast: Contrast) -> Any:
    section = again.content["contrasts_across_seeds"]
    return section[setting][contrast.pair][contrast.dataset]


def findings(default: Results, again: Results) -> str:
    """Whether the findings of the default study came again, as a Markdown list."""
    mixed = [_na_recall, _levers] if compared_mixtures(default) else []
    return bullet_list([each(default, again) for each in (*mixed, _established, _one_run)])


def _num(*path: str, form: str = "") -> str:
    return num(*path, form=form, role="seeds")


def _na_recall(default: Results, again: Results) -> str:
    """The change of NA's recall that the default study begins with."""
    arms = compared_mixtures(default)
    where = most_changed(default, arms)
    section, once = again.content["across_seeds"], default.content["gains"]
    same = [
        leaf["value"] * once[arm][where]["recall_na"]["value"] > 0
        for arm in arms
        for leaf in _by_seed(section[arm][where]["recall_na"])
    ]
    each = [
        f"{_num('across_seeds', arm, where, 'recall_na', 'by_t', form='full')} (`{arm}`)"
        for arm in arms
    ]
    return (
        f"**Knowing when evidence is not enough.** On **{where}**, recall of NA changes by"
        f" {listed(each)} as a mean over the seeds; in {sum(same)} of {len(same)} runs in the"
        " direction of the default study."
    )


def _levers(default: Results, again: Results) -> str:
    """Whether mixture or reward moves balanced accuracy further, seed by seed."""
    sizes, sentences = {}, []
    for setting, found in contrasts_of(default, compared_mixtures(default)).items():
        spreads = [_over_seeds(again, setting, each)["balanced_accuracy"] for each in found]
        values_CS = np.array([[leaf["value"] for leaf in _by_seed(each)] for each in spreads])
        sizes[setting] = np.abs(values_CS).max(axis=0)
        first = max(range(len(found)), key=lambda i: abs(spreads[i]["by_t"]["value"]))
        place = (found[first].pair, found[first].dataset, "balanced_accuracy", "by_t")
        number = _num("contrasts_across_seeds", setting, *place, form="full")
        sure = sum(established_over_seeds(each, _alpha(default)) for each in spreads)
        sentences.append(
            f"Of the {len(found)} differences in balanced accuracy that the {setting} alone makes,"
            f" {sure} {'is' if sure == 1 else 'are'} established for other seeds and claims; the"
            " largest mean, from"
            f" `{found[first].first}` to `{found[first].second}` on **{found[first].dataset}**, is"
            f" {number}."
        )
    text = f"**Mixture or reward.** {' '.join(sentences)}"
    if len(sizes) > 1:
        wins = int((sizes["reward"] > sizes["mixture"]).sum())
        text += f" The reward makes the larger one in {wins} of {len(sizes['reward'])} seeds."
    return text


def in_short(default: Results, again: Results) -> str:
    """What came again, in a sentence that leads to the page about it."""
    came, total = _came_again(default, again)
    return (
        f"When every arm was retrained with {len(again.content['seeds'])} other seeds, {came} of"
        f" the {total} established changes in {_metrics()} kept their direction in every seed"
        " ({doc}`/appendix/seeds`).\n"
    )


def _established(default: Results, again: Results) -> str:
    came, total = _came_again(default, again)
    return (
        f"**What held up.** The default study establishes {total} changes in {_metrics()};"
        f" {came} of them have the same direction in every other seed."
    )


def _came_again(default: Results, again: Results) -> tuple[int, int]:
    """How many established gains have the same direction in every other seed, and of how many."""
    section = again.content["across_seeds"]
    once = [
        (gain["value"], _by_seed(section[arm][dataset][metric]))
        for arm, datasets in default.content["gains"].items()
        if arm in section
        for dataset, metrics in datasets.items()
        for metric, gain in metrics.items()
        if metric in METRICS and established(gain, _alpha(default))
    ]
    came = [all(leaf["value"] * value > 0 for leaf in leaves) for value, leaves in once]
    return sum(came), len(once)


def _metrics() -> str:
    return listed(list(METRICS.values()))


def _one_run(default: Results, again: Results) -> str:
    """How far one run is from another, beside what the choice of examples does."""
    seeds = len(again.content["seeds"])
    reach = NormalDist().inv_cdf((1 + default.content["study"]["confidence"]) / 2)
    section, gains = again.content["across_seeds"], default.content["gains"]
    of_seeds, of_examples = [], []
    for arm, datasets in section.items():
        for dataset, spread in datasets.items():
            of_seeds.append((seeds * spread["balanced_accuracy"]["seed_variance"]["value"]) ** 0.5)
            low, high = gains[arm][dataset]["balanced_accuracy"]["interval"]
            of_examples.append((high - low) / (2 * reach))
    return (
        "**One run.** From seed to seed, the change in balanced accuracy of one run has a standard"
        f" deviation of {_points(np.median(of_seeds))}, the median over arms and domains. What the"
        " choice of evaluation examples adds, a standard error of"
        f" {_points(np.median(of_examples))}, is all that the intervals of the chapters hold."
    )


def _points(fraction: float) -> str:
    return amount(float(fraction), "points").removeprefix("+")


def _alpha(results: Results) -> float:
    return results.study.statistics.alpha
