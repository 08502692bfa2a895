"""The notebooks that readers launch: committed with their outputs, and run from a bare copy."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
import yaml
from test_book import page

from factmix import notebooks
from factmix.results.results_json import differences
from factmix.study.paths import ROOT
from invented_book import build, copy_book

KEPT = {
    "reevaluate": "results/main/notebooks/reevaluate.ipynb",
    "published": "results/published/published.ipynb",
}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git tracks of the project, and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in filter(None, tracked.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def papermill(
    notebook: Path, folder: Path, *options: str, **variables: str
) -> nbformat.NotebookNode:
    """Executes a notebook in a process of its own, with nothing of this one's settings."""
    known = ("PATH", "HOME", "LANG", "OMP_NUM_THREADS")
    environment = {name: os.environ[name] for name in known if name in os.environ} | variables
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", str(notebook), "-"]
    done = subprocess.run(
        [*command, *options], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return nbformat.reads(done.stdout, as_version=4)


def tables(notebook: nbformat.NotebookNode) -> list[str]:
    """What the cells show in words."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [output.get("text") or output.get("data", {}).get("text/plain") for output in outputs]
    return [text for text in shown if text and not text.startswith("<Figure")]


def written(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The cells without the one that papermill adds for parameters."""
    added = "injected-parameters"
    return [cell for cell in notebook.cells if added not in cell.metadata.get("tags", [])]


@pytest.mark.slow
@pytest.mark.parametrize("path", KEPT.values(), ids=list(KEPT))
def test_it_runs_in_a_bare_copy_and_shows_what_is_committed(path: str, bare: Path) -> None:
    """A difference means that it is older than the results: make it again with `make freeze`."""
    executed = papermill(bare / path, bare, PYTHONPATH=str(bare / "lib"))
    assert not (bare / "runs").exists()
    assert tables(executed) == tables(nbformat.read(ROOT / path, as_version=4))


@pytest.mark.parametrize(("name", "path"), KEPT.items(), ids=list(KEPT))
def test_what_is_committed_is_the_source_executed_without_errors(name: str, path: str) -> None:
    source = jupytext.read(ROOT / "notebooks" / f"{name}.md").cells
    kept = nbformat.read(ROOT / path, as_version=4)
    cells = written(kept)
    assert [cell.source for cell in cells] == [cell.source for cell in source]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert "error" not in {output.output_type for output in outputs}
    assert notebooks.repository().items() <= kept.metadata.papermill.parameters.items()


@pytest.mark.slow
def test_where_factmix_is_missing_it_is_fetched(bare: Path, tmp_path: Path) -> None:
    git = ["git", "-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
    for command in ("init -q -b published", "add -A", "commit -q -m copy"):
        subprocess.run([*git, *command.split()], cwd=bare, check=True, capture_output=True)
    # Hides the installed package, as if it were another machine; the clone comes from the copy.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "sys.meta_path = [f for f in sys.meta_path if 'editable' not in str(f).lower()]\n"
        "sys.path = [p for p in sys.path if not Path(p, 'factmix', '__init__.py').is_file()]\n"
    )
    first = nbformat.read(ROOT / KEPT["published"], as_version=4)
    code = [cell for cell in written(first) if cell.cell_type == "code"]
    where = nbformat.v4.new_code_cell("import factmix\nprint(factmix.__file__)")
    first.cells = [*code[:2], where]
    nbformat.write(first, tmp_path / "first.ipynb")
    fetched = tmp_path / "factmix-source" / "lib" / "factmix" / "__init__.py"
    for _ in range(2):  # again, as after the kernel was restarted
        executed = papermill(
            tmp_path / "first.ipynb",
            tmp_path,
            *("-p", "repository", bare.as_uri(), "-p", "branch", "published"),
            PYTHONPATH=str(tmp_path),
        )
        assert tables(executed)[-1].strip() == str(fetched)


@pytest.mark.slow
def test_launch_buttons_point_to_notebooks_of_the_repository_and_other_pages_have_none(
    built: Path, tmp_path: Path
) -> None:
    environment = copy_book(built, tmp_path)
    config = tmp_path / "_config.yml"
    text = config.read_text()
    url = f"url: {json.dumps(notebooks.repository()['repository'])}"
    assert url in text
    config.write_text(text.replace(url, "url: https://github.com/owner/name"))
    pages = tmp_path / "results/main/notebooks"
    shutil.rmtree(pages)
    pages.mkdir()
    for name in ("reevaluate", "hard_only-s0"):
        shutil.copy(ROOT / f"results/main/notebooks/{name}.ipynb", pages)
    toc = {"format": "jb-book", "root": "index", "chapters": [{"glob": "_generated/notebooks/*"}]}
    (tmp_path / "book" / "_toc.yml").write_text(yaml.safe_dump(toc))
    (tmp_path / "book" / "index.md").write_text("# Page\n")
    done = build(tmp_path, environment)
    assert done.returncode == 0, done.stderr
    sites = r'href="(https://(?:mybinder|colab)[^"]*)"'
    for name, path in KEPT.items():
        found = set(re.findall(sites, page(tmp_path, f"_generated/notebooks/{name}")))
        assert found == {
            f"https://mybinder.org/v2/gh/owner/name/main?urlpath=lab/tree/{path}",
            f"https://colab.research.google.com/github/owner/name/blob/main/{path}",
        }
        assert (ROOT / path).is_file()
    assert not re.findall(sites, page(tmp_path, "_generated/notebooks/hard_only-s0"))
    assert not re.findall(sites, page(tmp_path, "index"))


@pytest.mark.parametrize(
    ("fresh", "differing"),
    [
        ({"a": {"value": 0.5 + 1e-12, "n": 3}, "b": ["x", 0.25]}, []),
        ({"a": {"value": 0.5 + 1e-6, "n": 3}, "b": ["x", 0.25]}, ["a.value"]),
        ({"a": {"value": 0.5, "n": 4}, "b": ["x", 0.25]}, ["a.n"]),
        ({"a": {"value": 0.5, "n": 3}, "b": ["y", 0.5]}, ["b.0", "b.1"]),
        ({"a": {"value": 0.5}, "b": ["x", 0.25], "c": 1}, ["a.n", "c"]),
        ({"a": {"value": None, "n": 3}, "b": ["x", 0.25]}, ["a.value"]),
    ],
)
def test_entries_that_differ_are_named(fresh: dict[str, Any], differing: list[str]) -> None:
    committed = {"a": {"value": 0.5, "n": 3}, "b": ["x", 0.25]}
    same = differences(committed, fresh)["same"]
    assert same.index[~same].tolist() == differing
    assert {"a.value", "a.n", "b.0", "b.1"} <= set(same.index)
