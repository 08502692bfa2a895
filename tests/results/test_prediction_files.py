import json

import numpy as np
import pandas as pd
import pytest

from factmix.results.compare_files import as_text, compare_pairs, reported
from factmix.results.prediction_files import PredictionsError, pair, read_predictions

GOLD = ["NA"] * 4 + ["PASS"] * 2 + ["FAIL"] * 2
FIRST = ["NA", "PASS", "PASS", "PASS", "PASS", "PASS", "PASS", "FAIL"]
SECOND = ["NA", "NA", "NA", "PASS", "PASS", "PASS", "FAIL", "PASS"]


def records(answers, **fields):
    return [
        {"id": i, "golden_label": gold, "predicted_label": answer, "raw_response": answer, **fields}
        for i, (gold, answer) in enumerate(zip(GOLD, answers, strict=True))
    ]


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        if isinstance(content, pd.DataFrame):
            content.to_parquet(path)
        else:
            path.write_text(json.dumps({"dataset": "x", "results": content}))
        return path

    return write


def ours(answers, dataset="x", **columns):
    frame = pd.DataFrame({"id": [str(i) for i in range(8)], "gold": GOLD, "predicted": answers})
    return frame.assign(dataset=dataset, format_valid=frame["predicted"] != "INVALID", **columns)


def compare(pairs):
    return compare_pairs(pairs, resamples=200, confidence=0.95, seed=1)


def numbers(pairs):
    """The comparison without the names of the files."""
    return {key: value for key, value in compare(pairs).items() if key != "read"}


def test_comparison_by_hand(write):
    result = compare(pair(write("a.json", records(FIRST)), write("b.json", records(SECOND))))
    assert result["n"] == 8
    assert tuple(result["metrics"]) == reported(("NA", "PASS", "FAIL"))
    accuracy = result["metrics"]["accuracy"]
    assert (accuracy["baseline"], accuracy["model"]) == (4 / 8, 6 / 8)
    assert accuracy["difference"] == pytest.approx(0.25)
    assert accuracy["ci"][0] <= 0.25 <= accuracy["ci"][1]
    assert result["metrics"]["recall_na"]["model"] == 3 / 4
    assert result["metrics"]["f1_na"]["baseline"] == pytest.approx(2 / 5)
    assert result["mcnemar"]["fixed"] == 3
    assert result["mcnemar"]["broken"] == 1
    assert result["mcnemar"]["p"] == pytest.approx(10 / 16)
    assert result["mcnemar"]["odds_ratio"] == 3
    assert "McNemar: 3 fixed, 1 broken" in as_text(result)
    assert "Odds ratio, fixed to broken: 3 [" in as_text(result)


@pytest.mark.parametrize(
    ("resamples", "p", "holm"), [(200, "< 0.01", "< 0.06"), (200_000, "< 0.00001", "< 0.00006")]
)
def test_a_p_at_the_floor_of_the_resamples_is_a_bound_and_no_zero(resamples, p, holm, write):
    gold = pd.Series(["NA", "PASS", "FAIL"] * 1000)
    rows = pd.DataFrame({"id": gold.index.astype(str), "gold": gold, "dataset": "x"})
    rows["format_valid"] = True
    wrong = write("a.parquet", rows.assign(predicted=np.roll(gold, 1)))
    right = write("b.parquet", rows.assign(predicted=gold))
    result = compare_pairs(pair(wrong, right), resamples=resamples, confidence=0.95, seed=1)
    text = as_text(result)
    row = next(line for line in text.splitlines() if line.startswith("accuracy"))
    assert row.endswith(f"{p:>11}{holm:>11}")
    assert "p < 0.001 (mid-p: p < 0.001)" in text


def test_a_ratio_to_nothing_broken_is_not_defined(write):
    better = write("b.json", records(GOLD))
    result = compare(pair(write("a.json", records(FIRST)), better))
    assert result["mcnemar"]["odds_ratio"] is None
    assert "not defined, as nothing was broken" in as_text(result)


def test_our_format_and_the_released_one_are_the_same_answers(write):
    a, b = write("a.json", records(FIRST)), write("b.parquet", ours(SECOND))
    both = write("a.parquet", ours(FIRST)), write("b.json", records(SECOND, format_valid=True))
    assert numbers(pair(a, b)) == numbers(pair(*both))


