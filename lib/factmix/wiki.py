"""Sentences of the FEVER Wikipedia dump in SQLite: by reference, and by what a claim says.

Source: https://fever.ai/dataset/fever.html, wiki-pages.zip: the introductions of 5.4 million pages
in files of JSON lines. A row, cut:

    {"id": "Soul_Food_-LRB-film-RRB-", "text": "Soul Food is a ...",
     "lines": "0\\tSoul Food is a 1997 American film ...\\tfilm\\tfilm\\n1\\t"}

A line is its number, a sentence, and the links of the sentence. The pages are read from the archive
in place; their sentences are kept compressed, and an FTS5 index of titles and texts ranks pages.
"""

import contextlib
import hashlib
import itertools
import json
import math
import re
import sqlite3
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from pydantic import BaseModel, ConfigDict
from tqdm import tqdm

from factmix.fetch import cache, fetch
from factmix.records import DataError, page_title, read_rows, readable

LAYOUT = 2  # of the database; a new number lets it be built anew
RETRIEVAL = 1  # of the way to search; a new number lets all claims be searched for again
PAGES, SENTENCES = 5, 5  # retrieved per claim
MOST_LEFT_OUT = 1000  # numbers between two sentences; the longest introductions have fewer
ALL = -1  # pages of a file that has been read to its end
BATCH = 20_000  # pages per transaction: what is lost when the building is interrupted
TITLE_WEIGHT = 5.0  # of a term in a page's title against one in its text
COMMON, FEW = 0.02, 100  # a term in more than this part of the pages, if many, chooses none
MOST_TERMS = 12  # per claim, the rarest: bounds the time of a search in millions of pages
K1, B = 1.2, 0.75  # of BM25 (Robertson and Zaragoza, 2009), as in FTS5


class Reference(NamedTuple):
    """A sentence of the dump."""

    page: str
    line: int


