"""The rule that chooses the learning rate."""

import json
from pathlib import Path

import pandas as pd
import pytest

from factmix.study.load import find_study
from factmix.study.paths import ROOT, Paths
from factmix.study.spec import Study, StudyError
from factmix.training import learning_rate
from factmix.training.model_check import NotFiniteError

CURVES = {1e-4: [0.7] * 20, 5e-4: [0.7] * 10 + [0.98] * 10, 1e-3: [1.0] * 20}


@pytest.fixture
def study(smoke: Study, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setattr(learning_rate, "format_rates", lambda study, rate, paths: CURVES[rate])
    numbers = smoke.training.model_copy(update={"learning_rate_grid": [1e-3, 1e-4, 5e-4]})
    return smoke.model_copy(update={"training": numbers})


def test_the_smallest_rate_that_is_enough_at_the_end(study: Study, tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert learning_rate.choose(study, paths) == 5e-4
    report = json.loads(paths.learning_rate.read_text())
    assert report["chosen"] == 5e-4
    assert [each["learning_rate"] for each in report["tried"]] == [1e-4, 5e-4]
    assert report["tried"][0]["format_rate_end"] == pytest.approx(0.7)


def test_no_rate_is_enough(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning_rate, "format_rates", lambda study, rate, paths: [0.8] * 20)
    with pytest.raises(StudyError, match=r"the best reaches 0\.800; add larger ones"):
        learning_rate.choose(study, Paths(tmp_path))


@pytest.mark.parametrize(
    ("highest", "message"),
    [
        (1e-4, r"rate 0\.0005 of .* no finite number, and no smaller rate, down to 0\.0001, is"),
        (0.0, r"rate 0\.0001 of .* no finite number, and it is the smallest; add smaller rates"),
    ],
)
def test_a_rate_at_which_training_fails_ends_the_search_with_its_name(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, highest: float, message: str
) -> None:
    def too_high(study: Study, rate: float, paths: Paths) -> list[float]:
        if rate > highest:
            raise NotFiniteError("the loss is none")
        return [0.8] * 20

    monkeypatch.setattr(learning_rate, "format_rates", too_high)
    with pytest.raises(StudyError, match=message):
        learning_rate.choose(study, Paths(tmp_path))


def test_an_empty_grid_is_an_error(smoke: Study, tmp_path: Path) -> None:
    numbers = smoke.training.model_copy(update={"learning_rate_grid": []})
    with pytest.raises(StudyError, match="learning_rate_grid is empty"):
        learning_rate.choose(smoke.model_copy(update={"training": numbers}), Paths(tmp_path))


@pytest.mark.slow
def test_a_rate_is_tried_on_the_baseline_arm(smoke: Study, tmp_path: Path) -> None:
    from factmix.data import mixtures

    paths = Paths(tmp_path)
    mixtures.prepare(smoke, paths)
    curve = learning_rate.format_rates(smoke, 1e-3, paths)
    assert len(curve) == smoke.run(smoke.baseline).steps
    assert all(0 <= rate <= 1 for rate in curve)
    assert not (tmp_path / "learning_rate").exists()


def test_the_embedded_study_trains_at_the_rate_that_was_chosen() -> None:
    study = find_study("main")
    frozen = Paths(ROOT / "results" / study.name)
    report = json.loads(frozen.learning_rate.read_text(encoding="utf-8"))
    assert report["chosen"] == study.training.learning_rate
    assert report["grid"] == sorted(study.training.learning_rate_grid)
    metrics = pd.read_parquet(frozen.arm(study.baseline, study.seeds[0]) / "metrics.parquet")
    # The search trains the baseline arm itself: an older report would have another curve.
    assert report["tried"][-1]["format_rate"] == pytest.approx(metrics["format_rate"].tolist())
