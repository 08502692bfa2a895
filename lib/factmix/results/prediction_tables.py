"""Reads a file as a table: Parquet, CSV, JSON or JSON lines, each also compressed with gzip."""

import codecs
import csv
import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

INDEX = "(index)"  # the column that pandas writes for the index of a frame

_KINDS = {
    ".parquet": "Parquet",
    ".pq": "Parquet",
    ".json": "JSON",
    ".jsonl": "JSON",
    ".ndjson": "JSON",
    ".csv": "CSV",
    ".tsv": "CSV",
}
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark is the start of this one
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_DELIMITERS = ",;\t|"


class PredictionsError(ValueError):
    """A file of predictions cannot be read, or two of them cannot be paired."""


@dataclass(frozen=True)
class Table:
    """What a file holds.

    Attributes:
        path: of the file.
        names: of the columns; `INDEX` for the index of a pandas frame. A name may occur twice.
        rows: how many there are.
        column: from a name to the values of its first column, as Python objects; None where a row
            has none.
        place: where the row with an index (from 0) is, such as "line 4".
    """

    path: Path
    names: tuple[str, ...]
    rows: int
    column: Callable[[str], list[Any]]
    place: Callable[[int], str]


def read_table(path: Path) -> Table:
    """The table in a file, whose format is told by its name and otherwise by its content.

    CSV may be separated by commas, semicolons, tabs or bars. JSON may be a list of records, an
    object with one list of records, lists of values by column, or what `DataFrame.to_json` writes.

    Raises:
        PredictionsError: there is no such file, or it is in none of these formats.
    """
    if not path.exists():
        raise PredictionsError(f"{path}: no such file; expected a file of predictions")
    if path.is_dir():  # a folder of Parquet files would be read as one
        raise PredictionsError(f"{path} is a folder; expected a file of predictions")
    try:
        content = path.read_bytes()
        packed = content.startswith(b"\x1f\x8b")
        content = gzip.decompress(content) if packed else content
    except (OSError, EOFError, zlib.error) as error:
        raise PredictionsError(f"{path}: cannot be read: {error}") from error
    kind = _kind(path, content)
    if kind == "Parquet":
        return _parquet(path, content)
    text = _decoded(path, content)
    return _json(path, text) if kind == "JSON" else _csv(path, text)


def shown(value: Any) -> str:
    """A value from a file as it can stand in a message: on one line, and short."""
    text = value if isinstance(value, str) and value and value.isprintable() else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def listed(values: Iterable[Any]) -> str:
    """Values from a file in a message: the first twelve, separated by commas."""
    values = list(values)
    more = f" and {len(values) - 12} more" if len(values) > 12 else ""
    return ", ".join(map(shown, values[:12])) + more


