"""A whole study of real data at its smallest: data, training, evaluation and comparison."""

from pathlib import Path
from typing import Any

import pytest

from factmix.data import mixtures
from factmix.results.compare import compare
from factmix.study.labels import LABELS
from factmix.study.load import find_study
from factmix.study.paths import Paths
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
