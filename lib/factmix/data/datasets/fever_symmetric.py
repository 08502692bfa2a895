"""FEVER-symmetric: claims that no word in them decides (Schuster et al., EMNLP 2019).

Source: https://github.com/TalSchuster/FeverSymmetric, in the archive of the VitaminC baselines. A
row, cut:

    {"id": "7208", "claim": "Colombiana is a French film .", "evidence": "Colombiana is a 2011
     French action film ...", "gold_label": "SUPPORTS", ...}

Each claim of FEVER got a second claim and a second sentence, so that each of the two claims is
supported by one sentence and refuted by the other: four rows. The id of an added row is that of the
claim with seven more digits. There is no row without a verdict.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import StringConstraints

from factmix.data.fetch import fetch, open_member, opened
from factmix.data.jsonl import Row, Text, read_examples
from factmix.study.examples import Example
from factmix.study.labels import Label

MEMBERS = ("fever_symmetric/dev.jsonl", "fever_symmetric/test.jsonl")
ADDED = 7  # digits that the id of an added row has more than that of the claim

LABEL_OF = {"SUPPORTS": Label.PASS, "REFUTES": Label.FAIL}


class _Row(Row):
    id: Annotated[str, StringConstraints(pattern=r"^\d+$")]
    claim: Text
    evidence: Text
    gold_label: Literal["SUPPORTS", "REFUTES"]

    def example(self, dataset: str) -> Example:
        return Example(
            id=self.id,
            group=f"fever-symmetric-{self.id[:-ADDED] or self.id}",
            dataset=dataset,
            claim=self.claim,
            evidence=(self.evidence,),
            label=LABEL_OF[self.gold_label],
        )


def read(path: Path) -> list[Example]:
    """The examples in a copy of the archive, read without unpacking it to disk.

    Raises:
        SourceError: the file is not such an archive.
        DataError: a line of it is malformed.
    """
    examples: list[Example] = []
    seen: dict[str, str] = {}
    with opened(path) as archive:
        for member in MEMBERS:
            with open_member(archive, member) as lines:
                examples += read_examples(lines, _Row, f"{path}/{member}", "fever_symmetric", seen)
    return examples


def fever_symmetric() -> list[Example]:
    """Two claims and two sentences each, in all pairs; a group is the four of them."""
    return read(fetch("fever_symmetric"))
