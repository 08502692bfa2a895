"""Parts of a page that a script of book/_static/ takes over: what they have in common."""

import json
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

# Class of a part -> the scripts of its page, in order.
SCRIPTS = {
    "reward-explorer": ("dom.js", "reward_explorer.js"),
    "example-browser": ("dom.js", "examples_data.js", "example_browser.js"),
}


def box(kind: str, settings: dict[str, Any]) -> nodes.container:
    """A container with settings for its script, which replaces all that it holds.

    Args:
        kind: a key of `SCRIPTS`.
        settings: become JSON.
    """
    text = json.dumps(settings).replace("</", "<\\/")
    script = f'<script type="application/json">{text}</script>'
    return nodes.container("", nodes.raw("", script, format="html"), classes=[kind])


def add_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Adds the scripts to those pages that have a part for them, to be run after the text."""
    if doctree is None:
        return
    kinds = {kind for part in doctree.findall(nodes.container) for kind in part["classes"]}
    for kind in sorted(kinds & set(SCRIPTS)):
        for script in SCRIPTS[kind]:
            app.add_js_file(script, loading_method="defer")
        app.add_css_file("interactive.css")


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", add_scripts)
