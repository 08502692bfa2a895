"""The answers of every system to the same evaluation examples, read from a run and checked."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from factmix.stats.metrics import Floats
from factmix.study import freshness
from factmix.study.files import changed_beside, read_attributes, read_record, rows_sha256
from factmix.study.labels import Label
from factmix.study.paths import Paths
from factmix.study.run import BASE, PREDICTIONS, BaseRun, Run, name_in_variant
from factmix.study.spec import Study
from factmix.training.columns import PROBABILITIES, TRAINED

CONSTANTS = {"always_na": Label.NA, "always_pass": Label.PASS}


class CompareError(ValueError):
    """Something that the comparison needs is missing or does not fit together."""


@dataclass(frozen=True)
class Answers:
    """One system's answers to one dataset, in the order of the baseline's.

    Attributes:
        run: the folder they are from, relative to the run of the study.
        gold: gold label of each example.
        predicted: answer to each example; INVALID where none could be read.
        groups: the group of each example.
        valid: how many answers are in exactly the expected format; None for constants.
        probabilities: of each label, shape (examples, labels), in the order of `LABELS`; None for
            constants.
        kinds: what decides each example, or why nothing does; None for constants.
    """

    run: str
    gold: list[str]
    predicted: list[str]
    groups: list[str]
    valid: int | None
    probabilities: Floats | None
    kinds: list[str] | None = None


def check_files(study: Study, paths: Paths) -> None:
    """Raises one CompareError that names every missing file and the commands to make them."""
    made_by, start = {paths.data_report: f"factmix data {study.name}"}, None
    if warm := study.warm_start_run():
        start = paths.run(warm) / "run.json"
        made_by[start] = f"factmix warm-start {study.name}"
    for base in study.base_runs():
        made_by[paths.run(base) / PREDICTIONS] = f"factmix evaluate {study.name} {BASE}"
    for run in study.all_runs():
        for name in TRAINED:
            made_by[paths.run(run) / name] = _command("train", run)
        for name in run.answers():
            made_by[paths.run(run) / name] = _command("evaluate", run)
    absent = [path for path in made_by if not path.is_file()]
    if set(absent) - {start}:  # a committed study has no warm start
        files = ", ".join(str(path.relative_to(paths.root)) for path in absent)
        commands = "; ".join(dict.fromkeys(made_by[path] for path in absent))
        raise CompareError(
            f"study {study.name}: {paths.root} lacks {files}; make what is missing with: {commands}"
        )


def so_far(study: Study, paths: Paths) -> tuple[Study, list[Run]]:
    """The part of a study whose runs are finished, and all finished runs.

    Returns:
        the study with the seeds for which every arm is finished, or where there is none, with its
        first seed and the arms for which that one is; and the runs that are trained and answered.

    Raises:
        CompareError: not even the baseline is finished.
    """
    first = study.seeds[0]
    finished = [
        run
        for run in study.all_runs()
        if all((paths.run(run) / name).is_file() for name in (*TRAINED, *run.answers()))
    ]
    done = {(run.arm, run.seed) for run in finished}
    seeds = [seed for seed in study.seeds if all((arm, seed) in done for arm in study.arms)]
    if seeds:
        return study.model_copy(update={"seeds": seeds}), finished
    arms = {
        run.arm: study.arms[run.arm]
        for run in study.runs()
        if {(run.arm, first), (run.baseline, first)} <= done
    }
    if study.baseline not in arms:
        raise CompareError(
            f"study {study.name}: its baseline {study.baseline} is not finished with seed {first};"
            f" train and evaluate it first: {_command('train', study.run(study.baseline))}"
        )
    return study.model_copy(update={"seeds": [first], "arms": arms}), finished


def check_current(runs: Iterable[Run | BaseRun], paths: Paths) -> None:
    """Stops when an arm was trained, or answered, under other settings or on other data.

    Samples that are not there, as in a frozen copy, are not compared. Code is not compared: answers
    stay what they are when code changes, and the workflow decides what that makes stale.

    Raises:
        CompareError: naming the first file that is not current, what differs, and the remedy.
        DamagedError: a run.json, or a file of predictions, is not as it was written.
    """
    runs = list(runs)
    several = len({run.seed for run in runs if isinstance(run, Run)}) > 1
    for run in runs:
        folder = paths.run(run)
        record, adapter = folder / "run.json", None
        if isinstance(run, Run) and record.is_file():
            trained = read_record(record)
            if changed := changed_beside(record):
                raise CompareError(
                    f"{folder / changed[0]} was changed after the training; make it again with:"
                    f" {_command('train', run)}"
                )
            adapter = trained.get("adapter_sha256")
            learned: freshness.Record = {"settings": freshness.training_settings(run)}
            if (sample := paths.sample(run.training_sample)).is_file():
                learned["training_sample_sha256"] = rows_sha256(sample)
            _check(record, trained.get("depends_on", {}), learned, _command("train", run))
            _check_trajectory(run, paths, rests_on_it=several)
        command = f"factmix evaluate {run.study} {BASE}"
        command = _command("evaluate", run) if isinstance(run, Run) else command
        for name, asked in run.answers().items():
            if not (file := folder / name).is_file():
                continue
            now: freshness.Record = {
                "settings": freshness.answering_settings(asked),
                "adapter_sha256": adapter,
            }
            if (sample := paths.sample(asked.evaluation_sample)).is_file():
                now["evaluation_sample_sha256"] = rows_sha256(sample)
            _check(file, read_attributes(file).get("depends_on", {}), now, command)


def _check_trajectory(run: Run, paths: Paths, *, rests_on_it: bool) -> None:
    """Whether answers during training are of other settings: statements over seeds rest on them.

    With one seed nothing else does, and a warning is enough.
    """
    file, sample = paths.run(run) / "trajectory.parquet", paths.sample(run.evaluation_sample)
    if not (file.is_file() and sample.is_file()):
        return
    kept = read_attributes(file).get("depends_on", {})
    differ = freshness.differences(kept, freshness.trajectory(run, paths))
    if differ and rests_on_it:
        raise CompareError(
            f"{file} is not current: {differ[0]}; the statements over seeds rest on it: move"
            f" {file.parent} away, and train with: {_command('train', run)}"
        )
    if differ:
        print(
            f"{file} is of other settings ({differ[0]}) and is used as it is; to answer during"
            f" training again, move {file.parent} away and train with: {_command('train', run)}",
            file=sys.stderr,
        )


def _check(file: Path, kept: freshness.Record, now: freshness.Record, command: str) -> None:
    differ = freshness.differences(kept, now)
    if differ:
        raise CompareError(f"{file} is not current: {differ[0]}; make it again with: {command}")


def _command(step: str, run: Run) -> str:
    return f"factmix {step} {run.study} {run.arm} --seed {run.seed}"


def predictions(study: Study, paths: Paths) -> pd.DataFrame:
    """predictions.parquet of the base model, then of every arm's first seed."""
    files = [
        folder / "predictions.parquet" for folder in _folders(study, paths, study.seeds[0]).values()
    ]
    return pd.concat([_read(file) for file in files], ignore_index=True)


