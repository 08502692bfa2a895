"""What a model's label probabilities know: calibration, abstention, and where p(NA) is high.

Axis suffixes: N example, L label (order of `LABELS`), B resamples, K bin. Every measure is a
function of how often each example counts (weights, shape (B, N)); the examples as they are have
weight 1, and a bootstrap resample has whole numbers. So one sort serves all resamples.

Sources: Brier (1950); Naeini, Cooper and Hauskrecht (2015) for the expected calibration error;
El-Yaniv and Wiener (2010) for risk and coverage; Fawcett (2006) for the area under the ROC curve.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from factmix.stats.bootstrap import Estimate, percentiles, proportion
from factmix.stats.metrics import Floats
from factmix.study.labels import LABELS, Label

BINS = 10
COVERAGES = (0.1, 0.25, 0.5, 0.75, 1.0)
BLOCK = 250  # resamples whose weights are in memory at one time

NA, PASS, FAIL = (LABELS.index(label) for label in (Label.NA, Label.PASS, Label.FAIL))


@dataclass(frozen=True)
class Bin:
    """Examples of like confidence.

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
    """Measures of label probabilities.

    Attributes:
        estimates: by name: `ece` expected calibration error of the most probable label, over bins
            of equal mass, see below; `brier` mean squared distance of the probabilities from the
            gold label (0-2); `auroc_na` probability that a gold-NA example has a higher p(NA) than
            another; `aurc` area under the risk-coverage curve: the mean, over examples, of the risk
            when all with a higher p(NA) are abstained from; `risk_at_<percent>` that risk at a
            coverage.
            Risk is the share of errors among the answered examples when the answer is the more
            probable of PASS and FAIL; a gold-NA example that is answered is an error.
            `ece` is biased upwards, because sampling noise alone makes the gaps of the bins
            positive. For 1,000 examples of a perfectly calibrated model it is about 0.03.
            Resampling adds noise again, so the interval is also biased upwards if `ece` is below
            about 0.1: at a true value of 0.05 its coverage is about two thirds.
        reliability: the bins of `ece`, from low to high confidence.
    """

    estimates: dict[str, Estimate]
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
        ValueError: a row is no distribution over the labels, or a label has no example.
    """
    gold_N = _checked(gold, probabilities_NL)
    strata = [np.flatnonzero(gold_N == label) for label in range(len(LABELS))]
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
    return Awareness(estimates, measures.reliability(confidence))


def risks(gold: Sequence[str], probabilities_NL: Floats, coverages: Sequence[float]) -> Floats:
    """The points of a risk-coverage curve: the risk, as in `Awareness`, at each coverage.

    Args:
        gold: the gold label of each example.
        probabilities_NL: of each label, rows sum to 1.
        coverages: at least this share is answered, fractions above 0 up to 1.

    Returns:
        fractions, as many as coverages.

    Raises:
        ValueError: a row is no distribution over the labels.
    """
    gold_N = _checked(gold, probabilities_NL)
    return _Measures.of(gold_N, np.asarray(probabilities_NL, dtype=float)).risks(coverages)


def _checked(gold: Sequence[str], probabilities_NL: Floats) -> npt.NDArray[np.intp]:
    """The gold labels as indices of `LABELS`; ValueError when the probabilities are none."""
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
    return np.array([LABELS.index(Label(label)) for label in gold], dtype=np.intp)


def _weights(
    strata: list[npt.NDArray[np.intp]], resamples: int, rng: np.random.Generator
) -> Floats:
    """How often each example is drawn, shape (B, N), as many of each gold label as there are."""
    examples = sum(map(len, strata))
    drawn_BN = np.concatenate(
        [rng.choice(stratum, (resamples, len(stratum))) for stratum in strata], axis=1
    )
    flat = (drawn_BN + examples * np.arange(resamples)[:, None]).ravel()
    counted = np.bincount(flat, minlength=resamples * examples)
    return counted.reshape(resamples, examples).astype(float)


@dataclass(frozen=True)
class _Measures:
    """What the measures need of the examples, sorted by p(NA) from low to high.

    Attributes:
        order: the sorting of the examples by p(NA).
        starts: positions, in that order, at which a new value of p(NA) begins.
        is_na: gold is NA, in that order.
        wrong: the more probable of PASS and FAIL is not the gold label, in that order.
        squares: squared distance of the probabilities from the gold label.
        top: probability of the most probable label.
        right: that label is the gold label.
        in_bin: shape (N, K): 1 in the bin of equal mass that `top` belongs to.
    """

    order: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    is_na: Floats
    wrong: Floats
    squares: Floats
    top: Floats
    right: Floats
    in_bin: Floats

    @classmethod
    def of(cls, gold_N: npt.NDArray[np.intp], probabilities_NL: Floats) -> "_Measures":
        p_na = probabilities_NL[:, NA]
        order = np.argsort(p_na, kind="stable")
        forced = np.where(probabilities_NL[:, PASS] >= probabilities_NL[:, FAIL], PASS, FAIL)
        top = probabilities_NL.max(axis=1)
        # Edges are quantiles, so that equal confidences share a bin and order does not matter.
        edges = np.unique(np.quantile(top, np.linspace(0, 1, BINS + 1)[1:-1]))
        inside = np.searchsorted(edges, top, side="right")
        return cls(
            order=order,
            starts=np.flatnonzero(np.diff(p_na[order], prepend=-1.0)),
            is_na=(gold_N == NA)[order].astype(float),
            wrong=(forced != gold_N)[order].astype(float),
            squares=((probabilities_NL - np.eye(len(LABELS))[gold_N]) ** 2).sum(axis=1),
            top=top,
            right=(probabilities_NL.argmax(axis=1) == gold_N).astype(float),
            in_bin=np.eye(len(edges) + 1)[inside],
        )

    def values(self, weights_BN: Floats) -> dict[str, Floats]:
        """The measures of weighted examples, each of shape (B,)."""
        total = weights_BN.sum(axis=1)
        gaps_BK = np.abs((weights_BN * (self.top - self.right)) @ self.in_bin)
        sorted_BN = weights_BN[:, self.order]
        covered, risk = self._risk(sorted_BN)
        answered = np.diff(covered, axis=1, prepend=0.0)
        na = np.add.reduceat(sorted_BN * self.is_na, self.starts, axis=1)
        other = answered - na
        below = (na * (other.cumsum(axis=1) - other / 2)).sum(axis=1)
        values = {
            "ece": gaps_BK.sum(axis=1) / total,
            "brier": weights_BN @ self.squares / total,
            "auroc_na": below / (na.sum(axis=1) * other.sum(axis=1)),
            "aurc": (answered * risk).sum(axis=1) / total,
        }
        for coverage, risk_B in zip(COVERAGES, _at(COVERAGES, covered, risk), strict=True):
            values[f"risk_at_{round(100 * coverage)}"] = risk_B
        return values

    def risks(self, coverages: Sequence[float]) -> Floats:
        """The risk of the examples as they are, at each coverage."""
        covered, risk = self._risk(np.ones((1, len(self.order))))
        return np.concatenate(_at(coverages, covered, risk))

    def _risk(self, sorted_BN: Floats) -> tuple[Floats, Floats]:
        """How many are answered, and the risk among them, at each value of p(NA) as threshold."""
        # Examples of equal p(NA) are answered, or abstained from, together: sums per such set.
        covered = np.add.reduceat(sorted_BN, self.starts, axis=1).cumsum(axis=1)
        errors = np.add.reduceat(sorted_BN * self.wrong, self.starts, axis=1).cumsum(axis=1)
        return covered, errors / np.maximum(covered, 1)

    def reliability(self, confidence: float) -> list[Bin]:
        return [
            Bin(
                n=int(inside.sum()),
                confidence=float(self.top[inside].mean()),
                accuracy=proportion(
                    int(self.right[inside].sum()), int(inside.sum()), confidence=confidence
                ),
            )
            for inside in (self.in_bin.T > 0)
            if inside.any()
        ]


def _at(coverages: Sequence[float], covered_BT: Floats, risk_BT: Floats) -> list[Floats]:
    """For each coverage the risk, shape (B,), at the first threshold that answers that share."""
    total_B1 = covered_BT[:, -1:]
    reached = [(covered_BT >= share * total_B1 - 1e-9).argmax(axis=1) for share in coverages]
    return [risk_BT[np.arange(len(risk_BT)), at_B] for at_B in reached]
