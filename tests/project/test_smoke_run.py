"""A whole study as users run it, at the smallest size: the Snakefile, its steps, and the book."""

import contextlib
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from playwright.sync_api import sync_playwright

from browsers import chromium
from factmix.study.files import read_record, sha256
from factmix.study.labels import ANSWERS, LABELS
from factmix.study.load import load_study
from factmix.study.paths import ROOT, Paths
from factmix.study.spec import Study
from factmix.training.arm import ADAPTER
from factmix.training.columns import SEAL, TABLES
from factmix.training.trainer import SharedPrefixTrainer

ARMS = ("format_only", "hard_only")  # fewer than of smoke: every process loads torch
SMALLEST = """
extends: smoke
description: A smoke test of every step.
arms:
  format_only: {mixture: balanced, reward: format_only, steps: 2}
  hard_only: {mixture: hard_only, reward: published}
"""
LONGER = f"""
{SMALLEST}
  long: {{mixture: hard_only, reward: published, steps: 40}}
"""
WARMED = f"""
{SMALLEST}
warm_start:
  counts: {{encyclopedia: {{NA: 2, PASS: 2, FAIL: 2}}, revision: {{NA: 2, PASS: 2, FAIL: 2}}}}
  steps: 4
  batch: 3
  learning_rate: 1.0e-2
  seed: 5
  afterwords: 0.5
  lora: {{rank: 4, alpha: 8, target_modules: [q_proj, o_proj]}}
"""
PARTS = ("book", "lib", "models", "notebooks", "profiles", "results", "studies")


def start(root: Path, study: str, *targets: str, **variables: str) -> subprocess.Popen[str]:
    """Starts what `make study` runs, as the leader of a process group."""
    unwanted = ("FACTMIX_RUNS", "FACTMIX_RESULTS", "FACTMIX_MIRROR", "FACTMIX_CACHE")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    environment = kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(root / "lib"),
    }
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/local", "--cores", "1"]
    return subprocess.Popen(
        [*command, *targets, "--config", f"study={study}"],
        cwd=root,
        env=environment | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=listens_to_ctrl_c,
    )


def listens_to_ctrl_c() -> None:
    """What a shell starts in the background ignores SIGINT, and so would all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def snakemake(root: Path, *targets: str, study: str = "smallest") -> str:
    """Runs what `make study STUDY=smallest` runs, and returns what it says."""
    running = start(root, study, *targets)
    said = running.communicate()[0]
    assert running.returncode == 0, said
    return said


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which a study of its own has run."""
    root = copied(tmp_path_factory.mktemp("project"))
    snakemake(root)
    return root


def copied(root: Path) -> Path:
    """Copies the project, with two studies of its own."""
    ignored = shutil.ignore_patterns("__pycache__", "_generated")
    for name in PARTS:
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    for name in ("Snakefile", "_config.yml"):
        shutil.copy(ROOT / name, root)
    (root / "studies" / "smallest.yaml").write_text(SMALLEST)
    (root / "studies" / "longer.yaml").write_text(LONGER)
    return root


@pytest.fixture(scope="module")
def study(project: Path) -> Study:
    return load_study(project / "studies" / "smallest.yaml")


@pytest.fixture(scope="module")
def run(project: Path) -> Paths:
    return Paths(project / "runs" / "smallest")


def test_a_second_run_has_nothing_to_do(project: Path) -> None:
    assert "Nothing to be done" in snakemake(project)


def test_data_are_drawn_for_every_mixture(study: Study, run: Paths) -> None:
    counts = study.evaluation.counts
    evaluation = pd.read_parquet(run.evaluation)
    for dataset in study.datasets:
        drawn = evaluation.loc[evaluation["dataset"] == dataset, "label"].value_counts()
        assert {label: drawn[label] for label in LABELS} == counts
    for mixture in study.mixtures:
        groups = pd.read_parquet(run.data / f"train-{mixture}.parquet")["group"]
        assert not set(groups) & set(evaluation["group"])


@pytest.mark.parametrize("arm", ARMS)
def test_each_arm_leaves_every_file_that_it_should(run: Paths, arm: str) -> None:
    folder = run.arm(arm, 0)
    metrics = pd.read_parquet(folder / "metrics.parquet")
    assert metrics["step"].tolist() == [1, 2]
    assert sorted(pd.read_parquet(folder / "trajectory.parquet")["step"].unique()) == [0, 2]
    assert {"before", "after"} <= set(pd.read_parquet(folder / "rewards.parquet"))
    assert (folder / "adapter" / "adapter_model.safetensors").is_file()
    facts = json.loads((folder / "run.json").read_text())
    assert (facts["study"], facts["arm"], facts["seed"]) == ("smallest", arm, 0)


