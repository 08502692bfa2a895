"""The line on every page that says where its numbers are from."""

from docutils import nodes
from sphinx.application import Sphinx

from factmix_book.sources import Results

# Pages whose numbers are not from a study of ours, and where they are from.
ELSEWHERE = {
    "appendix/published": "answers and logs that the published study released, as kept in "
    "results/published/",
    "_generated/notebooks/published": "answers and logs that the published study released, as kept "
    "in results/published/",
    "appendix/audit": "answers and logs that the published study released, as kept in "
    "results/published/",
    "appendix/statistics": "simulations, as kept in results/benchmarks/",
}


def text(results: Results, *, fresh: bool) -> str:
    """Study, model and date of some results in one line."""
    parts = [
        f"Numbers on this page: study “{results.name}”",
        f"model “{results.content['study']['model']}”",
        "a run on this machine" if fresh else "committed results",
    ]
    if results.finished:
        parts.append(f"finished {results.finished}")
    return " · ".join(parts)


def add(app: Sphinx, doctree: nodes.document) -> None:
    docname = app.env.docname
    section = next(iter(doctree.findall(nodes.section)), None)
    if section is None:
        return
    runs: dict[str, Results] = app.factmix_runs  # type: ignore[attr-defined]
    run = runs.get(docname.removeprefix("_generated/runs/"))
    results = run or app.factmix_committed  # type: ignore[attr-defined]
    app.env.note_dependency(str(results.file))
    if docname in ELSEWHERE:
        line = f"Numbers on this page: {ELSEWHERE[docname]}"
    else:
        line = text(results, fresh=run is not None)
    box = nodes.container("", nodes.paragraph(line, line), classes=["results-banner"])
    title = section.first_child_matching_class(nodes.title)
    section.insert(0 if title is None else title + 1, box)


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", add)
