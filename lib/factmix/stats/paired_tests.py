"""Two systems on the same examples: tests of the table gold x first answer x second answer.

McNemar asks which system is right more often, Stuart and Maxwell whether one gives some answer more
often than the other, Holm how much remains when many such questions are asked at once.

Sources: McNemar (1947); Fagerland, Lydersen and Laake, BMC Medical Research Methodology 13:91
(2013), for the mid-p version; Stuart (1955) and Maxwell (1970); Holm (1979).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from scipy import stats as scipy_stats
from scipy.sparse.csgraph import connected_components
from statsmodels.stats import contingency_tables
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from factmix.stats.bootstrap import Estimate
from factmix.stats.metrics import Counts
from factmix.study.labels import ANSWERS

Key = TypeVar("Key")


@dataclass(frozen=True)
class McNemar:
    """Examples on which exactly one of two systems is right.

    Attributes:
        fixed: the first is wrong, the second right.
        broken: the first is right, the second wrong.
        p: exact two-sided p value of "fixing is as likely as breaking".
        mid_p: the same, less conservative: half of the probability of what was observed counts.
    """

    fixed: int
    broken: int
    p: float
    mid_p: float

    def odds_ratio(self, confidence: float) -> Estimate | None:
        """Fixed over broken, with the interval that follows from Clopper and Pearson's.

        None where nothing was broken: the ratio, or its upper limit, would be infinite.
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
    """Whether two systems give the same shares of each answer.

    Attributes:
        statistic: of Stuart and Maxwell, chi-squared distributed when they do.
        df: its degrees of freedom.
        p: its p value; 1 where the answers are the same on every example.
    """

    statistic: float
    df: int
    p: float


def mcnemar(counts_LAA: Counts) -> McNemar:
    """McNemar's test on the table gold x first answer x second answer."""
    right_12 = np.zeros((2, 2), dtype=np.int64)  # [first is right, second is right]
    for gold, table in enumerate(counts_LAA):
        is_gold = (np.arange(len(ANSWERS)) == gold).astype(int)
        np.add.at(right_12, np.ix_(is_gold, is_gold), table)
    fixed, broken = int(right_12[0, 1]), int(right_12[1, 0])
    test: Any = contingency_tables.mcnemar(right_12, exact=True)
    mid_p = test.pvalue - scipy_stats.binom.pmf(fixed, fixed + broken, 0.5)
    # With as many fixed as broken, both tails hold what was observed, and it counts half in each.
    return McNemar(fixed, broken, float(test.pvalue), 1.0 if fixed == broken else float(mid_p))


def stuart_maxwell(counts_LAA: Counts) -> Shift:
    """The test of Stuart and Maxwell: are the shares of the four answers the same?

    Answers between which no example changes say nothing about one another. The test is therefore
    the sum of those on each set of answers that changes connect, which is what a generalised
    inverse of the covariance gives too.
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
    """Each p value corrected by Holm for being one of these; the order of keys is kept."""
    if not p:
        return {}
    corrected = multipletests(list(p.values()), method="holm")[1]
    return dict(zip(p, map(float, corrected), strict=True))
