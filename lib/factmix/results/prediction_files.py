"""Reads two systems' files of predictions and pairs their answers to the same examples.

A file is a table of any task (`prediction_tables`). Its columns are found by the names that are
common for them, or named by the caller. There are two kinds of files:

- with the gold label and the answer of each example. The labels are those that occur as gold labels
  of either file, so a task may have any: PASS, FAIL and NA, yes and no, A to D. An answer that is
  plainly one of them is read ("pass", " **Pass** ", "PASS."); no other word is guessed to mean one.
- only with whether each answer is right, as in the sample logs of lm-evaluation-harness. Accuracy
  is all that can be compared, and pairs with a single gold label, RIGHT, are exactly that.

Two files are compared as of the second kind if either is, and if the task has more than
`MOST_LABELS` labels: metrics by label then say little, and the bootstrap's table of counts would
grow with the third power of their number.

Two formats of this study stay as they are. In its predictions.parquet an answer whose
`format_valid` is false counts, and is dropped only on request. In the released JSON files
(`golden_label`, `predicted_label`, `raw_response`) such an answer is INVALID, and so is one whose
raw response has none of the whole words PASS, FAIL, NA: the files store it as NA. In every format a
missing `format_valid` does not mean invalid.
"""

import csv
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
import pandas as pd

from factmix.results.prediction_tables import (
    INDEX,
    PredictionsError,
    Table,
    listed,
    read_table,
    shown,
)
from factmix.stats.metrics import Floats
from factmix.study.labels import INVALID, LABELS, labels_in

Invalid = Literal["wrong", "drop_pairwise"]

MOST_LABELS = 10
RIGHT, WRONG = "right", "wrong"

MOST_PROBABLE = "most probable label"  # stands for a column of answers where there is none
# What a column is for -> the names under which it is found.
COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("id", "doc_id", "example_id", "question_id", "uid"),
    "gold": ("gold", "golden_label", "gold_label", "label", "target"),
    "predicted": ("predicted", "predicted_label", "prediction", "pred", MOST_PROBABLE),
    "correct": ("correct", "is_correct", "acc", "exact_match"),
    "dataset": ("dataset",),
    "format_valid": ("format_valid",),
}
# A column with the probability of a label is called this, before the label.
PROBABILITY = ("p_", "prob_", "probability_")
_RELEASED = {"gold": "golden_label", "predicted": "predicted_label"}
_LOST_NA = " (pandas reads the text NA as missing; read such files with keep_default_na=False)"
_TRUTH = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}
_NESTED = (list, dict, tuple)
_MARKUP = " \t\r\n*_`\"'\u201c\u201d\u2018\u2019\u201e\u00ab\u00bb"
_BRACKETS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class Predictions:
    """The answers in one file.

    Attributes:
        path: of the file.
        columns: what a column is for -> its name in the file.
        datasets: those that the answers are to; empty where the file does not say.
        frame: index `key` (the id, after the dataset where a file has several), sorted; columns
            gold, answer (texts, or None), right (bool where only that is known, else None), marked
            (bool: the format is marked as not valid), dataset (or None), row (in the file, from 0),
            response (of the released format) and document (its hash, where lm-evaluation-harness
            wrote it).
        words: how often each word that the caller maps to a label occurred.
    """

    path: Path
    columns: dict[str, str]
    datasets: tuple[str, ...]
    frame: pd.DataFrame
    words: dict[str, int]

    @property
    def released(self) -> bool:
        """Whether the file has the columns of the released format."""
        return all(self.columns.get(role) == name for role, name in _RELEASED.items())

    @property
    def missing(self) -> int:
        """How many rows of a file that gives answers have none."""
        return int(self.frame["answer"].isna().sum()) if self.gives_answers else 0

    @property
    def gives_answers(self) -> bool:
        """Whether the file has answers and gold labels, and not only what is right."""
        return "predicted" in self.columns


