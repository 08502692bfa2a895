"""What each figure shows, in words: the finding first, then the numbers that it rests on."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from factmix.report.figures.layout import words
from factmix.results.compare import WINDOW
from factmix.results.numbers import amount, show
from factmix.results.results_json import established, established_over_seeds
from factmix_book.parts import BaselineGroup
from factmix_book.sources import Results

SHARES = ("share/", "accuracy", "format_rate", "zero_spread")  # columns that are fractions


def joined(parts: Iterable[str]) -> str:
    return "; ".join(parts) + "."


def gains(part: BaselineGroup, metric: str, *others: str) -> str:
    """Of the first metric the extremes and every value, of the others every value."""
    section = part.results.content["gains"]
    found = _by_arm(part, section, metric, part.compared)
    listed = [_listed(found)]
    for other in others:
        values = _by_arm(part, section, other, part.compared)
        listed.append(f"{words(other)}: {_listed(values)}")
    alpha = part.results.study.statistics.alpha
    sure = [established(leaf, alpha) for leaf in found.values()]
    return (
        f"Change in {words(metric)} against {part.baseline}: {_range(found)}; {_count(sure)} "
        + " ".join(listed)
    )


def transfer(part: BaselineGroup, rows: pd.DataFrame) -> str:
    """The cells of datasets that an arm was not trained on."""
    leaves = part.results.content["gains"]
    found = {
        (row.arm, row.dataset): leaves[row.arm][row.dataset]["balanced_accuracy"]
        for row in rows[rows["metric"] == "balanced_accuracy"].itertuples()
        if not row.trained_on
    }
    what = "Gains in balanced accuracy and in recall of NA by arm and by evaluated dataset."
    if not found:
        return f"Every arm was trained on all datasets. {what}"
    alpha = part.results.study.statistics.alpha
    sure = [established(leaf, alpha) for leaf in found.values()]
    return (
        "Change in balanced accuracy on datasets that the arm was not trained on: "
        f"{_range(found)}; {_count(sure)} {what} Not trained on: {_listed(found)}"
    )


def pairs(part: BaselineGroup) -> str:
    tests = part.results.content["mcnemar"]
    found = [(arm, dataset) for arm in part.compared for dataset in tests[arm]]
    fixed, broken = (
        {(arm, dataset): tests[arm][dataset][side] for arm, dataset in found}
        for side in ("fixed", "broken")
    )
    most_fixed, most_broken = (_at(each, _low_high(each)[1]) for each in (fixed, broken))
    alpha = part.results.study.statistics.alpha
    sure = [established(tests[arm][dataset]["p"], alpha) for arm, dataset in found]
    return (
        f"Of the answers of {part.baseline}, at most {most_fixed} are fixed and {most_broken} "
        f"broken; {_count(sure)} Fixed and broken answers by arm and dataset. "
    ) + joined(
        f"{arm}: "
        + ", ".join(
            f"{dataset} {show(test['fixed'])} fixed and {show(test['broken'])} broken"
            for dataset, test in tests[arm].items()
        )
        for arm in part.compared
    )


def seeds(part: BaselineGroup, metric: str) -> str:
    section = part.results.content["across_seeds"]
    spreads = {
        (arm, dataset): leaves[metric]
        for arm in part.compared
        for dataset, leaves in section[arm].items()
    }
    means = {where: spread["by_t"] for where, spread in spreads.items()}
    alpha = part.results.study.statistics.alpha
    sure = [established_over_seeds(spread, alpha) for spread in spreads.values()]
    return (
        f"Mean gain in {words(metric)} of {len(part.results.content['seeds'])} seeds: "
        f"{_range(means)}; {_count(sure)} Gains of each seed and the interval of their mean. "
        + _listed(means, "full")
    )


def reward(part: BaselineGroup) -> str:
    """Arms are not compared: their rewards may be on different scales."""
    training = part.results.content["training"]
    gains = {arm: training[arm]["reward_gain"] for arm in part.arms}
    more = sum(gain["value"] > 0 for gain in gains.values())
    return (
        f"On the same claims {more} of {len(gains)} arms earn more after training than before. "
        "Mean reward over training steps. Gain on the same claims: "
    ) + joined(f"{arm} {show(gain, 'full')}" for arm, gain in gains.items())


def ends(metrics: pd.DataFrame, shown: Mapping[str, str]) -> str:
    """Where curves begin and end: means over the first and the last steps, and over seeds.

    Args:
        metrics: columns arm, step and those shown.
        shown: what it is -> column.
    """

    def of_arm(column: str, arm: str) -> tuple[float, float]:
        steps = metrics[metrics["arm"] == arm].groupby("step")[column].mean().sort_index()
        window = min(WINDOW, max(1, len(steps) // 2))
        return float(steps[:window].mean()), float(steps[-window:].mean())

    def change(column: str, first: float, last: float) -> str:
        unit = "fraction" if column.startswith(SHARES) else ""
        return f"from {amount(first, unit)} to {amount(last, unit)}"

    most, every = [], []
    for about, column in shown.items():
        found = {arm: of_arm(column, arm) for arm in dict.fromkeys(metrics["arm"])}
        arm = max(found, key=lambda arm: abs(found[arm][1] - found[arm][0]))
        most.append(f"{about} in {arm} {change(column, *found[arm])}")
        listed = (f"{arm} {change(column, *means)}" for arm, means in found.items())
        every.append(f"{about}: {', '.join(listed)}")
    return (
        f"Largest change over training: {joined(most)} Curves over training; means of the first "
        f"and of the last steps. {joined(every)}"
    )


def trajectory(part: BaselineGroup, metric: str) -> str:
    """Where the arms end, and where they start, which is the same for all."""
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
    name = words(metric)
    return (
        f"At the last step {name} is: {_extremes(last)} At the first step: {first} "
        f"Curves of {name} over some training steps."
    )


def confusion(part: BaselineGroup) -> str:
    found = _by_arm(part, part.results.content["metrics"], "recall_na", part.systems)
    return f"Recall of NA: {_extremes(found)} Gold label against answer, by arm and dataset."


def reliability(part: BaselineGroup) -> str:
    found = _by_arm(part, part.results.content["awareness"], "ece", part.systems)
    return (
        f"Expected calibration error: {_extremes(found)} "
        "Share of right labels against their probability."
    )


def risk(part: BaselineGroup) -> str:
    found = _by_arm(part, part.results.content["awareness"], "aurc", part.systems)
    return (
        f"Area under the curve of risk and coverage: {_extremes(found)} "
        "Errors among answered claims against the share that is answered."
    )


def mixtures(results: Results) -> str:
    mixtures = results.study.mixtures
    sizes = {
        name: sum(sum(counts.values()) for counts in datasets.values())
        for name, datasets in mixtures.items()
    }
    low, high = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
    return (
        f"From {sizes[low]} examples ({low}) to {sizes[high]} ({high}). "
        "Training examples by mixture, dataset and label. "
    ) + joined(
        f"{mixture}: "
        + ", ".join(f"{dataset} {sum(counts.values())}" for dataset, counts in datasets.items())
        for mixture, datasets in mixtures.items()
    )


Found = Mapping[tuple[str, str], Mapping[str, Any]]  # arm, dataset -> leaf


def _by_arm(part: BaselineGroup, section: Any, name: str, arms: Iterable[str]) -> Found:
    return {
        (arm, dataset): section[arm][dataset][name]
        for arm in arms
        for dataset in part.results.datasets
    }


def _at(found: Found, where: tuple[str, str]) -> str:
    return f"{show(found[where])} ({where[0]} on {where[1]})"


def _low_high(found: Found) -> tuple[tuple[str, str], tuple[str, str]]:
    """Where the lowest and where the highest is."""
    where = sorted(found, key=lambda where: found[where]["value"])
    return where[0], where[-1]


def _range(found: Found) -> str:
    low, high = _low_high(found)
    return _at(found, low) if low == high else f"from {_at(found, low)} to {_at(found, high)}"


def _count(sure: Sequence[bool]) -> str:
    return f"{sum(sure)} of {len(sure)} differences are established."


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
