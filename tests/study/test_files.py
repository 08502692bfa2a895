"""Files are there whole or not at all, and one that was cut or changed by hand is found out."""

import errno
import json
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from factmix.study.files import (
    DamagedError,
    altered,
    is_unwritable,
    read_attributes,
    read_record,
    rows_sha256,
    sha256,
    write_json,
    write_parquet,
    write_record,
    write_sealed,
    write_sections,
)

TABLE = pd.DataFrame(
    {"id": ["a", "b"], "p": [0.1, 1 / 3], "valid": [True, False], "text": ["", "x"]}
)


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """As on a full disk, whose writes fail with another number."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    content = {"a": [1, 0.1 + 0.2, None], "b": {"d": "\u00e9", "c": True}}
    write_record(tmp_path / "r.json", content)
    assert read_record(tmp_path / "r.json") == content


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"steps": 2', '"steps": 3', "was changed after it was written"),
        ('"steps": 2,', '"steps": 2, "more": 1,', "was changed after it was written"),
        ('"sha256"', '"md5"', "has no checksum"),
        ("]\n}\n", "", "is no valid JSON"),
        (None, "", "is no valid JSON"),
        (None, "[]", "is no JSON object"),
        (None, "{}", "has no checksum"),
        (None, "\ufffd\x00", "is no valid JSON"),
    ],
)
def test_a_record_that_was_changed_by_hand_is_refused(
    tmp_path: Path, old: str | None, new: str, said: str
) -> None:
    path = tmp_path / "run.json"
    write_record(path, {"steps": 2, "loss": [1]})
    text = path.read_text()
    changed = new if old is None else text.replace(old, new) if old in text else text[:-9]
    path.write_text(changed)
    with pytest.raises(DamagedError, match=rf"run\.json: it {said}.*; expected the file .* again"):
        read_record(path)


def test_a_sealed_table_keeps_its_attributes_and_rows(tmp_path: Path) -> None:
    frame = TABLE.copy()
    frame.attrs["depends_on"] = {"a": 1}
    write_sealed(tmp_path / "t.parquet", frame)
    assert read_attributes(tmp_path / "t.parquet") == frame.attrs == {"depends_on": {"a": 1}}
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), frame)
    write_parquet(tmp_path / "t.parquet", frame)  # of a version that sealed nothing
    assert read_attributes(tmp_path / "t.parquet") == {"depends_on": {"a": 1}}


@pytest.mark.parametrize(
    "change",
    [
        lambda path: pd.read_parquet(path).replace({"p": {0.1: 0.2}}).to_parquet(path),
        lambda path: pd.read_parquet(path).iloc[:1].to_parquet(path),
        lambda path: path.write_bytes(path.read_bytes()[:-50]),
        lambda path: path.write_bytes(b""),
    ],
    ids=["another number", "a row fewer", "cut", "empty"],
)
def test_a_sealed_table_that_was_changed_by_hand_is_refused(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    path = tmp_path / "t.parquet"
    write_sealed(path, TABLE)
    change(path)
    with pytest.raises(DamagedError, match=r"t\.parquet: it(s rows were changed| cannot be read)"):
        read_attributes(path)


def test_the_seal_of_a_table_is_the_same_with_every_version_of_the_libraries(
    tmp_path: Path,
) -> None:
    """If this fails after an update, sealed tables of before would all count as changed."""
    path = tmp_path / "t.parquet"
    write_sealed(path, TABLE)
    kept = json.loads(pq.read_schema(path).metadata[b"PANDAS_ATTRS"])["content_sha256"]
    assert kept == "ec0ce6f26b7295e4ee946d636c163f133207b9236f601d0c62a8dbfaeedabc48"


def test_sections_are_the_same_object_in_few_bytes_with_a_line_for_each_entry(
    tmp_path: Path,
) -> None:
    content = {"a": {"b": {"value": 1 / 3, "n": [1, 2]}, "ü": {}}, "c": {}, "d": "text", "e": [1]}
    write_sections(tmp_path / "few.json", content)
    text = (tmp_path / "few.json").read_text(encoding="utf-8")
    assert json.loads(text) == content
    assert '\n"b":{"value":0.3333333333333333,"n":[1,2]},\n' in text
    with pytest.raises(ValueError, match="Out of range"):
        write_sections(tmp_path / "few.json", {"a": {"b": float("nan")}})
    assert json.loads((tmp_path / "few.json").read_text(encoding="utf-8")) == content


def test_rows_have_one_checksum_however_they_are_stored(tmp_path: Path) -> None:
    table = TABLE.assign(evidence=[["one", "two"], []])
    write_parquet(tmp_path / "small.parquet", table)
    table.to_parquet(tmp_path / "plain.parquet")
    small, plain = tmp_path / "small.parquet", tmp_path / "plain.parquet"
    assert sha256(small) != sha256(plain)
    assert rows_sha256(small) == rows_sha256(plain)
    for other in (table[::-1], table.assign(evidence=[["one two"], []]), table[["p", "id"]]):
        write_parquet(tmp_path / "other.parquet", other)
        assert rows_sha256(tmp_path / "other.parquet") != rows_sha256(small)
    small.write_bytes(small.read_bytes()[:-50])
    with pytest.raises(DamagedError, match=r"small\.parquet: it cannot be read as Parquet"):
        rows_sha256(small)


def test_altered_files_are_those_that_are_missing_or_other(tmp_path: Path) -> None:
    sums = {}
    for name in ("a", "b/c", "d"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
        sums[name] = sha256(tmp_path / name)
    assert altered(tmp_path, sums) == []
    (tmp_path / "b/c").write_text("e")
    (tmp_path / "d").unlink()
    assert altered(tmp_path, sums) == ["b/c", "d"]


@pytest.mark.parametrize("kind", ["JSON", "Parquet", "sealed"])
def test_a_file_that_does_not_fit_leaves_the_former_one_and_nothing_else(
    tmp_path: Path, kind: str
) -> None:
    path, large = tmp_path / "file", pd.DataFrame({"text": [f"{i**9}" for i in range(9999)]})
    path.write_text("former")
    with pytest.raises(OSError) as caught, no_file_larger_than(5000):
        if kind == "JSON":
            write_json(path, large["text"].tolist())
        else:
            (write_sealed if kind == "sealed" else write_parquet)(path, large)
    assert is_unwritable(caught.value)
    assert path.read_text() == "former"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("error", "unwritable"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EROFS, "Read-only file system"), True),
        (OSError(errno.ENOENT, "No such file"), False),
        (RuntimeError("[enforce fail] . PytorchStreamWriter failed writing file data/0"), True),
        (ValueError("I/O error: No space left on device (os error 28)"), True),
        (Exception("No space left on device (os error 28)"), True),
        (ValueError("I/O error: No such file or directory (os error 2)"), False),
        (RuntimeError("[enforce fail at inline_container.cc:6] . unexpected pos 64 vs 0"), True),
        (RuntimeError("CUDA out of memory"), False),
    ],
)
def test_what_cannot_be_written_is_told_from_other_errors(
    error: Exception, unwritable: bool
) -> None:
    assert is_unwritable(error) == unwritable
