from dataclasses import replace

import pytest

from factmix.published import claim_tests
from factmix.published.claim_evidence import Evidence, committed_evidence
from factmix.published.claim_tests import Claim
from factmix.published.claims import Ledger, judge_all
from factmix.published.released import MIXTURES
from factmix.stats.metrics import contingency

GOLD = ["NA"] * 200 + ["PASS"] * 100 + ["FAIL"] * 100


def right(share, otherwise="INVALID"):
    """Answers of which this share is right, evenly over the labels."""
    return [g if i % 100 < 100 * share else otherwise for i, g in enumerate(GOLD)]


def evidence(**answers):
    """A study in which each arm answers every dataset alike."""
    systems = {"base": right(0.5)} | {arm: right(0.5) for arm in MIXTURES} | answers
    return Evidence(
        name="made up",
        baseline="base",
        datasets={"easy": ["e"], "hard": ["h1", "h2"], "all": ["e", "h1", "h2"]},
        counts=lambda first, second, _: contingency(GOLD, systems[first], systems[second]),
        reward_end={"hard_weighted": 1.0, "balanced": 2.0, "hard_only": 0.0},
        one_reward=True,
        overlap=0,
    )


def verdict(study, kind, **fields):
    fields = {"arm": "balanced", "over": "baseline", "datasets": "hard", "metric": "accuracy"} | (
        fields
    )
    claim = Claim(text="", source="", quantity="", kind=kind, verdicts={}, **fields)
    ledger = Ledger(alpha=0.01, margin=0.05, claims={"it": claim})
    return judge_all(ledger, study, resamples=2000)["it"].verdict


def test_better_needs_a_significant_gain_and_a_loss_speaks_against_it():
    assert verdict(evidence(balanced=right(0.8)), "better") == "supported"
    assert verdict(evidence(balanced=right(0.51)), "better") == "inconclusive"
    assert verdict(evidence(balanced=right(0.2)), "better") == "not supported"
    assert verdict(evidence(balanced=right(0.2)), "worse") == "supported"
    assert verdict(evidence(balanced=right(0.8)), "worse") == "not supported"


def test_one_dataset_against_it_is_enough():
    good, bad = evidence(balanced=right(0.8)), evidence(balanced=right(0.2))
    mixed = replace(good, counts=lambda a, b, d: (bad if d == "h2" else good).counts(a, b, d))
    assert verdict(mixed, "better") == "not supported"
    assert verdict(replace(mixed, datasets={"hard": ["h1"]}), "better") == "supported"


def test_chances_of_a_contrary_are_corrected_and_what_must_all_hold_is_not():
    def of(*p, value=-0.1):
        numbers = {str(i): {"value": value, "p": each} for i, each in enumerate(p)}
        return claim_tests._directed(numbers, [1] * len(p), 0.01)

    assert of(0.006) == of(0.004, 0.5) == "not supported"
    assert of(0.006, 0.5) == "inconclusive"
    assert of(0.009, 0.009, value=0.1) == "supported"
    assert of(0.009, 0.02, value=0.1) == "inconclusive"


def test_best_is_over_every_other_mixture():
    ahead = evidence(balanced=right(0.8))
    assert verdict(ahead, "best") == "supported"
    assert verdict(evidence(balanced=right(0.8), hard_only=right(0.8)), "best") == "inconclusive"
    assert verdict(evidence(balanced=right(0.8), hard_only=right(0.95)), "best") == "not supported"


def test_not_worse_is_a_matter_of_the_margin():
    assert verdict(evidence(balanced=right(0.49)), "not_worse") == "supported"
    assert verdict(evidence(balanced=right(0.46)), "not_worse") == "inconclusive"
    assert verdict(evidence(balanced=right(0.3)), "not_worse") == "not supported"


def test_a_gain_of_one_alone_is_also_a_gain_over_the_other():
    alone = {"arm": "hard_weighted", "other": "balanced"}
    assert verdict(evidence(hard_weighted=right(0.8)), "gain_of_one_alone", **alone) == "supported"
    both = evidence(hard_weighted=right(0.8), balanced=right(0.7))
    assert verdict(both, "gain_of_one_alone", **alone) == "not supported"
    # Significant for one, not for the other, and yet no difference between them:
    barely = evidence(hard_weighted=right(0.52), balanced=right(0.51))
    assert verdict(barely, "better", arm="hard_weighted") == "supported"
    assert verdict(barely, "better", arm="balanced") == "inconclusive"
    assert verdict(barely, "gain_of_one_alone", **alone) == "inconclusive"


def test_collapse_is_na_for_most_of_what_is_decided():
    assert verdict(evidence(), "no_collapse") == "supported"
    assert verdict(evidence(hard_only=["NA"] * 400), "no_collapse") == "not supported"
    half = right(0.5, otherwise="NA")
    assert verdict(evidence(hard_only=half), "no_collapse") == "inconclusive"


def test_separation_and_reward_are_read_off():
    assert verdict(evidence(), "separate") == "supported"
    assert verdict(replace(evidence(), overlap=3), "separate") == "not supported"
    assert verdict(evidence(), "highest_reward") == "supported"
    assert verdict(evidence(), "highest_reward", arm="hard_only") == "not supported"


def test_logs_of_different_rewards_are_not_compared():
    assert verdict(replace(evidence(), one_reward=False), "highest_reward") == "inconclusive"
    published, ours = committed_evidence()
    assert not published.one_reward  # the log of balanced has a part that the others lack
    assert ours.one_reward


def test_mean_over_datasets_is_of_gains():
    study = evidence(balanced=right(0.8))
    tests = claim_tests.Comparisons(study, 0.01, 0.05, 20)
    gains = tests.gains("base", "balanced", ["e", "h1"], "accuracy")
    assert len(gains) == 21
    assert gains[0] == pytest.approx(0.3)


def test_datasets_are_resampled_independently():
    tests = claim_tests.Comparisons(evidence(balanced=right(0.8)), 0.01, 0.05, 4000)
    one = tests.gains("base", "balanced", ["e"], "accuracy")[1:]
    mean_of_three = tests.gains("base", "balanced", ["e", "h1", "h2"], "accuracy")[1:]
    assert mean_of_three.var() == pytest.approx(one.var() / 3, rel=0.1)
