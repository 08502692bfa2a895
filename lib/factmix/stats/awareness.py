"""Calibration, selective risk and discrimination of NA, from a model's label probabilities.

Axis suffixes: N example, L label (order of `LABELS`), B resamples, K bin. Every measure is a
function of example weights of shape (B, N): 1 for the examples as they are, whole numbers for a
bootstrap resample. The examples are therefore sorted once for all resamples.

Sources: Brier (1950); Naeini, Cooper and Hauskrecht (2015) for the expected calibration error;
El-Yaniv and Wiener (2010) for risk and coverage; Fawcett (2006) for the area under the ROC curve.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from factmix.stats.bootstrap import Estimate, percentiles, proportion, strata_of
from factmix.stats.constants import log_probabilities, most_probable
from factmix.stats.metrics import Floats, indices_in
from factmix.study.labels import LABELS, Label

BINS = 10
COVERAGES = (0.1, 0.25, 0.5, 0.75, 1.0)
BLOCK = 250  # resamples whose weights are in memory at one time

NA, PASS, FAIL = (LABELS.index(label) for label in (Label.NA, Label.PASS, Label.FAIL))


@dataclass(frozen=True)
class Bin:
    """A calibration bin: examples of similar confidence.

    Attributes:
        n: how many.
        confidence: mean probability of their most probable label.
        accuracy: share on which that label is right, with its Wilson interval.
    """

    n: int
    confidence: float
    accuracy: Estimate


@dataclass(frozen=True)
class Awareness:
    """Measures of label probabilities, with intervals.

    The model abstains where p(NA) is high; elsewhere its answer is the more probable of PASS and
    FAIL. Risk is the share of errors among the answered examples; an answered gold-NA example is an
    error. Coverage is the share of examples that are answered.

    `ece` is biased upwards, because the gap of a bin is above 0 by chance alone: it is about 0.03
    for 1,000 examples of a perfectly calibrated model. Resampling adds the same bias again. The
    interval of a true value below about 0.1 is therefore too high; at 0.05 it covers the true value
    about two times in three.

    Attributes:
        estimates: by name: `ece`, the expected calibration error of the most probable label, over
            bins of equal mass; `brier`, the mean squared distance of the probabilities from the
            gold label (0-2); `auroc_na`, the probability that a gold-NA example has a higher p(NA)
            than another example; `auroc_pass_fail`, the probability that a gold-PASS example has
            higher odds of PASS against FAIL than a gold-FAIL one; `aurc`, the area under the
            risk-coverage curve; and `risk_at_<percent>`, the risk at a coverage.
        examples: by the same names, how many examples each is a share or a mean of: those that are
            answered for `risk_at_<percent>`, those with a verdict for `auroc_pass_fail`, and all
            for the others.
        reliability: the bins of `ece`, from low to high confidence.
    """

    estimates: dict[str, Estimate]
    examples: dict[str, int]
    reliability: list[Bin]


def awareness(
    gold: Sequence[str],
    probabilities_NL: Floats,
    *,
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> Awareness:
    """Measures of label probabilities with stratified percentile bootstrap intervals.

    Args:
        gold: the gold label of each example; some of each label.
        probabilities_NL: of each label, rows sum to 1.
        resamples: B.
        confidence: coverage of the intervals.
        rng: the source of randomness.

    Raises:
        ValueError: a row is not a distribution over the labels, or a label has no example.
    """
    gold_N = _checked(gold, probabilities_NL)
    strata = strata_of(gold_N)
    if not all(map(len, strata)):
        raise ValueError("no example of some gold label; expected some of each")
    measures = _Measures.of(gold_N, np.asarray(probabilities_NL, dtype=float))
    values = measures.values(np.ones((1, len(gold))))
    blocks = [
        measures.values(_weights(strata, min(BLOCK, resamples - start), rng))
        for start in range(0, resamples, BLOCK)
    ]
    estimates = {
        name: Estimate(
            float(value[0]),
            percentiles(np.concatenate([block[name] for block in blocks]), confidence),
        )
        for name, value in values.items()
    }
    examples = dict.fromkeys(estimates, len(gold)) | measures.answered()
    return Awareness(estimates, examples, measures.reliability(confidence))


def risks(gold: Sequence[str], probabilities_NL: Floats, coverages: Sequence[float]) -> Floats:
    """The risk, as in `Awareness`, at each coverage: points of a risk-coverage curve.

    Args:
        gold: the gold label of each example.
        probabilities_NL: of each label, rows sum to 1.
        coverages: the least share of examples that is answered, above 0 and up to 1.

    Returns:
        for each coverage the risk, a fraction.

    Raises:
        ValueError: a row is not a distribution over the labels.
    """
    gold_N = _checked(gold, probabilities_NL)
    return _Measures.of(gold_N, np.asarray(probabilities_NL, dtype=float)).risks(coverages)


def _checked(gold: Sequence[str], probabilities_NL: Floats) -> npt.NDArray[np.intp]:
    """The gold labels as indices of `LABELS`.

    Raises:
        ValueError: a row of probabilities is not a distribution over the labels.
    """
    probabilities_NL = np.asarray(probabilities_NL, dtype=float)
    if probabilities_NL.shape != (len(gold), len(LABELS)):
        raise ValueError(
            f"probabilities of shape {probabilities_NL.shape}; expected {(len(gold), len(LABELS))}"
        )
    fine = (np.abs(probabilities_NL.sum(axis=1) - 1) < 1e-3) & (probabilities_NL >= 0).all(axis=1)
    if not fine.all():
        row = int(np.argmin(fine))
        raise ValueError(
            f"row {row}: the probabilities {probabilities_NL[row].tolist()} do not sum to 1, or "
            "are below 0"
        )
    return indices_in(LABELS, gold, "gold label")


def _weights(
    strata: list[npt.NDArray[np.intp]], resamples: int, rng: np.random.Generator
) -> Floats:
    """How often each example is drawn, shape (B, N); the count of each gold label is fixed."""
    examples = sum(map(len, strata))
    drawn_BN = np.concatenate(
        [rng.choice(stratum, (resamples, len(stratum))) for stratum in strata], axis=1
    )
    flat = (drawn_BN + examples * np.arange(resamples)[:, None]).ravel()
    counted = np.bincount(flat, minlength=resamples * examples)
    return counted.reshape(resamples, examples).astype(float)


@dataclass(frozen=True)
class _Measures:
    """What is computed once from the examples, for the measures of every resample.

    Attributes:
        order: indices that sort the examples by p(NA), from low to high.
        starts: positions, in that order, at which a new value of p(NA) starts.
        is_na: gold is NA, in that order.
        wrong: the more probable of PASS and FAIL is not the gold label, in that order; of equal
            ones half.
        squares: squared distance of the probabilities from the gold label.
        top: probability of the most probable label.
        right: that label is the gold label; of several its share.
        in_bin: shape (N, K): 1 in the bin of equal mass that `top` belongs to.
        verdicts: indices that sort the examples whose gold is a verdict by the odds of PASS against
            FAIL, from low to high.
        verdict_starts: positions, in that order, at which a new value of the odds starts.
        is_pass: gold is PASS, in that order.
    """

    order: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    is_na: Floats
    wrong: Floats
    squares: Floats
    top: Floats
    right: Floats
    in_bin: Floats
    verdicts: npt.NDArray[np.intp]
    verdict_starts: npt.NDArray[np.intp]
    is_pass: Floats

    @classmethod
    def of(cls, gold_N: npt.NDArray[np.intp], probabilities_NL: Floats) -> "_Measures":
        p_na = probabilities_NL[:, NA]
        order = np.argsort(p_na, kind="stable")
        top = probabilities_NL.max(axis=1)
        # The edges are quantiles, so that examples of equal confidence share a bin.
        edges = np.unique(np.quantile(top, np.linspace(0, 1, BINS + 1)[1:-1]))
        inside = np.searchsorted(edges, top, side="right")
        decided = probabilities_NL[:, [PASS, FAIL]].sum(axis=1)
        # The share of PASS orders examples as the odds do; rounded, so that equal odds are equal.
        share = np.divide(
            probabilities_NL[:, PASS], decided, out=np.full(len(decided), 0.5), where=decided > 0
        ).round(12)
        # Where NA is no answer: of equally probable verdicts half.
        passed_N = most_probable(log_probabilities(np.stack([share, 1 - share], axis=1)))[:, 0]
        forced_right_N = (gold_N == PASS) * passed_N + (gold_N == FAIL) * (1 - passed_N)
        right_NL = most_probable(log_probabilities(probabilities_NL))
        verdicts = np.flatnonzero(gold_N != NA)
        verdicts = verdicts[np.argsort(share[verdicts], kind="stable")]
        return cls(
            order=order,
            starts=np.flatnonzero(np.diff(p_na[order], prepend=-1.0)),
            is_na=(gold_N == NA)[order].astype(float),
            wrong=1 - forced_right_N[order],
            squares=((probabilities_NL - np.eye(len(LABELS))[gold_N]) ** 2).sum(axis=1),
            top=top,
            right=right_NL[np.arange(len(gold_N)), gold_N],
            in_bin=np.eye(len(edges) + 1)[inside],
            verdicts=verdicts,
            verdict_starts=np.flatnonzero(np.diff(share[verdicts], prepend=-1.0)),
            is_pass=(gold_N == PASS)[verdicts].astype(float),
        )

    def values(self, weights_BN: Floats) -> dict[str, Floats]:
        """The measures of weighted examples, each of shape (B,)."""
        total = weights_BN.sum(axis=1)
        gaps_BK = np.abs((weights_BN * (self.top - self.right)) @ self.in_bin)
        sorted_BN = weights_BN[:, self.order]
        covered, risk = self._risk(sorted_BN)
        answered = np.diff(covered, axis=1, prepend=0.0)
        na = np.add.reduceat(sorted_BN * self.is_na, self.starts, axis=1)
        decided_BN = weights_BN[:, self.verdicts]
        passed, failed = (
            np.add.reduceat(decided_BN * chosen, self.verdict_starts, axis=1)
            for chosen in (self.is_pass, 1 - self.is_pass)
        )
        values = {
            "ece": gaps_BK.sum(axis=1) / total,
            "brier": weights_BN @ self.squares / total,
            "auroc_na": _above(na, answered - na),
            "auroc_pass_fail": _above(passed, failed),
            "aurc": (answered * risk).sum(axis=1) / total,
        }
        return values | _named(_at(COVERAGES, covered, risk))

    def answered(self) -> dict[str, int]:
        """How many examples measures are of that are not of all, without resampling."""
        covered, _ = self._risk(np.ones((1, len(self.order))))
        risks = {name: int(n) for name, (n,) in _named(_at(COVERAGES, covered, covered)).items()}
        return risks | {"auroc_pass_fail": len(self.verdicts)}

    def risks(self, coverages: Sequence[float]) -> Floats:
        """The risk at each coverage, without resampling."""
        covered, risk = self._risk(np.ones((1, len(self.order))))
        return np.concatenate(_at(coverages, covered, risk))

    def _risk(self, sorted_BN: Floats) -> tuple[Floats, Floats]:
        """How many examples are answered, and their risk, with each value of p(NA) as threshold."""
        # Examples of equal p(NA) are answered together, so sum over each value first.
        covered = np.add.reduceat(sorted_BN, self.starts, axis=1).cumsum(axis=1)
        errors = np.add.reduceat(sorted_BN * self.wrong, self.starts, axis=1).cumsum(axis=1)
        return covered, errors / np.maximum(covered, 1)

    def reliability(self, confidence: float) -> list[Bin]:
        return [
            Bin(
                n=int(inside.sum()),
                confidence=float(self.top[inside].mean()),
                accuracy=proportion(
                    float(self.right[inside].sum()), int(inside.sum()), confidence=confidence
                ),
            )
            for inside in (self.in_bin.T > 0)
            if inside.any()
        ]


def _above(first_BV: Floats, second_BV: Floats) -> Floats:
    """The probability that an example of the first kind has a higher value than one of the second.

    Args:
        first_BV: how many of the first kind have each value, from the lowest value to the highest.
        second_BV: the same of the second.
    """
    below = (first_BV * (second_BV.cumsum(axis=1) - second_BV / 2)).sum(axis=1)
    both: Floats = first_BV.sum(axis=1) * second_BV.sum(axis=1)
    return np.asarray(below / both)


def _at(coverages: Sequence[float], covered_BT: Floats, of_BT: Floats) -> list[Floats]:
    """For each coverage what `of_BT` has, shape (B,), at the first threshold that reaches it."""
    total_B1 = covered_BT[:, -1:]
    reached = [(covered_BT >= share * total_B1 - 1e-9).argmax(axis=1) for share in coverages]
    return [of_BT[np.arange(len(of_BT)), at_B] for at_B in reached]


def _named(at_coverages: list[Floats]) -> dict[str, Floats]:
    """What `_at` returned for `COVERAGES`, by the name of the risk there."""
    names = [f"risk_at_{round(100 * coverage)}" for coverage in COVERAGES]
    return dict(zip(names, at_coverages, strict=True))
