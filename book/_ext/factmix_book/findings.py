"""Sentences whose verdict depends on the results: written from the numbers, never typed."""

from typing import Any

import numpy as np

from factmix.labels import INVALID, LABELS, Label
from factmix.numbers import amount, show
from factmix.rewards import components
from factmix.study import Reward, Study, WeightedReward
from factmix_book.sources import Results


def bullets(results: Results) -> str:
    """The findings as a Markdown list."""
    lines = [_best(results, dataset) for dataset in results.datasets]
    lines += [_na_recall(results), _constant(results), _learned(results)]
    return "".join(f"- {line}\n" for line in lines)


def _best(results: Results, dataset: str) -> str:
    metrics = results.content["metrics"]
    baseline = results.study.baseline
    best = max(results.arms, key=lambda arm: metrics[arm][dataset]["balanced_accuracy"]["value"])
    reached = show(metrics[best][dataset]["balanced_accuracy"], "full")
    if best == baseline:
        return (
            f"**{dataset}**: no arm has a higher balanced accuracy than the baseline `{baseline}`, "
            f"{reached}."
        )
    gain = results.content["gains"][best][dataset]["balanced_accuracy"]
    established = "" if gain["p"] < results.study.statistics.alpha else "not "
    return (
        f"**{dataset}**: `{best}` has the highest balanced accuracy of the arms, {reached}. Its "
        f"difference to the baseline, {show(gain, 'full')}, is {established}established."
    )


def _na_recall(results: Results) -> str:
    """Which arms answer NA less often, and which more often, where NA is right."""
    recall = {
        (arm, dataset): of[dataset]["recall_na"]
        for arm, of in results.content["gains"].items()
        for dataset in results.datasets
    }
    sure = {
        f"`{arm}` on {dataset}": gain["value"]
        for (arm, dataset), gain in recall.items()
        if gain["p"] < results.study.statistics.alpha
    }
    lost = [where for where, value in sure.items() if value < 0]
    won = [where for where, value in sure.items() if value > 0]
    return (
        "**Knowing when evidence is not enough** (recall of NA, against the baseline): "
        f"lower for {_listed(lost)}; higher for {_listed(won)}; not established for the rest "
        f"(p ≥ {results.study.statistics.alpha:g})."
    )


def _constant(results: Results) -> str:
    """Which trained arms are no more accurate than an answer that never looks."""
    metrics = results.content["metrics"]
    beaten = [
        f"`{arm}` on {dataset}"
        for arm in results.arms
        for dataset in results.datasets
        if metrics[arm][dataset]["accuracy"]["value"]
        <= metrics["always_na"][dataset]["accuracy"]["value"]
    ]
    na = metrics["always_na"][results.datasets[0]]["accuracy"]
    if not beaten:
        verdict = "Every arm is more accurate than that in every domain."
    elif len(beaten) == len(results.arms) * len(results.datasets):
        verdict = "No arm is more accurate than that in any domain."
    else:
        verdict = f"Not more accurate than that: {_listed(beaten)}."
    return (
        f"**A constant answer as yardstick**: always answering NA is right in {show(na)} of the "
        f"evaluation examples. {verdict}"
    )


def _learned(results: Results) -> str:
    """Which arms earn more on their training claims than before."""
    training = results.content["training"]
    rose = [arm for arm in results.arms if _above_zero(training[arm]["reward_gain"])]
    flat = [arm for arm in results.arms if arm not in rose]
    if not flat:
        return "**Training**: on its training claims, every arm earns more than before."
    return (
        "**Training**: on its training claims, more is earned after training than before by "
        f"{_listed([f'`{arm}`' for arm in rose])}; no gain can be told from chance for "
        f"{_listed([f'`{arm}`' for arm in flat])}."
    )


def _above_zero(leaf: dict[str, Any]) -> bool:
    interval = leaf.get("interval")
    return interval is not None and interval[0] > 0


def _listed(names: list[str]) -> str:
    if len(names) < 2:
        return names[0] if names else "none"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def total(reward: Reward, answer: str, gold: Label) -> float:
    """What an answer in valid format (or none, for INVALID) earns."""
    return sum(
        components(reward, predicted=answer, format_valid=answer != INVALID, gold=gold).values()
    )


def reward_verdict(study: Study) -> str:
    """Whether some belief about the gold label makes NA the best answer, computed on a grid."""
    published = study.rewards["published"]
    assert isinstance(published, WeightedReward)
    sentences = []
    for reading in ("predicted", "gold"):
        reward = published.model_copy(update={"weight_by": reading})
        earned_AL = np.array([[total(reward, a, gold) for gold in LABELS] for a in LABELS])
        # An answer that earns at least as much as NA whatever is true makes NA never the best.
        dominated = (earned_AL[1:] >= earned_AL[0]).all(axis=1).any()
        na, guess = total(reward, Label.NA, Label.NA), total(reward, Label.PASS, Label.NA)
        sentences.append(
            f"With the weights of the **{reading}** label, at gold NA the answer NA earns "
            f"{amount(na)} and the answer PASS {amount(guess)}; "
            + (
                "there is no belief about the gold label for which NA is the best answer."
                if dominated
                else "NA is the best answer for "
                f"{amount(_share_where_na_is_best(earned_AL), 'fraction')} of all beliefs."
            )
        )
    return "".join(f"- {sentence}\n" for sentence in sentences)


def _share_where_na_is_best(earned_AL: np.ndarray, steps: int = 60) -> float:
    """Fraction of a grid on the simplex of beliefs where the first answer is strictly best."""
    beliefs_BL = np.array(
        [(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)]
    )
    expected_BA = beliefs_BL / steps @ earned_AL.T
    return float((expected_BA[:, 0] > expected_BA[:, 1:].max(axis=1)).mean())