def test_the_order_of_records_does_not_matter(write):
    a, b = write("a.json", records(FIRST)), write("b.json", records(SECOND))
    turned = write("c.json", records(SECOND)[::-1])
    assert numbers(pair(a, b)) == numbers(pair(a, turned))


@pytest.mark.parametrize(
    "change",
    [
        {"predicted_label": None},
        {"predicted_label": "perhaps"},
        {"format_valid": False},
        {"raw_response": "NAVIGATE, PASSED, fail", "predicted_label": "NA"},
        {"raw_response": "", "predicted_label": "NA"},
    ],
)
def test_invalid_answers_count_as_wrong_or_drop_the_pair(write, change):
    rows = records(SECOND)
    rows[0] |= change
    a, b = write("a.json", records(FIRST)), write("b.json", rows)
    wrong = pair(a, b)
    assert (wrong.model[0], wrong.invalid, wrong.dropped) == ("INVALID", (0, 1), 0)
    assert compare(wrong)["metrics"]["accuracy"]["model"] == 5 / 8
    dropped = pair(a, b, invalid="drop_pairwise")
    assert (len(dropped.gold), dropped.dropped) == (7, 1)
    assert compare(dropped)["metrics"]["accuracy"]["baseline"] == 3 / 7


def test_missing_fields_and_confidences_are_fine(write):
    rows = records(SECOND, confidence=0.7, p_na=None)
    del rows[0]["predicted_label"], rows[1]["raw_response"]
    found = read_predictions(write("b.json", rows))
    assert found["answer"].tolist() == ["INVALID", *SECOND[1:]]


def test_a_label_read_amid_other_text_counts_in_our_files_but_can_be_dropped(write):
    frame = ours(SECOND)
    frame.loc[0, "format_valid"] = False
    a, b = write("a.parquet", ours(FIRST)), write("b.parquet", frame)
    assert pair(a, b).model[0] == "NA"
    assert pair(a, b, invalid="drop_pairwise").dropped == 1


@pytest.mark.parametrize("marks", [[None] * 4 + [True] * 4, [np.nan] * 4 + [1.0] * 4])
def test_what_is_not_marked_is_valid_in_either_format(write, marks):
    unmarked = write("a.parquet", ours(FIRST).assign(format_valid=marks))
    a = write("a.json", records(FIRST, format_valid=None))
    assert not read_predictions(a)["invalid"].any()
    assert not read_predictions(unmarked)["invalid"].any()


@pytest.mark.parametrize("backend", ["numpy_nullable", "pyarrow", "category", "object"])
def test_columns_of_every_kind_of_pandas_are_the_same_answers(write, backend):
    marks = [None, True, False, None, True, None, True, None]
    frames = [ours(FIRST).assign(format_valid=marks), ours(SECOND).assign(format_valid=True)]
    if backend == "category":
        frames = [frame.astype("category") for frame in frames]
    elif backend != "object":
        frames = [frame.convert_dtypes(dtype_backend=backend) for frame in frames]
    files = [write(f"{i}.parquet", frame) for i, frame in enumerate(frames)]
    dropped = pair(*files, invalid="drop_pairwise")
    assert (dropped.dropped, len(dropped.ids), dropped.invalid) == (1, 7, (1, 0))
    assert pair(*files).baseline == FIRST


def test_ids_of_different_types_are_the_same_examples(write):
    a, b = records(FIRST), records(SECOND)
    for i, row in enumerate(b):
        row["id"] = [str(i), float(i), i][i % 3]
    assert compare(pair(write("a.json", a), write("b.json", b)))["n"] == 8


def test_unpaired_examples_are_counted(write):
    a = [*records(FIRST), {"id": "more", "golden_label": "NA", "predicted_label": "NA"}]
    result = compare(pair(write("a.json", a), write("b.json", records(SECOND)[1:])))
    assert result["unpaired"] == {"baseline": 2, "model": 0}
    assert result["n"] == 7


