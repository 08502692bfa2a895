"""Parts of results.json beside metrics and gains: tests of pairs, groups, probabilities, seeds."""

from itertools import combinations
from typing import Any

import numpy as np

from factmix import paired, stats
from factmix.answers import Answers, read_answers
from factmix.awareness import awareness
from factmix.results import correct, key, leaf
from factmix.runs import Paths
from factmix.seeds import seed_gains
from factmix.stats import Estimate
from factmix.study import Study

SETTINGS = ("mixture", "reward")
FEWEST_GROUPS = 20  # with fewer, a bootstrap of groups gives intervals far too narrow


def bootstrap_settings(study: Study) -> dict[str, Any]:
    """How to resample; every time from the seed, so that no arm changes another's numbers."""
    return {
        "resamples": study.statistics.resamples,
        "confidence": study.statistics.confidence,
        "rng": np.random.default_rng(study.statistics.seed),
    }


def mcnemar(baseline: Answers, given: Answers, study: Study) -> dict[str, Any]:
    counts_LAA = stats.contingency(given.gold, baseline.predicted, given.predicted)
    test, n = paired.mcnemar(counts_LAA), len(given.gold)
    ratio = test.odds_ratio(study.statistics.confidence)
    exact = Estimate(test.p, p=test.p)  # a value to cite, and a p value to correct
    entry = {
        "fixed": leaf(test.fixed, "count", n, given.run),
        "broken": leaf(test.broken, "count", n, given.run),
        "p": leaf(exact, "", n, given.run),
        "mid_p": leaf(test.mid_p, "", n, given.run),
    }
    # Without a broken answer the ratio is not a number.
    return entry if ratio is None else entry | {"odds_ratio": leaf(ratio, "", n, given.run)}


def shift(baseline: Answers, given: Answers) -> dict[str, Any]:
    counts_LAA = stats.contingency(given.gold, baseline.predicted, given.predicted)
    test, n = paired.stuart_maxwell(counts_LAA), len(given.gold)
    return {
        "statistic": leaf(test.statistic, "", n, given.run),
        "df": leaf(test.df, "count", n, given.run),
        "p": leaf(test.p, "", n, given.run),
    }


def _clustered(given: Answers) -> bool:
    """Whether groups repeat, and are enough for a bootstrap of groups to mean something."""
    return FEWEST_GROUPS <= len(set(given.groups)) < len(given.groups)


def cluster_metrics(given: Answers, study: Study) -> dict[str, Any]:
    if not _clustered(given):
        return {}
    counts_GLA = stats.grouped_contingency(given.groups, given.gold, given.predicted)
    values = stats.cluster_metrics(counts_GLA, **bootstrap_settings(study))
    return {m: leaf(value, "fraction", len(given.gold), given.run) for m, value in values.items()}


def cluster_gains(baseline: Answers, given: Answers, study: Study) -> dict[str, Any]:
    if not _clustered(given):
        return {}
    counts_GLAA = stats.grouped_contingency(
        given.groups, given.gold, baseline.predicted, given.predicted
    )
    gains = stats.cluster_gains(
        counts_GLAA, margin=study.statistics.margin, **bootstrap_settings(study)
    )
    return {m: leaf(gain, "points", len(given.gold), given.run) for m, gain in gains.items()}


def self_awareness(given: Answers, study: Study) -> dict[str, Any]:
    assert given.probabilities is not None
    measured = awareness(given.gold, given.probabilities, **bootstrap_settings(study))
    n = len(given.gold)
    entry: dict[str, Any] = {
        name: leaf(value, "fraction" if name.startswith("risk_at") else "", n, given.run)
        for name, value in measured.estimates.items()
    }
    entry["reliability"] = {
        f"bin_{i}": {
            "confidence": leaf(each.confidence, "fraction", each.n, given.run),
            "accuracy": leaf(each.accuracy, "fraction", each.n, given.run),
        }
        for i, each in enumerate(measured.reliability)
    }
    return entry


def alike_but(study: Study, setting: str) -> list[list[str]]:
    """Compared arms that differ in one setting only, such as "mixture"; two or more each."""
    groups: dict[str, list[str]] = {}
    for name, arm in study.arms.items():
        if study.baseline_of(name) != name:
            groups.setdefault(arm.model_dump_json(exclude={setting}), []).append(name)
    return [names for names in groups.values() if len(names) > 1]


def contrasted(study: Study) -> dict[str, dict[str, tuple[str, str]]]:
    """Arms that differ in one setting only, in pairs.

    Returns:
        "mixture" and "reward" -> the pair's name, such as balanced_over_hard_only -> the arm that
        is subtracted, and the arm that it is subtracted from.
    """
    return {
        setting: {
            key(f"{second}_over_{first}"): (first, second)
            for arms in alike_but(study, setting)
            for first, second in combinations(arms, 2)
        }
        for setting in SETTINGS
    }


def across_seeds(study: Study, paths: Paths) -> dict[str, Any]:
    """Gains over the baseline of the same seed, and contrasts of arms of the same seed."""
    by_seed = [read_answers(study, paths, seed) for seed in study.seeds]

    def of_pair(first: str, second: str) -> dict[str, Any]:
        return {
            key(dataset): _over_seeds(
                study,
                [systems[first][dataset] for systems in by_seed],
                [systems[second][dataset] for systems in by_seed],
                second,
            )
            for dataset in study.datasets
        }

    references = {arm: study.baseline_of(arm) for arm in study.arms}
    found = {
        "across_seeds": {
            key(arm): of_pair(baseline, arm)
            for arm, baseline in references.items()
            if arm != baseline
        },
        "contrasts_across_seeds": {
            setting: {name: of_pair(*pair) for name, pair in pairs.items()}
            for setting, pairs in contrasted(study).items()
        },
    }
    for section in found.values():
        correct(section, lambda path: path.rsplit(".", 2)[1])
    return found


def _over_seeds(
    study: Study, first: list[Answers], second: list[Answers], arm: str
) -> dict[str, Any]:
    """By metric: how far the second system, which is an arm, is above the first on one dataset."""
    gold, seeds = second[0].gold, len(study.seeds)
    tables = [
        stats.gains(stats.contingency(gold, one.predicted, two.predicted))
        for one, two in zip(first, second, strict=True)
    ]
    gains = seed_gains(
        gold,
        [one.predicted for one in first],
        [two.predicted for two in second],
        **bootstrap_settings(study),
    )
    return {
        metric: {
            "by_t": leaf(gain.by_t, "points", seeds, arm),
            "hierarchical": leaf(gain.hierarchical, "points", len(gold), arm),
            "seed_variance": leaf(gain.seed_variance, "squared fraction", seeds, arm),
            "example_variance": leaf(gain.example_variance, "squared fraction", len(gold), arm),
            "by_seed": {
                f"seed_{seed}": leaf(float(table[metric]), "points", len(gold), two.run)
                for seed, table, two in zip(study.seeds, tables, second, strict=True)
            },
        }
        for metric, gain in gains.items()
    }
