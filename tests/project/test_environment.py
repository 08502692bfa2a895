"""requirements.txt covers what pyproject.toml declares; the core needs no extra."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import jupytext
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from factmix import cli
from factmix.study.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def pins() -> dict[str, str]:
    """Version of each package of requirements.txt, which must pin every one exactly."""
    text = (ROOT / "requirements.txt").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = [re.fullmatch(r"([\w.-]+)==([\w.]+)", line) for line in lines]
    assert all(found), [line for line, match in zip(lines, found, strict=True) if not match]
    return {canonicalize_name(match[1]): match[2] for match in found if match}


def test_all_that_the_project_names_is_pinned_and_satisfied() -> None:
    named = [*PROJECT["dependencies"], *EXTRAS["train"], *EXTRAS["dev"]]
    for requirement in map(Requirement, named):
        pinned = pins().get(canonicalize_name(requirement.name))
        assert pinned, f"{requirement.name} is not in requirements.txt"
        assert requirement.specifier.contains(pinned), requirement


def test_the_citation_is_of_the_version_of_the_package() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"]


def test_nothing_that_must_be_committed_is_ignored() -> None:
    lines = (ROOT / ".gitignore").read_text().splitlines()
    ignored = [line.strip("/") for line in lines if line and not line.startswith("#")]
    assert not {"lib", "results", "models", "book", "notebooks"} & set(ignored)
    assert {"runs", "_build", ".venv"} <= set(ignored)


# Packages of the extras cannot be imported where these lines have run.
WITHOUT_EXTRAS = """
import sys
class Lacking:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in {hidden}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Lacking())
sys.path.insert(0, {extension!r})
"""


def without_extras(code: str) -> subprocess.CompletedProcess[str]:
    """Runs code where the core alone is installed, as far as it can tell."""
    only_extras = {
        canonicalize_name(Requirement(each).name) for each in (*EXTRAS["train"], *EXTRAS["dev"])
    }
    brought_by_the_core = {"markdown-it-py", "mdit-py-plugins", "nbformat", "packaging", "pillow"}
    hidden = {
        module
        for module, packages in metadata.packages_distributions().items()
        if {canonicalize_name(each) for each in packages} & (only_extras - brought_by_the_core)
    }
    assert {"torch", "transformers", "trl", "peft", "datasets", "accelerate"} <= hidden
    extension = str(ROOT / "book" / "_ext")
    lines = WITHOUT_EXTRAS.format(hidden=hidden, extension=extension) + code
    return subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True)


def modules(root: Path, *folders: str) -> list[str]:
    """Names of the modules in folders below a root."""
    files = [path for folder in folders for path in (root / folder).rglob("*.py")]
    found = [".".join(path.relative_to(root).with_suffix("").parts) for path in files]
    return [name.removesuffix(".__init__") for name in found]


def test_all_but_training_is_imported_without_the_extras() -> None:
    rooms = ("study", "data", "stats", "results", "report", "published")
    core = modules(ROOT / "lib", *(f"factmix/{room}" for room in rooms))
    core += modules(ROOT / "book" / "_ext", "factmix_book")
    core += ["factmix.cli", "factmix.notebooks", "factmix.training.rewards"]
    assert len(core) > 60
    done = without_extras("\n".join(f"import {name}" for name in core))
    assert done.returncode == 0, done.stderr


def test_notebooks_that_the_book_launches_need_no_extra() -> None:
    lines = []
    for name in ("reevaluate", "published"):
        for cell in jupytext.read(ROOT / "notebooks" / f"{name}.md").cells:
            if cell.cell_type == "code":
                found = ast.walk(ast.parse(cell.source))
                lines += [
                    ast.unparse(node)
                    for node in found
                    if isinstance(node, ast.Import | ast.ImportFrom)
                ]
    assert len(lines) > 20
    done = without_extras("\n".join(lines))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["data smoke", "plan smoke", "train smoke hard_only"])
def test_a_command_that_needs_an_extra_says_how_to_install_it(command: str) -> None:
    code = f"""
from factmix.cli import main
sys.argv = ["factmix", *{command.split()!r}]
main()
"""
    done = without_extras(code)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("factmix: this needs the package ")
    assert done.stderr.endswith("install it with: pip install 'factmix[train]'\n")
    assert done.stderr.count("\n") == 1


def test_windows_is_told_what_to_use() -> None:
    code = """
import sys
sys.modules["fcntl"] = sys.modules["resource"] = None
sys.argv = ["factmix", "claims"]
from factmix.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stderr.endswith("or on Windows the Windows Subsystem for Linux (WSL)\n")
    assert done.stderr.count("\n") == 1


def test_a_module_of_no_extra_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ModuleNotFoundError("No module named 'facmix'", name="facmix")

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(ModuleNotFoundError):
        cli.main()
