"""Lines of JSON from a dataset's file, checked one by one."""

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from factmix.examples import Example

BOM = b"\xef\xbb\xbf"


class DataError(ValueError):
    """A dataset's content does not allow what a study asks of it."""


@dataclass(frozen=True)
class Pool:
    """What a dataset offers.

    Attributes:
        examples: those that can be used.
        skipped: how many could not, by the reason.
        pages: the group of each page that decides an example, where groups are linked pages; so a
            dataset whose group is one of these pages is kept together with this one's.
    """

    examples: Sequence[Example]
    skipped: Mapping[str, int] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=dict)


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


def normalised(claim: str) -> str:
    """The words of a claim, lower case: equal for claims that differ in punctuation or spacing.

    A claim without any word (such as "?!") is kept as it is.
    """
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", claim).casefold())
    return " ".join(words) or claim


_BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-COLON-": ":"}


def readable(text: str) -> str:
    """Text of Wikipedia as FEVER and VitaminC write it, with its brackets and colons put back."""
    for written, meant in _BRACKETS.items():
        text = text.replace(written, meant)
    return text


def page_title(page: str) -> str:
    """The title of a Wikipedia page: the same for all datasets, however they write it."""
    return " ".join(readable(unicodedata.normalize("NFC", page)).replace("_", " ").split())
