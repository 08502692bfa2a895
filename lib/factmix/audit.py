"""What the released files show about the published study, each finding computed.

Each function takes what `released.derive` kept, or a reward, and returns plain numbers; the
notebook published.md shows them beside what they can and cannot explain.
"""

from typing import Any

import numpy as np

from factmix import published, stats
from factmix.labels import ANSWERS, LABELS, Label
from factmix.released import CONTROL, DATASETS, MIXTURES, SYSTEMS
from factmix.rewards import components
from factmix.study import Reward

STEPS = 60  # the simplex of posteriors is looked at in steps of 1 / STEPS

# Of the published study, from its code and the blog: what is drawn from Climate-FEVER's pool.
CLIMATE_TRAIN = {"NA": 180, "PASS": 180, "FAIL": 150}
CLIMATE_EVALUATION = {"NA": 500, "PASS": 250, "FAIL": 250}


def no_evidence_rule(derived: dict[str, Any], dataset: str) -> dict[str, float]:
    """What the rule "no evidence means NA, and evidence that it is not NA" scores.

    Returns:
        na_without: share of NA claims without evidence; others_without: the same of the others;
        accuracy: of the rule, as a decision between NA and the rest. Fractions.
    """
    evidence = derived["evidence"][dataset]
    na = evidence[Label.NA]
    others = {
        kind: sum(evidence[label][kind] for label in LABELS if label != Label.NA)
        for kind in ("with", "without")
    }
    total = sum(na.values()) + sum(others.values())
    return {
        "na_without": na["without"] / sum(na.values()),
        "others_without": others["without"] / sum(others.values()),
        "accuracy": (na["without"] + others["with"]) / total,
    }


def climate_overlap(derived: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Claims of Climate-FEVER that are drawn for training and for evaluation, by label.

    Two draws of t and e from a pool of n share t + e - n at the least (pigeonhole), and t e / n on
    average when they are independent, as with two seeds.

    Returns:
        gold label -> pool, at_least, expected.
    """
    pool = derived["climate_fever_pool"]
    return {
        label: {
            "pool": pool[label],
            "at_least": max(0, CLIMATE_TRAIN[label] + CLIMATE_EVALUATION[label] - pool[label]),
            "expected": CLIMATE_TRAIN[label] * CLIMATE_EVALUATION[label] / pool[label],
        }
        for label in map(str, LABELS)
    }


def accuracies(derived: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Accuracy of every system and of always answering NA: dataset -> system -> fraction."""
    found = {}
    for dataset in DATASETS:
        tables = {s: published.confusion(derived, s, dataset) for s in SYSTEMS}
        found[dataset] = {s: float(stats.metrics(table)["accuracy"]) for s, table in tables.items()}
        gold_L = tables[CONTROL].sum(axis=1)
        found[dataset]["always_na"] = float(gold_L[LABELS.index(Label.NA)] / gold_L.sum())
    return found


def invalid_answers(derived: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Answers in which nothing could be read: dataset -> system -> count."""
    invalid = ANSWERS.index("INVALID")
    return {
        dataset: {
            system: int(published.confusion(derived, system, dataset)[:, invalid].sum())
            for system in SYSTEMS
        }
        for dataset in DATASETS
    }


def explored(derived: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The explore part of the reward in each log, which is above 0 for any PASS or FAIL.

    Returns:
        mixture -> steps logged, greatest value of the part.
    """
    curves = {mixture: derived["curves"][mixture] for mixture in MIXTURES}
    return {
        mixture: {
            "steps": curve["steps"],
            "greatest": curve["logged"]["reward/r_explore"]["greatest"],
        }
        for mixture, curve in curves.items()
    }


def decision_shares(reward: Reward) -> dict[str, float]:
    """For which beliefs each label is the answer with the highest expected reward.

    Args:
        reward: of a study; answers are taken to be well-formed.

    Returns:
        label -> share of the simplex of beliefs (p(NA), p(PASS), p(FAIL)), on a grid that leaves
        out its edge. Where labels tie, each gets its part.
    """
    earned_LA = np.array(
        [
            [
                sum(components(reward, predicted=answer, format_valid=True, gold=gold).values())
                for answer in LABELS
            ]
            for gold in LABELS
        ]
    )
    beliefs = np.array(
        [(na, yes, STEPS - na - yes) for na in range(1, STEPS) for yes in range(1, STEPS - na)]
    )
    expected = beliefs / STEPS @ earned_LA
    best = np.isclose(expected, expected.max(axis=1, keepdims=True))
    shares = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    return {str(label): float(share) for label, share in zip(LABELS, shares, strict=True)}
