"""Resampled values in, interval limits out: percentiles, and the BCa correction of their levels.

Sources: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 13 and 14; Davison
and Hinkley, Bootstrap Methods and their Application (1997), section 5.3, for several samples.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Tables of counts, shape (..., L, A) or (..., L, A, A), to named values of shape (...).
Statistic = Callable[[npt.NDArray[Any]], dict[str, Floats]]


def percentiles(values_B: Floats, confidence: float) -> tuple[float, float]:
    """The middle part of resampled values that holds the share `confidence` of them."""
    low, high = np.quantile(values_B, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def bca(
    value: float, drawn_B: Floats, acceleration: float, confidence: float
) -> tuple[float, float]:
    """Percentiles at levels that correct for bias and skewness (Efron and Tibshirani, 14.9)."""
    # Half of the ties count as below: the metrics take few values, and many draws equal `value`.
    below = ((drawn_B < value).mean() + (drawn_B <= value).mean()) / 2
    if not 0 < below < 1:  # on the edge of what can be drawn there is nothing to correct with
        return percentiles(drawn_B, confidence)
    bias = scipy_stats.norm.ppf(below)
    ends = scipy_stats.norm.ppf([(1 - confidence) / 2, (1 + confidence) / 2])
    levels = scipy_stats.norm.cdf(bias + (bias + ends) / (1 - acceleration * (bias + ends)))
    low, high = np.quantile(drawn_B, levels)
    return float(low), float(high)


def accelerations(counts: Counts, statistic: Statistic, *, stratified: bool) -> dict[str, float]:
    """Skewness of the influence of single examples, by leaving each out in turn.

    Examples in one cell of the table have the same influence, so that each cell is left out once
    and weighs as much as it holds. The only example of a label cannot be left out; it counts as
    without influence.
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
