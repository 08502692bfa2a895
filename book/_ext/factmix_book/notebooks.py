"""Executed notebooks as pages of the book; one that failed never becomes a page."""

import json
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

from factmix.report.sources import PUBLISHED, Results, SourceError

# Notebooks that need nothing but the repository, and where they are in it. Their pages have launch
# buttons; what the others need is training, or is not committed.
LAUNCHED = {
    "reevaluate": "results/{study}/notebooks/reevaluate.ipynb",
    "published": "results/published/published.ipynb",
}


def copy(default: Results) -> dict[str, str]:
    """The executed notebooks of a study, and that of the published one, by path.

    What belongs only to the terminal is left out.

    Raises:
        SourceError: when a notebook holds an error, naming the notebook, the cell and the error.
    """
    folders = (default.root / "notebooks", PUBLISHED)
    pages = {file: file.stem for folder in folders for file in sorted(folder.glob("*.ipynb"))}
    written = {}
    for source, name in pages.items():
        notebook = json.loads(source.read_text(encoding="utf-8"))
        refuse_errors(notebook, source)
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"] = [out for out in cell["outputs"] if not _progress(out)]
        title(notebook, name, default)
        # Widget state would make the pages load scripts from another server.
        notebook["metadata"].pop("widgets", None)
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        written[f"notebooks/{name}.ipynb"] = text
    return written


def refuse_errors(notebook: dict[str, Any], source: Path) -> None:
    """SourceError when a cell's output is an error."""
    for number, cell in enumerate(notebook["cells"], start=1):
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                raise SourceError(
                    f"{source}: cell {number} failed with {output['ename']}: {output['evalue']}; "
                    "a notebook with an error does not become a page. Execute it again and freeze."
                )


def title(notebook: dict[str, Any], name: str, results: Results) -> None:
    """Gives pages that are one notebook, executed several times, headings of their own."""
    arm, _, seed = name.rpartition("-s")
    heading = f"Arm {arm}, seed {seed}" if arm in results.study.arms else ""
    first = notebook["cells"][0]
    if heading and first["cell_type"] == "markdown":
        first["source"] = re.sub(r"\A# .*", f"# {heading}", "".join(first["source"]))


def launch(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object
) -> None:
    """Points the theme's launch buttons to where a notebook is in the repository.

    The theme takes each page's own file, which for these is below _generated/. Pages of notebooks
    that cannot be launched lose their buttons.
    """
    name = pagename.removeprefix("_generated/notebooks/")
    path = LAUNCHED.get(name, "").format(study=app.config.factmix_study)
    kept = []
    for group in context.get("header_buttons", []):
        if group.get("label") == "launch-buttons":
            if not path:
                continue
            for button in group["buttons"]:
                button["url"] = button["url"].replace(f"{pagename}.ipynb", path)
        kept.append(group)
    context["header_buttons"] = kept


def without_repository(app: Sphinx, config: Config) -> None:
    """No launch buttons while nothing says where the repository is: the theme would fail."""
    if not config.html_theme_options.get("repository_url"):
        config.html_theme_options.pop("launch_buttons", None)


def setup(app: Sphinx) -> None:
    app.connect("config-inited", without_repository)
    app.connect("html-page-context", launch, priority=502)  # after the theme's own at 501


def _progress(output: dict[str, Any]) -> bool:
    return output.get("name") == "stderr" or any(
        kind.startswith("application/vnd.jupyter.widget") for kind in output.get("data", {})
    )
