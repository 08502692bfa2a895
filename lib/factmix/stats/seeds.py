"""Gains over several training seeds: their mean, and its variance from seeds and from examples.

Axis suffixes: S seed, N example, L gold label, A answer, B resamples.

All seeds answer the same evaluation examples, so seeds and examples are crossed. A resample draws
seeds, and one set of examples for all of them. Drawing examples separately for every seed would
average out the sampling error that the seeds share.

Source: Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from factmix.stats.bootstrap import Estimate, mean_by_t, percentiles, strata_of
from factmix.stats.metrics import METRICS, Floats, cells_of, gains
from factmix.study.labels import ANSWERS, LABELS

BLOCK = 500  # resamples whose weights are in memory at one time
TABLE = (len(LABELS), len(ANSWERS), len(ANSWERS))  # gold x first answer x second answer


@dataclass(frozen=True)
class SeedGain:
    """The gain of an arm over its baseline, over several seeds.

    Attributes:
        by_t: mean over seeds with the interval and p value of Student's t, which treats the seeds
            as a sample of all seeds on fixed examples. Where all seeds gave the same value, the
            interval is that value, and there is no p value.
        hierarchical: the same mean with a bootstrap interval over seeds and examples. With few
            seeds it is too narrow.
        seed_variance: variance of the mean due to the choice of seeds.
        example_variance: variance of the mean due to the choice of examples.
    """

    by_t: Estimate
    hierarchical: Estimate
    seed_variance: float
    example_variance: float


def seed_gains(
    gold: Sequence[str],
    baseline: Sequence[Sequence[str]],
    arm: Sequence[Sequence[str]],
    *,
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> dict[str, SeedGain]:
    """Gains of an arm over the baseline of the same seed, for each of `METRICS`.

    Args:
        gold: the gold label of each example.
        baseline: for each seed the baseline's answers, in the order of `gold`.
        arm: for each seed the arm's answers.
        resamples: B.
        confidence: coverage of the intervals.
        rng: the source of randomness.

    Raises:
        ValueError: fewer than two seeds, or another number for the baseline than for the arm.
    """
    seeds = len(arm)
    if seeds < 2 or seeds != len(baseline):
        raise ValueError(
            f"{seeds} seeds of the arm and {len(baseline)} of the baseline; expected the same "
            "number of both, and at least two"
        )
    pairs = [cells_of(gold, *pair) for pair in zip(baseline, arm, strict=True)]
    cells_SN = np.stack([np.ravel_multi_index(cells, TABLE) for cells in pairs])
    strata = strata_of(pairs[0][0])
    once = np.ones((1, len(gold)))
    values = {name: value[:, 0] for name, value in _gains(cells_SN, once).items()}  # (S,)
    drawn: dict[str, list[Floats]] = {name: [] for name in METRICS}
    fixed: dict[str, list[Floats]] = {name: [] for name in METRICS}
    for start in range(0, resamples, BLOCK):
        block = min(BLOCK, resamples - start)
        weights_BN = np.zeros((block, len(gold)))
        for stratum in strata:
            share = np.full(len(stratum), 1 / max(len(stratum), 1))
            weights_BN[:, stratum] = rng.multinomial(len(stratum), share, size=block)
        chosen_BS = rng.integers(seeds, size=(block, seeds))
        for name, gain_SB in _gains(cells_SN, weights_BN).items():
            drawn[name].append(np.take_along_axis(gain_SB.T, chosen_BS, axis=1).mean(axis=1))
            fixed[name].append(gain_SB.mean(axis=0))
    return {
        name: SeedGain(
            by_t=_by_t(values[name], confidence),
            hierarchical=Estimate(
                float(values[name].mean()), percentiles(np.concatenate(drawn[name]), confidence)
            ),
            seed_variance=float(values[name].var(ddof=1) / seeds),
            example_variance=float(np.concatenate(fixed[name]).var()),
        )
        for name in METRICS
    }


def _by_t(values_S: Floats, confidence: float) -> Estimate:
    mean = mean_by_t(values_S, confidence=confidence)
    return mean if mean.interval else Estimate(mean.value, (mean.value, mean.value))


def _gains(cells_SN: npt.NDArray[np.intp], weights_BN: Floats) -> dict[str, Floats]:
    """The gains of weighted examples for each seed, shape (S, B)."""
    cells = np.eye(int(np.prod(TABLE)))
    tables = np.stack([weights_BN @ cells[cells_N] for cells_N in cells_SN])
    return gains(tables.reshape(*tables.shape[:2], *TABLE))
