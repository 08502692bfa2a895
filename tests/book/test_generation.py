"""What is generated for the book: whose numbers a page shows, and what is made again when."""

import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from factmix.cli import app
from factmix.report import pages
from factmix.report.sources import ASIDES, Results, SourceError, committed_results
from factmix.study.paths import ROOT


@pytest.fixture(autouse=True)
def extension(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")


@pytest.fixture
def default() -> Results:
    return committed_results("main")


@pytest.fixture
def asides() -> dict[str, Results]:
    return {name: committed_results(aside.study) for name, aside in ASIDES.items()}


def test_a_run_is_shown_on_its_own_page_and_on_no_chapter(
    default: Results, asides: dict[str, Results]
) -> None:
    from factmix_book.generation import Book

    run = replace(default, fresh=True)
    names = ("results", "training", "reward", "claim")
    book = Book(default, asides, dict.fromkeys(names, run), Path("_generated"))
    for name in names:
        assert book.of_page(name) is default
        assert book.of_page(f"_generated/runs/{name}") is run
    for name, results in asides.items():
        assert book.of_page(ASIDES[name].page) is results
    assert book.of_page("_generated/notebooks/compare") is default


def test_the_example_of_a_comparison_is_what_the_command_prints(
    default: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = str(pages.two_systems(default)["text/compare.txt"])
    command, output = shown.replace("\\\n", "").split("\n", 1)
    monkeypatch.chdir(ROOT)
    arguments = shlex.split(command.removeprefix("$ factmix "))
    assert CliRunner().invoke(app, arguments).output == output


def test_a_part_is_made_again_when_its_inputs_or_the_code_change_and_not_for_a_docstring(
    default: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from factmix_book import generation

    made = []

    def make(results: Results) -> dict[str, str]:
        made.append(results.name)
        return {"tables/part.md": "text"}

    def write() -> int:
        """How often the part has been made after another build."""
        generation.write(book, tmp_path / "speed")
        return len(made)

    source, code = tmp_path / "source.json", tmp_path / "code.py"
    source.write_text("1")
    code.write_text('"""What it is for."""\nx = 1  # why\n')
    part = ("part", "make", (default,), [source])
    monkeypatch.setattr(pages, "make", make, raising=False)
    monkeypatch.setattr(generation, "parts", lambda *_: [part])
    monkeypatch.setattr(generation, "CODE", (code,))
    book = generation.Book(default, {}, {}, tmp_path / "generated")
    stale = tmp_path / "generated" / "tables" / "stale.md"
    stale.parent.mkdir(parents=True)
    stale.write_text("of an earlier build")
    assert write() == 1 and not stale.exists()
    assert write() == 1
    code.write_text('"""Said otherwise."""\nx = 1\n')
    assert write() == 1
    code.write_text('"""Said otherwise."""\nx = 2\n')
    assert write() == 2
    source.write_text("2")
    assert write() == 3
    (tmp_path / "generated/tables/part.md").unlink()
    assert write() == 4
    assert (tmp_path / "generated/tables/part.md").read_text() == "text"


def test_parts_of_several_places_are_made_in_processes(
    default: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from factmix_book import generation

    source = tmp_path / "source.json"
    source.write_text("1")
    parts = [
        (name, "images", ("second", default, f"figures/{name}"), [source]) for name in ("a", "b")
    ]
    monkeypatch.setattr(generation, "parts", lambda *_: parts)
    book = generation.Book(default, {}, {}, tmp_path / "generated")
    generation.write(book, tmp_path / "speed")
    made = [sorted((tmp_path / "generated/figures" / name).iterdir()) for name in ("a", "b")]
    assert [each.name for each in made[0]] == [each.name for each in made[1]]
    assert "learning-dark.svg" in {each.name for each in made[0]}
    broken = replace(default, root=tmp_path)  # without any answers
    parts[1] = ("b", "images", ("study", broken, "figures/b"), [source])
    source.write_text("2")
    with pytest.raises(SourceError, match=re.escape(str(tmp_path))):
        generation.write(book, tmp_path / "speed")


def test_a_book_whose_build_was_killed_before_its_search_index_is_built_again(
    tmp_path: Path,
) -> None:
    """Sphinx alone warns that the index will lack pages, and the book takes warnings as errors."""
    (tmp_path / "conf.py").write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT / 'book' / '_ext')!r})\n"
        "from factmix_book.generation import forget_interrupted\n"
        "def setup(app):\n"
        "    app.connect('config-inited', lambda app, config: forget_interrupted(app))\n"
    )
    (tmp_path / "index.rst").write_text("Title\n=====\n\n.. toctree::\n\n   other\n")
    (tmp_path / "other.rst").write_text("Other\n=====\n")
    (tmp_path / "alone.rst").write_text(":orphan:\n\nAlone\n=====\n")
    html = tmp_path / "html"

    def build() -> tuple[int, str]:
        command = [sys.executable, "-m", "sphinx", "-W", "-b", "html", str(tmp_path), str(html)]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, done.stderr

    assert build() == (0, "")
    (html / "searchindex.js").unlink()
    (tmp_path / "other.rst").write_text("Other\n=====\n\nMore.\n")
    assert build() == (0, "")
    assert '"docnames": ["alone", "index", "other"]' in (html / "searchindex.js").read_text()
    (html / "index.html").write_text("half of a page")
    assert build() == (0, "")  # nothing was interrupted, and nothing is built again
    assert (html / "index.html").read_text() == "half of a page"
