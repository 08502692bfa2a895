"""What pages write to show a figure that was drawn from results: the `drawn` directive."""

import json
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


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
        # the notebooks in the book are those of the committed results, not of the runs made here
        notebook = "" if folder.startswith("run-") else drawn[name]["notebook"]
        figure += nodes.legend("", self._links(f"/{place}/{name}.csv", notebook))
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
    app.add_directive("drawn", Drawn)
