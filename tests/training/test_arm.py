"""Runs that are committed and taken over, instead of being trained again."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from factmix.data import mixtures
from factmix.study import freshness
from factmix.study.files import (
    changed_beside,
    read_attributes,
    read_record,
    sha256,
    write_parquet,
    write_record,
    write_sealed,
)
from factmix.study.load import find_study
from factmix.study.paths import ROOT, Paths
from factmix.study.run import Run
from factmix.training import arm

ACCEPTED = "answers_accepted_code_sha256"  # a key of run.json

STUDY = find_study("smoke")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run whose model and samples are there, and nothing else."""
    model = STUDY.model.model_copy(update={"path": str(tmp_path / "model")})
    run = STUDY.model_copy(update={"model": model}).run("hard_only", 0)
    weights = tmp_path / "model" / "model.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"content")
    for sample in (run.training_sample, run.evaluation_sample):
        write_parquet(paths(tmp_path).sample(sample), pd.DataFrame({"id": ["x"]}))
    return run


def paths(folder: Path) -> Paths:
    return Paths(folder / "runs")


def commit(run: Run, tmp_path: Path, *, study: str = "other", name: str = "first-s0") -> Path:
    """A committed run of another study and another arm, which depends on the same."""
    folder, adapter = tmp_path / "results" / study / name, "a" * 64
    answers = pd.DataFrame({"arm": ["first"], "id": ["x"], "predicted": ["NA"]})
    now = freshness.answering(run, paths(tmp_path), adapter_sha256=adapter)
    for table, depends_on in (
        ("predictions", now),
        ("trajectory", freshness.trajectory(run, paths(tmp_path))),
    ):
        answers.attrs["depends_on"] = depends_on
        write_parquet(folder / f"{table}.parquet", answers)
    for table in ("metrics", "rewards"):
        write_parquet(folder / f"{table}.parquet", pd.DataFrame({"step": [1]}))
    record = {"study": study, "arm": "first", "seed": 0, "adapter_sha256": adapter}
    depends_on = freshness.training(run, paths(tmp_path))
    write_record(folder / "run.json", {**record, "depends_on": depends_on})
    return folder


def taken(run: Run, tmp_path: Path) -> Path | None:
    return arm.take_over(run, paths(tmp_path), tmp_path / "results")


def seal(folder: Path) -> None:
    """Gives a committed run the checksums that training writes, also of the adapter."""
    record = read_record(folder / "run.json")
    sums = {name: sha256(folder / name) for name in arm.TABLES}
    sums[arm.ADAPTER[0]] = record["adapter_sha256"]
    write_record(folder / "run.json", record | {"files_sha256": sums})
    answers = pd.read_parquet(folder / "predictions.parquet")
    write_sealed(folder / "predictions.parquet", answers)


def test_a_run_of_another_study_is_taken_over_under_its_own_names(run: Run, tmp_path: Path) -> None:
    source = commit(run, tmp_path)
    assert taken(run, tmp_path) == source
    folder = paths(tmp_path).run(run)
    record = json.loads((folder / "run.json").read_text())
    assert (record["study"], record["arm"]) == (run.study, run.arm)
    assert record["taken_from"] == "other/first-s0"
    for table in ("predictions", "trajectory"):
        frame = pd.read_parquet(folder / f"{table}.parquet")
        assert frame["arm"].tolist() == [run.arm] and frame["id"].tolist() == ["x"]
        attributes = read_attributes(folder / f"{table}.parquet")
        assert attributes == read_attributes(source / f"{table}.parquet")
    assert arm.is_trained(run, paths(tmp_path)) and arm.is_answered(run, paths(tmp_path))
    assert taken(run, tmp_path) is None  # it is there


@pytest.mark.slow
@pytest.mark.parametrize("name", ["main", "swapped", "protocols"])
def test_every_committed_run_is_taken_over_with_data_that_are_drawn_anew(
    name: str, tmp_path: Path
) -> None:
    study = find_study(name)
    mixtures.prepare(study, paths(tmp_path))
    for run in study.all_runs():
        assert arm.take_over(run, paths(tmp_path), ROOT / "results") is not None, run.name
        assert arm.is_trained(run, paths(tmp_path)), run.name


def test_a_run_without_adapter_is_trained_again_when_its_answers_are_not_current(
    run: Run, tmp_path: Path
) -> None:
    commit(run, tmp_path)
    taken(run, tmp_path)
    hot = run.evaluation.model_copy(update={"temperature": 0.7})
    other = replace(run, evaluation=hot)
    assert not arm.is_trained(other, paths(tmp_path))
    assert not arm.is_answered(other, paths(tmp_path))


