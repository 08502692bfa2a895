"""Sphinx extension of the book: numbers, figures, tables and pages made from results.

Before Sphinx looks for pages, everything that is made from results (`factmix.report`) is written
below book/_generated/ (ignored by git). While it reads them, roles such as `{num}` and `{study}`
put single numbers into the prose and `drawn` directives put figures there.
"""

from typing import Any

from sphinx.application import Sphinx

from factmix_book import directives, generation, notebooks, provenance, roles, theme


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("factmix_study", "main", "env", str)
    for part in (generation, roles, directives, provenance, theme, notebooks):
        part.setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
