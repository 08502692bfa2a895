"""One arm, trained and evaluated; what is there and current is not computed again.

Whether something is current is found out without torch, which is loaded only to compute.
"""

import json
import os
from pathlib import Path

from factmix.study import freshness
from factmix.study.files import read_attributes
from factmix.study.paths import Paths
from factmix.study.run import BaseRun, Run
from factmix.training.columns import TABLES


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


def missing(folder: Path) -> list[str]:
    """Files of a finished run that are not there."""
    names = ("adapter/adapter_model.safetensors", *TABLES)
    return [name for name in names if not (folder / name).is_file()]
