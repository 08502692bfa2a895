import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, recall_score

from factmix.stats import bootstrap
from factmix.stats.bootstrap import (
    Estimate,
    bootstrap_gains,
    bootstrap_metrics,
    bootstrap_p,
    cluster_gains,
    cluster_metrics,
    mean_by_t,
    noninferiority_p,
    proportion,
    resample,
    resample_groups,
)
from factmix.stats.metrics import METRICS, contingency, gains, grouped_contingency, metrics
from factmix.study.labels import ANSWERS, LABELS

# Gold NA: 4 examples, PASS: 4, FAIL: 2; columns NA, PASS, FAIL, INVALID.
CONFUSION = np.array([[2, 1, 0, 1], [1, 3, 0, 0], [1, 0, 1, 0]])

answered = st.lists(
    st.tuples(st.sampled_from(LABELS), st.sampled_from(ANSWERS), st.sampled_from(ANSWERS)),
    max_size=60,
).map(lambda rows: [*rows, *((label, "INVALID", "NA") for label in LABELS)])  # some of each label


def rng(seed=0):
    return np.random.default_rng(seed)


def test_contingency_counts_gold_by_answer_with_invalid_last():
    counts = contingency(["NA", "NA", "FAIL", "PASS"], ["NA", "INVALID", "PASS", "PASS"])
    assert counts.tolist() == [[1, 0, 0, 1], [0, 1, 0, 0], [0, 1, 0, 0]]


def test_contingency_of_two_systems_keeps_the_pairing():
    counts = contingency(["FAIL", "FAIL"], ["NA", "PASS"], ["FAIL", "INVALID"])
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
        contingency(gold, answers)


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
    assert metrics(CONFUSION) == pytest.approx(expected)
    assert tuple(expected) == METRICS


def test_f1_of_a_label_that_is_never_answered_is_zero():
    always_na = np.array([[5, 0, 0, 0], [3, 0, 0, 0], [2, 0, 0, 0]])
    values = metrics(always_na)
    assert values["f1_pass"] == values["f1_fail"] == 0
    assert values["balanced_accuracy"] == pytest.approx(1 / 3)


