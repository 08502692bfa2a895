import ast

import numpy as np
import pytest

from factmix.organism.domains import SHARES
from factmix.results import domain_shares
from factmix.results.answers import Answers
from factmix.results.domain_number import verdict
from factmix.results.shared_kinds import kind_cases
from factmix.results.sweep import sweep_of
from factmix.stats.paired_tests import holm_in_order
from factmix.study.load import find_study
from factmix.study.spec import Study
from skilled_systems import probabilities, skilled

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
    sweep = sweep_of(study, mixtures)
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


def claims(dataset: str) -> tuple[list[str], list[str]]:
    """Gold labels and kinds: ten claims of each label and kind that the dataset has."""
    decided, undecided = SHARES[dataset]
    found = [("NA", kind) for kind in undecided]
    found += [(label, kind) for label in ("PASS", "FAIL") for kind in decided]
    gold, kinds = zip(*(each for each in found for _ in range(10)), strict=True)
    return list(gold), list(kinds)


def by_kinds(study: Study, gain) -> dict[str, dict]:
    """As `found`, where an arm adds `gain(quarters of its domains, dataset, kind)` tenths."""

    def answers(arm: str, dataset: str, seed: int) -> Answers:
        gold, kinds = claims(dataset)
        shares = [3] * len(gold)
        if arm != "base":
            of = study.mixtures[study.arms[arm].mixture]
            quarters = {name: sum(of.get(name, {}).values()) / 325 for name in DOMAINS}
            shares = [3 + round(gain(quarters, dataset, kind), 6) for kind in kinds]
        right = [(i + seed) % 10 < share for i, share in enumerate(shares)]
        groups = [f"g{i % 30}" for i in range(len(gold))]  # with claims of several kinds
        chances = probabilities(np.array(right), gold)
        return Answers(arm, gold, gold, groups, None, chances, kinds)

    by_seed = [
        {
            arm: {name: answers(arm, name, 0 if arm == "base" else seed) for name in study.datasets}
            for arm in ("base", *study.arms)
        }
        for seed in study.seeds
    ]
    return domain_shares.domain_shares(study, by_seed)["accuracy"]


def test_the_cases_of_kinds_are_those_of_the_plan(study: Study) -> None:
    cases = [case for case in kind_cases(study) if case.like and case.unlike]
    assert [(case.dataset, case.kind, case.like, case.unlike) for case in cases] == [
        ("encyclopedia", "two_sentences", ("revision",), ("debate",)),
        ("revision", "two_sentences", ("encyclopedia",), ("debate",)),
        ("revision", "conflict", ("debate",), ("encyclopedia",)),
        ("debate", "conflict", ("revision",), ("encyclopedia",)),
        ("dispatch", "two_sentences", ("encyclopedia", "revision"), ("debate",)),
        ("dispatch", "dated", ("revision",), ("encyclopedia", "debate")),
        ("dispatch", "conflict", ("revision", "debate"), ("encyclopedia",)),
    ]
    alone = [(case.dataset, case.kind) for case in kind_cases(study) if not case.like]
    assert ("dispatch", "withdrawn") in alone and ("revision", "vague") in alone


def test_what_follows_kinds_is_told_from_what_follows_domains(study: Study) -> None:
    like = {(case.dataset, case.kind): case.like for case in kind_cases(study)}
    specific = {
        (case.dataset, case.kind) for case in kind_cases(study) if case.like and case.unlike
    }

    def of_kinds(quarters: dict[str, float], dataset: str, kind: str) -> float:
        if (dataset, kind) not in specific:
            return 0
        return sum(quarters[name] for name in like[dataset, kind])

    section = by_kinds(study, of_kinds)
    asked = section["kinds"]
    assert [value(of) for of in asked.values()] == pytest.approx([0.4] * 7)
    assert value(section["follows_kinds"]["together"]) == pytest.approx(0.4)
    assert verdict(section["follows_kinds"]["together"], "change", ALPHA) == "yes"
    on_kind = [of["change"]["on_kind"] for of in asked.values()]
    assert [leaf["value"] for leaf in on_kind] == pytest.approx([0.4] * 7)
    assert not any("p" in leaf for leaf in on_kind)


