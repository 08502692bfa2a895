"""Which examples of a dataset are evaluated: drawn so that few groups are lost to training."""

from collections.abc import Mapping, Set

import numpy as np
import pandas as pd

from factmix.data.pool import DataError
from factmix.study.labels import LABELS, Label
from factmix.study.run import EvaluationSample

# A page of VitaminC may hold hundreds of rows: while there are others, no group fills more than
# this part of a label's evaluation examples.
GROUP_SHARE = 1 / 50

# A group of more than this part of a dataset is left to training while there are others: it would
# be reserved whole. FEVER's training claims may be linked that far through the pages they share.
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
    """Draws the examples of one dataset that are evaluated.

    Args:
        sample: says how many of each label, and whether groups are kept together or examples are
            drawn at random, as the released code did.
        name: of the dataset.
        pool: all its examples, index 0, 1, 2...
        reserved: groups from which other datasets have drawn evaluation examples.
        rng: decides order and choice.
        where: of which study, for messages.

    Returns:
        The examples, in the order of the pool, with a column `trajectory`: whether the example is
        in the part that is answered during training.

    Raises:
        DataError: the pool is too small for what is asked of it.
    """
    counts = sample.counts[name]
    for label in LABELS:
        needed, available = counts.get(label, 0), int((pool["label"] == label).sum())
        if needed > available:
            raise DataError(
                f"{where}: evaluation.counts: {name}, {label}: {needed} examples needed,"
                f" {available} available"
            )
        part = sample.trajectory_counts.get(label, 0)
        if part > needed:
            raise DataError(
                f"{where}: evaluation.trajectory_counts: {label}: {part} examples"
                f" needed, {needed} available, which is evaluation.counts"
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
    """Draws examples so that few groups are touched and none of them dominates.

    Groups come in random order, those that are lost to training anyway first; each gives what is
    still needed of every label, at most `GROUP_SHARE` of the label's count. A group is passed over
    while it would have to be split, for its remainder would be lost to training. Only if the groups
    do not suffice do they give more.

    Args:
        pool: examples of one dataset, index 0, 1, 2...; at least `counts` of each label.
        counts: examples per label.
        rng: decides order and choice.
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
