import numpy as np
import pytest

from factmix.stats import seeds
from factmix.stats.bootstrap import Estimate, bootstrap_gains
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


def test_equal_seeds_have_no_spread_and_no_p():
    by_t = gains([right_on(*range(50))] * 2)["accuracy"].by_t
    assert by_t == Estimate(0.25, (0.25, 0.25))


def test_gains_are_means_of_those_of_each_seed_over_the_baseline_of_that_seed():
    arm, baseline = [right_on(*range(60)), GOLD], [right_on(*range(10)), WRONG]
    accuracy = gains(arm, baseline)["accuracy"]
    assert accuracy.by_t.value == accuracy.hierarchical.value == pytest.approx((0.25 + 1) / 2)
    assert accuracy.seed_variance == pytest.approx(np.var([0.25, 1], ddof=1) / 2)


def test_seeds_that_agree_leave_the_variance_of_examples():
    arm = [right_on(*range(50))] * 3  # half of NA, the same half with every seed
    gain = gains(arm, resamples=4000)["recall_na"]
    assert gain.seed_variance == 0
    assert gain.example_variance == pytest.approx(0.25 / 100, rel=0.1)
    one = bootstrap_gains(
        contingency(GOLD, WRONG, arm[0]), resamples=4000, confidence=0.95, rng=rng()
    )["recall_na"]
    assert gain.hierarchical.interval == pytest.approx(one.interval, abs=0.015)


def test_examples_that_cannot_vary_leave_the_variance_of_seeds():
    gain = gains([GOLD, WRONG])["accuracy"]
    assert gain.example_variance == 0
    assert gain.seed_variance == pytest.approx(0.25)
    assert gain.hierarchical.interval == (0, 1)


def test_same_seed_same_intervals():
    arm = [right_on(*range(50)), right_on(*range(30, 120))]
    assert gains(arm) == gains(arm)
    assert gains(arm) != gains(arm, rng=rng(1))


def test_one_seed_has_no_spread():
    with pytest.raises(ValueError, match="at least two"):
        gains([GOLD])
    with pytest.raises(ValueError, match="2 seeds of the arm and 1 of the baseline"):
        gains([GOLD, GOLD], baseline=[GOLD])
