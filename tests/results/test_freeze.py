import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from factmix.results.answers import CompareError, predictions
from factmix.results.compare import compare
from factmix.results.freeze import freeze
from factmix.study.files import (
    DamagedError,
    read_record,
    rows_sha256,
    write_json,
    write_parquet,
    write_record,
    write_sealed,
)
from factmix.study.load import find_study, load_kept
from factmix.study.paths import Paths
from factmix.study.spec import StudyError
from factmix.training.columns import LOSSES
from invented_book import invent_run, smaller


@pytest.fixture(scope="module")
def study():
    full = find_study("quick")
    fewer = full.statistics.model_copy(update={"resamples": 100})
    arms = {name: full.arms[name] for name in ("format_only", "hard_only", "balanced")}
    return full.model_copy(update={"statistics": fewer, "arms": arms})


@pytest.fixture(scope="module")
def invented(study, tmp_path_factory):
    """A finished run of the study with few and made-up answers."""
    paths = Paths(tmp_path_factory.mktemp("invented") / "run")
    invent_run(study, paths)
    return paths


@pytest.fixture
def paths(invented, tmp_path):
    """A copy of it that may be changed."""
    shutil.copytree(invented.root, tmp_path / "run")
    return Paths(tmp_path / "run")


def test_freeze_copies_what_is_small_in_the_layout_of_the_run(study, paths, tmp_path):
    results = json.loads(paths.results.read_text())
    (paths.arm("balanced", 0) / "adapter").mkdir()
    (paths.arm("balanced", 0) / "adapter" / "model.safetensors").write_bytes(b"large")
    notebook = paths.root / "notebooks" / "compare.ipynb"
    notebook.parent.mkdir()
    notebook.write_text("{}")
    into = tmp_path / "results" / "main"
    written = freeze(study, paths, into)
    assert len(written) == 4 + 5 * len(study.arms) + 1
    assert {path for path in into.rglob("*") if path.is_file()} == set(written)
    assert into / "notebooks" / "compare.ipynb" in written
    frozen = Paths(into)
    assert json.loads(frozen.results.read_text()) == results
    assert load_kept(frozen.study) == study
    assert predictions(study, frozen).equals(predictions(study, paths))
    assert compare(study, frozen) == results


def test_freeze_removes_runs_that_the_study_no_longer_has_and_nothing_else(study, paths, tmp_path):
    into = tmp_path / "results"
    for name in ("given_up-s0/run.json", "learning_rate.json", "notes/mine.txt"):
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        (into / name).write_text("{}")
    freeze(study, paths, into)
    assert not (into / "given_up-s0").exists()
    assert (into / "learning_rate.json").exists()
    assert (into / "notes" / "mine.txt").exists()


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize(
    ("of", "notebook"),
    [("card", "base_model"), ("supervised", "supervised"), ("unseen", "unseen")],
)
def test_a_card_of_other_weights_is_not_frozen_and_none_is_left_beside_new_results(
    study, paths, tmp_path, kept, of, notebook
):
    into = Paths(tmp_path / "results")
    base = paths.root / "base" / "predictions.parquet"
    answers = pd.read_parquet(base)
    for weights in ("old", "new"):
        answers.attrs = {"depends_on": {"model_sha256": {"model.safetensors": weights}}}
        write_parquet(base, answers)
        if weights == "old":
            place = into if kept else paths
            card = {
                "card": place.card,
                "supervised": place.supervised / "own.json",
                "unseen": place.unseen / "x" / "numbers.json",
            }[of]
            write_json(card, {"model_sha256": {"model.safetensors": "old"}})
            freeze(study, paths, into.root)
    remedy = rf"is of another model .*notebooks/{notebook}\.md .*{notebook}\.ipynb -p study=quick"
    remedy += " -p labels=own" if of == "supervised" else "$"
    with pytest.raises(CompareError, match=remedy):
        freeze(study, paths, into.root)


