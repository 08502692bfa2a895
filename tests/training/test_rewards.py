"""Expected values are worked out by hand from the published numbers: correct 4, wrong -0.5,
false_na -0.5, explore 8, format -0.25; weights NA 0.15, PASS 2.5, FAIL 3.5."""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from factmix.study.labels import ANSWERS, INVALID, LABELS, Label
from factmix.study.settings import AccuracyReward, FormatReward, WeightedReward
from factmix.training.rewards import advantages, component_names, components, orders

NA, PASS, FAIL = LABELS


def weighted(weight_by, invalid_as="invalid", weights=None):
    return WeightedReward(
        kind="weighted",
        correct=4.0,
        wrong=-0.5,
        false_na=-0.5,
        explore=8.0,
        format=-0.25,
        weights=weights or {NA: 0.15, PASS: 2.5, FAIL: 3.5},
        weight_by=weight_by,
        invalid_as=invalid_as,
    )


def earned(reward, predicted, gold, format_valid=True):
    return components(reward, predicted=predicted, format_valid=format_valid, gold=gold)


def total(reward, predicted, gold, format_valid=True):
    return sum(earned(reward, predicted, gold, format_valid).values())


# predicted, gold: correct, false_na, explore
BY_PREDICTED = {
    (NA, NA): (0.6, 0, 0),
    (NA, PASS): (-0.075, -0.075, 0),
    (NA, FAIL): (-0.075, -0.075, 0),
    (PASS, NA): (-1.25, 0, 8),
    (PASS, PASS): (10, 0, 8),
    (PASS, FAIL): (-1.25, 0, 8),
    (FAIL, NA): (-1.75, 0, 8),
    (FAIL, PASS): (-1.75, 0, 8),
    (FAIL, FAIL): (14, 0, 8),
}
BY_GOLD = {
    (NA, NA): (0.6, 0, 0),
    (NA, PASS): (-1.25, -1.25, 0),
    (NA, FAIL): (-1.75, -1.75, 0),
    (PASS, NA): (-0.075, 0, 8),
    (PASS, PASS): (10, 0, 8),
    (PASS, FAIL): (-1.75, 0, 8),
    (FAIL, NA): (-0.075, 0, 8),
    (FAIL, PASS): (-1.25, 0, 8),
    (FAIL, FAIL): (14, 0, 8),
}


@pytest.mark.parametrize("invalid_as", ["invalid", "NA"])
@pytest.mark.parametrize("format_valid", [True, False])
@pytest.mark.parametrize(
    ("weight_by", "predicted", "gold", "expected"),
    [("predicted", *pair, values) for pair, values in BY_PREDICTED.items()]
    + [("gold", *pair, values) for pair, values in BY_GOLD.items()],
)
def test_a_label_earns(weight_by, predicted, gold, expected, format_valid, invalid_as):
    got = earned(weighted(weight_by, invalid_as), str(predicted), gold, format_valid)
    correct, false_na, explore = expected
    assert got == pytest.approx(
        {
            "correct": correct,
            "false_na": false_na,
            "explore": explore,
            "format": 0 if format_valid else -0.25,
        }
    )


@pytest.mark.parametrize(("weight_by", "gold"), list(product(["predicted", "gold"], LABELS)))
def test_invalid_as_invalid_earns_a_format_penalty_alone(weight_by, gold):
    got = earned(weighted(weight_by), INVALID, gold, format_valid=False)
    assert got == pytest.approx(
        {"correct": 0, "false_na": 0, "explore": 0, "format": -0.25 - 0.5 * 3.5}
    )


@pytest.mark.parametrize(
    ("weight_by", "gold", "correct", "false_na"),
    [
        ("predicted", NA, 0.6, 0),
        ("predicted", PASS, -0.075, -0.075),
        ("predicted", FAIL, -0.075, -0.075),
        ("gold", NA, 0.6, 0),
        ("gold", PASS, -1.25, -1.25),
        ("gold", FAIL, -1.75, -1.75),
    ],
)
def test_invalid_as_na_earns_what_na_does_less_the_format(weight_by, gold, correct, false_na):
    got = earned(weighted(weight_by, "NA"), INVALID, gold, format_valid=False)
    assert got == pytest.approx(
        {"correct": correct, "false_na": false_na, "explore": 0, "format": -0.25}
    )


def wrong_labels():
    return [(label, gold) for label, gold in product(LABELS, LABELS) if label != gold]


