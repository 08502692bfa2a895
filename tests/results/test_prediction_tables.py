"""The same ten answers are read alike from every format, and a file that is broken is named."""

import codecs
import gzip
import json

import pandas as pd
import pytest

from factmix.results.prediction_files import pair
from factmix.results.prediction_tables import INDEX, PredictionsError, read_table

GOLD = ["NA", "PASS", "FAIL", "NA", "PASS", "FAIL", "NA", "PASS", "FAIL", "NA"]
ANSWERS = ["NA", "PASS", "PASS", "FAIL", "PASS", "FAIL", "NA", "NA", "FAIL", "NA"]
FRAME = pd.DataFrame({"id": range(100, 110), "gold": GOLD, "predicted": ANSWERS})


def as_csv(**how):
    return lambda frame: frame.to_csv(index=False, **how).encode()


def as_json(**how):
    return lambda frame: frame.to_json(**how).encode()


def as_parquet(frame):
    return frame.to_parquet()


FORMATS = {
    "a.parquet": as_parquet,
    "index.parquet": lambda frame: frame.set_index("id").to_parquet(),
    "unnamed.parquet": lambda frame: (
        frame.set_axis(frame["id"].to_list()).drop(columns="id").to_parquet()
    ),
    "strings.parquet": lambda frame: (
        frame.set_axis(frame["id"].astype(str).to_list()).drop(columns="id").to_parquet()
    ),
    "categories.parquet": lambda frame: frame.astype("category").to_parquet(),
    "nullable.parquet": lambda frame: frame.convert_dtypes().to_parquet(),
    "arrow.parquet": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow").to_parquet(),
    "a.csv": as_csv(),
    "semicolons.csv": as_csv(sep=";"),
    "tabs.tsv": as_csv(sep="\t"),
    "quoted.csv": as_csv(quoting=1, lineterminator="\r\n"),
    "index.csv": lambda frame: (
        frame.set_axis(frame["id"].to_list()).drop(columns="id").to_csv().encode()
    ),
    "mark.csv": lambda frame: codecs.BOM_UTF8 + as_csv()(frame),
    "excel.csv": lambda frame: frame.to_csv(index=False, sep="\t").encode("utf-16"),
    "note.csv": lambda frame: b"sep=;\r\n" + as_csv(sep=";", lineterminator="\r\n")(frame),
    "blank-lines.csv": lambda frame: as_csv()(frame) + b"\n,,\n\n",
    "records.json": as_json(orient="records"),
    "indented.json": as_json(orient="records", indent=2),
    "columns.json": lambda frame: json.dumps(frame.to_dict(orient="list")).encode(),
    "pandas.json": as_json(),
    "pandas-index.json": lambda frame: frame.set_index("id").to_json().encode(),
    "table.json": as_json(orient="table", index=False),
    "results.json": lambda frame: json.dumps(
        {"model": "x", "notes": [], "results": frame.to_dict(orient="records")}
    ).encode(),
    "a.jsonl": as_json(orient="records", lines=True),
    "lines.json": as_json(orient="records", lines=True),
    "mark.jsonl": lambda frame: codecs.BOM_UTF8 + as_json(orient="records", lines=True)(frame),
    "parquet": as_parquet,
    "json": as_json(orient="records"),
    "csv.txt": as_csv(sep=";"),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("packed", [False, True])
def test_the_same_answers_are_read_from_every_format(tmp_path, name, packed):
    content = FORMATS[name](FRAME)
    file = tmp_path / (f"{name}.gz" if packed else name)
    file.write_bytes(gzip.compress(content) if packed else content)
    baseline = tmp_path / "baseline.parquet"
    FRAME.sample(frac=1, random_state=3).to_parquet(baseline)  # the same ids in another order
    pairs = pair(baseline, file)
    assert pairs.ids == [str(id_) for id_ in range(100, 110)]
    assert pairs.gold == GOLD
    assert pairs.baseline == pairs.model == ANSWERS


def test_the_place_of_a_row_is_said_as_it_is_found_in_the_file(tmp_path):
    lines = '{"id": 1}\n\n{"id": 2}\n'
    for name, content, place in [
        ("a.csv", 'id,text\n1,"two\nlines"\n2,x\n', "line 4"),
        ("note.csv", "sep=;\nid;text\n1;x\n2;y\n", "line 4"),
        ("a.jsonl", lines, "line 3"),
        ("a.json", '{"results": [{"id": 1}, {"id": 2}]}', "results[1]"),
        ("list.json", '[{"id": 1}, {"id": 2}]', "[1]"),
    ]:
        (tmp_path / name).write_text(content)
        table = read_table(tmp_path / name)
        assert (name, table.place(1)) == (name, place)
        assert [str(value) for value in table.column("id")] == ["1", "2"]


def test_one_line_of_json_lines_is_one_row(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": 1, "gold": ["x"]}')
    assert read_table(tmp_path / "a.jsonl").rows == 1


def test_the_column_of_an_index_has_a_name_of_its_own(tmp_path):
    FRAME.set_axis(list("abcdefghij")).to_csv(tmp_path / "a.csv")
    assert read_table(tmp_path / "a.csv").names[0] == INDEX


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "id,gold\n1,Bestätigt\n".encode("cp1252"), "line 2 is not UTF-8 .*save the file"),
        ("a.csv", codecs.BOM_UTF16_LE + b"i\x00d", "is not UTF-16"),
        ("a.jsonl", b'{"id": "\xff"}', "line 1 is not UTF-8"),
        ("a.csv", b"id,gold\n1,PASS,x\n", "line 2: 3 values; expected 2, as in the first line"),
        ("a.csv", b'id,gold\n1,"PASS\n', "line 2: cannot be read as CSV"),
        ("a.csv", b"\n\n", "got an empty file"),
        ("a.csv", b"", "got an empty file"),
        ("a.json", b"", "cannot be read as JSON"),
        ("a.json", b'{"id": 1, "id": 2}', "an object with two values for id"),
        ("a.json", b'{"id": [1, 2], "gold": ["PASS"]}', "columns of 1 and 2 values; expected as"),
        ("a.json", b'{"id": 1}', "expected a list of records"),
        ("a.json", b"[1" + b"0" * 5000 + b"]", "cannot be read as JSON"),
        (
            "a.jsonl",
            b'{"id": 1}\n{"id": \n',
            "line 2: cannot be read as JSON: Expecting value, at 8",
        ),
        ("a.jsonl", b'{"id": 1}\n[2]\n', r"line 2 is \[2\]; expected an object"),
        ("a.csv.gz", b"\x1f\x8b\x08broken", "cannot be read: "),
        ("a.xlsx", b"PK\x03\x04", "a zip archive or an Excel file; .*save the table as CSV"),
        ("a.parquet", b"PAR1xxxx", "cannot be read as Parquet"),
    ],
)
def test_what_is_broken_is_said_in_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PredictionsError, match=message) as error:
        read_table(tmp_path / name)
    assert str(error.value).startswith(str(tmp_path / name))
    assert "\n" not in str(error.value)


def test_a_cut_file_is_named(tmp_path):
    whole = FRAME.to_parquet()
    for content in (whole[:-40], whole[: len(whole) // 2], gzip.compress(whole)[:-30]):
        (tmp_path / "a.parquet").write_bytes(content)
        with pytest.raises(PredictionsError, match=r"a\.parquet: cannot be read"):
            read_table(tmp_path / "a.parquet")
