"""What is generated for the book: whose numbers a page shows, and what is made again when."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from factmix.cli import app
from factmix.report import pages
from factmix.report.sources import Results, committed_results
from factmix.study.paths import ROOT


@pytest.fixture(autouse=True)
def extension(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")


@pytest.fixture
def committed() -> list[Results]:
    """Of the default study, on a second base model, and as described and as released."""
    return [committed_results(name) for name in ("main", "swapped", "protocols")]


def test_a_run_is_shown_on_its_own_page_and_on_no_chapter(committed: list[Results]) -> None:
    from factmix_book.generation import Book

    default, second, protocols = committed
    run = replace(default, fresh=True)
    names = ("results", "training", "reward", "claim")
    book = Book(default, second, protocols, dict.fromkeys(names, run), Path("_generated"))
    for name in names:
        assert book.of_page(name) is default
        assert book.of_page(f"_generated/runs/{name}") is run
    assert book.of_page("appendix/second_base") is second
    assert book.of_page("_generated/notebooks/second_compare") is second
    assert book.of_page("appendix/protocols") is protocols
    assert book.of_page("_generated/notebooks/protocols_compare") is protocols
    assert book.of_page("_generated/notebooks/compare") is default


def test_the_example_of_a_comparison_is_what_the_command_prints(
    committed: list[Results], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = str(pages.two_systems(committed[0])["text/compare.txt"])
    command, output = shown.replace("\\\n", "").split("\n", 1)
    monkeypatch.chdir(ROOT)
    arguments = shlex.split(command.removeprefix("$ factmix "))
    assert CliRunner().invoke(app, arguments).output == output


@pytest.mark.parametrize(
    ("kind", "heading"),
    [
        ("second", "# The comparison, on the second base model"),
        ("protocols", "# The comparison, as described and as released"),
    ],
)
def test_the_figure_of_another_study_leads_to_the_notebook_that_shows_it(
    committed: list[Results], kind: str, heading: str
) -> None:
    from factmix_book import notebooks

    default, second, protocols = committed
    source = {"second": second, "protocols": (default, protocols)}[kind]
    drawn = json.loads(str(pages.words(kind, source, "figures")["figures/figures.json"]))
    (notebook,) = {figure["notebook"] for figure in drawn.values()} - {""}
    asides = {"second_compare": second, "protocols_compare": protocols}
    page = notebooks.copy(default, asides)[f"notebooks/{notebook}.ipynb"]
    assert "".join(json.loads(page)["cells"][0]["source"]).splitlines()[0] == heading


def test_a_part_is_made_again_when_its_inputs_or_the_code_change_and_not_for_a_docstring(
    committed: list[Results], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    part = ("part", "make", (committed[0],), [source])
    monkeypatch.setattr(pages, "make", make, raising=False)
    monkeypatch.setattr(generation, "parts", lambda *_: [part])
    monkeypatch.setattr(generation, "CODE", (code,))
    book = generation.Book(*committed, {}, tmp_path / "generated")
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
