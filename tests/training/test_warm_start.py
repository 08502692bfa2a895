"""The warm start: supervised training, resuming, merging, and what depends on it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from factmix.data import mixtures
from factmix.data.leaks import overlap
from factmix.study import freshness
from factmix.study.examples import COLUMNS, from_frame
from factmix.study.files import DamagedError, read_record, write_record
from factmix.study.labels import LABELS
from factmix.study.load import find_study
from factmix.study.paths import Paths
from factmix.study.prompts import parse
from factmix.study.run import WarmStartRun
from factmix.study.spec import Study, StudyError
from factmix.training import arm, evaluate, supervised, warm_start
from factmix.training.model_check import ModelError, NotFiniteError
from factmix.training.policy import load_base, prompt_texts

WARM_START = {
    "counts": {name: dict.fromkeys(LABELS, 2) for name in ("encyclopedia", "revision")},
    "steps": 4,
    "batch": 3,
    "learning_rate": 1.0e-2,
    "seed": 5,
    "afterwords": 0.5,
    "lora": {"rank": 4, "alpha": 8, "target_modules": ["q_proj", "o_proj"]},
}


def _study(**changes: Any) -> Study:
    content = find_study("smoke").model_dump()
    content["training"]["checkpoint_steps"] = 2
    return Study.model_validate(content | {"warm_start": WARM_START | changes})


def _of(study: Study) -> WarmStartRun:
    run = study.warm_start_run()
    assert run is not None
    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A study's drawn data and its warm start."""
    study, paths = _study(), Paths(tmp_path_factory.mktemp("study"))
    mixtures.prepare(study, paths)
    with pytest.raises(StudyError, match=r"run\.json does not exist; .*: factmix warm-start smoke"):
        arm.is_answered(study.base_runs()[0], paths) or freshness.training(study.runs()[0], paths)
    warm_start.train(_of(study), paths)
    return paths


def _adapter(paths: Paths) -> dict[str, torch.Tensor]:
    return load_file(paths.run(_of(_study())) / "adapter" / "adapter_model.safetensors")


def test_its_examples_are_of_no_other_sample(made: Paths) -> None:
    study = _study()
    warm, *others = (
        pd.read_parquet(made.sample(each))[list(COLUMNS)]
        for each in (_of(study).sample, *study.samples()[:-1])
    )
    assert len(warm) == 12 and len(others) == 3
    assert overlap(warm, pd.concat(others)) == {"groups": 0, "claims": 0}


def test_the_record_says_what_it_depends_on(made: Paths) -> None:
    folder = made.run(_of(_study()))
    assert {file.name for file in folder.iterdir()} == {"adapter", "losses.parquet", "run.json"}
    record = json.loads((folder / "run.json").read_text())
    assert record["depends_on"] == freshness.warm_starting(_of(_study()), made)
    assert record["depends_on"]["settings"]["warm_start"]["afterwords"] == 0.5
    # two projections of four layers: 128 in and out, rank 4
    assert record["trainable_parameters"] == sum(each.numel() for each in _adapter(made).values())
    assert {each.dtype for each in _adapter(made).values()} == {torch.bfloat16}
    losses = pd.read_parquet(folder / "losses.parquet")
    assert losses["step"].tolist() == [1, 2, 3, 4]
    assert (losses["loss"] > 0).all()


def test_a_current_one_is_not_made_again(made: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm_start, "load_base", None)  # would fail if it were called
    warm_start.train(_of(_study()), made)


