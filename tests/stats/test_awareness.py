import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score

from factmix.stats.awareness import COVERAGES, awareness, risks
from factmix.study.labels import LABELS

SETTINGS = {"resamples": 40, "confidence": 0.9}

# Few distinct values, so that ties occur; NA, PASS, FAIL, in tenths.
chances = st.sampled_from([(8, 1, 1), (1, 8, 1), (1, 1, 8), (4, 3, 3), (2, 5, 3), (4, 1, 5)])
judged = st.lists(st.tuples(st.sampled_from(LABELS), chances), max_size=40).map(
    lambda rows: [*rows, *((label, (4, 3, 3)) for label in LABELS)]
)


def rng(seed=0):
    return np.random.default_rng(seed)


def measure(rows, **changes):
    gold, tenths = zip(*rows, strict=True)
    return awareness(list(gold), np.array(tenths) / 10, **{**SETTINGS, "rng": rng(), **changes})


def values(rows):
    return {name: each.value for name, each in measure(rows).estimates.items()}


ROWS = [("NA", (8, 1, 1)), ("NA", (2, 5, 3)), ("PASS", (1, 8, 1)), ("FAIL", (4, 3, 3))]


def test_measures_by_hand():
    found = values(ROWS)
    # p(NA) .1 PASS, right; .2 NA, answered PASS: wrong; .4 FAIL, as probable as PASS: half wrong;
    # .8 NA: wrong
    each = [0 / 1, 1 / 2, 1.5 / 3, 2.5 / 4]
    assert found["aurc"] == pytest.approx(np.mean(each))
    assert found["risk_at_25"] == 0
    assert found["risk_at_50"] == pytest.approx(1 / 2)
    assert found["risk_at_100"] == pytest.approx(2.5 / 4)
    # Of the 2 x 2 pairs of NA and other, .8 beats both and .2 beats .1 only.
    assert found["auroc_na"] == pytest.approx(3 / 4)
    assert found["auroc_pass_fail"] == 1  # 8 to 1 for the PASS, and 1 to 1 for the FAIL
    squares = [0.04 + 0.01 + 0.01, 0.64 + 0.25 + 0.09, 0.01 + 0.04 + 0.01, 0.16 + 0.09 + 0.49]
    assert found["brier"] == pytest.approx(np.mean(squares))
    # Confidences .4 (wrong), .5 (wrong), .8 (right, twice), each value in a bin of its own
    assert found["ece"] == pytest.approx((0.4 + 0.5 + 2 * 0.2) / 4)


def test_a_risk_is_a_share_of_the_examples_that_are_answered():
    found = measure([*ROWS, ("FAIL", (4, 3, 3)), ("NA", (4, 3, 3))]).examples
    # p(NA) is .1, .2, .4 three times, and .8; equal ones are answered together
    answered = {name: n for name, n in found.items() if name.startswith("risk")}
    assert list(answered.values()) == [1, 2, 5, 5, 6]
    assert {found[name] for name in ("ece", "brier", "auroc_na", "aurc")} == {6}
    assert found["auroc_pass_fail"] == 3


@settings(max_examples=30)
@given(judged)
def test_curve_of_risks_goes_through_those_that_are_measured(rows):
    gold, tenths = zip(*rows, strict=True)
    curve = risks(list(gold), np.array(tenths) / 10, COVERAGES)
    found = values(rows)
    assert curve.tolist() == [found[f"risk_at_{round(100 * c)}"] for c in COVERAGES]


def test_curve_of_risks_rises_to_that_of_answering_everything():
    gold, tenths = zip(*ROWS, strict=True)
    curve = risks(list(gold), np.array(tenths) / 10, [0.1, 0.3, 0.6, 0.9])
    assert curve.tolist() == pytest.approx([0, 1 / 2, 1.5 / 3, 2.5 / 4])
    with pytest.raises(ValueError, match="do not sum to 1"):
        risks(list(gold), np.array(tenths), [1.0])


def test_reliability_counts_every_example_once():
    bins = measure(ROWS).reliability
    assert [(each.n, each.accuracy.value) for each in bins] == [(1, 0), (1, 0), (2, 1)]
    assert [each.confidence for each in bins] == pytest.approx([0.4, 0.5, 0.8])
    assert bins[2].accuracy.interval[0] < 0.6 < bins[2].accuracy.interval[1] == 1


def test_bins_hold_as_many_examples_each():
    top = 1 / 3 + np.linspace(0.01, 0.6, 100)
    probabilities = np.stack([top, (1 - top) / 2, (1 - top) / 2], axis=1)
    gold = [LABELS[i % 3] for i in range(100)]
    found = awareness(gold, probabilities, rng=rng(), **SETTINGS)
    assert [each.n for each in found.reliability] == [10] * 10


