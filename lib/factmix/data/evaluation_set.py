"""Draws the evaluation examples of a dataset so that training loses few groups."""

from collections.abc import Mapping, Set

import numpy as np
import pandas as pd

from factmix.data.pool import DataError
from factmix.study.labels import LABELS, Label
from factmix.study.run import EvaluationSample

# A page of VitaminC may have hundreds of rows. No group fills more than this share of a label's
# evaluation examples, unless the other groups do not suffice.
GROUP_SHARE = 1 / 50

# A group larger than this share of a dataset is left to training, unless the other groups do not
# suffice: evaluation would reserve all of it. Shared pages may link that many of FEVER's claims.
LARGEST_GROUP = 1 / 20


def draw_evaluation(
    sample: EvaluationSample,
    name: str,
    pool: pd.DataFrame,
    reserved: Set[str],
    rng: np.random.Generator,
    *,
    where: str,
) -> pd.DataFrame:
    """Draws the evaluation examples of one dataset.

    Args:
        sample: the counts per label, and the split: by group, or at random as in the released code.
        name: of the dataset.
        pool: all its examples, index 0, 1, 2...
        reserved: groups from which other datasets have drawn evaluation examples.
        rng: generator for all random choices.
        where: the study, for messages.

    Returns:
        The examples, in the order of the pool, with a column `trajectory`: whether the example is
        also answered during training.

    Raises:
        DataError: the pool is too small for the counts.
    """
    counts = sample.counts[name]
    for label in LABELS:
        needed, available = counts.get(label, 0), int((pool["label"] == label).sum())
        if needed > available:
            raise DataError(
                f"{where}: evaluation.counts: {name}, {label}: {needed} examples needed,"
                f" {available} available"
            )
    if sample.split == "group_disjoint":
        taken = draw_by_group(pool, counts, rng, reserved)
    else:
        of_label = {label: np.flatnonzero(pool["label"] == label) for label in counts}
        parts = [rng.permutation(rows)[: counts[label]] for label, rows in of_label.items()]
        taken = np.sort(np.concatenate(parts)).tolist()
    drawn = pool.iloc[taken].reset_index(drop=True)
    trajectory = np.zeros(len(drawn), dtype=bool)
    for label in LABELS:
        rows = np.flatnonzero(drawn["label"] == label)
        trajectory[rng.permutation(rows)[: sample.trajectory_counts.get(label, 0)]] = True
    return drawn.assign(trajectory=trajectory)


def draw_by_group(
    pool: pd.DataFrame,
    counts: Mapping[Label, int],
    rng: np.random.Generator,
    reserved: Set[str] = frozenset(),
) -> list[int]:
    """Draws examples from few groups, so that no group dominates.

    1. Visit the groups in random order, reserved ones first: training cannot use them anyway.
    2. Take the examples of the labels still needed, at most `GROUP_SHARE` of a label's count from
       one group. Skip a group that offers more than is needed: training would lose the remainder.
       Skip a group larger than `LARGEST_GROUP`.
    3. If examples are still missing, take more, without these limits: first from the groups
       already used, then from the others.

    Args:
        pool: examples of one dataset, index 0, 1, 2...; at least `counts` of each label.
        counts: examples per label.
        rng: generator for all random choices.
        reserved: groups from which other datasets have drawn evaluation examples.

    Returns:
        Row numbers of `pool`, ascending.
    """
    rows_of: dict[str, dict[Label, list[int]]] = {}
    groups, labels = pool["group"].tolist(), pool["label"].tolist()
    for row in rng.permutation(len(pool)).tolist():
        rows_of.setdefault(groups[row], {}).setdefault(Label(labels[row]), []).append(row)
    shuffled = rng.permutation(sorted(rows_of)).tolist()
    order = sorted(shuffled, key=lambda name: name not in reserved)

    need = {label: count for label, count in counts.items() if count}
    limit = {label: int(np.ceil(count * GROUP_SHARE)) for label, count in need.items()}
    taken: set[int] = set()
    used: set[str] = set()

    def take(group: str, offer: dict[Label, list[int]]) -> None:
        for label, rows in offer.items():
            taken.update(rows)
            need[label] -= len(rows)
        if any(offer.values()):
            used.add(group)

    for group in order:
        offer = {
            label: rows[: limit[label]]
            for label, rows in rows_of[group].items()
            if need.get(label, 0)
        }
        large = sum(map(len, rows_of[group].values())) > LARGEST_GROUP * len(pool)
        if not large and all(len(rows) <= need[label] for label, rows in offer.items()):
            take(group, offer)
    for group in sorted(order, key=lambda name: name not in used):
        left = {
            label: [row for row in rows if row not in taken]
            for label, rows in rows_of[group].items()
        }
        take(group, {label: rows[: need[label]] for label, rows in left.items() if label in need})
    return sorted(taken)
