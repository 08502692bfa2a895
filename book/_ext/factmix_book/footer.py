"""The end of every page: of which commit, study and day its results are, and if they came again."""

from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

from factmix.results import rerun_diff
from factmix.results.numbers import amount
from factmix_book.banner import ELSEWHERE
from factmix_book.sources import Results, of_page, write_if_changed

DETAILS = "appendix/downloads"
FILE = "footer.txt"
LEAST = 0.001  # differences of a share below it are not told apart
_SHARES = ("fraction", "points")


def closing(docname: str, results: Results, *committed: Results) -> str:
    """One line about the numbers of a page, which agrees with the banner at its head.

    Args:
        docname: the page.
        results: the study that it shows, or would show if its numbers were of one.
        committed: all committed results.
    """
    elsewhere = ELSEWHERE.get(docname)
    if elsewhere is None:
        return text(results, *committed)
    line = f"{elsewhere.what[0].upper()}{elsewhere.what[1:]} · not compared with a rerun"
    return f"{line} · beside them: {text(results, *committed)}" if elsewhere.beside else line


def text(results: Results, *committed: Results) -> str:
    """One line about some results, and how they compare with the committed ones of their study."""
    origin = results.origin
    commits = ", ".join(origin.commits) or "not recorded"
    what = "run on this machine" if results.fresh else "committed results"
    parts = [
        f"Study “{results.name}”, {what}",
        f"commit {commits}",
        f"finished {origin.day}" if origin.day else "date not recorded",
    ]
    if not results.fresh:
        parts.append(_reproduced(results))
    elif results.name in {each.name for each in committed}:
        parts.append("compared with the committed results above")
    else:
        parts.append("no committed results to compare with")
    return " · ".join(parts)


def _reproduced(committed: Results) -> str:
    kept = rerun_diff.recorded(committed.paths)
    if kept is None:
        return "not yet compared with a rerun"
    rerun = f"compared with a rerun ({rerun_diff.Origin(**kept['fresh'])})"
    if kept["same"] == kept["compared"] and not kept["only_committed"] + kept["only_fresh"]:
        return f"{rerun}: all {kept['compared']:,} numbers are the same"
    shares = [row for unit, row in kept["largest"].items() if unit in _SHARES]
    largest = max(shares, key=lambda row: abs(row["difference"]), default=None)
    said = f"{rerun}: {kept['same']:,} of {kept['compared']:,} numbers are the same"
    if largest is None:
        return f"{said}; no share differs"
    if abs(largest["difference"]) < LEAST:
        return f"{said}; no share differs by as much as {100 * LEAST:g} points"
    return (
        f"{said}; the largest difference of a share is {amount(largest['difference'], 'points')} "
        f"({largest['key']})"
    )


def write(committed: Results, again: Results, into: Path) -> set[Path]:
    """Writes the lines of the committed results, for pages to depend on."""
    lines = [text(each, committed, again) for each in (committed, again)]
    return {write_if_changed(into / FILE, "\n".join(lines))}


def add(app: Sphinx, doctree: nodes.document) -> None:
    docname = app.env.docname
    app.env.note_dependency(str(app.srcdir / "_generated" / FILE))
    committed: Results = app.factmix_committed  # type: ignore[attr-defined]
    again: Results = app.factmix_seeds  # type: ignore[attr-defined]
    line = closing(docname, of_page(app, docname), committed, again)
    paragraph = nodes.paragraph(line, line)
    if DETAILS in app.env.found_docs:
        paragraph += nodes.Text(" · ")
        paragraph += addnodes.pending_xref(
            "",
            nodes.inline("", "files and checksums"),
            refdomain="std",
            reftype="doc",
            reftarget=f"/{DETAILS}",
            refdoc=docname,
            refexplicit=True,
            refwarn=True,
        )
    doctree += nodes.container("", paragraph, classes=["results-footer"])


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", add)
