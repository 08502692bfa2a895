"""Shift and learning: what constants explain, and what they do not."""

import numpy as np
import pytest

from factmix.stats.shift import (
    discrimination,
    rank_correlation,
    separation,
    shift_or_learning,
)
from factmix.study.labels import LABELS


def _split(gold: np.ndarray, before: np.ndarray, after: np.ndarray) -> tuple[float, float, float]:
    found = shift_or_learning(
        gold.tolist(), before, after, resamples=200, confidence=0.95, rng=np.random.default_rng(0)
    )
    return found.total.value, found.shift.value, found.learning.value


@pytest.fixture
def invented() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    probabilities = rng.dirichlet([1, 1, 1], size=900)
    drawn = (probabilities.cumsum(axis=1) > rng.random((900, 1))).argmax(axis=1)
    return np.array([str(LABELS[i]) for i in drawn]), probabilities


def _shifted(probabilities: np.ndarray, by: list[float]) -> np.ndarray:
    moved = probabilities * np.exp(by)
    return moved / moved.sum(axis=1, keepdims=True)


def test_a_model_with_moved_thresholds_has_learned_nothing(
    invented: tuple[np.ndarray, np.ndarray],
) -> None:
    gold, before = invented
    total, shift, learning = _split(gold, before, _shifted(before, [0.0, 1.0, -0.5]))
    assert total == shift and total < -0.05 and learning == 0


def test_a_model_that_reorders_examples_at_the_same_shares_has_only_learned(
    invented: tuple[np.ndarray, np.ndarray],
) -> None:
    gold, before = invented
    own = before.argmax(axis=1)
    right = np.array([LABELS.index(each) for each in gold])
    # exchange the answers of pairs in which each has the other's gold label
    after = before.copy()
    first = np.flatnonzero((own == 0) & (right == 1))
    second = np.flatnonzero((own == 1) & (right == 0))
    pairs = min(len(first), len(second))
    after[first[:pairs]], after[second[:pairs]] = [0.1, 0.8, 0.1], [0.8, 0.1, 0.1]
    total, shift, learning = _split(gold, before, after)
    assert pairs > 20 and shift == 0 and learning == total > 0.05


def test_discrimination_does_not_depend_on_how_often_na_is_said(
    invented: tuple[np.ndarray, np.ndarray],
) -> None:
    gold, before = invented
    moved = _shifted(before, [0.0, 0.4, 0.4])
    assert discrimination(gold.tolist(), moved) == pytest.approx(
        discrimination(gold.tolist(), before)
    )
    assert rank_correlation(before, moved) == pytest.approx(1)
    uneven = discrimination(gold.tolist(), _shifted(before, [0.0, 1.0, -0.5]))
    even = discrimination(gold.tolist(), before)
    assert uneven["auroc_pass_fail"] == pytest.approx(even["auroc_pass_fail"])
    assert 0.005 < abs(uneven["auroc_na"] - even["auroc_na"]) < 0.03


def test_discrimination_counts_pairs_in_the_right_order() -> None:
    probabilities = np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7]])
    found = discrimination(["NA", "PASS", "FAIL", "FAIL"], probabilities)
    assert found["auroc_na"] == pytest.approx(2 / 3)  # 0.5 is above 0.2 and 0.1, below 0.6
    assert found["auroc_pass_fail"] == pytest.approx(1 / 2)  # ln(5/3) is between ln 3 and ln(2/7)


def test_no_constants_change_the_separation_of_labels(
    invented: tuple[np.ndarray, np.ndarray],
) -> None:
    gold, before = invented
    first = separation(gold.tolist(), before)
    assert separation(gold.tolist(), _shifted(before, [0.0, 2.0, -3.0])) == pytest.approx(first)
    # of two labels it is the area under the ROC curve
    two = np.isin(gold, ["PASS", "FAIL"])
    area = discrimination(gold[two].tolist(), before[two])["auroc_pass_fail"]
    assert separation(gold[two].tolist(), before[two]) == pytest.approx(area)


def test_labels_that_are_no_examples_gold_label_are_answers_all_the_same(
    invented: tuple[np.ndarray, np.ndarray],
) -> None:
    gold, before = invented
    two = gold != "NA"
    gold, before = gold[two], before[two]
    after = _shifted(before, [-9.0, 0.0, 0.0])  # no longer says NA
    total, shift, learning = _split(gold, before, after)
    assert total == shift > 0.1 and learning == 0


def _rounded(probabilities: np.ndarray) -> np.ndarray:
    """In quarters, so that labels are often equally probable."""
    return np.round(4 * probabilities) / 4


def test_the_order_of_equally_probable_labels_decides_nothing(
    invented: tuple[np.ndarray, np.ndarray],
) -> None:
    gold, before = invented
    after = _shifted(before, [0.0, 0.5, -0.5])
    settings = {"resamples": 200, "confidence": 0.95}
    found = []
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        found.append(
            shift_or_learning(
                gold.tolist(),
                _rounded(before)[:, order],
                _rounded(after)[:, order],
                rng=np.random.default_rng(0),
                labels=[LABELS[i] for i in order],
                **settings,
            )
        )
    for each in found[1:]:
        for name in ("before", "agreement", "agreement_unshifted"):
            assert getattr(each, name) == pytest.approx(getattr(found[0], name), abs=1e-6)
        for name in ("total", "shift", "learning"):
            of, first = getattr(each, name), getattr(found[0], name)
            assert of.value == pytest.approx(first.value, abs=1e-6)
    # half of the claims with two equally probable labels, one of which is right, are right
    share = _rounded(before) == _rounded(before).max(axis=1, keepdims=True)
    right = (share / share.sum(axis=1, keepdims=True))[
        np.arange(len(gold)), [LABELS.index(each) for each in gold]
    ]
    recalls = [right[gold == label].mean() for label in map(str, LABELS)]
    assert found[0].before == pytest.approx(np.mean(recalls))
    assert 0.05 < np.mean((right > 0) & (right < 1)) < 0.5


def test_a_model_with_equally_probable_labels_does_not_differ_from_itself(
    invented: tuple[np.ndarray, np.ndarray],
) -> None:
    gold, before = invented
    found = shift_or_learning(
        gold.tolist(),
        _rounded(before),
        _rounded(before),
        resamples=200,
        confidence=0.95,
        rng=np.random.default_rng(0),
    )
    assert found.total.value == 0 and found.total.interval == (0, 0)
    assert found.agreement_unshifted == pytest.approx(1)
    for part in (found.shift, found.learning):
        assert part.value == pytest.approx(0, abs=1e-6)
    assert found.agreement == pytest.approx(1, abs=1e-6)
