"""Numbers are found by their key and written as a reader expects them."""

import pytest

from factmix.results.numbers import (
    NumberError,
    amount,
    duration,
    find,
    in_terminal,
    leaves,
    p_cell,
    probability,
    show,
)

NB = "\u00a0"  # no-break space
MINUS = "\u2212"
TREE = {
    "study": {"name": "embedded", "steps": [0, 25, 200]},
    "metrics": {
        "base": {"accuracy": {"value": 0.6534, "unit": "fraction", "n": 1000, "run": "base"}},
        "balanced": {"accuracy": {"value": 0.7, "unit": "fraction", "n": 1000, "run": "b-s0"}},
    },
    "gain": {
        "value": -0.0321,
        "unit": "points",
        "n": 1000,
        "interval": [-0.051, 0.00004],
        "p": 0.0004,
        "run": "balanced-s0",
    },
}


def test_leaves_are_values_and_plain_settings() -> None:
    assert [key for key, _ in leaves(TREE)] == [
        "study.name",
        "study.steps",
        "metrics.base.accuracy",
        "metrics.balanced.accuracy",
        "gain",
    ]


def test_unknown_key_names_the_nearest() -> None:
    with pytest.raises(NumberError, match=r"'metrics\.bse\.accuracy'.*metrics\.base\.accuracy"):
        find(TREE, "metrics.bse.accuracy")


def test_key_of_a_branch_names_what_is_below() -> None:
    with pytest.raises(NumberError, match=r"nearest: metrics\.base\.accuracy"):
        find(TREE, "metrics.base")


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("value", f"{MINUS}3.2{NB}points"),
        ("interval", f"{MINUS}5.1 to 0.0{NB}points"),
        ("full", f"{MINUS}3.2{NB}points ({MINUS}5.1 to 0.0{NB}points)"),
        ("cell", f"{MINUS}3.2 [{MINUS}5.1,{NB}0.0]"),
        ("size", f"3.2{NB}points"),
        ("p", f"p{NB}<{NB}0.001"),
        ("n", "1,000"),
        ("run", "balanced-s0"),
    ],
)
def test_forms_of_a_gain(form: str, text: str) -> None:
    assert show(TREE["gain"], form) == text


def test_fraction_is_a_percentage() -> None:
    assert show(find(TREE, "metrics.base.accuracy")) == f"65.3{NB}%"


def test_number_without_interval_is_shown_without_one() -> None:
    assert show(find(TREE, "metrics.base.accuracy"), "cell") == "65.3"
    assert show(find(TREE, "metrics.base.accuracy"), "full") == f"65.3{NB}%"


def test_form_that_a_number_lacks_is_an_error() -> None:
    with pytest.raises(NumberError, match="has no interval"):
        show(find(TREE, "metrics.base.accuracy"), "interval")


def test_unknown_form_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(NumberError, match=r"'intervall'.*interval"):
        show(TREE["gain"], "intervall")


def test_settings_are_written_with_the_digits_they_have() -> None:
    assert show(find(TREE, "study.steps")) == "0, 25, 200"
    assert [amount(x) for x in (0.15, 4.0, -0.5, 10000, 7.925)] == [
        "0.15",
        "4",
        f"{MINUS}0.5",
        "10,000",
        "7.925",
    ]
    assert amount(1e-4) == "0.0001"


def test_measured_values_are_rounded_alike() -> None:
    assert amount(0.81, "") == "0.810"
    assert amount(0.8789, "") == "0.879"
    assert amount(0.10841, "nats per token") == f"0.108{NB}nats per token"


def test_value_that_was_not_computed_is_a_dash() -> None:
    assert amount(None, "fraction") == "\u2013"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(12.34, f"12.3{NB}s"), (200, f"3{NB}min{NB}20{NB}s"), (3725, f"1{NB}h{NB}2{NB}min")],
)
def test_duration_has_the_units_a_reader_would_use(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_p_value_has_its_relation() -> None:
    assert probability(0.0312) == f"p{NB}={NB}0.031"
    assert probability(None) == "p not defined"


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (2 / 10_001, "< 0.0002"),
        (15 * 2 / 10_001, "< 0.003"),
        (36 * 2 / 10_001, "< 0.0072"),
        (2 / 200_001, "< 0.00001"),
        (2 / 31, "< 0.065"),
        (2 / 200, "\u2264 0.01"),  # it is no lower than this
        (15 * (2 / 200), "\u2264 0.15"),
    ],
)
def test_p_value_at_the_floor_of_the_resamples_is_a_bound(p: float, text: str) -> None:
    shown = probability(p, at_floor=True)
    assert in_terminal(shown) == f"p {text}"
    assert p <= float(text[2:]) * (1 + 1e-12)


def test_which_p_is_at_its_floor_is_looked_up() -> None:
    leaf = {"value": 0.1, "unit": "points", "p": 2 / 10_001, "p_holm": 0.003, "p_noninferior": 0.2}
    leaf |= {"at_floor": ["p"]}
    shown = [in_terminal(show(leaf, form)) for form in ("p", "p_holm", "p_noninferior")]
    assert shown == ["p < 0.0002", "p = 0.003", "p = 0.200"]
    cells = [in_terminal(p_cell(leaf, form)) for form in ("p", "p_holm")]
    assert cells == ["< 0.0002", "0.003"]
