"""The sentences of a dump of Wikipedia, in files of a few invented pages."""

import json
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from factmix import wiki
from factmix.records import DataError
from factmix.wiki import Reference, Wiki, open_wiki, sentences_of

PAGES = {
    "": [],
    "Harrow_-LRB-town-RRB-": ["Harrow is a town on the Vell .", "", "It has a library ."],
    "Vell": ["The Vell is a river .", "It rises in the Tallow hills ."],
    "Cafe\u0301_Oakmere": ["Caf\u00e9 Oakmere is a restaurant -LRB- since 1931 -RRB- ."],
}

Write = Callable[..., Path]


def row(page: str, sentences: list[str]) -> str:
    lines = "\n".join(f"{i}\t{text}\tlink\tlink" for i, text in enumerate(sentences))
    return json.dumps({"id": page, "text": " ".join(sentences), "lines": lines})


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes an archive with one file per given dictionary of pages."""

    def written(*files: dict[str, list[str]]) -> Path:
        path = tmp_path / "wiki-pages.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("wiki-pages/", "")
            for number, pages in enumerate(files, start=1):
                text = "".join(f"{row(page, texts)}\n" for page, texts in pages.items())
                archive.writestr(f"wiki-pages/wiki-{number:03}.jsonl", text)
        return path

    return written


@pytest.fixture
def small(write: Write, tmp_path: Path) -> Wiki:
    return open_wiki(write(PAGES), tmp_path / "cache")


def test_sentences_are_found_by_page_and_line(small: Wiki) -> None:
    assert small.sentence(Reference("Vell", 1)) == "It rises in the Tallow hills ."
    assert small.sentence(Reference("Harrow_-LRB-town-RRB-", 2)) == "It has a library ."
    for absent in (("Harrow_-LRB-town-RRB-", 1), ("Vell", 2), ("Tallow", 0)):
        assert small.sentence(Reference(*absent)) is None


def test_a_page_is_found_in_either_unicode_form(small: Wiki) -> None:
    for name in ("Cafe\u0301_Oakmere", "Caf\u00e9_Oakmere"):
        text = "Caf\u00e9 Oakmere is a restaurant ( since 1931 ) ."
        assert small.sentence(Reference(name, 0)) == text


def test_evidence_names_its_page(small: Wiki) -> None:
    found = small.evidence(Reference("Harrow_-LRB-town-RRB-", 2))
    assert found == "Harrow (town): It has a library ."
    assert small.evidence(Reference("Vell", 9)) is None


def test_a_page_without_a_name_is_counted(small: Wiki) -> None:
    assert (small.pages, small.skipped) == (3, 1)


@pytest.mark.parametrize(
    ("lines", "sentences"),
    [
        ("0\tOne .\n1\tTwo .\tlink", ["One .", "Two ."]),
        ("0\tOne .\n2\tThree .", ["One .", "", "Three ."]),
        ("0\tOne\nand a half .\tlink\n1\tTwo .", ["One and a half .", "Two ."]),
        ("0\tIn\n1984\n1\tTwo .", ["In 1984", "Two ."]),
        ("0\tBorn in\n1984\tin a town .\tlink\n1\tTwo .", ["Born in 1984", "Two ."]),
        ("0\tThey won\n0\tlink\n1\tTwo .", ["They won 0", "Two ."]),
        ("0\tOne .\n2\tThree .\n1\tTwo\nand more", ["One .", "Two and more", "Three ."]),
        ("0\tOne .\n" + "9" * 5000 + "\tTwo .", ["One . " + "9" * 5000]),
        ("0\tOne .\n1\t\n", ["One .", ""]),
        ("0\t", [""]),
        ("", []),
    ],
)
def test_lines_are_numbered_sentences(lines: str, sentences: list[str]) -> None:
    assert sentences_of(lines) == sentences


def test_the_page_that_a_claim_names_comes_first(small: Wiki) -> None:
    assert small.search_pages("The Vell is a long river.")[0] == "Vell"
    assert small.search_pages("Cafe Oakmere has closed.")[0] == "Caf\u00e9_Oakmere"
    assert small.search_pages("zyx?") == small.search_pages("?!") == []


def test_common_words_choose_no_page_where_there_are_rarer_ones(
    small: Wiki, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(small.search_pages("a restaurant")) == 3  # "a" is in all three
    monkeypatch.setattr(wiki, "FEW", 2)
    assert small.search_pages("a restaurant") == ["Caf\u00e9_Oakmere"]
    assert len(small.search_pages("a")) == 3


def test_quotes_and_operators_of_the_index_in_a_claim_are_words(small: Wiki) -> None:
    assert small.search_pages('"Vell" AND NOT (river* OR: ^NEAR')[0] == "Vell"


def test_sentences_are_ranked_among_the_pages_found(small: Wiki) -> None:
    found = small.search("The library of Harrow is old.")
    assert found[0] == Reference("Harrow_-LRB-town-RRB-", 2)
    assert len(found) <= wiki.SENTENCES
    assert small.search("The library of Harrow is old.") == found  # now from what was kept
    assert small.search("Nothing fits.") == []


def test_bm25_by_hand() -> None:
    # Two texts of 2 and 4 words, so the mean is 3; one term of weight 2, once in each.
    # 2 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 2 / 3)) = 4.4 / 1.9, and with 4 / 3: 4.4 / 2.5
    scores = wiki._bm25({"a": 2.0}, [["a", "b"], ["a", "b", "c", "d"]])
    assert scores == pytest.approx([4.4 / 1.9, 4.4 / 2.5])


def pages(count: int, prefix: str) -> dict[str, list[str]]:
    return {f"{prefix}_{i}": [f"Page {i} of {prefix} ."] for i in range(count)}


def test_building_goes_on_where_it_was_stopped(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiki, "BATCH", 10)
    archive = write(pages(25, "one"), pages(25, "two"))
    insert, calls = wiki._insert, []

    def failing(*arguments: object) -> None:
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        insert(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(wiki, "_insert", failing)
    with pytest.raises(KeyboardInterrupt):
        open_wiki(archive, tmp_path / "cache")
    [database] = (tmp_path / "cache").glob("*.sqlite")
    with sqlite3.connect(database) as half:
        assert half.execute("SELECT count(*) FROM pages").fetchone() == (35,)
    built = open_wiki(archive, tmp_path / "cache")
    assert len(calls) == 5 + 2  # twenty-five pages and ten were there already
    assert built.pages == 50
    assert built.sentence(Reference("two_24", 0)) == "Page 24 of two ."
    assert built.search_pages("Page 24 of two")[0] == "two_24"


def test_a_building_that_is_killed_can_be_continued(write: Write, tmp_path: Path) -> None:
    archive = write(pages(30, "one"))
    code = (
        "import os, sys; from pathlib import Path; from factmix import wiki; wiki.BATCH = 10\n"
        "insert, calls = wiki._insert, []\n"
        "def dying(*a):\n"
        "    calls.append(1); insert(*a)\n"
        "    if len(calls) == 2: os._exit(9)\n"
        "wiki._insert = dying; wiki.open_wiki(*map(Path, sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, str(archive), str(tmp_path / "cache")]
    assert subprocess.run(command).returncode == 9
    built = open_wiki(archive, tmp_path / "cache")
    assert built.pages == 30
    assert built.search_pages("29")[0] == "one_29"


def test_a_finished_database_is_not_built_again(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write(PAGES)
    open_wiki(archive, tmp_path / "cache")
    monkeypatch.setattr(wiki, "_insert", None)
    assert open_wiki(archive, tmp_path / "cache").pages == 3


def test_another_dump_gets_a_database_of_its_own(write: Write, tmp_path: Path) -> None:
    assert open_wiki(write(PAGES), tmp_path / "cache").pages == 3
    assert open_wiki(write({"Only": ["One ."]}), tmp_path / "cache").pages == 1


def test_only_files_of_pages_are_read_and_each_by_its_whole_name(tmp_path: Path) -> None:
    """FEVER's own archive holds a binary file of a Mac's beside each file of pages."""
    path = tmp_path / "wiki-pages.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__MACOSX/wiki-pages/._wiki-001.jsonl", b"\x00\x05\x16\x07\xb0")
        archive.writestr("__MACOSX/wiki-pages/wiki-001.jsonl", b"\x00\x05\x16\x07\xb0")
        archive.writestr("wiki-pages/._wiki-001.jsonl", b"\x00\x05\x16\x07\xb0")
        archive.writestr("wiki-pages/wiki-001.jsonl", row("Vell", ["A river ."]) + "\n")
        archive.writestr("more/wiki-001.jsonl", row("Harrow", ["A town ."]) + "\n")
    built = open_wiki(path, tmp_path / "cache")
    assert built.pages == 2
    assert built.sentence(Reference("Harrow", 0)) == "A town ."


def test_a_damaged_database_is_named_with_the_way_out(write: Write, tmp_path: Path) -> None:
    archive = write(PAGES)
    open_wiki(archive, tmp_path / "cache")
    for file in (tmp_path / "cache").glob("*-wal"):
        file.unlink()
    [database] = (tmp_path / "cache").glob("*.sqlite")
    database.write_bytes(b"no database" * 1000)
    with pytest.raises(DataError, match=rf"^{database}: .* delete this file, and it is built anew"):
        open_wiki(archive, tmp_path / "cache")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"id": "A"', r"wiki-001\.jsonl:2: Invalid JSON"),
        ('{"id": "A"}', r"wiki-001\.jsonl:2: lines: Field required"),
        (row("Vell", ["Again ."]), r"wiki-001\.jsonl: the page 'Vell' has come before"),
    ],
)
def test_a_malformed_page_is_named(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "wiki-pages.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("wiki-001.jsonl", f"{row('Vell', ['A river .'])}\n{text}\n")
    with pytest.raises(DataError, match=problem):
        open_wiki(path, tmp_path / "cache")


def test_an_archive_without_pages_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wiki-pages.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "")
    with pytest.raises(DataError, match=r"expected files of JSON lines .* holds readme\.txt"):
        open_wiki(path, tmp_path / "cache")
    path.write_text("<html>")
    with pytest.raises(DataError, match="expected a zip archive"):
        open_wiki(path, tmp_path / "cache")


def test_the_excerpt_of_the_mirror(mirror: Path, tmp_path: Path) -> None:
    archive = shutil.copy(mirror / "wiki-pages.zip", tmp_path)
    excerpt = open_wiki(Path(archive), tmp_path)
    assert (excerpt.pages, excerpt.skipped) == (290, 0)
    assert excerpt.sentence(Reference("Soul_Food_-LRB-film-RRB-", 0)).startswith("Soul Food is a ")  # type: ignore[union-attr]
