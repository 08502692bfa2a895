from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from factmix.results import statements
from factmix.results.answers import Answers
from factmix.stats.paired_tests import holm_in_order
from factmix.stats.seeds import CrossedContrast
from factmix.study.files import write_parquet
from factmix.study.labels import LABELS
from factmix.study.load import find_study
from factmix.study.paths import Paths
from factmix.study.spec import Study
from factmix.training.columns import most_probable
from skilled_systems import GOLD, Skill, probabilities, right, skilled

SEEDS = 3
STEPS = (0, 100, 200)


@pytest.fixture
def study() -> Study:
    study = find_study("main")
    return study.model_copy(update={"seeds": study.seeds[:SEEDS]})


def found(study: Study, folder: Path, skill: Skill) -> dict[str, dict[str, dict]]:
    """The statements of runs in which an arm answers as `skill` says."""
    paths, by_seed = Paths(folder), []
    for seed in study.seeds:
        by_seed.append(skilled(study, skill, seed))
        for arm in study.arms:
            rows = []
            for step in STEPS:
                for name in study.datasets:
                    chances = probabilities(right(skill(arm, name, step / STEPS[-1]), seed))
                    frame = pd.DataFrame(chances, columns=[f"p_{str(at).lower()}" for at in LABELS])
                    frame = frame.assign(most_probable=most_probable(frame))
                    rows.append(frame.assign(dataset=name, step=step, gold=GOLD))
            table = pd.concat(rows)
            table["id"] = table["group"] = [f"c{i:02d}" for i in table.index]
            write_parquet(paths.arm(arm, seed) / "trajectory.parquet", table)
    return statements.statements(study, paths, by_seed)


def verdicts(section: dict[str, dict], alpha: float = 0.01) -> dict[str, str]:
    return {name: statements.verdict(name, each, alpha) for name, each in section.items()}


def alike(arm: str, dataset: str, after: float) -> float:
    """Every arm learns as much on every dataset."""
    return 0.5 if arm == "base" else 0.5 + 0.2 * after


def test_where_all_arms_are_alike_only_transfer_is_contradicted(
    study: Study, tmp_path: Path
) -> None:
    section = found(study, tmp_path, alike)
    assert list(section) == ["published", "accuracy"]
    said = verdicts(section["accuracy"])
    assert said["diversity"] == said["robustness"] == "undecided"
    assert said["transfer"] == "contradicted"  # hard claims alone taught the easy domain
    over = section["accuracy"]["transfer"]["balanced_over_hard_only"]["learning"]["crossed"]
    assert over["value"] == pytest.approx(0)


def test_what_the_post_says_is_supported_where_it_is_so(study: Study, tmp_path: Path) -> None:
    hard = ("revision", "debate")

    def skill(arm: str, dataset: str, after: float) -> float:
        if arm == "base":
            return 0.5
        mixture = study.arms[arm].mixture
        inside = dataset in study.mixtures[mixture]
        if dataset == "dispatch":
            inside = mixture == "balanced"
        return 0.5 + (0.2 if dataset in hard else 0.4) * after * inside

    section = found(study, tmp_path, skill)["accuracy"]
    said = verdicts(section)
    assert said["diversity"] == said["transfer"] == said["robustness"] == "supported"
    dispatch = section["diversity"]["dispatch"]
    assert dispatch["learning"]["crossed"]["value"] > 0.3
    assert dispatch["change"]["crossed"]["by_seed"] == pytest.approx([0.4] * SEEDS)
    assert section["diversity"]["hard_only_on_encyclopedia"]["learning"]["crossed"]["value"] == 0
    # a third, half or all of 6,400 prompts move encyclopedia by 40 points, revision by 20
    prompts = [4.34 / 13 * 6.4, 2.8 / 13 * 6.4, 6.4]
    slope = section["dose"]["encyclopedia"]["slope"]["crossed"]["value"]
    halves = [(x / 2, 0.2) for x in prompts] + [(x, 0.4) for x in prompts]
    least_squares = sum(x * y for x, y in halves) / sum(x * x for x, _ in halves)
    assert slope == pytest.approx(least_squares)


