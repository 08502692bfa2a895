import json
from collections import Counter

import pytest

from factmix.data.datasets import DATASETS
from factmix.data.datasets.climate_fever import read
from factmix.data.pool import DataError
from factmix.data.text import normalised
from factmix.study.examples import Example
from factmix.study.labels import Label

ROW = {
    "claim_id": "7",
    "claim": "Glaciers are growing.",
    "claim_label": "REFUTES",
    "evidences": [
        {"article": "Glacier", "evidence": "They are  shrinking.", "votes": [None]},
        {"article": "Alps", "evidence": "It is a range.", "votes": []},
    ],
}


@pytest.fixture
def file(tmp_path):
    def write(*lines):
        path = tmp_path / "climate-fever.jsonl"
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        path.write_text(text + "\n", encoding="utf-8")
        return path

    return write


def test_a_row_becomes_an_example_whose_evidence_names_its_articles(file):
    assert read(file(ROW)) == [
        Example(
            id="7",
            group="climate-fever-7",
            dataset="climate_fever",
            claim="Glaciers are growing.",
            evidence=("Glacier: They are shrinking.", "Alps: It is a range."),
            label=Label.FAIL,
        )
    ]


@pytest.mark.parametrize(
    ("votes", "kind"),
    [
        ([None, None], ""),
        (["SUPPORTS", "SUPPORTS", None], "agreed"),
        (["SUPPORTS", None, "NOT_ENOUGH_INFO"], "split"),
    ],
)
def test_the_kind_of_a_claim_is_whether_the_annotators_of_its_sentences_agreed(file, votes, kind):
    evidences = [{**ROW["evidences"][0], "votes": ["REFUTES"] if kind else []}]
    evidences += [{**ROW["evidences"][1], "votes": votes}]
    assert read(file(ROW | {"evidences": evidences}))[0].kind == kind


def test_a_row_without_votes_has_no_kind(file):
    evidences = [{"article": "Alps", "evidence": "It is a range."}]
    assert read(file(ROW | {"evidences": evidences}))[0].kind == ""


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("SUPPORTS", Label.PASS),
        ("REFUTES", Label.FAIL),
        ("NOT_ENOUGH_INFO", Label.NA),
        ("DISPUTED", Label.NA),
    ],
)
def test_labels(file, theirs, ours):
    assert read(file(ROW | {"claim_label": theirs}))[0].label is ours


def test_claims_that_differ_in_punctuation_and_case_share_the_first_ones_group(file):
    examples = read(
        file(
            ROW,
            ROW | {"claim_id": "8", "claim": "Glaciers are not growing."},
            ROW | {"claim_id": "9", "claim": "“glaciers are [growing]”", "claim_label": "SUPPORTS"},
        )
    )
    assert [example.group for example in examples] == [
        "climate-fever-7",
        "climate-fever-8",
        "climate-fever-7",
    ]


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ("  'CO2' is  rising?! ", "co2 is rising"),
        ("Sea-level rise", "sea level rise"),
        ("\uff21lps", "alps"),  # a full-width A
        ("?!", "?!"),
    ],
)
def test_normalised(claim, words):
    assert normalised(claim) == words


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        ("{'claim_id': 8}", "Invalid JSON"),
        (ROW | {"claim_id": "8", "claim_label": "NOT ENOUGH INFO"}, "claim_label: Input should be"),
        ({k: v for k, v in ROW.items() if k != "claim"}, "claim: Field required$"),
        (ROW | {"claim_id": "8", "claim": ""}, "claim: Value error, is empty"),
        (ROW | {"claim_id": "8", "evidences": []}, "evidences: List should have at least 1 item"),
        (
            ROW | {"claim_id": "8", "evidences": [{"article": "A"}]},
            "evidences.0.evidence: Field req",
        ),
        (ROW, "the id '7' was already used in .*jsonl:1; expected every id once"),
    ],
)
def test_a_malformed_line_is_named(file, second, problem):
    with pytest.raises(DataError, match=rf"climate-fever\.jsonl:2: {problem}"):
        read(file(ROW, second))


def test_bytes_that_are_no_text_are_named(tmp_path):
    path = tmp_path / "climate-fever.jsonl"
    path.write_bytes(json.dumps(ROW).encode() + b'\n{"claim_id": "\xff"}\n')
    with pytest.raises(DataError, match=r"climate-fever\.jsonl:2: Invalid JSON: invalid unicode"):
        read(path)


def test_the_real_file(mirror):
    examples = DATASETS["climate_fever"]()
    assert Counter(example.label for example in examples) == {
        Label.PASS: 654,
        Label.FAIL: 253,
        Label.NA: 474 + 154,
    }
    assert {len(example.evidence) for example in examples} == {5}
    kinds = Counter(example.kind for example in examples)
    assert kinds == {"agreed": 91 + 91 + 24 + 19, "split": 563 + 383 + 229 + 135}
    # 45 claims occur a second time, apart from punctuation and case.
    sizes = Counter(Counter(example.group for example in examples).values())
    assert sizes == {1: 1535 - 2 * 45, 2: 45}
    assert examples[0].claim == "Global warming is driving polar bears toward extinction"
    assert examples[0].evidence[4] == 'Polar bear: "Bear hunting caught in global warming debate".'
