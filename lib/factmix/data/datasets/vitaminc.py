"""VitaminC: claims with contrastive evidence (Schuster, Fisch and Barzilay, NAACL 2021).

Source: https://github.com/TalSchuster/VitaminC (CC BY-SA 3.0), either vitaminc_real.zip, the test
split of real revisions, or vitaminc.zip, all splits with synthetic revisions. A row, cut:

    {"unique_id": "5ed4de07c9e77c000848a180_2", "case_id": "5ed4de07c9e77c000848a180",
     "label": "REFUTES", "claim": "Westlife made under 23.5 million sales in the UK .",
     "evidence": "According to the British Phonographic Industry ...", "page": "Westlife", ...}

A case has a sentence before and after an edit of its page, and claims that one version supports and
the other refutes or does not decide.
"""

from pathlib import Path
from typing import Literal

from factmix.data.fetch import fetch
from factmix.data.jsonl import Row, Text, read_archive
from factmix.data.text import page_title
from factmix.study.examples import Example
from factmix.study.labels import Label

REAL = ("vitaminc_real/test.jsonl",)
FULL = ("vitaminc/train.jsonl", "vitaminc/dev.jsonl", "vitaminc/test.jsonl")

LABEL_OF = {"SUPPORTS": Label.PASS, "REFUTES": Label.FAIL, "NOT ENOUGH INFO": Label.NA}


class _Row(Row):
    unique_id: Text
    page: Text
    claim: Text
    evidence: Text
    label: Literal["SUPPORTS", "REFUTES", "NOT ENOUGH INFO"]
    revision_type: str = ""  # real or synthetic; only in the archive with both

    def example(self, dataset: str) -> Example:
        return Example(
            id=self.unique_id,
            group=page_title(self.page),
            dataset=dataset,
            claim=self.claim,
            evidence=(self.evidence,),
            label=LABEL_OF[self.label],
            kind=self.revision_type,
        )


def read(path: Path, members: tuple[str, ...] = REAL, dataset: str = "vitaminc") -> list[Example]:
    """The examples in a copy of one of the archives; raises as `read_archive` does."""
    return read_archive(path, members, _Row, dataset)


def vitaminc() -> list[Example]:
    """Contrastive evidence from real Wikipedia revisions; a group is a page."""
    return read(fetch("vitaminc_real"))


def vitaminc_full() -> list[Example]:
    """Contrastive evidence from all splits, including the synthetic revisions of the dataset."""
    return read(fetch("vitaminc"), FULL, "vitaminc_full")
