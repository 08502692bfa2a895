"""What each figure shows, in words: the finding first, then the numbers that it rests on."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from factmix.compare import WINDOW
from factmix.figures.layout import words
from factmix.numbers import amount, show
from factmix.results import established
from factmix_book.parts import Part
from factmix_book.sources import Results

SHARES = ("share/", "accuracy", "format_rate", "zero_spread")  # columns that are fractions


def joined(parts: Iterable[str]) -> str:
    return "; ".join(parts) + "."


def gains(part: Part, metric: str, *others: str) -> str:
    """Of the first metric the extremes and every value, of the others every value."""
    section = part.results.content["gains"]
    found = _by_arm(part, section, metric, part.compared)
    listed = [_listed(found)]
    for other in others:
        values = _by_arm(part, section, other, part.compared)
        listed.append(f"{words(other)}: {_listed(values)}")
    last = max(found, key=lambda where: found[where]["value"])
    first = min(found, key=lambda where: found[where]["value"])
    alpha = part.results.study.statistics.alpha
    sure = sum(established(leaf, alpha) for leaf in found.values())
    return (
        f"Change in {words(metric)} against {part.baseline}: from {_at(found, first)} to "
        f"{_at(found, last)}; {sure} of {len(found)} differences are established. "
        + " ".join(listed)
    )


def transfer(part: Part, rows: pd.DataFrame) -> str:
    """The cells of datasets that an arm was not trained on."""
    leaves = part.results.content["gains"]
    found = {
        (row.arm, row.dataset): leaves[row.arm][row.dataset]["balanced_accuracy"]
        for row in rows[rows["metric"] == "balanced_accuracy"].itertuples()
        if not row.trained_on
    }
    what = "Gains in balanced accuracy and in recall of NA by arm and by evaluated dataset. "
    if not found:
        return what + "Every arm was trained on all of them."
    return what + "Balanced accuracy on datasets that the arm was not trained on: " + _listed(found)


def pairs(part: Part) -> str:
    tests = part.results.content["mcnemar"]
    return f"Answers of {part.baseline} that an arm fixes and breaks. " + joined(
        f"{arm}: "
        + ", ".join(
            f"{dataset} {show(test['fixed'])} fixed and {show(test['broken'])} broken"
            for dataset, test in tests[arm].items()
        )
        for arm in part.compared
    )


def seeds(part: Part, metric: str) -> str:
    found = {
        (arm, dataset): leaves[metric]["by_t"]
        for arm in part.compared
        for dataset, leaves in part.results.content["across_seeds"][arm].items()
    }
    return (
        f"Gains in {words(metric)} of {len(part.results.content['seeds'])} seeds and "
        "the interval of their mean. " + _listed(found, "full")
    )


def reward(part: Part) -> str:
    training = part.results.content["training"]
    return "Mean reward over training steps. Gain on the same claims, after against before: " + (
        joined(f"{arm} {show(training[arm]['reward_gain'], 'full')}" for arm in part.arms)
    )


def ends(metrics: pd.DataFrame, shown: Mapping[str, str]) -> str:
    """Where curves begin and end: means over the first and the last steps, and over seeds.

    Args:
        metrics: columns arm, step and those shown.
        shown: what it is -> column.
    """

    def of_arm(column: str, arm: str) -> str:
        steps = metrics[metrics["arm"] == arm].groupby("step")[column].mean().sort_index()
        window = min(WINDOW, max(1, len(steps) // 2))
        unit = "fraction" if column.startswith(SHARES) else ""
        first, last = (amount(float(of.mean()), unit) for of in (steps[:window], steps[-window:]))
        return f"{arm} from {first} to {last}"

    arms = list(dict.fromkeys(metrics["arm"]))
    return "Curves over training; means of the first and of the last steps. " + joined(
        f"{about}: " + ", ".join(of_arm(column, arm) for arm in arms)
        for about, column in shown.items()
    )


def trajectory(part: Part, metric: str) -> str:
    """Where the arms start, which is the same for all, and where they end."""
    section = part.results.content["trajectory"]
    last = {
        (arm, dataset): list(steps.values())[-1][metric]
        for arm in part.arms
        for dataset, steps in section[arm].items()
    }
    first = joined(
        f"{dataset} {show(next(iter(steps.values()))[metric])}"
        for dataset, steps in section[part.arms[0]].items()
    )
    return f"{words(metric)} at some training steps. First step: {first} Last: {_extremes(last)}"


def confusion(part: Part) -> str:
    return "Gold label against answer, by arm and dataset. Recall of NA: " + _extremes(
        _by_arm(part, part.results.content["metrics"], "recall_na", part.systems)
    )


def reliability(part: Part) -> str:
    return (
        "Share of right labels against their probability. Expected calibration error: "
        + _extremes(_by_arm(part, part.results.content["awareness"], "ece", part.systems))
    )


def risk(part: Part) -> str:
    return (
        "Errors among answered claims against the share that is answered. Area under the curve: "
        + _extremes(_by_arm(part, part.results.content["awareness"], "aurc", part.systems))
    )


def mixtures(results: Results) -> str:
    return "Training examples by mixture, dataset and label. " + joined(
        f"{mixture}: "
        + ", ".join(f"{dataset} {sum(counts.values())}" for dataset, counts in datasets.items())
        for mixture, datasets in results.study.mixtures.items()
    )


Found = Mapping[tuple[str, str], Mapping[str, Any]]  # arm, dataset -> leaf


def _by_arm(part: Part, section: Any, name: str, arms: Iterable[str]) -> Found:
    return {
        (arm, dataset): section[arm][dataset][name]
        for arm in arms
        for dataset in part.results.datasets
    }


def _at(found: Found, where: tuple[str, str]) -> str:
    return f"{show(found[where])} ({where[0]} on {where[1]})"


def _listed(found: Found, form: str = "value") -> str:
    arms = list(dict.fromkeys(arm for arm, _ in found))
    return joined(
        f"{arm}: "
        + ", ".join(
            f"{dataset} {show(leaf, form)}" for (a, dataset), leaf in found.items() if a == arm
        )
        for arm in arms
    )


def _extremes(found: Found) -> str:
    """The lowest and the highest on each dataset."""
    sentences = []
    for dataset in dict.fromkeys(dataset for _, dataset in found):
        of = {arm: leaf for (arm, each), leaf in found.items() if each == dataset}
        low = min(of, key=lambda arm: of[arm]["value"])
        high = max(of, key=lambda arm: of[arm]["value"])
        sentences.append(f"{dataset} from {show(of[low])} ({low}) to {show(of[high])} ({high})")
    return joined(sentences)
