"""The README and CONTRIBUTING are correct: files, commands, licences and the book's screenshot."""

import json
import re
import tomllib

import pytest
import yaml

from factmix.cli import app
from factmix.results.results_json import established
from factmix.study.load import find_study
from factmix.study.paths import ROOT

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "book/appendix/rerun.md")
COMMANDS = {
    (each.name or each.callback.__name__).replace("_", "-")
    for each in app.registered_commands
    if each.callback
}
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_commands_that_are_named_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    code = "\n".join([*blocks, *re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)])
    made = set(re.findall(r"^make ([a-z]+)", code, re.MULTILINE))
    run = set(re.findall(r"^(?:FACTMIX_MIRROR=\w+ )?factmix ([a-z-]+)", code, re.MULTILINE))
    assert made
    assert made <= TARGETS
    assert run <= COMMANDS


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_files_that_are_linked_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    linked = [target for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    assert linked
    assert [target for target in linked if not (ROOT / target).is_file()] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_notebooks_and_studies_that_are_named_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    named = re.findall(r"\b(?:notebooks|studies)/[a-z_]+\.(?:md|yaml)\b", text)
    assert [path for path in named if not (ROOT / path).is_file() and "name" not in path] == []


def test_badges_say_what_the_project_says() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    badges = re.findall(r"img\.shields\.io/badge/([a-z]+)-(.+?)-blue", readme)
    python = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    licence = (ROOT / "LICENSE").read_text()
    assert dict(badges) == {
        "python": python.removeprefix(">=") + "%2B",
        "code": "MIT",
        "text": "CC%20BY%204.0",
    }
    assert "MIT License" in licence
    assert "CC BY 4.0" in licence


def test_citation_has_what_its_format_requires_and_the_version_of_the_package() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["version"] == project["version"]
    assert citation["license"] == "MIT"  # a list would say that each holds for all, by choice
    assert {each["type"] for each in citation["references"]} == {"blog", "software-code"}


def test_the_words_for_the_figure_follow_from_the_results() -> None:
    results = json.loads((ROOT / "results/embedded/results.json").read_text(encoding="utf-8"))
    alpha = find_study("embedded").statistics.alpha

    def changed(metric: str, arm: str) -> dict[str, bool]:
        """Established changes: dataset -> whether it is a rise."""
        gains = {name: each[metric] for name, each in results["gains"][arm].items()}
        return {name: gain["value"] > 0 for name, gain in gains.items() if established(gain, alpha)}

    for arm in ("hard_only", "hard_weighted", "balanced"):
        assert changed("recall_na", arm) == {"encyclopedia": False, "revision": False}
        assert changed("balanced_accuracy", arm) == {"revision": False}
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for words in (
        "recognise fewer NA claims on encyclopedia and revision, and lose balanced accuracy on"
        " revision.",
        "recognises more NA claims on both, and gains balanced accuracy on revision and debate.",
    ):
        assert words in text
    rewarded = "balanced_accuracy"
    assert changed("recall_na", rewarded) == {"encyclopedia": True, "revision": True}
    assert changed("balanced_accuracy", rewarded) == {"revision": True, "debate": True}


def test_time_and_memory_are_those_that_were_measured() -> None:
    measured = json.loads((ROOT / "results/speed/study.json").read_text(encoding="utf-8"))
    assert "about ten minutes and less than 1 GB" in (ROOT / "README.md").read_text()
    assert 9 < measured["result"]["minutes"] < 11
    assert measured["result"]["peak_gb"] < 1


def test_the_picture_of_the_book_is_small() -> None:
    picture = ROOT / "results" / "book.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 200_000
    assert str(picture.relative_to(ROOT)) in (ROOT / "README.md").read_text()