def test_a_run_with_a_clean_sample_is_taken_over_with_the_answers_to_it(
    run: Run, tmp_path: Path
) -> None:
    clean = replace(run.evaluation_sample, variant="clean")
    run = replace(run, clean_sample=clean)
    write_parquet(paths(tmp_path).sample(clean), pd.DataFrame({"id": ["other"]}))
    source = commit(run, tmp_path)
    assert taken(run, tmp_path) is None  # nobody asked it
    asked = run.answers()["clean.parquet"]
    answers = pd.read_parquet(source / "predictions.parquet")
    now = freshness.answering(asked, paths(tmp_path), adapter_sha256="a" * 64)
    answers.attrs["depends_on"] = now
    write_parquet(source / "clean.parquet", answers)
    assert taken(run, tmp_path) == source
    assert arm.is_trained(run, paths(tmp_path)) and arm.is_all_answered(run, paths(tmp_path))
    copy = paths(tmp_path).run(run) / "clean.parquet"
    assert pd.read_parquet(copy)["arm"].tolist() == [run.arm]
    copy.unlink()
    assert not arm.is_trained(run, paths(tmp_path))  # without an adapter, only a copy is whole


def test_an_adapter_that_is_there_is_what_the_answers_must_be_from(
    run: Run, tmp_path: Path
) -> None:
    commit(run, tmp_path)
    taken(run, tmp_path)
    adapter = paths(tmp_path).run(run) / arm.ADAPTER[0]
    adapter.parent.mkdir()
    adapter.write_bytes(b"another one")
    assert sha256(adapter) != "a" * 64
    assert not arm.is_answered(run, paths(tmp_path))


@pytest.mark.parametrize("sealed", [False, True])
def test_a_copy_has_the_checksums_of_its_own_files(run: Run, tmp_path: Path, sealed: bool) -> None:
    source = commit(run, tmp_path)
    if sealed:
        seal(source)
    taken(run, tmp_path)
    record = paths(tmp_path).run(run) / "run.json"
    sums = read_record(record)["files_sha256"]
    assert sums["trajectory.parquet"] != sha256(source / "trajectory.parquet")
    assert changed_beside(record) == []
    assert sums.keys() == {*arm.TABLES, *([arm.ADAPTER[0]] if sealed else [])}
    (record.parent / "metrics.parquet").write_bytes(b"changed")
    assert not arm.is_trained(run, paths(tmp_path))
    assert taken(run, tmp_path) == source
    assert arm.is_trained(run, paths(tmp_path))


