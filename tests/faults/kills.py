"""Kills `make study` at random moments, and compares what it then makes with an undisturbed run.

    python tests/faults/kills.py 20

works in a temporary copy of the project, on the study `smoke_long`: `smoke` with more steps. The
undisturbed run is timed first; each kill is in another part of that time, so that all steps of the
study have their turn. SIGKILL goes to the whole process group, at once and without warning; then
the same command is given again. It must finish, train no step twice but those since the last
checkpoint, and make the same data, curves, answers and results, apart from time and memory.

The outcome of every kill goes to results/faults/kills.json at once.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from factmix.study.files import read_record, sha256, write_json
from factmix.study.paths import ROOT
from factmix.training.made_with import made_with

STUDY, STEPS, CHECKPOINT_STEPS = "smoke_long", 36, 6
OUTCOME = ROOT / "results" / "faults" / "kills.json"
FOLDERS = ("book", "lib", "models", "notebooks", "profiles", "results", "studies")
FILES = ("Snakefile", "_config.yml", "Makefile", "requirements.txt", "pyproject.toml")
# The copy also writes down each step of a training when it is over.
COUNTED = """

def _note_step(self: Progress, args: Any, state: Any, control: Any, **given: Any) -> None:
    if "reward" in given.get("logs", {}):
        with open(os.environ["STEPS"], "a", encoding="utf-8") as steps:
            print(self._name, state.global_step, sep="\\t", file=steps)
    _on_log(self, args, state, control, **given)


