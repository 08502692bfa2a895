from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from factmix.published import claim_tests
from factmix.published.claim_evidence import Evidence, committed_evidence
from factmix.published.claim_tests import Claim
from factmix.published.claims import Ledger, judge_all
from factmix.published.released import MIXTURES
from factmix.results.answers import Answers
from factmix.stats.bootstrap import bootstrap_p, noninferiority_p, percentiles, resample
from factmix.stats.metrics import contingency
from factmix.stats.metrics import gains as gains_of
from factmix.stats.seeds import crossed_t

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
        answers=(),
        counts=lambda first, second, _: contingency(GOLD, systems[first], systems[second]),
        reward_end={"hard_weighted": [1.0], "balanced": [2.0], "hard_only": [0.0]},
        one_reward=True,
        overlap=0,
    )


def over_seeds(**answers):
    """The same with a list of answers, of one seed each, for each arm that is named."""
    (number,) = {len(of) for of in answers.values()}

    def given(predicted):
        return Answers("", GOLD, predicted, [str(i) for i in range(len(GOLD))], None, None)

    systems = [
        {arm: dict.fromkeys(("e", "h1", "h2"), given(right(0.5))) for arm in ("base", *MIXTURES)}
        | {arm: dict.fromkeys(("e", "h1", "h2"), given(of[i])) for arm, of in answers.items()}
        for i in range(number)
    ]
    first = evidence(**{arm: of[0] for arm, of in answers.items()})
    return replace(first, answers=systems)


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


def test_separation_is_read_off():
    assert verdict(evidence(), "separate") == "supported"
    assert verdict(replace(evidence(), overlap=3), "separate") == "not supported"


def rewarded(**ends):
    return replace(evidence(), reward_end=ends)


def test_the_highest_reward_of_one_seed_may_be_chance():
    assert verdict(evidence(), "highest_reward") == "inconclusive"
    assert verdict(evidence(), "highest_reward", arm="hard_only") == "inconclusive"


def test_the_highest_reward_is_higher_than_each_other_over_seeds():
    clear = rewarded(
        hard_weighted=[1.0, 1.1, 1.2], balanced=[2.0, 2.2, 2.1], hard_only=[0.0, 0.2, 0.3]
    )
    assert verdict(clear, "highest_reward") == "supported"
    assert verdict(clear, "highest_reward", arm="hard_weighted") == "not supported"
    noisy = rewarded(
        hard_weighted=[1.0, 2.1, 1.2], balanced=[2.0, 2.2, 2.1], hard_only=[0.0, 0.2, 0.3]
    )
    assert verdict(noisy, "highest_reward") == "inconclusive"
    ends = noisy.reward_end
    of_pair = claim_tests.Comparisons(noisy, 0.01, 0.05, 20).reward_gain("hard_only", "balanced")
    by_t = stats.ttest_rel(ends["balanced"], ends["hard_only"])
    assert of_pair["p"] == pytest.approx(by_t.pvalue)
    assert of_pair["interval"] == pytest.approx(list(by_t.confidence_interval(0.99)))


def test_logs_of_different_rewards_are_not_compared():
    clear = rewarded(hard_weighted=[1.0, 1.1], balanced=[2.0, 2.11], hard_only=[0.0, 0.1])
    assert verdict(clear, "highest_reward") == "supported"
    assert verdict(replace(clear, one_reward=False), "highest_reward") == "inconclusive"
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


def test_with_one_seed_claims_alone_are_a_sample_by_the_paired_bootstrap():
    study = over_seeds(balanced=[right(0.48)])
    compared = claim_tests.Comparisons(study, 0.01, 0.05, 500)
    counts = contingency(GOLD, right(0.5), right(0.48))
    drawn = gains_of(resample(counts, 500, np.random.default_rng(claim_tests.SEED)))["accuracy"]
    found = compared.gain("base", "balanced", ["h1"], "accuracy")
    assert found["value"] == pytest.approx(-0.02)
    assert found["interval"] == list(percentiles(drawn, 0.99))
    assert (found["p"], found["at_floor"]) == (bootstrap_p(drawn), [])
    with_margin = compared.gain("base", "balanced", ["h1"], "accuracy", 0.05)
    assert with_margin == found | {"p": noninferiority_p(drawn, 0.05), "at_floor": ["p"]}
    assert compared.na_share("balanced", "h1")["interval"][1] > 0  # Wilson's


