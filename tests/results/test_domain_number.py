import zlib

import numpy as np
import pytest

from factmix.results import domain_number
from factmix.stats.paired_tests import holm_in_order
from factmix.study.load import find_study
from factmix.study.spec import Study
from skilled_systems import skilled

ALPHA = 0.01


@pytest.fixture
def study() -> Study:
    study = find_study("pairs")
    return study.model_copy(update={"seeds": study.seeds[:3]})


def found(study: Study, gain) -> dict[str, dict]:
    """The section where an arm adds `gain(datasets of its mixture, dataset)` to half of all."""

    def skill(arm: str, dataset: str, after: float) -> float:
        trained_on = set() if arm == "base" else set(study.mixtures[study.arms[arm].mixture])
        return 0.5 + (gain(trained_on, dataset) if arm != "base" else 0)

    by_seed = [skilled(study, skill, seed) for seed in study.seeds]
    return domain_number.domain_number(study, by_seed)["accuracy"]


def value(of: dict, measure: str = "change") -> float:
    return of[measure]["crossed"]["value"]


def test_what_the_number_of_domains_adds_is_told_from_what_an_easy_one_does(study: Study) -> None:
    by_number = found(study, lambda of, dataset: (0, 0.1, 0.3)[len(of) - 1])["generalisation"]
    assert value(by_number["second"]) == pytest.approx(0.1)
    assert value(by_number["third"]) == pytest.approx(0.2)
    assert value(by_number["easy_in_pair"]) == value(by_number["easy_alone"]) == 0
    of_easy = found(study, lambda of, dataset: 0.3 * ("encyclopedia" in of))["generalisation"]
    assert value(of_easy["easy_in_pair"]) == value(of_easy["easy_alone"]) == pytest.approx(0.3)
    # two of three pairs, and one of three single domains
    assert value(of_easy["second"]) == pytest.approx(0.1)
    assert value(of_easy["easy_alone"], "learning") == pytest.approx(0.3, abs=0.05)
    said = {name: domain_number.verdict(each, "learning", ALPHA) for name, each in of_easy.items()}
    assert said["easy_alone"] == "yes"
    worse = found(study, lambda of, dataset: 0.3 * (len(of) == 1))["generalisation"]
    assert domain_number.verdict(worse["second"], "learning", ALPHA) == "no"
    same = found(study, lambda of, dataset: 0.0)["generalisation"]
    assert domain_number.verdict(same["second"], "learning", ALPHA) == "undecided"


def test_sharing_is_about_a_mixtures_own_domains_and_left_out_about_others(study: Study) -> None:
    own = found(study, lambda of, dataset: 0.4 if of == {dataset} else 0.2 * (dataset in of))
    assert {value(each) for each in own["left_out"].values()} == {0}
    assert [value(each) for each in own["shared"].values()] == pytest.approx([0.2] * 3)
    others = found(study, lambda of, dataset: 0.1 * len(of) * (dataset not in of))
    assert [value(each) for each in others["left_out"].values()] == pytest.approx([0.1] * 3)
    assert {value(each) for each in others["shared"].values()} == {0}
    assert list(own["shared"]) == list(own["left_out"]) == ["encyclopedia", "revision", "debate"]


def test_the_worst_domain_is_that_of_the_best_mixture(study: Study) -> None:
    # alone, a domain loses on the others; a pair loses on the third unless it has the easy one
    def gain(of: set[str], dataset: str) -> float:
        if dataset in of:
            return 0.4
        return -0.2 if len(of) == 1 else 0.1 * ("encyclopedia" in of)

    worst = found(study, gain)["worst"]
    # shares are of tens, and halves are not
    assert value(worst["second"]) == pytest.approx(0.3, abs=0.05)
    assert value(worst["third"]) == pytest.approx(0.0, abs=0.05)  # dispatch, 0.1 at best
    assert value(worst["easy_in_pair"]) == pytest.approx(0.1, abs=0.05)


def test_a_study_that_lacks_a_mixture_has_no_such_section(study: Study) -> None:
    arms = {name: arm for name, arm in study.arms.items() if name != "debate_only_accuracy"}
    assert domain_number.domain_number(study.model_copy(update={"arms": arms}), []) == {}
    assert domain_number.domain_number(find_study("main"), []) == {}
    larger = {label: count + 3 for label, count in study.mixtures["debate_only"]["debate"].items()}
    mixtures = study.mixtures | {"debate_only": {"debate": larger}}
    assert domain_number.domain_number(study.model_copy(update={"mixtures": mixtures}), []) == {}


def test_families_are_corrected_apart_and_other_halves_stand_beside(study: Study) -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 0.05, size=1000)

    def gain(of: set[str], dataset: str) -> float:
        return float(noise[zlib.crc32("".join(sorted(of | {f"+{dataset}"})).encode()) % 1000])

    section = found(study, gain)
    for family, size in {"generalisation": 4, "left_out": 3, "shared": 3, "worst": 3}.items():
        tests = [
            each[domain_number.MEASURE[family]]["crossed"] for each in section[family].values()
        ]
        assert len(tests) == size
        p = [leaf["p"] for leaf in tests if "p" in leaf]
        assert [leaf["p_holm"] for leaf in tests if "p" in leaf] == holm_in_order(p)
    for question in section["worst"].values():
        low, high = question["change"]["other_halves"]["interval"]
        assert low <= question["change"]["other_halves"]["value"] <= high
        assert set(question["change"]["least"]) <= set(study.datasets)
        assert len(question["change"]["least"]) == 4
