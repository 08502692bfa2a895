import base64
import contextlib
import fcntl
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import papermill
import pytest
from nbclient.exceptions import DeadKernelError
from PIL import Image

from factmix import notebooks
from factmix.notebooks import NotebookError
from factmix.study.paths import ROOT

HEADER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

```{code-cell} ipython3
:tags: [parameters]

arm = "balanced"
seed = 0
```

"""
SOURCES = sorted((ROOT / "notebooks").glob("*.md"))


def source(folder: Path, *cells: str) -> Path:
    path = folder / "page.md"
    path.write_text(HEADER + "\n".join(f"```{{code-cell}} ipython3\n{c}\n```\n" for c in cells))
    return path


def texts(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "".join(out.get("text", "") for c in cells for out in c.get("outputs", []))


def test_parameters_reach_the_notebook_and_stderr_reaches_only_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cells = ["import sys", "print(arm, seed + 1)", "print('10%|#', file=sys.stderr)"]
    output = tmp_path / "pages" / "page.ipynb"
    notebooks.execute(source(tmp_path, *cells), output, {"arm": "hard_only", "seed": 6})
    assert texts(output) == "hard_only 7\n"
    assert "10%|#" in capfd.readouterr().err
    assert [path.name for path in output.parent.iterdir()] == ["page.ipynb"]


FIGURE = """---
mystnb:
  image:
    alt: A line.
---
import matplotlib.pyplot as plt

