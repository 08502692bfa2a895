"""Findings about the published study, computed from its released files.

Each function takes what `released.derive` returned, a reward, or a study with the published
settings, and returns plain numbers.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from factmix.published import recomputed
from factmix.published.released import CONTROL, DATASETS, MIXTURES, SYSTEMS
from factmix.stats.metrics import Floats, metrics
from factmix.study.labels import ANSWERS, LABELS, Label
from factmix.study.protocol import updates_sampled_from
from factmix.study.settings import Reward
from factmix.study.spec import Study
from factmix.training.rewards import components

STEPS = 60  # the grid on the simplex of beliefs has steps of 1 / STEPS

# How many claims the published study draws from Climate-FEVER, from its code and the blog.
CLIMATE_TRAIN = {"NA": 180, "PASS": 180, "FAIL": 150}
CLIMATE_EVALUATION = {"NA": 500, "PASS": 250, "FAIL": 250}
SAMPLER_REFRESH = 50  # training steps; from the released code


def no_evidence_rule(derived: dict[str, Any], dataset: str) -> dict[str, float]:
    """Accuracy of the rule "NA exactly where there is no evidence".

    Returns:
        na_without: share of NA claims without evidence; others_without: the same for the others;
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


def climate_overlap(
    derived: dict[str, Any], training: Mapping[str, int] = CLIMATE_TRAIN
) -> dict[str, dict[str, float]]:
    """How many Climate-FEVER claims are in both training and evaluation, by label.

    Two draws of t and e claims from a pool of n share at least t + e - n (pigeonhole), and t e / n
    on average if they are independent, as with two seeds.

    Args:
        derived: the result of `released.derive`.
        training: claims drawn per label; by default those of the two mixtures with the most.

    Returns:
        gold label -> pool, at_least, expected.
    """
    pool = derived["climate_fever_pool"]
    return {
        label: {
            "pool": pool[label],
            "at_least": max(0, training[label] + CLIMATE_EVALUATION[label] - pool[label]),
            "expected": training[label] * CLIMATE_EVALUATION[label] / pool[label],
        }
        for label in map(str, LABELS)
    }


