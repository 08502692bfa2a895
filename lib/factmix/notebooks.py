"""Executes a notebook source with parameters; what it leaves behind is a whole notebook or none."""

import base64
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jupytext
import papermill
import yaml
from ipykernel.kernelspec import write_kernel_spec
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from PIL import Image

from factmix.study.extras import explain_missing
from factmix.study.paths import ROOT

# Kernels warn that they talk over local TCP, and tqdm that it cannot draw its bars as widgets.
QUIET_KERNEL = [
    "--log-level=ERROR",
    "--HistoryManager.enabled=False",
    "--IPKernelApp.exec_lines=import warnings; warnings.filterwarnings('ignore', 'IProgress')",
]


class NotebookError(RuntimeError):
    """A notebook has no such parameter, or one of its cells failed."""


def convert(source: Path, notebook: Path) -> Any:
    """Writes a jupytext source as .ipynb, with nothing executed, and returns its content."""
    content = jupytext.read(source)
    jupytext.write(content, notebook)
    return content


def execute(source: Path, output: Path, parameters: Mapping[str, Any]) -> None:
    """Runs a jupytext source and writes the executed notebook.

    What cells write to stderr (progress bars, warnings) goes to this process's stderr as it comes
    and is not kept. `output` is replaced only when no cell failed; otherwise the notebook, as far
    as it got, is in the folder failed/ beside it, where nothing looks for pages.

    Args:
        source: a notebook as MyST Markdown, or in another format that jupytext reads.
        output: the .ipynb to write.
        parameters: values for names that the cell tagged `parameters` assigns.

    Raises:
        NotebookError: naming the notebook, the cell and the error; or the unknown parameter and
            the known ones.
    """
    if not source.is_file():
        known = ", ".join(sorted(other.name for other in source.parent.glob("*.md")))
        raise NotebookError(f"{source}: no such notebook; in its folder: {known or 'none'}")
    output.parent.mkdir(parents=True, exist_ok=True)
    failed = output.parent / "failed" / output.name
    with tempfile.TemporaryDirectory(prefix=f".{output.stem}-", dir=output.parent) as folder:
        converted, executed = Path(folder) / "converted.ipynb", Path(folder) / "executed.ipynb"
        convert(source, converted)
        _check_names(source, converted, parameters)
        try:
            with _kernels_of_our_own(Path(folder) / "jupyter"):
                papermill.execute_notebook(
                    converted,
                    executed,
                    parameters=dict(parameters),
                    progress_bar=False,
                    stderr_file=sys.stderr,
                    extra_arguments=QUIET_KERNEL,
                )
        except (PapermillExecutionError, DeadKernelError) as error:
            failed.parent.mkdir(exist_ok=True)
            executed.replace(failed)
            raise NotebookError(
                f"{source}: {_failure(error)}; as far as it got: {failed}"
            ) from error
        _clean(executed)
        if _lacks_figures(executed):
            failed.parent.mkdir(exist_ok=True)
            executed.replace(failed)
            raise NotebookError(
                f"{source}: none of its cells showed a figure, and some are marked as figures;"
                f" expected matplotlib's inline backend; the notebook is in {failed}"
            )
        executed.replace(output)
    failed.unlink(missing_ok=True)


def execute_kept(name: str, folder: Path, parameters: Mapping[str, Any]) -> Path:
    """Runs a notebook of the project that is committed with its outputs, and that readers launch.

    Args:
        name: of the notebook in notebooks/, without suffix.
        folder: below results/, that receives <name>.ipynb.
        parameters: as for `execute`; `repository` and `branch` are added from _config.yml.

    Returns:
        the executed notebook.

    Raises:
        NotebookError: as `execute` does.
    """
    output = folder / f"{name}.ipynb"
    execute(ROOT / "notebooks" / f"{name}.md", output, {**parameters, **repository()})
    return output


def repository() -> dict[str, str]:
    """URL (empty while there is none) and branch of the public repository, from _config.yml."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
    return {"repository": str(config["url"]), "branch": str(config["branch"])}


@contextmanager
def _kernels_of_our_own(folder: Path) -> Iterator[None]:
    """Makes kernels that start inside run this Python and show figures, on every machine.

    The environment may name another backend of matplotlib, a `python3` of another Python, and a
    home folder that does not exist or cannot be written to. Jupyter and IPython use `folder`
    instead.
    """
    write_kernel_spec(folder / "kernels" / "python3")
    places = ("JUPYTER_PATH", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR")
    ours = dict.fromkeys((*places, "IPYTHONDIR"), str(folder))
    ours["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    usual = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in usual.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value


def _lacks_figures(path: Path) -> bool:
    """Whether cells are marked as figures, by an alternative text, and no cell shows an image."""
    cells = jupytext.read(path).cells
    marked = any("image" in cell.metadata.get("mystnb", {}) for cell in cells)
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    shown = any(kind.startswith("image/") for each in outputs for kind in each.get("data", {}))
    return marked and not shown


def _check_names(source: Path, converted: Path, parameters: Mapping[str, Any]) -> None:
    known = papermill.inspect_notebook(converted)
    for name in parameters:
        if name not in known:
            raise NotebookError(
                f"{source}: no parameter '{name}'; expected one of: {', '.join(known) or 'none'}"
            )


def _failure(error: PapermillExecutionError | DeadKernelError) -> str:
    if isinstance(error, DeadKernelError):
        return "the kernel died, perhaps for lack of memory"
    lines = [line for line in error.source.splitlines() if line.strip()[:1] not in ("", "#")]
    missing = re.match(r"No module named '([\w.]+)'", error.evalue)
    remedy = missing and explain_missing(missing[1])
    return (
        f"cell [{error.exec_count}] `{lines[0].strip()}`: {error.ename}: {error.evalue}"
        f"{f'; {remedy}' if remedy else ''}"
    )


def _clean(path: Path) -> None:
    """Leaves out what differs between equal runs or tells about the machine: times, paths, bars.

    Figures get a palette, which takes fewer bytes.
    """
    notebook = jupytext.read(path)
    parameters = notebook.metadata.pop("papermill")["parameters"]
    notebook.metadata["papermill"] = {"parameters": parameters}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell["outputs"] = [kept for kept in cell.outputs if kept.get("name") != "stderr"]
            for output in cell["outputs"]:
                if image := output.get("data", {}).get("image/png"):
                    output["data"]["image/png"] = with_palette(image)
    jupytext.write(notebook, path)


def with_palette(image: str) -> str:
    """A PNG in base64 with a palette of 80 colours; unchanged where it is transparent.

    Figures have few colours and many shades of them on the edges of lines and letters.
    """
    drawn = Image.open(io.BytesIO(base64.b64decode(image)))
    if drawn.convert("RGBA").getchannel("A").getextrema() != (255, 255):
        return image
    method, small = Image.Quantize.MAXCOVERAGE, io.BytesIO()
    reduced = drawn.convert("RGB").quantize(80, method, kmeans=4, dither=Image.Dither.NONE)
    reduced.save(small, "PNG", optimize=True)
    return base64.b64encode(small.getvalue()).decode()
