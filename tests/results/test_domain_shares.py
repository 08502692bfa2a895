from dataclasses import replace

import numpy as np
import pytest

from factmix.results import domain_shares
from factmix.results.domain_number import verdict
from factmix.stats.paired_tests import holm_in_order
from factmix.study.load import find_study
from factmix.study.spec import Study
from skilled_systems import GOLD, probabilities, skilled

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


KINDS = [("conflict", "other_matter")[i % 2] for i in range(40)]  # of NA, and of PASS and FAIL
KINDS += [("two_sentences", "dated")[i % 2] for i in range(40)]


def by_kinds(study: Study, gain) -> dict[str, dict]:
    """As `found`, where an arm adds `gain(quarters of its domains, dataset, kind)` tenths."""
    place: dict[tuple[str, str], int] = {}
    number = []  # of each claim among those of its label and kind
    for key in zip(GOLD, KINDS, strict=True):
        number.append(place.get(key, 0))
        place[key] = number[-1] + 1

    def answers(arm: str, dataset: str, seed: int):
        if arm == "base":
            quarters = dict.fromkeys(DOMAINS, 0.0)
        else:
            of = study.mixtures[study.arms[arm].mixture]
            quarters = {name: sum(of.get(name, {}).values()) / 325 for name in DOMAINS}
        shares = [3 + (gain(quarters, dataset, kind) if arm != "base" else 0) for kind in KINDS]
        right = [(n + seed) % 10 < round(share, 6) for n, share in zip(number, shares, strict=True)]
        return probabilities(np.array(right))

    by_seed = []
    for seed in study.seeds:
        systems = skilled(study, lambda arm, dataset, after: 0.5, seed)
        by_seed.append(
            {
                arm: {
                    name: replace(
                        each,
                        kinds=KINDS,
                        probabilities=answers(arm, name, 0 if arm == "base" else seed),
                    )
                    for name, each in of.items()
                }
                for arm, of in systems.items()
            }
        )
    return domain_shares.domain_shares(study, by_seed)["accuracy"]


def test_the_cases_of_kinds_are_those_of_the_plan(study: Study) -> None:
    cases = [case for case in domain_shares.kind_cases(study) if case.like and case.unlike]
    assert [(case.dataset, case.kind, case.like, case.unlike) for case in cases] == [
        ("encyclopedia", "two_sentences", ("revision",), ("debate",)),
        ("revision", "two_sentences", ("encyclopedia",), ("debate",)),
        ("revision", "conflict", ("debate",), ("encyclopedia",)),
        ("debate", "conflict", ("revision",), ("encyclopedia",)),
        ("dispatch", "two_sentences", ("encyclopedia", "revision"), ("debate",)),
        ("dispatch", "dated", ("revision",), ("encyclopedia", "debate")),
        ("dispatch", "conflict", ("revision", "debate"), ("encyclopedia",)),
    ]
    alone = [(case.dataset, case.kind) for case in domain_shares.kind_cases(study) if not case.like]
    assert ("dispatch", "withdrawn") in alone and ("revision", "vague") in alone


def test_what_follows_kinds_is_told_from_what_follows_domains(study: Study) -> None:
    like = {(case.dataset, case.kind): case.like for case in domain_shares.kind_cases(study)}

    def of_kinds(quarters: dict[str, float], dataset: str, kind: str) -> float:
        return sum(quarters[name] for name in like.get((dataset, kind), ()))

    section = by_kinds(study, of_kinds)
    asked = section["kinds"]
    assert [value(of) for of in asked.values()] == pytest.approx([0.4] * 7)
    assert value(section["follows_kinds"]["together"]) == pytest.approx(0.4)
    assert verdict(section["follows_kinds"]["together"], "change", ALPHA) == "yes"
    # the same everywhere: nothing follows kinds
    section = by_kinds(study, lambda quarters, dataset, kind: quarters["revision"])
    revision = {"two_sentences_on_encyclopedia", "conflict_on_debate", "dated_on_dispatch"}
    for name, of in section["kinds"].items():
        expected = {
            "two_sentences_on_dispatch": 0.2,
            "conflict_on_dispatch": 0.2,
        }.get(name, 0.4 if name in revision else 0)
        assert value(of) == pytest.approx(expected, abs=1e-9)
    expected = (3 * 0.4 + 2 * 0.2) / 7
    assert value(section["follows_kinds"]["together"]) == pytest.approx(expected)


def test_the_mean_over_kinds_is_that_of_its_seven(study: Study) -> None:
    rng = np.random.default_rng(0)
    gains: dict[tuple[str, str, str], int] = {}

    def gain(quarters: dict[str, float], dataset: str, kind: str) -> float:
        key = (str(sorted(quarters.items())), dataset, kind)
        return gains.setdefault(key, int(rng.integers(0, 7)))

    section = by_kinds(study, gain)
    for measure in ("change", "learning"):
        seven = [value(of, measure) for of in section["kinds"].values()]
        assert value(section["follows_kinds"]["together"], measure) == pytest.approx(np.mean(seven))


def test_kinds_that_no_other_domain_has_are_shown_without_a_test(study: Study) -> None:
    section = by_kinds(
        study, lambda quarters, dataset, kind: quarters["debate"] if kind == "dated" else 0
    )
    of = section["alone"]["revision"]["dated"]["change"]  # of encyclopedia and debate
    assert of["value"] == pytest.approx(0.2) and "p" not in of
