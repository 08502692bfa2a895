"""A study whose arms are jobs of a SLURM cluster."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import longer_smoke
import one_node_slurm
from counted_steps import count_steps, repeated, steps_of
from factmix.results.results_json import differences
from factmix.study.paths import ROOT
from factmix.training.columns import SEAL

PLUGIN = "snakemake_executor_plugin_slurm"
FOLDERS = ("book", "lib", "models", "notebooks", "profiles", "results", "studies")
STEPS, CHECKPOINT_STEPS = 48, 4  # of each arm
LONGEST = 900  # seconds that a workflow may take
# In place of the profile's, which are for a cluster with GPUs.
SMALL = ["mem_mb=2000", "runtime=10", "slurm_partition=main"]
NO_GPU = [f"{rule}:mem_mb=3000" for rule in ("base", "train", "evaluate")]
ONE_CORE = [f"{rule}=1" for rule in ("base", "train", "evaluate")]


def without() -> str:
    """Why the test cannot run here."""
    if importlib.util.find_spec(PLUGIN) is None:
        return f"not installed: {PLUGIN.replace('_', '-')} (pip install)"
    return one_node_slurm.missing()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__", "_generated")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / "copy" / name, ignore=ignored, symlinks=True)
    for name in ("Snakefile", "_config.yml"):
        shutil.copy2(ROOT / name, tmp_path / "copy")
    smoke = tmp_path / "copy" / "studies" / "smoke.yaml"
    longer_smoke.write(smoke, steps=STEPS, checkpoint_steps=CHECKPOINT_STEPS)
    count_steps(tmp_path / "copy" / "lib" / "factmix")
    return tmp_path / "copy"


def snakemake(copy: Path, runs: Path, profile: str, *options: str) -> subprocess.Popen[bytes]:
    """Starts the workflow of the smoke test, up to its results; what it prints goes to a file."""
    command = [str(Path(sys.executable).with_name("snakemake")), "--profile", f"profiles/{profile}"]
    command += [
        *options,
        "--config",
        "study=smoke",
        "--",
        os.path.relpath(runs / "smoke" / "results.json", copy),
    ]
    environment = {
        "PYTHONPATH": os.pathsep.join([str(copy / "lib"), os.environ.get("PYTHONPATH", "")]),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "FACTMIX_RUNS": str(runs),
        "OMP_NUM_THREADS": "1",
        "STEPS": str(runs / "steps.tsv"),
    }
    runs.mkdir()
    with (runs / "log.txt").open("wb") as log:
        return subprocess.Popen(
            command, cwd=copy, env=os.environ | environment, stdout=log, stderr=subprocess.STDOUT
        )


def to_cancel(cluster: one_node_slurm.Cluster, runs: Path) -> tuple[str, str]:
    """A running job that trains an arm and has a checkpoint, and the arm; both empty if none."""
    for line in cluster.run("squeue", "-h", "-o", "%i %T %k").splitlines():
        job, state, of = line.split(maxsplit=2)
        for sealed in runs.glob(f"smoke/*/checkpoints/checkpoint-*/{SEAL}"):
            arm = sealed.parents[2].name.removesuffix("-s0")
            if state == "RUNNING" and "rule_train" in of and arm in of:
                return job, arm
    return "", ""


@pytest.mark.slow
@pytest.mark.skipif(bool(without()), reason=without() or "it can run")
def test_arms_are_jobs_and_a_cancelled_one_runs_again(copy: Path, tmp_path: Path) -> None:
    with one_node_slurm.Cluster(tmp_path / "slurm") as cluster:
        options = ["--default-resources", *SMALL, "--set-resources", *NO_GPU]
        options += ["--set-threads", *ONE_CORE, "--slurm-no-account"]
        options += ["--slurm-status-command", "squeue"]
        running = snakemake(copy, tmp_path / "cluster", "slurm", *options)
        cancelled, ends = "", time.monotonic() + LONGEST
        while running.poll() is None and time.monotonic() < ends:
            if not cancelled:
                cancelled, arm = to_cancel(cluster, tmp_path / "cluster")
                if cancelled:
                    cluster.run("scancel", cancelled)
            time.sleep(0.2)
        running.kill()  # if it takes too long
        running.wait()
    said = (tmp_path / "cluster" / "log.txt").read_text()
    assert running.returncode == 0, said
    made = steps_of(tmp_path / "cluster" / "steps.tsv")
    assert {step.split(",")[0] for step, times in made.items() if times > 1} <= {arm}, made
    assert repeated(made) <= CHECKPOINT_STEPS and len(made) == 3 * STEPS, made
    failed = re.findall(r"SLURM-job '(\d+)' failed", said)
    assert failed == [cancelled] and said.count("Trying to restart job") == 1, said
    alone = snakemake(copy, tmp_path / "alone", "local", "--cores", "1")  # as many threads
    assert alone.wait(LONGEST) == 0, (tmp_path / "alone" / "log.txt").read_text()
    one, other = (
        json.loads((tmp_path / name / "smoke" / "results.json").read_text())
        for name in ("alone", "cluster")
    )
    apart = differences(one, other, tolerance=1e-6)
    apart = apart[~apart.index.str.contains("seconds|peak_memory")]
    assert apart["same"].all(), apart[~apart["same"].astype(bool)]
    for file in sorted((tmp_path / "alone" / "smoke").glob("*/predictions.parquet")):
        again = tmp_path / "cluster" / file.relative_to(tmp_path / "alone")
        pd.testing.assert_frame_equal(pd.read_parquet(file), pd.read_parquet(again))
