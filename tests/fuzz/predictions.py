"""Fuzzes the door for prediction files: mutated files are compared or refused, never a traceback.

    python tests/fuzz/predictions.py 10000 --seed 1

A valid table of predictions is changed (columns, values), written in one of the formats, and its
bytes are changed (cut, flipped, another encoding, another name). It is then compared with the valid
file, under options that may fit. Printed are how many files there were, how many got past the first
check (they could be read as a table), and how many were compared, refused, or ended otherwise.
"""

import argparse
import codecs
import datetime
import decimal
import gzip
import io
import json
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from factmix.results.compare_files import as_text, compare_pairs
from factmix.results.prediction_files import pair, read_columns, read_words
from factmix.results.prediction_tables import PredictionsError, read_table

LABEL_SETS = (
    ("NA", "PASS", "FAIL"),
    ("yes", "no"),
    ("A", "B", "C", "D"),
    ("0", "1", "2"),
    ("SUPPORTS", "REFUTES", "NOT ENOUGH INFO"),
    tuple(str(i) for i in range(15)),
)
NAMES = (
    ("id", "gold", "predicted"),
    ("doc_id", "target", "filtered_resps"),
    ("id", "golden_label", "predicted_label"),
    ("example_id", "label", "prediction"),
    ("Key", "Truth", "Answer"),
)
SUFFIXES = (".parquet", ".csv", ".tsv", ".json", ".jsonl", ".txt", "")

# What stands where a label, an id or a truth value should: most are wrong in some column.
ODD = st.one_of(
    st.sampled_from(
        [
            None,
            float("nan"),
            float("inf"),
            "",
            " ",
            "NA",
            "N/A",
            "nan",
            "None",
            "INVALID",
            "invalid",
        ]
    ),
    st.sampled_from(
        ["pass", " **Pass** ", "FAIL.", "supports", "The answer is PASS", "SUPPORTS\n"]
    ),
    st.sampled_from([True, False, 0, 1, 2, -1, 0.5, 1.0, 2**63, -(2**63), 10**25, 10**400, 1e308]),
    st.sampled_from(
        [
            datetime.date(2024, 2, 29),
            datetime.datetime(1, 1, 1),
            datetime.timedelta(days=3),
            decimal.Decimal("1.50"),
            decimal.Decimal(7),
            b"PASS",
            b"\xff\xfe",
        ]
    ),
    st.sampled_from([["PASS"], [["A"]], [], ["A", "B"], {"label": "PASS"}, {}, [None], ("yes",)]),
    st.text(max_size=6),
    st.text(alphabet=st.characters(codec=None, categories=["Cs", "Cc", "Cf", "Zl"]), max_size=3),
    st.just("x" * 5000),
)
DTYPES = ("category", "string", "Int64", "boolean", "float64", "int8", "datetime64[ns]", "bytes")
ENCODINGS = ("utf-16", "utf-8-sig", "utf-32", "cp1252", "latin-1", "utf-16-le", "cp037")


@dataclass
class Case:
    """Two files, and the options under which they are compared."""

    baseline: tuple[str, bytes]
    model: tuple[str, bytes]
    options: dict[str, Any] = field(default_factory=dict)
    did: list[str] = field(default_factory=list)  # for whoever reads a failure


def write(frame: pd.DataFrame, suffix: str, how: int) -> bytes:
    """A table in the format of a suffix, in one of several ways."""
    if suffix == ".parquet":
        return frame.to_parquet(index=[None, True, False][how % 3])
    if suffix in (".json", ".jsonl"):
        records = [_object(frame.columns, row) for row in frame.itertuples(index=False, name=None)]
        if suffix == ".jsonl":
            return "\n".join(records).encode() + b"\n"
        columns = [frame.iloc[:, i].tolist() for i in range(frame.shape[1])]
        array = f"[{', '.join(records)}]"
        return [array, f'{{"results": {array}}}', _object(frame.columns, columns)][how % 3].encode()
    buffer = io.StringIO()
    frame.to_csv(buffer, sep="\t" if suffix == ".tsv" else ",;|"[how % 3], index=how % 4 == 3)
    return buffer.getvalue().encode("utf-8", errors="surrogatepass")