def _kind(path: Path, content: bytes) -> str:
    named = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    if named and named[-1] in _KINDS:
        return _KINDS[named[-1]]
    if content.startswith(b"PAR1"):
        return "Parquet"
    if content.startswith(b"PK"):  # a zip archive, as Excel's files are
        raise PredictionsError(
            f"{path}: a zip archive or an Excel file; expected Parquet, CSV, JSON or JSON lines:"
            " save the table as CSV"
        )
    return "JSON" if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[") else "CSV"


def _decoded(path: Path, content: bytes) -> str:
    encoding = next((name for bom, name in _BOMS.items() if content.startswith(bom)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise PredictionsError(
            f"{path}: line {line} is not {encoding.removesuffix('-sig').upper()}"
            f" ({error.reason}); save the file as UTF-8"
        ) from error


def _parquet(path: Path, content: bytes) -> Table:
    def failed(error: Exception) -> PredictionsError:
        said = " ".join(str(error).split())
        return PredictionsError(
            f"{path}: cannot be read as Parquet ({shown(said)}); expected a Parquet file, or a name"
            f" that says what it is: {', '.join(_KINDS)}"
        )

    errors = (pa.ArrowException, OSError, ValueError, OverflowError)
    try:
        table = pq.ParquetFile(io.BytesIO(content)).read()
    except errors as error:
        raise failed(error) from error
    names = [INDEX if name == "__index_level_0__" else name for name in table.column_names]
    ranges = _range_index(table)
    names += [name for name in ranges if name not in names]

    def column(name: str) -> list[Any]:
        if name in ranges:
            return list(ranges[name])
        try:
            values: list[Any] = table.column(names.index(name)).to_pylist()
        except errors as error:
            raise failed(error) from error
        return values

    return Table(path, tuple(names), table.num_rows, column, lambda i: f"row {i + 1}")


def _range_index(table: pa.Table) -> dict[str, range]:
    """The index that pandas keeps as a range in the metadata; nothing where it only counts rows."""
    try:
        index = json.loads((table.schema.metadata or {})[b"pandas"])["index_columns"][0]
        values = range(index["start"], index["stop"], index["step"])
    except (KeyError, IndexError, TypeError, ValueError):  # none, or none that pandas wrote
        return {}
    named = isinstance(index.get("name"), str)
    if len(values) != table.num_rows or (values == range(len(values)) and not named):
        return {}
    return {index["name"] if named else INDEX: values}


def _csv(path: Path, text: str) -> Table:
    start = 0
    first = text.lstrip("\r\n").partition("\n")[0].rstrip("\r")
    if first.lower().startswith("sep=") and len(first) == 5:  # Excel's note to itself
        delimiter, start = first[4], text.index(first) + len(first)
    else:
        delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text[start:], newline=""), delimiter=delimiter, strict=True)
    rows, lines, line = [], [], 1
    try:
        for row in reader:
            if any(row):
                rows.append(row)
                lines.append(line + text.count("\n", 0, start))
            line = reader.line_num + 1
    except csv.Error as error:
        raise PredictionsError(f"{path}: line {line}: cannot be read as CSV: {error}") from error
    if not rows:
        raise PredictionsError(f"{path}: expected predictions; got an empty file")
    header = [name.strip() for name in rows.pop(0)]
    names = tuple(name or INDEX for name in header)
    for row, at in zip(rows, lines[1:], strict=True):
        if len(row) != len(header):
            raise PredictionsError(
                f"{path}: line {at}: {len(row)} values; expected {len(header)}, as in the first"
                f" line, separated by {delimiter!r}"
            )
    return Table(
        path,
        names,
        len(rows),
        lambda name: [row[names.index(name)] for row in rows],
        lambda i: f"line {lines[i + 1]}",
    )


def _json(path: Path, text: str) -> Table:
    lines = [(i, line) for i, line in enumerate(text.split("\n"), start=1) if line.strip()]
    several = len(lines) > 1 or path.name.lower().removesuffix(".gz").endswith(("jsonl", "ndjson"))
    if lines and several and isinstance(_parsed(lines[0][1]), dict):
        return _json_lines(path, lines)
    content = _parsed(text)
    if isinstance(content, Exception):
        raise PredictionsError(f"{path}: cannot be read as JSON: {content}") from content
    if isinstance(content, list):
        return _records(path, content, lambda i: f"[{i}]")
    if isinstance(content, dict):
        lists = {key: value for key, value in content.items() if isinstance(value, list)}
        filled = {key: value for key, value in lists.items() if value} or lists
        tables = [key for key, value in filled.items() if isinstance(next(iter(value), {}), dict)]
        if len(tables) == 1:
            key = tables[0]
            return _records(path, lists[key], lambda i: f"{shown(key)}[{i}]")
        if content and len(lists) == len(content):
            return _columns(path, lists)
        if content and all(isinstance(value, dict) for value in content.values()):
            index = list(next(iter(content.values())))
            if all(list(value) == index for value in content.values()):
                values = {name: list(value.values()) for name, value in content.items()}
                return _columns(path, {INDEX: index} | values)
    raise PredictionsError(
        f'{path}: expected a list of records, {{"results": [one object per prediction, ...]}}, or'
        ' {"column": [one value per prediction, ...], ...}'
    )


def _json_lines(path: Path, lines: Sequence[tuple[int, str]]) -> Table:
    records = []
    for number, line in lines:
        record = _parsed(line)
        if isinstance(record, Exception):
            raise PredictionsError(
                f"{path}: line {number}: cannot be read as JSON: {_said(record)}"
            ) from record
        records.append(record)
    return _records(path, records, lambda i: f"line {lines[i][0]}")


def _records(path: Path, records: list[Any], place: Callable[[int], str]) -> Table:
    for i, record in enumerate(records):
        if not isinstance(record, dict):
            raise PredictionsError(f"{path}: {place(i)} is {shown(record)}; expected an object")
    names = tuple(dict.fromkeys(name for record in records for name in record))
    return Table(
        path, names, len(records), lambda name: [each.get(name) for each in records], place
    )


def _columns(path: Path, columns: dict[str, list[Any]]) -> Table:
    lengths = Counter(len(values) for values in columns.values())
    if len(lengths) > 1:
        raise PredictionsError(
            f"{path}: columns of {' and '.join(map(str, sorted(lengths)))} values; expected as many"
            " in each"
        )
    rows = next(iter(lengths))
    return Table(path, tuple(columns), rows, columns.__getitem__, lambda i: f"row {i + 1}")


def _parsed(text: str) -> Any:
    """A JSON value; the error where it is none."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        return error


def _said(error: Exception) -> str:
    """What is wrong with one line of JSON."""
    return (
        f"{error.msg}, at {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        repeated = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"an object with two values for {shown(repeated)}")
    return found
