import numpy as np
import pytest

from factmix.results import domain_shares
from factmix.results.domain_number import verdict
from factmix.stats.paired_tests import holm_in_order
from factmix.study.load import find_study
from factmix.study.spec import Study
from skilled_systems import skilled

ALPHA = 0.01
DOMAINS = ["encyclopedia", "revision", "debate"]


@pytest.fixture(scope="module")
def study() -> Study:
    return find_study("sweep")


def found(study: Study, gain) -> dict[str, dict]:
    """The section where an arm adds `gain(quarters of its domains, dataset)` tenths to a half."""

    def skill(arm: str, dataset: str, after: float) -> float:
        if arm == "base":
            return 0.5
        of = study.mixtures[study.arms[arm].mixture]
        quarters = {name: sum(of.get(name, {}).values()) / 325 for name in DOMAINS}
        return round(0.5 + 0.1 * gain(quarters, dataset), 6)

    by_seed = [skilled(study, skill, seed) for seed in study.seeds]
    return domain_shares.domain_shares(study, by_seed)["accuracy"]


def value(of: dict, measure: str = "change") -> float:
    return of[measure]["crossed"]["value"]


def test_the_mixtures_of_the_plan_are_compared(study: Study) -> None:
    mixtures = [arm.mixture for arm in study.arms.values() if arm.reward == "accuracy"]
    sweep = domain_shares.sweep_of(study, mixtures)
    assert sweep is not None
    assert sweep.single == ["easy_only", "revision_only", "debate_only"]
    assert len(sweep.unequal) == 9 and all(name.startswith("quarters") for name in sweep.unequal)
    assert len(sweep.several) == 13 and "balanced" in sweep.several
    for mixture in sweep.unequal:
        quarters = [int(part) / 4 for part in mixture.split("_")[1:]]
        assert sweep.shares[mixture] == pytest.approx(quarters)
    of_all = np.mean([sweep.shares[mixture] for mixture in sweep.unequal], axis=0)
    assert of_all == pytest.approx([1 / 3] * 3)


def test_heights_and_what_carries_over_follow_the_shares(study: Study) -> None:
    section = found(study, lambda quarters, dataset: quarters["revision"])
    heights = {name: section["heights"]["dispatch"][name]["change"]["value"] for name in DOMAINS}
    assert list(heights.values()) == pytest.approx([0, 0.4, 0], abs=1e-9)
    assert "p" not in section["heights"]["dispatch"]["revision"]["change"]
    carried = section["carry_over"]
    assert [value(carried[name]) for name in DOMAINS] == pytest.approx([-0.2, 0.4, -0.2])
    assert verdict(carried["revision"], "change", ALPHA) == "yes"
    assert verdict(carried["debate"], "change", ALPHA) == "no"
    # everywhere as much: only revision's own prompts are the best for it
    assert [value(section["own"][name]) for name in DOMAINS] == pytest.approx([-0.2, 0.4, -0.2])
    # a straight line: mixing adds nothing to its parts
    assert {round(value(of), 9) for of in section["blending"].values()} == {0}


def test_only_unequal_mixtures_say_what_carries_over(study: Study) -> None:
    """The equal ones and the single ones were known when this was planned."""

    def gain(quarters: dict[str, float], dataset: str) -> float:
        parts = [each for each in quarters.values() if each]
        return 3 if max(parts) - min(parts) < 0.1 else quarters["debate"]

    carried = found(study, gain)["carry_over"]
    assert [value(carried[name]) for name in DOMAINS] == pytest.approx([-0.2, -0.2, 0.4])


def test_mixing_is_compared_with_what_its_parts_teach_alone(study: Study) -> None:
    def gain(quarters: dict[str, float], dataset: str) -> float:
        return 3 if sum(map(bool, quarters.values())) > 1 else quarters["revision"] / 2

    section = found(study, gain)
    assert set(section["blending"]) == {*DOMAINS, "dispatch"}
    # alone: 0, 0.2 and 0
    assert [value(of) for of in section["blending"].values()] == pytest.approx([0.7 / 3] * 4)
    least = section["worst"]["several"]
    assert value(least) == pytest.approx(0.1, abs=0.03)  # 0.3 of any mixture, 0.2 of revision
    assert least["change"]["other_halves"]["value"] == pytest.approx(0.1, abs=0.03)
    assert len(least["change"]["least"]) == 4


def test_families_are_corrected_apart(study: Study) -> None:
    rng = np.random.default_rng(3)
    section = found(study, lambda quarters, dataset: int(rng.integers(0, 4)))
    sizes = {"carry_over": 3, "own": 3, "blending": 4, "worst": 1}
    for family, size in sizes.items():
        tests = [
            each[domain_shares.MEASURE[family]]["crossed"] for each in section[family].values()
        ]
        assert len(tests) == size
        p = [leaf["p"] for leaf in tests if "p" in leaf]
        assert [leaf["p_holm"] for leaf in tests if "p" in leaf] == holm_in_order(p)


def test_a_study_that_lacks_a_mixture_has_no_such_section(study: Study) -> None:
    arms = {name: arm for name, arm in study.arms.items() if name != "quarters_0_1_3_accuracy"}
    assert domain_shares.domain_shares(study.model_copy(update={"arms": arms}), []) == {}
    assert domain_shares.domain_shares(find_study("main"), []) == {}
    assert domain_shares.domain_shares(find_study("pairs"), []) == {}
