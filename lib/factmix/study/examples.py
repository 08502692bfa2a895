"""One claim with its evidence and gold label, and tables of such examples."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

import pandas as pd

from factmix.study.labels import LABELS, Label


@dataclass(frozen=True)
class Example:
    """A claim with its evidence and gold label.

    Attributes:
        id: unique within its dataset.
        group: the unit that must not be split between training and evaluation, such as a Wikipedia
            page or an invented entity.
        dataset: the dataset's name in the study.
        claim: one sentence.
        evidence: sentences in order; empty when there is none.
        label: the gold label.
        kind: what decides the claim, or why nothing does, in the dataset's own words; "" where the
            dataset does not say.
    """

    id: str
    group: str
    dataset: str
    claim: str
    evidence: tuple[str, ...]
    label: Label
    kind: str = ""


COLUMNS = tuple(field.name for field in fields(Example))
COUNTED = (*map(str, LABELS), "with_evidence", "without_evidence")  # the keys of `count_examples`


def to_frame(examples: Iterable[Example]) -> pd.DataFrame:
    """Examples as a table with `COLUMNS`, one row each, in the given order."""
    rows = [asdict(example) for example in examples]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame["evidence"] = frame["evidence"].map(list)
    frame["label"] = frame["label"].map(str)
    return frame


def from_frame(frame: pd.DataFrame) -> list[Example]:
    """The inverse of `to_frame`; evidence may come as any sequence, as Parquet returns it."""
    return [
        Example(
            id=row["id"],
            group=row["group"],
            dataset=row["dataset"],
            claim=row["claim"],
            evidence=tuple(row["evidence"]),
            label=Label(row["label"]),
            kind=row["kind"],
        )
        for row in frame[list(COLUMNS)].to_dict("records")
    ]


def count_examples(frame: pd.DataFrame) -> dict[str, int]:
    """How many examples a table holds of each label, and with and without evidence."""
    with_evidence = int((frame["evidence"].map(len) > 0).sum())
    labels = (int((frame["label"] == label).sum()) for label in LABELS)
    return dict(zip(COUNTED, (*labels, with_evidence, len(frame) - with_evidence), strict=True))