def accuracies(derived: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Accuracy of every system and of always answering NA: dataset -> system -> fraction."""
    found = {}
    for dataset in DATASETS:
        tables = {s: recomputed.confusion(derived, s, dataset) for s in SYSTEMS}
        found[dataset] = {s: float(metrics(table)["accuracy"]) for s, table in tables.items()}
        gold_L = tables[CONTROL].sum(axis=1)
        found[dataset]["always_na"] = float(gold_L[LABELS.index(Label.NA)] / gold_L.sum())
    return found


def na_shares(derived: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The share of NA among all answers: dataset -> system -> fraction."""
    na, found = ANSWERS.index(Label.NA), {}
    for dataset in DATASETS:
        tables = {s: recomputed.confusion(derived, s, dataset) for s in SYSTEMS}
        found[dataset] = {s: float(table[:, na].sum() / table.sum()) for s, table in tables.items()}
    return found


def invalid_answers(derived: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Answers without a readable label: dataset -> system -> count."""
    invalid = ANSWERS.index("INVALID")
    return {
        dataset: {
            system: int(recomputed.confusion(derived, system, dataset)[:, invalid].sum())
            for system in SYSTEMS
        }
        for dataset in DATASETS
    }


def explored(derived: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The explore component of the reward in each log; it is above 0 for any PASS or FAIL.

    Returns:
        mixture -> steps: how many were logged; greatest: the largest value of the component.
    """
    curves = {mixture: derived["curves"][mixture] for mixture in MIXTURES}
    return {
        mixture: {
            "steps": curve["steps"],
            "greatest": curve["logged"]["reward/r_explore"]["greatest"],
        }
        for mixture, curve in curves.items()
    }


def sampler_age(steps: int, every: int = SAMPLER_REFRESH) -> dict[str, float]:
    """How many updates the sampling policy lags behind the trained one.

    See `protocol.updates_sampled_from` for when the released code refreshes the sampler.

    Returns:
        untrained: steps sampled from the base model; mean, longest: lag over the steps, in updates.
    """
    taken = np.array([updates_sampled_from(step, every) for step in range(steps)])
    lag = np.arange(steps) - taken
    return {
        "untrained": int((taken == 0).sum()),
        "mean": float(lag.mean()),
        "longest": int(lag.max()),
    }


def mixture_sizes(study: Study) -> dict[str, dict[str, float]]:
    """The size of each mixture, its share of easy examples, and its number of epochs.

    Args:
        study: with the published mixtures, in which "fever" is the easy dataset.

    Returns:
        mixture -> total examples; easy, the share from FEVER (fraction); passes (epochs).
    """
    prompts = study.training.steps * study.training.prompts_per_step
    sizes = {}
    for name in MIXTURES:
        of_dataset = {d: sum(counts.values()) for d, counts in study.mixtures[name].items()}
        total = sum(of_dataset.values())
        sizes[name] = {
            "total": total,
            "easy": of_dataset.get("fever", 0) / total,
            "passes": prompts / total,
        }
    return sizes


def implied_weights(derived: dict[str, Any], mixture: str, wrong: float) -> dict[str, float]:
    """The reward weights behind a log, from the reward of wrong answers by gold label.

    Where every answer to a gold label is wrong, the component `r_correct` is the same at each step:
    the factor of a wrong answer times the weight. Other labels are left out.

    Args:
        derived: the result of `released.derive`.
        mixture: the run.
        wrong: the printed factor of a wrong answer, below zero.

    Returns:
        gold label -> weight.
    """
    by_gold = derived["curves"][mixture]["by_gold"]
    parts = {label: by_gold[label]["r_correct"] for label in map(str, LABELS)}
    return {
        label: part["least"] / wrong
        for label, part in parts.items()
        if part["least"] == part["greatest"] < 0
    }


def earned(reward: Reward) -> Floats:
    """The reward of each well-formed answer at each gold label, shape (gold, answer)."""
    return np.array(
        [
            [
                sum(components(reward, predicted=answer, format_valid=True, gold=gold).values())
                for answer in LABELS
            ]
            for gold in LABELS
        ]
    )


def decision_regions(reward: Reward) -> dict[str, Floats]:
    """The beliefs at which each label has the highest expected reward, as convex polygons.

    Returns:
        label -> corners (V, 3) as (p(NA), p(PASS), p(FAIL)); empty where a label is never the best.
    """
    earned_LA = earned(reward)
    regions = {}
    for i, label in enumerate(LABELS):
        corners = np.eye(len(LABELS))
        for j in range(len(LABELS)):
            if j != i:
                corners = _where_positive(corners, earned_LA[:, i] - earned_LA[:, j])
        regions[str(label)] = corners
    return regions


def _where_positive(corners: Floats, advantage_L: Floats) -> Floats:
    """Clips a convex polygon to the part where an expected advantage is not negative."""
    values = corners @ advantage_L
    kept: list[Floats] = []
    for k, value in enumerate(values):
        before = values[k - 1]
        if before * value < 0:
            share = before / (before - value)
            kept.append(corners[k - 1] + share * (corners[k] - corners[k - 1]))
        if value >= 0:
            kept.append(corners[k])
    # A point or a line has no area; there the label is only tied for the best.
    return np.array(kept) if len(kept) > 2 else np.empty((0, corners.shape[1]))


def decision_shares(reward: Reward) -> dict[str, float]:
    """Share of beliefs at which each label has the highest expected reward.

    Args:
        reward: of a study; answers are assumed to be well-formed.

    Returns:
        label -> share of the simplex of beliefs (p(NA), p(PASS), p(FAIL)), on a grid without the
        edge. Tied labels share a belief equally.
    """
    earned_LA = earned(reward)
    beliefs = np.array(
        [(na, yes, STEPS - na - yes) for na in range(1, STEPS) for yes in range(1, STEPS - na)]
    )
    expected = beliefs / STEPS @ earned_LA
    best = np.isclose(expected, expected.max(axis=1, keepdims=True))
    shares = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    return {str(label): float(share) for label, share in zip(LABELS, shares, strict=True)}
