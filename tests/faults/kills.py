"""Kills `make study` in the midst of each of its works, and compares what it then makes.

    PYTHONPATH=tests python tests/faults/kills.py

works in a temporary copy of the project, on the study `smoke_long`: `smoke` with more steps. The
copy writes down when each of `MOMENTS` begins. First it runs undisturbed. Then, for each kill, the
study starts from nothing, and the copy kills its whole process group (SIGKILL, at once and without
warning) a moment after one of these works has begun; then the same command is given again. It must
finish, train no step twice but those since the last checkpoint, and make the same data, curves,
answers and results, apart from time and memory.

The outcome of every kill goes to results/faults/kills.json at once.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import longer_smoke
from counted_steps import count_steps, repeated, steps_of
from factmix.study.files import sha256, write_json
from factmix.study.paths import ROOT
from factmix.training.columns import SEAL
from factmix.training.made_with import made_with

STUDY, STEPS, CHECKPOINT_STEPS = "smoke_long", 36, 6
OUTCOME = ROOT / "results" / "faults" / "kills.json"
FOLDERS = ("book", "lib", "models", "notebooks", "profiles", "results", "studies")
FILES = ("Snakefile", "_config.yml", "Makefile", "requirements.txt", "pyproject.toml")


@dataclass(frozen=True)
class Moment:
    """Something that a study does, in which it is killed.

    Attributes:
        what: in words.
        module: a file of the project.
        function: of the module, at whose call it begins.
        kills: how many.
        lasts: seconds in which it is killed, at random; 0 at once.
    """

    what: str
    module: str
    function: str
    kills: int
    lasts: float


_LIB, _BOOK = "lib/factmix", "book/_ext/factmix_book"
_TRAINER = f"{_LIB}/training/trainer.py"
MOMENTS = (
    Moment("drawing the data", f"{_LIB}/data/mixtures.py", "prepare", 1, 0.2),
    Moment("answering with a model", f"{_LIB}/training/evaluate.py", "_answer_batch", 2, 0.02),
    Moment("answers that are not written yet", f"{_LIB}/training/evaluate.py", "_write", 1, 0),
    Moment("sampling", _TRAINER, "SharedPrefixTrainer._generate_and_score_completions", 2, 0.02),
    Moment("loss and gradient", _TRAINER, "SharedPrefixTrainer.training_step", 3, 0.05),
    Moment("writing a checkpoint", _TRAINER, "SharedPrefixTrainer._save_checkpoint", 2, 0.02),
    Moment("a checkpoint without its seal", f"{_LIB}/training/callbacks.py", "seal", 1, 0),
    Moment(
        "answers during training", f"{_LIB}/training/callbacks.py", "Trajectory._record", 1, 0.02
    ),
    Moment(
        "rewards after training", f"{_LIB}/training/reward_gain.py", "before_and_after", 1, 0.02
    ),
    Moment("an adapter without its run.json", f"{_LIB}/training/arm.py", "finish", 1, 0),
    Moment("executing a notebook", f"{_LIB}/notebooks.py", "execute", 1, 3),
    Moment("a notebook that is not in place yet", f"{_LIB}/notebooks.py", "_clean", 1, 0),
    Moment("computing the results", f"{_LIB}/results/compare.py", "compute", 1, 0.3),
    Moment("making the book's tables and figures", f"{_BOOK}/generation.py", "write", 1, 5),
    Moment("building the book's pages", f"{_BOOK}/roles.py", "facts", 1, 0),
)
# Added to the copy's library.
NOTING = """
import functools
import os
import signal
import threading


def noted(what, function):
    @functools.wraps(function)
    def noting(*given, **named):
        note(what)
        begun.append(what)
        try:
            return function(*given, **named)
        finally:
            begun.remove(what)

    return noting


begun = []


def note(what):
    with open(os.environ["MOMENTS"], "a+", encoding="utf-8") as noted:
        print(what, file=noted, flush=True)
        noted.seek(0)
        number = noted.read().splitlines().count(what)
    if [what, str(number)] == os.environ["KILL_AT"].split(":")[:2]:
        later = float(os.environ["KILL_AT"].split(":")[2])
        if later:
            timer = threading.Timer(later, kill, [what])
            timer.daemon = True  # a process that ends sooner is not killed
            timer.start()
        else:
            begun.append(what)
            kill(what)


