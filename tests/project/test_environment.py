"""requirements.txt, environment.yml, pyproject.toml and the installed packages agree."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata

import jupytext
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from factmix.study.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())
BINDER = yaml.safe_load((ROOT / "binder" / "environment.yml").read_text())
PIPS, BINDER_PIPS = (
    next(entry["pip"] for entry in each["dependencies"] if isinstance(entry, dict))
    for each in (CONDA, BINDER)
)


def pins() -> dict[str, str]:
    """Version of each package of requirements.txt, which must pin every one exactly."""
    text = (ROOT / "requirements.txt").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = [re.fullmatch(r"([\w.-]+)==([\w.]+)", line) for line in lines]
    assert all(found), [line for line, match in zip(lines, found, strict=True) if not match]
    return {canonicalize_name(match[1]): match[2] for match in found if match}


def test_every_package_is_installed_in_the_pinned_version() -> None:
    # A build tag such as +cpu says for which machine, not which version.
    installed = {name: metadata.version(name).split("+")[0] for name in pins()}
    assert installed == pins()


def test_all_that_the_project_names_is_pinned_and_satisfied() -> None:
    named = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    for requirement in map(Requirement, named):
        pinned = pins().get(canonicalize_name(requirement.name))
        assert pinned, f"{requirement.name} is not in requirements.txt"
        assert requirement.specifier.contains(pinned), requirement


def test_torch_and_jupyter_book_are_the_versions_the_project_needs() -> None:
    assert pins()["torch"] == "2.13.0"
    assert Version(pins()["jupyter-book"]) < Version("2")


def test_conda_takes_its_packages_from_requirements() -> None:
    assert PIPS == ["-r requirements.txt", "-e ."]


def test_conda_pins_nothing_that_requirements_pin_differently() -> None:
    entries = [entry for entry in CONDA["dependencies"] if isinstance(entry, str)]
    versions = dict(entry.split("=", 1) for entry in entries if "=" in entry)
    assert SpecifierSet(PROJECT["requires-python"]).contains(versions.pop("python"))
    assert not set(map(canonicalize_name, versions)) & set(pins())


def test_nothing_that_must_be_committed_is_ignored() -> None:
    lines = (ROOT / ".gitignore").read_text().splitlines()
    ignored = [line.strip("/") for line in lines if line and not line.startswith("#")]
    assert not {"lib", "results", "models", "book", "notebooks"} & set(ignored)
    assert {"runs", "_build", ".venv"} <= set(ignored)


LACKING = """
import sys
class Lacking:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in {hidden}:
            raise ImportError(name + " is not on Binder")
sys.meta_path.insert(0, Lacking())
"""


def test_binder_has_pinned_versions() -> None:
    for requirement in map(Requirement, BINDER_PIPS):
        assert str(requirement.specifier) == f"=={pins()[canonicalize_name(requirement.name)]}"
    assert os.access(ROOT / "binder" / "postBuild", os.X_OK)


def test_the_notebooks_that_are_launched_import_nothing_that_binder_lacks() -> None:
    has = {canonicalize_name(Requirement(each).name) for each in BINDER_PIPS}
    lacks = {canonicalize_name(Requirement(each).name) for each in PROJECT["dependencies"]} - has
    lacks -= {"ipykernel"}  # Binder brings its own Jupyter
    hidden = [
        module
        for module, distributions in metadata.packages_distributions().items()
        if {canonicalize_name(each) for each in distributions} & lacks
    ]
    assert {"torch", "transformers", "trl", "snakemake"} <= set(hidden)
    lines = [LACKING.format(hidden=set(hidden))]
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
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)
