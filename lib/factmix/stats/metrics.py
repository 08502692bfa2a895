"""Contingency counts of gold labels and answers, and the metrics of these counts.

Axis suffixes: L gold label (3, order of `LABELS`), A answer (4, order of `ANSWERS`, INVALID last),
G group of examples. Where a function takes `labels`, other tasks have their own: the first answers
are then these labels in the same order, and any further answers are wrong.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from factmix.study.labels import ANSWERS, LABELS

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


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
    *answers: Sequence[str],
    labels: Sequence[str] = LABELS,
    possible: Sequence[str] = ANSWERS,
) -> Counts:
    """Counts of each combination of gold label and answers.

    Args:
        gold: the gold label of each example.
        answers: for each system, its answers in the same order.
        labels: what a gold label can be.
        possible: what an answer can be: the labels first.

    Returns:
        counts of shape (L, A) for one system, (L, A, A) for two, and so on.

    Raises:
        ValueError: a gold label or an answer is none of these, or lengths differ.
    """
    counts = np.zeros((len(labels), *(len(possible) for _ in answers)), dtype=np.int64)
    np.add.at(counts, cells_of(gold, *answers, labels=labels, possible=possible), 1)
    return counts


def grouped_contingency(
    groups: Sequence[str], gold: Sequence[str], *answers: Sequence[str]
) -> Counts:
    """`contingency` of each group: shape (G, L, A, ...), in the order of the sorted names."""
    codes, names = pd.factorize(np.asarray(groups, dtype=object), sort=True)
    counts = np.zeros((len(names), len(LABELS), *(len(ANSWERS) for _ in answers)), dtype=np.int64)
    np.add.at(counts, (codes, *cells_of(gold, *answers)), 1)
    return counts


def cells_of(
    gold: Sequence[str],
    *answers: Sequence[str],
    labels: Sequence[str] = LABELS,
    possible: Sequence[str] = ANSWERS,
) -> tuple[npt.NDArray[np.intp], ...]:
    """For each example the indices of its cell in the table that `contingency` counts.

    Raises:
        ValueError: a gold label or an answer is none of these, or lengths differ.
    """
    if any(len(given) != len(gold) for given in answers):
        lengths = ", ".join(str(len(given)) for given in answers)
        raise ValueError(f"{len(gold)} gold labels, but {lengths} answers; expected as many")
    return (
        indices_in(labels, gold, "gold label"),
        *(indices_in(possible, given, "answer") for given in answers),
    )


def indices_in(among: Sequence[str], values: Sequence[str], what: str) -> npt.NDArray[np.intp]:
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
