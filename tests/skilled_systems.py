"""Systems that answer right as often as a test says, with probabilities."""

from collections.abc import Callable, Sequence

import numpy as np

from factmix.results.answers import Answers
from factmix.study.labels import LABELS
from factmix.study.spec import Study

GOLD = ["NA"] * 40 + ["PASS"] * 20 + ["FAIL"] * 20  # tens, so that shares are alike
WRONG = {"NA": "PASS", "PASS": "FAIL", "FAIL": "NA"}
# How many of ten claims are answered right: by arm and dataset, after a share of the training.
Skill = Callable[[str, str, float], float]


def probabilities(right: np.ndarray, gold: Sequence[str] = GOLD) -> np.ndarray:
    """(N, L): sure of the gold label where it is right, and of another one elsewhere."""
    said = [label if yes else WRONG[label] for label, yes in zip(gold, right, strict=True)]
    return np.array([[0.8 if label == each else 0.1 for label in LABELS] for each in said])


def right(share: float, seed: int) -> np.ndarray:
    """The same share of each label; which claims, the seed turns."""
    return (np.arange(len(GOLD)) + seed) % 10 < 10 * share


def skilled(study: Study, skill: Skill, seed: int) -> dict[str, dict[str, Answers]]:
    """The answers of the base model and of all arms after training with a seed."""
    return {
        arm: {
            name: Answers(
                arm, GOLD, GOLD, [f"g{i}" for i in range(len(GOLD))], None,
                probabilities(right(skill(arm, name, 1.0), 0 if arm == "base" else seed)),
            )
            for name in study.datasets
        }
        for arm in ("base", *study.arms)
    }  # fmt: skip
