"""Overlap of training and evaluation, and the check that there is none."""

import pandas as pd

from factmix.data.text import normalised
from factmix.study.labels import LABELS

MOST_NAMED = 10  # ids named in a message


class LeakError(ValueError):
    """A training example shares its group or its claim with an evaluation example."""


def overlap(train: pd.DataFrame, evaluation: pd.DataFrame) -> dict[str, int]:
    """How many groups and how many normalised claims two tables of examples share."""
    return {
        "groups": len(set(train["group"]) & set(evaluation["group"])),
        "claims": len(_claims(train) & _claims(evaluation)),
    }


def shared_examples(train: pd.DataFrame, evaluation: pd.DataFrame) -> dict[str, dict[str, int]]:
    """The number of examples in both tables, by dataset and label."""
    evaluated = set(zip(evaluation["dataset"], evaluation["id"], strict=True))
    both = [key in evaluated for key in zip(train["dataset"], train["id"], strict=True)]
    shared = train.assign(both=both)
    return {
        str(name): {str(label): int(part["both"][part["label"] == label].sum()) for label in LABELS}
        for name, part in shared.groupby("dataset", sort=False)
    }


def check_disjoint(train: pd.DataFrame, evaluation: pd.DataFrame, where: str) -> None:
    """Checks that no training example shares its group or its claim with an evaluation example.

    Args:
        train: examples to train on.
        evaluation: examples to evaluate.
        where: the study and the arm or mixture, for the message.

    Raises:
        LeakError: some do; names their ids.
    """
    by_group = train["group"].isin(set(evaluation["group"]))
    by_claim = train["claim"].map(normalised).isin(_claims(evaluation))
    offending = train[by_group | by_claim]
    if len(offending):
        pairs = zip(offending["dataset"], offending["id"], strict=True)
        named = [f"{dataset} {id_}" for dataset, id_ in pairs]
        more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
        raise LeakError(
            f"{where}: {int(by_group.sum())} training examples share a group with the evaluation"
            f" set and {int(by_claim.sum())} a claim; expected none:"
            f" {', '.join(named[:MOST_NAMED])}{more}. Draw the data again with `factmix data`. If"
            " the error persists, the dataset's groups are wrong"
        )


def _claims(examples: pd.DataFrame) -> set[str]:
    return set(examples["claim"].map(normalised))