def test_a_dose_curve_is_no_effect_of_the_mixture(study: Study, tmp_path: Path) -> None:
    def by_prompts(arm: str, dataset: str, after: float) -> float:
        if arm == "base":
            return 0.9
        mixture = study.mixtures[study.arms[arm].mixture]
        share = sum(mixture.get(dataset, {}).values()) / 1300
        return 0.1 + 0.8 * np.exp(-2 * share * after)  # falls fast first

    section = found(study, tmp_path, by_prompts)
    assert "mechanism" not in section["accuracy"]
    mechanism = section["published"]["mechanism"]
    assert len(mechanism) == 3 + 3 + 3  # pairs on three datasets
    for pair in mechanism.values():
        assert abs(pair["recall_na"]["crossed"]["value"]) < 0.08  # in steps of a tenth

    def by_mixture(arm: str, dataset: str, after: float) -> float:
        return 0.9 - (0.6 if arm == "hard_only" else 0.1) * after * (arm != "base")

    section = found(study, tmp_path / "other", by_mixture)["published"]
    assert verdicts(section)["mechanism"] == "contradicted"


def test_a_slope_is_steeper_where_a_prompt_does_more(study: Study, tmp_path: Path) -> None:
    def skill(arm: str, dataset: str, after: float) -> float:
        return 0.3 + (0.6 if dataset == "encyclopedia" else 0.1) * after * (arm != "base")

    section = found(study, tmp_path, skill)["accuracy"]
    assert section["dose"]["easy_minus_hard"]["slope"]["crossed"]["value"] > 0
    assert verdicts(section)["dose"] == "supported"


def test_the_least_improved_dataset_may_differ_between_mixtures(
    study: Study, tmp_path: Path
) -> None:
    least = {"balanced": "debate", "easy_only": "revision", "hard_only": "encyclopedia"}

    def skill(arm: str, dataset: str, after: float) -> float:
        if arm == "base":
            return 0.5
        mixture = study.arms[arm].mixture
        spared = {"balanced": 0.2, "hard_only": 0.1}.get(mixture, 0.0)
        return 0.5 + (spared if least.get(mixture) == dataset else 0.4) * after

    section = found(study, tmp_path, skill)["accuracy"]
    change = section["robustness"]["least_improved"]["change"]["crossed"]
    assert change["value"] == pytest.approx(0.1, abs=0.05)


def test_moved_thresholds_are_a_change_and_no_learning(study: Study, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    before = rng.dirichlet([1, 1, 1], size=len(GOLD))
    groups = [f"g{i}" for i in range(len(GOLD))]

    def answers(by: list[float]) -> dict[str, Answers]:
        given = Answers("", GOLD, GOLD, groups, None, before * np.exp(by))
        return dict.fromkeys(study.datasets, given)

    moved = {arm: answers([0, 0.5, -0.5]) for arm in study.arms} | {"base": answers([0, 0, 0])}
    found(study, tmp_path, alike)  # for what was answered during training
    section = statements.statements(study, Paths(tmp_path), [moved] * SEEDS)["accuracy"]
    alone = section["transfer"]["hard_only"]
    assert alone["learning"]["crossed"]["value"] == 0
    assert alone["change"]["crossed"]["value"] != 0


def test_a_family_is_corrected_and_says_what_it_could_have_found(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    noise = {(arm, name): rng.normal(0, 0.05) for arm in study.arms for name in study.datasets}

    def skill(arm: str, dataset: str, after: float) -> float:
        return 0.5 if arm == "base" else 0.6 + noise[arm, dataset]

    of = found(study, tmp_path, skill)["accuracy"]["diversity"]
    tested = [
        each["learning"]["crossed"] for each in of.values() if "p" in each["learning"]["crossed"]
    ]
    assert len(tested) == len(of) == 6
    assert [leaf["p_holm"] for leaf in tested] == holm_in_order([leaf["p"] for leaf in tested])
    asked = []
    monkeypatch.setattr(CrossedContrast, "detectable", lambda self, *of: asked.append(of) or 0.0)
    found(study, tmp_path, skill)
    of_six, of_two = ((study.statistics.alpha / n, statements.POWER) for n in (6, 2))
    assert asked.count(of_six) >= 2 * 6  # learning and the whole change, under each reward
    assert of_two in asked  # of transfer


def test_a_study_without_the_mixtures_of_a_statement_says_nothing_of_it(tmp_path: Path) -> None:
    study = find_study("swapped")
    study = study.model_copy(update={"seeds": study.seeds[:SEEDS]})
    section = found(study, tmp_path, alike)
    assert list(section) == ["accuracy"]
    assert set(section["accuracy"]) == {"dose", "transfer"}


def test_the_baseline_is_in_no_family_whatever_it_is_trained_with(study: Study) -> None:
    arms = study.arms | {"format_only": study.arms["balanced_accuracy"]}
    assert "format_only" not in {
        run.arm
        for runs in statements.families(study.model_copy(update={"arms": arms})).values()
        for run in runs.values()
    }
