"""Constants of label log-probabilities against hand-computed and exhaustive answers."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factmix.stats import constants as constants_module
from factmix.stats.constants import (
    cross_fitted,
    fit_constants,
    log_probabilities,
    match_shares,
    most_probable,
    tied,
)
from factmix.study.labels import LABELS


@given(seed=st.integers(0, 10_000), examples=st.integers(1, 7))
def test_matched_answers_have_the_counts_asked_for_and_the_greatest_total_logit(
    seed: int, examples: int
) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(examples, 3))
    counts = np.bincount(rng.integers(3, size=examples), minlength=3)
    constants, shares = match_shares(logits, counts)
    assert shares.sum(axis=0) == pytest.approx(counts)
    assert set(shares.ravel()) <= {0, 1}  # without ties no answer is shared
    best = max(
        logits[np.arange(examples), list(each)].sum()
        for each in itertools.product(range(3), repeat=examples)
        if np.bincount(each, minlength=3).tolist() == counts.tolist()
    )
    assert (logits * shares).sum() == pytest.approx(best)
    # the answers are those of the shifted logits, but for ties
    shifted = logits + constants
    assert (shifted * shares).sum(axis=1) == pytest.approx(shifted.max(axis=1))
    assert constants[0] == 0


def test_matching_its_own_answers_leaves_a_model_alone() -> None:
    logits = log_probabilities(np.random.default_rng(0).dirichlet([1, 1, 1], size=200))
    own = np.eye(3)[logits.argmax(axis=1)]
    _, shares = match_shares(logits, own.sum(axis=0))
    assert (shares == own).all()


def test_labels_that_are_equally_probable_share_an_answer() -> None:
    probabilities = np.array([[0.4, 0.2, 0.4], [0.3, 0.3, 0.3], [0.1, 0.8, 0.1], [0.3, 0.4, 0.3]])
    logits = log_probabilities(probabilities)
    shares = most_probable(logits)
    assert shares.tolist() == [[0.5, 0, 0.5], [1 / 3, 1 / 3, 1 / 3], [0, 1, 0], [0, 1, 0]]
    assert tied(logits) == 2
    # a model that is asked for its own answers shares them in the same way
    assert match_shares(logits, shares.sum(axis=0))[1] == pytest.approx(shares)


@pytest.mark.parametrize("nearest", [1, 500])
def test_examples_that_have_the_same_labels_to_choose_from_share_alike(
    nearest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants_module, "NEAREST", nearest)
    # Six examples are between NA and FAIL, with PASS more and less improbable; two are PASS.
    undecided = [[0.0, -odds, 0.0] for odds in (3.0, 3.0, 4.0, 5.0, 6.0, 7.0)]
    logits = np.array([*undecided, [-2.0, 0.0, -3.0], [-3.0, 0.0, -2.0]])
    constants, shares = match_shares(logits, np.array([2, 2, 4]))
    assert constants[[0, 2]] == pytest.approx([0, 0])
    assert shares[:6] == pytest.approx(np.tile([1 / 3, 0, 2 / 3], (6, 1)))
    assert shares[6:].tolist() == [[0, 1, 0], [0, 1, 0]]


@pytest.mark.parametrize(
    ("logits", "counts", "expected"),
    [
        # each example is between two labels, which together form a cycle
        (
            [[0, 0, -1], [-1, 0, 0], [0, -1, 0]],
            [1, 1, 1],
            [[0.5, 0.5, 0], [0, 0.5, 0.5], [0.5, 0, 0.5]],
        ),
        # one is between two labels, the other between all, and nobody is to have the second
        ([[0, -1, 0], [0, 0, 0]], [1, 0, 1], [[0.5, 0, 0.5], [0.5, 0, 0.5]]),
        # odds of 1 to 2 between the first and the third, and of 1 to 1 of the second to the first
        (
            [[0, -1, 0], [0, 0, 0]],
            [7 / 12, 1 / 4, 7 / 6],
            [[1 / 3, 0, 2 / 3], [1 / 4, 1 / 4, 1 / 2]],
        ),
    ],
)
def test_where_choices_form_a_cycle_labels_have_the_same_odds_everywhere(
    logits: list[list[float]], counts: list[float], expected: list[list[float]]
) -> None:
    for columns in itertools.permutations(range(3)):
        for rows in itertools.permutations(range(len(logits))):
            asked = np.array(logits, dtype=float)[list(rows)][:, columns]
            shares = match_shares(asked, np.array(counts)[list(columns)])[1]
            found = np.array(expected)[list(rows)][:, columns]
            assert shares == pytest.approx(found, abs=1e-9), (rows, columns)


@given(seed=st.integers(0, 10_000), examples=st.integers(1, 40), labels=st.integers(2, 4))
@settings(max_examples=60, deadline=None)
def test_shares_do_not_depend_on_the_order_of_labels_or_examples(
    seed: int, examples: int, labels: int
) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.integers(-2, 3, size=(examples, labels)) / 2
    counts = rng.multinomial(examples, rng.dirichlet([1] * labels)).astype(float)
    _, shares = match_shares(logits, counts)
    assert shares.sum(axis=0) == pytest.approx(counts, abs=1e-7)
    rows, columns = rng.permutation(examples), rng.permutation(labels)
    _, again = match_shares(logits[rows][:, columns], counts[columns])
    assert again == pytest.approx(shares[rows][:, columns], abs=1e-7)


def test_rounding_to_32_bits_parts_no_equal_odds() -> None:
    rng = np.random.default_rng(3)
    exact = rng.integers(-16, 17, size=(400, 3)) / 16  # log-odds on a grid, as of sixteen bits
    softmaxed = (np.exp(exact) / np.exp(exact).sum(axis=1, keepdims=True)).astype(np.float32)
    counts = np.array([100.0, 200.0, 100.0])
    shares = [match_shares(each, counts)[1] for each in (exact, log_probabilities(softmaxed))]
    assert shares[0] == pytest.approx(shares[1], abs=1e-7)
    assert np.mean((shares[0] % 1) > 0) > 0.01


@pytest.mark.parametrize(
    "wrong", [[np.nan, 0.5, 0.5], [0.0, 0.0, 0.0], [np.inf, 0.0, 0.0], [-0.1, 0.6, 0.5]]
)
def test_probabilities_that_are_none_are_refused(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match=r"example 1 has probabilities .*; expected finite"):
        log_probabilities(np.array([[0.2, 0.3, 0.5], wrong]))
    with pytest.raises(ValueError, match="expected counts that sum to 2"):
        match_shares(np.zeros((2, 3)), np.array([np.nan, 1.0, 1.0]))


@given(seed=st.integers(0, 10_000), nearest=st.sampled_from([1, 20]), rounded=st.booleans())
@settings(max_examples=25, deadline=None)
def test_the_nearest_examples_give_the_constants_of_all(
    seed: int, nearest: int, rounded: bool
) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(300, 3))
    logits = logits.round(0) if rounded else logits  # many ties
    counts = rng.multinomial(300, rng.dirichlet([1, 1, 1]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants_module, "NEAREST", nearest)
        constants, shares = match_shares(logits, counts)
    _, of_all = match_shares(logits, counts)
    assert shares == pytest.approx(of_all, abs=1e-9)
    assert shares.sum(axis=0) == pytest.approx(counts)
    shifted = logits + constants
    assert (shifted * shares).sum(axis=1) == pytest.approx(shifted.max(axis=1))


def test_counts_that_do_not_sum_to_the_examples_are_refused() -> None:
    with pytest.raises(ValueError, match=r"counts \[2, 2, 2\].*expected counts that sum to 5"):
        match_shares(np.zeros((5, 3)), np.array([2, 2, 2]))


def test_fitted_constants_undo_a_shift_of_calibrated_probabilities() -> None:
    rng = np.random.default_rng(1)
    true = rng.dirichlet([0.5, 0.5, 0.5], size=60_000)
    gold = (true.cumsum(axis=1) > rng.random((len(true), 1))).argmax(axis=1)
    moved = np.array([0.0, 1.5, -0.7])
    assert fit_constants(np.log(true + 1e-12) + moved, gold) == pytest.approx(-moved, abs=0.05)


def test_no_example_is_answered_with_constants_of_its_own_group() -> None:
    # Each group has one label only, and its probabilities say nothing: constants of other groups
    # make its own label rarer, those of its own would make it right.
    groups = np.repeat(np.arange(30), 10).astype(str)
    gold = np.array([str(LABELS[int(group) % 3]) for group in groups])
    answers = cross_fitted(gold.tolist(), groups.tolist(), np.full((300, 3), 1 / 3))
    assert np.mean([str(LABELS[a]) == g for a, g in zip(answers, gold, strict=True)]) < 0.5


def test_a_probability_of_zero_has_a_finite_logarithm() -> None:
    assert np.isfinite(log_probabilities(np.array([[0.0, 1.0, 0.0]]))).all()
