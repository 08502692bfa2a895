"""What an answer earns: named components, of which the reward is the sum.

The weighted reward is the one that the blog's section "Reward function deep-dive" and its released
code describe; where the two differ, the study's YAML chooses a reading.
"""

from collections.abc import Callable
from typing import Any

from factmix.study.labels import INVALID, Label
from factmix.study.settings import AccuracyReward, FormatReward, Reward, WeightedReward


def component_names(reward: Reward) -> tuple[str, ...]:
    """The components of a reward, in the order in which `components` returns them."""
    return tuple(components(reward, predicted=Label.NA, format_valid=True, gold=Label.NA))


def components(
    reward: Reward, *, predicted: str, format_valid: bool, gold: Label
) -> dict[str, float]:
    """What one answer earns, by component; every answer has the same components.

    Args:
        reward: of the study.
        predicted: a label, or "INVALID".
        format_valid: whether the completion was one label and nothing else.
        gold: the verdict of the example.
    """
    return REWARDS[reward.kind](reward, predicted, format_valid, gold)


def _weighted(
    reward: WeightedReward, predicted: str, format_valid: bool, gold: Label
) -> dict[str, float]:
    """The weight w is that of the predicted label (the blog) or of the gold one (its code).

    An answer without a label is scored as NA (the code), or earns nothing but a penalty that is
    the format's and that of the costliest wrong label (our reading of the blog). With the published
    numbers no such answer earns as much as a wrong label does when weights go by the predicted
    label. By the gold label, NA for a claim that is PASS or FAIL earns even less.
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


# By the kind that a study's YAML names; the settings of each are in study/spec.py.
REWARDS: dict[str, Callable[[Any, str, bool, Label], dict[str, float]]] = {
    "weighted": _weighted,
    "accuracy": _accuracy,
    "format_only": _format_only,
}
