"""Paired tests of two systems on the same examples, from the table gold x first x second answer.

McNemar tests whether one system is right more often, Stuart-Maxwell whether one gives some answer
more often. Holm corrects the p values of several tests for multiple testing.

Sources: McNemar (1947); Fagerland, Lydersen and Laake, BMC Medical Research Methodology 13:91
(2013), for the mid-p version; Stuart (1955) and Maxwell (1970); Holm (1979).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from scipy import stats as scipy_stats
from scipy.sparse.csgraph import connected_components
from statsmodels.stats import contingency_tables
from statsmodels.stats.proportion import proportion_confint

from factmix.stats.bootstrap import Estimate
from factmix.stats.metrics import Counts

Key = TypeVar("Key")


@dataclass(frozen=True)
class McNemar:
    """McNemar's test on the examples on which exactly one of two systems is right.

    Attributes:
        fixed: the first is wrong, the second right.
        broken: the first is right, the second wrong.
        p: exact two-sided p value of "fixed and broken are equally likely".
        mid_p: the mid-p version, which is less conservative: the observed outcome counts half.
    """

    fixed: int
    broken: int
    p: float
    mid_p: float

    def odds_ratio(self, confidence: float) -> Estimate | None:
        """Fixed over broken, with an interval from Clopper and Pearson's for the share of fixed.

        None where nothing was broken: the ratio is then infinite or not defined.
        """
        if self.broken == 0:
            return None
        share = proportion_confint(
            self.fixed, self.fixed + self.broken, alpha=1 - confidence, method="beta"
        )
        low, high = (float(limit / (1 - limit)) for limit in share)
        return Estimate(self.fixed / self.broken, (low, high))


@dataclass(frozen=True)
class Shift:
    """The Stuart-Maxwell test of whether two systems give the same share of each answer.

    Attributes:
        statistic: chi-squared distributed under "the shares are the same".
        df: its degrees of freedom.
        p: its p value; 1 where both systems give the same answer to every example.
    """

    statistic: float
    df: int
    p: float


def mcnemar(counts_LAA: Counts) -> McNemar:
    """McNemar's test on the table gold x first answer x second answer."""
    right_12 = np.zeros((2, 2), dtype=np.int64)  # [first is right, second is right]
    for gold, table in enumerate(counts_LAA):
        is_gold = (np.arange(len(table)) == gold).astype(int)
        np.add.at(right_12, np.ix_(is_gold, is_gold), table)
    fixed, broken = int(right_12[0, 1]), int(right_12[1, 0])
    test: Any = contingency_tables.mcnemar(right_12, exact=True)
    mid_p = test.pvalue - scipy_stats.binom.pmf(fixed, fixed + broken, 0.5)
    # With as many fixed as broken, both tails hold what was observed, and it counts half in each.
    return McNemar(fixed, broken, float(test.pvalue), 1.0 if fixed == broken else float(mid_p))


def stuart_maxwell(counts_LAA: Counts) -> Shift:
    """The Stuart-Maxwell test of equal shares of each answer.

    Where no example changes between two sets of answers, the covariance is singular. The statistic
    is then the sum over the sets of answers that changes connect, which equals the statistic with
    a generalised inverse of the covariance.
    """
    table_AA = counts_LAA.sum(axis=0)
    changes_AA = table_AA - np.diag(np.diag(table_AA))
    sets, member = connected_components(changes_AA, directed=False)
    statistic, df = 0.0, 0
    for which in range(sets):
        inside = np.flatnonzero(member == which)
        if len(inside) < 2:
            continue
        square = contingency_tables.SquareTable(table_AA[np.ix_(inside, inside)], shift_zeros=False)
        test: Any = square.homogeneity()
        statistic, df = statistic + float(test.statistic), df + int(test.df)
    return Shift(statistic, df, float(scipy_stats.chi2.sf(statistic, df)) if df else 1.0)


def holm(p: Mapping[Key, float]) -> dict[Key, float]:
    """p values corrected by Holm for being tested together, in the order of the keys."""
    return dict(zip(p, holm_in_order(list(p.values())), strict=True))


def holm_in_order(p: Sequence[float]) -> list[float]:
    """The same for p values without names, in their order.

    statsmodels' `multipletests` gives the same numbers. It collects garbage at every call, which
    took most of the time of comparing a study.
    """
    values = np.asarray(p, dtype=float)
    order = np.argsort(values, kind="stable")
    corrected = np.empty_like(values)
    stepped = values[order] * np.arange(len(values), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    found: list[float] = corrected.tolist()
    return found
