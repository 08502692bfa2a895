"""Groups of linked names: a union-find."""

from collections.abc import Mapping

import pandas as pd


class Groups:
    """A union-find of names; a group is named after the smallest name in it."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def link(self, one: str, other: str) -> None:
        """Merges the groups of two names."""
        # The smaller name becomes the root, so that the order of the links does not matter.
        low, high = sorted((self._top(one), self._top(other)))
        self._above[high] = low

    def of(self, name: str) -> str:
        """The group of a name: the smallest name linked to it."""
        return self._top(name)

    def _top(self, name: str) -> str:
        while (above := self._above.setdefault(name, name)) != name:
            self._above[name] = self._above[above]
            name = above
        return name


def linked(loaded: dict[str, tuple[pd.DataFrame, Mapping[str, str]]]) -> dict[str, pd.DataFrame]:
    """Each dataset's examples, with groups that hold across datasets.

    FEVER's groups are sets of pages linked by claims, each named after one page. Examples of
    another dataset on any of these pages get the same group.

    Args:
        loaded: per dataset, its examples and its `Pool.pages`.
    """
    groups = Groups()
    for _, pages in loaded.values():
        for page, group in pages.items():
            groups.link(page, group)
    return {
        name: pool.assign(group=pool["group"].map(groups.of)) for name, (pool, _) in loaded.items()
    }
