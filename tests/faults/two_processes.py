"""Trains an arm by one process and by two, and compares what they make.

    PYTHONPATH=tests python tests/faults/two_processes.py

trains an arm of `smoke`, with more steps, in both ways: by `factmix train`, and by torchrun with
two processes of one thread each. Both adapters answer the evaluation claims.

The outcome goes to results/faults/two_processes.json.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

import longer_smoke
from factmix.study.files import read_record, write_json
from factmix.study.paths import ROOT
from factmix.study.run import PREDICTIONS
from factmix.training.made_with import made_with

STUDY, ARM, STEPS = "smoke_long", "hard_only", 48
TOLERANCE = 1e-4  # of curves, and of the adapters' difference over their norm
OUTCOME = ROOT / "results" / "faults" / "two_processes.json"
PROGRAM = str(Path(sys.executable).parent / "factmix")
TWO = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", PROGRAM]


def train(root: Path, name: str, program: list[str], threads: int) -> Path:
    """Trains and evaluates the arm; the folder of the run."""
    environment = os.environ | {
        "PYTHONPATH": str(root / "lib"),
        "FACTMIX_RUNS": str(root / name),
        "OMP_NUM_THREADS": str(threads),
    }
    for command in (
        [PROGRAM, "data", STUDY],
        [*program, "train", STUDY, ARM, "--seed", "0"],
        [PROGRAM, "evaluate", STUDY, ARM, "--seed", "0"],
    ):
        subprocess.run(command, cwd=root, env=environment, check=True)
    return root / name / STUDY / f"{ARM}-s0"


def main() -> bool:
    commit = made_with()["git_commit"]  # before the outcome is a change of the checkout
    with tempfile.TemporaryDirectory(prefix="processes-") as name:
        root = Path(name)
        ignored = shutil.ignore_patterns("__pycache__")
        for folder in ("lib", "models"):
            shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
        (root / "studies").mkdir()
        study = root / "studies" / f"{STUDY}.yaml"
        longer_smoke.write(study, steps=STEPS, checkpoint_steps=STEPS)
        one = train(root, "one", [PROGRAM], 2)
        two = train(root, "two", TWO, 1)
        assert read_record(two / "run.json")["processes"] == 2
        curves = [pd.read_parquet(run / "metrics.parquet") for run in (one, two)]
        adapters = [
            np.concatenate([each.ravel() for _, each in sorted(load_file(file).items())])
            for file in (run / "adapter" / "adapter_model.safetensors" for run in (one, two))
        ]
        answers = [pd.read_parquet(run / PREDICTIONS) for run in (one, two)]
    apart = (curves[1] - curves[0]).abs().max()
    names = ("reward/total", "format_rate", "entropy", "kl", "grad_norm")
    of_curves = {name: float(apart[name]) for name in names}
    of_adapters = float(np.linalg.norm(adapters[1] - adapters[0]) / np.linalg.norm(adapters[0]))
    write_json(
        OUTCOME,
        {
            "tolerance": TOLERANCE,
            "command": "PYTHONPATH=tests python tests/faults/two_processes.py",
            "arm": ARM,
            "steps": STEPS,
            "curves": of_curves,
            "adapters": of_adapters,
            "answers": len(answers[0]),
            "same_answers": int((answers[0]["predicted"] == answers[1]["predicted"]).sum()),
            "made_with": made_with("torch", "accelerate", "trl") | {"git_commit": commit},
        },
    )
    print(f"wrote {OUTCOME}")
    return max(*of_curves.values(), of_adapters) < TOLERANCE


if __name__ == "__main__":
    raise SystemExit(not main())
