"""The Snakefile with stand-ins for the steps: what runs, and what is run again after a change."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from factmix.study.paths import ROOT

pytestmark = pytest.mark.slow

STEPS = Path(__file__).parent / "workflow_steps.py"
ARMS = 5  # of the copy of studies/main.yaml, which has one seed
RUNS = "my 'runs' [x]"  # what a folder may be called


class Project:
    """A copy of the project whose steps only write the files that they should, at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("Snakefile", "_config.yml"):
            shutil.copy(ROOT / name, root)
        for name in ("profiles", "studies", "notebooks", "lib"):
            ignored = shutil.ignore_patterns("__pycache__", "*.safetensors")
            shutil.copytree(ROOT / name, root / name, ignore=ignored)
        study = root / "studies" / "main.yaml"
        text = re.sub(r"\nseeds: .*", "\nseeds: [0]", study.read_text())
        left_out = (
            r"\n  (easy_only|easy_only_accuracy|hard_only_accuracy|hard_weighted_accuracy): {m.*"
        )
        study.write_text(re.sub(left_out, "", text))
        (root / "book").mkdir()
        (root / "book" / "claim.md").write_text("One sentence.\n")
        (root / "bin").mkdir()
        for command in ("factmix", "jupyter-book"):
            script = root / "bin" / command
            script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STEPS}" {command} "$@"\n')
            script.chmod(0o755)

    def start(self, *arguments: str, study: str = "main") -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "PATH": f"{self.root / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.root / "lib"),
            "FACTMIX_RUNS": str(self.root / RUNS),
        }
        command = [sys.executable, "-m", "snakemake", "--profile", "profiles/local", "--cores", "2"]
        return subprocess.Popen(
            [*command, *arguments, "--config", f"study={study}"],
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def snakemake(self, *arguments: str, study: str = "main") -> str:
        running = self.start(*arguments, study=study)
        output = running.communicate()[0]
        assert running.returncode == 0, output
        return output

    def planned(self) -> dict[str, int]:
        """How many jobs of each rule would run now."""
        table = re.findall(r"^([a-z_]+) +(\d+)$", self.snakemake("-n"), re.MULTILINE)
        return {rule: int(count) for rule, count in table if rule not in ("all", "total")}

    def trained(self) -> list[str]:
        """Runs what is to be run, and returns the commands that trained an arm."""
        log = self.root / "steps.log"
        before = len(log.read_text().splitlines())
        self.snakemake()
        lines = log.read_text().splitlines()[before:]
        return [line for line in lines if line.startswith("factmix train ")]

    def edit(self, path: str, old: str = "", new: str = "\nEDITED = True\n") -> None:
        """Replaces the first occurrence of a text in a file, or adds one at its end."""
        file = self.root / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1) if old else text + new)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("project"))
    project.snakemake()
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """The finished project, to be changed; copied with its times, so that nothing looks new."""
    shutil.copytree(finished.root, tmp_path / "copy", copy_function=shutil.copy2)
    copy = object.__new__(Project)
    copy.root = tmp_path / "copy"
    return copy


def test_all_steps_run_once_for_every_arm_and_none_a_second_time(finished: Project) -> None:
    log = (finished.root / "steps.log").read_text().splitlines()
    assert sum(line.startswith("factmix train ") for line in log) == ARMS
    assert sum(line.startswith("factmix evaluate ") for line in log) == ARMS + 1
    assert sum("notebooks/arm.md" in line for line in log) == ARMS
    assert log[0].startswith("factmix notebook notebooks/data.md")
    assert log[-1].startswith("jupyter-book build book/")
    assert "Nothing to be done" in finished.snakemake()


def test_training_jobs_never_overlap(finished: Project) -> None:
    log = (finished.root / "steps.log").read_text().splitlines()
    trainings = [line for line in log if "factmix train" in line]
    assert len(trainings) == 2 * ARMS
    for begun, ended in zip(trainings[::2], trainings[1::2], strict=True):
        assert ended == f"end {begun}"


@pytest.mark.parametrize(
    ("path", "again"),
    [
        ("book/claim.md", {"book": 1}),
        ("lib/factmix/report/figures/comparison.py", {"arm": ARMS, "compare": 1, "book": 1}),
        ("lib/factmix/stats/bootstrap.py", {"compare": 1, "book": 1}),
        ("notebooks/arm.md", {"arm": ARMS, "book": 1}),
    ],
)
def test_prose_figures_and_statistics_train_nothing_again(
    project: Project, path: str, again: dict[str, int]
) -> None:
    project.edit(path)
    assert project.planned() == again


@pytest.mark.parametrize("module", ["training/grpo", "training/rewards", "study/prompts"])
def test_code_that_training_uses_trains_every_arm_again(project: Project, module: str) -> None:
    project.edit(f"lib/factmix/{module}.py")
    planned = project.planned()
    assert planned["train"] == planned["evaluate"] == ARMS
    assert "data" not in planned


def test_settings_of_the_evaluation_alone_train_nothing_again(project: Project) -> None:
    project.edit("studies/main.yaml", "  temperature: 0.1", "  temperature: 0.2")
    planned = project.planned()
    assert "train" not in planned and planned["evaluate"] == ARMS and planned["base"] == 1


