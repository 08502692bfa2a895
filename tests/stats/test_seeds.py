import numpy as np
import pytest
from scipy import stats

from factmix.stats import seeds
from factmix.stats.bootstrap import Estimate, bootstrap_gains, mean_by_t
from factmix.stats.metrics import contingency

GOLD = ["NA"] * 100 + ["PASS"] * 50 + ["FAIL"] * 50
WRONG = ["INVALID"] * 200


def rng(seed=0):
    return np.random.default_rng(seed)


def right_on(*indices):
    return [gold if i in set(indices) else "INVALID" for i, gold in enumerate(GOLD)]


def gains(arm, baseline=None, **changes):
    settings = {"resamples": 1000, "confidence": 0.95, "rng": rng()} | changes
    return seeds.seed_gains(GOLD, baseline or [WRONG] * len(arm), arm, **settings)


def test_what_can_vary_neither_by_seed_nor_by_example_has_no_p():
    assert gains([GOLD] * 2)["accuracy"].crossed == Estimate(1, (1, 1))


def test_the_p_value_holds_its_level_for_other_seeds_and_other_examples():
    draws, seeds_each, rejected = 300, 5, 0
    random = rng(3)
    for _ in range(draws):
        of_example, of_seed = random.normal(0, 0.6, len(GOLD)), random.normal(0, 0.25, seeds_each)
        answers = [[], []]
        for system, sign in zip(answers, (-1, 1), strict=True):
            for seed in range(seeds_each):
                score = sign * (of_example + of_seed[seed]) + random.normal(0, 1, len(GOLD))
                system.append([g if x > 0 else "INVALID" for g, x in zip(GOLD, score, strict=True)])
        crossed = gains(answers[1], answers[0], resamples=100)["accuracy"].crossed
        rejected += crossed.p < 0.05
    assert 0.01 <= rejected / draws <= 0.07


def test_gains_are_means_of_those_of_each_seed_over_the_baseline_of_that_seed():
    arm, baseline = [right_on(*range(60)), GOLD], [right_on(*range(10)), WRONG]
    accuracy = gains(arm, baseline)["accuracy"]
    assert accuracy.crossed.value == pytest.approx((0.25 + 1) / 2)
    assert accuracy.seed_variance == pytest.approx(np.var([0.25, 1], ddof=1) / 2)


def test_seeds_that_agree_leave_the_variance_of_examples():
    arm = [right_on(*range(50))] * 3  # half of NA, the same half with every seed
    gain = gains(arm, resamples=4000)["recall_na"]
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


def test_two_equal_sources_have_the_sum_of_their_variances_and_degrees_of_freedom():
    tested = seeds.crossed_t(2.0, [(0.5, 4), (0.5, 4)], confidence=0.95)
    assert tested.interval[1] - 2 == pytest.approx(stats.t.ppf(0.975, 8))
    assert tested.p == pytest.approx(2 * stats.t.sf(2, 8))


def test_same_seed_same_intervals():
    arm = [right_on(*range(50)), right_on(*range(30, 120))]
    assert gains(arm) == gains(arm)
    assert gains(arm) != gains(arm, rng=rng(1))


def test_one_seed_has_no_spread():
    with pytest.raises(ValueError, match="at least two"):
        gains([GOLD])
    with pytest.raises(ValueError, match="2 seeds of the arm and 1 of the baseline"):
        gains([GOLD, GOLD], baseline=[GOLD])
