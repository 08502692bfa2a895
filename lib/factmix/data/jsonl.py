"""Reads and checks the JSON lines of a dataset's file."""

import reprlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from factmix.data.fetch import open_member, opened
from factmix.data.pool import DataError
from factmix.study.examples import Example

BOM = b"\xef\xbb\xbf"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    if not line:
        raise ValueError("is empty")
    return line


# In a prompt, the claim and each evidence sentence are one line each.
Text = Annotated[str, AfterValidator(_one_line)]


class Row(BaseModel, ABC):
    """The fields of one line that are used; others are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @abstractmethod
    def example(self, dataset: str) -> Example:
        """The row as an `Example` of the named dataset."""


AnyRow = TypeVar("AnyRow", bound=BaseModel)


def read_rows(
    lines: Iterable[bytes], row_type: type[AnyRow], source: str
) -> Iterator[tuple[str, AnyRow]]:
    """Yields each parsed line with its location, such as "claims.jsonl:3".

    Accepts Windows line endings, empty lines, and a byte order mark at the start.

    Args:
        lines: the file's lines, UTF-8.
        row_type: the model that a line must match.
        source: the file's name.

    Raises:
        DataError: a line is not JSON, lacks a field, or has an invalid label or text; names file,
            line and field.
    """
    for number, read in enumerate(lines, start=1):
        line = (read.removeprefix(BOM) if number == 1 else read).strip()
        if not line:
            continue
        if line.startswith(b"["):
            raise DataError(
                f"{source}:{number}: expected one JSON object per line; got an array. If the file"
                " is one array of objects, convert it with: jq -c '.[]'"
            )
        try:
            row = row_type.model_validate_json(line)
        except ValidationError as error:
            raise DataError(f"{source}:{number}: {_first_problem(error)}") from error
        yield f"{source}:{number}", row


def read_archive(
    path: Path, members: Sequence[str], row_type: type[Row], dataset: str
) -> list[Example]:
    """The examples in some files of an archive, read without unpacking it to disk.

    Raises:
        SourceError: the file is not such an archive.
        DataError: a line of it is malformed, or an id occurs twice.
    """
    examples: list[Example] = []
    seen: dict[str, str] = {}
    with opened(path) as archive:
        for member in members:
            with open_member(archive, member) as lines:
                examples += read_examples(lines, row_type, f"{path}/{member}", dataset, seen)
    return examples


def read_examples(
    lines: Iterable[bytes],
    row_type: type[Row],
    source: str,
    dataset: str,
    seen: dict[str, str] | None = None,
) -> list[Example]:
    """One example per line of JSON.

    Args:
        lines: the file's lines, UTF-8.
        row_type: the model that a line must match.
        source: the file's name, for messages.
        dataset: its name.
        seen: ids in the dataset's other files and their locations; this file's ids are added.

    Raises:
        DataError: as `read_rows`, and for a repeated id.
    """
    seen = {} if seen is None else seen
    examples = []
    for where, row in read_rows(lines, row_type, source):
        example = row.example(dataset)
        check_new(example.id, where, seen)
        examples.append(example)
    return examples


def check_new(id_: str, where: str, seen: dict[str, str]) -> None:
    """Records the location of an id; DataError if it is repeated."""
    if id_ in seen:
        raise DataError(
            f"{where}: the id '{id_}' was already used in {seen[id_]}; expected every id once"
        )
    seen[id_] = where


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    # For these two types the input is the whole line.
    whole = first["type"] in ("json_invalid", "missing")
    got = "" if whole else f"; got {reprlib.repr(first['input'])}"
    where = ".".join(str(part) for part in first["loc"])
    return f"{where + ': ' if where else ''}{first['msg']}{got}"
