"""Constants added to the label log-probabilities of a model: what moving its thresholds can give.

Axis suffixes: N example, L label (order of `LABELS`).

Source: Zhao et al. (2021), Calibrate Before Use, who choose the constants so that an empty input is
answered uniformly. Here they match given answer shares, or gold labels of other groups.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from scipy.optimize import linprog, minimize
from scipy.sparse.csgraph import connected_components
from scipy.special import logsumexp, softmax
from sklearn.model_selection import GroupKFold

from factmix.stats.metrics import Floats, indices_in
from factmix.study.labels import LABELS

LEAST = 1e-12  # of the most probable label's: an impossible label, so that logarithms are finite
FOLDS = 10
NEAREST = 500  # examples for which constants are first matched exactly
WIDTHS = (1.0, 0.1, 0.01)  # nats, of the softmaxes that come near an argmax
TIE = 1e-6  # nats, within which two labels are equally probable; float32 has seven digits
ROUNDING = 1e-9  # of an example, in sums of shares
EXACT = 1e-14  # of all examples, in their sums
POLISHED = 40  # of Newton's steps at most, where a loss is too flat for its minimum to be found


def log_probabilities(probabilities_NL: Floats) -> Floats:
    """Logarithms in nats, up to a constant for each example; no ratio counts as below `LEAST`.

    Args:
        probabilities_NL: of each label, on any scale for each example; one at least is above 0.

    Raises:
        ValueError: a probability is no finite number or below 0, or all of an example are 0.
    """
    highest_N1 = np.max(probabilities_NL, axis=1, keepdims=True)
    fine_NL = np.isfinite(probabilities_NL) & (probabilities_NL >= 0) & (highest_N1 > 0)
    if not fine_NL.all():
        row = int(np.argmin(fine_NL.all(axis=1)))
        raise ValueError(
            f"example {row} has probabilities {np.asarray(probabilities_NL)[row].tolist()};"
            " expected finite numbers from 0, at least one of them above it"
        )
    logs: Floats = np.log(np.clip(probabilities_NL / highest_N1, LEAST, None))
    return logs


def most_probable(logits_NL: Floats) -> Floats:
    """The share of each label in the answers, shape (N, L): several that are highest share alike.

    Args:
        logits_NL: such as `log_probabilities`. Those within `TIE` count as equal.
    """
    highest_NL = _highest(logits_NL)
    shares_NL: Floats = highest_NL / highest_NL.sum(axis=1, keepdims=True)
    return shares_NL


def tied(logits_NL: Floats) -> int:
    """How many examples have several labels that are highest."""
    return int((_highest(logits_NL).sum(axis=1) > 1).sum())


def _highest(logits_NL: Floats) -> npt.NDArray[np.bool_]:
    highest_NL: npt.NDArray[np.bool_] = logits_NL >= logits_NL.max(axis=1, keepdims=True) - TIE
    return highest_NL


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
        raise ValueError(f"no constants of the greatest likelihood were found: {fitted.message}")
    constants_L: Floats = np.concatenate([[0.0], fitted.x])
    return constants_L


def match_shares(logits_NL: Floats, counts_L: npt.NDArray[Any]) -> tuple[Floats, Floats]:
    """Constants with which each label is the highest of the shifted logits as often as asked.

    Only the examples whose two highest shifted logits are nearest decide the last digits of the
    constants. So constants that give nearly these counts come first, then the exact ones for as
    many of the nearest examples as it takes for the others to keep their labels.

    Args:
        logits_NL: finite.
        counts_L: how often each label shall be the answer; they sum to N. Answers that several
            labels share make fractions of them.

    Returns:
        the constants (L,), 0 for the first label, and the share of each label in the answers,
        (N, L). Where shifted logits are equal, the shares are those that make the counts right,
        alike for all examples with the same labels to choose from.
    """
    examples = len(logits_NL)
    if not (abs(counts_L.sum() - examples) <= ROUNDING * examples and counts_L.min() >= 0):
        raise ValueError(
            f"counts {counts_L.tolist()} for {examples} examples; expected counts that sum to"
            f" {examples}"
        )
    shifted_NL = logits_NL + _nearly_matching(logits_NL, counts_L)
    lead_N = np.diff(np.partition(shifted_NL, -2, axis=1)[:, -2:], axis=1)[:, 0]
    order_N, shares_NL, nearest = lead_N.argsort(), most_probable(shifted_NL), NEAREST
    while True:
        near, far = order_N[:nearest], order_N[nearest:]
        left_L = counts_L - shares_NL[far].sum(axis=0)
        if left_L.min() >= -ROUNDING:
            constants_L, of_near = _exactly_matching(logits_NL[near], left_L.clip(0))
            moved_NL = logits_NL + constants_L
            if not tied(moved_NL[far]) and (most_probable(moved_NL[far]) == shares_NL[far]).all():
                shares_NL[near] = of_near
                return constants_L, _alike(moved_NL, shares_NL)
        nearest *= 4


def _nearly_matching(logits_NL: Floats, counts_L: npt.NDArray[Any]) -> Floats:
    """Constants whose softmax, ever steeper, gives each label as often as asked on average."""
    at_least_L, constants_L = np.clip(counts_L, 0.5, None), np.zeros(len(counts_L))
    for width in WIDTHS:
        constants_L = _softly_matching(logits_NL, at_least_L, constants_L, width)
    return constants_L


def _softly_matching(
    logits_NL: Floats, counts_L: npt.NDArray[Any], start_L: Floats, width: float
) -> Floats:
    """Constants whose softmax of this width gives the labels in this proportion on average."""
    shares_L = counts_L / counts_L.sum()

    def loss(given_L: Floats) -> tuple[float, Floats]:
        scaled_NL = (logits_NL + given_L) / width
        total_N1 = logsumexp(scaled_NL, axis=1, keepdims=True)
        value = width * float(total_N1.mean()) - float(shares_L @ given_L)
        return value, np.exp(scaled_NL - total_N1).mean(axis=0) - shares_L

    found: Floats = minimize(loss, start_L, jac=True, method="BFGS").x
    return found


def _exactly_matching(logits_NL: Floats, counts_L: npt.NDArray[Any]) -> tuple[Floats, Floats]:
    """`match_shares` in one linear program; which of several equal examples has a label is open.

    Among all answers with these counts, those by shifted logits have the greatest total logit. So
    the answers solve a transport problem, and the constants are its dual variables. Examples with
    the same logits are one row D of it.
    """
    table = pd.DataFrame(logits_NL)
    row_N = table.groupby([*table], sort=False).ngroup().to_numpy()
    logits_DL, times_D = table.drop_duplicates().to_numpy(), np.bincount(row_N)
    rows, labels = logits_DL.shape
    each_row = sparse.kron(sparse.eye(rows), np.ones((1, labels)))
    each_label = sparse.kron(np.ones((1, rows)), sparse.eye(labels))
    counts_L = counts_L * (len(logits_NL) / counts_L.sum())  # equal to the last digit
    solved = linprog(
        -logits_DL.ravel(),
        A_eq=sparse.vstack([each_row, each_label]).tocsr(),
        b_eq=np.concatenate([times_D, counts_L]),
        method="highs-ds",  # ends in a vertex, where nearly all rows have one label
    )
    if solved.x is None:
        raise ValueError(f"no constants give the counts {counts_L.tolist()}: {solved.message}")
    constants = solved.eqlin.marginals[rows:]
    given_DL = solved.x.reshape(rows, labels) / times_D[:, None]
    return constants - constants[0], given_DL[row_N]


def _alike(logits_NL: Floats, shares_NL: Floats) -> Floats:
    """The shares of the greatest entropy, of all that are shares of highest labels in these counts.

    Examples with the same labels to choose from share alike then. Often that decides the shares:
    where which labels are highest together forms no cycle. Otherwise they are odds of the labels,
    the same for all examples, among those that are highest.
    """
    highest_NL, alike_NL = _highest(logits_NL), shares_NL.copy()
    undecided_N = highest_NL.sum(axis=1) > 1
    choices_CL, of_N, times_C = np.unique(
        highest_NL[undecided_N], axis=0, return_inverse=True, return_counts=True
    )
    if not len(choices_CL):
        return alike_NL
    given_CL = np.stack(
        [shares_NL[undecided_N][of_N == i].mean(axis=0) for i in range(len(times_C))]
    )
    if _has_cycle(choices_CL):
        given_CL = _by_odds(choices_CL, times_C, times_C @ given_CL)
    alike_NL[undecided_N] = given_CL[of_N]
    return alike_NL


def _has_cycle(choices_CL: npt.NDArray[np.bool_]) -> bool:
    """Whether the graph of choices and their labels has one."""
    choices, labels = choices_CL.shape
    graph = sparse.bmat([[None, choices_CL.astype(int)], [np.zeros((labels, choices)), None]])
    parts, _ = connected_components(graph, directed=False)
    return bool(choices_CL.sum() > choices + labels - parts)


def _by_odds(
    choices_CL: npt.NDArray[np.bool_], times_C: npt.NDArray[np.intp], counts_L: Floats
) -> Floats:
    """Shares of the labels of each choice, by odds of the labels that give these counts."""
    possible_CL = np.where(choices_CL, 0.0, -np.inf)
    weight_C, shares_L = times_C / times_C.sum(), counts_L / counts_L.sum()

    def given(odds_L: Floats) -> Floats:
        shares_CL: Floats = softmax(possible_CL + odds_L, axis=1)
        return shares_CL

    def loss(odds_L: Floats) -> tuple[float, Floats]:
        totals_C = logsumexp(possible_CL + odds_L, axis=1)
        return float(weight_C @ totals_C - shares_L @ odds_L), weight_C @ given(odds_L) - shares_L

    def curvature(odds_L: Floats) -> Floats:
        given_CL = given(odds_L)
        hessian_LL: Floats = np.diag(weight_C @ given_CL)
        hessian_LL -= (weight_C[:, None] * given_CL).T @ given_CL
        return hessian_LL

    start_L = np.zeros(len(shares_L))
    odds_L = minimize(loss, start_L, jac=True, hess=curvature, method="trust-exact").x
    for _ in range(POLISHED):
        _, missed_L = loss(odds_L)
        if np.abs(missed_L).max() < EXACT:
            break
        odds_L -= np.linalg.lstsq(curvature(odds_L), missed_L)[0]
    return given(odds_L)
