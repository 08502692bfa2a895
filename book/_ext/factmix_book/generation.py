"""Writes book/_generated/: each part of it again only when its inputs have changed."""

import functools
import gc
import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.util import logging

from factmix.report.sources import (
    ASIDES,
    BENCHMARKS,
    KILLS,
    KILLS_SMOLLM2,
    PUBLISHED,
    RECIPES,
    TWO_PROCESSES,
    Results,
    SourceError,
    committed_results,
    local_runs,
)
from factmix.study.freshness import tree_sha256
from factmix.study.paths import ROOT, FolderError
from factmix_book import notebooks

logger = logging.getLogger(__name__)

CODE = (ROOT / "lib" / "factmix", Path(__file__).parent)
STUDIES = ROOT / "studies"
TEMPLATES = ROOT / "book" / "templates"
RUN_PAGES = "_generated/runs/"


@dataclass(frozen=True)
class Book:
    """What the pages show, for roles and directives: `app.factmix`.

    Attributes:
        default: the committed results that the chapters cite.
        asides: those of the studies beside it, as `ASIDES`.
        runs: of this machine, by name.
        generated: the folder book/_generated/.
    """

    default: Results
    asides: Mapping[str, Results]
    runs: Mapping[str, Results]
    generated: Path

    def of_page(self, docname: str) -> Results:
        """Whose numbers a page shows: of the run that it is the page of, or committed ones."""
        if docname.startswith(RUN_PAGES):
            return self.runs[docname.removeprefix(RUN_PAGES)]
        for name, aside in ASIDES.items():
            if docname == aside.page:
                return self.asides[name]
        return self.default

    @functools.cached_property
    def numbers(self) -> dict[str, Any]:
        """Numbers of no study of ours, by the name of their file in numbers/."""
        return {file.stem: _read(file) for file in (self.generated / "numbers").glob("*.json")}


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


# The name of a part, what makes it in `factmix.report.pages`, what that takes, and the files and
# folders that it is made from beside the code.
Part = tuple[str, str, tuple[Any, ...], list[Path]]


def parts(book: Book, speed: Path) -> Iterator[Part]:
    default, second = both = (book.default, book.asides["second"])
    beside = (default, book.asides["protocols"])
    committed = (default, *book.asides.values())
    roots, published = [each.root for each in committed], [PUBLISHED, default.root, STUDIES]
    all_words = [*TEMPLATES.iterdir()]
    made_of = [*roots, RECIPES, *_words("tables", "reward", "model")]
    yield "tables", "chapter_tables", both, made_of
    yield "sentences", "sentences", both, [*roots, *all_words]
    made_of = [*roots, *published, *_words("tables", "protocols", "contamination")]
    yield "protocols", "protocols", beside, made_of
    pairs = book.asides["pairs"]
    yield "pairs", "pairs", (pairs,), [pairs.root, *_words("tables", "domain-number", "questions")]
    sweep = book.asides["sweep"]
    yield "sweep", "sweep", (sweep,), [sweep.root, *_words("tables", "domain-shares", "questions")]
    longer = book.asides["plateau"]
    yield "plateau", "plateau", (default, longer), [*roots, *_words("plateau")]
    real = book.asides["real"]
    of_real = [
        default.root,
        real.root,
        *_words("tables", "real", "findings", "learning", "transfer", "model"),
    ]
    yield "real", "real", (default, real), of_real
    seeds = book.asides["reseeded"]
    yield "reseeded", "reseeded", (seeds,), [seeds.root, *_words("tables", "reseeded")]
    yield "published numbers", "published_numbers", (default,), published
    made_of = [*published, *_words("tables", "published-tables")]
    yield "published tables", "published_tables", (default,), made_of
    made_of = [speed, BENCHMARKS, *_words("tables", "benchmarks")]
    yield "measured", "measured", (speed,), made_of
    faults = (KILLS, KILLS_SMOLLM2, TWO_PROCESSES)
    yield "killed", "killed", faults, [*faults, *_words("kills")]
    made_of = [*roots, PUBLISHED, BENCHMARKS, STUDIES, *_words("rerun")]
    yield "downloads", "committed_downloads", (default, book.asides), made_of
    yield "two systems", "two_systems", (default,), [default.root]
    yield "scripts", "scripts", (default,), [default.root, *_words("examples")]
    figures: dict[str, tuple[str, Any, list[Path]]] = {
        "committed": ("study", default, [default.root]),
        "second": ("second", second, [second.root]),
        "protocols": ("protocols", beside, [*roots, *published]),
        "pairs": ("pairs", pairs, [pairs.root]),
        "sweep": ("sweep", sweep, [sweep.root]),
        "plateau": ("plateau", longer, [longer.root]),
        "real": ("real", real, [real.root]),
        "published": ("published", default, published),
        "speed": ("speed", speed, [speed]),
    }
    for name, run in book.runs.items():
        figures[f"run-{name}"] = ("study", run, [run.root])
        yield f"run {name}", "run", (run, committed), [run.root, *roots, STUDIES, *all_words]
    for name, (kind, source, inputs) in figures.items():
        taken = (kind, source, f"figures/{name}")
        yield f"figures of {name}", "images", taken, inputs
        yield f"figures of {name} in words", "words", taken, [*inputs, *_words("alt_texts")]
    shown = (*committed, *book.runs.values())
    said_by = [STUDIES, *_words("provenance"), *(results.root for results in shown)]
    yield "lines", "lines", (shown, committed), said_by