plt.plot([0, 1]);"""


@pytest.mark.parametrize("backend", ["Agg", None])
def test_figures_are_shown_whatever_backend_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str | None
) -> None:
    monkeypatch.delenv("MPLBACKEND", raising=False)
    if backend:
        monkeypatch.setenv("MPLBACKEND", backend)
    output = tmp_path / "pages" / "page.ipynb"
    notebooks.execute(source(tmp_path, FIGURE), output, {})
    cells = nbformat.read(output, as_version=4).cells
    kinds = {kind for c in cells for out in c.get("outputs", []) for kind in out.get("data", {})}
    assert "image/png" in kinds
    assert os.environ.get("MPLBACKEND") == backend


def test_figures_take_few_bytes_and_look_the_same(tmp_path: Path) -> None:
    output = tmp_path / "page.ipynb"
    notebooks.execute(source(tmp_path, FIGURE), output, {})
    (image,) = (
        out["data"]["image/png"]
        for cell in nbformat.read(output, as_version=4).cells
        for out in cell.get("outputs", [])
        if "image/png" in out.get("data", {})
    )
    assert Image.open(io.BytesIO(base64.b64decode(image))).mode == "P"


def test_a_palette_changes_no_shade_that_one_would_notice() -> None:
    figure, (left, right) = plt.subplots(1, 2)
    for i in range(4):
        left.plot(np.random.default_rng(i).random(40), alpha=0.4)
    right.imshow(np.linspace(0, 1, 400).reshape(20, 20), cmap="Blues")
    drawn = io.BytesIO()
    figure.savefig(drawn)
    plain = base64.b64encode(drawn.getvalue()).decode()
    small = notebooks.with_palette(plain)
    before, after = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(each))).convert("RGB"), float)
        for each in (plain, small)
    )
    assert np.abs(before - after).max() <= 24  # of 255
    assert np.abs(before - after).mean() < 1.5
    assert len(small) < len(plain) / 2
    figure.savefig(drawn := io.BytesIO(), transparent=True)
    transparent = base64.b64encode(drawn.getvalue()).decode()
    assert notebooks.with_palette(transparent) == transparent


def test_this_python_runs_notebooks_whatever_the_machine_offers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = tmp_path / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    other = {"argv": ["false", "{connection_file}"], "display_name": "?", "language": "python"}
    kernel.write_text(json.dumps(other))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("HOME", "/dev/null")  # in which nothing can be written
    monkeypatch.delenv("JUPYTER_RUNTIME_DIR", raising=False)
    before = dict(os.environ)
    output = tmp_path / "pages" / "page.ipynb"
    notebooks.execute(source(tmp_path, "import sys; print(sys.executable)"), output, {})
    assert texts(output) == f"{sys.executable}\n"
    assert [path.name for path in output.parent.iterdir()] == ["page.ipynb"]
    assert dict(os.environ) == before


def test_a_notebook_that_should_show_figures_and_shows_none_is_an_error(tmp_path: Path) -> None:
    output = tmp_path / "pages" / "page.ipynb"
    page = source(tmp_path, FIGURE.replace("plt.plot", "print"))
    with pytest.raises(NotebookError, match="none of its cells showed a figure"):
        notebooks.execute(page, output, {})
    assert not output.exists() and (output.parent / "failed" / "page.ipynb").exists()


def test_equal_runs_leave_equal_files_without_times_or_paths(tmp_path: Path) -> None:
    page = source(tmp_path, "print(arm)")
    outputs = [tmp_path / "a" / "page.ipynb", tmp_path / "b" / "page.ipynb"]
    for output in outputs:
        notebooks.execute(page, output, {"arm": "hard_only"})
    first, second = (output.read_bytes() for output in outputs)
    assert first == second
    assert str(tmp_path).encode() not in first


def test_a_failed_notebook_does_not_replace_the_page(tmp_path: Path) -> None:
    output = tmp_path / "page.ipynb"
    output.write_text("the page of the last run")
    failing = source(tmp_path, "print('before')", "# why\nseed / 0", "print('after')")
    with pytest.raises(NotebookError) as caught:
        notebooks.execute(failing, output, {})
    failed = tmp_path / "failed" / "page.ipynb"
    message = str(caught.value)
    for part in (str(failing), "`seed / 0`", "ZeroDivisionError: division by zero", str(failed)):
        assert part in message
    assert "\n" not in message
    assert output.read_text() == "the page of the last run"
    assert "before" in texts(failed)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["failed", "page.ipynb", "page.md"]

    notebooks.execute(source(tmp_path, "print(seed)"), output, {})
    assert texts(output) == "0\n"
    assert not failed.exists()


def test_an_unknown_parameter_is_refused_before_anything_runs(tmp_path: Path) -> None:
    output = tmp_path / "page.ipynb"
    with pytest.raises(NotebookError, match=r"'am'; expected one of: arm, seed"):
        notebooks.execute(source(tmp_path, "print(arm)"), output, {"am": "hard_only"})
    assert not output.exists()


def test_a_parameter_is_a_value_and_never_code(tmp_path: Path) -> None:
    """Quotes, line ends, backslashes and braces would end or leave a text in careless code."""
    text = "\"; 1/0\n'; 1/0 #\\\"\"\"'''\r\n1/0\n{1/0}\\"
    output = tmp_path / "page.ipynb"
    page = source(tmp_path, "print(ascii([arm, seed]))")
    notebooks.execute(page, output, {"arm": text, "seed": {text: [text, None, True, 0.5]}})
    assert texts(output) == f"{[text, {text: [text, None, True, 0.5]}]!a}\n"


def held_by_its_kernel(path: Path) -> bool:
    """Whether a process has the lock: one that ended has none, even if nobody waited for it."""
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.mark.slow
def test_an_interrupted_notebook_ends_at_once_with_its_kernel(tmp_path: Path) -> None:
    output, begun = tmp_path / "page.ipynb", tmp_path / "begun"
    output.write_text("the page of the last run")
    cell = (
        f"import fcntl, time\nheld = open({str(begun)!r}, 'w')\nfcntl.flock(held, fcntl.LOCK_EX)\n"
        "held.write('begun')\nheld.flush()"
    )
    command = [sys.executable, "-m", "factmix.cli", "notebook"]
    running = subprocess.Popen(
        [*command, str(source(tmp_path, cell, "time.sleep(600)")), str(output)],
        start_new_session=True,
        # what a shell starts in the background ignores SIGINT, and so would this
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        while not (begun.is_file() and begun.read_text()):
            assert running.poll() is None
            time.sleep(0.05)
        assert held_by_its_kernel(begun)
        os.killpg(running.pid, signal.SIGINT)
        interrupted = time.monotonic()
        assert running.wait(60) != 0
        assert time.monotonic() - interrupted < 5
        while held_by_its_kernel(begun):
            assert time.monotonic() - interrupted < 5
            time.sleep(0.05)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
    assert output.read_text() == "the page of the last run"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["begun", "page.ipynb", "page.md"]


def test_a_missing_source_names_those_there_are(tmp_path: Path) -> None:
    source(tmp_path)
    with pytest.raises(NotebookError, match=r"pag\.md: no such notebook; .* page\.md"):
        notebooks.execute(tmp_path / "pag.md", tmp_path / "page.ipynb", {})


def test_a_dead_kernel_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(converted: Path, executed: Path, **_: object) -> None:
        executed.write_bytes(converted.read_bytes())
        raise DeadKernelError("Kernel died")

    monkeypatch.setattr(papermill, "execute_notebook", die)
    with pytest.raises(NotebookError, match="kernel died"):
        notebooks.execute(source(tmp_path, "1"), tmp_path / "page.ipynb", {})
    assert not (tmp_path / "page.ipynb").exists()
    assert (tmp_path / "failed" / "page.ipynb").exists()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_notebook_says_what_papermill_needs(path: Path, tmp_path: Path) -> None:
    notebook = notebooks.convert(path, tmp_path / "converted.ipynb")
    assert notebook.metadata.kernelspec.language == "python"
    assert "study" in papermill.inspect_notebook(tmp_path / "converted.ipynb")
