"""Tables in Markdown."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from factmix.results.numbers import NOT_COMPUTED

# How a cell with a number begins: perhaps in bold, with a relation, a sign; or there is none.
_NUMBER = re.compile(rf"[^\w`]*\d|p\u00a0|{NOT_COMPUTED}$")


def table(header: Sequence[str], rows: Iterable[Sequence[Any]], *, words: bool = False) -> str:
    """A Markdown table; columns with a number are aligned right, but for the first, others left.

    Args:
        header: names of the columns.
        rows: their cells.
        words: whether all columns hold words, whatever they begin with.

    Raises:
        ValueError: a row has another number of cells than the header.
    """
    lines = [[str(cell) for cell in row] for row in rows]
    for line in lines:
        if len(line) != len(header):
            raise ValueError(
                f"expected {len(header)} cells below {header}; got {len(line)}: {line}"
            )
    columns = list(zip(*lines, strict=True))[1:] or [()] * (len(header) - 1)
    numeric = [not words and any(map(_NUMBER.match, column)) for column in columns]
    sides = [":--", *("--:" if right else ":--" for right in numeric)]
    return "".join(f"| {' | '.join(line)} |\n" for line in [header, sides, *lines])


def tabled(text: str, words: bool = False) -> str:
    """The same of lines whose cells have a bar between them, the first of them the header."""
    header, *rows = (line.split(" | ") for line in text.splitlines() if line)
    return table(header, rows, words=words)
