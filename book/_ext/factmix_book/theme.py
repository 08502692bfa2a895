"""Mends of what the theme and Jupyter Book's other extensions put on every page."""

import re
from collections.abc import Callable
from typing import Any

from bs4 import BeautifulSoup
from docutils import nodes
from sphinx.application import Sphinx

from factmix_book.generation import write_if_changed

_NO_THEME = re.compile(r'(<html [^>]*data-theme=)"auto"')
_THEMED_IMAGE = re.compile(r"<img (?=[^>]*\bonly-(?:light|dark)\b)")


def patch_context(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Changes one page's context after the theme has made it.

    1. Without the scripts for live code, which the book does not offer: they declare their
       constants twice, an error in the browser's console, and name another server.
    2. With a name for each button that opens a part of the sidebar.
    3. With figures that load when they are seen: of each there is one for the theme not chosen.
    4. With list items in the list of references; its roles are from before ARIA 1.2.
    """
    context["script_files"] = [s for s in context["script_files"] if not _live_code(s)]
    if "generate_toctree_html" in context:
        context["generate_toctree_html"] = _named(context["generate_toctree_html"])
    if "body" in context:
        body = _THEMED_IMAGE.sub('<img loading="lazy" ', context["body"])
        context["body"] = body.replace('role="doc-biblioentry"', 'role="listitem"')


def _live_code(script: Any) -> bool:
    return "thebe" in f"{script.filename} {script.attributes.get('body', '')}".lower()


def _named(generate: Callable[..., Any]) -> Callable[..., Any]:
    def generate_named(*args: Any, **kwargs: Any) -> Any:
        toctree = generate(*args, **kwargs)
        name_toggles(toctree)
        return toctree

    return generate_named


def name_toggles(toctree: BeautifulSoup) -> None:
    """Gives each <summary> of a sidebar the name of the page whose parts it shows."""
    for summary in toctree("summary"):
        link = summary.find_parent("li").find("a")
        summary["aria-label"] = f"Pages below {link.get_text(strip=True)}"


def show_light(app: Sphinx, error: Exception | None) -> None:
    """Makes every page that was written light where scripts do not run.

    The theme writes that a script chooses, for which it has neither colours nor rules that hide one
    image of each figure. Where scripts run they choose anew, before the page is shown.
    """
    for page in app.outdir.rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        write_if_changed(page, _NO_THEME.sub(r'\1"light"', html, count=1))


def setup(app: Sphinx) -> None:
    # The theme and the other extensions connect at 500.
    app.connect("html-page-context", patch_context, priority=900)
    app.connect("build-finished", show_light)
    app.add_js_file("light_or_dark.js")
    app.add_js_file("offline_search.js")
    app.add_js_file("scrolling.js", loading_method="defer")