@dataclass(frozen=True)
class Pairs:
    """Examples that two systems answered.

    Attributes:
        ids: of the examples, sorted.
        gold: gold label of each; RIGHT where only right and wrong are compared.
        baseline: the first system's answer to each; the last of `possible` where there is none.
        model: the second system's answer to each.
        invalid: how many answers of the paired examples were invalid: of the first, the second.
        dropped: how many pairs were left out because an answer was invalid.
        unpaired: how many examples only the first, and only the second, file has.
        labels: the gold labels that occur.
        possible: what an answer can be: the labels, other labels of the task, none of them.
        files: what was read: of the first, the second.
        unread: texts that are none of the labels, most frequent first: of the first, the second.
        datasets: the dataset of each example; "" where neither file says.
        probable: the labels that both files give probabilities of, as `possible` has them; empty
            where a gold label has none, and where an answer was left out.
        probabilities: of these labels, each of shape (examples, labels): of the first, the second.
        unused: columns that are called as if they held probabilities, and hold something else.
    """

    ids: list[str]
    gold: list[str]
    baseline: list[str]
    model: list[str]
    invalid: tuple[int, int]
    dropped: int
    unpaired: tuple[int, int]
    labels: tuple[str, ...]
    possible: tuple[str, ...]
    files: tuple[Predictions, Predictions]
    unread: tuple[list[str], list[str]]
    datasets: list[str]
    probable: tuple[str, ...]
    probabilities: tuple[Floats, Floats]
    unused: list[str]


def pair(
    baseline: Path,
    model: Path,
    *,
    invalid: Invalid = "wrong",
    dataset: str | None = None,
    columns: Mapping[str, Sequence[str]] | None = None,
    words: Mapping[str, str] | None = None,
) -> Pairs:
    """The answers of both files to the examples that they share.

    Args:
        baseline: the first system's file.
        model: the second system's.
        invalid: "wrong" counts an invalid answer as wrong; "drop_pairwise" drops the example for
            both systems, as the published study did.
        dataset: of files with several datasets, only this one.
        columns: what a column is for (a key of `COLUMNS`, or p_<label>: the probability of a label)
            -> names that it has in the files.
        words: a word of the files, for a gold label or an answer -> the label that it means. These
            labels are some of the task's, even where they are no example's gold label.

    Raises:
        PredictionsError: a file cannot be read, the files share no example, gold labels differ, or
            most answers of a file are none of the labels.
    """
    tables = read_table(baseline), read_table(model)
    _check_named(tables, columns or {})
    tables = _answered(tables[0], columns or {}), _answered(tables[1], columns or {})
    first, second = (_predictions(each, columns or {}, dataset, words or {}) for each in tables)
    if dataset is not None and not (first.datasets or second.datasets):
        raise PredictionsError(
            f"dataset {shown(dataset)} cannot be chosen from {baseline} and {model}: neither says"
            " which dataset an answer is to; name the column with --columns dataset=NAME"
        )
    if words and not (first.gives_answers and second.gives_answers):
        raise PredictionsError(
            "--labels needs two files with gold labels and answers; a file without them is compared"
            " by its column of right and wrong: leave --labels out, or name the columns with"
            " --columns gold=NAME,predicted=NAME"
        )
    common = first.frame.index.intersection(second.frame.index)
    _check_same_examples(first, second, common)
    labels: Labels | None = None
    if first.gives_answers and second.gives_answers:
        targets = (words or {}).values()
        for file in (first, second):
            _check_distinct(file)
        labels = _labels([*first.frame["gold"], *second.frame["gold"], *targets])
    labels = labels if labels is not None and len(labels) <= MOST_LABELS else None
    answers, unread = [], []
    for file in (first, second):
        of_file, strange = _right(file) if labels is None else _by_label(file, labels)
        answers.append(of_file.loc[common])
        unread.append(strange)
    kept = pd.Series(True, index=common)
    if invalid == "drop_pairwise":
        kept = ~(answers[0]["invalid"] | answers[1]["invalid"])
    if not kept.any():
        raise PredictionsError(
            f"{baseline} and {model}: an answer of every pair is invalid; expected some valid pairs"
        )
    if labels is None:
        gold, named, none = [RIGHT] * int(kept.sum()), [RIGHT], WRONG
    else:
        gold = [labels[_plain(text)] for text in first.frame.loc[common, "gold"][kept]]
        named, none = list(labels.values()), _none(labels)
    present = set(gold)
    named.sort(key=lambda name: name not in present)
    probable, found, unused = _probabilities(
        tables, named if labels else [], present if labels else (), columns or {}, words or {}
    )
    rows = [file.frame.loc[common, "row"][kept].tolist() for file in (first, second)]
    told = (file.frame.loc[common, "dataset"][kept] for file in (first, second))
    return Pairs(
        ids=common[kept].tolist(),
        gold=gold,
        baseline=answers[0].loc[kept, "answer"].tolist(),
        model=answers[1].loc[kept, "answer"].tolist(),
        invalid=(int(answers[0]["invalid"].sum()), int(answers[1]["invalid"].sum())),
        dropped=int((~kept).sum()),
        unpaired=(len(first.frame) - len(common), len(second.frame) - len(common)),
        labels=tuple(name for name in named if name in present),
        possible=(*named, none),
        files=(first, second),
        unread=(unread[0], unread[1]),
        datasets=[str(one or other or "") for one, other in zip(*told, strict=True)],
        probable=tuple(probable),
        probabilities=(
            _numbers(found[0], probable, rows[0]),
            _numbers(found[1], probable, rows[1]),
        ),
        unused=unused,
    )


