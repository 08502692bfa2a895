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

    Among all answers with these counts, those by shifted logits have the greatest total logit. So
    the answers solve an assignment problem, and the constants are its dual variables.

    Args:
        logits_NL: finite.
        counts_L: how often each label shall be the answer; they sum to N.

    Returns:
        the constants (L,), 0 for the first label, and the answers (N,). Where shifted logits are
        equal, the answers are those that make the counts right.
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
    if not solved.success:
        raise ValueError(
            f"no answers with the counts {counts_L.tolist()}: {solved.message}; expected counts"
            f" that sum to {examples}"
        )
    constants = solved.eqlin.marginals[examples:]
    return constants - constants[0], solved.x.reshape(examples, labels).argmax(axis=1)
