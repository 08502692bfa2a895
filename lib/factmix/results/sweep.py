"""The mixtures of a sweep: all of one size in quarters of three datasets, and equal parts.

Axis suffixes: S seed, N example, M mixture, D training dataset.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from factmix.results.domain_number import ROUNDING, of_one_size
from factmix.results.statements import Claims
from factmix.stats.metrics import Floats
from factmix.study.spec import Study

QUARTERS = 4


@dataclass(frozen=True)
class Sweep:
    """Mixtures of one size, by their shares.

    Attributes:
        datasets: that are trained on, in the study's order.
        shares: mixture -> its share of each dataset.
        single: of one dataset, in their order.
        unequal: of several, with unequal parts.
        several: all of several.
    """

    datasets: tuple[str, ...]
    shares: Mapping[str, tuple[float, ...]]
    single: list[str]
    unequal: list[str]
    several: list[str]

    def heights(self) -> Floats:
        """(D, M): turns values of the unequal mixtures into heights at each dataset alone.

        A height is where the straight line through these values, by least squares, has this
        dataset alone.
        """
        return np.linalg.pinv(np.array([self.shares[mixture] for mixture in self.unequal]))

    def over_unequal(self, claims: Claims, measure: str, weights_M: Floats) -> Floats:
        """(S, N): a weighted sum over the unequal mixtures, for each seed and example."""
        values_MSN = [claims.differences[measure, mixture] for mixture in self.unequal]
        return np.asarray(np.tensordot(weights_M, np.stack(values_MSN), axes=1))


def sweep_of(study: Study, mixtures: Sequence[str]) -> Sweep | None:
    """The mixtures: all quarters of three datasets, and equal parts; None where they are others."""
    datasets = tuple(name for name, each in study.datasets.items() if not each.held_out)
    if len(datasets) != 3 or not of_one_size(study, mixtures):
        return None
    shares: dict[str, tuple[float, ...]] = {}
    quarters = Counter[tuple[int, ...]]()
    for mixture in mixtures:
        sizes = [sum(study.mixtures[mixture].get(name, {}).values()) for name in datasets]
        whole = sum(sizes)
        shares[mixture] = tuple(size / whole for size in sizes)
        parts = tuple(round(QUARTERS * share) for share in shares[mixture])
        if all(
            abs(size - part * whole / QUARTERS) <= ROUNDING
            for size, part in zip(sizes, parts, strict=True)
        ):
            quarters[parts] += 1
    # each mixture in quarters once, and the equal one
    asked = (QUARTERS + 1) * (QUARTERS + 2) // 2
    equal = [m for m in mixtures if _equal(study, m) and len(study.mixtures[m]) == len(datasets)]
    if set(quarters.values()) != {1} or not len(quarters) == asked == len(mixtures) - len(equal):
        return None
    if len(equal) != 1:
        return None
    parts_of = {mixture: list(study.mixtures[mixture]) for mixture in mixtures}
    several = [mixture for mixture in mixtures if len(parts_of[mixture]) > 1]
    return Sweep(
        datasets,
        shares,
        [next(m for m in mixtures if parts_of[m] == [name]) for name in datasets],
        [mixture for mixture in several if not _equal(study, mixture)],
        several,
    )


def _equal(study: Study, mixture: str) -> bool:
    sizes = [sum(counts.values()) for counts in study.mixtures[mixture].values()]
    return max(sizes) - min(sizes) <= ROUNDING