def read_columns(given: str | None) -> dict[str, list[str]]:
    """The argument `columns` of `pair` from an option such as "gold=target,id=doc_id"."""
    columns: dict[str, list[str]] = {}
    for role, name in _assignments("--columns", given):
        columns.setdefault(role, []).append(name)
    return columns


def read_words(given: str | None) -> dict[str, str]:
    """The argument `words` of `pair` from an option such as "SUPPORTS=PASS,REFUTES=FAIL".

    A word that has a comma is put in double quotes.

    Raises:
        PredictionsError: a part is not WORD=LABEL, or a word means two labels.
    """
    words: dict[str, str] = {}
    meaning: dict[str, str] = {}
    for word, label in _assignments("--labels", given):
        if meaning.setdefault(_plain(word), label) != label:
            raise PredictionsError(
                f"--labels: {shown(word)} is {shown(meaning[_plain(word)])} and {shown(label)};"
                " expected one label for each word"
            )
        words[word] = label
    return words


def _assignments(option: str, given: str | None) -> Iterator[tuple[str, str]]:
    line = " ".join((given or "").split())
    for part in next(csv.reader([line], skipinitialspace=True), []):
        name, equals, value = (each.strip() for each in part.rpartition("="))
        if not (name and equals and value):
            raise PredictionsError(f"{option}: got {shown(part)}; expected NAME=VALUE,NAME=VALUE")
        yield name, value


def read_predictions(path: Path) -> pd.DataFrame:
    """The answers of a file of this study, or in the released format.

    Returns:
        index `key` (the id, after the dataset where a file has several), columns gold, answer
        (INVALID where no label can be read) and invalid (bool: the answer is INVALID or its format
        is marked as not valid).

    Raises:
        PredictionsError: the file cannot be read, lacks a column, or repeats an id.
    """
    file = _predictions(read_table(path), {}, None, {})
    labels = {_plain(label): str(label) for label in LABELS}
    strange = [text for text in file.frame["gold"] if _plain(str(text)) not in labels]
    if strange or not file.gives_answers:
        raise PredictionsError(
            f"{path}: expected answers, and gold labels that are one of: {', '.join(LABELS)}"
        )
    answers, _ = _by_label(file, labels)
    return answers.assign(gold=[labels[_plain(text)] for text in file.frame["gold"]])


def _check_named(tables: Sequence[Table], columns: Mapping[str, Sequence[str]]) -> None:
    for role, names in columns.items():
        if role not in COLUMNS and not role.startswith(PROBABILITY[0]):
            raise PredictionsError(
                f"--columns {shown(role)}=...: expected one of: {', '.join(COLUMNS)},"
                f" {PROBABILITY[0]}LABEL"
            )
        if not any(name in table.names for name in names for table in tables):
            held = " and ".join(f"{table.path} has {listed(table.names)}" for table in tables)
            raise PredictionsError(
                f"--columns {role}={listed(names)}: neither file has this column; {held}"
            )


