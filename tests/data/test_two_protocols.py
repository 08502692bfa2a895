"""A study with arms of both protocols: their baselines, and their samples."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from factmix.data import mixtures
from factmix.report import figures
from factmix.report.summary import draw_summary
from factmix.results.answers import CONSTANTS, CompareError, predictions, reference_of
from factmix.results.compare import by_baseline, compare
from factmix.results.freeze import freeze
from factmix.results.results_json import tidy
from factmix.study.files import write_parquet
from factmix.study.load import find_study
from factmix.study.paths import Paths
from factmix.study.spec import Study
from factmix.training.columns import PREDICTIONS
from factmix.training.plan import plan, text
from invented_book import invent_training

RELEASED = {
    "format_only_released": {"mixture": "balanced", "reward": "format_only"},
    "hard_only_released": {"mixture": "hard_only", "reward": "published"},
}


def two_protocols(**released: dict[str, Any]) -> Study:
    content = find_study("smoke").model_dump()
    content["statistics"]["resamples"] = 100
    for name, arm in RELEASED.items():
        content["arms"][name] = {**arm, "protocol": "as_released", **released.get(name, {})}
    return Study.model_validate(content)


def answered(examples: pd.DataFrame, arm: str, right: float, rng: np.random.Generator) -> Any:
    chances = rng.dirichlet([1, 1, 1], len(examples))
    said = np.where(rng.random(len(examples)) < right, examples["label"], "PASS")
    return examples.assign(
        arm=arm,
        seed=0,
        gold=examples["label"],
        predicted=said,
        **dict(zip(("p_na", "p_pass", "p_fail"), chances.T, strict=True)),
        format_valid=True,
        completion=said,
    )[list(PREDICTIONS)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Paths]:
    """The data as drawn, and made-up answers to them."""
    study, rng = two_protocols(), np.random.default_rng(3)
    paths = Paths(tmp_path_factory.mktemp("two") / "run")
    mixtures.prepare(study, paths)
    for base in study.base_runs():
        examples = pd.read_parquet(paths.sample(base.evaluation_sample))
        rows = answered(examples, base.arm, 0.4, rng)
        write_parquet(paths.run(base) / "predictions.parquet", rows)
    for i, run in enumerate(study.runs()):
        folder = paths.run(run)
        examples = pd.read_parquet(paths.sample(run.evaluation_sample))
        rows = answered(examples, run.arm, 0.5 + i / 10, rng)
        write_parquet(folder / "predictions.parquet", rows)
        write_parquet(folder / "trajectory.parquet", rows.assign(step=0))
        invent_training(run, paths)
    return study, paths


@pytest.fixture(scope="module")
def results(finished: tuple[Study, Paths]) -> dict[str, Any]:
    return compare(*finished)


def test_each_protocol_has_a_baseline_that_answers_its_evaluation_sample() -> None:
    study = two_protocols()
    assert {run.arm: run.baseline for run in study.base_runs()} == {
        "base": "format_only",
        "base_as_released": "format_only_released",
    }
    assert reference_of(study) == {
        "base": "format_only",
        "base_as_released": "format_only_released",
        "format_only": "format_only",
        "hard_only": "format_only",
        "balanced": "format_only",
        "format_only_released": "format_only_released",
        "hard_only_released": "format_only_released",
    }


def test_an_arm_may_name_its_baseline_and_the_named_one_is_its_own() -> None:
    study = two_protocols(format_only_released={"baseline": "hard_only_released"})
    assert study.run("format_only_released").baseline == "hard_only_released"
    assert study.run("hard_only_released").baseline == "hard_only_released"


def test_an_arm_without_a_fellow_on_its_sample_is_its_own_baseline() -> None:
    study = two_protocols(hard_only_released={"evidence_eval": "retrieved"})
    assert study.run("hard_only_released").baseline == "hard_only_released"
    assert len(study.base_runs()) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hard_only_released": {"baseline": "none"}}, "'none' is not defined"),
        (
            {"hard_only_released": {"baseline": "format_only"}},
            "'format_only' answers another evaluation sample",
        ),
        (
            {
                "hard_only_released": {"baseline": "format_only_released"},
                "format_only_released": {"baseline": "hard_only_released"},
            },
            "is itself compared with",
        ),
    ],
)
def test_a_baseline_that_cannot_be_compared_with_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        two_protocols(**changes)


def test_the_baseline_of_the_study_answers_the_usual_sample() -> None:
    content = two_protocols().model_dump() | {"baseline": "format_only_released"}
    with pytest.raises(ValueError, match="does not answer the evaluation sample of protocol"):
        Study.model_validate(content)


@pytest.mark.parametrize("name", ["base", "base_as_released", "always_na"])
def test_names_of_the_untrained_model_and_of_constants_are_no_arms(name: str) -> None:
    content = two_protocols().model_dump()
    content["arms"][name] = RELEASED["format_only_released"]
    with pytest.raises(ValueError, match="expected another name"):
        Study.model_validate(content)


def test_every_variant_has_its_untrained_model_and_constants(results: dict[str, Any]) -> None:
    study = two_protocols()
    untrained = {"base", "base_as_released"}
    constants = {*CONSTANTS, *(f"{name}_as_released" for name in CONSTANTS)}
    assert set(results["metrics"]) == {*study.arms, *untrained, *constants}
    others = {"hard_only", "balanced", "hard_only_released"}
    assert set(results["gains"]) == set(results["mcnemar"]) == others | untrained
    assert results["study"]["baseline"] == "format_only"
    assert results["study"]["baselines"] == dict.fromkeys(
        ("base_as_released", "format_only_released", "hard_only_released"), "format_only_released"
    )


def test_gains_are_over_the_baseline_of_the_same_sample(
    finished: tuple[Study, Paths], results: dict[str, Any]
) -> None:
    study, paths = finished
    for arm, baseline in reference_of(study).items():
        if arm == baseline or arm not in study.arms:
            continue
        accuracy = [
            (rows["gold"] == rows["predicted"]).mean()
            for name in (arm, baseline)
            for rows in [pd.read_parquet(paths.arm(name, 0) / "predictions.parquet")]
            for rows in [rows[rows["dataset"] == "debate"]]
        ]
        gain = results["gains"][arm]["debate"]["accuracy"]["value"]
        assert gain == pytest.approx(accuracy[0] - accuracy[1])


def test_answers_of_the_untrained_models_are_told_apart(finished: tuple[Study, Paths]) -> None:
    sizes = predictions(*finished).groupby("arm").size()
    assert set(sizes.index) == set(reference_of(finished[0]))
    assert set(sizes) == {120}


def test_each_baseline_has_a_figure_of_its_own(
    finished: tuple[Study, Paths], results: dict[str, Any]
) -> None:
    parts = by_baseline(tidy(results["gains"], ["arm", "dataset", "metric"]), finished[0])
    assert {name: set(rows["arm"]) for name, rows in parts.items()} == {
        "format_only": {"base", "hard_only", "balanced"},
        "format_only_released": {"base_as_released", "hard_only_released"},
    }
    assert len(figures.plot_gains(parts["format_only_released"]).axes) == 3


def test_the_committed_copy_holds_every_variant(
    finished: tuple[Study, Paths], results: dict[str, Any], tmp_path: Path
) -> None:
    study, paths = finished
    freeze(study, paths, tmp_path)
    assert (tmp_path / "base-as_released" / "predictions.parquet").is_file()
    assert json.loads(Paths(tmp_path).results.read_text()) == results
    light, _ = draw_summary(Paths(tmp_path))
    assert "hard_only_released" not in light.read_text()


def test_a_missing_variant_of_the_untrained_model_is_named(
    finished: tuple[Study, Paths], tmp_path: Path
) -> None:
    with pytest.raises(CompareError, match=r"base-as_released/predictions\.parquet"):
        compare(finished[0], Paths(tmp_path))


def test_answers_to_the_other_sample_are_refused(finished: tuple[Study, Paths]) -> None:
    study, paths = finished
    file = paths.arm("hard_only_released", 0) / "predictions.parquet"
    kept = pd.read_parquet(file)
    write_parquet(file, pd.read_parquet(paths.arm("hard_only", 0) / "predictions.parquet"))
    with pytest.raises(CompareError, match="other examples than format_only_released's"):
        compare(study, paths)
    write_parquet(file, kept)


def test_the_plan_says_what_each_arm_is_compared_with(tmp_path: Path) -> None:
    planned = plan(two_protocols(), Paths(tmp_path))
    assert planned["arms"]["hard_only_released"]["baseline"] == "format_only_released"
    assert planned["arms"]["hard_only_released"]["sampler_refresh"] == 50
    assert planned["commands"] == ["factmix data smoke", "factmix evaluate smoke base"]
    assert "compared with format_only_released" in text(planned)
