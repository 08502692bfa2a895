"""FEVER's claims with their evidence, referred to or retrieved."""

import json
import zipfile
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from factmix.data.datasets import DATASETS, load
from factmix.data.datasets.fever import (
    UNRETRIEVED,
    WITHOUT_EVIDENCE,
    Claim,
    page_recall,
    pool,
    read_claims,
    retrieval_recall,
)
from factmix.data.fetch import fetch
from factmix.data.pool import DataError, Pool
from factmix.data.wiki import Reference, Wiki, open_wiki
from factmix.study.examples import Example
from factmix.study.labels import Label

ROW: dict[str, Any] = {
    "id": 7,
    "verifiable": "VERIFIABLE",
    "label": "SUPPORTS",
    "claim": "The Vell is a  river.",
    "evidence": [[[1, 2, "Vell", 0]]],
}
UNDECIDED = ROW | {"label": "NOT ENOUGH INFO", "evidence": [[[1, None, None, None]]]}


@pytest.fixture
def wiki(tmp_path: Path) -> Wiki:
    pages = {
        "Vell": ["The Vell is a river .", "It rises in the Tallow hills ."],
        "Tallow_-LRB-hills-RRB-": ["The Tallow hills are low ."],
        "Oakmere": ["Oakmere is a town ."],
        "Harrow": ["Harrow is a village ."],
    }
    with zipfile.ZipFile(tmp_path / "wiki-pages.zip", "w") as archive:
        rows = [
            {"id": page, "lines": "\n".join(f"{i}\t{text}" for i, text in enumerate(texts))}
            for page, texts in pages.items()
        ]
        archive.writestr("w/wiki-001.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    return open_wiki(tmp_path / "wiki-pages.zip", tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: Any) -> Path:
        path = tmp_path / "claims.jsonl"
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        path.write_text(text + "\n", encoding="utf-8")
        return path

    return write


def claim(number: int, text: str, label: Label, *sets: list[tuple[str, int]]) -> Claim:
    references = tuple(tuple(Reference(*each) for each in every) for every in sets)
    return Claim(str(number), text, label, references)


def groups(found: Pool) -> dict[str, str]:
    return {example.id: example.group for example in found.examples}


def test_a_claim_gets_its_gold_sentences(file: Callable[..., Path], wiki: Wiki) -> None:
    assert pool(read_claims(file(ROW)), wiki, "fever").examples == (
        Example(
            id="7",
            group="Vell",
            dataset="fever",
            claim="The Vell is a river.",
            evidence=("Vell: The Vell is a river .",),
            label=Label.PASS,
            kind="1 sentence",
        ),
    )


def test_the_kind_of_a_claim_is_how_many_sentences_it_has(
    file: Callable[..., Path], wiki: Wiki
) -> None:
    both, hills = [[1, 2, "Vell", 0], [1, 2, "Vell", 1]], [1, 2, "Tallow_-LRB-hills-RRB-", 0]
    rows = [
        ROW | {"id": 1, "evidence": [both]},
        ROW | {"id": 2, "claim": "It is long.", "evidence": [[*both, hills]]},
    ]
    kinds = [each.kind for each in pool(read_claims(file(*rows)), wiki, "fever").examples]
    assert kinds == ["2 sentences", "3 or more sentences"]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("SUPPORTS", Label.PASS), ("REFUTES", Label.FAIL), ("NOT ENOUGH INFO", Label.NA)],
)
def test_labels(file: Callable[..., Path], theirs: str, ours: Label) -> None:
    assert read_claims(file(ROW | {"label": theirs}))[0].label is ours


def test_the_first_evidence_set_that_is_whole_is_taken(wiki: Wiki) -> None:
    sets = [
        [("Vell", 0), ("Nowhere", 0)],
        [("Vell", 1), ("Tallow_-LRB-hills-RRB-", 0)],
        [("Vell", 0)],
    ]
    [example] = pool([claim(1, "C", Label.FAIL, *sets)], wiki, "fever").examples
    assert example.evidence == (
        "Vell: It rises in the Tallow hills .",
        "Tallow (hills): The Tallow hills are low .",
    )


def test_claims_without_whole_evidence_are_left_out_and_counted(wiki: Wiki) -> None:
    claims = [
        claim(1, "A", Label.PASS, [("Nowhere", 0)]),
        claim(2, "B", Label.FAIL, [("Vell", 0), ("Vell", 9)]),
        claim(3, "Zyx?", Label.NA),
    ]
    assert pool(claims, wiki, "fever") == Pool((), {WITHOUT_EVIDENCE: 2, UNRETRIEVED: 1})


def test_an_undecided_claim_gets_what_is_found_and_the_best_ones_page(
    file: Callable[..., Path], wiki: Wiki
) -> None:
    row = UNDECIDED | {"claim": "The Tallow hills are green."}
    [example] = pool(read_claims(file(row)), wiki, "fever").examples
    assert example.label is Label.NA
    assert example.evidence[0] == "Tallow (hills): The Tallow hills are low ."
    assert example.group == "Tallow (hills)"