def _predictions(
    table: Table,
    named: Mapping[str, Sequence[str]],
    dataset: str | None,
    words: Mapping[str, str],
) -> Predictions:
    if not table.rows:
        raise PredictionsError(f"{table.path}: expected predictions; got none")
    columns = _columns(table, named)
    values = {role: table.column(name) for role, name in columns.items()}
    said = {_plain(word): word for word in words}
    found = dict.fromkeys(words, 0)

    def meant(text: str | None) -> str | None:
        word = said.get(_plain(text)) if text is not None else None
        if word is None:
            return text
        found[word] += 1
        return words[word]

    def checked(role: str, read: Callable[[Any], Any], expected: str) -> list[Any]:
        results = [read(value) for value in values[role]]
        if None in results:
            i = results.index(None)
            raise PredictionsError(
                f"{table.path}: {table.place(i)}: {columns[role]} is {shown(values[role][i])};"
                f" expected {expected}"
            )
        return results

    nothing = [None] * table.rows
    keys, datasets = checked("id", _id, "an id: text or a number"), nothing
    if "dataset" in columns:
        datasets = checked("dataset", _text, "the name of a dataset")
    available = tuple(dict.fromkeys(str(text) for text in datasets if text is not None))
    # Answers of several filters are to the same examples, and not to be pooled.
    if dataset is None and len(available) > 1 and columns["dataset"] != "filter":
        keys = [f"{of}/{key}" for of, key in zip(datasets, keys, strict=True)]
    if dataset is not None and available and dataset not in available:
        raise PredictionsError(
            f"{table.path}: no dataset {shown(dataset)}; expected one of: {listed(available)}"
        )
    gold, right, marked = nothing, nothing, [False] * table.rows
    if "gold" in columns:
        gold = checked("gold", _text, f"a gold label{_LOST_NA}")
    if "correct" in columns:
        right = checked("correct", _truth, "right or wrong: 1 or 0, true or false")
    if "format_valid" in columns:
        marked = checked("format_valid", _is_marked, "true or false")
    frame = pd.DataFrame(
        {
            "key": keys,
            "gold": [meant(text) for text in gold],
            "answer": [meant(_answer(value)) for value in values.get("predicted", nothing)],
            "right": right,
            "marked": marked,
            "dataset": datasets,
            "row": range(table.rows),
            "response": _of(table, "raw_response"),
            "document": [_text(value) for value in _of(table, "doc_hash")],
        },
        dtype=object,
    )
    if dataset is not None and available:
        frame = frame[[text == dataset for text in datasets]]
    _check_once(table, frame["key"])
    return Predictions(
        table.path,
        columns,
        available if dataset is None else available and (dataset,),
        frame.set_index("key").sort_index(),
        found,
    )


def _of(table: Table, name: str) -> list[Any]:
    return table.column(name) if name in table.names else [None] * table.rows