def test_with_two_seeds_seeds_and_claims_are_a_sample():
    study = over_seeds(balanced=[right(0.8), right(0.6)])
    found = claim_tests.Comparisons(study, 0.01, 0.05, 500).gain(
        "base", "balanced", ["h1", "h2"], "accuracy"
    )
    # Gains of 0.3 and 0.1 on each dataset. Of 100 claims of a label 10 are gained with both seeds,
    # 20 with one, and 70 with none: by 1, by a half and by 0 in the mean.
    of_claims = 400 * (0.1 * 1 + 0.2 * 0.25 - 0.2**2) / 400**2
    by_hand = crossed_t(0.2, [(0.02 / 2, 1), (of_claims / 2, 799)], confidence=0.99)
    assert found["value"] == pytest.approx(by_hand.value)
    assert found["interval"] == pytest.approx(by_hand.interval, rel=1e-4)
    assert found["p"] == pytest.approx(by_hand.p, rel=1e-4)


def test_what_one_seed_shows_is_not_shown_if_another_differs():
    agree, differ = [right(0.8), right(0.8)], [right(0.8), right(0.4)]
    for kind in ("better", "best"):
        assert verdict(evidence(balanced=differ[0]), kind) == "supported"
        assert verdict(over_seeds(balanced=differ), kind) == "inconclusive"
        assert verdict(over_seeds(balanced=agree), kind) == "supported"
    assert verdict(over_seeds(balanced=agree), "worse") == "not supported"
    alone = {"arm": "hard_weighted", "other": "balanced"}
    assert verdict(over_seeds(hard_weighted=agree), "gain_of_one_alone", **alone) == "supported"
    assert verdict(over_seeds(hard_weighted=differ), "gain_of_one_alone", **alone) == "inconclusive"


def test_a_loss_is_held_against_the_margin_over_seeds():
    def of(*shares):
        return verdict(over_seeds(balanced=[right(share) for share in shares]), "not_worse")

    assert of(0.49, 0.49) == "supported"
    assert of(0.46, 0.46) == "inconclusive"
    assert of(0.3, 0.3) == "not supported"
    assert of(0.49, 0.3) == "inconclusive"


def test_a_share_of_na_is_tested_over_seeds():
    never, always = right(0.5), ["NA"] * 400
    half = right(0.5, otherwise="NA")
    assert verdict(over_seeds(hard_only=[never, never]), "no_collapse") == "supported"
    assert verdict(over_seeds(hard_only=[always, always]), "no_collapse") == "not supported"
    assert verdict(over_seeds(hard_only=[never, always]), "no_collapse") == "inconclusive"
    assert verdict(over_seeds(hard_only=[half, half]), "no_collapse") == "inconclusive"
    study = over_seeds(hard_only=[never, half])
    share = claim_tests.Comparisons(study, 0.01, 0.05, 20).na_share("hard_only", "h1")
    # 0 and a half of the 200: a half of them by a half in the mean, with a variance of 1 / 16
    by_hand = crossed_t(-0.25, [(0.125 / 2, 1), (200 / 199 / 16 / 200, 199)], confidence=0.99)
    assert share["value"] == pytest.approx(0.25)
    assert share["p"] == pytest.approx(by_hand.p)
    assert share["interval"] == [0, 1]  # no share is outside


def test_where_nothing_varies_the_value_decides():
    always = over_seeds(balanced=[GOLD, GOLD], base=[["INVALID"] * 400] * 2)
    compared = claim_tests.Comparisons(always, 0.01, 0.05, 20)
    assert compared.gain("base", "balanced", ["h1"], "accuracy")["p"] == 0
    assert compared.gain("base", "balanced", ["h1"], "accuracy", 0.05)["p"] == 0
    assert compared.gain("balanced", "base", ["h1"], "accuracy", 0.05)["p"] == 1
    assert compared.gain("balanced", "balanced", ["h1"], "accuracy")["p"] == 1


def test_our_committed_study_is_judged_over_all_of_its_seeds():
    published, ours = committed_evidence()
    assert len(published.answers) == 0 and len(ours.answers) == 5
    assert {len(of) for of in ours.reward_end.values()} == {5}
    runs = {systems["balanced"]["debate"].run for systems in ours.answers}
    assert runs == {f"balanced-s{seed}" for seed in range(5)}