def _object(names: Iterable[Any], values: Iterable[Any]) -> str:
    """A JSON object, in which a name may occur twice."""
    pairs = zip(map(str, names), values, strict=True)
    return f"{{{', '.join(f'{json.dumps(k)}: {json.dumps(v, default=str)}' for k, v in pairs)}}}"


def _dropped(draw: st.DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns=draw(st.sampled_from(list(frame.columns))))


def _renamed(draw: st.DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    new = st.sampled_from(
        ["id", "gold", "GOLD", "label", "acc", "dataset", "filter", "", " id ", "é"]
    )
    return frame.rename(columns={draw(st.sampled_from(list(frame.columns))): draw(new)})


def _doubled(draw: st.DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame[[draw(st.sampled_from(list(frame.columns)))]]], axis=1)


def _odd_values(draw: st.DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    at = draw(st.integers(0, frame.shape[1] - 1))
    values = list(frame.iloc[:, at])
    for row in draw(st.sets(st.integers(0, len(frame) - 1), min_size=1, max_size=3)):
        values[row] = draw(ODD)
    columns = [frame.iloc[:, i] for i in range(frame.shape[1])]
    columns[at] = pd.Series(values, dtype=object, index=frame.index, name=frame.columns[at])
    return pd.concat(columns, axis=1)


def _all_odd(draw: st.DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    name, value = draw(st.sampled_from(list(frame.columns))), draw(ODD)
    return frame.assign(**{str(name): pd.Series([value] * len(frame), dtype=object)})


def _another_type(draw: st.DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    name = draw(st.sampled_from(list(frame.columns)))
    return frame.astype({name: draw(st.sampled_from(DTYPES))})


def _repeated_rows(draw: st.DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame.head(draw(st.integers(1, 3)))])


def _fewer_rows(draw: st.DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.head(draw(st.integers(0, len(frame))))


def _turned(draw: st.DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    return frame[::-1]


def _indexed(draw: st.DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_index(draw(st.sampled_from(list(frame.columns))))


def _more_columns(draw: st.DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    name = draw(
        st.sampled_from(["correct", "acc", "dataset", "format_valid", "raw_response", "filter"])
    )
    values = draw(st.sampled_from([[0, 1], [True, False], ["x", "y"], [1.0, 0.0], ["true", ""]]))
    return frame.assign(**{name: [values[i % 2] for i in range(len(frame))]})


TABLE_CHANGES: tuple[Callable[[st.DrawFn, pd.DataFrame], pd.DataFrame], ...] = (
    _dropped,
    _renamed,
    _doubled,
    _odd_values,
    _odd_values,
    _odd_values,
    _all_odd,
    _another_type,
    _repeated_rows,
    _fewer_rows,
    _turned,
    _indexed,
    _more_columns,
    _more_columns,
)


def _bytes_changed(draw: st.DrawFn, content: bytes) -> tuple[str, bytes]:
    kind = draw(
        st.sampled_from(["cut", "flip", "insert", "encode", "mark", "gzip", "gzip cut", "empty"])
    )
    at = draw(st.integers(0, max(len(content) - 1, 0)))
    if kind == "cut":
        content = content[:at]
    elif kind == "flip":
        content = content[:at] + draw(st.binary(min_size=1, max_size=2)) + content[at + 1 :]
    elif kind == "insert":
        piece = st.one_of(
            st.binary(max_size=4), st.sampled_from([b'"', b"\n", b",", b"\x00", b"{"])
        )
        content = content[:at] + draw(piece) + content[at:]
    elif kind == "encode":
        encoding = draw(st.sampled_from(ENCODINGS))
        content = content.decode("utf-8", "replace").encode(encoding, "replace")
    elif kind == "mark":
        content = draw(st.sampled_from([codecs.BOM_UTF8, codecs.BOM_UTF16_BE])) + content
    elif kind == "empty":
        content = draw(st.sampled_from([b"", b"\n", b"[]", b"{}", b"null", b"PAR1", b"\x1f\x8b"]))
    else:
        content = gzip.compress(content)
        content = content[:-at] if kind == "gzip cut" and at else content
    return kind, content


@st.composite
def cases(draw: st.DrawFn) -> Case:
    labels, names = draw(st.sampled_from(LABEL_SETS)), draw(st.sampled_from(NAMES))
    n = draw(st.integers(2, 12))
    columns = [st.just(range(n)), *[st.lists(st.sampled_from(labels), min_size=n, max_size=n)] * 2]
    frame = pd.DataFrame({name: draw(values) for name, values in zip(names, columns, strict=True)})
    if names[-1] == "filtered_resps":
        right = (frame["target"] == frame["filtered_resps"]).astype(float)
        frame = frame.assign(acc=right, filtered_resps=[[text] for text in frame["filtered_resps"]])
    written = draw(st.sampled_from(SUFFIXES)), draw(st.integers(0, 11))
    baseline = (f"a{written[0]}", write(frame, *written))
    suffix, how, did = draw(st.sampled_from(SUFFIXES)), draw(st.integers(0, 11)), []
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 3]))):
        change = draw(st.sampled_from(TABLE_CHANGES))
        # what pandas cannot do to a table is not done
        with suppress(ValueError, TypeError, KeyError, AttributeError, OverflowError, IndexError):
            frame = change(draw, frame)
            did.append(change.__name__)
        if not frame.shape[0] or not frame.shape[1]:
            break
    content = None
    while content is None:
        try:
            content = write(frame, suffix, how)
        except Exception:  # pandas and pyarrow refuse some tables; CSV takes all
            suffix = ".csv"
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 2]))):
        kind, content = _bytes_changed(draw, content)
        did.append(kind)
    if draw(st.integers(0, 9)) == 0:
        suffix = draw(st.sampled_from(SUFFIXES))
    column_options = [
        None,
        f"id={names[0]},gold={names[1]},predicted={names[2]}",
        "correct=acc",
        "dataset=filter",
        "gold=é",
    ]
    own = column_options[1] if names[0] == "Key" and draw(st.integers(0, 9)) else None
    options = {
        "columns": own or draw(st.sampled_from([None] * 8 + column_options)),
        "words": draw(
            st.sampled_from([None] * 8 + ["SUPPORTS=PASS,REFUTES=FAIL", "0=FAIL,1=PASS", "A=B"])
        ),
        "dataset": draw(st.sampled_from([None] * 9 + ["x"])),
        "invalid": draw(st.sampled_from(["wrong", "drop_pairwise"])),
    }
    return Case(baseline, (f"b{suffix}", content), options, did)


