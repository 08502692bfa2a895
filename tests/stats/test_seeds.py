import numpy as np
import pytest
from scipy import stats

from factmix.stats import seeds
from factmix.stats.bootstrap import Estimate, bootstrap_gains, mean_by_t
from factmix.stats.metrics import contingency
from factmix.stats.shift import shifted_answers
from factmix.study.labels import ANSWERS

GOLD = ["NA"] * 100 + ["PASS"] * 50 + ["FAIL"] * 50
WRONG = ["INVALID"] * 200
EACH = [str(i) for i in range(200)]  # a group of its own


def rng(seed=0):
    return np.random.default_rng(seed)


def right_on(*indices):
    return [gold if i in set(indices) else "INVALID" for i, gold in enumerate(GOLD)]


def gains(arm, baseline=None, **changes):
    settings = {"confidence": 0.95, "groups": EACH} | changes
    return seeds.seed_gains(GOLD, baseline or [WRONG] * len(arm), arm, **settings)


def test_what_can_vary_neither_by_seed_nor_by_example_has_no_p():
    assert gains([GOLD] * 2)["accuracy"].crossed == Estimate(1, (1, 1))


def test_a_gain_that_no_float_has_exactly_has_no_p_if_nothing_varies():
    always = [["NA"] * len(GOLD)] * 3  # right on every NA, in every resample of it
    crossed = gains(always)["balanced_accuracy"].crossed
    assert crossed.value == pytest.approx(1 / 3)
    assert crossed.p is None and crossed.interval == (crossed.value, crossed.value)


@pytest.mark.parametrize(("seeds_each", "of_seeds"), [(5, 0.05), (5, 0.25), (5, 1.0), (3, 0.25)])
def test_the_p_value_holds_its_level_for_other_seeds_and_other_examples(seeds_each, of_seeds):
    draws, rejected = 300, 0
    random = rng(3)
    for _ in range(draws):
        of_example = random.normal(0, 0.6, len(GOLD))
        of_seed = random.normal(0, of_seeds, seeds_each)
        answers = [[], []]
        for system, sign in zip(answers, (-1, 1), strict=True):
            for seed in range(seeds_each):
                score = sign * (of_example + of_seed[seed]) + random.normal(0, 1, len(GOLD))
                system.append([g if x > 0 else "INVALID" for g, x in zip(GOLD, score, strict=True)])
        crossed = gains(answers[1], answers[0])["accuracy"].crossed
        rejected += crossed.p < 0.05
    assert 0.005 <= rejected / draws <= 0.09  # of a true null hypothesis, at 5 %


def test_gains_are_means_of_those_of_each_seed_over_the_baseline_of_that_seed():
    arm, baseline = [right_on(*range(60)), GOLD], [right_on(*range(10)), WRONG]
    accuracy = gains(arm, baseline)["accuracy"]
    assert accuracy.crossed.value == pytest.approx((0.25 + 1) / 2)
    assert accuracy.seed_variance == pytest.approx(np.var([0.25, 1], ddof=1) / 2)


def test_a_mean_over_datasets_has_the_variance_of_its_seeds_and_of_all_their_examples():
    alike = gains([right_on(*range(50)), right_on(*range(100))])["accuracy"]  # 0.25, 0.5
    apart = gains([right_on(*range(100, 150))] * 2)["accuracy"]  # 0.25 twice
    assert alike.by_seed == pytest.approx([0.25, 0.5]) and alike.examples == 200
    assert alike.example_variance == pytest.approx(100 * (0.25 / 200) ** 2, rel=1e-3)
    assert apart.example_variance == 0  # all of PASS, whichever are drawn
    mean = seeds.mean_gain([alike, apart], confidence=0.99, margin=0.05)
    by_hand = seeds.crossed_t(
        (0.25 + 0.375) / 2,  # of the seeds' means over datasets
        [(0.0625**2, 1), (100 * (0.25 / 200) ** 2 / 4, 399)],
        confidence=0.99,
        margin=0.05,
    )
    assert mean.value == pytest.approx(by_hand.value)
    assert mean.interval == pytest.approx(by_hand.interval, rel=1e-4)
    assert (mean.p, mean.p_noninferior) == pytest.approx((by_hand.p, by_hand.p_noninferior))


def test_the_mean_of_one_gain_is_that_gain():
    gain = gains([right_on(*range(60)), right_on(*range(20))], margin=0.1)["macro_f1"]
    assert seeds.mean_gain([gain], confidence=0.95, margin=0.1) == gain.crossed


def test_seeds_that_agree_leave_the_variance_of_examples():
    arm = [right_on(*range(50))] * 3  # half of NA, the same half with every seed
    gain = gains(arm)["recall_na"]
    assert gain.seed_variance == 0
    assert gain.example_variance == pytest.approx(0.25 / 100, rel=0.1)
    one = bootstrap_gains(
        contingency(GOLD, WRONG, arm[0]), resamples=4000, confidence=0.95, rng=rng()
    )["recall_na"]
    assert gain.crossed.interval == pytest.approx(one.interval, abs=0.015)


