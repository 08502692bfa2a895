"""Kills the warm start and an arm of `smollm2` once each, and compares what they then make.

    FACTMIX_MIRROR=... PYTHONPATH=tests python tests/faults/kills_smollm2.py

works in a temporary copy of the project, on `smollm2` with fewer steps, which takes ten minutes on
two cores; `factmix fetch smollm2` comes first. Both trainings run once undisturbed. In another
folder each is killed (SIGKILL, with all its processes) some seconds after a checkpoint, and the
same command is given again. It must make the same adapter and the same curve, and no step twice but
those since the checkpoint.

The outcome goes to results/faults/kills_smollm2.json.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from counted_steps import count_steps, steps_of
from factmix.study.files import sha256, write_json
from factmix.study.paths import ROOT, Paths
from factmix.training.columns import SEAL
from factmix.training.made_with import made_with

STUDY, ARM = "smollm2_short", "easy_only_accuracy"
STEPS = {"warm_start": 24, "arm": 12}
CHECKPOINT_STEPS = 4
LATER = 15  # seconds from a checkpoint to the kill: two or three steps
OUTCOME = ROOT / "results" / "faults" / "kills_smollm2.json"
ADAPTER = "adapter/adapter_model.safetensors"


def shortened(root: Path) -> None:
    """Copies the library and the studies, and adds the study."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("lib", "studies"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    count_steps(root / "lib" / "factmix")
    content = yaml.safe_load((ROOT / "studies/smollm2.yaml").read_text(encoding="utf-8"))
    content["description"] = "smollm2 with fewer steps."
    content["warm_start"]["steps"] = STEPS["warm_start"]
    content["training"] |= {"steps": STEPS["arm"], "checkpoint_steps": CHECKPOINT_STEPS}
    content["evaluation"]["trajectory_steps"] = [0, STEPS["arm"]]
    text = yaml.safe_dump(content, sort_keys=False)
    (root / "studies" / f"{STUDY}.yaml").write_text(text, encoding="utf-8")


def start(root: Path, runs: Path, *command: str) -> subprocess.Popen[bytes]:
    """Starts a command on the study, as the leader of a process group."""
    variables = {
        "PYTHONPATH": str(root / "lib"),
        "FACTMIX_RUNS": str(runs),
        "STEPS": str(root / f"{runs.name}.tsv"),
    }
    program = str(Path(sys.executable).parent / "factmix")
    return subprocess.Popen(
        [program, command[0], STUDY, *command[1:]],
        cwd=root,
        env=os.environ | variables,
        start_new_session=True,
    )


def finish(root: Path, runs: Path, *command: str) -> float:
    """Runs a command to its end; the seconds that it took."""
    started = time.monotonic()
    if start(root, runs, *command).wait() != 0:
        sys.exit(f"factmix {' '.join(command)} failed in {runs}")
    return time.monotonic() - started


def kill(root: Path, runs: Path, there: Callable[[], bool], *command: str) -> float:
    """Kills a command a while after a checkpoint is there; the seconds from its start."""
    started = time.monotonic()
    running = start(root, runs, *command)
    while not there():
        if running.poll() is not None:
            sys.exit(f"factmix {' '.join(command)} ended before it was killed")
        time.sleep(0.5)
    time.sleep(LATER)
    alive = running.poll() is None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    if not alive:
        sys.exit(f"factmix {' '.join(command)} ended before it was killed")
    return time.monotonic() - started


def made(folder: Path, table: str) -> tuple[str, str]:
    """The checksum of an adapter, and the curve without times."""
    curve = pd.read_parquet(folder / table)
    return sha256(folder / ADAPTER), curve.drop(columns="seconds", errors="ignore").to_csv()


def main() -> bool:
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        root = Path(name)
        shortened(root)
        whole, killed = root / "whole", root / "killed"
        outcomes: list[dict[str, Any]] = []
        for what, table, checkpoint, command in (
            ("warm_start", "losses.parquet", "checkpoint.safetensors", ("warm-start",)),
            ("arm", "metrics.parquet", f"checkpoint-{CHECKPOINT_STEPS}/{SEAL}", ("train", ARM)),
        ):
            folder = "warm_start" if what == "warm_start" else f"{ARM}-s0"
            if what == "warm_start":
                for runs in (whole, killed):
                    finish(root, runs, "data")
            noted = root / f"{killed.name}.tsv"
            noted.unlink(missing_ok=True)
            undisturbed = finish(root, whole, *command)
            file = Paths(killed / STUDY).root / folder / "checkpoints" / checkpoint
            after = kill(root, killed, file.is_file, *command)
            again = finish(root, killed, *command)
            first, second = (made(runs / STUDY / folder, table) for runs in (whole, killed))
            outcomes.append(
                {
                    "what": what,
                    "steps": STEPS[what],
                    "undisturbed_seconds": round(undisturbed, 1),
                    "killed_after_seconds": round(after, 1),
                    "again_seconds": round(again, 1),
                    "repeated_steps": steps_of(noted).total() - STEPS[what],
                    "same_adapter": first[0] == second[0],
                    "same_curve": first[1] == second[1],
                }
            )
            print(outcomes[-1], flush=True)
    table_of = {
        "command": "PYTHONPATH=tests python tests/faults/kills_smollm2.py",
        "checkpoint_steps": CHECKPOINT_STEPS,
        "made_with": made_with("torch", "trl"),
        "kills": outcomes,
    }
    write_json(OUTCOME, table_of)
    print(f"wrote {OUTCOME}")
    return all(
        each["same_adapter"]
        and each["same_curve"]
        and 0 <= each["repeated_steps"] <= CHECKPOINT_STEPS
        for each in outcomes
    )


if __name__ == "__main__":
    raise SystemExit(not main())