def test_metrics_name_the_label_without_examples():
    with pytest.raises(ValueError, match="no example with gold label PASS, FAIL"):
        metrics(np.array([[5, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]))


@pytest.mark.filterwarnings("ignore:y_pred contains classes")  # INVALID is never gold
@settings(max_examples=25, deadline=None)
@given(answered)
def test_metrics_agree_with_scikit_learn(rows):
    gold, answer, _ = zip(*rows, strict=True)
    values = metrics(contingency(gold, answer))
    f1 = f1_score(gold, answer, labels=LABELS, average=None, zero_division=0)
    recall = recall_score(gold, answer, labels=LABELS, average=None, zero_division=0)
    assert values["accuracy"] == pytest.approx(accuracy_score(gold, answer))
    assert values["macro_f1"] == pytest.approx(f1.mean())
    assert [values[f"f1_{label.lower()}"] for label in LABELS] == pytest.approx(f1.tolist())
    assert [values[f"recall_{label.lower()}"] for label in LABELS] == pytest.approx(recall.tolist())
    assert values["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(gold, answer))


def test_resamples_keep_the_count_of_each_gold_label():
    drawn = resample(CONFUSION, 50, rng())
    assert drawn.shape == (50, 3, 4)
    assert (drawn.sum(axis=2) == [4, 4, 2]).all()
    assert (drawn[:, CONFUSION == 0] == 0).all()
    assert len(np.unique(drawn.reshape(50, -1), axis=0)) > 10


def test_resamples_spread_as_the_multinomial_does():
    drawn = resample(np.array([[30, 10, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]), 20_000, rng())
    assert drawn[:, 0, 0].mean() == pytest.approx(30, abs=0.1)
    assert drawn[:, 0, 0].std() == pytest.approx((40 * 0.75 * 0.25) ** 0.5, rel=0.02)


def test_bootstrap_interval_of_a_share_is_that_of_the_binomial():
    counts = np.array([[300, 100, 0, 0], [0, 10, 0, 0], [0, 0, 10, 0]])
    recall = bootstrap_metrics(counts, resamples=20_000, confidence=0.95, rng=rng())["recall_na"]
    assert recall.value == 0.75
    assert recall.interval == pytest.approx(
        tuple(scipy_stats.binom(400, 0.75).ppf([0.025, 0.975]) / 400), abs=0.004
    )
    assert recall.p is None


def test_gains_are_second_minus_first():
    gold = ["NA"] * 4 + ["PASS"] * 4 + ["FAIL"] * 2
    first = ["NA", "PASS", "PASS", "INVALID"] + ["PASS"] * 4 + ["FAIL", "NA"]
    second = ["NA", "NA", "NA", "INVALID"] + ["PASS"] * 3 + ["NA"] + ["FAIL", "NA"]
    gains = bootstrap_gains(
        contingency(gold, first, second), resamples=200, confidence=0.9, rng=rng()
    )
    assert gains["accuracy"].value == pytest.approx(0.1)
    assert gains["recall_na"].value == pytest.approx(0.5)
    assert gains["recall_pass"].value == pytest.approx(-0.25)
    assert gains["f1_fail"].value == 0


def test_pairing_matters_to_the_gains_interval():
    answers = ["NA"] * 50 + ["PASS"] * 50
    gold = ["NA"] * 98 + ["PASS", "FAIL"]
    same = bootstrap_gains(
        contingency(gold, answers, answers), resamples=500, confidence=0.95, rng=rng()
    )["recall_na"]
    opposed = bootstrap_gains(
        contingency(gold, answers, answers[::-1]), resamples=500, confidence=0.95, rng=rng()
    )["recall_na"]
    assert same.interval == (0, 0)
    assert same.p == 1
    assert opposed.interval[0] < -0.15 < 0.15 < opposed.interval[1]


@settings(max_examples=15, deadline=None)
@given(answered)
def test_swapping_the_systems_turns_the_gains_around(rows):
    gold, first, second = zip(*rows, strict=True)
    there = bootstrap_gains(
        contingency(gold, first, second), resamples=20, confidence=0.9, rng=rng()
    )
    back = bootstrap_gains(
        contingency(gold, second, first), resamples=20, confidence=0.9, rng=rng()
    )
    for name in METRICS:
        assert there[name].value == pytest.approx(-back[name].value)


def test_same_seed_same_intervals_and_another_seed_other_ones():
    counts = np.array([[20, 9, 0, 3], [7, 30, 5, 0], [4, 0, 11, 2]])

    def intervals(seed):
        estimates = bootstrap_metrics(counts, resamples=300, confidence=0.95, rng=rng(seed))
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
    assert bootstrap_p(np.array(differences)) == pytest.approx(p)


def test_wilson_interval_by_hand():
    share = proportion(10, 10, confidence=0.95)
    z2 = 1.959964**2
    assert share.value == 1
    assert share.interval == pytest.approx((10 / (10 + z2), 1.0))


def test_mean_by_t_by_hand():
    mean = mean_by_t([4.0, 4.0, 1.0], confidence=0.95)
    # The variance is 3, so the standard error is 1, with 2 degrees of freedom.
    assert mean.value == 3
    assert mean.interval == pytest.approx((3 - 4.302653, 3 + 4.302653))
    assert mean.p == pytest.approx(2 * scipy_stats.t(2).sf(3))
    assert mean.p == pytest.approx(scipy_stats.ttest_1samp([4.0, 4.0, 1.0], 0).pvalue)


@pytest.mark.parametrize("values", [[1.0], [1.0, 1.0], [0.1, 0.1, 0.1]])
def test_mean_by_t_claims_no_interval_where_there_is_none(values):
    mean = mean_by_t(values, confidence=0.95)
    assert mean.value == pytest.approx(values[0])
    assert mean.interval is None
    assert mean.p is None


def test_plain_resamples_let_the_count_of_each_gold_label_vary():
    drawn = resample(CONFUSION, 200, rng(), stratified=False)
    assert (drawn.sum(axis=(1, 2)) == 10).all()
    assert len(np.unique(drawn.sum(axis=2)[:, 0])) > 3


def test_plain_resamples_without_some_label_are_left_out():
    lonely = np.array([[6, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]])
    values = bootstrap_metrics(lonely, resamples=200, confidence=0.95, rng=rng(), stratified=False)
    assert values["macro_f1"].interval == (1, 1)


def test_intervals_of_fixed_gold_counts_are_those_of_the_strata():
    # All NA right, all others wrong: with fixed counts accuracy cannot vary, without it does.
    counts = np.array([[50, 0, 0, 0], [25, 0, 0, 0], [25, 0, 0, 0]])
    settings = {"resamples": 500, "confidence": 0.95}
    fixed = bootstrap_metrics(counts, rng=rng(), **settings)["accuracy"]
    free = bootstrap_metrics(counts, rng=rng(), stratified=False, **settings)["accuracy"]
    assert fixed.interval == (0.5, 0.5)
    assert free.interval == pytest.approx((0.4, 0.6), abs=0.03)


def test_bca_interval_agrees_with_scipy_on_one_sample():
    counts = np.array([[3, 0, 0, 37], [0, 0, 0, 0], [0, 0, 0, 0]])

    def recall_na(tables):
        return {"recall": tables[..., 0, 0] / tables[..., 0, :].sum(axis=-1)}

    drawn = recall_na(resample(counts, 20_000, rng()))["recall"]
    skew = bootstrap.accelerations(counts, recall_na, stratified=True)["recall"]
    ours = bootstrap.bca(3 / 40, drawn, skew, 0.95)
    rows = np.repeat([1.0, 0.0], [3, 37])
    theirs = scipy_stats.bootstrap(
        (rows,), np.mean, n_resamples=20_000, method="BCa", rng=rng()
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.026)  # one of 40
    assert skew == pytest.approx(scipy_stats.skew(rows) / 6 / 40**0.5)


@settings(max_examples=10)
@given(answered)
def test_leaving_out_cells_is_leaving_out_each_example(rows):
    gold, first, second = (list(column) for column in zip(*rows, strict=True))
    counts = contingency(gold, first, second)
    ours = bootstrap.accelerations(counts, gains, stratified=False)["accuracy"]
    influence = []
    for i in range(len(rows)):
        if gold.count(gold[i]) > 1:
            rest = [[*column[:i], *column[i + 1 :]] for column in (gold, first, second)]
            influence.append(float(gains(contingency(*rest))["accuracy"]))
    d = np.mean(influence) - np.array(influence) if influence else np.zeros(1)
    spread = (d**2).sum()
    expected = (d**3).sum() / (6 * spread**1.5) if spread > 1e-20 else 0.0
    assert ours == pytest.approx(expected, abs=1e-6)


def test_bca_of_what_cannot_vary_is_its_value():
    perfect = np.diag([5, 5, 5])
    counts = np.concatenate([perfect, np.zeros((3, 1), dtype=int)], axis=1)
    values = bootstrap_metrics(counts, resamples=50, confidence=0.9, rng=rng(), interval="bca")
    assert values["accuracy"].interval == (1, 1)


def test_groups_are_resampled_whole():
    groups = ["a", "a", "b", "b", "c"]
    gold, answer = ["NA", "NA", "PASS", "FAIL", "FAIL"], ["NA", "NA", "PASS", "NA", "NA"]
    counts = grouped_contingency(groups, gold, answer)
    assert counts.shape == (3, 3, 4)
    assert (counts.sum(axis=0) == contingency(gold, answer)).all()
    drawn = resample_groups(counts, 300, rng())
    assert set(drawn[:, 0, 0]) <= {0, 2, 4, 6}
    assert drawn.sum(axis=(1, 2)).min() < 5 < drawn.sum(axis=(1, 2)).max()


def test_cluster_intervals_are_wider_where_groups_agree():
    gold = ["NA"] * 200 + ["PASS"] * 100 + ["FAIL"] * 100
    right = np.arange(400) // 4 % 2 == 0  # four in a row are right, or wrong, together
    answer = np.where(right, gold, "INVALID").tolist()
    settings = {"resamples": 2000, "confidence": 0.95, "rng": rng()}
    groups = [f"g{i // 4}" for i in range(400)]
    whole = cluster_metrics(grouped_contingency(groups, gold, answer), **settings)
    single = bootstrap_metrics(contingency(gold, answer), **settings)
    low, high = whole["accuracy"].interval
    assert high - low == pytest.approx(2 * np.subtract(*single["accuracy"].interval[::-1]), rel=0.1)
    assert whole["accuracy"].value == single["accuracy"].value == 0.5


def test_groups_of_one_are_the_plain_bootstrap():
    gold, answer = ["NA", "PASS", "FAIL"] * 40, ["NA", "NA", "FAIL"] * 40
    settings = {"resamples": 4000, "confidence": 0.95, "rng": rng()}
    counts = grouped_contingency(list(map(str, range(120))), gold, answer)
    whole = cluster_metrics(counts, **settings)["macro_f1"].interval
    plain = bootstrap_metrics(counts.sum(axis=0), stratified=False, **settings)
    assert whole == pytest.approx(plain["macro_f1"].interval, abs=0.01)


def test_cluster_gains_of_the_same_answers_are_none():
    answer = ["NA", "PASS", "FAIL"] * 4
    counts = grouped_contingency(list("abcd") * 3, answer, answer, answer)
    gain = cluster_gains(counts, resamples=50, confidence=0.9, rng=rng(), margin=0.05)
    assert gain["accuracy"] == Estimate(0.0, (0.0, 0.0), 1.0, 1 / 51, ("p_noninferior",))


@pytest.mark.parametrize(
    ("differences", "margin", "p"),
    [
        ([-0.1] * 3 + [0.0] * 96, 0.05, 4 / 100),
        ([-0.05] * 99, 0.05, 1.0),  # a loss of the margin is a loss
        ([0.0] * 99, 0.05, 1 / 100),
    ],
)
def test_noninferiority_p_by_hand(differences, margin, p):
    assert noninferiority_p(np.array(differences), margin) == pytest.approx(p)


@settings(max_examples=20)
@given(answered, st.permutations(range(3)), st.randoms(use_true_random=False))
def test_order_and_names_of_labels_do_not_matter(rows, renaming, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    names = dict(zip(LABELS, [LABELS[i] for i in renaming], strict=True)) | {"INVALID": "INVALID"}
    before = metrics(contingency(*list(zip(*rows, strict=True))[:2]))
    renamed = [[names[x] for x in column] for column in list(zip(*shuffled, strict=True))[:2]]
    after = metrics(contingency(*renamed))
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        assert after[name] == pytest.approx(before[name])
    for label in LABELS:
        for kind in ("f1", "recall"):
            renamed_key = f"{kind}_{names[label].lower()}"
            assert after[renamed_key] == pytest.approx(before[f"{kind}_{label.lower()}"])


def test_a_shared_answer_counts_in_several_cells():
    gold = ["NA", "PASS", "FAIL"]
    first = np.array([[0.5, 0, 0.5], [0.25, 0.25, 0.5], [0, 0, 1]])
    second = ["FAIL", "INVALID", "FAIL"]
    assert contingency(gold, first).tolist() == [
        [0.5, 0, 0.5, 0],
        [0.25, 0.25, 0.5, 0],
        [0, 0, 1, 0],
    ]
    counts = contingency(gold, first, second)
    assert counts.sum(axis=-1) == pytest.approx(contingency(gold, first))
    assert counts.sum(axis=-2) == pytest.approx(contingency(gold, second))
    assert counts[0, 0, 2] == counts[0, 2, 2] == 0.5 and counts[1, 2, 3] == 0.5
    # two systems agree as far as their shares allow, and a system with itself
    third = np.array([[0.25, 0.75, 0], [0, 0, 1], [0, 0, 1]])
    both = contingency(gold, first, third)
    assert both[0, 0, 0] == 0.25 and both[0, 0, 1] == 0.25 and both[0, 2, 1] == 0.5
    assert both[1, 2, 2] == 0.5 and both[1, 0, 2] == both[1, 1, 2] == 0.25
    own = contingency(gold, first, first)
    assert own.sum() == 3 and own[:, range(4), range(4)].sum() == 3


def test_the_interval_of_a_shared_answer_includes_the_lot():
    gold = ["NA"] * 40 + ["PASS"] * 40 + ["FAIL"] * 40
    even, sure = np.tile([0.5, 0, 0.5], (120, 1)), np.tile([0.0, 0, 1], (120, 1))
    settings = {"resamples": 4000, "confidence": 0.95, "rng": np.random.default_rng(0)}
    gained = bootstrap_gains(contingency(gold, sure, even), **settings)["recall_na"]
    low, high = gained.interval
    # as of 40 throws of a coin: half, give or take 1.96 * sqrt(0.25 / 40)
    assert gained.value == 0.5
    assert (low, high) == pytest.approx((0.5 - 0.155, 0.5 + 0.155), abs=0.02)