@pytest.mark.parametrize("format_valid", [True, False])
def test_no_invalid_answer_beats_a_wrong_label_when_weights_go_by_the_predicted_one(format_valid):
    reward = weighted("predicted")
    for label, gold in wrong_labels():
        invalid = total(reward, INVALID, gold, format_valid=False)
        assert invalid < total(reward, label, gold, format_valid)


def test_by_the_gold_label_an_invalid_answer_beats_a_wrong_na_and_no_other():
    reward = weighted("gold")
    beaten = {
        (label, gold): total(reward, label, gold)
        for label, gold in wrong_labels()
        if total(reward, INVALID, gold, format_valid=False) > total(reward, label, gold)
    }
    assert beaten == pytest.approx({(NA, PASS): -2.5, (NA, FAIL): -3.5})


# Eighths are exact in binary, so that equality is not a matter of rounding.
eighths = st.integers(1, 64).map(lambda n: n / 8)


@given(st.fixed_dictionaries(dict.fromkeys(LABELS, eighths)))
def test_no_invalid_answer_beats_a_wrong_label_exactly_if_na_weighs_half_the_most_or_less(weights):
    reward = weighted("predicted", weights=weights)
    holds = all(
        total(reward, INVALID, gold, format_valid=False)
        <= total(reward, label, gold, format_valid=False)
        for label, gold in wrong_labels()
    )
    assert holds == (2 * weights[NA] <= max(weights.values()))


@pytest.mark.parametrize(
    ("weight_by", "expected"),
    [("predicted", (0.6, 6.75, 6.25)), ("gold", (0.6, 7.925, 7.925))],
)
def test_na_is_the_least_rewarded_label_even_where_it_is_right(weight_by, expected):
    reward = weighted(weight_by)
    assert [total(reward, label, NA) for label in LABELS] == pytest.approx(expected)


@pytest.mark.parametrize(("predicted", "gold"), list(product(ANSWERS, LABELS)))
def test_accuracy_is_one_for_the_gold_label_only(predicted, gold):
    reward = AccuracyReward(kind="accuracy")
    for format_valid in (True, False):
        expected = {"accuracy": 1.0 if str(predicted) == gold.value else 0.0}
        assert earned(reward, str(predicted), gold, format_valid) == expected


@pytest.mark.parametrize(("predicted", "gold"), list(product(ANSWERS, LABELS)))
def test_format_only_looks_at_nothing_but_the_format(predicted, gold):
    reward = FormatReward(kind="format_only")
    assert earned(reward, str(predicted), gold, True) == {"format_only": 1.0}
    assert earned(reward, str(predicted), gold, False) == {"format_only": -1.0}


@pytest.mark.parametrize(
    ("reward", "names"),
    [
        (weighted("gold"), ("correct", "false_na", "explore", "format")),
        (AccuracyReward(kind="accuracy"), ("accuracy",)),
        (FormatReward(kind="format_only"), ("format_only",)),
    ],
)
def test_components_come_under_their_names_and_in_their_order(reward, names):
    assert component_names(reward) == names
    assert tuple(earned(reward, "PASS", Label.PASS)) == names
    assert tuple(earned(reward, INVALID, Label.PASS, format_valid=False)) == names


def test_a_word_that_is_no_answer_is_a_bug_and_not_a_reward():
    with pytest.raises(ValueError, match="MAYBE"):
        earned(weighted("gold"), "MAYBE", Label.NA)


@given(st.lists(st.sampled_from([-1.75, 0.6, 6.75, 22.0]), min_size=2, max_size=8))
def test_advantages_are_those_of_trl(rewards):
    grouped = torch.tensor(rewards, dtype=torch.float64).view(1, -1)
    centred = grouped - grouped.mean(dim=1, keepdim=True)
    expected = centred / (grouped.std(dim=1, keepdim=True) + 1e-4)
    assert advantages(rewards) == pytest.approx(expected[0].tolist(), abs=1e-9)


def test_of_two_different_rewards_only_the_order_counts():
    assert advantages([0, 0, 0, 1]) == pytest.approx(advantages([-40, -40, -40, 22]), abs=1e-3)
    assert advantages([7.0] * 8) == [0.0] * 8


def test_the_explore_bonus_alone_puts_na_behind_verdicts():
    published = weighted("predicted")
    assert orders(published)[NA] == [[PASS], [FAIL], [NA], [INVALID]]
    assert orders(published, without="explore")[NA] == [[NA], [PASS], [FAIL], [INVALID]]
    assert orders(published, without="false_na") == orders(published)
    accuracy = AccuracyReward(kind="accuracy")
    assert orders(accuracy)[FAIL] == [[FAIL], [NA, PASS, INVALID]]
