"""The GitHub workflow: what it runs exists, and it may do no more than it has to."""

import os
import re
from typing import Any

import pytest
import yaml

import browsers
from factmix.study.paths import ROOT

# YAML 1.1 reads the key `on` as true.
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text())
JOBS: dict[str, Any] = WORKFLOW["jobs"]
STEPS: list[dict[str, Any]] = [step for job in JOBS.values() for step in job["steps"]]


def commands(job: str) -> list[str]:
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


def test_it_tests_every_change_and_publishes_only_what_passed_on_main() -> None:
    assert WORKFLOW[True]["push"] == {"branches": ["main"]}
    assert "pull_request" in WORKFLOW[True]
    assert set(JOBS["publish"]["needs"]) == {"test", "build"}
    assert "refs/heads/main" in JOBS["publish"]["if"]


def test_the_commands_it_runs_exist() -> None:
    assert ".ci/run" in commands("test")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    made = [line.split()[1] for line in commands("build") if line.startswith("make ")]
    assert made == ["book"]
    assert set(made) <= set(targets)
    assert "exec make test" in (ROOT / ".ci" / "run").read_text()


def test_recipes_name_their_programs_whole() -> None:
    """The make of macOS looks for programs where the PATH of its own start says."""
    text = (ROOT / "Makefile").read_text()
    lines = re.findall(r"^\t@?(\S+)", text, re.MULTILINE)
    system = {"echo", "rm", "sed", "touch", "$(PYTHON)"}
    assert {line for line in lines if not line.startswith("$(BIN)/")} - system == {"$(SNAKEMAKE)"}
    assert re.search(r"^SNAKEMAKE = \$\(BIN\)/snakemake ", text, re.MULTILINE)


def test_it_installs_no_cuda() -> None:
    assert WORKFLOW["env"]["PIP_EXTRA_INDEX_URL"].endswith("/whl/cpu")


def test_without_a_browser_the_workflow_fails_and_others_skip(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(browsers.shutil, "which", lambda _: None)
    monkeypatch.setenv("FACTMIX_BROWSER", WORKFLOW["env"]["FACTMIX_BROWSER"])
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium"):
        browsers.chromium()
    monkeypatch.delenv("FACTMIX_BROWSER")
    with pytest.raises(pytest.skip.Exception, match="apt-get install chromium"):
        browsers.chromium()


def test_it_publishes_the_folder_that_the_book_is_built_into() -> None:
    (upload,) = [step for step in STEPS if "upload-pages-artifact" in step.get("uses", "")]
    folder = upload["with"]["path"]
    assert f"BOOK = {folder}/index.html" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("uses", sorted({step["uses"] for step in STEPS if "uses" in step}))
def test_actions_are_of_github_itself_and_of_one_major_version(uses: str) -> None:
    assert re.fullmatch(r"actions/[a-z-]+@v\d+", uses)


def test_only_the_job_that_publishes_may_write() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    may = {name: job["permissions"] for name, job in JOBS.items() if "permissions" in job}
    assert may == {"publish": {"pages": "write", "id-token": "write"}}


def test_packages_are_cached_by_the_pinned_requirements() -> None:
    setups = [step["with"] for step in STEPS if "setup-python" in step.get("uses", "")]
    assert len(setups) == 2
    for given in setups:
        assert (ROOT / given["cache-dependency-path"]).is_file()
        assert given["cache"] == "pip"
        assert given["python-version"] in (ROOT / "environment.yml").read_text()


def test_a_newer_change_replaces_an_older_run() -> None:
    assert "github.ref" in WORKFLOW["concurrency"]["group"]
