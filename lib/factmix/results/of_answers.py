"""The sections of results.json about the answers of one system, or of two, on one dataset."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from factmix.results.answers import Answers
from factmix.results.results_json import leaf
from factmix.stats import bootstrap, paired_tests
from factmix.stats.awareness import awareness
from factmix.stats.bootstrap import Estimate
from factmix.stats.constants import cross_fitted
from factmix.stats.metrics import Counts, contingency, examples_of, grouped_contingency
from factmix.stats.metrics import metrics as metrics_of
from factmix.stats.shift import discrimination, rank_correlation, shift_or_learning
from factmix.study.labels import ANSWERS, LABELS, Label
from factmix.study.spec import Study

FEWEST_GROUPS = 20  # with fewer, the intervals of a cluster bootstrap are far too narrow


def bootstrap_settings(study: Study) -> dict[str, Any]:
    """The arguments of a bootstrap; each starts from the seed, so that arms are independent."""
    return {
        "resamples": study.statistics.resamples,
        "confidence": study.statistics.confidence,
        "rng": np.random.default_rng(study.statistics.seed),
    }


_CONFUSION: dict[str, str] = {
    "confusion.<system>.<dataset>": "counts: a row for each gold label, NA, PASS, FAIL; a column "
    "for each answer, NA, PASS, FAIL, INVALID",
}


def confusion(given: Answers) -> Counts:
    return contingency(given.gold, given.predicted)


_METRICS: dict[str, str] = {
    "metrics.<system>.<dataset>.<metric>": "on the evaluation set",
}


def metrics(given: Answers, study: Study) -> dict[str, Any]:
    confusion_LA = confusion(given)
    if given.valid is None:  # a constant answer has the same score in every resample
        values: Mapping[str, Estimate | float] = {
            name: float(value) for name, value in metrics_of(confusion_LA).items()
        }
    else:
        values = bootstrap.bootstrap_metrics(confusion_LA, **bootstrap_settings(study))
    return metric_leaves(values, "fraction", given.gold, given.run)


_GAINS: dict[str, str] = {
    "gains.<system>.<dataset>.<metric>": "difference to the baseline, paired by example",
}


def gains(baseline: Answers, given: Answers, study: Study) -> dict[str, Any]:
    counts_LAA = contingency(given.gold, baseline.predicted, given.predicted)
    gains = bootstrap.bootstrap_gains(
        counts_LAA, margin=study.statistics.margin, **bootstrap_settings(study)
    )
    return metric_leaves(gains, "points", given.gold, given.run)


def metric_leaves(
    estimates: Mapping[str, Estimate | float], unit: str, gold: list[str], run: str
) -> dict[str, dict[str, Any]]:
    """Leaves of metrics, or of their differences, on examples with these gold labels."""
    of_how_many = examples_of(gold)
    return {
        name: leaf(estimate, unit, of_how_many[name], run) for name, estimate in estimates.items()
    }


_SHARES: dict[str, str] = {
    "format_rate.<system>.<dataset>": "share of the answers that are exactly one label",
    "answer_share.<system>.<dataset>.<answer>": "share of the examples with this answer",
}


def format_rate(given: Answers, study: Study) -> dict[str, Any]:
    assert given.valid is not None
    n = len(given.gold)
    rate = bootstrap.proportion(given.valid, n, confidence=study.statistics.confidence)
    return leaf(rate, "fraction", n, given.run)


def answer_shares(given: Answers, study: Study) -> dict[str, Any]:
    n, confidence = len(given.gold), study.statistics.confidence
    shares = {
        answer: bootstrap.proportion(given.predicted.count(answer), n, confidence=confidence)
        for answer in map(str, ANSWERS)
    }
    return {name: leaf(share, "fraction", n, given.run) for name, share in shares.items()}


_TESTS: dict[str, str] = {
    "mcnemar.<system>.<dataset>.fixed": "examples that are right, and wrong in the baseline",
    "mcnemar.<system>.<dataset>.broken": "examples that are wrong, and right in the baseline",
    "mcnemar.<system>.<dataset>.p": "McNemar's exact test of whether both are equally likely; "
    "its n are the examples that are fixed or broken",
    "mcnemar.<system>.<dataset>.mid_p": "its mid-p version",
    "mcnemar.<system>.<dataset>.odds_ratio": "fixed over broken; absent where none is broken",
    "shift.<system>.<dataset>.statistic": "Stuart-Maxwell test of a shift in the shares of answers",
    "shift.<system>.<dataset>.df": "its degrees of freedom",
    "shift.<system>.<dataset>.p": "its p value",
}


def mcnemar(baseline: Answers, given: Answers, study: Study) -> dict[str, Any]:
    counts_LAA = contingency(given.gold, baseline.predicted, given.predicted)
    test = paired_tests.mcnemar(counts_LAA)
    tested = test.fixed + test.broken
    entry = {
        name: leaf(getattr(test, name), "count", len(given.gold), given.run)
        for name in ("fixed", "broken")
    }
    entry |= {name: leaf(getattr(test, name), "", tested, given.run) for name in ("p", "mid_p")}
    entry["p"]["p"] = test.p  # a value to cite, and a p value to correct
    ratio = test.odds_ratio(study.statistics.confidence)
    return entry if ratio is None else entry | {"odds_ratio": leaf(ratio, "", tested, given.run)}


def shift(baseline: Answers, given: Answers) -> dict[str, Any]:
    counts_LAA = contingency(given.gold, baseline.predicted, given.predicted)
    test, n = paired_tests.stuart_maxwell(counts_LAA), len(given.gold)
    return {
        "statistic": leaf(test.statistic, "", n, given.run),
        "df": leaf(test.df, "count", n, given.run),
        "p": leaf(test.p, "", n, given.run),
    }


_LEARNING: dict[str, str] = {
    "learning.<arm>.<dataset>.before": "balanced accuracy of the base model, where every "
    "answer is the label of highest probability, or shared by several",
    "learning.<arm>.<dataset>.after": "the same of the arm",
    "learning.<arm>.<dataset>.total": "the difference",
    "learning.<arm>.<dataset>.shift": "the part of it that two constants added to the base "
    "model's log-odds give, with which it gives each label as often as the arm",
    "learning.<arm>.<dataset>.learning": "the rest of it",
    "learning.<arm>.<dataset>.agreement": "share of the answers that are the same with these "
    "constants",
    "learning.<arm>.<dataset>.agreement_unshifted": "the same without them",
    "learning.<arm>.<dataset>.constants.<label>": "these constants; NA has none",
    "learning.<arm>.<dataset>.auroc_na": "change of the probability that an example of gold NA has "
    "a higher probability of NA than another",
    "learning.<arm>.<dataset>.auroc_pass_fail": "the same of PASS against FAIL, by their log-odds",
    "learning.<arm>.<dataset>.rank_correlation": "Spearman's, of the log-odds of NA and PASS with "
    "the base model's",
    "constants.<system>.<dataset>.<metric>": "of the base model with two constants, fitted to "
    "the gold labels of other groups; absent where there are few groups",
}


def learning(base: Answers, given: Answers, study: Study) -> dict[str, Any]:
    """A change of balanced accuracy as shift and learning; see `factmix.stats.shift`."""
    assert base.probabilities is not None and given.probabilities is not None
    split = shift_or_learning(
        given.gold, base.probabilities, given.probabilities, **bootstrap_settings(study)
    )
    n, verdicts = len(given.gold), len(given.gold) - given.gold.count(Label.NA)
    before = discrimination(base.gold, base.probabilities)
    after = discrimination(given.gold, given.probabilities)
    constants = dict(zip(map(str, LABELS), split.constants.tolist(), strict=True))
    return {
        "before": leaf(split.before, "fraction", n, base.run),
        "after": leaf(split.before + split.total.value, "fraction", n, given.run),
        **{
            name: leaf(part, "points", n, given.run)
            for name, part in (
                ("total", split.total),
                ("shift", split.shift),
                ("learning", split.learning),
            )
        },
        "agreement": leaf(split.agreement, "fraction", n, given.run),
        "agreement_unshifted": leaf(split.agreement_unshifted, "fraction", n, given.run),
        "constants": {label: leaf(constants[label], "nats", n, given.run) for label in constants},
        "auroc_na": leaf(after["auroc_na"] - before["auroc_na"], "", n, given.run),
        "auroc_pass_fail": leaf(
            after["auroc_pass_fail"] - before["auroc_pass_fail"], "", verdicts, given.run
        ),
        "rank_correlation": leaf(
            rank_correlation(base.probabilities, given.probabilities), "", n, given.run
        ),
    }


def with_constants(given: Answers, study: Study) -> dict[str, Any]:
    """Metrics with two constants, cross-fitted; none with too few groups to fit them."""
    assert given.probabilities is not None
    labelled = set(zip(given.gold, given.groups, strict=True))
    if min(sum(gold == label for gold, _ in labelled) for label in LABELS) < FEWEST_GROUPS:
        return {}
    answers_N = cross_fitted(given.gold, given.groups, given.probabilities)
    return metrics(replace(given, predicted=[str(LABELS[i]) for i in answers_N]), study)


_CLUSTERED: dict[str, str] = {
    "clustered.metrics.<system>.<dataset>.<metric>": "as metrics, with groups resampled; of "
    "several seeds it is `grouped` of metrics_across_seeds",
    "clustered.gains.<system>.<dataset>.<metric>": "as gains, with groups resampled; of several "
    "seeds it is `grouped` of across_seeds",
}


def _clustered(given: Answers) -> bool:
    """Whether some group has several examples, and there are enough groups to resample."""
    return FEWEST_GROUPS <= len(set(given.groups)) < len(given.groups)


def cluster_metrics(given: Answers, study: Study) -> dict[str, Any]:
    if not _clustered(given):
        return {}
    counts_GLA = grouped_contingency(given.groups, given.gold, given.predicted)
    values = bootstrap.cluster_metrics(counts_GLA, **bootstrap_settings(study))
    return metric_leaves(values, "fraction", given.gold, given.run)


def cluster_gains(baseline: Answers, given: Answers, study: Study) -> dict[str, Any]:
    if not _clustered(given):
        return {}
    counts_GLAA = grouped_contingency(given.groups, given.gold, baseline.predicted, given.predicted)
    gains = bootstrap.cluster_gains(
        counts_GLAA, margin=study.statistics.margin, **bootstrap_settings(study)
    )
    return metric_leaves(gains, "points", given.gold, given.run)


_AWARENESS: dict[str, str] = {
    "awareness.<system>.<dataset>.ece": "calibration error of the most probable label: mean gap "
    "between its probability and how often it is right",
    "awareness.<system>.<dataset>.brier": "Brier score of the label probabilities, 0 to 2",
    "awareness.<system>.<dataset>.auroc_na": "probability that an example of gold NA has a higher "
    "probability of NA than another",
    "awareness.<system>.<dataset>.auroc_pass_fail": "probability that an example of gold PASS has "
    "higher odds of PASS against FAIL than one of gold FAIL",
    "awareness.<system>.<dataset>.aurc": "mean of the risk over all shares of answered examples",
    "awareness.<system>.<dataset>.risk_at_<number>": "risk when so many percent are answered, "
    "those with the lowest probability of NA: share of errors when PASS or FAIL is answered",
    "awareness.<system>.<dataset>.reliability.bin_<number>.confidence": "mean probability of the "
    "most probable label, in one of ten bins of equal mass",
    "awareness.<system>.<dataset>.reliability.bin_<number>.accuracy": "share of right ones there",
}


def self_awareness(given: Answers, study: Study) -> dict[str, Any]:
    assert given.probabilities is not None
    measured = awareness(given.gold, given.probabilities, **bootstrap_settings(study))
    entry: dict[str, Any] = {
        name: leaf(
            value,
            "fraction" if name.startswith("risk_at") else "",
            measured.examples[name],
            given.run,
        )
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


KEYS: dict[str, str] = (
    _METRICS | _GAINS | _TESTS | _LEARNING | _CLUSTERED | _AWARENESS | _SHARES | _CONFUSION
)
