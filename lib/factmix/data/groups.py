"""Names that belong together, directly or through others."""

from collections.abc import Mapping

import pandas as pd


class Groups:
    """Links between names; of all that are linked, the smallest name stands for the group."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def link(self, one: str, other: str) -> None:
        """Puts two names, and all that are linked to either, in one group."""
        # The smaller name stands for both, so that the order of the links does not matter.
        low, high = sorted((self._top(one), self._top(other)))
        self._above[high] = low

    def of(self, name: str) -> str:
        """The smallest name of all that are linked to a name."""
        return self._top(name)

    def _top(self, name: str) -> str:
        while (above := self._above.setdefault(name, name)) != name:
            self._above[name] = self._above[above]
            name = above
        return name


def linked(loaded: dict[str, tuple[pd.DataFrame, Mapping[str, str]]]) -> dict[str, pd.DataFrame]:
    """Each dataset's examples, in groups that hold across datasets.

    FEVER's groups are pages that its claims link, each under one of their titles. What another
    dataset has on any of these pages belongs to the same group.
    """
    groups = Groups()
    for _, pages in loaded.values():
        for page, group in pages.items():
            groups.link(page, group)
    return {
        name: pool.assign(group=pool["group"].map(groups.of)) for name, (pool, _) in loaded.items()
    }
