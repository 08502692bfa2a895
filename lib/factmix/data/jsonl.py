"""Lines of JSON from a dataset's file, checked one by one."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from factmix.data.pool import DataError
from factmix.study.examples import Example

BOM = b"\xef\xbb\xbf"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    if not line:
        raise ValueError("is empty")
    return line


# A prompt gives the claim and each evidence sentence a line of its own.
Text = Annotated[str, AfterValidator(_one_line)]


class Row(BaseModel, ABC):
    """The fields of one line that are used; others may be there."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @abstractmethod
    def example(self, dataset: str) -> Example:
        """The row in this project's terms, under the dataset's name."""


AnyRow = TypeVar("AnyRow", bound=BaseModel)


def read_rows(
    lines: Iterable[bytes], row_type: type[AnyRow], source: str
) -> Iterator[tuple[str, AnyRow]]:
    """Each line of JSON with its place, such as "claims.jsonl:3".

    Lines may end as on Windows, and the first may begin with a byte order mark.

    Args:
        lines: the file's lines, UTF-8.
        row_type: what a line must hold.
        source: the file's name.

    Raises:
        DataError: naming file, line and field, for a line that is no JSON or lacks a field, and for
            a label or text that cannot be.
    """
    for number, line in enumerate(lines, start=1):
        try:
            row = row_type.model_validate_json(line.removeprefix(BOM) if number == 1 else line)
        except ValidationError as error:
            raise DataError(f"{source}:{number}: {_first_problem(error)}") from error
        yield f"{source}:{number}", row


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
        row_type: what a line must hold.
        source: the file's name, for messages.
        dataset: its name.
        seen: ids of the dataset's other files and where they are, to which this file's are added.

    Raises:
        DataError: as `read_rows`, and for an id that came before.
    """
    seen = {} if seen is None else seen
    examples = []
    for where, row in read_rows(lines, row_type, source):
        example = row.example(dataset)
        check_new(example.id, where, seen)
        examples.append(example)
    return examples


def check_new(id_: str, where: str, seen: dict[str, str]) -> None:
    """Notes where an id is; DataError when it has come before."""
    if id_ in seen:
        raise DataError(f"{where}: the id '{id_}' is that of {seen[id_]}; expected every id once")
    seen[id_] = where


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    # The input of these two is the whole line, which helps nobody.
    got = "" if first["type"] in ("json_invalid", "missing") else f"; got {first['input']!r}"
    where = ".".join(str(part) for part in first["loc"])
    return f"{where + ': ' if where else ''}{first['msg']}{got}"
