import pandas as pd
import pytest

from factmix.study.examples import COLUMNS, Example, from_frame, to_frame
from factmix.study.labels import ANSWERS, LABELS, Label

TWO = [
    Example("a", "g", "d", "Rain fell.", ("It rained.", "It poured."), Label.PASS, "two"),
    Example("b", "g", "d", "Snow fell.", (), Label.NA),
]


def test_labels_have_one_order_and_answers_add_invalid_to_it():
    assert [str(label) for label in LABELS] == ["NA", "PASS", "FAIL"]
    assert ANSWERS == ("NA", "PASS", "FAIL", "INVALID")


def test_frame_has_a_row_per_example_in_the_given_order():
    frame = to_frame(TWO)
    assert tuple(frame.columns) == COLUMNS
    assert COLUMNS == ("id", "group", "dataset", "claim", "evidence", "label", "kind")
    assert frame["id"].tolist() == ["a", "b"]
    assert frame["evidence"].tolist() == [["It rained.", "It poured."], []]
    assert frame["label"].tolist() == ["PASS", "NA"]
    assert frame["kind"].tolist() == ["two", ""]


def test_the_label_na_is_text_and_not_a_missing_value(tmp_path):
    to_frame(TWO).to_parquet(tmp_path / "two.parquet")
    read = pd.read_parquet(tmp_path / "two.parquet")
    assert not read["label"].isna().any()
    assert read["label"].tolist() == ["PASS", "NA"]


def test_examples_survive_parquet(tmp_path):
    to_frame(TWO).to_parquet(tmp_path / "two.parquet")
    assert from_frame(pd.read_parquet(tmp_path / "two.parquet")) == TWO


def test_further_columns_are_left_out():
    assert from_frame(to_frame(TWO).assign(trajectory=True)) == TWO


def test_no_examples_make_an_empty_table():
    frame = to_frame([])
    assert tuple(frame.columns) == COLUMNS
    assert from_frame(frame) == []


def test_an_unknown_label_is_refused():
    with pytest.raises(ValueError, match="MAYBE"):
        from_frame(to_frame(TWO).assign(label="MAYBE"))
