"""Time to build the database of Wikipedia's sentences, and to search it.

    python benchmarks/wiki.py --pages 300000 > results/benchmarks/wiki.json

writes a dump of generated pages in FEVER's format, builds the database in a separate process,
searches it, and extrapolates to the dump's 5.4 million pages. The words of the pages follow Zipf's
law, like those of Wikipedia. A page has as many sentences and links as the average page there.
"""

import argparse
import json
import multiprocessing
import sqlite3
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

from factmix.data.wiki import open_wiki
from factmix.study.files import peak_memory_gb
from origin import origin

FULL_SIZE = 5_416_537  # pages of FEVER's dump (Thorne et al., 2018)
SENTENCES = 5  # of a page, on average
WORDS = 22  # of a sentence
VOCABULARY = 1_000_000
PAGES_PER_FILE = 50_000


def write_dump(path: Path, pages: int, seed: int = 0) -> None:
    """Writes an archive of that many pages."""
    rng = np.random.default_rng(seed)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for begin in range(0, pages, PAGES_PER_FILE):
            name = f"wiki-pages/wiki-{begin // PAGES_PER_FILE + 1:03}.jsonl"
            with archive.open(name, "w") as file:
                for number in range(begin, min(begin + PAGES_PER_FILE, pages)):
                    file.write(_page(number, rng))


def _page(number: int, rng: np.random.Generator) -> bytes:
    lengths = rng.poisson(WORDS, rng.poisson(SENTENCES)) + 1
    words = [f"w{each}" for each in rng.zipf(1.15, lengths.sum()) % VOCABULARY]
    texts, at = [], 0
    for length in lengths:
        texts.append(" ".join(words[at : at + length]) + " .")
        at += length
    links = "\tsome link\tSome_link_-LRB-place-RRB-" * 2
    lines = "\n".join(f"{i}\t{text}{links}" for i, text in enumerate(texts))
    row = {"id": f"Page_{number}", "text": " ".join(texts), "lines": lines}
    return json.dumps(row).encode() + b"\n"


def _build(archive: Path, folder: Path, answer: "multiprocessing.Queue[dict[str, float]]") -> None:
    started = time.monotonic()
    open_wiki(archive, folder)
    seconds = time.monotonic() - started
    [database] = folder.glob("*.sqlite")
    answer.put(
        {
            "seconds": seconds,
            "peak_memory_gib": peak_memory_gb(),
            "database_gb": database.stat().st_size / 1e9,
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=300_000)
    parser.add_argument("--searches", type=int, default=50)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "wiki-pages.zip"
        write_dump(archive, arguments.pages)
        answer: multiprocessing.Queue[dict[str, float]] = multiprocessing.Queue()
        process = multiprocessing.Process(target=_build, args=(archive, Path(folder), answer))
        process.start()
        measured = answer.get()
        process.join()
        wiki = open_wiki(archive, Path(folder))
        rng = np.random.default_rng(1)
        claims = [
            " ".join(f"w{each}" for each in row) for row in rng.zipf(1.15, (arguments.searches, 9))
        ]
        started = time.monotonic()
        for claim in claims:
            wiki.search(claim)
        per_search = (time.monotonic() - started) / arguments.searches
    scale = FULL_SIZE / arguments.pages
    result = {
        **origin(),
        "sqlite": sqlite3.sqlite_version,
        "pages": arguments.pages,
        **measured,
        "pages_per_second": arguments.pages / measured["seconds"],
        "seconds_per_search": per_search,
        "full_size": {
            "pages": FULL_SIZE,
            "minutes": measured["seconds"] * scale / 60,
            "database_gb": measured["database_gb"] * scale,
            "seconds_per_search": per_search * scale,
        },
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