def test_examples_that_cannot_vary_leave_the_variance_of_seeds():
    gain = gains([GOLD, WRONG])["accuracy"]
    assert gain.example_variance == 0
    assert gain.seed_variance == pytest.approx(0.25)
    by_t = mean_by_t([1.0, 0.0], confidence=0.95)
    assert (gain.crossed.value, gain.crossed.p) == pytest.approx((by_t.value, by_t.p))
    assert gain.crossed.interval == pytest.approx(by_t.interval)


def test_of_two_equal_sources_the_critical_values_are_averaged():
    tested = seeds.crossed_t(2.0, [(0.5, 4), (0.5, 100)], confidence=0.95)
    both = [stats.t.ppf(0.975, df) for df in (4, 100)]
    assert tested.interval[1] - 2 == pytest.approx(np.mean(both))
    at_limit = seeds.crossed_t(np.mean(both), [(0.5, 4), (0.5, 100)], confidence=0.95)
    assert at_limit.p == pytest.approx(0.05)
    assert seeds.crossed_t(0.0, [(0.5, 4), (0.5, 100)], confidence=0.95).p == 1
    far = seeds.crossed_t(1e9, [(0.0, 4), (1.0, 10**6)], confidence=0.95)
    assert far.p == pytest.approx(seeds.SMALLEST)


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1", "f1_fail"])
def test_what_examples_contribute_is_what_resampling_them_gives(metric):
    random = rng(8)
    answers = [
        [
            gold if random.random() < share else random.choice(["NA", "PASS", "FAIL"])
            for gold in GOLD
        ]
        for share in (0.4, 0.6)
    ]
    gain = gains([answers[1]] * 2, [answers[0]] * 2)[metric]
    assert gain.seed_variance == 0
    one = bootstrap_gains(contingency(GOLD, *answers), resamples=4000, confidence=0.95, rng=rng())
    low, high = one[metric].interval
    assert 2 * 1.96 * gain.example_variance**0.5 == pytest.approx(high - low, rel=0.05)


def test_one_seed_has_no_spread():
    with pytest.raises(ValueError, match="at least two"):
        gains([GOLD])
    with pytest.raises(ValueError, match="2 seeds of the arm and 1 of the baseline"):
        gains([GOLD, GOLD], baseline=[GOLD])


def right(answers):
    return np.array(
        [[given == gold for given, gold in zip(each, GOLD, strict=True)] for each in answers]
    )


def test_a_contrast_of_two_systems_is_their_gain_in_balanced_accuracy():
    random = rng(4)
    answers = [[[g if x else "NA" for g, x in zip(GOLD, random.random(200) < share, strict=True)]
                for _ in range(3)] for share in (0.5, 0.7)]  # fmt: skip
    gain = gains(answers[1], answers[0])["balanced_accuracy"]
    difference = right(answers[1]).astype(float) - right(answers[0])
    found = seeds.crossed_contrast([seeds.Part(GOLD, EACH, difference)], confidence=0.95)
    assert found.crossed.value == pytest.approx(gain.crossed.value)
    assert found.crossed.interval == pytest.approx(gain.crossed.interval, abs=0.005)
    assert np.mean(found.by_seed) == pytest.approx(found.crossed.value)
    assert found.variances[0] == pytest.approx((gain.seed_variance, 2))


def test_parts_that_share_no_example_add_their_means_and_variances():
    random = rng(5)
    parts = [seeds.Part(GOLD, EACH, random.normal(size=(4, 200))) for _ in range(2)]
    both, *each = (
        seeds.crossed_contrast(some, confidence=0.95) for some in (parts, parts[:1], parts[1:])
    )
    assert both.crossed.value == pytest.approx(sum(one.crossed.value for one in each))
    assert both.variances[1][0] == pytest.approx(sum(one.variances[1][0] for one in each))


def test_a_part_by_example_is_a_share_of_all_examples_and_as_sure_as_accuracy():
    arm, baseline = [right_on(*range(70)), right_on(*range(90))], [right_on(*range(20))] * 2
    gain = gains(arm, baseline)["accuracy"]
    difference = right(arm).astype(float) - right(baseline)
    part = seeds.Part(GOLD, EACH, difference, by_example=True)
    found = seeds.crossed_contrast([part], confidence=0.95)
    assert found.by_seed == pytest.approx(gain.by_seed)
    assert found.crossed.interval == pytest.approx(gain.crossed.interval, rel=0.03)


