"""What pages write to show a figure that was drawn from results: the `drawn` directive."""

import json
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Drawn(SphinxDirective):
    """A figure that was drawn from results, in its light and its dark version.

    The argument is the figure's name, with the folder below _generated/figures/ before it when it
    is not of the committed results; the content is the caption. The alt text comes with the figure.
    """

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"name": str}

    def run(self) -> list[nodes.Node]:
        folder, _, name = self.arguments[0].rpartition("/")
        place = f"_generated/figures/{folder or 'committed'}"
        alt_file = Path(self.env.srcdir) / place / "alt.json"
        self.env.note_dependency(str(alt_file))
        alts = json.loads(alt_file.read_text(encoding="utf-8"))
        if name not in alts:
            raise self.error(f"no figure '{name}'; expected one of: {', '.join(sorted(alts))}")
        figure = nodes.figure(align="default")
        # The theme hides a caption that is a sibling of the image of the other theme.
        images = nodes.container(classes=["light-and-dark"])
        for theme in ("light", "dark"):
            images += nodes.image(
                uri=f"/{place}/{name}-{theme}.svg", alt=alts[name], classes=[f"only-{theme}"]
            )
        figure += images
        caption = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, caption)
        if caption.children and isinstance(caption[0], nodes.paragraph):
            first = caption[0]
            figure += nodes.caption(first.rawsource, "", *first.children)
        self.set_source_info(figure)
        self.add_name(figure)
        return [figure]


def setup(app: Sphinx) -> None:
    app.add_directive("drawn", Drawn)
