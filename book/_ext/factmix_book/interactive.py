"""Parts of a page that a script of book/_static/ takes over: what they have in common."""

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

STYLE = "_static/interactive.css"
# Class of a part -> the scripts of its page, in order; below book/.
SCRIPTS = {
    "reward-explorer": ("_static/dom.js", "_static/reward_explorer.js"),
    "example-browser": (
        "_static/dom.js",
        "_generated/static/examples_data.js",
        "_static/example_browser.js",
    ),
}


def box(env: BuildEnvironment, kind: str, settings: dict[str, Any]) -> nodes.container:
    """A container with settings for its script, which replaces all that it holds.

    Args:
        env: of the page, which is to be built again when a script changes: Sphinx copies scripts
            only when there is a page to build.
        kind: a key of `SCRIPTS`.
        settings: become JSON.
    """
    for file in (*SCRIPTS[kind], STYLE):
        env.note_dependency(str(Path(env.srcdir) / file))
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
            app.add_js_file(Path(script).name, loading_method="defer")
        app.add_css_file(Path(STYLE).name)


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", add_scripts)
