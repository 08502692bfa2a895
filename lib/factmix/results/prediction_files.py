"""Reads and pairs two files of predictions on the same examples, in our or the released format.

Ours is a predictions.parquet (`training.columns.PREDICTIONS`, of which dataset, id, gold, predicted
and format_valid are read). The released format is JSON: `{"dataset": ..., "results": [{"id",
"golden_label", "predicted_label", "raw_response", "format_valid"}, ...]}`, where only id and
golden_label are required; other fields, such as confidences, are ignored. In both formats a
missing `format_valid` does not mean invalid.
"""

import json
import math
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from factmix.study.labels import INVALID, LABELS, labels_in

Invalid = Literal["wrong", "drop_pairwise"]

_OURS = ("dataset", "id", "gold", "predicted", "format_valid")


class PredictionsError(ValueError):
    """A file of predictions cannot be read, or two of them cannot be paired."""


@dataclass(frozen=True)
class Pairs:
    """Examples that two systems answered.

    Attributes:
        ids: of the examples, sorted.
        gold: gold label of each.
        baseline: the first system's answer to each; INVALID where none could be read.
        model: the second system's answer to each.
        invalid: how many answers of the paired examples were invalid: of the first, the second.
        dropped: how many pairs were left out because an answer was invalid.
        unpaired: how many examples only the first, and only the second, file has.
    """

    ids: list[str]
    gold: list[str]
    baseline: list[str]
    model: list[str]
    invalid: tuple[int, int]
    dropped: int
    unpaired: tuple[int, int]


def read_predictions(path: Path, *, dataset: str | None = None) -> pd.DataFrame:
    """The answers of a file.

    Args:
        path: a .parquet of ours, or a JSON file in the released format.
        dataset: of a Parquet with several, only this one.

    Returns:
        index `key` (str: the id, after the dataset where a file has several), columns gold, answer
        (INVALID where no label can be read) and invalid (bool). In the released format an answer is
        INVALID when its label is missing or unknown, when its raw response contains none of the
        whole words PASS, FAIL, NA (the files store such answers as NA), or when it has
        `format_valid: false`. In our format an answer is invalid when it is INVALID or its format
        is not valid; a label that was read amid other text is kept as the answer.

    Raises:
        PredictionsError: the file cannot be read, lacks a column or field, or repeats an id.
    """
    if not path.exists():
        raise PredictionsError(f"{path}: no such file; expected a file of predictions")
    if path.is_dir():  # a folder of Parquet files would be read as one
        raise PredictionsError(f"{path} is a folder; expected a file of predictions")
    frame = _released(path) if _is_json(path) else _ours(path, dataset)
    if not len(frame):
        raise PredictionsError(f"{path}: expected predictions; got none")
    strange = frame[~frame["gold"].isin([str(label) for label in LABELS])]
    if len(strange):
        raise PredictionsError(
            f"{path}: id {strange['key'].iloc[0]}: gold label {strange['gold'].iloc[0]!r}; "
            f"expected one of: {', '.join(LABELS)}"
        )
    repeated = frame["key"][frame["key"].duplicated()].unique()
    if len(repeated):
        raise PredictionsError(
            f"{path}: {len(repeated)} ids occur more than once, such as {repeated[0]}; expected "
            "each once: keep one answer per example"
        )
    return frame.set_index("key").sort_index()


def pair(
    baseline: Path, model: Path, *, invalid: Invalid = "wrong", dataset: str | None = None
) -> Pairs:
    """The answers of both files to the examples that they share.

    Args:
        baseline: the first system's file.
        model: the second system's.
        invalid: "wrong" counts an invalid answer as wrong; "drop_pairwise" drops the example for
            both systems, as the published study did.
        dataset: of Parquet files with several datasets, only this one.

    Raises:
        PredictionsError: a file cannot be read, the files share no example, gold labels differ, a
            gold label has no example left, or a dataset is named and neither file is Parquet.
    """
    if dataset is not None and _is_json(baseline) and _is_json(model):
        raise PredictionsError(
            f"dataset '{dataset}' cannot be chosen from {baseline} and {model}: a file in the "
            "released format holds one dataset; expected a Parquet file"
        )
    first = read_predictions(baseline, dataset=dataset)
    second = read_predictions(model, dataset=dataset)
    common = first.index.intersection(second.index)
    unpaired = (len(first) - len(common), len(second) - len(common))
    if not len(common):
        raise PredictionsError(
            f"{baseline} and {model} have no id in common; expected answers to the same examples "
            f"(ids such as {first.index[0]} and {second.index[0]}; of a Parquet file with several "
            "datasets --dataset takes one)"
        )
    first, second = first.loc[common], second.loc[common]
    differ = common[(first["gold"] != second["gold"]).to_numpy()]
    if len(differ):
        raise PredictionsError(
            f"{len(differ)} ids have another gold label in {model} than in {baseline}, such as "
            f"{differ[0]}; expected answers to the same examples"
        )
    counts = (int(first["invalid"].sum()), int(second["invalid"].sum()))
    kept = pd.Series(True, index=common)
    if invalid == "drop_pairwise":
        kept = ~(first["invalid"] | second["invalid"])
        first, second = first[kept], second[kept]
    lacking = [label for label in LABELS if label not in set(first["gold"])]
    if lacking:
        raise PredictionsError(
            f"{baseline} and {model}: no paired example with gold label {', '.join(lacking)}; "
            "expected some of each"
        )
    return Pairs(
        ids=first.index.tolist(),
        gold=first["gold"].tolist(),
        baseline=first["answer"].tolist(),
        model=second["answer"].tolist(),
        invalid=counts,
        dropped=int((~kept).sum()),
        unpaired=unpaired,
    )