def test_calibration_error_of_a_calibrated_model_is_not_0_and_its_interval_lies_above():
    chance = rng(1)
    probabilities = chance.dirichlet([1, 1, 1], 1000)
    drawn = (chance.random((1000, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    gold = [LABELS[i] for i in drawn]
    found = awareness(gold, probabilities, rng=rng(), resamples=400, confidence=0.95)
    ece = found.estimates["ece"]
    assert 0.015 < ece.value < 0.06
    assert sum(ece.interval) / 2 > ece.value


def test_perfect_ranking_answers_half_without_risk():
    rows = [("NA", (8, 1, 1))] * 4 + [("PASS", (1, 8, 1))] * 2 + [("FAIL", (1, 1, 8))] * 2
    found = values(rows)
    assert found["auroc_na"] == 1
    assert found["risk_at_50"] == 0
    assert found["risk_at_100"] == 0.5


@settings(max_examples=25)
@given(judged)
def test_agreement_with_scikit_learn(rows):
    gold, tenths = zip(*rows, strict=True)
    is_na, p_na = [label == "NA" for label in gold], [each[0] / 10 for each in tenths]
    found = values(rows)
    assert found["auroc_na"] == pytest.approx(roc_auc_score(is_na, p_na))
    decided = [(label, each) for label, each in rows if label != "NA"]
    odds = []
    for _, (_, of_pass, of_fail) in decided:
        odds.append(of_pass / (of_pass + of_fail) if of_pass + of_fail else 0.5)
    told = roc_auc_score([label == "PASS" for label, _ in decided], np.round(odds, 12))
    assert found["auroc_pass_fail"] == pytest.approx(told)
    expected = sum(
        brier_score_loss([label == name for label in gold], [each[i] / 10 for each in tenths])
        for i, name in enumerate(LABELS)
    )
    assert found["brier"] == pytest.approx(expected)


@settings(max_examples=15)
@given(judged, st.randoms(use_true_random=False))
def test_order_of_examples_does_not_matter(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert values(shuffled) == pytest.approx(values(rows))


@settings(max_examples=15)
@given(judged)
def test_pass_and_fail_are_treated_alike(rows):
    swap = {"NA": "NA", "PASS": "FAIL", "FAIL": "PASS"}
    # Where PASS and FAIL are equally probable one of them has to be the answer.
    decided = [(gold, p) for gold, p in rows if p[1] != p[2]]
    decided += [(label, (2, 5, 3)) for label in LABELS]
    swapped = [(swap[gold], (na, fail, pass_)) for gold, (na, pass_, fail) in decided]
    assert values(swapped) == pytest.approx(values(decided))


def test_intervals_hold_the_value_and_shrink_with_more_examples():
    rows = ROWS * 5
    few, many = measure(rows, resamples=300), measure(rows * 16, resamples=300)
    for name in ("ece", "brier", "auroc_na", "aurc"):  # a risk at one coverage moves in steps
        low, high = few.estimates[name].interval
        assert low <= high
        assert np.subtract(*many.estimates[name].interval[::-1]) <= high - low
    low, high = many.estimates["aurc"].interval
    assert low < many.estimates["aurc"].value < high
    assert {f"risk_at_{round(100 * c)}" for c in COVERAGES} <= set(few.estimates)


def test_bootstrap_of_brier_spreads_as_the_strata_do():
    # Within NA the squares are 0.06 and 0.98 by halves; PASS and FAIL do not vary.
    rows = [("NA", (8, 1, 1)), ("NA", (2, 5, 3))] * 50
    rows += [("PASS", (1, 8, 1)), ("FAIL", (1, 1, 8))] * 50
    low, high = measure(rows, resamples=4000, confidence=0.95).estimates["brier"].interval
    error = 0.5 * (0.98 - 0.06) / 100**0.5 / 2
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.05)


def test_same_seed_same_intervals():
    assert measure(ROWS * 5) == measure(ROWS * 5)
    assert measure(ROWS * 5) != measure(ROWS * 5, rng=rng(1))


@pytest.mark.parametrize(
    ("gold", "probabilities", "message"),
    [
        (["NA", "PASS", "FAIL"], [[0.5, 0.5, 0.5]] * 3, "row 0: the probabilities .* do not sum"),
        (["NA", "PASS", "FAIL"], [[np.nan, 0.5, 0.5]] * 3, "row 0"),
        (["NA", "PASS", "FAIL"], [[1, 0, 0], [-0.5, 1, 0.5], [0, 1, 0]], "row 1: .* below 0"),
        (["NA", "PASS"], [[1.0, 0, 0]] * 2, "no example of some gold label"),
        (["NA"], [[0.5, 0.5]], r"probabilities of shape \(1, 2\); expected \(1, 3\)"),
    ],
)
def test_what_cannot_be_measured_is_refused(gold, probabilities, message):
    with pytest.raises(ValueError, match=message):
        awareness(gold, np.array(probabilities), rng=rng(), **SETTINGS)
