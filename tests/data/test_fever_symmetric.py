import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from factmix.data.datasets import DATASETS
from factmix.data.datasets.fever_symmetric import MEMBERS, read
from factmix.data.pool import DataError
from factmix.study.examples import Example
from factmix.study.labels import Label

ROW = {
    "id": "97",
    "claim": "The  bridge has 3 arches .",
    "evidence": "The bridge has 4 arches .",
    "gold_label": "REFUTES",
    "sentence1": "The bridge has 4 arches .",
}


def archive(folder: Path, *rows: dict[str, Any]) -> Path:
    """An archive whose first part has these rows."""
    path = folder / "fever_symmetric.zip"
    with zipfile.ZipFile(path, "w") as file:
        for member, lines in zip(MEMBERS, (rows, ()), strict=True):
            file.writestr(member, "".join(f"{json.dumps(row)}\n" for row in lines))
    return path


def test_a_row_becomes_an_example(tmp_path: Path) -> None:
    assert read(archive(tmp_path, ROW)) == [
        Example(
            id="97",
            group="fever-symmetric-97",
            dataset="fever_symmetric",
            claim="The bridge has 3 arches .",
            evidence=("The bridge has 4 arches .",),
            label=Label.FAIL,
        )
    ]


def test_the_rows_that_were_added_to_a_claim_are_of_its_group(tmp_path: Path) -> None:
    ids = ["97", "970000002", "970000004", "1234567", "12345670000003"]
    groups = [each.group for each in read(archive(tmp_path, *(ROW | {"id": i} for i in ids)))]
    assert groups == [f"fever-symmetric-{name}" for name in ("97", "97", "97", *["1234567"] * 2)]


@pytest.mark.parametrize(
    ("change", "problem"),
    [({"gold_label": "NOT ENOUGH INFO"}, "gold_label: .*'REFUTES'"), ({"id": "x1"}, "id: .*")],
)
def test_a_row_of_another_kind_is_refused(
    tmp_path: Path, change: dict[str, str], problem: str
) -> None:
    with pytest.raises(DataError, match=rf"fever_symmetric\.zip/.*dev\.jsonl:1: {problem}"):
        read(archive(tmp_path, ROW | change))


def test_the_real_file_has_two_claims_and_two_sentences_in_a_group(mirror: Path) -> None:
    examples = DATASETS["fever_symmetric"]()
    assert isinstance(examples, list) and len(examples) == 1420
    groups: dict[str, list[Example]] = {}
    for each in examples:
        groups.setdefault(each.group, []).append(each)
    assert Counter(map(len, groups.values())) == {4: 355}
    for four in groups.values():
        assert Counter(each.label for each in four) == {Label.PASS: 2, Label.FAIL: 2}