def released_answer(record: dict[str, Any]) -> str:
    """The answer of one record in the released format; INVALID as in `read_predictions`."""
    response = record.get("raw_response")
    predicted = str(record.get("predicted_label") or "").strip().upper()
    unread = isinstance(response, str) and not labels_in(response)
    valid = predicted in LABELS and not unread and record.get("format_valid") is not False
    return predicted if valid else INVALID


def _is_json(path: Path) -> bool:
    return path.suffix.lower() == ".json"


def _released(path: Path) -> pd.DataFrame:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PredictionsError(f"{path}: cannot be read as JSON: {error}") from error
    records = content.get("results") if isinstance(content, dict) else content
    if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
        raise PredictionsError(
            f'{path}: expected {{"results": [one object per prediction, ...]}}, as the released '
            "files have it"
        )
    rows = []
    for i, record in enumerate(records):
        absent = [name for name in ("id", "golden_label") if record.get(name) is None]
        if absent:
            raise PredictionsError(f"{path}: results[{i}] lacks {', '.join(absent)}")
        if not _is_id(record["id"]):
            raise PredictionsError(
                f"{path}: results[{i}].id is {record['id']!r}; expected text or a number"
            )
        marked = record.get("format_valid")
        if marked is not None and not isinstance(marked, bool):
            raise PredictionsError(
                f"{path}: results[{i}].format_valid is {marked!r}; expected true or false"
            )
        answer = released_answer(record)
        gold = str(record["golden_label"]).strip().upper()
        rows.append((_id(record["id"]), gold, answer, answer == INVALID))
    return pd.DataFrame(rows, columns=["key", "gold", "answer", "invalid"])


def _ours(path: Path, dataset: str | None) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise PredictionsError(
            f"{path}: cannot be read as Parquet ({error}); expected a predictions.parquet, or "
            "the released format in a file named .json"
        ) from error
    absent = [name for name in _OURS if name not in frame.columns]
    if absent:
        raise PredictionsError(f"{path}: lacks the columns {', '.join(absent)}")
    # Plain objects with None where nothing is: pandas has several kinds of missing values, and
    # comparisons with some of them are missing, too.
    frame = frame[list(_OURS)].astype(object).reset_index(drop=True)
    frame = frame.where(frame.notna(), None)
    nameless = frame.index[~frame["id"].map(_is_id) | frame["dataset"].isna()]
    if len(nameless):
        row = frame.loc[nameless[0]]
        raise PredictionsError(
            f"{path}: row {nameless[0]}: dataset {row['dataset']!r}, id {row['id']!r}; expected a "
            "name, and text or a number"
        )
    marks = frame["format_valid"]
    odd = marks[~marks.isna() & ~marks.isin([True, False])]
    if len(odd):
        raise PredictionsError(
            f"{path}: row {odd.index[0]}: format_valid is {odd.iloc[0]!r}; expected true or false"
        )
    named = frame["dataset"].map(str)
    datasets = list(dict.fromkeys(named))
    keys = frame["id"].map(_id)
    if dataset is None and len(datasets) > 1:
        keys = named + "/" + keys
    read = frame["predicted"].isin([str(label) for label in LABELS])
    rows = pd.DataFrame(
        {
            "key": keys,
            "gold": frame["gold"],
            "answer": frame["predicted"].where(read, INVALID),
            "invalid": ~read | (marks.notna() & ~marks.isin([True])),
        }
    )
    if dataset is None:
        return rows
    if dataset not in datasets:
        raise PredictionsError(
            f"{path}: no dataset '{dataset}'; expected one of: {', '.join(datasets)}"
        )
    return rows[named == dataset]


def _is_id(value: Any) -> bool:
    """Whether a value can be an id: text that is not blank, or a finite number."""
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _id(value: Any) -> str:
    """An id as text, so that 7, 7.0 and "7" of different files are the same example."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()