def kill(what):
    with open(os.environ["KILLED"], "w", encoding="utf-8") as killed:
        killed.write("within" if what in begun else "after")
    os.killpg(int(os.environ["GROUP"]), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)  # a kernel has a group of its own
"""
EMPTY: dict[str, Any] = {  # a table without kills, for the book of the copy
    "command": "",
    "study": {"steps": STEPS, "checkpoint_steps": CHECKPOINT_STEPS},
    "made_with": {"device": "", "finished": "", "git_commit": ""},
    "undisturbed_seconds": 0,
    "kills": [],
}
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
        study = root / "studies" / f"{STUDY}.yaml"
        longer_smoke.write(study, steps=STEPS, checkpoint_steps=CHECKPOINT_STEPS)
        library = root / "lib" / "factmix"
        count_steps(library)
        (library / "noting.py").write_text(NOTING, encoding="utf-8")
        for moment in MOMENTS:
            name = moment.function
            with (root / moment.module).open("a", encoding="utf-8") as module:
                module.write("\n\nfrom factmix.noting import noted as _noted\n")
                module.write(f"{name} = _noted({moment.what!r}, {name})\n")
        # A table of another version of this script, or none, would keep the book from being built.
        write_json(root / OUTCOME.relative_to(ROOT), EMPTY)
        self.steps, self.log = root / "steps.tsv", root / "log.txt"
        self.moments, self.killed = root / "moments.txt", root / "killed"

    @property
    def run(self) -> Path:
        return self.root / "runs" / STUDY

    def clean(self) -> None:
        """Removes all that the study has made."""
        for name in ("runs", "_build", ".snakemake"):
            shutil.rmtree(self.root / name, ignore_errors=True)
        self.killed.unlink(missing_ok=True)
        for file in (self.steps, self.log, self.moments):
            file.write_text("")

    def run_study(self, kill_at: str = "") -> int:
        """Runs `make study`, as the leader of a process group; its exit status.

        Args:
            kill_at: the name of a moment, which of its occurrences, and seconds, all with colons
                between; by default it is not killed.
        """
        unwanted = (
            "FACTMIX_RUNS",
            "FACTMIX_RESULTS",
            "FACTMIX_MIRROR",
            "FACTMIX_CACHE",
            "MAKEFLAGS",
        )
        kept = {name: value for name, value in os.environ.items() if name not in unwanted}
        places: dict[str, Path | str] = {
            "PYTHONPATH": self.root / "lib",
            "STEPS": self.steps,
            "MOMENTS": self.moments,
            "KILLED": self.killed,
            "KILL_AT": kill_at,
        }
        study = f"export GROUP=$$; exec make study STUDY={STUDY} --old-file=.venv/installed"
        with self.log.open("ab") as log:
            return subprocess.Popen(
                ["sh", "-c", study],
                cwd=self.root,
                env=kept | {name: str(place) for name, place in places.items()},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ).wait()

    def kept(self) -> dict[str, int]:
        """The steps of each arm that its newest whole checkpoint, or the finished arm, has."""
        kept = {}
        for folder in self.run.glob("*-s0"):
            seals = folder.glob(f"checkpoints/checkpoint-*/{SEAL}")
            whole = [int(seal.parent.name.split("-")[1]) for seal in seals]
            done = [STEPS] if (folder / "run.json").is_file() else []
            kept[folder.name.removesuffix("-s0")] = max([0, *whole, *done])
        return kept

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


def made(run: Path) -> dict[str, Any]:
    """What a run has made that must come out the same, by file."""
    found: dict[str, Any] = {}
    for table in sorted(run.rglob("*.parquet")):
        frame = pd.read_parquet(table)
        kept = frame.drop(columns=[name for name in UNCOMPARED if name in frame])
        found[str(table.relative_to(run))] = kept.to_csv(index=False)
    for weights in sorted(run.rglob("*.safetensors")):
        found[str(weights.relative_to(run))] = sha256(weights)
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    found["results.json"] = [leaf for leaf in _leaves(results) if leaf[0][-2] not in UNCOMPARED]
    return found


def _leaves(tree: Any, path: tuple[str, ...] = ("", "")) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(tree, dict):
        for key, branch in tree.items():
            yield from _leaves(branch, (*path, key))
    else:
        yield path, tree


def kill(
    copy: Copy, moment: Moment, number: int, after: float, undisturbed: dict[str, Any]
) -> dict[str, Any]:
    """The outcome of one kill of a study that starts from nothing.

    Args:
        copy: of the project.
        moment: in which it is killed.
        number: which of the occurrences of the moment.
        after: seconds from its beginning.
        undisturbed: what an undisturbed run makes.
    """
    copy.clean()
    if moment.module.startswith(_BOOK):  # else what does not change stays, as in any second book
        shutil.rmtree(copy.root / "book" / "_generated")
    status = copy.run_study(f"{moment.what}:{number}:{after}")
    killed = status == -signal.SIGKILL and copy.killed.is_file()
    before, kept = steps_of(copy.steps), copy.kept()
    lost = sum(int(step.split("\t")[1]) > kept.get(step.split(",")[0], 0) for step in before)
    said = len(copy.said())
    finished = copy.run_study() == 0
    taken_over = "was killed before" in copy.said()[said:]
    again = made(copy.run) if finished else {}
    differ = sorted(
        name
        for name in undisturbed.keys() | again.keys()
        if undisturbed.get(name) != again.get(name)
    )
    outcome = {
        "moment": moment.what,
        "number": number,
        "after_seconds": round(after, 3),
        "killed": killed,
        "within": killed and copy.killed.read_text(encoding="utf-8") == "within",
        "taken_over": taken_over,
        "steps_before": sum(before.values()),
        "unkept_steps": lost,
        "repeated_steps": repeated(steps_of(copy.steps)),
        "finished": finished,
        "differences": differ,
    }
    outcome["passed"] = (
        killed
        and taken_over
        and finished
        and not differ
        and outcome["repeated_steps"] == lost <= CHECKPOINT_STEPS
    )
    if not outcome["passed"]:
        print(copy.said()[-5000:], file=sys.stderr)
    return outcome


def campaign(seed: int, moments: Sequence[Moment]) -> Iterator[dict[str, Any]]:
    """The undisturbed run and the outcome of each kill so far, after every kill."""
    rng = np.random.default_rng(seed)
    commit = made_with()["git_commit"]  # before the outcome is a change of the checkout
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        copy = Copy(Path(folder))
        copy.clean()
        started = time.monotonic()
        if copy.run_study():
            sys.exit(f"{copy.said()}\nthe undisturbed run failed")
        took = time.monotonic() - started
        print(f"undisturbed: {took:.0f} s", flush=True)
        undisturbed = made(copy.run)
        occurred = Counter(copy.moments.read_text(encoding="utf-8").splitlines())
        print(dict(occurred), flush=True)
        if never := [each.what for each in moments if not occurred[each.what]]:
            sys.exit(f"the undisturbed run never came to: {', '.join(never)}")
        outcomes = []
        for moment in moments:
            for _ in range(moment.kills):
                number = int(rng.integers(1, occurred[moment.what] + 1))
                after = float(rng.uniform(0, moment.lasts))
                outcomes.append(kill(copy, moment, number, after, undisturbed))
                outcomes[-1]["of"] = occurred[moment.what]
                print(json.dumps(outcomes[-1]), flush=True)
                yield {
                    "command": "PYTHONPATH=tests python tests/faults/kills.py",
                    "seed": seed,
                    "study": {"steps": STEPS, "checkpoint_steps": CHECKPOINT_STEPS},
                    "made_with": made_with("torch", "trl") | {"git_commit": commit},
                    "undisturbed_seconds": round(took, 1),
                    "kills": outcomes,
                }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", help="moments whose name has this; needs another --output")
    parser.add_argument("--output", type=Path, default=OUTCOME, help="the table, as JSON")
    asked = parser.parse_args()
    chosen = [moment for moment in MOMENTS if (asked.only or "") in moment.what]
    if not chosen:
        parser.error(
            f"no moment has '{asked.only}'; they are: {', '.join(m.what for m in MOMENTS)}"
        )
    if asked.only and asked.output == OUTCOME:
        parser.error("--only would replace the whole table; name another --output")
    table: dict[str, Any] = {"kills": []}
    for table in campaign(asked.seed, chosen):
        write_json(asked.output, table)
    print(f"wrote {asked.output}")
    raise SystemExit(not all(each["passed"] for each in table["kills"]))
