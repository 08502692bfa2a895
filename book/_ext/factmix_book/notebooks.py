"""Executed notebooks as pages of the book; one that failed never becomes a page."""

import json
import re
from pathlib import Path
from typing import Any

from factmix_book.sources import Results, SourceError, write_if_changed


def copy(results: Results, into: Path) -> set[Path]:
    """Copies the executed notebooks of a study; what belongs only to the terminal is left out.

    Raises:
        SourceError: when a notebook holds an error, naming the notebook, the cell and the error.
    """
    written = set()
    for source in sorted((results.root / "notebooks").glob("*.ipynb")):
        notebook = json.loads(source.read_text(encoding="utf-8"))
        refuse_errors(notebook, source)
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"] = [out for out in cell["outputs"] if not _progress(out)]
        title(notebook, source, results)
        # Widget state would make the pages load scripts from another server.
        notebook["metadata"].pop("widgets", None)
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        written.add(write_if_changed(into / source.name, text))
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


def title(notebook: dict[str, Any], source: Path, results: Results) -> None:
    """Names the arm in the heading of its notebook: they are one notebook, executed for each."""
    arm, _, seed = source.stem.rpartition("-s")
    first = notebook["cells"][0]
    if arm in results.study.arms and first["cell_type"] == "markdown":
        text = "".join(first["source"])
        first["source"] = re.sub(r"\A# .*", f"# Arm {arm}, seed {seed}", text)


def _progress(output: dict[str, Any]) -> bool:
    return output.get("name") == "stderr" or any(
        kind.startswith("application/vnd.jupyter.widget") for kind in output.get("data", {})
    )