def test_answers_of_other_adapters_to_an_unseen_dataset_are_not_frozen(study, paths, tmp_path):
    record = paths.arm("balanced", 0) / "run.json"
    write_record(record, {**read_record(record), "adapter_sha256": "a"})
    answered = paths.unseen / "x" / "predictions.parquet"
    write_parquet(answered, pd.DataFrame({"arm": ["balanced"]}))
    measured = answered.with_name("numbers.json")
    kept = {"adapters": {"balanced": "a"}, "answers_sha256": rows_sha256(answered)}
    write_json(measured, kept)
    into = tmp_path / "results"
    freeze(study, paths, into)
    copied = {file.name for file in (into / "unseen" / "x").iterdir()}
    assert copied == {"predictions.parquet", "numbers.json"}
    for other in ({"adapters": {"balanced": "b"}}, {"answers_sha256": "b"}):
        write_json(measured, kept | other)
        with pytest.raises(CompareError, match=r"numbers\.json is of another .*unseen\.md"):
            freeze(study, paths, into)


def test_a_run_of_another_committed_study_is_kept_there_alone(study, paths, tmp_path):
    kept = tmp_path / "results"
    freeze(study, paths, kept / "first")
    record = paths.arm("balanced", 0) / "run.json"
    write_record(record, {**read_record(record), "taken_from": "first/balanced-s0"})
    link = kept / "second" / "balanced-s0"
    freeze(study, paths, kept / "second")
    freeze(study, paths, kept / "second")  # again
    assert link.is_symlink() and link.readlink() == Path("../first/balanced-s0")
    assert not (kept / "second" / "hard_only-s0").is_symlink()
    assert predictions(study, Paths(kept / "second")).equals(predictions(study, paths))
    (kept / "first" / "balanced-s0" / "rewards.parquet").unlink()  # is no longer the same
    freeze(study, paths, kept / "second")
    assert not link.is_symlink() and (link / "rewards.parquet").is_file()
    assert (kept / "first" / "balanced-s0" / "predictions.parquet").is_file()