def check(case: Case, folder: Path) -> tuple[bool, str]:
    """Whether the file could be read as a table, and what became of it.

    Raises:
        whatever is no message for a user.
    """
    paths = []
    for name, content in (case.baseline, case.model):
        paths.append(folder / name)
        paths[-1].write_bytes(content)
    past_first_check = False
    try:
        read_table(paths[1])
        past_first_check = True
        pairs = pair(
            *paths,
            invalid=case.options["invalid"],
            dataset=case.options["dataset"],
            columns=read_columns(case.options["columns"]),
            words=read_words(case.options["words"]),
        )
        result = compare_pairs(pairs, resamples=10, confidence=0.95, seed=1)
    except PredictionsError as error:
        message = str(error)
        assert message.isprintable(), f"not one line that can be printed: {message!r}"
        assert len(message) < 2000, f"too long: {message}"
        return past_first_check, "refused"
    json.dumps(result, allow_nan=False)
    said = as_text(result)
    assert said.replace("\n", "").isprintable(), f"cannot be printed: {said!r}"
    assert result["n"] > 0
    assert all(0 <= row["model"] <= 1 for row in result["metrics"].values())
    return past_first_check, "compared"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    tally: Counter[str] = Counter()
    failures: dict[str, str] = {}

    @seed(arguments.seed)
    @settings(
        max_examples=arguments.count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def campaign(case: Case) -> None:
        tally["files"] += 1
        with tempfile.TemporaryDirectory() as folder:
            try:
                past, outcome = check(case, Path(folder))
            except Exception:
                past, outcome = True, "traceback"
                text = traceback.format_exc()
                failures.setdefault(text.splitlines()[-1][:80], f"{case}\n{text}")
        tally[outcome] += 1
        tally["past the first check"] += past

    campaign()
    for text in failures.values():
        print(text, file=sys.stderr)
    print(
        ", ".join(f"{tally[name]:,} {name}" for name in ("files", "past the first check")), end="; "
    )
    print(", ".join(f"{tally[name]:,} {name}" for name in ("compared", "refused", "traceback")))
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
