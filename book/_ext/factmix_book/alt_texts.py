"""What each figure shows, in words, from the numbers that it is drawn from."""

from collections.abc import Callable, Iterable
from typing import Any

from factmix.numbers import show
from factmix_book.sources import Results


def _joined(parts: Iterable[str]) -> str:
    return "; ".join(parts) + "."


def _gains(results: Results, metric: str) -> str:
    what = f"Intervals of the change in {metric.replace('_', ' ')} against the baseline. "
    return what + _joined(
        f"{arm}: "
        + ", ".join(f"{dataset} {show(leaves[metric])}" for dataset, leaves in of.items())
        for arm, of in results.content["gains"].items()
        if arm != "base"
    )


def _training(results: Results, what: str, start: str, end: str) -> str:
    return f"{what}, one line per arm. " + _joined(
        f"{arm}: from {show(leaves[start])} to {show(leaves[end])}"
        for arm, leaves in results.content["training"].items()
    )


def _spread(results: Results) -> str:
    return "Share of groups whose completions all earn the same, over training steps. " + _joined(
        f"{arm}: {show(leaves['zero_spread_mean'])} on average"
        for arm, leaves in results.content["training"].items()
    )


def _components(results: Results) -> str | None:
    if not results.weighted_arms:
        return None
    return (
        "Four panels with the parts correct, false_na, explore and format of the reward over "
        f"training steps, for the arms {', '.join(results.weighted_arms)}."
    )


def _shares(results: Results) -> str:
    share = results.content["answer_share"]
    return (
        "Shares of the answers NA, PASS, FAIL and INVALID among completions over training, one "
        "panel per arm. After training, NA is answered to "
        + _joined(
            f"{show(of[dataset]['NA'])} of {dataset} by {arm}"
            for arm, of in share.items()
            if arm != "base"
            for dataset in of
        )
    )


def _trajectory(results: Results, metric: str) -> str:
    def ends(steps: dict[str, Any]) -> str:
        names = list(steps)
        first, last = (show(steps[names[i]][metric]) for i in (0, -1))
        return f"{first} at the start, {last} at {names[-1].replace('_', ' ')}"

    return f"{metric.replace('_', ' ')} at some training steps. " + _joined(
        f"{arm} on {dataset}: {ends(steps)}"
        for arm, of in results.content["trajectory"].items()
        for dataset, steps in of.items()
    )


def _confusion(results: Results) -> str:
    recalls = results.content["metrics"]
    return "Gold label against answer for each arm and dataset. Recall of NA, PASS, FAIL: " + (
        _joined(
            f"{arm} on {dataset} "
            + ", ".join(
                show(recalls[arm][dataset][f"recall_{label}"]) for label in ("na", "pass", "fail")
            )
            for arm in ("base", *results.arms)
            for dataset in results.datasets
        )
    )


def _mixtures(results: Results) -> str:
    return "Training examples by mixture, dataset and label. " + _joined(
        f"{mixture}: "
        + ", ".join(f"{dataset} {sum(counts.values())}" for dataset, counts in datasets.items())
        for mixture, datasets in results.study.mixtures.items()
    )


# None where the study has nothing to draw.
TEXTS: dict[str, Callable[[Results], str | None]] = {
    "summary": lambda results: _gains(results, "balanced_accuracy"),
    "gains": lambda results: _gains(results, "accuracy"),
    "reward": lambda results: _training(
        results, "Mean reward over training steps", "reward_start", "reward_end"
    ),
    "components": _components,
    "format": lambda results: _training(
        results,
        "Share of well-formed completions over training steps",
        "format_rate_start",
        "format_rate_end",
    ),
    "spread": _spread,
    "shares": _shares,
    "trajectory": lambda results: _trajectory(results, "balanced_accuracy"),
    "trajectory-na": lambda results: _trajectory(results, "recall_na"),
    "confusion": _confusion,
    "mixtures": _mixtures,
}
