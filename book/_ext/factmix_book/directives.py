"""What pages write to show more than text: drawn figures, and parts that a script takes over."""

import json
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from factmix_book.provenance import reference

STYLE = "_static/interactive.css"
# Class of a part of a page -> the scripts of its page, in order; below book/.
SCRIPTS = {
    "reward-explorer": ("_static/dom.js", "_static/reward_explorer.js"),
    "example-browser": (
        "_static/dom.js",
        "_generated/static/examples_data.js",
        "_static/example_browser.js",
    ),
}


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
        # The theme hides a caption that is a sibling of the image of the other theme.
        images = nodes.container(classes=["light-and-dark"])
        for theme in ("light", "dark"):
            uri, alt = f"/{place}/{name}-{theme}.svg", drawn[name]["alt"]
            images += nodes.image(uri=uri, alt=alt, classes=[f"only-{theme}"])
        figure = nodes.figure("", images, align="default")
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
        here = self.env.docname
        about = {"reftype": "download", "refdomain": "", "reftarget": data, "refdoc": here}
        link = addnodes.download_reference("", "", nodes.inline(text="data (CSV)"), **about)
        links = nodes.paragraph("", "", link, classes=["figure-links"])
        page = f"_generated/notebooks/{notebook}"
        if page in self.env.found_docs:
            links += [nodes.Text(", "), reference(here, page, "notebook")]
        return links


class Interactive(SphinxDirective):
    """A part with settings for its script, which replaces all that it holds.

    Its content is what is shown where scripts do not run; where the page has none, the generated
    table of that name. The page is to be built again when a script changes: Sphinx copies scripts
    only when there is a page to build.
    """

    has_content = True

    def run(self) -> list[nodes.Node]:
        source = Path(self.env.srcdir)
        settings = source / "_generated" / "settings" / f"{self.name}.json"
        for file in (settings, *(source / name for name in (*SCRIPTS[self.name], STYLE))):
            self.env.note_dependency(str(file))
        text = settings.read_text(encoding="utf-8").replace("</", "<\\/")
        script = nodes.raw("", f'<script type="application/json">{text}</script>', format="html")
        box = nodes.container("", script, classes=[self.name])
        content = self.content
        if not content:
            file = source / "_generated" / "tables" / "examples.md"
            self.env.note_dependency(str(file))
            content = StringList(file.read_text(encoding="utf-8").splitlines(), str(file))
        self.state.nested_parse(content, self.content_offset, box)
        return [box]


def add_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Adds the scripts to those pages that have a part for them, to be run after the text."""
    if doctree is None:
        return
    kinds = {kind for part in doctree.findall(nodes.container) for kind in part["classes"]}
    for kind in sorted(kinds & set(SCRIPTS)):
        for script in SCRIPTS[kind]:
            app.add_js_file(Path(script).name, loading_method="defer")
        app.add_css_file(Path(STYLE).name)


def setup(app: Sphinx) -> None:
    app.add_directive("drawn", Drawn)
    for kind in SCRIPTS:
        app.add_directive(kind, Interactive)
    app.connect("html-page-context", add_scripts)
