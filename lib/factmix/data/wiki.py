"""Sentences of the FEVER Wikipedia dump, looked up by reference or retrieved for a claim.

An FTS5 index of titles and texts ranks pages, and BM25 ranks the sentences of the best pages. See
`wiki_database` for the dump and its database.
"""

import contextlib
import json
import math
import re
import sqlite3
import sys
import unicodedata
import zlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from factmix.data.fetch import cache, fetch, opened
from factmix.data.pool import DataError
from factmix.data.text import page_title
from factmix.data.wiki_database import build, finished, meta, name_of
from factmix.study.files import in_turn

RETRIEVAL = 1  # version of the retrieval; raise it to invalidate cached searches
PAGES, SENTENCES = 5, 5  # retrieved per claim
TITLE_WEIGHT = 5.0  # of a term in a page's title, relative to 1 in its text
COMMON, FEW = 0.02, 100  # ignore terms in more than this share of pages, and in more than FEW
MOST_TERMS = 12  # the rarest terms of a claim; bounds the search time in millions of pages
K1, B = 1.2, 0.75  # of BM25 (Robertson and Zaragoza, 2009), as in FTS5


class Reference(NamedTuple):
    """A sentence of the dump."""

    page: str
    line: int


class Wiki:
    """The sentences of a dump.

    Args:
        database: completely built; it is only read.
        searches: a database that keeps the results of searches.
    """

    def __init__(self, database: sqlite3.Connection, searches: sqlite3.Connection) -> None:
        self._database, self._searches = database, searches
        (self.pages,) = database.execute("SELECT count(*) FROM pages").fetchone()
        self.skipped = meta(database, "skipped")

    def sentence(self, reference: Reference) -> str | None:
        """The sentence as readable text, or None if the dump has no text there."""
        sentences = self._sentences(reference.page)
        if reference.line >= len(sentences):
            return None
        return sentences[reference.line] or None

    def evidence(self, reference: Reference) -> str | None:
        """The sentence with its page title in front, because sentences say "he" or "the film"."""
        sentence = self.sentence(reference)
        return sentence and f"{page_title(reference.page)}: {sentence}"

    def search_pages(self, claim: str, *, most: int = PAGES) -> list[str]:
        """The pages whose title and text match a claim best, by BM25."""
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
        """The sentences that match a claim best: BM25 over pages, then over their sentences.

        A sentence is scored together with its page title. Document frequencies are those of the
        whole dump. Results are cached, because a search in all of Wikipedia is slow.
        """
        key = f"{RETRIEVAL}: {claim}"
        row = self._searches.execute("SELECT found FROM searches WHERE key = ?", (key,)).fetchone()
        if row:
            return [Reference(*each) for each in json.loads(row[0])]
        found = self._search(claim)
        self._searches.execute(
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
    """The dump's sentences; builds the database first if it is missing or incomplete.

    Args:
        archive: a copy of wiki-pages.zip; by default the one from `fetch`.
        folder: for the database; by default the cache.

    Raises:
        DataError: the archive is not a zip file, a line of it is malformed, or the database fails.
        SourceError: the archive cannot be downloaded.
    """
    archive = archive or fetch("fever_wiki")
    folder = folder or cache()
    with opened(archive) as dump:
        path = folder / name_of(dump)
        try:
            database = finished(path)
            if database is None:
                with in_turn(path, "building"):
                    building = sqlite3.connect(path, timeout=60, isolation_level=None)
                    with contextlib.closing(building):
                        build(dump, archive, building)
                database = finished(path)
            assert database is not None
            return Wiki(database, _kept_searches(path.with_suffix(".searches")))
        except sqlite3.Error as error:
            raise DataError(
                f"{path}: the database of Wikipedia's sentences failed: {error}. If the disk is"
                " full, or the file is another user's, free some space or set FACTMIX_CACHE to"
                " another folder. Otherwise delete this file to rebuild it"
            ) from error


def _kept_searches(path: Path) -> sqlite3.Connection:
    """The database of the searches that were made; a copy in memory where `path` is read-only."""
    made = "CREATE TABLE IF NOT EXISTS searches (key TEXT PRIMARY KEY, found TEXT NOT NULL)"
    try:
        searches = sqlite3.connect(path, timeout=60, isolation_level=None)
        searches.execute(made)
        searches.execute("PRAGMA user_version = 1")  # fails where it can only be read
    except sqlite3.OperationalError as error:
        print(f"{path}: the results of searches are not kept: {error}", file=sys.stderr)
        searches = sqlite3.connect(":memory:", isolation_level=None)
        if path.is_file():
            uri = f"{path.absolute().as_uri()}?mode=ro"
            with contextlib.closing(sqlite3.connect(uri, uri=True)) as kept:
                kept.backup(searches)
        searches.execute(made)
    return searches


def _words(text: str) -> list[str]:
    """The words of a text, normalised as in the index."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(each for each in plain if not unicodedata.combining(each))
    return re.findall(r"[^\W_]+", plain)


def _terms(claim: str) -> list[str]:
    return list(dict.fromkeys(_words(claim)))


def _bm25(rarity: dict[str, float], texts: list[list[str]]) -> list[float]:
    """The BM25 score of each text for the terms, with the given inverse document frequencies."""
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
