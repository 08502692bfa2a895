"""Rewards of an answer: named components, whose sum is the reward.

The weighted reward is that of the blog's section "Reward function deep-dive" and its released code.
Where the two differ, the study's YAML chooses one.
"""

from collections.abc import Callable, Sequence
from statistics import fmean, stdev
from typing import Any

from factmix.study.labels import ANSWERS, INVALID, LABELS, Label
from factmix.study.settings import (
    AccuracyReward,
    FormatReward,
    Reward,
    WeightedReward,
)

EPSILON = 1e-4  # that TRL adds to the spread of a group's rewards


def component_names(reward: Reward) -> tuple[str, ...]:
    """The names of a reward's components, in the order of `components`."""
    return tuple(components(reward, predicted=Label.NA, format_valid=True, gold=Label.NA))


def components(
    reward: Reward, *, predicted: str, format_valid: bool, gold: Label
) -> dict[str, float]:
    """The reward of one answer by component; every answer has the same components.

    Args:
        reward: of the study.
        predicted: a label, or "INVALID".
        format_valid: whether the completion is one label and nothing else.
        gold: the verdict of the example.
    """
    return REWARDS[reward.kind](reward, predicted, format_valid, gold)


def advantages(rewards_G: Sequence[float]) -> list[float]:
    """What a group of completions of one claim makes of its rewards: centred, over their spread.

    As TRL computes it with rewards scaled by group: with the standard deviation of a sample, and 0
    where all rewards are equal. In a group with two different rewards, advantages say only which
    answer earns more, and how many completions gave it.

    Source: Shao et al. (2024), DeepSeekMath, equation of the outcome-supervised GRPO.
    """
    spread = stdev(rewards_G)
    return [(each - fmean(rewards_G)) / (spread + EPSILON) for each in rewards_G]


def orders(reward: Reward, *, without: str = "") -> dict[Label, list[list[str]]]:
    """The answers in valid format by what they earn, the best first; equal ones together.

    Args:
        reward: of the study.
        without: the name of a component that is left out.

    Returns:
        for each gold label groups of answers that earn the same.
    """
    found = {}
    for gold in LABELS:
        earned: dict[float, list[str]] = {}
        for answer in ANSWERS:
            parts = components(reward, predicted=answer, format_valid=answer != INVALID, gold=gold)
            total = sum(value for name, value in parts.items() if name != without)
            earned.setdefault(round(total, 9), []).append(str(answer))
        found[gold] = [earned[total] for total in sorted(earned, reverse=True)]
    return found


def _weighted(
    reward: WeightedReward, predicted: str, format_valid: bool, gold: Label
) -> dict[str, float]:
    """The weighted reward; w is the weight of the predicted (blog) or of the gold label (code).

    An answer without a label is scored as NA (code), or gets only penalties: that of the format
    and that of the costliest wrong label (our reading of the blog). With the published numbers and
    weights by predicted label, such an answer is rewarded less than any wrong label. With weights
    by gold label, only NA for a PASS or FAIL claim is rewarded even less than such an answer.
    """
    format_ = 0.0 if format_valid else reward.format
    if predicted == INVALID and reward.invalid_as == "invalid":
        penalty = abs(reward.wrong) * max(reward.weights.values())
        return {"correct": 0.0, "false_na": 0.0, "explore": 0.0, "format": format_ - penalty}
    answer = Label.NA if predicted == INVALID else Label(predicted)
    weight = reward.weights[answer if reward.weight_by == "predicted" else gold]
    false_na = answer is Label.NA and gold is not Label.NA
    return {
        "correct": (reward.correct if answer is gold else reward.wrong) * weight,
        "false_na": reward.false_na * weight if false_na else 0.0,
        "explore": 0.0 if answer is Label.NA else reward.explore,
        "format": format_,
    }


def _accuracy(
    reward: AccuracyReward, predicted: str, format_valid: bool, gold: Label
) -> dict[str, float]:
    return {"accuracy": float(predicted == gold)}


def _format_only(
    reward: FormatReward, predicted: str, format_valid: bool, gold: Label
) -> dict[str, float]:
    return {"format_only": 1.0 if format_valid else -1.0}


# By the kind that a study's YAML names; the settings of each are in study/settings.py.
REWARDS: dict[str, Callable[[Any, str, bool, Label], dict[str, float]]] = {
    "weighted": _weighted,
    "accuracy": _accuracy,
    "format_only": _format_only,
}
