import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, recall_score
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from factmix import stats
from factmix.labels import ANSWERS, LABELS

# Gold NA: 4 examples, PASS: 4, FAIL: 2; columns NA, PASS, FAIL, INVALID.
CONFUSION = np.array([[2, 1, 0, 1], [1, 3, 0, 0], [1, 0, 1, 0]])

answered = st.lists(
    st.tuples(st.sampled_from(LABELS), st.sampled_from(ANSWERS), st.sampled_from(ANSWERS)),
    max_size=60,
).map(lambda rows: [*rows, *((label, "INVALID", "NA") for label in LABELS)])  # some of each label


def rng(seed=0):
    return np.random.default_rng(seed)


def test_contingency_counts_gold_by_answer_with_invalid_last():
    counts = stats.contingency(["NA", "NA", "FAIL", "PASS"], ["NA", "INVALID", "PASS", "PASS"])
    assert counts.tolist() == [[1, 0, 0, 1], [0, 1, 0, 0], [0, 1, 0, 0]]


def test_contingency_of_two_systems_keeps_the_pairing():
    counts = stats.contingency(["FAIL", "FAIL"], ["NA", "PASS"], ["FAIL", "INVALID"])
    assert counts.shape == (3, 4, 4)
    assert counts[2, 0, 2] == counts[2, 1, 3] == 1
    assert counts.sum() == 2


@pytest.mark.parametrize(
    ("gold", "answers", "message"),
    [
        (["NA"], ["MAYBE"], "answer 'MAYBE' is unknown; expected one of: NA, PASS, FAIL, INVALID"),
        (["INVALID"], ["NA"], "gold label 'INVALID' is unknown; expected one of: NA, PASS, FAIL"),
        (["NA"], ["NA", "NA"], "1 gold labels, but 2 answers"),
    ],
)
def test_contingency_refuses_what_it_cannot_count(gold, answers, message):
    with pytest.raises(ValueError, match=message):
        stats.contingency(gold, answers)


def test_metrics_by_hand():
    expected = {
        "accuracy": 6 / 10,
        "balanced_accuracy": (2 / 4 + 3 / 4 + 1 / 2) / 3,
        "macro_f1": (4 / 8 + 6 / 8 + 2 / 3) / 3,
        "f1_na": 4 / 8,  # 2 right, 4 gold, 4 answered
        "f1_pass": 6 / 8,
        "f1_fail": 2 / 3,
        "recall_na": 2 / 4,
        "recall_pass": 3 / 4,
        "recall_fail": 1 / 2,
    }
    assert stats.metrics(CONFUSION) == pytest.approx(expected)
    assert tuple(expected) == stats.METRICS


def test_f1_of_a_label_that_is_never_answered_is_zero():
    always_na = np.array([[5, 0, 0, 0], [3, 0, 0, 0], [2, 0, 0, 0]])
    values = stats.metrics(always_na)
    assert values["f1_pass"] == values["f1_fail"] == 0
    assert values["balanced_accuracy"] == pytest.approx(1 / 3)


