"""The line on every page that says where its numbers are from."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from factmix_book.sources import Results, of_page, write_if_changed


@dataclass(frozen=True)
class Elsewhere:
    """Where a page's numbers are from that are of no study of ours.

    Attributes:
        what: in words.
        beside: whether the page has numbers of the committed study too.
    """

    what: str
    beside: bool = False


RELEASED = "answers and logs that the published study released, as kept in results/published/"
ELSEWHERE = {
    "appendix/published": Elsewhere(RELEASED),
    "_generated/notebooks/published": Elsewhere(RELEASED),
    "appendix/audit": Elsewhere(RELEASED, beside=True),
    "appendix/benchmarks": Elsewhere("measurements, as kept in results/speed/"),
    "appendix/statistics": Elsewhere("simulations, as kept in results/benchmarks/", beside=True),
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
    elsewhere = ELSEWHERE.get(docname)
    said = [elsewhere.what] if elsewhere else []
    if elsewhere is None or elsewhere.beside:
        said.append(text(results))
    line = f"Numbers on this page: {'; and '.join(said)}"
    box = nodes.container("", nodes.paragraph(line, line), classes=["results-banner"])
    title = section.first_child_matching_class(nodes.title)
    section.insert(0 if title is None else title + 1, box)


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", add)
