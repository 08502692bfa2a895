"""Accepted and malformed rows of the real datasets, the same for all three."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from factmix.data.datasets.climate_fever import read as read_climate_fever
from factmix.data.datasets.fever import pool, read_claims
from factmix.data.datasets.vitaminc import REAL
from factmix.data.datasets.vitaminc import read as read_vitaminc
from factmix.data.pool import DataError
from factmix.data.wiki import open_wiki
from factmix.study.examples import Example

LONG = "word " * 20_000  # 100,000 characters
PAGE = {"id": "Vell", "lines": "0\tThe Vell is a river ."}

Row = dict[str, Any]


class Format(NamedTuple):
    """How one dataset writes its rows, and how they are read."""

    row: Row
    id: str
    label: str
    write: Callable[[Path, bytes], Path]
    read: Callable[[Path], list[Example]]
    with_evidence: Callable[[str], tuple[Row, Row]]  # a row, and the page of Wikipedia with it


def _plain(folder: Path, content: bytes) -> Path:
    path = folder / "claims.jsonl"
    path.write_bytes(content)
    return path


def _zipped(folder: Path, content: bytes) -> Path:
    path = folder / "claims.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(REAL[0], content)
    return path


def _read_fever(path: Path) -> list[Example]:
    page = path.with_name("page.json")
    archive = path.with_name("wiki-pages.zip")
    with zipfile.ZipFile(archive, "w") as pages:
        text = page.read_text(encoding="utf-8") if page.is_file() else json.dumps(PAGE)
        pages.writestr("wiki-001.jsonl", text + "\n")
    found = pool(read_claims(path), open_wiki(archive, path.parent), "fever")
    assert not found.skipped
    return list(found.examples)


FEVER: Row = {"id": 7, "label": "SUPPORTS", "claim": "The Vell is a river."}
FEVER["evidence"] = [[[1, 2, "Vell", 0]]]
VITAMINC: Row = {"unique_id": "7", "label": "SUPPORTS", "claim": "It has 3 arches.", "page": "B"}
VITAMINC["evidence"] = "It has 3 arches ."
CLIMATE: Row = {"claim_id": "7", "claim_label": "SUPPORTS", "claim": "Glaciers shrink."}
CLIMATE["evidences"] = [{"article": "Glacier", "evidence": "They shrink."}]

FORMATS = {
    "fever": Format(
        FEVER,
        "id",
        "label",
        _plain,
        _read_fever,
        lambda text: (FEVER, PAGE | {"lines": f"0\t{text}"}),
    ),
    "vitaminc": Format(
        VITAMINC,
        "unique_id",
        "label",
        _zipped,
        read_vitaminc,
        lambda text: (VITAMINC | {"evidence": text}, {}),
    ),
    "climate_fever": Format(
        CLIMATE,
        "claim_id",
        "claim_label",
        _plain,
        read_climate_fever,
        lambda text: (CLIMATE | {"evidences": [{"article": "A", "evidence": text}]}, {}),
    ),
}


@pytest.fixture(params=FORMATS.values(), ids=FORMATS)
def format_(request: pytest.FixtureRequest) -> Format:
    found: Format = request.param
    return found


def lines(*rows: Row) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def second(format_: Format, **changes: Any) -> Row:
    """Another row than the first, with these changes."""
    own = 8 if isinstance(format_.row[format_.id], int) else "8"
    return format_.row | {format_.id: own, "claim": "Another claim."} | changes


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda f: lines(second(f))[:-3] + b"\n", "Invalid JSON"),
        (lambda f: b"[" + lines(second(f)) + b"]", "expected one JSON object per line; got an arr"),
        (lambda f: lines(second(f, **{f.label: "MAYBE"})), r"\w+: Input should be .*'MAYBE'"),
        (lambda f: lines({k: v for k, v in second(f).items() if k != "claim"}), "claim: Field req"),
        (lambda f: lines(f.row), "the id '7' was already used in .*:1; expected every id once"),
        (lambda f: lines(second(f, claim=" \n")), "claim: Value error, is empty"),
        (
            lambda f: lines(second(f)).replace(b"Another", b"An\xffther"),
            "Invalid JSON: invalid",
        ),
    ],
    ids=["json", "array", "label", "field", "id", "claim", "utf-8"],
)
def test_a_malformed_second_line_is_named_and_stops_the_loading(
    format_: Format, tmp_path: Path, change: Callable[[Format], bytes], problem: str
) -> None:
    path = format_.write(tmp_path, lines(format_.row) + change(format_))
    with pytest.raises(DataError, match=rf"^{path}.*:2: {problem}"):
        format_.read(path)


def test_a_byte_order_mark_windows_line_ends_and_empty_lines_change_nothing(
    format_: Format, tmp_path: Path
) -> None:
    content = lines(format_.row, second(format_))
    usual = format_.read(format_.write(tmp_path, content))
    assert len(usual) == 2
    windows = content.replace(b"\n", b"\r\n")
    blank = content.replace(b"\n", b"\n\n")
    for written in (b"\xef\xbb\xbf" + content, windows, content[:-1], blank, windows + b" \r\n"):
        assert format_.read(format_.write(tmp_path, written)) == usual


def test_a_file_that_is_one_array_is_one_short_message(format_: Format, tmp_path: Path) -> None:
    rows = [second(format_, **{format_.id: i, "claim": LONG}) for i in range(3)]
    for indent in (None, 2):
        path = format_.write(tmp_path, json.dumps(rows, indent=indent).encode())
        with pytest.raises(
            DataError, match=r":1: expected one JSON .* got an array\. .* jq"
        ) as told:
            format_.read(path)
        assert len(str(told.value)) < 300


def test_a_value_of_another_type_is_shown_in_short(format_: Format, tmp_path: Path) -> None:
    path = format_.write(tmp_path, lines(second(format_, claim=[LONG] * 9)))
    with pytest.raises(
        DataError, match=r":1: claim: Input should be a valid string; got \["
    ) as told:
        format_.read(path)
    assert len(str(told.value)) < 500


def test_evidence_of_a_hundred_thousand_characters_is_kept_whole(
    format_: Format, tmp_path: Path
) -> None:
    row, page = format_.with_evidence(LONG)
    if page:
        (tmp_path / "page.json").write_text(json.dumps(page), encoding="utf-8")
    [example] = format_.read(format_.write(tmp_path, lines(row)))
    assert example.evidence[0].endswith(LONG.strip())
