import json
import zipfile
from collections import Counter

import pytest

from factmix.data.datasets import DATASETS
from factmix.data.datasets.vitaminc import FULL, REAL, read
from factmix.data.fetch import SourceError
from factmix.data.pool import DataError
from factmix.study.examples import Example
from factmix.study.labels import Label

[MEMBER] = REAL
ROW = {
    "unique_id": "c1_1",
    "case_id": "c1",
    "label": "REFUTES",
    "claim": "The  bridge has 3 arches .",
    "evidence": "The bridge has 4 arches .",
    "page": "Bridge",
    "group": "B1",
}


@pytest.fixture
def archive(tmp_path):
    def write(*lines, member=MEMBER):
        path = tmp_path / "vitaminc_real.zip"
        with zipfile.ZipFile(path, "w") as file:
            text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
            file.writestr(member, text + "\n")
        return path

    return write


def test_a_row_becomes_an_example_whose_group_is_the_page(archive):
    assert read(archive(ROW)) == [
        Example(
            id="c1_1",
            group="Bridge",
            dataset="vitaminc",
            claim="The bridge has 3 arches .",
            evidence=("The bridge has 4 arches .",),
            label=Label.FAIL,
        )
    ]


def test_the_kind_of_a_claim_is_the_type_of_its_revision_where_the_file_says_it(archive):
    rows = [ROW, ROW | {"unique_id": "c1_2", "revision_type": "synthetic"}]
    assert [example.kind for example in read(archive(*rows))] == ["", "synthetic"]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("SUPPORTS", Label.PASS), ("REFUTES", Label.FAIL), ("NOT ENOUGH INFO", Label.NA)],
)
def test_labels(archive, theirs, ours):
    assert read(archive(ROW | {"label": theirs}))[0].label is ours


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        ('{"unique_id": ', "Invalid JSON: EOF"),
        (
            ROW | {"label": "NOT_ENOUGH_INFO"},
            "label: Input should be 'SUPPORTS', .*'NOT_ENOUGH_INF",
        ),
        ({k: v for k, v in ROW.items() if k != "page"}, "page: Field required$"),
        (ROW | {"claim": " "}, "claim: Value error, is empty; got ' '"),
        (ROW | {"evidence": None}, "evidence: Input should be a valid string; got None"),
        (ROW, f"the id 'c1_1' was already used in .*{MEMBER}:1; expected every id once"),
    ],
)
def test_a_malformed_line_is_named(archive, second, problem):
    path = archive(ROW, second)
    with pytest.raises(DataError, match=rf"vitaminc_real\.zip/{MEMBER}:2: {problem}"):
        read(path)


def test_the_full_archive_is_read_from_all_its_splits_and_an_id_occurs_once_in_them(tmp_path):
    path = tmp_path / "vitaminc.zip"

    def write(*ids):
        with zipfile.ZipFile(path, "w") as file:
            for member, id_ in zip(FULL, ids, strict=True):
                file.writestr(member, json.dumps(ROW | {"unique_id": id_}))

    write("train", "dev", "test")
    examples = read(path, FULL, "vitaminc_full")
    assert [example.id for example in examples] == ["train", "dev", "test"]
    assert {example.dataset for example in examples} == {"vitaminc_full"}
    write("same", "dev", "same")
    with pytest.raises(DataError, match=r"test\.jsonl:1: the id 'same' was already used in .*tra"):
        read(path, FULL, "vitaminc_full")


def test_a_page_is_the_same_group_however_its_brackets_are_written(archive):
    path = archive(ROW | {"page": "Taboo -LRB-2017 TV series-RRB-"})
    assert read(path)[0].group == "Taboo (2017 TV series)"


def test_another_archive_is_refused_with_what_it_holds(archive):
    with pytest.raises(SourceError, match=f"expected it to hold {MEMBER}; it holds other.txt"):
        read(archive(ROW, member="other.txt"))


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    path = tmp_path / "vitaminc_real.zip"
    path.write_text("<html>not found</html>")
    with pytest.raises(SourceError, match=r"vitaminc_real\.zip: expected a zip archive"):
        read(path)


def test_the_real_file(mirror):
    examples = DATASETS["vitaminc"]()
    assert Counter(example.label for example in examples) == {
        Label.PASS: 17_306,
        Label.FAIL: 9_907,
        Label.NA: 7_268,
    }
    assert len({example.group for example in examples}) == 2_836
    assert {example.dataset for example in examples} == {"vitaminc"}
    first = examples[0]
    assert (first.id, first.group, first.label) == ("5ed4de07c9e77c000848a180_1", "Westlife", "NA")
    assert first.claim == "Westlife made under 23.5 million sales in the UK ."
    assert first.evidence[0].startswith("According to the British Phonographic Industry ( BPI ) , ")