_on_log, Progress.on_log = Progress.on_log, _note_step
"""
# The messages of the Snakefile.
DURING = re.compile(
    r"^\s*(?:Job \d+: )?((?:Data|Base|Arm|Compare|Book)\b[^:\n]*: .+)$", re.MULTILINE
)
UNCOMPARED = ("seconds", "peak_memory_gb")  # keys of results.json, and columns


class Copy:
    """A copy of the project with the study, and this environment's packages."""

    def __init__(self, root: Path) -> None:
        self.root = root
        ignored = shutil.ignore_patterns("__pycache__", "_generated")
        for name in FOLDERS:
            shutil.copytree(ROOT / name, root / name, ignore=ignored)
        for name in FILES:
            shutil.copy2(ROOT / name, root)
        (root / ".venv").symlink_to(sys.prefix)
        content = yaml.safe_load((ROOT / "studies/smoke.yaml").read_text(encoding="utf-8"))
        content["description"] = "The smoke test with more steps."
        content["training"] |= {"steps": STEPS, "checkpoint_steps": CHECKPOINT_STEPS}
        content["evaluation"]["trajectory_steps"] = [0, STEPS]
        for arm in content["arms"].values():
            arm.pop("steps", None)
        text = yaml.safe_dump(content, sort_keys=False)
        (root / "studies" / f"{STUDY}.yaml").write_text(text, encoding="utf-8")
        callbacks = root / "lib/factmix/training/callbacks.py"
        text = callbacks.read_text(encoding="utf-8").replace(
            "import time\n", "import os\nimport time\n"
        )
        callbacks.write_text(text + COUNTED, encoding="utf-8")
        self.steps, self.log = root / "steps.tsv", root / "log.txt"

    @property
    def run(self) -> Path:
        return self.root / "runs" / STUDY

    def clean(self) -> None:
        """Removes all that the study has made."""
        for name in ("runs", "_build", ".snakemake"):
            shutil.rmtree(self.root / name, ignore_errors=True)
        for file in (self.steps, self.log):
            file.write_text("")

    def start(self) -> subprocess.Popen[bytes]:
        """Starts `make study`, as the leader of a process group."""
        unwanted = (
            "FACTMIX_RUNS",
            "FACTMIX_RESULTS",
            "FACTMIX_MIRROR",
            "FACTMIX_CACHE",
            "MAKEFLAGS",
        )
        kept = {name: value for name, value in os.environ.items() if name not in unwanted}
        with self.log.open("ab") as log:
            return subprocess.Popen(
                ["make", "study", f"STUDY={STUDY}", "--old-file=.venv/installed"],
                cwd=self.root,
                env=kept | {"PYTHONPATH": str(self.root / "lib"), "STEPS": str(self.steps)},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def finished(self) -> bool:
        """Runs the study to its end; whether it finished."""
        return self.start().wait() == 0

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stepped(self) -> Counter[str]:
        """How often each step of each training was made, such as "hard_only, seed 0<tab>3"."""
        return Counter(self.steps.read_text(encoding="utf-8").splitlines())


def made(run: Path) -> dict[str, Any]:
    """What a run has made that must come out the same, by file."""
    found: dict[str, Any] = {}
    for table in sorted(run.rglob("*.parquet")):
        frame = pd.read_parquet(table)
        kept = frame.drop(columns=[name for name in UNCOMPARED if name in frame])
        found[str(table.relative_to(run))] = kept.to_csv(index=False)
    for weights in sorted(run.rglob("*.safetensors")):
        found[str(weights.relative_to(run))] = sha256(weights)
    results = read_record(run / "results.json")
    found["results.json"] = [leaf for leaf in _leaves(results) if leaf[0][-2] not in UNCOMPARED]
    return found


def _leaves(tree: Any, path: tuple[str, ...] = ("", "")) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(tree, dict):
        for key, branch in tree.items():
            yield from _leaves(branch, (*path, key))
    else:
        yield path, tree


def kill(copy: Copy, seconds: float, undisturbed: dict[str, Any]) -> dict[str, Any]:
    """The outcome of one kill, after so many seconds of a study that starts from nothing."""
    copy.clean()
    running = copy.start()
    time.sleep(seconds)
    alive = running.poll() is None
    with contextlib.suppress(ProcessLookupError):  # it may have ended
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    before = copy.stepped()
    during = DURING.findall(copy.said())
    finished = copy.finished()
    again = made(copy.run) if finished else {}
    differ = sorted(
        name
        for name in undisturbed.keys() | again.keys()
        if undisturbed.get(name) != again.get(name)
    )
    repeated = sum((copy.stepped() - Counter(set(copy.stepped()))).values())
    outcome = {
        "after_seconds": round(seconds, 1),
        "running_when_killed": alive,
        "during": during[-1] if during else "the start of the workflow",
        "steps_before": sum(before.values()),
        "repeated_steps": repeated,
        "finished": finished,
        "differences": differ,
    }
    outcome["passed"] = alive and finished and not differ and repeated <= CHECKPOINT_STEPS
    if not outcome["passed"]:
        print(copy.said()[-5000:], file=sys.stderr)
    return outcome


def campaign(kills: int, seed: int) -> Iterator[dict[str, Any]]:
    """The undisturbed run and the outcome of each kill so far, after every kill."""
    rng = np.random.default_rng(seed)
    commit = made_with()["git_commit"]  # before the outcome is a change of the checkout
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        copy = Copy(Path(folder))
        copy.clean()
        started = time.monotonic()
        if not copy.finished():
            sys.exit(f"{copy.said()}\nthe undisturbed run failed")
        took = time.monotonic() - started
        print(f"undisturbed: {took:.0f} s", flush=True)
        undisturbed = made(copy.run)
        outcomes = []
        for number in range(kills):
            after = float(took * (number + rng.random()) / kills)
            outcomes.append(kill(copy, after, undisturbed))
            while not outcomes[-1]["running_when_killed"]:  # it was faster: sooner
                after *= 0.95
                outcomes[-1] = kill(copy, after, undisturbed)
            print(json.dumps(outcomes[-1]), flush=True)
            yield {
                "command": f"python tests/faults/kills.py {kills} --seed {seed}",
                "study": {"steps": STEPS, "checkpoint_steps": CHECKPOINT_STEPS},
                "made_with": made_with("torch", "trl") | {"git_commit": commit},
                "undisturbed_seconds": round(took, 1),
                "kills": outcomes,
            }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, help="how many kills")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--output", type=Path, default=OUTCOME, help="the table, as JSON")
    asked = parser.parse_args()
    table: dict[str, Any] = {"kills": []}
    for table in campaign(asked.count, asked.seed):
        write_json(asked.output, table)
    print(f"wrote {asked.output}")
    raise SystemExit(not all(each["passed"] for each in table["kills"]))
