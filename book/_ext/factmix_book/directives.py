"""What pages write to show results: roles such as `{num}`, and the `drawn` directive."""

import json
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from factmix.numbers import NumberError, find, show
from factmix_book.published_study import BENCHMARKS, Published, benchmarks
from factmix_book.sources import Results

logger = logging.getLogger(__name__)


class _KeyRole(SphinxRole):
    """A role whose text is `key` or `key|form`; a wrong one is a warning with page and line."""

    def number(self, tree: dict[str, Any], file: Path) -> tuple[list[nodes.Node], list[Any]]:
        self.env.note_dependency(str(file))
        key, _, form = self.text.partition("|")
        try:
            leaf = find(tree, key.strip())
            text = show(leaf, form.strip() or "value")
        except NumberError as error:
            logger.warning(
                "{%s}`%s`: %s (%s)",
                self.name,
                self.text,
                error,
                file,
                location=(self.env.docname, self.lineno),
                type="factmix",
                subtype=self.name,
            )
            return [nodes.problematic(text=self.text)], []
        origin = _origin(leaf)
        if origin:
            return [nodes.abbreviation(text, text, explanation=origin, classes=["num"])], []
        return [nodes.inline(text, text, classes=["num"])], []


class NumberRole(_KeyRole):
    """{num}: a number of the committed results.json."""

    def run(self) -> tuple[list[nodes.Node], list[Any]]:
        committed: Results = self.env.app.factmix_committed
        return self.number(committed.content, committed.file)


class StudyRole(_KeyRole):
    """{study}: a setting in the YAML file of the committed study."""

    def run(self) -> tuple[list[nodes.Node], list[Any]]:
        committed: Results = self.env.app.factmix_committed
        return self.number(committed.study.model_dump(mode="json"), committed.study_file)


class PublishedRole(_KeyRole):
    """{published}: a number of the published study, as recomputed from what was released."""

    def run(self) -> tuple[list[nodes.Node], list[Any]]:
        published: Published = self.env.app.factmix_published
        return self.number(published.numbers, published.file)


class ClaimRole(_KeyRole):
    """{claim}: a verdict of the ledger, `claim.published` or `claim.ours`."""

    def run(self) -> tuple[list[nodes.Node], list[Any]]:
        committed: Results = self.env.app.factmix_committed
        published: Published = self.env.app.factmix_published
        self.env.note_dependency(str(published.file))
        return self.number(published.verdicts, committed.file)


class BenchmarkRole(_KeyRole):
    """{benchmark}: a number of results/benchmarks/."""

    def run(self) -> tuple[list[nodes.Node], list[Any]]:
        file = BENCHMARKS / f"{self.text.partition('.')[0]}.json"
        return self.number(benchmarks(), file)


def _origin(leaf: Any) -> str:
    """What a reader who hovers over a number wants to know about it."""
    if not isinstance(leaf, dict):
        return ""
    parts = []
    if "interval" in leaf:
        parts.append(f"95 % interval {show(leaf, 'interval')}")
    if leaf.get("p") is not None:
        parts.append(show(leaf, "p"))
    if leaf.get("n"):
        parts.append(f"n = {show(leaf, 'n')}")
    if leaf.get("run"):
        parts.append(f"run {leaf['run']}")
    return ", ".join(parts)


class Drawn(SphinxDirective):
    """A figure that was drawn from results, in its light and its dark version.

    The argument is the figure's name, with the folder below _generated/figures/ before it when it
    is not of the committed results; the content is the caption. The alt text comes with the figure,
    and so do links to its data and, where the book has it, to the notebook that shows it.
    """

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"name": str}

    def run(self) -> list[nodes.Node]:
        folder, _, name = self.arguments[0].rpartition("/")
        place = f"_generated/figures/{folder or 'committed'}"
        file = Path(self.env.srcdir) / place / "figures.json"
        self.env.note_dependency(str(file))
        drawn = json.loads(file.read_text(encoding="utf-8"))
        if name not in drawn:
            raise self.error(f"no figure '{name}'; expected one of: {', '.join(sorted(drawn))}")
        figure = nodes.figure(align="default")
        # The theme hides a caption that is a sibling of the image of the other theme.
        images = nodes.container(classes=["light-and-dark"])
        for theme in ("light", "dark"):
            images += nodes.image(
                uri=f"/{place}/{name}-{theme}.svg",
                alt=drawn[name]["alt"],
                classes=[f"only-{theme}"],
            )
        figure += images
        caption = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, caption)
        if caption.children and isinstance(caption[0], nodes.paragraph):
            first = caption[0]
            figure += nodes.caption(first.rawsource, "", *first.children)
        figure += nodes.legend("", self._links(f"/{place}/{name}.csv", drawn[name]["notebook"]))
        self.set_source_info(figure)
        self.add_name(figure)
        return [figure]

    def _links(self, data: str, notebook: str) -> nodes.paragraph:
        """What the figure was drawn from, and the executed notebook where there is one."""
        links = nodes.paragraph(classes=["figure-links"])
        link = addnodes.download_reference(
            reftype="download", refdomain="", reftarget=data, refdoc=self.env.docname
        )
        link += nodes.inline(text="data (CSV)")
        links += link
        page = f"_generated/notebooks/{notebook}"
        if page in self.env.found_docs:
            links += nodes.Text(", ")
            link = addnodes.pending_xref(
                reftype="doc", refdomain="std", reftarget=f"/{page}", refdoc=self.env.docname,
                refexplicit=True, refwarn=True,
            )  # fmt: skip
            link += nodes.inline(text="notebook")
            links += link
        return links


def setup(app: Sphinx) -> None:
    app.add_role("num", NumberRole())
    app.add_role("study", StudyRole())
    app.add_role("published", PublishedRole())
    app.add_role("claim", ClaimRole())
    app.add_role("benchmark", BenchmarkRole())
    app.add_directive("drawn", Drawn)
