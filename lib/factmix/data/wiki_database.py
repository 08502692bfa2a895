"""Reads the FEVER Wikipedia dump into SQLite, once.

Source: https://fever.ai/dataset/fever.html, wiki-pages.zip: the introductions of 5.4 million pages
in files of JSON lines. A row, cut:

    {"id": "Soul_Food_-LRB-film-RRB-", "text": "Soul Food is a ...",
     "lines": "0\\tSoul Food is a 1997 American film ...\\tfilm\\tfilm\\n1\\t"}

A line is its number, a sentence, and the links of the sentence. The archive is read without
unpacking it. The database holds the compressed sentences, and an FTS5 index of titles and texts.
"""

import contextlib
import hashlib
import itertools
import json
import re
import sqlite3
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict
from tqdm import tqdm

from factmix.data.fetch import open_member
from factmix.data.jsonl import read_rows
from factmix.data.pool import DataError
from factmix.data.text import page_title, readable

LAYOUT = 2  # version of the database's layout; raise it to rebuild
MOST_LEFT_OUT = 1000  # line numbers skipped at once; even the longest introductions have fewer
ALL = -1  # marks a file as completely read, in place of the number of pages
BATCH = 20_000  # pages per transaction, at most lost when the build is interrupted


class _Page(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    lines: str


def name_of(dump: zipfile.ZipFile) -> str:
    """The file name of a dump's database; it differs by the dump's content and the layout."""
    listed = [(each.filename, each.file_size, each.CRC) for each in dump.infolist()]
    content = hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:12]
    return f"fever-wiki-{LAYOUT}-{content}.sqlite"


def finished(path: Path) -> sqlite3.Connection | None:
    """A finished database, for reading alone; None if there is none yet.

    It never changes again, so it is read without locks, which works in a folder that cannot be
    written to, and on a network file system. What a build has left beside it is not yet in it.
    """
    beside = (path.with_name(f"{path.name}-{kind}") for kind in ("journal", "wal"))
    if not path.is_file() or any(each.is_file() and each.stat().st_size for each in beside):
        return None
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    database = sqlite3.connect(uri, uri=True, isolation_level=None)
    made = database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'meta'").fetchone()
    return database if made[0] and meta(database, "finished") else None


def build(dump: zipfile.ZipFile, archive: Path, database: sqlite3.Connection) -> None:
    """Reads all pages into the database; resumes an interrupted build.

    Each transaction holds a batch of pages and the progress so far. So a build that is killed loses
    at most one batch.

    Raises:
        DataError: the archive has no pages, or a line of it is malformed.
        SourceError: a file of the archive cannot be read.
    """
    _create(database)
    if meta(database, "finished"):
        return
    members = [each for each in dump.infolist() if _holds_pages(each.filename)]
    if not members:
        held = ", ".join(dump.namelist()) or "nothing"
        raise DataError(f"{archive}: expected files of JSON lines (.jsonl); it holds {held}")
    total = sum(each.file_size for each in members)
    with tqdm(
        desc="sentences of Wikipedia", total=total, unit="B", unit_scale=True, disable=None
    ) as bar:
        before = 0
        for member in members:
            with open_member(dump, member.filename) as lines:
                for _ in _read_member(lines, archive, member.filename, database):
                    bar.update(before + lines.tell() - bar.n)
            before += member.file_size
            bar.update(before - bar.n)
    database.execute("INSERT INTO search(search) VALUES ('optimize')")
    database.execute("INSERT INTO meta VALUES ('finished', 1)")


def _holds_pages(member: str) -> bool:
    """Whether a file of the archive holds JSON lines.

    The dump was packed on a Mac: each file of pages comes with a binary file with the same ending,
    such as __MACOSX/wiki-pages/._wiki-001.jsonl.
    """
    folder, _, name = member.rpartition("/")
    return (
        name.endswith(".jsonl")
        and not name.startswith("._")
        and folder.partition("/")[0] != "__MACOSX"
    )