def _columns(table: Table, named: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """What a column is for -> its name in this file."""

    def find(role: str) -> str | None:
        given = [name for name in named.get(role, ()) if name in table.names]
        if given or role in table.names:
            return given[0] if given else role
        found = [name for name in table.names if name.strip().casefold() in COLUMNS[role]]
        found = list(dict.fromkeys(found))
        if len(found) > 1:
            raise PredictionsError(
                f"{table.path}: {listed(found)} can each be the column '{role}'; say which, as in"
                f" --columns {role}={shown(found[0])}"
            )
        return found[0] if found else None

    roles: dict[str, str | None] = {"id": find("id")}
    if roles["id"] is None and INDEX in table.names:
        # A counter of rows is no id: rows in another order would be paired with the wrong ones.
        counter = [str(i) for i in range(table.rows)]
        if [_text(value) for value in table.column(INDEX)] != counter:
            roles["id"] = INDEX
    scored = any(name in table.names for name in named.get("correct", ()))
    if not scored and (predicted := find("predicted")) is not None:
        roles |= {"gold": find("gold"), "predicted": predicted}
    if not roles.get("gold"):
        roles.pop("predicted", None)
        roles["correct"] = find("correct")
        if not scored or "gold" in named:
            roles["gold"] = find("gold")
    absent = [] if roles["id"] else ["an id"]
    if not (roles.get("predicted") or roles.get("correct")):
        absent.append("gold label and answer, or of right and wrong")
    if absent:
        raise PredictionsError(
            f"{table.path}: lacks a column of {' and of '.join(absent)}; it has"
            f" {listed(table.names)}; name them, as in"
            " --columns id=NAME,gold=NAME,predicted=NAME or --columns id=NAME,correct=NAME"
        )
    roles |= {role: find(role) for role in ("dataset", "format_valid")}
    columns = {role: name for role, name in roles.items() if name is not None}
    repeated = [name for name in columns.values() if table.names.count(name) > 1]
    if repeated:
        raise PredictionsError(
            f"{table.path}: more than one column is called {listed(repeated)}; expected one"
        )
    return columns


def _probabilities(
    tables: Sequence[Table],
    labels: Sequence[str],
    occur: Collection[str],
    named: Mapping[str, Sequence[str]],
    words: Mapping[str, str],
) -> tuple[list[str], list[dict[str, list[float]]], list[str]]:
    """The labels that all files give probabilities of, label -> of every row, and what was no use.

    Where one of two gold labels has no column, its probability is what the other lacks of 1. A
    column that nobody has named, and that holds something else, is left out and told about.

    Args:
        tables: the files.
        labels: of the task; none where only right and wrong are compared.
        occur: those that are an example's gold label.
        named, words: as for `pair`; a column may have the one word that means a label in its name.
    """
    called = {label: [label, *_only(words, label)] for label in labels}
    wanted = {
        label: [_column(f"{start}{name}") for name in names for start in PROBABILITY]
        for label, names in called.items()
    }
    told = {_column(role): names for role, names in named.items() if role not in COLUMNS}
    unknown = sorted(set(told) - {names[0] for names in wanted.values()})
    if unknown:
        expected = f"{PROBABILITY[0]} and one of the labels: {listed(labels)}"
        if not labels:
            expected = f"two files with answers to at most {MOST_LABELS} labels"
        raise PredictionsError(f"--columns {shown(unknown[0])}=...: expected {expected}")
    found: list[dict[str, list[float]]] = []
    unused = []
    for table in tables:
        columns = {}
        for label, names in wanted.items():
            given = [name for name in told.get(names[0], ()) if name in table.names]
            for name in given or [name for name in table.names if _column(name) in names]:
                try:
                    columns[label] = _shares(table, name)
                except PredictionsError as error:
                    if given:
                        raise
                    unused.append(str(error))
        if len(occur) == 2 and len(columns) == 1 and (known := next(iter(columns))) in occur:
            (other,) = set(occur) - {known}
            columns[other] = [1 - value for value in columns[known]]
        found.append(columns)
    both = [label for label in labels if all(label in columns for columns in found)]
    return both if set(occur) <= set(both) else [], found, unused


def _answered(table: Table, named: Mapping[str, Sequence[str]]) -> Table:
    """A file that has probabilities and no answers, with its most probable labels as answers."""
    roles = ("predicted", "correct")
    known = {name for role in roles for name in COLUMNS[role]}
    if any(name.strip().casefold() in known for name in table.names) or set(roles) & set(named):
        return table
    label_of = {
        name: name.strip()[len(start) :]
        for name in table.names
        for start in PROBABILITY
        if _column(name).startswith(start)
    }
    for role, names in named.items():
        if role not in COLUMNS:
            label_of |= {name: role.partition("_")[2] for name in names if name in table.names}
    try:
        shares = np.array([_shares(table, name) for name in label_of])
    except PredictionsError:
        return table
    if len(shares) < 2:
        return table
    labels = list(label_of.values())
    answers = [
        None if np.isnan(row).any() else labels[row.argmax()] for row in np.transpose(shares)
    ]

    def column(name: str) -> list[Any]:
        return answers if name == MOST_PROBABLE else table.column(name)

    return replace(table, names=(*table.names, MOST_PROBABLE), column=column)


def _only(words: Mapping[str, str], label: str) -> list[str]:
    """The word that means a label, where only one does."""
    found = [word for word, meant in words.items() if meant == label]
    return found if len(found) == 1 else []


def _column(name: str) -> str:
    """The name of a column of probabilities, so that case and spaces make no difference."""
    return "_".join(name.casefold().split())


def _shares(table: Table, name: str) -> list[float]:
    """The numbers of a column of probabilities, NaN where there is none."""
    numbers = []
    for i, value in enumerate(table.column(name)):
        text = _text(value)
        try:
            number = math.nan if text is None else float(text)
        except ValueError:
            number = -1.0
        if not (math.isnan(number) or 0 <= number <= 1 + 1e-6):
            raise PredictionsError(
                f"{table.path}: {table.place(i)}: {shown(name)} is {shown(value)}; expected a"
                " probability, from 0 to 1"
            )
        numbers.append(number)
    return numbers


def _numbers(
    columns: Mapping[str, Sequence[float]], labels: Sequence[str], rows: Sequence[int]
) -> Floats:
    """The probabilities of these labels in these rows of a file, shape (rows, labels)."""
    values = [np.asarray(columns[label], dtype=float)[rows] for label in labels]
    return np.stack(values, axis=1) if values else np.empty((len(rows), 0))


def _check_once(table: Table, keys: "pd.Series[str]") -> None:
    repeated = keys[keys.duplicated()].unique()
    if not len(repeated):
        return
    filters = list(dict.fromkeys(map(_text, _of(table, "filter"))))
    remedy = "keep one answer per example"
    if len(filters) > 1:
        remedy = (
            f"the file has an answer for each filter ({listed(filters)}); take one, as in"
            f" --columns dataset=filter --dataset {shown(filters[0])}"
        )
    raise PredictionsError(
        f"{table.path}: {len(repeated)} ids occur more than once, such as {listed(repeated[:3])};"
        f" expected each once: {remedy}"
    )


def _check_same_examples(first: Predictions, second: Predictions, common: "pd.Index[str]") -> None:
    if not len(common):
        raise PredictionsError(
            f"{first.path} and {second.path} have no id in common; expected answers to the same"
            f" examples (ids such as {shown(first.frame.index[0])} and"
            f" {shown(second.frame.index[0])}; of a file with several datasets --dataset takes one)"
        )
    for column, name, remedy in (
        ("gold", "gold label", ", and the same words for labels: --labels WORD=LABEL maps them"),
        ("document", "content (doc_hash)", ""),
    ):
        pairs = zip(first.frame.loc[common, column], second.frame.loc[common, column], strict=True)
        differ = [
            (key, one, other)
            for key, (one, other) in zip(common, pairs, strict=True)
            if one is not None and other is not None and _plain(one) != _plain(other)
        ]
        if differ:
            key, one, other = map(shown, differ[0])
            raise PredictionsError(
                f"{len(differ)} ids have another {name} in {second.path} than in {first.path}, such"
                f" as {key}: {other} and {one}; expected answers to the same examples{remedy}"
            )


# An answer or a gold label in its plainest form -> the label as it is shown.
Labels = dict[str, str]


def _check_distinct(file: Predictions) -> None:
    """Raises if two gold labels of a file would be read as one."""
    spelled: dict[str, str] = {}
    for text in file.frame["gold"].unique():
        other = spelled.setdefault(_plain(text), text)
        if other != text:
            raise PredictionsError(
                f"{file.path}: the gold labels {shown(other)} and {shown(text)} differ in case or"
                " punctuation only, and would be read as one; if they are one, say so with"
                f" --labels '{shown(text)}={shown(other)}', else compare a column of right and"
                " wrong with --columns correct=NAME"
            )


def _labels(gold: Sequence[str]) -> Labels:
    """The labels that occur: in the study's order, by number, or by name."""
    study = {_plain(label): str(label) for label in LABELS}
    written: dict[str, Counter[str]] = {}
    for text in gold:
        written.setdefault(_plain(text), Counter())[text] += 1
    if set(written) <= set(study):
        return study
    plain = sorted(written, key=lambda text: (len(text) if text.isdecimal() else 0, text))
    return {text: written[text].most_common(1)[0][0] for text in plain}


def _none(labels: Labels) -> str:
    """What stands for an answer without a label: INVALID, unless that is itself a label."""
    return INVALID if INVALID not in labels.values() else f" {INVALID}"


def _by_label(file: Predictions, labels: Labels) -> tuple[pd.DataFrame, list[str]]:
    """The label of each answer, and whether the answer is invalid; texts that are no label."""
    none = _none(labels)
    texts = [text for text in file.frame["answer"] if text is not None]
    given = [text for text in texts if _plain(text) in labels or not _is_said_invalid(text)]
    strange = Counter(text for text in given if _plain(text) not in labels)
    if 2 * strange.total() > len(given):
        _refuse_unread(file, strange, labels.values(), len(given))
    answers = [
        none if text is None else labels.get(_plain(text), none) for text in file.frame["answer"]
    ]
    marked = list(file.frame["marked"])
    if file.released:
        of_study = set(labels.values()) <= set(LABELS)
        for i, response in enumerate(file.frame["response"]):
            if marked[i] or (of_study and _names_no_label(response, labels)):
                answers[i] = none
    invalid = [answer == none or mark for answer, mark in zip(answers, marked, strict=True)]
    return _answers(file, answers, invalid), [text for text, _ in strange.most_common()]


def _right(file: Predictions) -> tuple[pd.DataFrame, list[str]]:
    """Whether each answer is RIGHT or WRONG, and whether it is invalid; texts that are no label."""
    if not file.gives_answers:
        right, invalid = list(file.frame["right"]), list(file.frame["marked"])
        return _answers(file, [RIGHT if each else WRONG for each in right], invalid), []
    _check_distinct(file)
    labels = _labels(list(file.frame["gold"]))
    gold = [labels[_plain(text)] for text in file.frame["gold"]]
    if len(labels) > MOST_LABELS:  # free text: no answer is strange
        given = Counter(text for text in file.frame["answer"] if text is not None)
        if not {_plain(text) for text in given} & set(labels):
            _refuse_unread(file, given, labels.values(), given.total())
        free = {_plain(text): text for text in given if not _is_said_invalid(text)}
        labels = free | labels
    read, strange = _by_label(file, labels)
    answers = [RIGHT if a == b else WRONG for a, b in zip(read["answer"], gold, strict=True)]
    return _answers(file, answers, list(read["invalid"])), strange


def _answers(file: Predictions, answers: list[str], invalid: list[bool]) -> pd.DataFrame:
    frame = {"answer": pd.Series(answers, dtype=object), "invalid": pd.Series(invalid, dtype=bool)}
    return pd.DataFrame(frame).set_index(file.frame.index)


def _is_said_invalid(text: str) -> bool:
    """Whether an answer says itself that there is none, as in this study's files."""
    return _plain(text) == INVALID.casefold()


def _names_no_label(response: Any, labels: Labels) -> bool:
    unread = isinstance(response, str) and not labels_in(response)
    return unread and _plain(response) not in labels


def _refuse_unread(
    file: Predictions, strange: Counter[str], labels: Iterable[str], given: int
) -> NoReturn:
    such = [text for text, _ in strange.most_common(3)]
    words = ",".join(f'"{text}"=LABEL' if "," in text else f"{text}=LABEL" for text in such)
    raise PredictionsError(
        f"{file.path}: {strange.total()} of {given} answers are none of the gold labels"
        f" ({listed(labels)}), such as {', '.join(map(shown, such))}; say which label each means"
        f" with --labels '{shown(words)}', or name a column of right and wrong with"
        " --columns correct=NAME"
    )


def _plain(text: str) -> str:
    """A label without spaces and markup around it and punctuation after it, in lower case."""
    bare = text.strip(_MARKUP).rstrip(".,:;").strip(_MARKUP)
    while len(bare) > 2 and _BRACKETS.get(bare[0]) == bare[-1]:
        bare = bare[1:-1].strip(_MARKUP)
    if bare.endswith(")") and "(" not in bare:  # as in "A)"
        bare = bare[:-1]
    return (bare or text.strip()).casefold()


def _text(value: Any) -> str | None:
    """A value as text, so that 7, 7.0 and "7" are the same; None where there is none."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="backslashreplace")
    if isinstance(value, float | Decimal) and math.isnan(value):
        return None
    if isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value):
        value = int(value)
    if value is None or isinstance(value, _NESTED):
        return None
    text = str(value).strip()
    return text.partition(".")[0] if re.fullmatch(r"-?\d+\.0+", text) else text or None


def _id(value: Any) -> str | None:
    """An id as text; None where the value cannot be one, such as a truth value."""
    infinite = isinstance(value, float | Decimal) and not math.isfinite(value)
    return None if infinite or isinstance(value, bool) else _text(value)


def _answer(value: Any) -> str | None:
    """An answer as text; a list of one, as sample logs have it, is its element."""
    while isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    return repr(value) if isinstance(value, _NESTED) else _text(value)


def _truth(value: Any) -> bool | None:
    return _TRUTH.get((_text(value) or "").casefold())


def _is_marked(value: Any) -> bool | None:
    """Whether `format_valid` is false, and not if missing; None where it is no truth value."""
    if _text(value) is None and not isinstance(value, _NESTED):
        return False
    truth = _truth(value)
    return None if truth is None else not truth