def test_what_was_interrupted_goes_on_to_the_same_adapter(
    made: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, again = _study(), Paths(tmp_path)
    mixtures.prepare(study, again)
    original, calls = supervised._loss, []

    def die_in_the_fourth_step(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(*given)

    monkeypatch.setattr(supervised, "_loss", die_in_the_fourth_step)
    with pytest.raises(KeyboardInterrupt):
        warm_start.train(_of(study), again)
    assert not (again.run(_of(study)) / "run.json").exists()
    warm_start.train(_of(study), again)
    assert len(calls) == 4 + 2  # the third step, which no checkpoint had, and the fourth
    one, other = _adapter(made), _adapter(again)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    pd.testing.assert_frame_equal(
        *(pd.read_parquet(p.run(_of(study)) / "losses.parquet") for p in (made, again))
    )


def test_one_of_other_settings_is_moved_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = Paths(tmp_path)
    mixtures.prepare(_study(), paths)
    warm_start.train(_of(_study(steps=1)), paths)
    with pytest.raises(StudyError, match=r"warm_start\.steps was 1 and is 2; make it with: factm"):
        freshness.answering(_study(steps=2).base_runs()[0], paths)
    capsys.readouterr()
    warm_start.train(_of(_study(steps=2)), paths)
    assert "warm_start.steps was 1 and is 2" in capsys.readouterr().err
    aside = tmp_path / "replaced" / "warm_start-1" / "run.json"
    assert json.loads(aside.read_text())["steps"] == 1


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.safetensors"
    file.write_bytes(b"half")
    with pytest.raises(
        ModelError, match=r"checkpoint\.safetensors is damaged: .*; delete it to start the"
    ):
        supervised._resume(supervised.Checkpoint(file, 1), [], None)  # type: ignore[arg-type]


def test_the_base_model_of_arms_and_of_the_evaluation_is_the_merged_one(made: Paths) -> None:
    study = _study()
    base, trained = study.base_runs()[0], study.run("hard_only", 0)
    assert (
        made.warm_start_of(base) == made.warm_start_of(trained) == made.root / "warm_start/adapter"
    )
    plain, merged = load_base(study.model), load_base(study.model, None, made.warm_start_of(base))
    assert type(merged.model) is type(plain.model)
    learned = _adapter(made)
    place = "model.layers.0.self_attn.q_proj"
    a, b = (learned[f"base_model.model.{place}.lora_{part}.weight"].float() for part in "AB")
    before, after = (each.model.get_submodule(place).weight for each in (plain, merged))
    assert torch.allclose(after - before, b @ a * 8 / 4, atol=1e-6)
    assert (after - before).abs().max() > 1e-3
    other = "model.layers.0.self_attn.k_proj"
    assert torch.equal(
        plain.model.get_submodule(other).weight, merged.model.get_submodule(other).weight
    )


def test_arms_and_answers_are_stale_after_another_warm_start(made: Paths) -> None:
    study = _study()
    run, base = study.run("hard_only", 0), study.base_runs()[0]
    records = freshness.training(run, made), freshness.answering(base, made)
    for record, settings in zip(records, (freshness.training_settings, None), strict=True):
        assert record["warm_start_sha256"]
        assert record["settings"]["warm_start"]["steps"] == 4
        other = record | {"warm_start_sha256": "another"}
        assert freshness.differences(record, other) == ["warm_start is another"]
        assert settings is None or record["settings"] == settings(run)


def test_without_one_a_study_has_the_records_that_it_had() -> None:
    smoke = find_study("smoke")
    run, base = smoke.run("hard_only", 0), smoke.base_runs()[0]
    assert "warm_start" not in smoke.model_dump(mode="json")
    assert "warm_start" not in freshness.training_settings(run)
    assert "warm_start" not in freshness.answering_settings(base)
    assert "warm_start" not in freshness.drawing(smoke)["settings"]["samples"]
    assert Paths(Path()).warm_start_of(run) is None


def test_a_share_of_the_answers_is_followed_by_words(made: Paths) -> None:
    study = _study()
    examples = from_frame(pd.read_parquet(made.sample(_of(study).sample)))
    policy = load_base(study.model)
    prompt = prompt_texts(policy.tokenizer, examples[:1], study.prompt)[0]

    def texts(share: float | None, seed: int = 0) -> list[str]:
        answers = supervised._answers(policy, prompt, examples, share, seed)
        return [policy.tokenizer.decode(each) for each in answers]

    assert texts(None) == [str(each.label) for each in examples]
    assert texts(0.0) == [f"{each.label}\n" for each in examples]
    half = texts(0.5)
    assert [parse(each).predicted for each in half] == [each.label for each in examples]
    assert sum(parse(each).format_valid for each in half) == 6
    assert all(each.endswith("\n") for each in half)
    assert texts(0.5) == half != texts(0.5, seed=1)


def _edit_adapter(file: Path) -> None:
    save_file({name: each + 1 for name, each in load_file(file).items()}, file)


def _edit_text(old: str, new: str) -> Callable[[Path], object]:
    return lambda file: file.write_text(file.read_text().replace(old, new, 1))


DAMAGES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "weights": (arm.ADAPTER[0], _edit_adapter, "is not as it was written; make it with: factmix"),
    "no weights": (arm.ADAPTER[0], Path.unlink, "is not as it was written; make it with: factmix"),
    "no scale": (arm.ADAPTER[1], Path.unlink, "is not as it was written; make it with: factmix"),
    "scale": (arm.ADAPTER[1], _edit_text('"lora_alpha": 8', '"lora_alpha": 9'), "is not as it was"),
    "record": ("run.json", _edit_text('"steps": 4', '"steps": 5'), "it was changed after it was"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_warm_start_that_was_changed_by_hand_is_named_and_not_used(
    damage: str, made: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, change, said = DAMAGES[damage]
    study, paths = _study(), Paths(tmp_path / "run")
    shutil.copytree(made.root, paths.root)
    file = paths.run(_of(study)) / name
    change(file)
    with pytest.raises((StudyError, DamagedError), match=rf"{name}:? .*{said}"):
        freshness.training(study.runs()[0], paths)
    monkeypatch.setattr(evaluate, "load_base", None)  # would fail if it were called
    with pytest.raises((StudyError, DamagedError), match=rf"{name}:? .*{said}"):
        evaluate.evaluate_base(study.base_runs(), paths)
    called = []
    monkeypatch.setattr(warm_start, "_train", lambda *given: called.append(given))
    warm_start.train(_of(study), paths)
    assert called


def test_a_warm_start_without_checksums_counts_as_before(made: Paths, tmp_path: Path) -> None:
    study, paths = _study(), Paths(tmp_path / "run")
    shutil.copytree(made.root, paths.root)
    record = paths.run(_of(study)) / "run.json"
    content = read_record(record)
    content.pop("files_sha256")
    write_record(record, content)
    base = study.base_runs()[0]
    before = freshness.answering(base, paths)["warm_start_sha256"]
    assert before == content["adapter_sha256"]
    _edit_adapter(record.parent / arm.ADAPTER[0])
    assert freshness.answering(base, paths)["warm_start_sha256"] != before


def test_a_gradient_that_is_no_number_names_the_study_and_the_checkpoint(
    tmp_path: Path,
) -> None:
    study, paths = _study(learning_rate=1e30), Paths(tmp_path)
    mixtures.prepare(study, paths)
    said = (
        r"the warm start of smoke: step \d of 4: .*; the last good checkpoint: (none|/.*safetens)"
    )
    with pytest.raises(NotFiniteError, match=said):
        warm_start.train(_of(study), paths)