def test_claims_that_share_a_page_are_in_one_group_also_through_others(wiki: Wiki) -> None:
    claims = [
        claim(1, "A", Label.PASS, [("Vell", 0)]),
        claim(2, "B", Label.PASS, [("Harrow", 0)]),
        claim(3, "C", Label.FAIL, [("Vell", 1)], [("Tallow_-LRB-hills-RRB-", 0)]),
        claim(4, "D", Label.FAIL, [("Tallow_-LRB-hills-RRB-", 0)], [("Nowhere", 3)]),
    ]
    for order in (claims, claims[::-1]):
        found = groups(pool(order, wiki, "fever"))
        assert found["1"] == found["3"] == found["4"] == "Nowhere"
        assert found["2"] == "Harrow"


def test_claims_that_read_alike_share_a_group_whatever_their_pages(wiki: Wiki) -> None:
    claims = [
        claim(1, "Oakmere is a Town.", Label.PASS, [("Oakmere", 0)]),
        claim(2, "“Oakmere is a town”", Label.FAIL, [("Harrow", 0)]),
        claim(3, "oakmere is a town", Label.NA),
        claim(4, "The Vell is a river", Label.PASS, [("Vell", 0)]),
    ]
    found = groups(pool(claims, wiki, "fever"))
    assert found["1"] == found["2"] == found["3"] != found["4"]


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        ('{"id": 8', "Invalid JSON"),
        (ROW | {"id": 8, "label": "DISPUTED"}, "label: Input should be 'SUPPORTS'"),
        ({k: v for k, v in ROW.items() if k != "evidence"}, "evidence: Field required"),
        (ROW | {"id": 8, "claim": " "}, "claim: Value error, is empty"),
        (ROW | {"id": 8, "evidence": [[["Vell", 0]]]}, r"evidence\.0\.0\.0: Input should be"),
        (ROW | {"id": 8, "evidence": [[[1, 2, "Vell", -1]]]}, r"evidence\.0\.0\.3: Input sh"),
        (ROW, "the id '7' was already used in .*:1; expected every id once"),
    ],
)
def test_a_malformed_line_is_named(file: Callable[..., Path], second: Any, problem: str) -> None:
    with pytest.raises(DataError, match=rf"claims\.jsonl:2: {problem}"):
        read_claims(file(ROW, second))


def test_page_recall_by_hand(wiki: Wiki) -> None:
    claims = [
        claim(1, "The Vell is a river", Label.PASS, [("Vell", 0)]),  # found
        claim(2, "A village", Label.PASS, [("Oakmere", 0)], [("Harrow", 0)]),  # by its second set
        claim(3, "Oakmere", Label.PASS, [("Vell", 0)]),  # not found
        claim(4, "Vell", Label.PASS, [("Nowhere", 0)]),  # not in the dump: does not count
    ]
    assert page_recall(claims, wiki, at=1) == {
        "value": pytest.approx(2 / 3),
        "unit": "fraction",
        "n": 3,
        "pages": 4,
    }
    assert page_recall(claims, wiki, at=1, most=2, seed=1)["n"] == 2


@pytest.mark.parametrize(
    ("dataset", "source"), [("fever", "fever_paper_dev"), ("fever_train", "fever_train")]
)
def test_recall_is_that_of_the_claims_of_the_dataset(
    file: Callable[..., Path],
    wiki: Wiki,
    monkeypatch: pytest.MonkeyPatch,
    dataset: str,
    source: str,
) -> None:
    module = import_module("factmix.data.datasets.fever")
    monkeypatch.setattr(module, "fetch", {source: file(ROW)}.__getitem__)
    monkeypatch.setattr(module, "open_wiki", lambda: wiki)
    assert retrieval_recall(dataset, most=9, seed=0)["n"] == 1


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_the_real_file_and_the_excerpt(
    mirror: Path, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACTMIX_CACHE", str(built))
    found = load("fever")
    labels = Counter(example.label for example in found.examples)
    assert labels == {Label.PASS: 1080, Label.FAIL: 1149, Label.NA: 3333 - 10}
    assert labels[Label.PASS] + labels[Label.FAIL] == 2229
    assert found.skipped == {WITHOUT_EVIDENCE: 6666 - 2229, UNRETRIEVED: 10}
    assert all(each.evidence for each in found.examples)
    assert DATASETS["fever"]() == found
    # Few pages are linked, so that evaluation can take whole groups.
    assert max(Counter(each.group for each in found.examples).values()) < 0.03 * 5552


def test_retrieval_finds_the_pages_of_the_excerpt(
    mirror: Path, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACTMIX_CACHE", str(built))
    recall = page_recall(read_claims(fetch("fever_paper_dev")), open_wiki(), most=300)
    assert recall["n"] == 300
    assert recall["value"] > 0.95  # among 290 pages; among all of Wikipedia it is lower
