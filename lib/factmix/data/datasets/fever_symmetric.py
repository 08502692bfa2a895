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

from factmix.data.fetch import fetch
from factmix.data.jsonl import Row, Text, read_archive
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
    """The examples in a copy of the archive; raises as `read_archive` does."""
    return read_archive(path, MEMBERS, _Row, "fever_symmetric")


def fever_symmetric() -> list[Example]:
    """Two claims and two sentences each, in all pairs; a group is the four of them."""
    return read(fetch("fever_symmetric"))
