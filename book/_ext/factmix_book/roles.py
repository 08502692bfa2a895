"""What pages write to show one number: `{num}`, `{study}`, `{published}` and their like.

Each shows what it rests on when it is pointed at, focused or tapped, and links to the files that
it is from. numbers.css does this; numbers.js only adds that Escape hides it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole
from sphinx.util.osutil import relative_uri
from sphinx.writers.html5 import HTML5Translator

from factmix.report.sources import ASIDES, Results
from factmix.results.numbers import NumberError, find, show
from factmix_book.generation import Book

logger = logging.getLogger(__name__)

Facts = list[tuple[str, str]]  # what is said of a number: a term, and what holds


class number(nodes.inline):  # noqa: N801 - Sphinx calls node classes so
    """A number with its facts, its id on the page, and where it is from.

    Attributes: `facts`; `file`, a path in the repository that the book offers as a download, and
    `page`, a page of the book, each of them perhaps "".
    """


@dataclass(frozen=True)
class Source:
    """Where a role looks numbers up.

    Attributes:
        tree: nested, with a leaf or a scalar at every key.
        file: what the tree was read from.
        place: the file as it is called in the repository; "" where the book does not offer it.
        study: whose numbers they are; "" where they are of no study.
        confidence: of the intervals.
        page: a page of the book about these numbers; "" where there is none.
    """

    tree: Mapping[str, Any]
    file: Path
    place: str
    study: str = ""
    confidence: float = 0.95
    page: str = ""


def _numbers(results: Results, page: str) -> Source:
    confidence = results.content["study"]["confidence"]
    place = f"{results.place}/results.json"
    return Source(results.content, results.file, place, results.name, confidence, page)


def _of_aside(name: str, book: Book, page: str, key: str) -> Source:
    return _numbers(book.asides[name], ASIDES[name].page)


def _settings(results: Results) -> Source:
    tree, place = results.study.model_dump(mode="json"), f"{results.place}/study.json"
    return Source(tree, results.paths.study, place, results.name)


def _sizes(results: Results) -> Source:
    tree = {"millions": round(results.parameters / 1e6, 1)}
    return Source(tree, results.weights[0], "", results.name, page="appendix/model")


def _of_no_study(book: Book, name: str, place: str, page: str, study: str = "") -> Source:
    file = book.generated / "numbers" / f"{name}.json"
    return Source(book.numbers[name], file, place, study, page=page)


def _verdicts(book: Book, ours: bool) -> Source:
    default, place, study = book.default, DERIVED, RELEASED
    if ours:
        place, study = f"{default.place}/predictions.csv", default.name
    return _of_no_study(book, "claims", place, "appendix/audit", study)


def _benchmarks(book: Book, name: str) -> Source:
    place = f"results/benchmarks/{name}.json"
    return _of_no_study(book, "benchmarks", place, "appendix/statistics")


DERIVED, RELEASED = "results/published/derived.json", "the published one"
# Name of a role -> where it looks numbers up, from the book, the page and the key.
ROLES: dict[str, Callable[[Book, str, str], Source]] = {
    # of the page's results.json, the committed one but on the page of a run, whose notebooks the
    # book does not have
    "num": lambda book, page, key: _numbers(of := book.of_page(page), page if of.fresh else ""),
    # of the study of the chapters, also on the page of another
    "first": lambda book, page, key: _numbers(book.default, ""),
    # of a study beside it, from any page
    **{name: partial(_of_aside, name) for name in ASIDES},
    # a setting of the study that the page's results are of
    "study": lambda book, page, key: _settings(book.of_page(page)),
    # a size of the base model of the page's study, counted in its weights
    "model": lambda book, page, key: _sizes(book.of_page(page)),
    # of the published study, as recomputed from what was released
    "published": lambda book, page, key: _of_no_study(
        book, "published", DERIVED, "appendix/published", RELEASED
    ),
    # a verdict of the ledger, `claim.published` or `claim.ours`
    "claim": lambda book, page, key: _verdicts(book, key.endswith(".ours")),
    # of results/benchmarks/
    "benchmark": lambda book, page, key: _benchmarks(book, key.partition(".")[0]),
}


class NumberRole(SphinxRole):
    """A role whose text is `key` or `key|form`; a wrong one is a warning with page and line."""

    def run(self) -> tuple[list[nodes.Node], list[Any]]:
        key, _, form = (part.strip() for part in self.text.partition("|"))
        source = ROLES[self.name](self.env.app.factmix, self.env.docname, key)
        self.env.note_dependency(str(source.file))
        try:
            leaf = find(source.tree, key)
            text = show(leaf, form or "value")
        except NumberError as error:
            logger.warning(
                "{%s}`%s`: %s (%s)",
                self.name,
                self.text,
                error,
                source.file,
                location=(self.env.docname, self.lineno),
                type="factmix",
                subtype=self.name,
            )
            return [nodes.problematic(text=self.text)], []
        node = number(text, text, classes=["num-value"])
        node["facts"] = facts(leaf, key, source)
        node["tip"] = f"number-{self.env.new_serialno('number')}"
        node["file"] = source.place
        node["page"] = self._page(leaf, source)
        return [node], []

    def _page(self, leaf: Any, source: Source) -> str:
        """The executed notebook of the run that a number is from, or the source's page."""
        run = leaf.get("run") if isinstance(leaf, Mapping) else None
        notebooks = [f"_generated/notebooks/{name}" for name in (run, "compare") if name]
        pages = [*notebooks, source.page] if run and not source.page else [source.page]
        return next((page for page in pages if page in self.env.found_docs), "")