def test_metrics_name_the_label_without_examples():
    with pytest.raises(ValueError, match="no example with gold label PASS, FAIL"):
        stats.metrics(np.array([[5, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]))


@pytest.mark.filterwarnings("ignore:y_pred contains classes")  # INVALID is never gold
@settings(max_examples=25, deadline=None)
@given(answered)
def test_metrics_agree_with_scikit_learn(rows):
    gold, answer, _ = zip(*rows, strict=True)
    values = stats.metrics(stats.contingency(gold, answer))
    f1 = f1_score(gold, answer, labels=LABELS, average=None, zero_division=0)
    recall = recall_score(gold, answer, labels=LABELS, average=None, zero_division=0)
    assert values["accuracy"] == pytest.approx(accuracy_score(gold, answer))
    assert values["macro_f1"] == pytest.approx(f1.mean())
    assert [values[f"f1_{label.lower()}"] for label in LABELS] == pytest.approx(f1.tolist())
    assert [values[f"recall_{label.lower()}"] for label in LABELS] == pytest.approx(recall.tolist())
    assert values["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(gold, answer))


def test_resamples_keep_the_count_of_each_gold_label():
    drawn = stats.resample(CONFUSION, 50, rng())
    assert drawn.shape == (50, 3, 4)
    assert (drawn.sum(axis=2) == [4, 4, 2]).all()
    assert (drawn[:, CONFUSION == 0] == 0).all()
    assert len(np.unique(drawn.reshape(50, -1), axis=0)) > 10


def test_resamples_spread_as_the_multinomial_does():
    drawn = stats.resample(np.array([[30, 10, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]), 20_000, rng())
    assert drawn[:, 0, 0].mean() == pytest.approx(30, abs=0.1)
    assert drawn[:, 0, 0].std() == pytest.approx((40 * 0.75 * 0.25) ** 0.5, rel=0.02)


def test_bootstrap_interval_of_a_share_is_that_of_the_binomial():
    counts = np.array([[300, 100, 0, 0], [0, 10, 0, 0], [0, 0, 10, 0]])
    recall = stats.bootstrap_metrics(counts, resamples=20_000, confidence=0.95, rng=rng())[
        "recall_na"
    ]
    assert recall.value == 0.75
    assert recall.interval == pytest.approx(
        tuple(scipy_stats.binom(400, 0.75).ppf([0.025, 0.975]) / 400), abs=0.004
    )
    assert recall.p is None


def test_gains_are_second_minus_first():
    gold = ["NA"] * 4 + ["PASS"] * 4 + ["FAIL"] * 2
    first = ["NA", "PASS", "PASS", "INVALID"] + ["PASS"] * 4 + ["FAIL", "NA"]
    second = ["NA", "NA", "NA", "INVALID"] + ["PASS"] * 3 + ["NA"] + ["FAIL", "NA"]
    gains = stats.bootstrap_gains(
        stats.contingency(gold, first, second), resamples=200, confidence=0.9, rng=rng()
    )
    assert gains["accuracy"].value == pytest.approx(0.1)
    assert gains["recall_na"].value == pytest.approx(0.5)
    assert gains["recall_pass"].value == pytest.approx(-0.25)
    assert gains["f1_fail"].value == 0


def test_pairing_matters_to_the_gains_interval():
    answers = ["NA"] * 50 + ["PASS"] * 50
    gold = ["NA"] * 98 + ["PASS", "FAIL"]
    same = stats.bootstrap_gains(
        stats.contingency(gold, answers, answers), resamples=500, confidence=0.95, rng=rng()
    )["recall_na"]
    opposed = stats.bootstrap_gains(
        stats.contingency(gold, answers, answers[::-1]), resamples=500, confidence=0.95, rng=rng()
    )["recall_na"]
    assert same.interval == (0, 0)
    assert same.p == 1
    assert opposed.interval[0] < -0.15 < 0.15 < opposed.interval[1]


@settings(max_examples=15, deadline=None)
@given(answered)
def test_swapping_the_systems_turns_the_gains_around(rows):
    gold, first, second = zip(*rows, strict=True)
    there = stats.bootstrap_gains(
        stats.contingency(gold, first, second), resamples=20, confidence=0.9, rng=rng()
    )
    back = stats.bootstrap_gains(
        stats.contingency(gold, second, first), resamples=20, confidence=0.9, rng=rng()
    )
    for name in stats.METRICS:
        assert there[name].value == pytest.approx(-back[name].value)


def test_same_seed_same_intervals_and_another_seed_other_ones():
    counts = np.array([[20, 9, 0, 3], [7, 30, 5, 0], [4, 0, 11, 2]])

    def intervals(seed):
        estimates = stats.bootstrap_metrics(counts, resamples=300, confidence=0.95, rng=rng(seed))
        return [estimate.interval for estimate in estimates.values()]

    assert intervals(1) == intervals(1)
    assert intervals(1) != intervals(2)


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([0.1] * 99, 2 / 100),  # nothing at or below 0
        ([-0.1] * 99, 2 / 100),
        ([0.1] * 90 + [0.0] * 9, 2 * 10 / 100),
        ([0.0] * 99, 1.0),
    ],
)
def test_bootstrap_p_by_hand(differences, p):
    assert stats.bootstrap_p(np.array(differences)) == pytest.approx(p)


def test_mcnemar_by_hand():
    gold = ["PASS"] * 8 + ["NA"]
    first = ["FAIL"] * 6 + ["PASS"] * 2 + ["NA"]
    second = ["PASS"] * 5 + ["NA"] + ["INVALID"] + ["PASS"] + ["NA"]
    test = stats.mcnemar(stats.contingency(gold, first, second))
    assert (test.fixed, test.broken) == (5, 1)
    assert test.p == pytest.approx(2 * (1 + 6) / 2**6)  # binomial tail of at most 1 in 6


@settings(max_examples=15, deadline=None)
@given(answered)
def test_mcnemar_agrees_with_statsmodels_on_the_rows(rows):
    gold, first, second = (np.array(column) for column in zip(*rows, strict=True))
    table = [[((first == gold) == a) & ((second == gold) == b) for b in (1, 0)] for a in (1, 0)]
    expected = statsmodels_mcnemar(np.array(table).sum(axis=-1), exact=True)
    assert stats.mcnemar(stats.contingency(gold, first, second)).p == pytest.approx(expected.pvalue)


def test_wilson_interval_by_hand():
    share = stats.proportion(10, 10, confidence=0.95)
    z2 = 1.959964**2
    assert share.value == 1
    assert share.interval == pytest.approx((10 / (10 + z2), 1.0))


def test_mean_gain_by_hand():
    gain = stats.mean_gain([1.0, 3.0], [5.0, 7.0], confidence=0.95)
    # Both variances are 2, so the standard error is sqrt(2/2 + 2/2) with 2 degrees of freedom.
    assert gain.value == 4
    assert gain.interval == pytest.approx((4 - 4.302653 * 2**0.5, 4 + 4.302653 * 2**0.5))
    assert gain.p == pytest.approx(2 * scipy_stats.t(2).sf(4 / 2**0.5))


@pytest.mark.parametrize(("start", "end"), [([0.0], [1.0, 2.0]), ([1.0, 1.0], [2.0, 2.0])])
def test_mean_gain_claims_no_interval_where_there_is_none(start, end):
    gain = stats.mean_gain(start, end, confidence=0.95)
    assert gain.value >= 1
    assert gain.interval is None
    assert gain.p is None
