import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import SquareTable
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from factmix.stats import paired_tests
from factmix.stats.metrics import contingency
from factmix.study.labels import ANSWERS, LABELS

answered = st.lists(
    st.tuples(st.sampled_from(LABELS), st.sampled_from(ANSWERS), st.sampled_from(ANSWERS)),
    max_size=60,
).map(lambda rows: [*rows, *((label, "INVALID", "NA") for label in LABELS)])


def test_mid_p_by_hand():
    gold, first = ["PASS"] * 6, ["FAIL"] * 5 + ["PASS"]
    second = ["PASS"] * 5 + ["FAIL"]
    test = paired_tests.mcnemar(contingency(gold, first, second))
    assert test.p == pytest.approx(2 * (1 + 6) / 2**6)
    assert test.mid_p == pytest.approx(2 * (1 + 6 / 2) / 2**6)


def test_as_many_fixed_as_broken_is_no_difference():
    test = paired_tests.mcnemar(contingency(["NA", "NA"], ["NA", "PASS"], ["PASS", "NA"]))
    same = paired_tests.mcnemar(contingency(["NA"], ["NA"], ["NA"]))
    assert (test.p, test.mid_p) == (same.p, same.mid_p) == (1, 1)


def test_odds_ratio_of_discordant_pairs_by_hand():
    ratio = paired_tests.McNemar(fixed=8, broken=2, p=0.1, mid_p=0.1).odds_ratio(0.95)
    low = scipy_stats.beta(8, 3).ppf(0.025)
    high = scipy_stats.beta(9, 2).ppf(0.975)
    assert ratio.value == 4
    assert ratio.interval == pytest.approx((low / (1 - low), high / (1 - high)))
    assert (
        paired_tests.McNemar(fixed=0, broken=3, p=0.2, mid_p=0.2).odds_ratio(0.95).interval[0] == 0
    )
    assert paired_tests.McNemar(fixed=3, broken=0, p=0.2, mid_p=0.2).odds_ratio(0.95) is None


def pairs(table):
    """A table gold x first x second that sums to `table` over gold."""
    counts = np.zeros((3, 4, 4), dtype=int)
    counts[0] = table
    return counts


def test_stuart_maxwell_of_two_answers_is_mcnemar_s_chi_squared():
    table = np.zeros((4, 4), dtype=int)
    table[0, 1], table[1, 0], table[0, 0] = 9, 1, 50
    test = paired_tests.stuart_maxwell(pairs(table))
    assert (test.statistic, test.df) == (pytest.approx((9 - 1) ** 2 / 10), 1)
    assert test.p == pytest.approx(scipy_stats.chi2(1).sf(6.4))


def test_answers_that_no_change_connects_are_tested_apart():
    table = np.diag([20, 20, 20, 20])
    table[0, 1], table[1, 0], table[2, 3], table[3, 2] = 9, 1, 2, 3
    test = paired_tests.stuart_maxwell(pairs(table))
    assert (test.statistic, test.df) == (pytest.approx(64 / 10 + 1 / 5), 2)


def test_no_change_is_no_shift():
    assert paired_tests.stuart_maxwell(pairs(np.diag([5, 4, 3, 0]))) == paired_tests.Shift(0, 0, 1)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 30), min_size=16, max_size=16))
def test_stuart_maxwell_agrees_with_statsmodels(cells):
    table = np.array(cells).reshape(4, 4)
    expected = SquareTable(table).homogeneity()
    test = paired_tests.stuart_maxwell(pairs(table))
    assert (test.statistic, test.df) == (pytest.approx(expected.statistic), expected.df)
    assert test.p == pytest.approx(expected.pvalue, abs=1e-12)


@settings(max_examples=15)
@given(answered, st.permutations(range(3)))
def test_tests_do_not_depend_on_the_names_of_labels(rows, renaming):
    names = dict(zip(LABELS, [LABELS[i] for i in renaming], strict=True)) | {"INVALID": "INVALID"}
    columns = [list(column) for column in zip(*rows, strict=True)]
    before = contingency(*columns)
    after = contingency(*[[names[x] for x in column] for column in columns])
    assert paired_tests.mcnemar(after) == paired_tests.mcnemar(before)
    one, other = paired_tests.stuart_maxwell(before), paired_tests.stuart_maxwell(after)
    assert (one.statistic, one.df) == (pytest.approx(other.statistic, abs=1e-9), other.df)


def test_holm_by_hand():
    corrected = paired_tests.holm({"a": 0.01, "b": 0.04, "c": 0.03})
    # Sorted: 0.01 * 3, 0.03 * 2, and 0.04 * 1 may not be below the one before.
    assert corrected == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert list(corrected) == ["a", "b", "c"]
    assert paired_tests.holm({}) == {}


@pytest.mark.parametrize("p", [[0.2], [1e-300, 1.0, 0.0, 0.2, 0.2], [0.9, 0.01, 0.4, 0.01, 0.03]])
def test_holm_is_that_of_statsmodels(p):
    assert paired_tests.holm_in_order(p) == multipletests(p, method="holm")[1].tolist()


def test_mcnemar_by_hand():
    gold = ["PASS"] * 8 + ["NA"]
    first = ["FAIL"] * 6 + ["PASS"] * 2 + ["NA"]
    second = ["PASS"] * 5 + ["NA"] + ["INVALID"] + ["PASS"] + ["NA"]
    test = paired_tests.mcnemar(contingency(gold, first, second))
    assert (test.fixed, test.broken) == (5, 1)
    assert test.p == pytest.approx(2 * (1 + 6) / 2**6)  # binomial tail of at most 1 in 6


@settings(max_examples=15, deadline=None)
@given(answered)
def test_mcnemar_agrees_with_statsmodels_on_the_rows(rows):
    gold, first, second = (np.array(column) for column in zip(*rows, strict=True))
    table = [[((first == gold) == a) & ((second == gold) == b) for b in (1, 0)] for a in (1, 0)]
    expected = statsmodels_mcnemar(np.array(table).sum(axis=-1), exact=True)
    assert paired_tests.mcnemar(contingency(gold, first, second)).p == pytest.approx(
        expected.pvalue
    )
