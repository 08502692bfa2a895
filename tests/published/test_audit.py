import pytest

from factmix.published import audit, recomputed
from factmix.published.released import MIXTURES
from factmix.study.load import find_study


@pytest.fixture(scope="module")
def derived():
    return recomputed.load()


@pytest.fixture
def reward():
    return find_study("main").rewards["published"]


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
    shares = audit.decision_shares(find_study("main").rewards["accuracy"])
    assert shares == pytest.approx(dict.fromkeys(("NA", "PASS", "FAIL"), 1 / 3))


def test_a_smaller_draw_forces_less_overlap(derived):
    balanced = audit.climate_overlap(derived, {"NA": 120, "PASS": 120, "FAIL": 100})
    assert [balanced[label]["at_least"] for label in ("NA", "PASS", "FAIL")] == [0, 0, 97]


def test_logs_tell_the_weights_of_their_reward(derived, reward):
    assert audit.implied_weights(derived, "hard_only", reward.wrong) == {"PASS": 2.5, "FAIL": 3.5}
    assert audit.implied_weights(derived, "balanced", reward.wrong) == {"PASS": 2.0, "FAIL": 4.0}
    assert audit.implied_weights(derived, "hard_weighted", reward.wrong) == {}


@pytest.mark.parametrize("weight_by", ["predicted", "gold"])
def test_the_printed_reward_leaves_na_no_region(reward, weight_by):
    regions = audit.decision_regions(reward.model_copy(update={"weight_by": weight_by}))
    assert len(regions["NA"]) == 0
    # Weights of the predicted label: 18 p + 6.75 (1 - p) = 6.25 p + 22 (1 - p), p being p(PASS);
    # of the gold label: 18 p + 6.25 (1 - p) = 6.75 p + 22 (1 - p).
    between = {"predicted": 15.25 / 27, "gold": 15.75 / 27}[weight_by]
    assert any(corner == pytest.approx([0, between, 1 - between]) for corner in regions["PASS"])


def test_accuracy_pays_the_most_probable_label():
    regions = audit.decision_regions(find_study("main").rewards["accuracy"])
    for label, corners in regions.items():
        best = ["NA", "PASS", "FAIL"].index(label)
        assert corners[:, best] == pytest.approx(corners.max(axis=1))
        assert len(corners) == 4


def test_sizes_of_the_published_mixtures():
    sizes = audit.mixture_sizes(find_study("paper"))
    assert {name: of["total"] for name, of in sizes.items()} == {
        "hard_weighted": 1300,
        "balanced": 1020,
        "hard_only": 1020,
    }
    assert sizes["hard_weighted"]["easy"] == pytest.approx(280 / 1300)
    assert (sizes["balanced"]["easy"], sizes["hard_only"]["easy"]) == (1 / 3, 0)
    assert sizes["hard_only"]["passes"] == pytest.approx(200 * 32 / 1020)


def test_sampler_lags_until_it_is_renewed():
    # Renewed after steps 2 and 4: steps 0 to 2 sample with the start, 3 and 4 with three updates.
    assert audit.sampler_age(6, every=2) == {"untrained": 3, "mean": 4 / 6, "longest": 2}
    assert audit.sampler_age(200)["untrained"] == 51
