import pytest

from factmix import audit, published
from factmix.released import MIXTURES
from factmix.runs import find_study


@pytest.fixture(scope="module")
def derived():
    return published.load()


@pytest.fixture
def reward():
    return find_study("embedded").rewards["published"]


def test_missing_evidence_decides_fever_and_nothing_else(derived):
    fever = audit.no_evidence_rule(derived, "fever")
    assert fever == {"na_without": 1.0, "others_without": 6 / 500, "accuracy": 994 / 1000}
    assert audit.no_evidence_rule(derived, "vitaminc")["accuracy"] == 0.5


def test_overlap_by_hand(derived):
    overlap = audit.climate_overlap(derived)
    assert overlap["FAIL"] == {"pool": 253, "at_least": 147, "expected": 150 * 250 / 253}
    assert overlap["NA"]["at_least"] == 180 + 500 - 628
    assert overlap["PASS"]["at_least"] == 0
    assert sum(each["expected"] for each in overlap.values()) == pytest.approx(360.3, abs=0.1)


def test_always_na_beats_balanced_where_it_is_hard(derived):
    found = audit.accuracies(derived)
    assert found["vitaminc"]["balanced"] == pytest.approx(0.497)
    assert found["climatefever"]["balanced"] == pytest.approx(0.411)
    for dataset in ("vitaminc", "climatefever"):
        assert found[dataset]["balanced"] < found[dataset]["always_na"] == 0.5
        assert max(found[dataset], key=found[dataset].get) == "hard_only"


def test_only_the_control_has_answers_without_a_label(derived):
    found = audit.invalid_answers(derived)
    assert {d: of["control"] for d, of in found.items()} == {
        "fever": 12,
        "vitaminc": 10,
        "climatefever": 49,
    }
    assert all(of[mixture] == 0 for of in found.values() for mixture in MIXTURES)


def test_hard_only_never_explored(derived):
    found = audit.explored(derived)
    assert found["hard_only"] == {"steps": 200, "greatest": 0}
    assert found["hard_weighted"]["greatest"] > 0


def test_na_is_never_the_best_answer_under_the_printed_reward(reward):
    shares = audit.decision_shares(reward)
    assert shares["NA"] == 0
    assert shares["PASS"] + shares["FAIL"] == pytest.approx(1)
    gold = audit.decision_shares(reward.model_copy(update={"weight_by": "gold"}))
    assert gold["NA"] == 0


def test_plain_accuracy_divides_beliefs_evenly():
    shares = audit.decision_shares(find_study("embedded").rewards["accuracy"])
    assert shares == pytest.approx(dict.fromkeys(("NA", "PASS", "FAIL"), 1 / 3))
