"""Descriptions stand for the names that they are meant for, and for no others."""

import pytest

from factmix.study.descriptions import is_described, undescribed, unused

DESCRIBED = {"step": "", "accuracy|<label>": "", "share/<answer>": "", "risk_at_<number>": ""}


@pytest.mark.parametrize("name", ["step", "accuracy|NA", "share/INVALID", "risk_at_50"])
def test_a_name_is_described_by_its_entry(name: str) -> None:
    assert is_described(name, DESCRIBED)


@pytest.mark.parametrize("name", ["steps", "accuracy", "accuracy|NA|PASS", "share/", "risk_at_x"])
def test_a_name_that_no_entry_stands_for_is_not_described(name: str) -> None:
    assert not is_described(name, DESCRIBED)


def test_two_entries_for_one_name_describe_nothing() -> None:
    assert undescribed(["share/NA"], [*DESCRIBED, "share/NA"]) == ["share/NA"]


def test_the_names_of_a_place_can_be_limited() -> None:
    labels = {"label": ("NA", "PASS", "FAIL")}
    assert undescribed(["accuracy|NA", "accuracy|NO"], DESCRIBED, labels) == ["accuracy|NO"]
    assert unused(["accuracy|NO", "step"], ["accuracy|<label>", "step"], labels) == [
        "accuracy|<label>"
    ]
