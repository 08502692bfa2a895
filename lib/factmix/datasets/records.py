"""Lines of JSON from a dataset's file, checked one by one."""

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from factmix.examples import Example


class DataError(ValueError):
    """A dataset's content does not allow what a study asks of it."""


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
    def example(self) -> Example:
        """The row in this project's terms."""


def read_examples(lines: Iterable[bytes], row_type: type[Row], source: str) -> list[Example]:
    """One example per line of JSON.

    Args:
        lines: the file's lines, UTF-8.
        row_type: what a line must hold.
        source: the file's name, for messages.

    Raises:
        DataError: naming file, line and field, for a line that is no JSON or lacks a field, for a
            label or text that cannot be, and for an id that came before.
    """
    examples = []
    line_of: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        try:
            example = row_type.model_validate_json(line).example()
        except ValidationError as error:
            raise DataError(f"{source}:{number}: {_first_problem(error)}") from error
        if example.id in line_of:
            raise DataError(
                f"{source}:{number}: the id '{example.id}' is that of line {line_of[example.id]};"
                " expected every id once"
            )
        line_of[example.id] = number
        examples.append(example)
    return examples


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
