"""The examples that a dataset provides, and the error for bad data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from factmix.study.examples import Example


class DataError(ValueError):
    """A dataset is malformed, or too small for what a study asks of it."""


@dataclass(frozen=True)
class Pool:
    """The examples of a dataset.

    Attributes:
        examples: the usable ones.
        skipped: the number of unusable ones, by reason.
        pages: from each Wikipedia page that decides an example to its group, if groups are linked
            pages. So rows of another dataset on the same page get the same group.
    """

    examples: Sequence[Example]
    skipped: Mapping[str, int] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=dict)
