"""Gains over several training seeds: their mean, and its variance from seeds and from examples.

Axis suffixes: S seed, N example, L gold label, A answer.

All seeds answer the same evaluation examples, so seeds and examples are crossed, and both are a
sample: of all seeds, and of all examples. The variance of the mean is the sum of what the choice of
seeds and the choice of examples contribute. What is particular to one seed with one example is in
both, so the sum is, if anything, too large.

Few seeds estimate their variance badly. So its share of the sum decides how much Student's factor
for the seeds counts beside the one for the examples. In simulations, the sum of variances with
Satterthwaite's degrees of freedom rejected a true null hypothesis at 1 % in 4 to 8 % of the cases
with two or three seeds; this test in 1 to 3 %.

Source: Cochran and Cox (1950), Experimental Designs, for the critical value; Baayen, Davidson and
Bates (2008), Mixed-Effects Modeling with Crossed Random Effects for Subjects and Items, for why
both are random.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import stdtrit

from factmix.stats.bootstrap import Estimate, strata_of
from factmix.stats.metrics import (
    METRICS,
    Answered,
    Counts,
    Floats,
    cells_of,
    contingency,
    examples_of,
    gains,
    indices_in,
)
from factmix.study.labels import LABELS

# P value. For smaller ones scipy 1.17 gives wrong quantiles of t with some degrees of freedom.
SMALLEST = 1e-200
ROUNDING = 1e-9  # by which sums of the same fractions may differ
FEWEST = 2  # examples of a label, for a variance
STEP = 1e-3  # examples, of a numerical derivative


@dataclass(frozen=True)
class SeedGain:
    """The gain of an arm over its baseline, over several seeds.

    Attributes:
        crossed: mean over seeds, with the interval and the p value of Student's t for other seeds
            and other examples. Where neither vary, the interval is the mean, and there is no p.
        grouped: the same for other seeds and other groups of examples.
        by_seed: its value for each seed.
        seed_variance: variance of the mean due to the choice of seeds.
        example_variance: variance of the mean due to the choice of examples.
        examples: how many examples the metric is a share or a mean of.
    """

    crossed: Estimate
    grouped: Estimate
    by_seed: list[float]
    seed_variance: float
    example_variance: float
    examples: int


def seed_gains(
    gold: list[str],
    baseline: Sequence[Answered],
    arm: Sequence[Answered],
    *,
    groups: Sequence[str],
    confidence: float,
    margin: float | None = None,
) -> dict[str, SeedGain]:
    """Gains of an arm over the baseline of the same seed, for each of `METRICS`.

    What the examples contribute is the variance of a stratified bootstrap in closed form: exact for
    recalls and their means, and to first order for F1, by the infinitesimal jackknife (Efron and
    Tibshirani, An Introduction to the Bootstrap, 1993, chapter 21).

    Args:
        gold: the gold label of each example.
        baseline: for each seed the baseline's answers, in the order of `gold`. Of an answer that
            labels share, the expected value counts: no lot is drawn.
        arm: for each seed the arm's answers.
        groups: the group of each example.
        confidence: coverage of the intervals.
        margin: a loss below this does not count as one; whether it is below is tested, if given.

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
    counts_S = np.stack([contingency(gold, *pair) for pair in zip(baseline, arm, strict=True)])
    values, slopes = gains(counts_S), [_slopes(counts_LAA) for counts_LAA in counts_S]
    strata, n = strata_of(indices_in(LABELS, gold, "gold label")), examples_of(gold)
    codes_N = np.unique(np.asarray(groups, dtype=str), return_inverse=True)[1]
    found = {}
    for name in METRICS:
        influence_SN = [
            np.bincount(cells.example, cells.weight * of[name][cells.indices])
            for of, cells in zip(slopes, pairs, strict=True)
        ]
        influence_N = np.mean(influence_SN, axis=0)
        for stratum in strata:
            if len(stratum):
                influence_N[stratum] -= influence_N[stratum].mean()
        of_examples = float(_negligible_to_0(influence_N) @ influence_N)
        of_groups, of_how_many = _between_groups(influence_N, codes_N)
        of_seeds = _between_seeds(values[name])
        mean = float(values[name].mean())
        crossed, grouped = (
            crossed_t(mean, [of_seeds, part], confidence=confidence, margin=margin)
            for part in ((of_examples, n[name] - 1), (of_groups, max(1, of_how_many - 1)))
        )
        by_seed = values[name].tolist()
        found[name] = SeedGain(crossed, grouped, by_seed, of_seeds[0], of_examples, n[name])
    return found


