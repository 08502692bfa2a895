"""Puts on every page where its numbers are from, below the title, and whether they came again."""

import json

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

DETAILS = "appendix/downloads"


def add(app: Sphinx, doctree: nodes.document) -> None:
    env, book = app.env, app.factmix
    file, results = book.generated / "lines" / f"{env.docname}.json", book.of_page(env.docname)
    if not file.is_file():
        file = book.generated / "lines" / f"{results.place}.json"
    env.note_dependency(str(file))
    line = json.loads(file.read_text(encoding="utf-8"))
    section = next(iter(doctree.findall(nodes.section)), None)
    if section is not None:
        title = section.first_child_matching_class(nodes.title)
        section.insert(0 if title is None else title + 1, _box("results-banner", line["head"]))
    box = _box("results-footer", line["foot"])
    if DETAILS in env.found_docs:
        box[0].extend([nodes.Text(" · "), reference(env.docname, DETAILS, "files and checksums")])
    doctree += box


def _box(kind: str, line: str) -> nodes.container:
    return nodes.container("", nodes.paragraph(line, line), classes=[kind])


def reference(docname: str, page: str, text: str) -> addnodes.pending_xref:
    """A link from one page of the book to another."""
    about = {"refdomain": "std", "reftype": "doc", "reftarget": f"/{page}", "refdoc": docname}
    inner = nodes.inline(text=text)
    return addnodes.pending_xref("", inner, refexplicit=True, refwarn=True, **about)


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", add)
