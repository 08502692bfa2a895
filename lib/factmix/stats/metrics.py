"""Contingency counts of gold labels and answers, and the metrics of these counts.

Axis suffixes: L gold label (3, order of `LABELS`), A answer (4, order of `ANSWERS`, INVALID last),
G group of examples. Where a function takes `labels`, other tasks have their own: the first answers
are then these labels in the same order, and any further answers are wrong.

An answer can be shared among labels, as where several are equally probable: an example then counts
in several cells of a table, in each with its share.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt
import pandas as pd

from factmix.study.labels import ANSWERS, LABELS

Counts = npt.NDArray[Any]  # whole numbers, or floats where answers are shared
Floats = npt.NDArray[np.float64]
# Of one system: the answer of each example, or the share of each answer in it, shape (N, A).
Answered = Sequence[str] | Floats


def metric_names(labels: Sequence[str]) -> tuple[str, ...]:
    """What `metrics` returns for these labels, in its order."""
    of_label = [f"{kind}_{label.lower()}" for kind in ("f1", "recall") for label in labels]
    return ("accuracy", "balanced_accuracy", "macro_f1", *of_label)


METRICS: tuple[str, ...] = metric_names(LABELS)
METRIC_MEANINGS: dict[str, str] = {
    "accuracy": "share of right answers",
    "balanced_accuracy": "mean of the three recalls",
    "macro_f1": "mean of the three F1 scores",
    "f1_<lower>": "harmonic mean of precision and recall of a label",
    "recall_<lower>": "share of the examples with this gold label that are answered with it",
}


def contingency(
    gold: Sequence[str],
    *answers: Answered,
    labels: Sequence[str] = LABELS,
    possible: Sequence[str] = ANSWERS,
) -> Counts:
    """Counts of each combination of gold label and answers.

    Args:
        gold: the gold label of each example.
        answers: for each system, its answers in the same order; of at most two, see `cells_of`.
        labels: what a gold label can be.
        possible: what an answer can be: the labels first.

    Returns:
        counts of shape (L, A) for one system, (L, A, A) for two; floats where answers are shared.

    Raises:
        ValueError: a gold label or an answer is none of these, or lengths differ.
    """
    cells = cells_of(gold, *answers, labels=labels, possible=possible)
    shape = (len(labels), *(len(possible) for _ in answers))
    counts = np.zeros(shape, dtype=cells.weight.dtype)
    np.add.at(counts, cells.indices, cells.weight)
    return counts


def grouped_contingency(
    groups: Sequence[str], gold: Sequence[str], *answers: Sequence[str]
) -> Counts:
    """`contingency` of each group: shape (G, L, A, ...), in the order of the sorted names."""
    codes, names = pd.factorize(np.asarray(groups, dtype=object), sort=True)
    counts = np.zeros((len(names), len(LABELS), *(len(ANSWERS) for _ in answers)), dtype=np.int64)
    np.add.at(counts, (codes, *cells_of(gold, *answers).indices), 1)
    return counts


@dataclass(frozen=True)
class Cells:
    """Where examples are counted in a table gold x answer, or gold x first x second answer.

    Attributes:
        example: of each count, the example.
        indices: its cell: an array for each axis of the table.
        weight: the share of the example that is counted there; 1 unless answers are shared.
    """

    example: npt.NDArray[np.intp]
    indices: tuple[npt.NDArray[np.intp], ...]
    weight: npt.NDArray[Any]


def cells_of(
    gold: Sequence[str],
    *answers: Answered,
    labels: Sequence[str] = LABELS,
    possible: Sequence[str] = ANSWERS,
) -> Cells:
    """The cells of the table that `contingency` counts.

    Two systems' shares of the same example agree as far as they can: what both give to a label is
    one cell. So a system agrees with itself. The rest of both is combined as if independent.

    Raises:
        ValueError: a gold label or an answer is none of these, or lengths differ.
    """
    if any(len(given) != len(gold) for given in answers):
        lengths = ", ".join(str(len(given)) for given in answers)
        raise ValueError(f"{len(gold)} gold labels, but {lengths} answers; expected as many")
    gold_N = indices_in(labels, gold, "gold label")
    if not any(map(_shared, answers)):
        indices = [indices_in(possible, given, "answer") for given in answers]
        return Cells(np.arange(len(gold)), (gold_N, *indices), np.ones(len(gold), dtype=np.int64))
    shares = [_shares(given, possible) for given in answers]
    of_each = shares[0] if len(shares) == 1 else _joint(*shares)
    example, *indices = np.nonzero(of_each)
    return Cells(example, (gold_N[example], *indices), of_each[of_each > 0])


def _shared(given: Answered) -> TypeGuard[Floats]:
    return isinstance(given, np.ndarray) and given.ndim == 2


def _shares(given: Answered, possible: Sequence[str]) -> Floats:
    """Answers as shares, shape (N, A); what a system never answers may be missing at the end."""
    if _shared(given):
        return np.pad(given, ((0, 0), (0, len(possible) - given.shape[1])))
    shares: Floats = np.eye(len(possible))[indices_in(possible, given, "answer")]
    return shares


def _joint(first_NA: Floats, second_NA: Floats) -> Floats:
    """The share of each pair of answers, shape (N, A, A), where both agree as far as they can."""
    common_NA, each = np.minimum(first_NA, second_NA), range(first_NA.shape[1])
    first_NA, second_NA = first_NA - common_NA, second_NA - common_NA
    apart_N11 = first_NA.sum(axis=1)[:, None, None]
    joint_NAA = first_NA[:, :, None] * second_NA[:, None, :]
    np.divide(joint_NAA, apart_N11, out=joint_NAA, where=apart_N11 > 0)
    joint_NAA[:, each, each] += common_NA
    return joint_NAA


def indices_in(
    among: Sequence[str], values: Sequence[str] | npt.NDArray[Any], what: str
) -> npt.NDArray[np.intp]:
    """The place of each value among the labels or answers.

    Args:
        among: the names that values can have.
        values: the gold label, or the answer, of each example.
        what: what a value is, for the message.

    Raises:
        ValueError: a value is none of these names.
    """
    codes = pd.Index([str(name) for name in among]).get_indexer(pd.Index(values, dtype=object))
    if (codes < 0).any():
        got = np.asarray(values, dtype=object)[codes < 0][0]
        raise ValueError(f"{what} {got!r} is unknown; expected one of: {', '.join(among)}")
    return codes


def examples_of(gold: Sequence[str]) -> dict[str, int]:
    """For each of `METRICS`, how many examples it is a share or a mean of.

    A recall is a share of the examples with its gold label. The others are of all examples; so is
    F1, which counts examples of any gold label that are answered with its own.
    """
    of_label = {f"recall_{label.lower()}": gold.count(label) for label in LABELS}
    return dict.fromkeys(METRICS, len(gold)) | of_label


def metrics(counts_LA: npt.NDArray[Any], labels: Sequence[str] = LABELS) -> dict[str, Floats]:
    """The metrics of tables gold x answer; an INVALID answer is wrong.

    Balanced accuracy is the mean recall of the labels, macro F1 their mean F1. F1 of a label that
    is never answered is 0.

    Args:
        counts_LA: counts of shape (..., L, A).
        labels: the names of the gold labels.

    Returns:
        for each of `metric_names(labels)` a fraction 0-1 of shape (...).

    Raises:
        ValueError: a table has no example of some label; its recall is not defined.
    """
    gold_L = counts_LA.sum(axis=-1)
    lacking = [label for i, label in enumerate(labels) if (gold_L[..., i] == 0).any()]
    if lacking:
        raise ValueError(f"no example with gold label {', '.join(lacking)}; expected some of each")
    right_L = np.stack([counts_LA[..., i, i] for i in range(len(labels))], axis=-1)
    answered_L = counts_LA.sum(axis=-2)[..., : len(labels)]
    recall_L = right_L / gold_L
    f1_L = 2 * right_L / (gold_L + answered_L)
    values = [
        right_L.sum(axis=-1) / gold_L.sum(axis=-1),
        recall_L.mean(axis=-1),
        f1_L.mean(axis=-1),
    ]
    values += [f1_L[..., i] for i in range(len(labels))]
    values += [recall_L[..., i] for i in range(len(labels))]
    return dict(zip(metric_names(labels), values, strict=True))


def gains(counts_LAA: npt.NDArray[Any], labels: Sequence[str] = LABELS) -> dict[str, Floats]:
    """The second system's metrics minus the first's.

    Args:
        counts_LAA: gold x first answer x second answer, shape (..., L, A, A).
        labels: the names of the gold labels.
    """
    first = metrics(counts_LAA.sum(axis=-1), labels)
    second = metrics(counts_LAA.sum(axis=-2), labels)
    return {name: second[name] - first[name] for name in first}
