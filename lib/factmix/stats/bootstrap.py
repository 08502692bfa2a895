"""Metrics and gains with bootstrap intervals, from contingency counts.

Axis suffixes: L gold label (3, order of `LABELS`), A answer (4, order of `ANSWERS`, INVALID last),
G group of examples, B resamples. Every metric is a function of the table of counts gold x answer. A
resample of examples is therefore one multinomial draw of that table, and the cost of the bootstrap
does not depend on the number of examples.

Sources: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 13 (percentile) and
14 (BCa); Davison and Hinkley, Bootstrap Methods and their Application (1997), sections 3.2
(stratified samples), 3.8 (groups) and 5.3 (BCa of several samples).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats
from statsmodels.stats.proportion import proportion_confint

from factmix.stats.metrics import Counts, Floats, gains, metrics
from factmix.study.labels import LABELS

# Tables of counts, shape (..., L, A) or (..., L, A, A), to named values of shape (...).
Statistic = Callable[[npt.NDArray[Any]], dict[str, Floats]]


def strata_of(gold_N: npt.NDArray[np.intp]) -> list[npt.NDArray[np.intp]]:
    """The indices of the examples of each gold label; a stratified resample draws within each.

    Args:
        gold_N: gold labels as indices of `LABELS`.
    """
    return [np.flatnonzero(gold_N == label) for label in range(len(LABELS))]


def percentiles(values_B: Floats, confidence: float) -> tuple[float, float]:
    """The percentile interval: the middle share `confidence` of resampled values."""
    low, high = np.quantile(values_B, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def bca(
    value: float, drawn_B: Floats, acceleration: float, confidence: float
) -> tuple[float, float]:
    """The BCa interval, corrected for bias and skewness (Efron and Tibshirani, 14.9)."""
    # Ties count half: the metrics take few values, and many draws equal `value`.
    below = ((drawn_B < value).mean() + (drawn_B <= value).mean()) / 2
    if not 0 < below < 1:  # all draws are on one side: the correction is not defined
        return percentiles(drawn_B, confidence)
    bias = scipy_stats.norm.ppf(below)
    ends = scipy_stats.norm.ppf([(1 - confidence) / 2, (1 + confidence) / 2])
    levels = scipy_stats.norm.cdf(bias + (bias + ends) / (1 - acceleration * (bias + ends)))
    low, high = np.quantile(drawn_B, levels)
    return float(low), float(high)


def accelerations(counts: Counts, statistic: Statistic, *, stratified: bool) -> dict[str, float]:
    """The acceleration of the BCa interval, by the jackknife: each example is left out in turn.

    Examples in one cell of the table have the same influence, so one example of each cell is left
    out and weighted by the count of the cell. The only example of a label cannot be left out; its
    influence counts as 0.
    """
    of_label = counts.sum(axis=tuple(range(1, counts.ndim)))
    cells = np.argwhere(counts > 0)
    cells = cells[of_label[cells[:, 0]] > 1]
    if len(cells) == 0:
        return dict.fromkeys(statistic(counts), 0.0)
    weights = counts[tuple(cells.T)]
    stratum = cells[:, 0] if stratified else np.zeros(len(cells), dtype=np.int64)
    total = np.bincount(stratum, weights)[stratum]
    left_out = np.repeat(counts[None], len(cells), axis=0)
    left_out[(np.arange(len(cells)), *cells.T)] -= 1
    skews = {}
    for name, values in statistic(left_out).items():
        mean = np.bincount(stratum, weights * values)[stratum] / total
        influence = (total - 1) / total * (mean - values)
        spread = float((weights * influence**2).sum())
        cubes = float((weights * influence**3).sum())
        skews[name] = cubes / (6 * spread**1.5) if spread > 0 else 0.0
    return skews


Interval = Literal["percentile", "bca"]


@dataclass(frozen=True)
class Estimate:
    """A number with its interval and p values.

    Attributes:
        value: the point estimate.
        interval: lower and upper confidence limit; None where it is not defined.
        p: two-sided p value of "the number is 0"; None where nothing was tested.
        p_noninferior: one-sided p value of "the number is below 0 by the margin or more"; None
            where no margin was given.
        at_floor: which of these p values are the smallest that the resamples allow, so that more
            resamples might give smaller ones.
    """

    value: float
    interval: tuple[float, float] | None = None
    p: float | None = None
    p_noninferior: float | None = None
    at_floor: tuple[str, ...] = ()


def resample(
    counts: Counts, resamples: int, rng: np.random.Generator, *, stratified: bool = True
) -> Counts:
    """Bootstrap tables: as many examples as there are, drawn with replacement.

    Args:
        counts: shape (L, ...). Of an answer that is shared, one is drawn anew in each resample.
        resamples: B.
        rng: the source of randomness.
        stratified: keep the count of each gold label, because the evaluation set was drawn with
            fixed counts; otherwise these counts vary from draw to draw.

    Returns:
        counts of shape (B, L, ...).
    """
    strata = counts if stratified else counts[None]
    draws = [
        rng.multinomial(round(total := row.sum()), row.ravel() / max(total, 1), size=resamples)
        for row in strata
    ]
    tables: Counts = np.stack(draws, axis=1).reshape(resamples, *counts.shape)
    return tables


def resample_groups(counts_G: Counts, resamples: int, rng: np.random.Generator) -> Counts:
    """Bootstrap tables of whole groups: as many groups as there are, drawn with replacement.

    Args:
        counts_G: a table per group, shape (G, L, ...).
        resamples: B.
        rng: the source of randomness.

    Returns:
        counts of shape (B, L, ...).
    """
    groups = len(counts_G)
    times_BG = rng.multinomial(groups, np.full(groups, 1 / groups), size=resamples)
    # Only the product of floats is fast; whole numbers of this size stay exact.
    drawn = times_BG.astype(float) @ counts_G.reshape(groups, -1).astype(float)
    tables: Counts = drawn.astype(np.int64).reshape(resamples, *counts_G.shape[1:])
    return tables


def bootstrap_metrics(
    counts_LA: Counts,
    *,
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
    stratified: bool = True,
    interval: Interval = "percentile",
) -> dict[str, Estimate]:
    """The metrics of one system with bootstrap intervals; arguments as in `bootstrap_gains`."""
    drawn_B = metrics(_complete(resample(counts_LA, resamples, rng, stratified=stratified)))
    return _estimates(counts_LA, metrics, drawn_B, confidence, stratified, interval)


def bootstrap_gains(
    counts_LAA: Counts,
    *,
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
    stratified: bool = True,
    interval: Interval = "percentile",
    margin: float | None = None,
    labels: Sequence[str] = LABELS,
) -> dict[str, Estimate]:
    """Gains of the second system over the first, by the paired bootstrap.

    Both systems answered the same examples, so an example is resampled with both answers.

    Args:
        counts_LAA: gold x first answer x second answer, from `contingency`.
        resamples: B. Resamples without some gold label are dropped; they occur only in
            unstratified draws of very few examples.
        confidence: coverage of the intervals, such as 0.95.
        rng: the source of randomness.
        stratified: whether the count of each gold label is fixed, see `resample`.
        interval: "percentile", or "bca", which corrects for bias and skewness.
        margin: of the non-inferiority test, a fraction above 0.
        labels: the names of the gold labels.

    Returns:
        for each metric of these labels the difference second minus first, its interval, and
        p = min(1, 2 (1 + min(#[d <= 0], #[d >= 0])) / (B + 1)) over the resampled differences d;
        with a margin also p_noninferior = (1 + #[d <= -margin]) / (B + 1).
    """
    gained = partial(gains, labels=labels)
    drawn_B = gained(_complete(resample(counts_LAA, resamples, rng, stratified=stratified)))
    estimates = _estimates(counts_LAA, gained, drawn_B, confidence, stratified, interval)
    return _tested(estimates, drawn_B, margin)


def cluster_metrics(
    counts_GLA: Counts, *, resamples: int, confidence: float, rng: np.random.Generator
) -> dict[str, Estimate]:
    """The metrics of one system, by the cluster bootstrap: whole groups are resampled."""
    drawn_B = metrics(_complete(resample_groups(counts_GLA, resamples, rng)))
    return _estimates(counts_GLA.sum(axis=0), metrics, drawn_B, confidence)


def cluster_gains(
    counts_GLAA: Counts,
    *,
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
    margin: float | None = None,
) -> dict[str, Estimate]:
    """`bootstrap_gains` by the cluster bootstrap: whole groups, such as pages, are resampled.

    Args:
        counts_GLAA: the table gold x first answer x second answer of each group.
        resamples, confidence, rng, margin: as in `bootstrap_gains`.
    """
    drawn_B = gains(_complete(resample_groups(counts_GLAA, resamples, rng)))
    estimates = _estimates(counts_GLAA.sum(axis=0), gains, drawn_B, confidence)
    return _tested(estimates, drawn_B, margin)


def bootstrap_p(differences_B: Floats) -> float:
    """Two-sided p value of "no difference", never below 2 / (B + 1)."""
    tail = min(int((differences_B <= 0).sum()), int((differences_B >= 0).sum()))
    return min(1.0, 2 * (1 + tail) / (len(differences_B) + 1))


def noninferiority_p(differences_B: Floats, margin: float) -> float:
    """One-sided p value of "worse by at least the margin", never below 1 / (B + 1)."""
    return (1 + int((differences_B <= -margin).sum())) / (len(differences_B) + 1)


def is_floor(p: float, resamples: int, *, sides: int = 2) -> bool:
    """Whether a bootstrap p value is the smallest that so many resamples allow, and below 1.

    Args:
        p: from `bootstrap_p`, which has two sides, or from `noninferiority_p`, which has one.
        resamples: B.
        sides: of the test.
    """
    return p <= sides / (resamples + 1) < 1


def _complete(tables_B: Counts) -> Counts:
    """The resampled tables in which every gold label occurs; metrics are defined only there."""
    per_label = tables_B.reshape(*tables_B.shape[:2], -1).sum(axis=-1)
    complete: Counts = tables_B[(per_label > 0).all(axis=1)]
    return complete


def _estimates(
    counts: Counts,
    statistic: Statistic,
    drawn_B: dict[str, Floats],
    confidence: float,
    stratified: bool = True,
    interval: Interval = "percentile",
) -> dict[str, Estimate]:
    values = {name: float(value) for name, value in statistic(counts).items()}
    if interval == "percentile":
        limits = {name: percentiles(drawn_B[name], confidence) for name in values}
    else:
        skew = accelerations(counts, statistic, stratified=stratified)
        limits = {
            name: bca(value, drawn_B[name], skew[name], confidence)
            for name, value in values.items()
        }
    return {name: Estimate(value, limits[name]) for name, value in values.items()}


def _tested(
    estimates: dict[str, Estimate], drawn_B: dict[str, Floats], margin: float | None
) -> dict[str, Estimate]:
    tested = {}
    for name, estimate in estimates.items():
        resamples, p = len(drawn_B[name]), bootstrap_p(drawn_B[name])
        at_floor = ["p"] if is_floor(p, resamples) else []
        worse = None
        if margin is not None:
            worse = noninferiority_p(drawn_B[name], margin)
            at_floor += ["p_noninferior"] if is_floor(worse, resamples, sides=1) else []
        tested[name] = replace(estimate, p=p, p_noninferior=worse, at_floor=tuple(at_floor))
    return tested


def proportion(count: float, total: int, *, confidence: float) -> Estimate:
    """A share of independent examples with its Wilson interval."""
    low, high = proportion_confint(count, total, alpha=1 - confidence, method="wilson")
    return Estimate(count / total, (float(low), float(high)))


def mean_by_t(values: npt.ArrayLike, *, confidence: float) -> Estimate:
    """Mean of independent values with Student's t interval and the p value of "it is 0".

    Returns:
        the mean; without interval and p where fewer than two values differ: t is not defined then.
    """
    values_N = np.asarray(values, dtype=float)
    mean, n = float(values_N.mean()), len(values_N)
    if np.ptp(values_N) == 0:
        return Estimate(mean)
    error = float(values_N.std(ddof=1) / n**0.5)
    reach = float(scipy_stats.t.ppf((1 + confidence) / 2, n - 1)) * error
    p = 2 * float(scipy_stats.t.sf(abs(mean) / error, n - 1))
    return Estimate(mean, (mean - reach, mean + reach), p)
