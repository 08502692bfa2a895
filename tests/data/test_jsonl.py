"""Malformed lines of JSON, and names written in several ways."""

import json
from collections.abc import Callable

import pytest

from factmix.data.datasets.climate_fever import _Row
from factmix.data.jsonl import read_examples
from factmix.data.pool import DataError
from factmix.data.text import page_title, readable
from factmix.study.examples import Example

ROW = {
    "claim_id": "7",
    "claim": "Glaciers grow.",
    "claim_label": "REFUTES",
    "evidences": [{"article": "Glacier", "evidence": "They shrink."}],
}
LINE = json.dumps(ROW).encode()


def read(*lines: bytes) -> list[Example]:
    return read_examples(lines, _Row, "claims.jsonl", "some")


@pytest.mark.parametrize(
    "written", [lambda line: b"\xef\xbb\xbf" + line, lambda line: line + b"\r\n"]
)
def test_a_byte_order_mark_and_windows_line_ends_are_no_content(
    written: Callable[[bytes], bytes],
) -> None:
    assert read(written(LINE)) == read(LINE + b"\n")


def test_a_byte_order_mark_elsewhere_is_a_mistake() -> None:
    with pytest.raises(DataError, match=r"^claims\.jsonl:2: Invalid JSON"):
        read(LINE, b"\xef\xbb\xbf" + LINE)


def test_evidence_may_be_of_any_length() -> None:
    evidence = "word " * 20_000
    row = ROW | {"evidences": [{"article": "Glacier", "evidence": evidence}]}
    [example] = read(json.dumps(row).encode())
    assert len(example.evidence[0]) == len("Glacier: ") + 5 * 20_000 - 1


def test_invalid_utf_8_is_named_by_line() -> None:
    with pytest.raises(DataError, match=r"^claims\.jsonl:2: Invalid JSON: invalid unicode"):
        read(LINE, LINE.replace(b"grow", b"gr\xffw"))


def test_an_id_that_another_file_has_is_a_mistake() -> None:
    with pytest.raises(DataError, match=r"jsonl:1: the id '7' was already used in other\.jsonl:3"):
        read_examples([LINE], _Row, "claims.jsonl", "some", {"7": "other.jsonl:3"})


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("Soul_Food_-LRB-film-RRB-", "Soul Food (film)"),
        ("Soul Food -LRB-film-RRB-", "Soul Food (film)"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("Mission-COLON-_Impossible", "Mission: Impossible"),
    ],
)
def test_a_page_has_one_title(page: str, title: str) -> None:
    assert page_title(page) == title


def test_brackets_in_text() -> None:
    assert readable("He -LRB- born 1967 -RRB- sings") == "He ( born 1967 ) sings"