def test_a_failed_evaluation_costs_no_training(project: Project) -> None:
    project.edit("studies/main.yaml", "  temperature: 0.1", "  temperature: 0.2")
    (project.root / "fail").write_text("factmix evaluate")
    kept = {path: path.read_bytes() for path in (project.root / RUNS / "main").glob("*/run.json")}
    with pytest.raises(AssertionError, match=r"rule (base|evaluate)"):
        project.snakemake()
    assert len(kept) == ARMS
    assert all(path.read_bytes() == content for path, content in kept.items())
    (project.root / "fail").unlink()
    assert project.trained() == []


def test_a_run_that_was_taken_over_keeps_its_answers(project: Project) -> None:
    shutil.rmtree(project.root / RUNS)
    project.edit("studies/main.yaml", new="\nreuse: true\n")
    project.snakemake()
    assert "Nothing to be done" in project.snakemake()


def test_comments_and_docstrings_run_nothing_again(project: Project) -> None:
    for module in ("training/grpo", "training/rewards", "results/compare", "data/mixtures"):
        path = f"lib/factmix/{module}.py"
        project.edit(path, new="\n# a comment\n")
        project.edit(path, '"""', '"""Another docstring. ')
    assert project.planned() == {}


def test_data_that_come_out_the_same_train_nothing_again(project: Project) -> None:
    project.edit("notebooks/data.md")
    assert project.trained() == []


def test_data_that_come_out_differently_train_every_arm_again(project: Project) -> None:
    project.edit("lib/factmix/data/mixtures.py")
    assert len(project.trained()) == ARMS


def test_a_new_mixture_and_its_arm_train_only_that_arm(project: Project) -> None:
    project.edit("studies/main.yaml", "mixtures:", "mixtures:\n  easy: {encyclopedia: {NA: 40}}")
    assert project.trained() == []
    project.edit("studies/main.yaml", "\narms:", "\narms:\n  e: {mixture: easy, reward: accuracy}")
    assert project.trained() == ["factmix train main e --seed 0"]


def test_a_setting_of_training_trains_again_and_a_description_does_not(project: Project) -> None:
    project.edit("studies/main.yaml", "description: Four", "description: Again four")
    assert project.planned() == {"compare": 1, "book": 1}
    project.edit("studies/main.yaml", "weight_decay: 0.01", "weight_decay: 0.02")
    assert project.planned()["train"] == ARMS


def test_a_warm_start_comes_first_and_its_settings_train_every_arm_again(project: Project) -> None:
    started = "warm_start: {counts: {debate: {NA: 4}}, steps: 2, batch: 2, learning_rate: 1.0e-3,"
    started += " seed: 0, afterwords: 0.4}"
    project.edit("studies/main.yaml", "\nprompt:", f"\n{started}\n\nprompt:")
    begun = len((project.root / "steps.log").read_text().splitlines())
    assert len(project.trained()) == ARMS
    again = (project.root / "steps.log").read_text().splitlines()[begun:]
    made = [line for line in again if line.startswith("factmix") and "notebook" not in line]
    assert made[0] == "factmix warm-start main" and made[1] == "factmix evaluate main base"
    assert "Nothing to be done" in project.snakemake()
    project.edit("studies/main.yaml", "afterwords: 0.4", "afterwords: 0.5")
    planned = project.planned()
    assert planned["warm_start"] == planned["base"] == 1 and planned["train"] == ARMS


def test_results_are_made_again_to_keep_the_study_that_they_are_of(project: Project) -> None:
    (project.root / RUNS / "main/study.json").unlink()
    assert project.planned() == {"compare": 1, "book": 1}
    project.snakemake()
    project.edit("studies/main.yaml", "\n  steps: 200", "\n  steps: 200\n  prompts_per_pass: 8")
    assert project.planned() == {"compare": 1, "book": 1}


def test_data_survive_a_failed_drawing(project: Project) -> None:
    evaluation = project.root / RUNS / "main/data/evaluation.parquet"
    before = evaluation.read_bytes()
    project.edit("notebooks/data.md")
    (project.root / "fail").write_text("notebooks/data.md")
    with pytest.raises(AssertionError, match="rule data"):
        project.snakemake()
    assert evaluation.read_bytes() == before
    (project.root / "fail").unlink()
    assert project.trained() == []


def test_one_run_at_a_time_and_a_killed_one_is_no_hindrance(project: Project) -> None:
    project.edit("studies/main.yaml", "weight_decay: 0.01", "weight_decay: 0.02")
    (project.root / "wait").write_text("factmix train")
    begun = (project.root / "steps.log").read_text().count("factmix train")
    first = project.start()
    try:
        while (project.root / "steps.log").read_text().count("factmix train") == begun:
            assert first.poll() is None
            time.sleep(0.1)
        with pytest.raises(AssertionError, match=f"already running: process {first.pid} on "):
            project.snakemake()
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
    (project.root / "wait").unlink()
    assert f"was killed before (process {first.pid} on " in project.snakemake()
    assert "Nothing to be done" in project.snakemake()


def test_another_study_runs_although_a_newer_book_is_there(project: Project) -> None:
    project.snakemake(study="smoke")
    assert (project.root / RUNS / "smoke" / "results.json").is_file()
    assert "Nothing to be done" in project.snakemake(study="smoke")


@pytest.mark.parametrize(
    ("study", "said"),
    [
        ("mian", "expected one of: .*main"),
        ("2024", "'2024': expected the name of .*; a name begins with a letter"),
        ("2026-11-28", "'2026-11-28': expected the name of .*; a name begins with a letter"),
    ],
)
def test_an_unknown_study_is_one_clear_error(finished: Project, study: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said) as caught:
        finished.snakemake("-n", study=study)
    assert "Traceback" not in str(caught.value)
