"""VitaminC, the test split of real revisions (Schuster, Fisch and Barzilay, NAACL 2021).

Source: https://github.com/TalSchuster/VitaminC, file vitaminc_real.zip (CC BY-SA 3.0). A row, cut:

    {"unique_id": "5ed4de07c9e77c000848a180_2", "case_id": "5ed4de07c9e77c000848a180",
     "label": "REFUTES", "claim": "Westlife made under 23.5 million sales in the UK .",
     "evidence": "According to the British Phonographic Industry ...", "page": "Westlife", ...}

A case holds the two versions of a sentence before and after an edit of its page, and claims that
one of them supports and the other refutes or leaves open.
"""

import zipfile
from pathlib import Path
from typing import Literal

from factmix.datasets.records import DataError, Row, Text, read_examples
from factmix.examples import Example
from factmix.labels import Label
from factmix.sources import fetch

MEMBER = "vitaminc_real/test.jsonl"

LABEL_OF = {"SUPPORTS": Label.PASS, "REFUTES": Label.FAIL, "NOT ENOUGH INFO": Label.NA}


class _Row(Row):
    unique_id: Text
    page: Text
    claim: Text
    evidence: Text
    label: Literal["SUPPORTS", "REFUTES", "NOT ENOUGH INFO"]

    def example(self) -> Example:
        return Example(
            id=self.unique_id,
            group=self.page,
            dataset="vitaminc",
            claim=self.claim,
            evidence=(self.evidence,),
            label=LABEL_OF[self.label],
        )


def read(path: Path) -> list[Example]:
    """The examples in a copy of vitaminc_real.zip, which is not unpacked to disk.

    Raises:
        DataError: the file is no such archive, or a line of it is malformed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if MEMBER not in archive.namelist():
                held = ", ".join(archive.namelist()) or "nothing"
                raise DataError(f"{path}: expected it to hold {MEMBER}; it holds {held}")
            with archive.open(MEMBER) as lines:
                return read_examples(lines, _Row, f"{path}/{MEMBER}")
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: expected a zip archive: {error}") from error


def vitaminc() -> list[Example]:
    """Contrastive evidence from real Wikipedia revisions; a group is a page."""
    return read(fetch("vitaminc_real"))
