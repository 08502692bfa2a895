"""Shift or learning: how much of a change of answers two constants would have given.

A model whose log-odds only moved by a constant per label has learned nothing about single examples.
So the first model's label log-probabilities are shifted by one constant per label, until it gives
each label as often as the second model. What this gains is shift; the rest is learning.

Axis suffixes: N example, L label (order of `LABELS`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from factmix.stats.bootstrap import Estimate, bootstrap_gains
from factmix.stats.constants import log_probabilities, match_shares
from factmix.stats.metrics import Floats, contingency
from factmix.study.labels import LABELS, Label

NA, PASS, FAIL = (LABELS.index(label) for label in (Label.NA, Label.PASS, Label.FAIL))


@dataclass(frozen=True)
class ShiftOrLearning:
    """A change of balanced accuracy, split into shift and learning.

    Every answer is the label of highest probability; whether a completion was valid plays no part.

    Attributes:
        total: gain in balanced accuracy of the second model over the first, as a fraction.
        shift: gain of the shifted first model over the first. The constants count as given.
        learning: gain of the second model over the shifted first one.
        constants: (L,) nats, added to the first model's log-probabilities; 0 for the first label.
        agreement: share of examples that the second and the shifted first model answer alike.
    """

    total: Estimate
    shift: Estimate
    learning: Estimate
    constants: Floats
    agreement: float


def shift_or_learning(
    gold: Sequence[str],
    before_NL: Floats,
    after_NL: Floats,
    *,
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> ShiftOrLearning:
    """Splits the gain of the second model over the first, with paired bootstrap intervals.

    Args:
        gold: the gold label of each example; some of each label.
        before_NL: label probabilities of the first model.
        after_NL: of the second model, for the same examples.
        resamples: of the bootstrap.
        confidence: coverage of the intervals.
        rng: the source of randomness.
    """
    after_N = after_NL.argmax(axis=1)
    constants, shifted_N = match_shares(
        log_probabilities(before_NL), np.bincount(after_N, minlength=len(LABELS))
    )
    answers = {
        name: [str(LABELS[answer]) for answer in answers_N]
        for name, answers_N in (
            ("before", before_NL.argmax(axis=1)),
            ("shifted", shifted_N),
            ("after", after_N),
        )
    }

    def gain(first: str, second: str) -> Estimate:
        counts_LAA = contingency(gold, answers[first], answers[second])
        gains = bootstrap_gains(counts_LAA, resamples=resamples, confidence=confidence, rng=rng)
        return gains["balanced_accuracy"]

    return ShiftOrLearning(
        total=gain("before", "after"),
        shift=gain("before", "shifted"),
        learning=gain("shifted", "after"),
        constants=constants,
        agreement=float((shifted_N == after_N).mean()),
    )


def discrimination(gold: Sequence[str], probabilities_NL: Floats) -> dict[str, float]:
    """How well probabilities separate labels.

    Constants that shift PASS and FAIL alike change neither number, and other constants only the
    first, by a little. So compare a model with the shifted one before it.

    Returns:
        auroc_na: the probability that a gold-NA example has a higher p(NA) than another one;
        auroc_pass_fail: that, of the examples with a verdict, a gold-PASS one has higher log-odds
        of PASS against FAIL than a gold-FAIL one. NaN where there is no example of one side.
    """
    gold_N = np.asarray(gold, dtype=str)
    logits_NL = log_probabilities(probabilities_NL)
    verdict_N = gold_N != Label.NA
    sides = {
        "auroc_na": (~verdict_N, np.asarray(probabilities_NL)[:, NA]),
        "auroc_pass_fail": (
            gold_N[verdict_N] == Label.PASS,
            (logits_NL[:, PASS] - logits_NL[:, FAIL])[verdict_N],
        ),
    }
    return {
        name: float(roc_auc_score(positive, score)) if len(set(positive)) == 2 else float("nan")
        for name, (positive, score) in sides.items()
    }


def rank_correlation(before_NL: Floats, after_NL: Floats) -> float:
    """Spearman's correlation of the log-odds of NA against PASS of two models, over examples."""
    odds = [
        logs_NL[:, NA] - logs_NL[:, PASS]
        for logs_NL in map(log_probabilities, (before_NL, after_NL))
    ]
    return float(spearmanr(*odds).statistic)
