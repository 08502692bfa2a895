"""What a newcomer reads first names files and commands that there are."""

import re
import shlex

import pytest
from typer.testing import CliRunner

from factmix.cli import app
from factmix.study.paths import ROOT

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "book/appendix/rerun.md")
COMMANDS = {
    (each.name or each.callback.__name__).replace("_", "-")
    for each in app.registered_commands
    if each.callback
}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_commands_that_are_named_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    code = "\n".join([*blocks, *re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)])
    made = set(re.findall(r"^make ([a-z-]+)", code, re.MULTILINE))
    run = set(re.findall(r"^(?:FACTMIX_MIRROR=\w+ )?factmix ([a-z-]+)", code, re.MULTILINE))
    assert made
    assert made <= TARGETS
    assert run <= COMMANDS


def test_the_output_that_the_readme_shows_is_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("\\\n", "")
    shown = re.findall(
        r"^```text\n\$ factmix (.*?)\n(.*?)\n\.\.\.\n```", text, re.MULTILINE | re.DOTALL
    )
    assert len(shown) == 1
    monkeypatch.chdir(ROOT)
    for command, output in shown:
        printed = CliRunner().invoke(app, shlex.split(command)).output
        assert printed.startswith(f"{output}\n")


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