@pytest.mark.parametrize("arm", ["base", *ARMS])
def test_each_arm_answers_the_whole_evaluation_set(run: Paths, arm: str) -> None:
    folder = run.base if arm == "base" else run.arm(arm, 0)
    answers = pd.read_parquet(folder / "predictions.parquet")
    evaluation = pd.read_parquet(run.evaluation)
    assert set(answers["id"]) == set(evaluation["id"]) and len(answers) == len(evaluation)
    assert set(answers["predicted"]) <= set(ANSWERS)
    assert answers[["p_pass", "p_fail", "p_na"]].sum(axis=1).between(0.99, 1.01).all()


def test_results_compare_every_arm_with_its_baseline(study: Study, run: Paths) -> None:
    results = json.loads(run.results.read_text())
    assert set(results["gains"]) == {"base", "hard_only"}
    for arm in ("base", *ARMS, "always_na", "always_pass"):
        for dataset in study.datasets:
            accuracy = results["metrics"][arm][dataset]["accuracy"]
            assert accuracy["n"] == sum(study.evaluation.counts.values())
    assert results["metrics"]["always_na"]["debate"]["accuracy"]["value"] == 0.5
    assert json.loads(run.study.read_text())["name"] == "smallest"


@pytest.mark.parametrize("name", ["data", "compare", *(f"{arm}-s0" for arm in ARMS)])
def test_each_notebook_has_its_figures_and_no_error(run: Paths, name: str) -> None:
    notebook = nbformat.read(run.root / "notebooks" / f"{name}.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output for output in outputs if output.output_type == "error"] == []
    drawn = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(drawn) >= 2


def processes(variable: str) -> list[str]:
    """The command lines of the living processes with a variable in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if variable.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
    return found


def notebook(project: Path, output: Path, name: str, *parameters: str) -> None:
    """Executes a notebook of the project on its finished study, as by hand."""
    factmix = str(Path(sys.executable).parent / "factmix")
    given = [word for each in ("study=smallest", *parameters) for word in ("-p", each)]
    subprocess.run(
        [factmix, "notebook", f"notebooks/{name}.md", str(output / f"{name}.ipynb"), *given],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project / "lib")},
        check=True,
    )


@pytest.mark.slow
def test_all_systems_answer_a_dataset_that_is_in_no_mixture(
    project: Path, run: Paths, tmp_path: Path
) -> None:
    notebook(project, tmp_path, "unseen", "dataset=dispatch")
    folder = run.unseen / "dispatch"
    made = json.loads((folder / "numbers.json").read_text())
    assert list(made["systems"]) == ["base", *ARMS] and list(made["adapters"]) == list(ARMS)
    answers = pd.read_parquet(folder / "predictions.parquet")
    assert len(answers) == made["claims"] * (1 + len(ARMS))
    assert set(answers["dataset"]) == {"dispatch"}
    first = answers[answers["arm"] == "hard_only"]
    right = (first["predicted"] == first["gold"]).groupby(first["group"]).mean().mean()
    assert made["systems"]["hard_only"]["right"]["value"] == pytest.approx(right)


@pytest.mark.slow
def test_labels_are_a_control_that_anyone_can_make(
    project: Path, study: Study, run: Paths, tmp_path: Path
) -> None:
    notebook(project, tmp_path, "supervised", "arm=hard_only")
    made = json.loads((run.supervised / "own.json").read_text())
    assert (made["mixture"], made["claims"]) == ("hard_only", 34)
    assert len(made["losses"]) == made["steps"]
    assert made["gained"].keys() == study.datasets.keys()
    assert all("p_holm" in of["learning"] for of in made["gained"].values())
    started_from = read_record(run.run(study.run("hard_only")) / "run.json")["depends_on"]
    assert made["model_sha256"] == started_from["model_sha256"]


@pytest.mark.slow
def test_the_labels_of_a_warm_start_are_a_control_too(project: Path, tmp_path: Path) -> None:
    (project / "studies" / "warmed.yaml").write_text(WARMED)
    snakemake(project, "runs/warmed/warm_start/run.json", study="warmed")
    notebook(project, tmp_path, "supervised", "study=warmed", "arm=hard_only", "labels=warm_start")
    made = json.loads((project / "runs/warmed/supervised/warm_start.json").read_text())
    assert (made["claims"], made["asked"], made["steps"], made["seed"]) == (12, 12, 4, 5)
    assert len(made["losses"]) == 4 and "arm" not in made and made["warm_start_sha256"]
    with pytest.raises(subprocess.CalledProcessError):
        notebook(project, tmp_path, "supervised", "arm=hard_only", "labels=warm_start")
    failed = (tmp_path / "failed" / "supervised.ipynb").read_text()
    assert "got warm_start; expected own, or warm_start in a study that has one" in failed


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the arm of the longer study, trained without an interruption."""
    root = copied(tmp_path_factory.mktemp("undisturbed"))
    snakemake(root, "runs/longer/long-s0/run.json", study="longer")
    return root / "runs" / "longer" / "long-s0"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").is_file(), reason="finds processes in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])  # as Ctrl-C does; at once
