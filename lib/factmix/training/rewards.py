"""Rewards of an answer: named components, whose sum is the reward.

The weighted reward is that of the blog's section "Reward function deep-dive" and its released code.
Where the two differ, the study's YAML chooses one.
"""

from collections.abc import Callable
from typing import Any

from factmix.study.labels import INVALID, Label
from factmix.study.settings import (
    AccuracyReward,
    FormatReward,
    Reward,
    WeightedReward,
)


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