@pytest.mark.parametrize("file", ["run.json", "metrics.parquet", "predictions.parquet"])
def test_a_committed_run_that_was_changed_by_hand_is_not_taken_over(
    run: Run, tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = commit(run, tmp_path) / file
    seal(path.parent)
    if file == "predictions.parquet":
        answers = pd.read_parquet(path)
        answers["predicted"] = "PASS"
        write_parquet(path, answers)
    elif file == "run.json":
        path.write_text(path.read_text().replace('"seed": 0', '"seed": 1', 1))
    else:
        write_parquet(path, pd.DataFrame({"step": [2]}))
    assert taken(run, tmp_path) is None
    assert re.search(
        rf"{re.escape(str(path))}.*(not taken over|not count)", capsys.readouterr().err
    )
    assert not paths(tmp_path).run(run).exists()


def test_what_was_trained_otherwise_is_moved_aside_for_a_copy(run: Run, tmp_path: Path) -> None:
    source, folder = commit(run, tmp_path), paths(tmp_path).run(run)
    (folder / "adapter").mkdir(parents=True)
    (folder / arm.ADAPTER[0]).write_bytes(b"of other settings")
    write_record(folder / "run.json", {"depends_on": {"settings": {"seed": 7}}})
    assert taken(run, tmp_path) == source
    assert not (folder / arm.ADAPTER[0]).exists()
    aside = paths(tmp_path).root / "replaced" / f"{folder.name}-1" / arm.ADAPTER[0]
    assert aside.read_bytes() == b"of other settings"
    assert arm.is_trained(run, paths(tmp_path))


def test_an_interrupted_training_goes_on_and_is_not_replaced(run: Run, tmp_path: Path) -> None:
    commit(run, tmp_path)
    checkpoints = paths(tmp_path).run(run) / "checkpoints"
    (checkpoints / "checkpoint-2").mkdir(parents=True)
    now = freshness.training(run, paths(tmp_path))
    write_record(checkpoints / arm.STARTED, {"depends_on": now})
    assert taken(run, tmp_path) is None
    assert (checkpoints / "checkpoint-2").is_dir()


@pytest.mark.parametrize("change", ["learning_rate", "seed", "sample", "evaluation", "files"])
def test_a_run_that_depends_on_something_else_is_not_taken_over(
    run: Run, tmp_path: Path, change: str
) -> None:
    source = commit(run, tmp_path)
    if change == "learning_rate":
        faster = run.training.model_copy(update={"learning_rate": 0.5})
        run = replace(run, training=faster)
    elif change == "seed":
        run = replace(run, seed=1)
    elif change == "files":
        (source / "metrics.parquet").unlink()
    else:
        sample = run.training_sample if change == "sample" else run.evaluation_sample
        write_parquet(paths(tmp_path).sample(sample), pd.DataFrame({"id": ["y"]}))
    assert taken(run, tmp_path) is None
    assert not paths(tmp_path).run(run).exists()


def test_a_run_of_earlier_code_is_accepted_and_keeps_the_hash_of_that(
    run: Run, tmp_path: Path
) -> None:
    folder, now = commit(run, tmp_path), freshness.code_sha256("train")
    file = folder / "run.json"
    kept = read_record(file)
    for earlier in ("b" * 64, "c" * 64):
        kept["depends_on"]["code_sha256"] = earlier
        write_record(file, kept)
        assert taken(run, tmp_path) is None
        arm.accept_code(file, {"d" * 64})  # which a rerun compared; this run is of other code
        assert read_record(file)["depends_on"]["code_sha256"] == earlier
        arm.accept_code(file, {earlier})
        kept = read_record(file)
        assert kept["depends_on"]["code_sha256"] == now
        assert kept["trained_with_code_sha256"] == "b" * 64  # also when accepted again
    assert taken(run, tmp_path) == folder
    before = file.read_bytes()
    arm.accept_code(file, {"b" * 64, "c" * 64})
    assert file.read_bytes() == before


def _answered_by(folder: Path, code: str, name: str = "predictions") -> None:
    answers = pd.read_parquet(folder / "predictions.parquet")
    answers.attrs["depends_on"] = {**answers.attrs["depends_on"], "code_sha256": code}
    write_parquet(folder / f"{name}.parquet", answers)


def test_answers_of_earlier_code_are_accepted_and_say_what_answered(
    run: Run, tmp_path: Path
) -> None:
    folder, now = commit(run, tmp_path), freshness.code_sha256("evaluate")
    file = folder / "run.json"
    for earlier in ("b" * 64, "c" * 64):  # answered again by other code, after it was accepted
        _answered_by(folder, earlier)
        assert taken(run, tmp_path) is None
        arm.accept_code(file, {"d" * 64})
        assert ACCEPTED not in read_record(file)
        arm.accept_code(file, {earlier})
        assert read_record(file)[ACCEPTED] == {earlier: now}
    assert taken(run, tmp_path) == folder
    assert arm.is_all_answered(run, paths(tmp_path))  # the copy is accepted, too
    kept = read_attributes(paths(tmp_path).run(run) / "predictions.parquet")["depends_on"]
    assert kept["code_sha256"] == "c" * 64
    _answered_by(folder, now)
    arm.accept_code(file, set())
    assert ACCEPTED not in read_record(file)


def test_answers_are_accepted_from_one_code_to_the_next(run: Run, tmp_path: Path) -> None:
    folder, now = commit(run, tmp_path), freshness.code_sha256("evaluate")
    file = folder / "run.json"
    _answered_by(folder, "b" * 64)
    _answered_by(folder, "e" * 64, "clean")
    write_record(file, read_record(file) | {ACCEPTED: {"b" * 64: "c" * 64}})
    arm.accept_code(file, {"c" * 64})  # those of "b" counted as those of "c"
    assert read_record(file)[ACCEPTED] == {"b" * 64: now}
    arm.accept_code(file, {"e" * 64})
    assert read_record(file)[ACCEPTED] == {"b" * 64: now, "e" * 64: now}


def test_accepting_code_does_not_accept_other_settings_of_answers(run: Run, tmp_path: Path) -> None:
    folder = commit(run, tmp_path)
    file = folder / "run.json"
    answers = pd.read_parquet(folder / "predictions.parquet")
    settings = {**answers.attrs["depends_on"]["settings"], "temperature": 0.9}
    asked = {**answers.attrs["depends_on"], "settings": settings, "code_sha256": "b" * 64}
    answers.attrs["depends_on"] = asked
    write_parquet(folder / "predictions.parquet", answers)
    arm.accept_code(file, {"b" * 64})
    assert ACCEPTED in read_record(file)
    assert taken(run, tmp_path) is None


def test_a_warm_start_of_earlier_code_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    write_record(file, {"study": "some", "depends_on": {"code_sha256": "b" * 64}})
    arm.accept_code(file, {"b" * 64})
    depends_on = read_record(file)["depends_on"]
    assert depends_on["code_sha256"] == freshness.code_sha256("warm_start")


def test_answers_beside_a_damaged_record_do_not_count_and_it_is_named(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(run, tmp_path)
    taken(run, tmp_path)
    record = paths(tmp_path).run(run) / "run.json"
    record.write_text(record.read_text().replace('"seed": 0', '"seed": 1'))
    adapter = "a" * 64
    depends_on = freshness.answering(run, paths(tmp_path), adapter_sha256=adapter)
    assert not arm._is_current(record.parent / "predictions.parquet", depends_on)
    assert capsys.readouterr().err.startswith(f"{record}: ")