def facts(leaf: Any, key: str, source: Source) -> Facts:
    """What a reader wants to know about a number: interval, n, p, study, arm, seed, name."""
    found: Facts = []
    if isinstance(leaf, Mapping):
        if leaf.get("interval") is not None:
            found.append((f"{100 * source.confidence:g}\u00a0% interval", show(leaf, "interval")))
        if leaf.get("n"):
            found.append(("n", show(leaf, "n")))
        if leaf.get("p") is not None:
            holm = leaf.get("p_holm") is not None
            corrected = f" (corrected by Holm: {show(leaf, 'p_holm')})" if holm else ""
            found.append(("test", show(leaf, "p") + corrected))
    if source.study:
        found.append(("study", source.study))
    run = str(leaf.get("run") or "") if isinstance(leaf, Mapping) else ""
    arm, separator, seed = run.rpartition("-s")
    if separator and seed.isdigit():
        found += [("arm", arm), ("seed", seed)]
    elif run == "data":
        found.append(("arm", "none, it follows from the data"))
    elif run:
        found.append(("arm", f"{run}, the base model" if run.startswith("base") else run))
    return [*found, ("name", key)]


def visit_number(translator: HTML5Translator, node: number) -> None:
    translator.body.append(
        f'<span class="num"><span class="num-value" tabindex="0" aria-describedby="{node["tip"]}">'
    )


def depart_number(translator: HTML5Translator, node: number) -> None:
    builder = translator.builder
    here = builder.current_docname
    links = []
    if node["file"]:
        target = relative_uri(builder.get_target_uri(here), f"downloads/{node['file']}")
        links.append((target, node["file"]))
    if node["page"] and node["page"] != here:
        title = builder.env.titles[node["page"]].astext()
        links.append((builder.get_relative_uri(here, node["page"]), title))
    translator.body.append(f"</span>{tip(node['tip'], node['facts'], links)}</span>")


def tip(name: str, said: Facts, links: list[tuple[str, str]]) -> str:
    """The note of a number as HTML.

    Args:
        name: its id on the page.
        said: what it says.
        links: address and text of each link below that.
    """
    rows = [
        f'<span class="num-term">{escape(term)}</span> <span>{escape(text)}</span>'
        for term, text in said
    ]
    rows += [
        f'<span class="num-term">{term}</span> <a href="{escape(address)}">{escape(text)}</a>'
        for term, (address, text) in zip(("from", "see"), links, strict=False)
    ]
    return f'<span class="num-tip" id="{name}">{" ".join(rows)}</span>'


def setup(app: Sphinx) -> None:
    app.add_node(number, html=(visit_number, depart_number))
    for name in ROLES:
        app.add_role(name, NumberRole())