def mean_gain(
    gains: Sequence[SeedGain], *, confidence: float, margin: float | None = None
) -> Estimate:
    """The mean of gains on datasets that share no example, with the test of `seed_gains` for it.

    Args:
        gains: on each dataset, of the same arm over the same baseline with the same seeds.
        confidence, margin: as in `seed_gains`.
    """
    by_seed_S = np.mean([gain.by_seed for gain in gains], axis=0)
    of_examples = sum(gain.example_variance for gain in gains) / len(gains) ** 2
    examples = sum(gain.examples for gain in gains)
    variances = [_between_seeds(by_seed_S), (of_examples, examples - 1)]
    return crossed_t(float(by_seed_S.mean()), variances, confidence=confidence, margin=margin)


def _between_seeds(by_seed_S: Floats) -> tuple[float, int]:
    """The variance of a mean over seeds if seeds are drawn, and its degrees of freedom."""
    return _variance(by_seed_S, ddof=1) / len(by_seed_S), len(by_seed_S) - 1


def _negligible_to_0(influence_N: Floats) -> Floats:
    """The influence of each example; 0 where rounding alone makes a difference."""
    return influence_N if np.abs(influence_N).max(initial=0) > ROUNDING else 0 * influence_N


def _between_groups(influence_N: Floats, codes_N: npt.NDArray[np.intp]) -> tuple[float, int]:
    """The variance of a sum of influences if groups are drawn, and how many groups there are."""
    of_groups_G = np.bincount(codes_N, weights=_negligible_to_0(influence_N))
    groups = len(of_groups_G)
    return float(of_groups_G @ of_groups_G) * groups / max(1, groups - 1), groups


def _slopes(counts_LAA: Counts) -> dict[str, Floats]:
    """By how much one more example in a cell changes each gain, shape (L, A, A)."""
    one_more = np.eye(counts_LAA.size).reshape(-1, *counts_LAA.shape)
    above, below = (gains(counts_LAA + sign * STEP * one_more) for sign in (1, -1))
    return {
        name: ((above[name] - below[name]) / (2 * STEP)).reshape(counts_LAA.shape) for name in above
    }


def _variance(values: Floats, ddof: int = 0) -> float:
    """The variance; 0 where values differ by rounding alone, so that no test divides by it."""
    return 0.0 if np.ptp(values) < ROUNDING else float(values.var(ddof=ddof))


def crossed_t(
    mean: float,
    variances: Sequence[tuple[float, int]],
    *,
    confidence: float,
    margin: float | None = None,
) -> Estimate:
    """A mean whose variance is a sum, with the interval and the p value of "it is 0".

    The critical value is the mean of Student's for each source, weighted by its variance.

    Args:
        mean: the estimate.
        variances: of the mean, from each independent source, with its degrees of freedom.
        confidence: coverage of the interval.
        margin: a loss below this does not count as one; whether it is below is tested, if given.
    """
    total = sum(part for part, _ in variances)
    if total == 0:
        return Estimate(mean, (mean, mean))
    error = math.sqrt(total)
    reach = _critical(1 - confidence, variances) * error
    no_loss = None
    if margin is not None:
        tail = _two_sided(mean + margin, error, variances) / 2
        no_loss = tail if mean + margin > 0 else 1 - tail
    return Estimate(mean, (mean - reach, mean + reach), _two_sided(mean, error, variances), no_loss)


def least_rejected(alpha: float, variances: Sequence[tuple[float, int]]) -> float:
    """The smallest mean, on either side, of which `crossed_t` rejects "it is 0" at this level."""
    total = sum(part for part, _ in variances)
    return _critical(alpha, variances) * math.sqrt(total) if total else 0.0


