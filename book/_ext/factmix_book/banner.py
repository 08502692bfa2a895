"""The line on every page that says where its numbers are from."""

from collections.abc import Iterable
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from factmix_book.sources import Results, of_page, write_if_changed

# Pages whose numbers are not from a study of ours, and where they are from.
RELEASED = "answers and logs that the published study released, as kept in results/published/"
ELSEWHERE = {
    "appendix/published": RELEASED,
    "_generated/notebooks/published": RELEASED,
    "appendix/audit": RELEASED,
    "appendix/benchmarks": "measurements, as kept in results/speed/",
    "appendix/statistics": "simulations, as kept in results/benchmarks/, and the committed study",
}


def text(results: Results) -> str:
    """Study, model and date of some results in one line."""
    parts = [
        f"study “{results.name}”",
        f"model “{results.content['study']['model']}”",
        "a run on this machine" if results.fresh else "committed results",
    ]
    if results.origin.day:
        parts.append(f"finished {results.origin.day}")
    if results.since:
        parts.append(results.since)
    return " · ".join(parts)


def write(shown: Iterable[Results], generated: Path) -> set[Path]:
    """Writes the line about each results, for pages to depend on."""
    return {write_if_changed(_file(results, generated), text(results)) for results in shown}


def _file(results: Results, generated: Path) -> Path:
    return generated / "banners" / f"{results.place.replace('/', '-')}.txt"


def add(app: Sphinx, doctree: nodes.document) -> None:
    docname = app.env.docname
    section = next(iter(doctree.findall(nodes.section)), None)
    if section is None:
        return
    results = of_page(app, docname)
    app.env.note_dependency(str(results.file))
    app.env.note_dependency(str(_file(results, Path(app.srcdir) / "_generated")))
    line = f"Numbers on this page: {ELSEWHERE.get(docname) or text(results)}"
    box = nodes.container("", nodes.paragraph(line, line), classes=["results-banner"])
    title = section.first_child_matching_class(nodes.title)
    section.insert(0 if title is None else title + 1, box)


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", add)
