"""Contingency counts in, metrics with intervals out.

Axis suffixes: L gold label (3, order of `LABELS`), A answer (4, order of `ANSWERS`, INVALID last),
B resamples. Every metric is a function of the table of counts gold x answer, so a resample of
examples is one multinomial draw of that table and the whole bootstrap is array arithmetic.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats as scipy_stats
from statsmodels.stats import contingency_tables
from statsmodels.stats.proportion import proportion_confint

from factmix.labels import ANSWERS, LABELS

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

METRICS: tuple[str, ...] = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    *(f"f1_{label.lower()}" for label in LABELS),
    *(f"recall_{label.lower()}" for label in LABELS),
)


@dataclass(frozen=True)
class Estimate:
    """A number and how sure it is.

    Attributes:
        value: computed on the data as they are.
        interval: lower and upper confidence limit; None where it is not defined.
        p: two-sided p value of "this is 0"; None where nothing was tested.
    """

    value: float
    interval: tuple[float, float] | None = None
    p: float | None = None


@dataclass(frozen=True)
class McNemar:
    """Examples on which exactly one of two systems is right.

    Attributes:
        fixed: the first is wrong, the second right.
        broken: the first is right, the second wrong.
        p: exact two-sided p value of "fixing is as likely as breaking".
    """

    fixed: int
    broken: int
    p: float


def contingency(gold: Sequence[str], *answers: Sequence[str]) -> Counts:
    """How often each combination of gold label and answers occurs.

    Args:
        gold: the gold label of each example.
        answers: for each system, its answer to each example in the same order.

    Returns:
        counts of shape (L, A) for one system, (L, A, A) for two, and so on.

    Raises:
        ValueError: a gold label not in `LABELS`, an answer not in `ANSWERS`, or lengths differ.
    """
    if any(len(given) != len(gold) for given in answers):
        lengths = ", ".join(str(len(given)) for given in answers)
        raise ValueError(f"{len(gold)} gold labels, but {lengths} answers; expected as many")
    cells = (_codes(gold, LABELS, "gold label"), *(_codes(a, ANSWERS, "answer") for a in answers))
    counts = np.zeros((len(LABELS), *(len(ANSWERS) for _ in answers)), dtype=np.int64)
    np.add.at(counts, cells, 1)
    return counts


def _codes(values: Sequence[str], among: Sequence[str], what: str) -> npt.NDArray[np.intp]:
    codes = pd.Index([str(name) for name in among]).get_indexer(pd.Index(values, dtype=object))
    if (codes < 0).any():
        got = np.asarray(values, dtype=object)[codes < 0][0]
        raise ValueError(f"{what} {got!r} is unknown; expected one of: {', '.join(among)}")
    return codes


def metrics(counts_LA: npt.NDArray[Any]) -> dict[str, Floats]:
    """The metrics of tables gold x answer; an INVALID answer is wrong.

    Balanced accuracy is the mean recall of the three labels, macro F1 their mean F1. F1 of a label
    that is never answered is 0.

    Args:
        counts_LA: counts of shape (..., L, A).

    Returns:
        for each of `METRICS` a fraction 0-1 of shape (...).

    Raises:
        ValueError: a table has no example of some label, whose recall would not be defined.
    """
    gold_L = counts_LA.sum(axis=-1)
    lacking = [label for i, label in enumerate(LABELS) if (gold_L[..., i] == 0).any()]
    if lacking:
        raise ValueError(f"no example with gold label {', '.join(lacking)}; expected some of each")
    right_L = np.stack([counts_LA[..., i, i] for i in range(len(LABELS))], axis=-1)
    answered_L = counts_LA.sum(axis=-2)[..., : len(LABELS)]
    recall_L = right_L / gold_L
    f1_L = 2 * right_L / (gold_L + answered_L)
    values = [
        right_L.sum(axis=-1) / gold_L.sum(axis=-1),
        recall_L.mean(axis=-1),
        f1_L.mean(axis=-1),
    ]
    values += [f1_L[..., i] for i in range(len(LABELS))]
    values += [recall_L[..., i] for i in range(len(LABELS))]
    return dict(zip(METRICS, values, strict=True))


def resample(counts: Counts, resamples: int, rng: np.random.Generator) -> Counts:
    """Bootstrap tables: as many examples of each gold label as there are, drawn with replacement.

    Stratified by gold label because the evaluation set was drawn with fixed counts of each.

    Args:
        counts: shape (L, ...).
        resamples: B.
        rng: the source of randomness.

    Returns:
        counts of shape (B, L, ...).
    """
    draws = [
        rng.multinomial(total := int(row.sum()), row.ravel() / max(total, 1), size=resamples)
        for row in counts
    ]
    return np.stack(draws, axis=1).reshape(resamples, *counts.shape)


def bootstrap_metrics(
    counts_LA: Counts, *, resamples: int, confidence: float, rng: np.random.Generator
) -> dict[str, Estimate]:
    """The metrics of one system with percentile bootstrap intervals."""
    drawn = metrics(resample(counts_LA, resamples, rng))
    return {
        name: Estimate(float(value), _percentiles(drawn[name], confidence))
        for name, value in metrics(counts_LA).items()
    }


def bootstrap_gains(
    counts_LAA: Counts, *, resamples: int, confidence: float, rng: np.random.Generator
) -> dict[str, Estimate]:
    """How much the second system's metrics exceed the first's, by the paired bootstrap.

    Both systems answered the same examples, so examples are resampled with both answers.

    Args:
        counts_LAA: gold x first answer x second answer, from `contingency`.
        resamples: B.
        confidence: coverage of the intervals, such as 0.95.
        rng: the source of randomness.

    Returns:
        for each of `METRICS` the difference second minus first, its percentile interval, and
        p = min(1, 2 (1 + min(#[d <= 0], #[d >= 0])) / (B + 1)) over the resampled differences d.
    """

    def gains(tables_LAA: Counts) -> dict[str, Floats]:
        first, second = metrics(tables_LAA.sum(axis=-1)), metrics(tables_LAA.sum(axis=-2))
        return {name: second[name] - first[name] for name in METRICS}

    drawn = gains(resample(counts_LAA, resamples, rng))
    return {
        name: Estimate(
            float(value), _percentiles(drawn[name], confidence), bootstrap_p(drawn[name])
        )
        for name, value in gains(counts_LAA).items()
    }


def bootstrap_p(differences_B: Floats) -> float:
    """Two-sided p value of "no difference", never below 2 / (B + 1)."""
    tail = min(int((differences_B <= 0).sum()), int((differences_B >= 0).sum()))
    return min(1.0, 2 * (1 + tail) / (len(differences_B) + 1))


def _percentiles(values_B: Floats, confidence: float) -> tuple[float, float]:
    low, high = np.quantile(values_B, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def mcnemar(counts_LAA: Counts) -> McNemar:
    """The exact McNemar test on the table gold x first answer x second answer."""
    right_12 = np.zeros((2, 2), dtype=np.int64)  # [first is right, second is right]
    for gold, table in enumerate(counts_LAA):
        is_gold = (np.arange(len(ANSWERS)) == gold).astype(int)
        np.add.at(right_12, np.ix_(is_gold, is_gold), table)
    test: Any = contingency_tables.mcnemar(right_12, exact=True)
    return McNemar(fixed=int(right_12[0, 1]), broken=int(right_12[1, 0]), p=float(test.pvalue))


def proportion(count: int, total: int, *, confidence: float) -> Estimate:
    """A share of independent examples with its Wilson interval."""
    low, high = proportion_confint(count, total, alpha=1 - confidence, method="wilson")
    return Estimate(count / total, (float(low), float(high)))


def mean_gain(start: Sequence[float], end: Sequence[float], *, confidence: float) -> Estimate:
    """How much the mean of `end` exceeds that of `start`, by Welch's t test.

    Training steps that follow one another are not independent, so for them the interval is
    narrower than it should be: it says that a curve has moved, not how it would on another seed.

    Returns:
        the difference; without interval and p where the variance is unknown (fewer than two
        values on one side) or zero on both sides.
    """
    value = float(np.mean(end) - np.mean(start))
    if min(len(start), len(end)) < 2 or np.var(start) + np.var(end) == 0:
        return Estimate(value)
    test = scipy_stats.ttest_ind(end, start, equal_var=False)
    limits = test.confidence_interval(confidence)
    return Estimate(value, (float(limits.low), float(limits.high)), float(test.pvalue))
