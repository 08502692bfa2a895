"""One arm, trained and evaluated; what is there and current is not computed again.

Whether something is current is found out without torch, which is loaded only to compute.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

from factmix.study import freshness
from factmix.study.files import read_attributes
from factmix.study.paths import Paths
from factmix.study.run import BaseRun, Run
from factmix.training.columns import TABLES

# In the folder of checkpoints: the record of what their training depends on.
STARTED = "started.json"


def make(run: Run, paths: Paths) -> None:
    """Trains an arm and answers the evaluation set with it, each unless it is done and current.

    In distributed training every process calls this, and the main process alone evaluates.
    """
    if not is_trained(run, paths):
        from factmix.training import grpo

        grpo.train(run, paths)
    if not is_answered(run, paths) and not int(os.environ.get("RANK", "0")):
        from factmix.training import evaluate

        evaluate.evaluate_arm(run, paths)


def is_trained(run: Run, paths: Paths) -> bool:
    """Whether a finished training of the run as it is now is there."""
    folder = paths.run(run)
    return is_of(folder / "run.json", freshness.training(run, paths)) and not missing(folder)


def is_answered(run: Run | BaseRun, paths: Paths) -> bool:
    """Whether the predictions that are there are of the run as it is now."""
    file = paths.run(run) / "predictions.parquet"
    kept = read_attributes(file).get("depends_on", {}) if file.is_file() else {}
    return bool(kept) and not freshness.differences(kept, freshness.answering(run, paths))


def is_of(record: Path, depends_on: freshness.Record) -> bool:
    """Whether a run.json, or a record written at the start of training, is current."""
    if not record.is_file():
        return False
    kept = json.loads(record.read_text(encoding="utf-8")).get("depends_on")
    return bool(kept) and not freshness.differences(kept, depends_on)


def missing(folder: Path, tables: Sequence[str] = TABLES) -> list[str]:
    """Files of a finished run that are not there, of its adapter and tables."""
    names = ("adapter/adapter_model.safetensors", *tables)
    return [name for name in names if not (folder / name).is_file()]


def make_room(folder: Path, depends_on: freshness.Record, tables: Sequence[str] = TABLES) -> None:
    """Moves a run with other settings, data or code aside, and prints why.

    An interrupted run with the same settings, data and code stays, and training resumes; also
    where the workflow has put back the run.json of the run before, which it does for a failed job.
    """
    record, started = folder / "run.json", folder / "checkpoints" / STARTED
    if is_of(started, depends_on):
        return
    if not record.is_file():
        record = started
    if record == started and not any(_trained(folder)):
        return
    kept = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    changed = freshness.differences(kept.get("depends_on") or {}, depends_on)
    if record != started:
        changed += [f"{name} is missing" for name in missing(folder, tables)]
    replaced = folder.parent / "replaced"
    replaced.mkdir(exist_ok=True)
    names = (f"{folder.name}-{number}" for number in count(1))
    aside = next(replaced / name for name in names if not (replaced / name).exists())
    folder.rename(aside)
    why = ", ".join(changed[:3]) or "it does not say what it was trained with"
    print(f"moved the former {folder.name} to {aside}: {why}", file=sys.stderr)


def _trained(folder: Path) -> Iterator[Path]:
    """Adapters and checkpoints of a run."""
    yield from folder.glob("adapter")
    yield from folder.glob("checkpoints/checkpoint*")
