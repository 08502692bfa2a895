"""One arm, trained and evaluated; what is there and current is not computed again.

Whether something is current is found out without torch, which is loaded only to compute.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd

from factmix.study import freshness
from factmix.study.files import (
    DamagedError,
    changed_beside,
    read_attributes,
    read_record,
    sha256,
    write_record,
    write_sealed,
)
from factmix.study.paths import Paths
from factmix.study.run import PREDICTIONS, BaseRun, Run
from factmix.training.columns import TABLES

ADAPTER = ("adapter/adapter_model.safetensors", "adapter/adapter_config.json")
TRAJECTORY = "trajectory.parquet"
# In the folder of checkpoints: the record of what their training depends on.
STARTED = "started.json"


def make(run: Run, paths: Paths) -> None:
    """Trains an arm and answers the evaluation set with it, each unless it is done and current.

    In distributed training every process calls this, and the main process alone evaluates.
    """
    if not is_trained(run, paths):
        from factmix.training import grpo

        grpo.train(run, paths)
    if not int(os.environ.get("RANK", "0")):
        answer(run, paths)


def answer(run: Run, paths: Paths) -> None:
    """Answers the evaluation sample of a trained arm, and its clean one, unless it is current."""
    if not is_answered(run, paths):
        from factmix.training import evaluate

        evaluate.evaluate_arm(run, paths)
    if not is_all_answered(run, paths):
        from factmix.training import clean_answers

        clean_answers.evaluate_clean(run, paths)


def take_over(run: Run, paths: Paths, committed: Path) -> Path | None:
    """Copies a committed run of the same settings, data, model and code, instead of training it.

    It may be of another study or arm: what a run depends on has no names. Its adapter is not
    committed; its answers are, and they must be current, too. A run whose files are not as they
    were written is passed over. What `paths` has of another training is moved aside.

    Args:
        run: of the study.
        paths: of the study's run.
        committed: the folder of results of all studies.

    Returns:
        the folder of the committed run; None where the run is trained already, or there is none.
    """
    if is_trained(run, paths):
        return None
    wanted, into, asked = freshness.training(run, paths), paths.run(run), run.answers()
    make_room(into, wanted)
    if any(_trained(into)):  # an interrupted training of these settings, which goes on
        return None
    for record in sorted(committed.glob("*/*/run.json")):
        folder = record.parent
        try:
            kept = read_record(record)
        except DamagedError as error:
            print(f"{record}: {error.why}, and is not taken over", file=sys.stderr)
            continue
        if not is_of(record, wanted) or not all(
            (folder / name).is_file() for name in (*TABLES, *asked)
        ):
            continue
        if changed := changed_beside(record):
            print(f"{folder / changed[0]} was changed, and is not taken over", file=sys.stderr)
            continue
        adapter = kept["adapter_sha256"]
        records = {
            name: freshness.answering(each, paths, adapter_sha256=adapter)
            for name, each in asked.items()
        }
        records[TRAJECTORY] = freshness.trajectory(run, paths)
        if all(_is_current(folder / name, now) for name, now in records.items()):
            _copy(run, folder, into, kept)
            return folder
    return None


def _copy(run: Run, source: Path, into: Path, record: Mapping[str, Any]) -> None:
    """Copies a run under the names of this one; run.json comes last."""
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{into.name}-", dir=into.parent) as name:
        aside = Path(name) / into.name
        shutil.copytree(source, aside)
        for table in (*run.answers(), TRAJECTORY):
            frame = pd.read_parquet(aside / table)
            frame["arm"] = run.arm
            write_sealed(aside / table, frame)
        # of the adapter they stay: one that is put there must be the one that answered
        sums = record.get("files_sha256", {}) | {each: sha256(aside / each) for each in TABLES}
        names = {
            "study": run.study,
            "arm": run.arm,
            "taken_from": "/".join(source.parts[-2:]),
        }
        write_record(aside / "run.json", {**record, **names, "files_sha256": sums})
        into.mkdir(exist_ok=True)
        for file in (*TABLES, *run.answers(), "run.json"):
            (aside / file).replace(into / file)


def is_trained(run: Run, paths: Paths) -> bool:
    """Whether a finished training of the run as it is now is there, with its files unchanged.

    One that was taken over has no adapter, which only new answers would need.
    """
    record = paths.run(run) / "run.json"
    if not is_of(record, freshness.training(run, paths)) or changed_beside(record):
        return False
    lacking = missing(record.parent)
    return not lacking or (set(lacking) <= set(ADAPTER) and is_all_answered(run, paths))


def is_answered(run: Run | BaseRun, paths: Paths) -> bool:
    """Whether the predictions that are there are of the run as it is now; says if damaged."""
    file = paths.run(run) / PREDICTIONS
    return file.is_file() and _is_current(file, freshness.answering(run, paths))


def is_all_answered(run: Run, paths: Paths) -> bool:
    """The same of all its files of answers."""
    return all(
        (file := paths.run(run) / name).is_file()
        and _is_current(file, freshness.answering(asked, paths))
        for name, asked in run.answers().items()
    )


def _is_current(answers: Path, depends_on: freshness.Record) -> bool:
    record = answers.parent / "run.json"
    try:
        kept = read_attributes(answers).get("depends_on", {})
        accepted = _accepted(read_record(record)) if record.is_file() else {}
    except DamagedError as error:
        print(f"{error.path}: {error.why}; {answers.name} does not count", file=sys.stderr)
        return False
    code = kept.get("code_sha256")
    counts_as = {**kept, "code_sha256": accepted.get(code, code)}
    return bool(kept) and not freshness.differences(counts_as, depends_on)


def _accepted(record: Mapping[str, Any]) -> dict[str, str]:
    """Code that answered -> later code with which its answers count, as a run.json says."""
    accepted: dict[str, str] = record.get("answers_accepted_code_sha256", {})
    return accepted


def is_of(record: Path, depends_on: freshness.Record) -> bool:
    """Whether a run.json, or a record written at the start of training, is whole and current."""
    try:
        kept = read_record(record).get("depends_on") if record.is_file() else None
    except DamagedError:
        return False
    return bool(kept) and not freshness.differences(kept or {}, depends_on)


def missing(folder: Path, tables: Sequence[str] = TABLES) -> list[str]:
    """Files of a finished run that are not there, of its adapter and tables."""
    names = (*ADAPTER, *tables)
    return [name for name in names if not (folder / name).is_file()]


def faults(folder: Path, tables: Sequence[str] = TABLES) -> list[str]:
    """What is wrong with the files of a finished run, in words."""
    return [f"{name} is missing" for name in missing(folder, tables)] + [
        f"{name} was changed after the training" for name in changed_beside(folder / "run.json")
    ]


def finish(folder: Path, facts: Mapping[str, Any], tables: Sequence[str] = TABLES) -> None:
    """Writes run.json, which marks a training as finished, with the checksums of its files.

    Args:
        folder: of the run, with its adapter and tables.
        facts: what else run.json says.
        tables: the names of the tables.
    """
    sums = {name: sha256(folder / name) for name in (*ADAPTER, *tables)}
    sealed = {"adapter_sha256": sums[ADAPTER[0]], "files_sha256": sums}
    write_record(folder / "run.json", {**facts, **sealed})


def accept_code(record: Path, earlier: Collection[str]) -> None:
    """Lets a finished training count as current with the code as it is now, and its answers, too.

    For changes that leave what is learned and answered the same but for rounding, which a rerun
    must show. The hash of the code that trained is kept, and that of the code that answered stays
    in the tables of answers. Answers of the base model have no run.json, and are made again.

    Args:
        record: run.json of a run or of a warm start.
        earlier: hashes of the code that was compared with the code as it is now. Trainings and
            answers of other code stay as they are.

    Raises:
        DamagedError: it, or a table of answers, is not as it was written.
    """
    kept = read_record(record)
    before, accepted = kept["depends_on"]["code_sha256"], dict(kept)
    if before in earlier:
        now = freshness.code_sha256("train" if "arm" in kept else "warm_start")
        trained = {"trained_with_code_sha256": before}  # the first, where it was accepted before
        accepted = {**trained, **kept, "depends_on": {**kept["depends_on"], "code_sha256": now}}
    answered = {
        read_attributes(file).get("depends_on", {}).get("code_sha256")
        for file in record.parent.glob("*.parquet")
    }
    now = freshness.code_sha256("evaluate")
    counted = {code: _accepted(kept).get(code, code) for code in sorted(answered - {None})}
    counts = {code: now if later in earlier else later for code, later in counted.items()}
    others = {code: later for code, later in counts.items() if code != later}
    accepted.pop("answers_accepted_code_sha256", None)
    if others:
        accepted |= {"answers_accepted_code_sha256": others}
    if accepted != kept:
        write_record(record, accepted)


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
    try:
        kept = read_record(record) if record.is_file() else {}
        changed = freshness.differences(kept.get("depends_on") or {}, depends_on)
        if record != started:
            changed += faults(folder, tables)
    except DamagedError as error:
        changed = [f"{record.name}: {error.why}"]
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