def test_an_effect_that_can_be_detected_is_found_as_often_as_promised():
    random, found, draws = rng(6), 0, 400

    def drawn(effect):
        noise = random.normal(size=(5, 1)) * 0.1 + random.normal(size=(5, 200))
        return seeds.crossed_contrast([seeds.Part(GOLD, EACH, effect + noise)], confidence=0.95)

    effect = np.mean([drawn(0).detectable(0.05, 0.8) for _ in range(draws)])
    for _ in range(draws):
        found += drawn(effect).crossed.p < 0.05
    assert 0.75 < found / draws < 0.9


def test_a_contrast_needs_seeds_and_examples():
    with pytest.raises(ValueError, match="at least two"):
        seeds.crossed_contrast([seeds.Part(GOLD, EACH, np.zeros((1, 200)))], confidence=0.95)
    with pytest.raises(ValueError, match="1 example of gold FAIL"):
        seeds.crossed_contrast(
            [seeds.Part(["NA", "NA", "FAIL"], ["a", "b", "c"], np.zeros((2, 3)))], confidence=0.95
        )


def test_groups_of_one_are_examples_and_alike_ones_count_once():
    arm = [right_on(*range(50)), right_on(*range(60))]
    alone = gains(arm)["recall_na"]
    assert alone.grouped.interval == pytest.approx(alone.crossed.interval, rel=0.04)
    pairs = [str(i // 2) for i in range(200)]  # of which both are right, or neither
    paired = gains(arm, groups=pairs)["recall_na"]
    assert paired.crossed == alone.crossed and paired.example_variance == alone.example_variance
    part = seeds.Part(GOLD, pairs, right([arm[0]] * 2).astype(float))
    found = seeds.crossed_contrast([part], confidence=0.95)
    reach = [np.ptp(each.interval) for each in (found.crossed, found.grouped)]
    assert reach[1] > reach[0]
    same = [[arm[0]] * 2, [arm[1]] * 2]
    by_pairs = [gains(each, groups=pairs)["recall_na"] for each in same]
    for each in by_pairs:  # half as many independent ones: twice the variance
        assert np.ptp(each.grouped.interval) == pytest.approx(
            2**0.5 * np.ptp(each.crossed.interval), rel=0.03
        )


def test_a_loss_below_the_margin_is_tested_on_one_side():
    arm = [right_on(*range(50)), right_on(*range(52))]
    baseline = [right_on(*range(51))] * 2
    gain = gains(arm, baseline, margin=0.2)["recall_na"].crossed
    assert gain.p_noninferior < 0.02 < gain.p
    worse = gains(baseline, [GOLD] * 2, margin=0.2)["recall_na"].crossed
    assert worse.p_noninferior > 0.99
    assert gains(arm, baseline)["recall_na"].crossed.p_noninferior is None


def test_answers_may_be_shares_of_labels():
    random = rng(4)
    answers = [[str(random.choice(ANSWERS)) for _ in GOLD] for _ in range(4)]
    whole = [np.eye(len(ANSWERS))[[ANSWERS.index(a) for a in each]] for each in answers]
    assert gains(whole[:2], whole[2:]) == gains(answers[:2], answers[2:])
    # An example that is half right and half wrong is half of a gain.
    half = (whole[0] + np.eye(len(ANSWERS))[[ANSWERS.index(g) for g in GOLD]]) / 2
    base = [answers[2], answers[3]]
    found = gains([half, half], base)["balanced_accuracy"]
    ways = [gains([each, each], base)["balanced_accuracy"] for each in (answers[0], GOLD)]
    assert found.by_seed == pytest.approx(np.mean([each.by_seed for each in ways], axis=0))
    # labels that a system never gives need no column
    pair = np.tile([0.5, 0.5], (len(GOLD), 1))
    assert gains([pair] * 2)["recall_na"].crossed.value == pytest.approx(0.5)
    assert gains([pair] * 2)["recall_fail"].crossed.value == 0


@pytest.mark.parametrize("number", range(2, 42))
def test_the_p_value_of_any_number_of_seeds_is_that_of_students_t(number):
    for of_error in (0.5, 2, 20):
        found = seeds.crossed_t(of_error / 10, [(0.01, number - 1)], confidence=0.95)
        assert found.p == pytest.approx(2 * stats.t.sf(of_error, number - 1))
        reach = stats.t.isf(0.025, number - 1) / 10
        assert found.interval == pytest.approx((of_error / 10 - reach, of_error / 10 + reach))


def test_moved_thresholds_of_equally_probable_labels_are_no_learning():
    before = np.array([[0.4, 0.2, 0.4]] * 100 + [[0.2, 0.4, 0.4]] * 50 + [[0.1, 0.2, 0.7]] * 50)
    after = before * [0.9, 1, 1]  # NA is less probable
    split = shifted_answers(before, after)[1]
    answers = ([split[name]] * 3 for name in ("after", "shifted"))
    learned = gains(*answers)["balanced_accuracy"].crossed
    assert learned.value == pytest.approx(0, abs=1e-12) and learned.p is None
