"""Gains over several training seeds: their mean, and its variance from seeds and from examples.

Axis suffixes: S seed, N example, B resamples.

All seeds answer the same evaluation examples, so seeds and examples are crossed, and both are a
sample: of all seeds, and of all examples. The variance of the mean is the sum of what the choice of
seeds and the choice of examples contribute. What is particular to one seed with one example is in
both, so the sum is, if anything, too large.

Source: Satterthwaite (1946), An Approximate Distribution of Estimates of Variance Components, for
the degrees of freedom; Baayen, Davidson and Bates (2008), Mixed-Effects Modeling with Crossed
Random Effects for Subjects and Items, for why both are random.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student_t

from factmix.stats.bootstrap import Estimate, strata_of
from factmix.stats.metrics import METRICS, Floats, cells_of, examples_of, gains
from factmix.study.labels import ANSWERS, LABELS

BLOCK = 500  # resamples whose weights are in memory at one time
TABLE = (len(LABELS), len(ANSWERS), len(ANSWERS))  # gold x first answer x second answer


@dataclass(frozen=True)
class SeedGain:
    """The gain of an arm over its baseline, over several seeds.

    Attributes:
        crossed: mean over seeds, with the interval and the p value of Student's t for other seeds
            and other examples. Where neither vary, the interval is the mean, and there is no p.
        seed_variance: variance of the mean due to the choice of seeds.
        example_variance: variance of the mean due to the choice of examples.
    """

    crossed: Estimate
    seed_variance: float
    example_variance: float


def seed_gains(
    gold: list[str],
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
        resamples: B, of the examples, for the variance that they contribute.
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
    for start in range(0, resamples, BLOCK):
        block = min(BLOCK, resamples - start)
        weights_BN = np.zeros((block, len(gold)))
        for stratum in strata:
            share = np.full(len(stratum), 1 / max(len(stratum), 1))
            weights_BN[:, stratum] = rng.multinomial(len(stratum), share, size=block)
        for name, gain_SB in _gains(cells_SN, weights_BN).items():
            drawn[name].append(gain_SB.mean(axis=0))
    n = examples_of(gold)
    found = {}
    for name in METRICS:
        of_seeds = float(values[name].var(ddof=1) / seeds)
        of_examples = float(np.concatenate(drawn[name]).var())
        mean = float(values[name].mean())
        crossed = crossed_t(
            mean, [(of_seeds, seeds - 1), (of_examples, n[name] - 1)], confidence=confidence
        )
        found[name] = SeedGain(crossed, of_seeds, of_examples)
    return found


def crossed_t(
    mean: float, variances: Sequence[tuple[float, int]], *, confidence: float
) -> Estimate:
    """A mean whose variance is a sum, with Student's interval and the p value of "it is 0".

    Args:
        mean: the estimate.
        variances: of the mean, from each independent source, with its degrees of freedom.
        confidence: coverage of the interval.
    """
    total = sum(variance for variance, _ in variances)
    if total == 0:
        return Estimate(mean, (mean, mean))
    freedom = total**2 / sum(variance**2 / df for variance, df in variances if variance)
    error = total**0.5
    reach = float(student_t.ppf((1 + confidence) / 2, freedom)) * error
    p = 2 * float(student_t.sf(abs(mean) / error, freedom))
    return Estimate(mean, (mean - reach, mean + reach), p)


def _gains(cells_SN: npt.NDArray[np.intp], weights_BN: Floats) -> dict[str, Floats]:
    """The gains of weighted examples for each seed, shape (S, B)."""
    cells = np.eye(int(np.prod(TABLE)))
    tables = np.stack([weights_BN @ cells[cells_N] for cells_N in cells_SN])
    return gains(tables.reshape(*tables.shape[:2], *TABLE))