def test_an_interrupted_study_ends_at_once_leaves_nothing_in_half_and_goes_on(
    tmp_path: Path, how: signal.Signals, undisturbed: Path
) -> None:
    project = copied(tmp_path)
    run, target = project / "runs" / "longer", "runs/longer/long-s0/run.json"
    running = start(project, "longer", target, FACTMIX_TEST_OF=str(project))
    try:
        while not (run / "long-s0/checkpoints/checkpoint-2" / SEAL).is_file():
            assert running.poll() is None, running.communicate()[0]
            time.sleep(0.05)
        assert processes(f"FACTMIX_TEST_OF={project}")
        os.killpg(running.pid, how)
        interrupted = time.monotonic()
        said = running.communicate(timeout=60)[0]
        assert time.monotonic() - interrupted < 5, said
        assert running.returncode != 0
        while left := processes(f"FACTMIX_TEST_OF={project}"):
            assert time.monotonic() - interrupted < 5, left
            time.sleep(0.1)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
    assert not (run / "long-s0" / "run.json").exists()
    checkpoints = run / "long-s0" / "checkpoints"
    sealed = sorted(seal.parent.name for seal in checkpoints.glob(f"checkpoint-*/{SEAL}"))
    assert sealed
    for table in run.rglob("*.parquet"):
        pd.read_parquet(table)
    for record in run.rglob("*.json"):
        # of a checkpoint only the seal says that it is whole
        if record.parent.parent != checkpoints or record.parent.name in sealed:
            json.loads(record.read_text())
    said = snakemake(project, target, study="longer")
    assert ("was killed before" in said) == (how == signal.SIGKILL)
    for table in TABLES:
        one, other = (pd.read_parquet(of / table) for of in (undisturbed, run / "long-s0"))
        pd.testing.assert_frame_equal(
            *(of.drop(columns="seconds", errors="ignore") for of in (one, other))
        )
    adapters = [of / ADAPTER[0] for of in (undisturbed, run / "long-s0")]
    assert sha256(adapters[0]) == sha256(adapters[1])


def test_what_kills_are_compared_by_is_there(run: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "tests" / "faults")
    kills = importlib.import_module("kills")
    for moment in kills.MOMENTS:
        found = (ROOT / moment.module).read_text()
        owner, _, name = moment.function.rpartition(".")
        inherited = getattr(SharedPrefixTrainer, name, None) if owner else None
        assert inherited or f"def {name}(" in found, moment.what
        assert f"class {owner}(" in found or not owner
    made = kills.made(run.root)
    assert {"results.json", "hard_only-s0/predictions.parquet", "data/evaluation.parquet"} <= set(
        made
    )
    assert "hard_only-s0/adapter/adapter_model.safetensors" in made
    assert kills.made(run.root) == made


def test_the_book_has_a_page_of_the_run_that_works_in_a_browser(project: Path) -> None:
    page_of_run = project / "_build" / "html" / "_generated" / "runs" / "smallest.html"
    assert "a run on this machine" in page_of_run.read_text(encoding="utf-8")
    # A root's Chromium does not start with its sandbox.
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    faults: list[str] = []
    found = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        page = browser.new_page()
        page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("requestfailed", lambda request: faults.append(request.url))
        page.goto(page_of_run.as_uri())
        images = page.locator("article img:visible")
        assert images.count() >= 1
        for image in images.all():
            image.scroll_into_view_if_needed()
            assert image.get_attribute("alt")
            assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        browser.close()
    assert faults == []