class _Page(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    lines: str


class Wiki:
    """The sentences of a dump, in a database that has been built to its end."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        (self.pages,) = database.execute("SELECT count(*) FROM pages").fetchone()
        self.skipped = _meta(database, "skipped")

    def sentence(self, reference: Reference) -> str | None:
        """The sentence as readable text, or None when the dump has no text there."""
        sentences = self._sentences(reference.page)
        if reference.line >= len(sentences):
            return None
        return sentences[reference.line] or None

    def evidence(self, reference: Reference) -> str | None:
        """The sentence after the title of its page: sentences say "he" and "the film"."""
        sentence = self.sentence(reference)
        return sentence and f"{page_title(reference.page)}: {sentence}"

    def search_pages(self, claim: str, *, most: int = PAGES) -> list[str]:
        """The pages whose title and text fit a claim best, by BM25."""
        found = _terms(claim)
        frequency = {term: self._frequency(term) for term in found}
        known = sorted((term for term in found if frequency[term]), key=lambda t: frequency[t])
        limit = max(COMMON * self.pages, FEW)
        telling = [term for term in known if frequency[term] <= limit] or known[:1]
        if not telling:
            return []
        query = " OR ".join(f'"{term}"' for term in telling[:MOST_TERMS])
        rows = self._database.execute(
            "SELECT page FROM pages JOIN (SELECT rowid AS number, bm25(search, ?, 1.0) AS score"
            " FROM search WHERE search MATCH ? ORDER BY score LIMIT ?) USING (number)"
            " ORDER BY score, number",
            (TITLE_WEIGHT, query, most),
        )
        return [page for (page,) in rows]

    def search(self, claim: str) -> list[Reference]:
        """The sentences that fit a claim best: pages first, then their sentences, by BM25.

        A sentence counts with the title of its page; how rare a term is, is that of the whole dump.
        What was found is kept: a search in all of Wikipedia takes a while.
        """
        key = f"{RETRIEVAL}: {claim}"
        row = self._database.execute("SELECT found FROM searches WHERE key = ?", (key,)).fetchone()
        if row:
            return [Reference(*each) for each in json.loads(row[0])]
        found = self._search(claim)
        self._database.execute(
            "INSERT OR IGNORE INTO searches VALUES (?, ?)", (key, json.dumps(found))
        )
        return found

    def _search(self, claim: str) -> list[Reference]:
        rarity = {term: self._rarity(term) for term in _terms(claim)}
        places, texts = [], []
        for page in self.search_pages(claim):
            for line, sentence in enumerate(self._sentences(page)):
                if sentence:
                    places.append(Reference(page, line))
                    texts.append(_words(f"{page_title(page)} {sentence}"))
        scores = _bm25(rarity, texts)
        order = sorted(range(len(places)), key=lambda i: (-scores[i], i))
        return [places[i] for i in order[:SENTENCES]]

    def _sentences(self, page: str) -> list[str]:
        row = self._database.execute(
            "SELECT sentences FROM pages WHERE page = ?", (unicodedata.normalize("NFC", page),)
        ).fetchone()
        return zlib.decompress(row[0]).decode().split("\n") if row else []

    def _frequency(self, term: str) -> int:
        row = self._database.execute("SELECT doc FROM terms WHERE term = ?", (term,)).fetchone()
        return int(row[0]) if row else 0

    def _rarity(self, term: str) -> float:
        """Inverse document frequency, in nats."""
        frequency = self._frequency(term)
        return math.log(1 + (self.pages - frequency + 0.5) / (frequency + 0.5))


def open_wiki(archive: Path | None = None, folder: Path | None = None) -> Wiki:
    """The dump's sentences; the database is built first where there is none, or not all of it.

    Args:
        archive: a copy of wiki-pages.zip; by default the one that `fetch` gives.
        folder: for the database; by default the cache.

    Raises:
        DataError: the archive is none, a line of it is malformed, or the database fails.
        SourceError: the archive cannot be had.
    """
    archive = archive or fetch("fever_wiki")
    folder = folder or cache()
    folder.mkdir(parents=True, exist_ok=True)
    with _opened(archive) as opened:
        path = folder / f"fever-wiki-{LAYOUT}-{_content(opened)}.sqlite"
        try:
            database = sqlite3.connect(path, timeout=60, isolation_level=None)
            _build(opened, archive, database)
            return Wiki(database)
        except sqlite3.Error as error:
            raise DataError(
                f"{path}: the database of Wikipedia's sentences failed: {error}. If another process"
                " is building it, wait until it has finished; if the disk is full, free some space"
                " or name another folder in FACTMIX_CACHE; otherwise delete this file, and it is"
                " built anew"
            ) from error


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(archive) as opened:
            yield opened
    except zipfile.BadZipFile as error:
        raise DataError(f"{archive}: expected a zip archive: {error}") from error


def _content(opened: zipfile.ZipFile) -> str:
    """A name for what an archive holds, from its table of contents."""
    listed = [(each.filename, each.file_size, each.CRC) for each in opened.infolist()]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:12]


def _build(opened: zipfile.ZipFile, archive: Path, database: sqlite3.Connection) -> None:
    """Reads all pages into the database, going on where an earlier building was stopped.

    Each transaction holds a batch of pages and how far it brings the reading, so a building may be
    killed at any moment and loses one batch at most.
    """
    _create(database)
    if _meta(database, "finished"):
        return
    members = [each for each in opened.infolist() if _holds_pages(each.filename)]
    if not members:
        held = ", ".join(opened.namelist()) or "nothing"
        raise DataError(f"{archive}: expected files of JSON lines (.jsonl); it holds {held}")
    total = sum(each.file_size for each in members)
    with tqdm(
        desc="sentences of Wikipedia", total=total, unit="B", unit_scale=True, disable=None
    ) as bar:
        before = 0
        for member in members:
            with opened.open(member) as lines:
                for _ in _read_member(lines, archive, member.filename, database):
                    bar.update(before + lines.tell() - bar.n)
            before += member.file_size
            bar.update(before - bar.n)
    database.execute("INSERT INTO search(search) VALUES ('optimize')")
    database.execute("INSERT INTO meta VALUES ('finished', 1)")


def _holds_pages(member: str) -> bool:
    """Whether a file of the archive is one of JSON lines.

    The dump was packed on a Mac: beside each file of pages is one in binary whose name ends alike,
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
    """Reads what is left of one file, and yields the pages of it so far after each batch."""
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
            if _done(database, member) != read:
                raise DataError(
                    "another process is building the same database of Wikipedia's sentences;"
                    " wait until it has finished and run this command again"
                )
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
    """Adds pages; one without a name (the dump's first) can be referred to by none, and counts."""
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
            raise DataError(f"{source}: the page '{page.id}' has come before") from error
        database.execute(
            "INSERT INTO search(rowid, title, text) VALUES (?, ?, ?)",
            (number, page_title(name), " ".join(sentences)),
        )


def sentences_of(lines: str) -> list[str]:
    """The sentences of a page's `lines`, as readable text, at the index that is their number.

    Numbers that are left out have no text. A line that does not begin with a number goes on with
    the sentence before it, which held a line break; so does one whose number is that of a sentence
    with text, or too far off to be one, as a year is.
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
    """Whether a word can be the number of a further sentence."""
    if not re.fullmatch("[0-9]{1,9}", number):
        return False
    index = int(number)
    return index <= len(sentences) + MOST_LEFT_OUT and not any(sentences[index : index + 1])


def _create(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("PRAGMA cache_size = -262144")  # KiB
    database.executescript(
        """
        BEGIN IMMEDIATE;
        CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
        INSERT OR IGNORE INTO meta VALUES ('skipped', 0);
        CREATE TABLE IF NOT EXISTS progress (member TEXT PRIMARY KEY, pages INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS searches (key TEXT PRIMARY KEY, found TEXT NOT NULL);
        CREATE TABLE IF NOT EXISTS pages
            (number INTEGER PRIMARY KEY, page TEXT NOT NULL UNIQUE, sentences BLOB NOT NULL);
        CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5
            (title, text, content='', tokenize="unicode61 remove_diacritics 2");
        CREATE VIRTUAL TABLE IF NOT EXISTS terms USING fts5vocab (search, row);
        COMMIT;
        """
    )


def _meta(database: sqlite3.Connection, name: str) -> int:
    row = database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else 0


def _done(database: sqlite3.Connection, member: str) -> int:
    """How many pages of a file are in the database, or ALL."""
    row = database.execute("SELECT pages FROM progress WHERE member = ?", (member,)).fetchone()
    return int(row[0]) if row else 0


def _words(text: str) -> list[str]:
    """The words of a text, in the form in which the index has them."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(each for each in plain if not unicodedata.combining(each))
    return re.findall(r"[^\W_]+", plain)


def _terms(claim: str) -> list[str]:
    return list(dict.fromkeys(_words(claim)))


def _bm25(rarity: dict[str, float], texts: list[list[str]]) -> list[float]:
    """How well each text fits the terms: BM25 with the given inverse document frequencies."""
    mean = sum(map(len, texts)) / len(texts) if texts else 0.0
    scores = []
    for text in texts:
        counts = Counter(text)
        saturation = K1 * (1 - B + B * len(text) / mean)
        scores.append(
            sum(
                weight * counts[term] * (K1 + 1) / (counts[term] + saturation)
                for term, weight in rarity.items()
            )
        )
    return scores