def test_results_that_do_not_follow_from_the_answers_are_not_frozen(study, paths, tmp_path):
    into = tmp_path / "results"
    freeze(study, paths, into)
    before = {path: path.read_bytes() for path in into.rglob("*") if path.is_file()}
    file = paths.arm("balanced", 0) / "predictions.parquet"
    answers = pd.read_parquet(file)
    write_parquet(file, answers.assign(predicted="PASS"))  # evaluated again by hand
    with pytest.raises(CompareError, match=r"do not follow from the answers .*factmix results"):
        freeze(study, paths, into)
    assert {path: path.read_bytes() for path in into.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_freeze_asks_for_the_comparison_first(study, paths, tmp_path):
    paths.results.unlink()
    with pytest.raises(CompareError, match="make it with: factmix results quick"):
        freeze(study, paths, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_results_of_a_study_that_has_changed_since_are_not_frozen(study, paths, tmp_path):
    changed = study.model_copy(update={"description": "Another one."})
    with pytest.raises(CompareError, match=r"has changed since .*make study STUDY=quick"):
        freeze(changed, paths, tmp_path / "results")
    paths.study.unlink()
    with pytest.raises(StudyError, match=r"study\.json does not exist"):
        freeze(study, paths, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_of_several_seeds_the_pages_of_the_first_are_kept(study, tmp_path):
    two = study.model_copy(update={"seeds": [3, 4]})
    paths = Paths(tmp_path / "run")
    invent_run(two, paths)
    for name in ("compare", "balanced-s3", "balanced-s4", "given_up-s3"):
        page = paths.root / "notebooks" / f"{name}.ipynb"
        page.parent.mkdir(exist_ok=True)
        page.write_text("{}")
    dropped = tmp_path / "results" / "notebooks" / "balanced-s0.ipynb"
    dropped.parent.mkdir(parents=True)
    dropped.write_text("{}")
    freeze(two, paths, tmp_path / "results")
    kept = sorted(page.stem for page in (tmp_path / "results").glob("notebooks/*.ipynb"))
    assert kept == ["balanced-s3", "compare"]
    assert (tmp_path / "results" / "balanced-s4" / "predictions.parquet").is_file()


def test_what_is_finished_of_a_study_is_frozen_and_what_is_missing_is_named(study, tmp_path):
    three = study.model_copy(update={"seeds": [3, 4, 5]})
    paths, into = Paths(tmp_path / "run"), tmp_path / "results"
    invent_run(three, paths)
    for name in ("balanced-s4", "hard_only-s5"):
        (paths.root / name / "predictions.parquet").unlink()
    with pytest.raises(CompareError, match=r"balanced-s4.predictions\.parquet"):
        compare(three, paths)
    kept = into / "hard_only-s5" / "run.json"  # frozen on another day
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")
    results = compare(three, paths, incomplete=True)
    assert results["seeds"] == [3]
    assert results["missing"] == ["balanced-s4", "hard_only-s5"]
    freeze(three, paths, into, incomplete=True)
    assert load_kept(Paths(into).study).seeds == [3]
    assert json.loads(Paths(into).results.read_text()) == results
    assert (into / "hard_only-s4" / "predictions.parquet").is_file()
    assert kept.read_text() == "{}"


def test_a_finished_run_that_was_changed_by_hand_is_not_frozen(study, tmp_path):
    two = study.model_copy(update={"seeds": [3, 4]})
    paths = Paths(tmp_path / "run")
    invent_run(two, paths)
    (paths.root / "balanced-s4" / "predictions.parquet").unlink()
    answers = paths.root / "hard_only-s4" / "predictions.parquet"  # of no result
    write_sealed(answers, pd.read_parquet(answers))
    compare(two, paths, incomplete=True)
    pd.read_parquet(answers).assign(predicted="NA").to_parquet(answers)
    with pytest.raises(DamagedError, match=r"hard_only-s4.predictions\.parquet: its rows were"):
        freeze(two, paths, tmp_path / "results", incomplete=True)
    assert not (tmp_path / "results").exists()


def test_of_a_study_without_a_finished_seed_the_finished_arms_are_compared(study, tmp_path):
    paths = Paths(tmp_path / "run")
    invent_run(study, paths)
    (paths.arm("balanced", 0) / "predictions.parquet").unlink()
    results = compare(study, paths, incomplete=True)
    assert "balanced" not in results["gains"] and "hard_only" in results["gains"]
    assert results["missing"] == ["balanced-s0"]
    (paths.arm("format_only", 0) / "run.json").unlink()
    with pytest.raises(CompareError, match="its baseline format_only is not finished with seed 0"):
        compare(study, paths, incomplete=True)


def test_a_finished_study_has_nothing_missing(study, paths):
    whole = json.loads(paths.results.read_text())
    assert compare(study, paths, incomplete=True) == whole
    assert "missing" not in whole


def test_answers_of_one_base_model_are_kept_once_until_they_differ(study, paths, tmp_path):
    places = [tmp_path / "results" / name for name in ("first", "second", "third")]
    hidden = tmp_path / "results" / ".first-half" / "base" / "predictions.parquet"
    hidden.parent.mkdir(parents=True)
    shutil.copy(paths.base / "predictions.parquet", hidden)  # of a freeze that was killed
    first, *others = [into / "base" / "predictions.parquet" for into in places]
    (tmp_path / "results" / "again").symlink_to(places[0])
    for into in (*places, *places, places[0]):
        freeze(study, paths, into)
    assert not first.is_symlink()
    assert {each.readlink() for each in others} == {Path("../../first/base/predictions.parquet")}
    before = first.read_bytes()
    frame = pd.read_parquet(paths.base / "predictions.parquet")
    frame.attrs = {"depends_on": {"model_sha256": {"model.safetensors": "another"}}}
    write_parquet(paths.base / "predictions.parquet", frame)
    freeze(study, paths, places[0])
    assert first.read_bytes() != before
    assert all(not each.is_symlink() and each.read_bytes() == before for each in others)


def test_what_a_warm_start_took_is_kept_and_not_its_adapter(tmp_path):
    study, paths = smaller("smollm2"), Paths(tmp_path / "run")
    invent_run(study, paths)
    made = paths.run(study.warm_start_run())
    write_record(made / "run.json", {"wall_seconds": 5.0})
    write_parquet(made / LOSSES, pd.DataFrame({"step": [1], "loss": [2.0]}))
    (made / "adapter").mkdir()
    (made / "adapter" / "adapter_model.safetensors").write_bytes(b"large")
    freeze(study, paths, tmp_path / "results")
    kept = json.loads((tmp_path / "results" / "warm_start.json").read_text())
    assert kept["wall_seconds"] == 5.0 and kept["losses"] == [2.0]
    assert not [*(tmp_path / "results").rglob("*.safetensors")]
