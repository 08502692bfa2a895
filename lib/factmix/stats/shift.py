"""Shift or learning: how much of a change of answers moved thresholds would have given.

A model whose log-odds only moved by a constant per label has learned nothing about single examples.
So the first model's label log-probabilities are shifted by one constant per label, until it gives
each label as often as the second model. What this gains is shift; the rest is learning.

Axis suffixes: N example, L label (order of `LABELS`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from factmix.stats.bootstrap import Estimate, bootstrap_gains
from factmix.stats.constants import log_probabilities, match_shares, most_probable
from factmix.stats.metrics import Counts, Floats, contingency, metrics
from factmix.study.labels import LABELS, Label

NA, PASS, FAIL = (LABELS.index(label) for label in (Label.NA, Label.PASS, Label.FAIL))


@dataclass(frozen=True)
class ShiftOrLearning:
    """A change of balanced accuracy, split into shift and learning.

    Every answer is the label of highest probability, and several of equal probability share it;
    whether a completion was valid plays no part.

    Attributes:
        before: balanced accuracy of the first model, as a fraction.
        total: gain in balanced accuracy of the second model over the first, as a fraction.
        shift: gain of the shifted first model over the first. The constants count as given.
        learning: gain of the second model over the shifted first one.
        constants: (L,) nats, added to the first model's log-probabilities; 0 for the first label.
        agreement: share of examples that the second and the shifted first model answer alike, as
            far as answers that labels share allow it.
        agreement_unshifted: the same of the second and the first model as it is.
    """

    before: float
    total: Estimate
    shift: Estimate
    learning: Estimate
    constants: Floats
    agreement: float
    agreement_unshifted: float


def shift_or_learning(
    gold: Sequence[str],
    before_NL: Floats,
    after_NL: Floats,
    *,
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
    labels: Sequence[str] = LABELS,
) -> ShiftOrLearning:
    """Splits the gain of the second model over the first, with paired bootstrap intervals.

    Args:
        gold: the gold label of each example. Balanced accuracy is the mean recall of the labels
            that occur.
        before_NL: label probabilities of the first model, on any scale for each example.
        after_NL: of the second model, for the same examples.
        resamples: of the bootstrap.
        confidence: coverage of the intervals.
        rng: the source of randomness.
        labels: what the probabilities are of.
    """
    constants_L, shares = shifted_answers(before_NL, after_NL)
    occur = [label for label in labels if label in set(gold)]
    possible = [*occur, *(label for label in labels if label not in occur)]
    places = [list(labels).index(label) for label in possible]

    def counts(*models: str) -> Counts:
        given = (shares[model][:, places] for model in models)
        return contingency(gold, *given, labels=occur, possible=possible)

    def agreement(model: str) -> float:
        return float(np.minimum(shares[model], shares["after"]).sum(axis=1).mean())

    def gain(first: str, second: str) -> Estimate:
        gains = bootstrap_gains(
            counts(first, second),
            resamples=resamples,
            confidence=confidence,
            rng=rng,
            labels=occur,
        )
        return gains["balanced_accuracy"]

    return ShiftOrLearning(
        before=float(metrics(counts("before"), occur)["balanced_accuracy"]),
        total=gain("before", "after"),
        shift=gain("before", "shifted"),
        learning=gain("shifted", "after"),
        constants=constants_L,
        agreement=agreement("shifted"),
        agreement_unshifted=agreement("before"),
    )


def shifted_answers(before_NL: Floats, after_NL: Floats) -> tuple[Floats, dict[str, Floats]]:
    """The constants (L,) of a shift, and the answers with and without it, as shares of labels.

    Returns:
        the constants, in nats, and the share of each label in the answers, shape (N, L), of the
        first model ("before"), of the first model with the constants ("shifted"), and of the
        second model ("after").
    """
    logits_NL = log_probabilities(before_NL)
    second_NL = most_probable(log_probabilities(after_NL))
    constants_L, shifted_NL = match_shares(logits_NL, second_NL.sum(axis=0))
    return constants_L, {
        "before": most_probable(logits_NL),
        "shifted": shifted_NL,
        "after": second_NL,
    }


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


def separation(
    gold: Sequence[str], probabilities_NL: Floats, labels: Sequence[str] = LABELS
) -> float:
    """How well log-odds separate examples of two labels, as a mean over pairs of labels.

    It is the measure M of Hand and Till (2001), A Simple Generalisation of the Area Under the ROC
    Curve, with log-odds in the place of probabilities: no constants change it.

    Args:
        gold: the gold label of each example; at least two labels occur.
        probabilities_NL: of each label, on any scale for each example.
        labels: what the probabilities are of.
    """
    gold_N, logits_NL = np.asarray(gold, dtype=str), log_probabilities(probabilities_NL)
    occur = [i for i, label in enumerate(labels) if str(label) in set(gold_N.tolist())]
    areas = []
    for one, other in combinations(occur, 2):
        of_either = np.isin(gold_N, [str(labels[one]), str(labels[other])])
        odds = (logits_NL[:, one] - logits_NL[:, other])[of_either]
        areas.append(roc_auc_score(gold_N[of_either] == str(labels[one]), odds))
    return float(np.mean(areas))


def rank_correlation(before_NL: Floats, after_NL: Floats) -> float:
    """Spearman's correlation of the log-odds of NA against PASS of two models, over examples."""
    odds = [
        logs_NL[:, NA] - logs_NL[:, PASS]
        for logs_NL in map(log_probabilities, (before_NL, after_NL))
    ]
    return float(spearmanr(*odds).statistic)
