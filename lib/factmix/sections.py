"""Parts of results.json beside metrics and gains: tests of pairs, groups, probabilities, seeds."""

from typing import Any

import numpy as np

from factmix import paired, stats
from factmix.answers import Answers, read_answers
from factmix.awareness import awareness
from factmix.results import key, leaf
from factmix.runs import Paths
from factmix.seeds import SeedGain, seed_gains
from factmix.stats import Estimate
from factmix.study import Study

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


def across_seeds(study: Study, paths: Paths) -> dict[str, Any]:
    """Gains over the baseline of the same seed: arm, dataset, metric."""
    by_seed = [read_answers(study, paths, seed) for seed in study.seeds]

    def of_seeds(arm: str, dataset: str, metric: str) -> dict[str, Any]:
        found = {}
        for seed, systems in zip(study.seeds, by_seed, strict=True):
            first, given = systems[study.baseline_of(arm)][dataset], systems[arm][dataset]
            gain = stats.gains(stats.contingency(given.gold, first.predicted, given.predicted))
            n, run = len(given.gold), paths.arm(arm, seed).name
            found[f"seed_{seed}"] = leaf(float(gain[metric]), "points", n, run)
        return found

    return {
        key(arm): {
            key(dataset): {
                metric: {
                    **_seed_leaves(gain, len(given.gold), len(study.seeds), arm),
                    "by_seed": of_seeds(arm, dataset, metric),
                }
                for metric, gain in seed_gains(
                    given.gold,
                    [systems[study.baseline_of(arm)][dataset].predicted for systems in by_seed],
                    [systems[arm][dataset].predicted for systems in by_seed],
                    **bootstrap_settings(study),
                ).items()
            }
            for dataset, given in by_seed[0][arm].items()
        }
        for arm in study.arms
        if arm != study.baseline_of(arm)
    }


def _seed_leaves(gain: SeedGain, examples: int, seeds: int, arm: str) -> dict[str, Any]:
    return {
        "by_t": leaf(gain.by_t, "points", seeds, arm),
        "hierarchical": leaf(gain.hierarchical, "points", examples, arm),
        "seed_variance": leaf(gain.seed_variance, "squared fraction", seeds, arm),
        "example_variance": leaf(gain.example_variance, "squared fraction", examples, arm),
    }