def _two_sided(mean: float, error: float, variances: Sequence[tuple[float, int]]) -> float:
    """The p value of "it is 0"."""

    def beyond(log_p: float) -> float:
        return _critical(math.exp(log_p), variances) - abs(mean) / error

    smallest = math.log(SMALLEST)
    return math.exp(brentq(beyond, smallest, 0.0) if beyond(smallest) > 0 else smallest)


def _critical(p: float, variances: Sequence[tuple[float, int]]) -> float:
    """The value that a mean, in standard errors, exceeds on either side with this probability."""
    total = sum(part for part, _ in variances)
    return sum(part / total * -float(stdtrit(df, p / 2)) for part, df in variances)


@dataclass(frozen=True)
class Part:
    """What the examples of one dataset, or of a half of it, contribute to a contrast.

    Attributes:
        gold, groups: the gold label and the group of each example.
        contributions: (S, N) of each seed and example, such as a difference of two systems' right
            answers. The part is the mean over the labels that occur of the mean of each label.
        by_example: whether it is the mean over the examples instead, as of accuracy. The number of
            examples of each label is fixed in both cases.
    """

    gold: Sequence[str]
    groups: Sequence[str]
    contributions: Floats
    by_example: bool = False

    def mean(self) -> float:
        """Its value, over all seeds."""
        gold_N, mean_N = np.asarray(self.gold, dtype=str), self.contributions.mean(axis=0)
        if self.by_example:
            return float(mean_N.mean())
        return float(np.mean([mean_N[gold_N == label].mean() for label in sorted(set(self.gold))]))


@dataclass(frozen=True)
class CrossedContrast:
    """A contrast over several seeds.

    Attributes:
        crossed, grouped: as in `SeedGain`.
        by_seed: its value for each seed.
        variances: those of `crossed`, as `crossed_t` takes them.
    """

    crossed: Estimate
    grouped: Estimate
    by_seed: list[float]
    variances: list[tuple[float, int]]

    def detectable(self, alpha: float, power: float) -> float:
        """The smallest true value that a test at this level finds with this probability."""
        return least_rejected(alpha, self.variances) + least_rejected(
            2 * (1 - power), self.variances
        )


def crossed_contrast(parts: Sequence[Part], *, confidence: float) -> CrossedContrast:
    """The sum of parts that share no example, with the test of `seed_gains` for it.

    Every part is linear in its examples, so that what they contribute to the variance has a closed
    form.

    Raises:
        ValueError: fewer than two seeds, or fewer than two examples of a label.
    """
    seeds = {len(part.contributions) for part in parts}
    if len(seeds) != 1 or min(seeds) < 2:
        raise ValueError(f"got {sorted(seeds)} seeds; expected the same number, at least two")
    by_seed_S = np.zeros(min(seeds))
    of_examples, of_groups, examples, groups = 0.0, 0.0, 0, 0
    for part in parts:
        gold_N, labels = np.asarray(part.gold, dtype=str), sorted(set(part.gold))
        influence_N = np.zeros(len(part.gold))
        for label in labels:
            of_label = gold_N == label
            values_SN = part.contributions[:, of_label]
            n = values_SN.shape[1]
            if n < FEWEST:
                raise ValueError(f"{n} example of gold {label}; expected at least {FEWEST}")
            weight = n / len(gold_N) if part.by_example else 1 / len(labels)
            by_seed_S += weight * values_SN.mean(axis=1)
            mean_N = values_SN.mean(axis=0)
            of_examples += weight**2 * _variance(mean_N, ddof=1) / n
            influence_N[of_label] = weight * (mean_N - mean_N.mean()) / n
            examples += n
        codes_N = np.unique(np.asarray(part.groups, dtype=str), return_inverse=True)[1]
        variance, of_part = _between_groups(influence_N, codes_N)
        of_groups, groups = of_groups + variance, groups + of_part
    mean = float(by_seed_S.mean())
    of_seeds = _between_seeds(by_seed_S)
    both = [
        [of_seeds, part] for part in ((of_examples, examples - 1), (of_groups, max(1, groups - 1)))
    ]
    crossed, grouped = (crossed_t(mean, each, confidence=confidence) for each in both)
    return CrossedContrast(crossed, grouped, by_seed_S.tolist(), both[0])