def test_several_datasets_are_told_apart(write):
    both = [pd.concat([ours(each, "x"), ours(GOLD, "y")]) for each in (FIRST, SECOND)]
    a, b = (write(f"{i}.parquet", frame) for i, frame in enumerate(both))
    assert compare(pair(a, b))["n"] == 16
    one = numbers(pair(a, b, dataset="x"))
    assert one["metrics"]["accuracy"]["difference"] == pytest.approx(0.25)
    with pytest.raises(PredictionsError, match="no dataset z; expected one of: x, y"):
        pair(a, b, dataset="z")
    alone = write("alone.parquet", ours(FIRST, "x"))
    with pytest.raises(PredictionsError, match=r"no id in common; .* --dataset takes one"):
        pair(alone, b)
    assert numbers(pair(alone, b, dataset="x")) == one


def test_datasets_may_be_numbers(write):
    frames = [ours(answers, number) for answers, number in ((FIRST, 1), (SECOND, 2))]
    both = write("both.parquet", pd.concat(frames))
    assert compare(pair(both, both))["n"] == 16
    assert compare(pair(both, both, dataset="2"))["metrics"]["accuracy"]["model"] == 6 / 8


def test_a_dataset_is_chosen_only_where_a_file_says_it(write):
    a, b = write("a.json", records(FIRST)), write("b.json", records(SECOND))
    with pytest.raises(
        PredictionsError, match=r"dataset x cannot be chosen from .* --columns dataset"
    ):
        pair(a, b, dataset="x")
    assert compare(pair(a, write("b.parquet", ours(SECOND)), dataset="x"))["n"] == 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: [*rows, rows[0]], "1 ids occur more than once, such as 0"),
        (lambda rows: [*rows, rows[0] | {"id": "0"}], "occur more than once"),
        (lambda rows: [rows[0] | {"golden_label": "FAIL"}, *rows[1:]], "1 ids have another gold"),
        (lambda rows: [{"id": 1}], "lacks a column of gold label and answer"),
        (lambda rows: [rows[0] | {"golden_label": None}, *rows[1:]], r"results\[0\]: golden_label"),
        (lambda rows: [row | {"id": f"z{row['id']}"} for row in rows], "no id in common"),
        (lambda rows: [], "expected predictions; got none"),
        (lambda rows: "text", "expected .*results"),
        (lambda rows: [*rows, 5], r"results\[8\] is 5; expected an object"),
        (lambda rows: [rows[0] | {"id": float("nan")}, *rows[1:]], r"results\[0\]: id is nan"),
        (lambda rows: [rows[0] | {"id": [1]}, *rows[1:]], r"results\[0\]: id is \[1\]"),
        (lambda rows: [rows[0] | {"format_valid": "no"}], "format_valid is no; expected true or"),
    ],
)
def test_what_cannot_be_paired_is_refused_by_file(write, change, message):
    a, b = write("a.json", records(FIRST)), write("b.json", change(records(SECOND)))
    with pytest.raises(PredictionsError, match=message) as error:
        pair(a, b)
    assert str(b) in str(error.value)


def test_unreadable_files_are_named(tmp_path, write):
    with pytest.raises(PredictionsError, match=r"none\.json: no such file"):
        read_predictions(tmp_path / "none.json")
    for name, kind in (("text.json", "JSON"), ("text.parquet", "Parquet")):
        (tmp_path / name).write_text("no predictions")
        with pytest.raises(PredictionsError, match=f"{name}: cannot be read as {kind}"):
            read_predictions(tmp_path / name)
    with pytest.raises(PredictionsError, match="lacks a column of gold label and answer"):
        read_predictions(write("a.parquet", ours(FIRST).drop(columns="predicted")))
    (tmp_path / "run").mkdir()
    write("run/part.parquet", ours(FIRST))
    with pytest.raises(PredictionsError, match=r"run is a folder; expected a file"):
        read_predictions(tmp_path / "run")


@pytest.mark.parametrize("text", ["", '{"results": [{"id": 1, "golden', "[" * 100_000])
def test_broken_json_is_named(tmp_path, text):
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(PredictionsError, match=r"broken\.json: cannot be read as JSON"):
        read_predictions(path)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("id", [None, *"1234567"], "row 1: id is None"),
        ("dataset", ["x"] * 7 + [None], "row 8: dataset is None"),
        ("format_valid", ["maybe"] * 8, "row 1: format_valid is maybe; expected true or false"),
    ],
)
def test_what_a_row_lacks_is_said(write, column, values, message):
    with pytest.raises(PredictionsError, match=message):
        read_predictions(write("a.parquet", ours(FIRST).assign(**{column: values})))
