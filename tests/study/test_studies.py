"""Whole studies at their smallest: data, training, evaluation and comparison."""

from pathlib import Path
from typing import Any

import pytest

from factmix.data import mixtures
from factmix.results.compare import compare
from factmix.study.labels import LABELS
from factmix.study.load import find_study
from factmix.study.paths import ROOT, Paths
from factmix.study.spec import Study
from factmix.training import grpo
from factmix.training.evaluate import evaluate_arm, evaluate_base


def _run(study: Study, paths: Paths) -> dict[str, Any]:
    mixtures.prepare(study, paths)
    evaluate_base(study.base_runs(), paths)
    for arm in study.arms:
        grpo.train(study.run(arm), paths)
        evaluate_arm(study.run(arm), paths)
    return compare(study, paths)


@pytest.mark.parametrize("name", [path.stem for path in (ROOT / "studies").glob("*.yaml")])
def test_every_study_states_the_loss_that_would_not_count_as_one(name: str) -> None:
    assert find_study(name).statistics.margin == 0.05


@pytest.mark.slow
def test_smoke_runs_end_to_end(tmp_path: Path) -> None:
    study = find_study("smoke")
    results = _run(study, Paths(tmp_path))
    assert set(results["gains"]) == {"base", "hard_only", "balanced"}
    for arm in ("base", *study.arms, "always_na", "always_pass"):
        for dataset in study.datasets:
            accuracy = results["metrics"][arm][dataset]["accuracy"]
            assert accuracy["n"] == sum(study.evaluation.counts.values())
    assert results["metrics"]["always_na"]["debate"]["accuracy"]["value"] == 0.5


@pytest.mark.slow
def test_the_real_files_run_end_to_end(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACTMIX_CACHE", str(tmp_path / "cache"))
    study = find_study("real_smoke")
    paths = Paths(tmp_path)
    results = _run(study, paths)
    assert "toy model" in results["study"]["description"].lower()
    for dataset in ("fever", "vitaminc", "climate_fever"):
        counts = [sum(results["confusion"]["hard_only"][dataset][row]) for row in range(3)]
        assert counts == [study.evaluation.counts[label] for label in LABELS]
