"""Constants added to the label log-probabilities of a model: what moving its thresholds can give.

Axis suffixes: N example, L label (order of `LABELS`).

Source: Zhao et al. (2021), Calibrate Before Use, who choose the constants so that an empty input is
answered uniformly. Here they match given answer shares, or gold labels of other groups.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import linprog, minimize
from scipy.special import logsumexp
from sklearn.model_selection import GroupKFold

from factmix.stats.metrics import Floats, indices_in
from factmix.study.labels import LABELS

LEAST = 1e-12  # probability that an impossible label counts as, so that logarithms are finite
FOLDS = 10
NEAREST = 500  # examples for which constants are first matched exactly
WIDTHS = (1.0, 0.1, 0.01)  # nats, of the softmaxes that come near an argmax


def log_probabilities(probabilities_NL: Floats) -> Floats:
    """Logarithms in nats; a probability of 0 counts as `LEAST`."""
    logs: Floats = np.log(np.clip(probabilities_NL, LEAST, None))
    return logs


def cross_fitted(
    gold: Sequence[str], groups: Sequence[str], probabilities_NL: Floats
) -> npt.NDArray[np.intp]:
    """Answers (N,) with the constants that suit the gold labels of other groups best.

    Args:
        gold: the gold label of each example.
        groups: of each example; at least `FOLDS` of them. An example is answered with constants
            that were fitted without its group.
        probabilities_NL: of each label.
    """
    logits_NL, gold_N = log_probabilities(probabilities_NL), indices_in(LABELS, gold, "gold label")
    answers_N = np.empty(len(gold_N), dtype=np.intp)
    folds = GroupKFold(FOLDS, shuffle=True, random_state=0)
    for others, own in folds.split(logits_NL, groups=groups):
        constants_L = fit_constants(logits_NL[others], gold_N[others])
        answers_N[own] = (logits_NL[own] + constants_L).argmax(axis=1)
    return answers_N


def fit_constants(logits_NL: Floats, gold_N: npt.NDArray[np.intp]) -> Floats:
    """The constants (L,), 0 for the first label, of the greatest class-balanced likelihood.

    Likelihood is smooth, so that it fits constants with less variance than balanced accuracy would.

    Args:
        logits_NL: finite.
        gold_N: indices of the gold labels; some of each.
    """
    weight_N = 1 / np.bincount(gold_N)[gold_N]

    def loss(free: Floats) -> tuple[float, Floats]:
        shifted_NL = logits_NL + np.concatenate([[0.0], free])
        logs_NL = shifted_NL - logsumexp(shifted_NL, axis=1, keepdims=True)
        residual_NL = np.exp(logs_NL) - np.eye(logits_NL.shape[1])[gold_N]
        nll = -(weight_N * logs_NL[np.arange(len(gold_N)), gold_N]).sum()
        return float(nll), (weight_N @ residual_NL)[1:]

    fitted = minimize(loss, np.zeros(logits_NL.shape[1] - 1), jac=True, method="BFGS")
    if np.abs(fitted.jac).max() > 1e-3:
        raise ValueError(
            "no constants have the greatest likelihood; expected probabilities that do not give"
            " every example its gold label"
        )
    constants_L: Floats = np.concatenate([[0.0], fitted.x])
    return constants_L


def match_shares(
    logits_NL: Floats, counts_L: npt.NDArray[np.intp]
) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Constants with which each label is the highest of the shifted logits as often as asked.

    Only the examples whose two highest shifted logits are nearest decide the last digits of the
    constants. So constants that give nearly these counts come first, then the exact ones for as
    many of the nearest examples as it takes for the others to keep their labels.

    Args:
        logits_NL: finite.
        counts_L: how often each label shall be the answer; they sum to N.

    Returns:
        the constants (L,), 0 for the first label, and the answers (N,). Where shifted logits are
        equal, the answers are those that make the counts right.
    """
    examples, labels = logits_NL.shape
    if counts_L.sum() != examples or counts_L.min() < 0:
        raise ValueError(
            f"counts {counts_L.tolist()} for {examples} examples; expected counts that sum to"
            f" {examples}"
        )
    shifted_NL = logits_NL + _nearly_matching(logits_NL, counts_L)
    lead_N = np.diff(np.partition(shifted_NL, -2, axis=1)[:, -2:], axis=1)[:, 0]
    order_N, answers_N, nearest = lead_N.argsort(), shifted_NL.argmax(axis=1), NEAREST
    while True:
        near, far = order_N[:nearest], order_N[nearest:]
        left_L = counts_L - np.bincount(answers_N[far], minlength=labels)
        if left_L.min() >= 0:
            constants_L, near_answers = _exactly_matching(logits_NL[near], left_L)
            if np.array_equal((logits_NL[far] + constants_L).argmax(axis=1), answers_N[far]):
                answers_N[near] = near_answers
                return constants_L, answers_N
        nearest *= 4


def _nearly_matching(logits_NL: Floats, counts_L: npt.NDArray[np.intp]) -> Floats:
    """Constants whose softmax, ever steeper, gives each label as often as asked on average."""
    shares_L = np.clip(counts_L, 0.5, None) / np.clip(counts_L, 0.5, None).sum()
    constants_L = np.zeros(len(counts_L))
    for width in WIDTHS:

        def loss(given_L: Floats, width: float = width) -> tuple[float, Floats]:
            scaled_NL = (logits_NL + given_L) / width
            total_N1 = logsumexp(scaled_NL, axis=1, keepdims=True)
            value = width * float(total_N1.mean()) - float(shares_L @ given_L)
            return value, np.exp(scaled_NL - total_N1).mean(axis=0) - shares_L

        constants_L = minimize(loss, constants_L, jac=True, method="BFGS").x
    return constants_L


def _exactly_matching(
    logits_NL: Floats, counts_L: npt.NDArray[np.intp]
) -> tuple[Floats, npt.NDArray[np.intp]]:
    """`match_shares` in one linear program.

    Among all answers with these counts, those by shifted logits have the greatest total logit. So
    the answers solve an assignment problem, and the constants are its dual variables.
    """
    examples, labels = logits_NL.shape
    each_example = sparse.kron(sparse.eye(examples), np.ones((1, labels)))
    each_label = sparse.kron(np.ones((1, examples)), sparse.eye(labels))
    solved = linprog(
        -logits_NL.ravel(),
        A_eq=sparse.vstack([each_example, each_label]).tocsr(),
        b_eq=np.concatenate([np.ones(examples), counts_L]),
        method="highs-ds",  # ends in a vertex, where every example has one label
    )
    constants = solved.eqlin.marginals[examples:]
    return constants - constants[0], solved.x.reshape(examples, labels).argmax(axis=1)
