"""Building the database of a Wikipedia dump, also after interruptions and with bad input."""

import sqlite3
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from factmix.data import wiki_database
from factmix.data.fetch import SourceError
from factmix.data.pool import DataError
from factmix.data.wiki import Reference, open_wiki
from factmix.data.wiki_database import sentences_of
from invented_dump import PAGES, row, write_dump


def pages(count: int, prefix: str) -> dict[str, list[str]]:
    return {f"{prefix}_{i}": [f"Page {i} of {prefix} ."] for i in range(count)}


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


def test_building_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiki_database, "BATCH", 10)
    archive = write_dump(tmp_path, pages(25, "one"), pages(25, "two"))
    insert, calls = wiki_database._insert, []

    def failing(*arguments: object) -> None:
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        insert(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(wiki_database, "_insert", failing)
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


def test_a_building_that_is_killed_can_be_continued(tmp_path: Path) -> None:
    archive = write_dump(tmp_path, pages(30, "one"))
    code = (
        "import os, sys; from pathlib import Path; from factmix.data import wiki, wiki_database\n"
        "wiki_database.BATCH = 10\n"
        "insert, calls = wiki_database._insert, []\n"
        "def dying(*a):\n"
        "    calls.append(1); insert(*a)\n"
        "    if len(calls) == 2: os._exit(9)\n"
        "wiki_database._insert = dying; wiki.open_wiki(*map(Path, sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, str(archive), str(tmp_path / "cache")]
    assert subprocess.run(command).returncode == 9
    built = open_wiki(archive, tmp_path / "cache")
    assert built.pages == 30
    assert built.search_pages("29")[0] == "one_29"


def test_a_finished_database_is_not_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_dump(tmp_path, PAGES)
    open_wiki(archive, tmp_path / "cache")
    monkeypatch.setattr(wiki_database, "_insert", None)
    assert open_wiki(archive, tmp_path / "cache").pages == 3


def test_a_finished_database_is_only_read(tmp_path: Path) -> None:
    archive = write_dump(tmp_path, PAGES)
    open_wiki(archive, tmp_path / "cache")
    [database] = (tmp_path / "cache").glob("*.sqlite")
    before = database.read_bytes(), database.stat().st_mtime_ns
    wiki = open_wiki(archive, tmp_path / "cache")
    wiki.search("The Vell is a river.")
    with pytest.raises(sqlite3.OperationalError, match="attempt to write a readonly database"):
        wiki._database.execute("INSERT INTO meta VALUES ('more', 1)")
    assert (database.read_bytes(), database.stat().st_mtime_ns) == before
    assert not [*(tmp_path / "cache").glob("*-wal"), *(tmp_path / "cache").glob("*-shm")]


def test_a_finished_database_of_another_user_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = write_dump(tmp_path, PAGES)
    claim = "The Vell is a river."
    found = open_wiki(archive, tmp_path / "cache").search(claim)
    [database] = (tmp_path / "cache").glob("*.sqlite")
    connect = sqlite3.connect

    def readonly(path: Path | str, **how: Any) -> sqlite3.Connection:
        """As for a user who may not write there; the user of the tests may write everywhere."""
        if isinstance(path, Path):
            return connect(f"{path.as_uri()}?mode=ro", uri=True, **how)
        return connect(path, **how)

    monkeypatch.setattr(sqlite3, "connect", readonly)
    wiki = open_wiki(archive, tmp_path / "cache")
    assert wiki.pages == 3
    assert "searches are not kept: attempt to write a readonly" in capsys.readouterr().err
    monkeypatch.setattr(wiki, "_search", None)
    assert wiki.search(claim) == found  # as it was found before
    assert database.is_file()


def test_what_a_former_version_built_with_another_journal_is_read(tmp_path: Path) -> None:
    archive = write_dump(tmp_path, PAGES)
    open_wiki(archive, tmp_path / "cache")
    [database] = (tmp_path / "cache").glob("*.sqlite")
    with sqlite3.connect(database) as former:
        former.execute("PRAGMA journal_mode = WAL")
        former.execute("DELETE FROM meta WHERE name = 'finished'")
        former.commit()
        former.execute("INSERT INTO meta VALUES ('finished', 1)")
        former.commit()
        assert wiki_database.finished(database) is None  # it is in the journal yet
    former.close()
    assert open_wiki(archive, tmp_path / "cache").pages == 3


def test_of_two_that_build_one_database_the_second_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = write_dump(tmp_path, pages(30, "one"))
    insert, both_began, counted = wiki_database._insert, threading.Barrier(2, timeout=10), []

    def waiting(*arguments: Any) -> None:
        both_began.wait()
        insert(*arguments)

    def count() -> None:
        counted.append(open_wiki(archive, tmp_path / "cache").pages)

    monkeypatch.setattr(wiki_database, "_insert", waiting)
    first, second = threading.Thread(target=count), threading.Thread(target=count)
    first.start()
    second.start()
    said = ""
    while "waiting" not in said and second.is_alive():
        said += capsys.readouterr().err
    both_began.wait()  # the second is at the lock
    first.join()
    second.join()
    assert counted == [30, 30]
    assert "another process is building" in said


def test_another_dump_gets_a_database_of_its_own(tmp_path: Path) -> None:
    assert open_wiki(write_dump(tmp_path, PAGES), tmp_path / "cache").pages == 3
    assert open_wiki(write_dump(tmp_path, {"Only": ["One ."]}), tmp_path / "cache").pages == 1


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


def test_a_damaged_database_is_named_with_the_way_out(tmp_path: Path) -> None:
    archive = write_dump(tmp_path, PAGES)
    open_wiki(archive, tmp_path / "cache")
    [database] = (tmp_path / "cache").glob("*.sqlite")
    database.write_bytes(b"no database" * 1000)
    with pytest.raises(DataError, match=rf"^{database}: .* delete this file to rebuild it"):
        open_wiki(archive, tmp_path / "cache")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"id": "A"', r"wiki-001\.jsonl:2: Invalid JSON"),
        ('{"id": "A"}', r"wiki-001\.jsonl:2: lines: Field required"),
        (row("Vell", ["Again ."]), r"wiki-001\.jsonl: the page 'Vell' occurs twice"),
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
    with pytest.raises(SourceError, match="expected a zip archive"):
        open_wiki(path, tmp_path / "cache")


def test_a_page_without_a_name_is_counted(tmp_path: Path) -> None:
    small = open_wiki(write_dump(tmp_path, PAGES), tmp_path / "cache")
    assert (small.pages, small.skipped) == (3, 1)
