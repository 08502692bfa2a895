"""What a dataset offers a study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from factmix.study.examples import Example


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