def test_a_domain_that_teaches_more_about_everything_is_no_kind(study: Study) -> None:
    section = by_kinds(study, lambda quarters, dataset, kind: quarters["revision"])
    assert [value(of) for of in section["kinds"].values()] == pytest.approx([0] * 7, abs=1e-9)
    assert value(section["follows_kinds"]["together"]) == pytest.approx(0, abs=1e-9)
    on_kind = {name: of["change"]["on_kind"]["value"] for name, of in section["kinds"].items()}
    assert on_kind["conflict_on_debate"] == pytest.approx(0.4)
    assert on_kind["conflict_on_dispatch"] == pytest.approx(0.2)
    assert on_kind["two_sentences_on_revision"] == pytest.approx(0, abs=1e-9)


def test_the_mean_over_kinds_is_that_of_its_seven(study: Study) -> None:
    rng = np.random.default_rng(0)
    gains: dict[tuple[str, str, str], int] = {}

    def gain(quarters: dict[str, float], dataset: str, kind: str) -> float:
        key = (str(sorted(quarters.items())), dataset, kind)
        return gains.setdefault(key, int(rng.integers(0, 7)))

    section = by_kinds(study, gain)
    assert len(section["kinds"]) == 7
    for measure in ("change", "learning"):
        seven = [value(of, measure) for of in section["kinds"].values()]
        assert value(section["follows_kinds"]["together"], measure) == pytest.approx(np.mean(seven))
    # by hand: two sentences on encyclopedia, of revision over debate
    shares, seen = [], {"two_sentences": [], "other_matter": []}
    for (quarters, dataset, kind), tenths in gains.items():
        of = dict(ast.literal_eval(quarters))
        parts = [round(each) for each in of.values() if each]
        if dataset == "encyclopedia" and kind in seen and len(set(parts)) > 1:
            seen[kind].append(tenths / 10)
            if kind == "two_sentences":
                shares.append([of[name] / 4 for name in DOMAINS])
    assert len(shares) == 9
    of_two, of_other = (np.linalg.lstsq(np.array(shares), seen[k], rcond=None)[0] for k in seen)
    expected = (of_two[1] - of_two[2]) - (of_other[1] - of_other[2])
    assert value(section["kinds"]["two_sentences_on_encyclopedia"]) == pytest.approx(expected)


def test_kinds_that_no_other_domain_has_are_shown_without_a_test(study: Study) -> None:
    section = by_kinds(
        study, lambda quarters, dataset, kind: quarters["debate"] if kind == "dated" else 0
    )
    of = section["alone"]["revision"]["dated"]
    assert set(of) == {"encyclopedia", "debate"}
    assert of["debate"]["change"]["value"] == pytest.approx(0.4)
    assert of["encyclopedia"]["change"]["value"] == pytest.approx(0, abs=1e-9)
    assert "p" not in of["debate"]["change"]


def test_without_enough_claims_of_a_kind_nothing_is_asked_of_kinds(study: Study) -> None:
    section = found(study, lambda quarters, dataset: quarters["revision"])
    assert not {"kinds", "follows_kinds"} & set(section) and section["alone"] == {}


@pytest.mark.parametrize("change", ["one more", "twice", "no equal parts"])
def test_other_sets_of_mixtures_are_no_sweep(study: Study, change: str) -> None:
    mixtures = dict(study.mixtures)
    if change == "one more":
        mixtures["more"] = {
            "encyclopedia": {"NA": 400, "PASS": 400, "FAIL": 330},
            "revision": {"NA": 60, "PASS": 60, "FAIL": 50},
        }
    elif change == "twice":
        mixtures["more"] = mixtures["quarters_3_1_0"]
    else:
        mixtures.pop("balanced")
    of_one_size = study.model_copy(update={"mixtures": mixtures})
    assert sweep_of(study, list(study.mixtures)) is not None
    assert sweep_of(of_one_size, list(mixtures)) is None
