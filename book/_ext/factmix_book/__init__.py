"""Sphinx extension of the book: numbers, figures, tables and pages made from results.

Before Sphinx looks for pages, everything that is made from results is written below
book/_generated/ (ignored by git). While it reads them, roles such as `{num}` and `{study}` put
single numbers into the prose and `drawn` directives put figures there.
"""

from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError

from factmix_book import (
    banner,
    benchmarks,
    directives,
    downloads,
    drawings,
    examples,
    explorer,
    footer,
    interactive,
    notebooks,
    published_drawings,
    published_study,
    published_tables,
    replication,
    robustness,
    roles,
    run_pages,
    statistics_tables,
    tables,
    theme,
)
from factmix_book.sources import Results, SourceError, committed_results, local_runs


def generate(app: Sphinx, config: Config) -> None:
    """Writes book/_generated/ anew, leaving files whose content stays the same untouched."""
    generated = app.srcdir / "_generated"
    html = generated / "html"
    try:
        committed = committed_results(config.factmix_study)
        again = committed_results(config.factmix_seeds_study)
        # Notebooks first: one that failed is refused before anything takes time.
        written = notebooks.copy(committed, again, generated / "notebooks")
        written |= tables.write(committed, generated / "tables")
        written |= robustness.write(committed, generated / "tables")
        written |= replication.write(committed, again, generated)
        written |= benchmarks.write(committed.root.parent / "speed", generated)
        written |= drawings.write(committed, generated / "figures" / "committed")
        published = published_study.read(committed)
        written |= published_tables.write(published, generated / "tables")
        written |= statistics_tables.write(generated / "tables")
        written |= published_drawings.write(published, generated / "figures" / "published")
        written |= downloads.write(committed, html)
        written |= downloads.write_elsewhere(published, html)
        written |= downloads.write(again, html)
        written |= downloads.tables(committed, again, html, generated / "tables")
        written |= footer.write(committed, again, generated)
        shown = examples.data(committed)
        written |= examples.write(shown, generated / "static")
        runs: dict[str, Results] = {}
        for run in local_runs():
            runs[run.name] = run
            written |= drawings.write(run, generated / "figures" / f"run-{run.name}")
            written |= downloads.write(run, html)
            written |= run_pages.write(run, committed, html, generated / "runs", again=again)
        written |= banner.write([committed, again, *runs.values()], generated)
    except SourceError as error:
        raise ExtensionError(str(error)) from error
    for path in generated.rglob("*"):
        if path.is_file() and path not in written:
            path.unlink()
    config.html_extra_path.append(str(html))
    config.html_static_path.append(str(generated / "static"))
    app.factmix_committed = committed  # type: ignore[attr-defined]
    app.factmix_seeds = again  # type: ignore[attr-defined]
    app.factmix_published = published  # type: ignore[attr-defined]
    app.factmix_examples = shown  # type: ignore[attr-defined]
    app.factmix_runs = runs  # type: ignore[attr-defined]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("factmix_study", "embedded", "env", str)
    app.add_config_value("factmix_seeds_study", "embedded_seeds", "env", str)
    # sphinx-external-toc matches its globs at priority 900; the pages must be there by then.
    app.connect("config-inited", generate, priority=100)
    roles.setup(app)
    directives.setup(app)
    banner.setup(app)
    footer.setup(app)
    interactive.setup(app)
    explorer.setup(app)
    examples.setup(app)
    theme.setup(app)
    notebooks.setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
