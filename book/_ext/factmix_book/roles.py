"""What pages write to show one number: `{num}`, `{study}`, `{published}` and their like.

Each shows what it rests on when it is pointed at, focused or tapped, and links to the files that
it is from. numbers.css does this; numbers.js only adds that Escape hides it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole
from sphinx.util.osutil import relative_uri
from sphinx.writers.html5 import HTML5Translator

from factmix.results.numbers import NumberError, find, probability, show
from factmix_book import downloads
from factmix_book.published_study import BENCHMARKS, Published, benchmarks
from factmix_book.sources import SEEDS_PAGE, Results, of_page

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


class _KeyRole(SphinxRole):
    """A role whose text is `key` or `key|form`; a wrong one is a warning with page and line."""

    def number(self, source: Source) -> tuple[list[nodes.Node], list[Any]]:
        self.env.note_dependency(str(source.file))
        key, _, form = (part.strip() for part in self.text.partition("|"))
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
            holm = leaf.get("p_holm")
            corrected = "" if holm is None else f" (corrected by Holm: {probability(holm)})"
            found.append(("test", probability(leaf["p"]) + corrected))
    if source.study:
        found.append(("study", source.study))
    run = str(leaf.get("run") or "") if isinstance(leaf, Mapping) else ""
    arm, separator, seed = run.rpartition("-s")
    if separator and seed.isdigit():
        found += [("arm", arm), ("seed", seed)]
    elif run == "data":
        found.append(("arm", "none, it follows from the data"))
    elif run:
        found.append(("arm", f"{run}, the untrained model" if run.startswith("base") else run))
    return [*found, ("name", key)]


class NumberRole(_KeyRole):
    """{num}: a number of the page's results.json, the committed one but on the page of a run."""

    def run(self) -> tuple[list[nodes.Node], list[Any]]:
        results = of_page(self.env.app, self.env.docname)
        confidence = results.content["study"]["confidence"]
        place = f"{results.place}/results.json"
        # The book has the notebooks of the committed results only.
        page = self.env.docname if results.fresh else ""
        return self.number(
            Source(results.content, results.file, place, results.name, confidence, page)
        )


class SeedsRole(_KeyRole):
    """{seeds}: a number of the default study's repetition with other seeds."""

    def run(self) -> tuple[list[nodes.Node], list[Any]]:
        results: Results = self.env.app.factmix_seeds
        confidence = results.content["study"]["confidence"]
        place = f"{results.place}/results.json"
        return self.number(
            Source(results.content, results.file, place, results.name, confidence, SEEDS_PAGE)
        )


class StudyRole(_KeyRole):
    """{study}: a setting of the study that the page's results are of."""

    def run(self) -> tuple[list[nodes.Node], list[Any]]:
        results = of_page(self.env.app, self.env.docname)
        tree = results.study.model_dump(mode="json")
        place = f"{results.place}/study.json"
        return self.number(Source(tree, results.paths.study, place, results.name))


class PublishedRole(_KeyRole):
    """{published}: a number of the published study, as recomputed from what was released."""

    def run(self) -> tuple[list[nodes.Node], list[Any]]:
        published: Published = self.env.app.factmix_published
        return self.number(
            Source(
                published.numbers,
                published.file,
                "results/published/derived.json",
                "the published one",
                page="appendix/published",
            )
        )


class ClaimRole(_KeyRole):
    """{claim}: a verdict of the ledger, `claim.published` or `claim.ours`."""

    def run(self) -> tuple[list[nodes.Node], list[Any]]:
        committed: Results = self.env.app.factmix_committed
        published: Published = self.env.app.factmix_published
        self.env.note_dependency(str(committed.file))
        self.env.note_dependency(str(published.file))
        if self.text.partition("|")[0].strip().endswith(".ours"):
            file, place = committed.file, f"{committed.place}/predictions.csv"
            study = committed.name
        else:
            file, place = published.file, "results/published/derived.json"
            study = "the published one"
        return self.number(Source(published.verdicts, file, place, study, page="appendix/audit"))


class BenchmarkRole(_KeyRole):
    """{benchmark}: a number of results/benchmarks/."""

    def run(self) -> tuple[list[nodes.Node], list[Any]]:
        name = f"{self.text.partition('.')[0]}.json"
        return self.number(
            Source(
                benchmarks(),
                BENCHMARKS / name,
                f"results/benchmarks/{name}",
                page="appendix/statistics",
            )
        )


class ModelRole(_KeyRole):
    """{model}: a size of the base model of the page's study, counted in its weights."""

    def run(self) -> tuple[list[nodes.Node], list[Any]]:
        results = of_page(self.env.app, self.env.docname)
        tree = {"millions": round(results.parameters / 1e6, 1)}
        file = results.weights[0]
        return self.number(Source(tree, file, "", results.name, page="appendix/model"))


def visit_number(translator: HTML5Translator, node: number) -> None:
    translator.body.append(
        f'<span class="num"><span class="num-value" tabindex="0" aria-describedby="{node["tip"]}">'
    )


def depart_number(translator: HTML5Translator, node: number) -> None:
    builder = translator.builder
    here = builder.current_docname
    links = []
    if node["file"]:
        target = relative_uri(builder.get_target_uri(here), downloads.address(node["file"]))
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
    app.add_role("num", NumberRole())
    app.add_role("seeds", SeedsRole())
    app.add_role("study", StudyRole())
    app.add_role("published", PublishedRole())
    app.add_role("claim", ClaimRole())
    app.add_role("benchmark", BenchmarkRole())
    app.add_role("model", ModelRole())
