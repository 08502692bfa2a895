"""What is generated for the book: whose numbers a page shows, and what is made again when."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from factmix.cli import app
from factmix.report import pages
from factmix.report.sources import ASIDES, Results, committed_results
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