def _read_member(
    lines: IO[bytes], archive: Path, member: str, database: sqlite3.Connection
) -> Iterator[int]:
    """Reads the remaining pages of one file; yields the number read so far after each batch."""
    source = f"{archive}/{member}"
    read = _done(database, member)
    if read == ALL:
        return
    rows = read_rows(lines, _Page, source)
    for _ in itertools.islice(rows, read):
        pass
    while True:
        batch = [page for _, page in itertools.islice(rows, BATCH)]
        with _transaction(database):
            _insert(database, batch, source)
            read += len(batch)
            ended = len(batch) < BATCH
            database.execute(
                "INSERT OR REPLACE INTO progress VALUES (?, ?)", (member, ALL if ended else read)
            )
        yield read
        if ended:
            return


@contextlib.contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _insert(database: sqlite3.Connection, batch: Sequence[_Page], source: str) -> None:
    """Adds pages; a page without a name (the dump's first) is only counted, as skipped."""
    named = [page for page in batch if page.id]
    database.execute(
        "UPDATE meta SET value = value + ? WHERE name = 'skipped'", (len(batch) - len(named),)
    )
    (last,) = database.execute("SELECT coalesce(max(number), 0) FROM pages").fetchone()
    for number, page in enumerate(named, start=last + 1):
        name = unicodedata.normalize("NFC", page.id)
        sentences = sentences_of(page.lines)
        stored = zlib.compress("\n".join(sentences).encode(), 1)
        try:
            database.execute("INSERT INTO pages VALUES (?, ?, ?)", (number, name, stored))
        except sqlite3.IntegrityError as error:
            raise DataError(
                f"{source}: the page '{page.id}' occurs twice; expected every page once"
            ) from error
        database.execute(
            "INSERT INTO search(rowid, title, text) VALUES (?, ?, ?)",
            (number, page_title(name), " ".join(sentences)),
        )


def sentences_of(lines: str) -> list[str]:
    """The sentences of a page's `lines` as readable text, indexed by their line number.

    Missing numbers get an empty text. A line continues the sentence before it, which had a line
    break, in three cases: it does not begin with a number; that number already has text; or the
    number is too large for a line number, such as a year.
    """
    sentences: list[str] = []
    last = 0
    for line in lines.split("\n"):
        number, *parts = line.split("\t")
        if (parts or not sentences) and _is_free(number, sentences):
            last = int(number)
            sentences += [""] * (last + 1 - len(sentences))
            sentences[last] = " ".join(readable(parts[0]).split()) if parts else ""
        elif sentences and line.strip():
            sentences[last] = " ".join(f"{sentences[last]} {readable(number)}".split())
    return sentences


def _is_free(number: str, sentences: list[str]) -> bool:
    """Whether a word can be the line number of a new sentence."""
    if not re.fullmatch("[0-9]{1,9}", number):
        return False
    index = int(number)
    return index <= len(sentences) + MOST_LEFT_OUT and not any(sentences[index : index + 1])


def _create(database: sqlite3.Connection) -> None:
    # The faster journal WAL does not work on network file systems.
    database.execute("PRAGMA journal_mode = DELETE")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("PRAGMA cache_size = -262144")  # KiB
    database.executescript(
        """
        BEGIN IMMEDIATE;
        CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
        INSERT OR IGNORE INTO meta VALUES ('skipped', 0);
        CREATE TABLE IF NOT EXISTS progress (member TEXT PRIMARY KEY, pages INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS pages
            (number INTEGER PRIMARY KEY, page TEXT NOT NULL UNIQUE, sentences BLOB NOT NULL);
        CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5
            (title, text, content='', tokenize="unicode61 remove_diacritics 2");
        CREATE VIRTUAL TABLE IF NOT EXISTS terms USING fts5vocab (search, row);
        COMMIT;
        """
    )


def meta(database: sqlite3.Connection, name: str) -> int:
    """A stored number about the build: `skipped` pages, or whether it has `finished`."""
    row = database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else 0


def _done(database: sqlite3.Connection, member: str) -> int:
    """The number of pages of a file that are in the database, or ALL."""
    row = database.execute("SELECT pages FROM progress WHERE member = ?", (member,)).fetchone()
    return int(row[0]) if row else 0