def _words(*names: str) -> list[Path]:
    """The templates of these names, and those whose names go on after a hyphen."""
    return [path for name in names for path in sorted(TEMPLATES.glob(f"{name}[.-]*"))]


def write(book: Book, speed: Path) -> None:
    """Writes every part whose inputs have changed since it was written; removes stale files."""
    cache = book.generated / "cache.json"
    known = _read(cache) if cache.is_file() else {}
    fingerprint, now = functools.cache(tree_sha256), {}
    # Notebooks first: one that failed is refused before anything takes time.
    kept = notebooks.copy(book.default)
    written = {path: write_if_changed(book.generated / path, text) for path, text in kept.items()}
    stale: dict[str, list[Part]] = {}
    for part in parts(book, speed):
        name, *_, inputs = part
        made_of = [fingerprint(place) for place in (*CODE, *inputs)]
        last = known.get(name, {"of": None, "files": []})
        present = all((book.generated / path).is_file() for path in last["files"])
        if last["of"] != made_of or not present:
            stale.setdefault(_place(part), []).append(part)
        now[name] = {"of": made_of, "files": last["files"]}
    for made in _in_processes(_made, [*stale.values()]):
        for name, files in made.items():
            for path, content in files.items():
                write_if_changed(book.generated / path, content)
            now[name]["files"] = sorted(files)
    for part in now.values():
        written |= dict.fromkeys(part["files"])
    write_if_changed(cache, json.dumps(now, indent=1))
    for path in book.generated.rglob("*"):
        place = path.relative_to(book.generated).as_posix()
        if path.is_file() and path != cache and place not in written:
            path.unlink()


def _in_processes(make: Callable[[Any], Any], every: list[Any]) -> Iterator[Any]:
    """As `map`, in as many processes as there are processors and things to make."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if len(every) < 2 or cores == 1:
        yield from map(make, every)
        return
    # Not forked: this process has threads.
    with ProcessPoolExecutor(min(len(every), cores or 1), get_context("spawn")) as pool:
        yield from pool.map(make, every)


def _place(part: Part) -> str:
    """Parts with one place are made in one process, where they share what they have read."""
    _, function, taken, _ = part
    if function == "run":
        return f"figures/run-{taken[0].name}"
    apart = function in ("images", "words") and taken[0] not in ("published", "protocols")
    return taken[2] if apart else ""


def _made(parts: list[Part]) -> dict[str, Mapping[str, str | bytes]]:
    """The files of parts, by their name and path."""
    # Imported only when something is made: matplotlib and SciPy take seconds. statsmodels collects
    # garbage at each correction; freezing spares it all that Sphinx has loaded.
    from factmix.report import pages

    gc.freeze()
    return {name: getattr(pages, function)(*taken) for name, function, taken, _ in parts}


def write_if_changed(path: Path, content: str | bytes) -> None:
    """Leaves a file with this content alone, so that Sphinx rebuilds only what has changed."""
    data = content.encode() if isinstance(content, str) else content
    if not path.is_file() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def forget_interrupted(app: Sphinx) -> None:
    """Lets all pages be written again where a build was killed before it wrote its search index.

    Sphinx would write only those that have changed since, and warn that the index is incomplete.
    """
    if not (Path(app.outdir) / "searchindex.js").is_file():
        (Path(app.doctreedir) / "environment.pickle").unlink(missing_ok=True)


def generate(app: Sphinx, config: Config) -> None:
    forget_interrupted(app)
    try:
        default = committed_results(config.factmix_study)
        asides = {name: committed_results(aside.study) for name, aside in ASIDES.items()}
        runs = {run.name: run for run in local_runs(logger.info)}
        book = Book(default, asides, runs, app.srcdir / "_generated")
        write(book, default.root.parent / "speed")
    except (SourceError, FolderError) as error:
        raise ExtensionError(str(error)) from error
    config.html_extra_path.append(str(book.generated / "html"))
    config.html_static_path.append(str(book.generated / "static"))
    app.factmix = book


def setup(app: Sphinx) -> None:
    # sphinx-external-toc matches its globs at priority 900; the pages must be there by then.
    app.connect("config-inited", generate, priority=100)