def read_answers(
    study: Study, paths: Paths, seed: int | None = None
) -> dict[str, dict[str, Answers]]:
    """The answers of the base model, of every arm and of the constant answers.

    The base model and the constants occur once for every variant of the evaluation set; for the
    usual one they are "base", "always_na" and "always_pass".

    Args:
        study: the study.
        paths: its run.
        seed: which seed of the arms; by default the first.

    Returns:
        system -> dataset -> answers. Systems with the same `reference_of` have their answers to a
        dataset in the same order.

    Raises:
        CompareError: a dataset is missing, or systems with one reference answered different
            examples.
    """
    folders = _folders(study, paths, study.seeds[0] if seed is None else seed)
    frames = {system: _indexed(folder / PREDICTIONS) for system, folder in folders.items()}
    references = reference_of(study)
    answers: dict[str, dict[str, Answers]] = {}
    for system, frame in frames.items():
        baseline = references[system]
        reference = frames[baseline]
        answered = set(reference.index.get_level_values("dataset"))
        absent = [name for name in study.datasets if name not in answered]
        if absent:
            file = folders[baseline] / PREDICTIONS
            _refuse(study, file, f"has no answers to {', '.join(absent)}")
        answers[system] = _of_same(study, folders[system] / PREDICTIONS, frame, baseline, reference)
    for run in study.base_runs():
        for name, label in CONSTANTS.items():
            answers[name_in_variant(name, run.evaluation_sample.variant)] = {
                dataset: Answers(
                    "data", given.gold, [str(label)] * len(given.gold), given.groups, None, None
                )
                for dataset, given in answers[run.baseline].items()
            }
    return answers


def read_clean(study: Study, paths: Paths, seed: int) -> dict[str, dict[str, Answers]]:
    """The answers of arms to the study's own evaluation set, also of those that have another one.

    Returns:
        arm -> dataset -> answers, in the order of the base model's; without arms that have not
        answered it.

    Raises:
        CompareError: an arm answered other examples than the base model.
    """
    usual = study.base_runs()[0]
    reference = _indexed(paths.run(usual) / PREDICTIONS)
    files = {
        run.arm: paths.run(run) / name
        for run in study.runs(seed)
        for name, asked in run.answers().items()
        if asked.evaluation_sample == usual.evaluation_sample
    }
    return {
        arm: _of_same(study, file, _indexed(file), usual.arm, reference)
        for arm, file in files.items()
    }


def _indexed(file: Path) -> pd.DataFrame:
    return _read(file).set_index(["dataset", "id"]).sort_index()


def _of_same(
    study: Study, file: Path, frame: pd.DataFrame, other: str, reference: pd.DataFrame
) -> dict[str, Answers]:
    """The answers in a file by dataset; they must be to the examples of another system's."""
    if not (frame.index.is_unique and frame.index.equals(reference.index)):
        _refuse(study, file, f"answers other examples than {other}'s")
    if not frame["gold"].equals(reference["gold"]):
        _refuse(study, file, f"has other gold labels than {other}'s")
    return {
        dataset: Answers(
            run=file.parent.name,
            gold=frame.loc[dataset]["gold"].tolist(),
            predicted=frame.loc[dataset]["predicted"].tolist(),
            groups=frame.loc[dataset]["group"].tolist(),
            valid=int(frame.loc[dataset]["format_valid"].sum()),
            probabilities=frame.loc[dataset][list(PROBABILITIES)].to_numpy(dtype=float),
            kinds=frame.loc[dataset]["kind"].tolist(),
        )
        for dataset in study.datasets
    }


def reference_of(study: Study) -> dict[str, str]:
    """The baseline that each system is compared with: the base model's runs, then the arms."""
    return {run.arm: run.baseline for run in study.systems()}


def _read(file: Path) -> pd.DataFrame:
    """The predictions of a file; an older one has no kinds of claims, and gets empty ones."""
    frame = pd.read_parquet(file)
    return frame if "kind" in frame.columns else frame.assign(kind="")


def _folders(study: Study, paths: Paths, seed: int) -> dict[str, Path]:
    return {run.arm: paths.run(run) for run in study.systems(seed)}


def _refuse(study: Study, file: Path, problem: str) -> None:
    raise CompareError(
        f"{file} {problem}; expected all systems to have answered the "
        f"evaluation set as it is now: delete that file and the baseline's, and make them again "
        f"with: factmix evaluate {study.name} ..."
    )
