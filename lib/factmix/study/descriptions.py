"""Names of columns and keys with their meanings, and the names that each entry stands for.

The module that writes a file has a dict from name to meaning. A name in angle brackets stands for
several: `accuracy|<label>` for `accuracy|NA`, `accuracy|PASS` and `accuracy|FAIL`.
"""

import re
from collections.abc import Collection, Iterable, Mapping

# For a name in brackets, the names that it stands for; without any, it stands for every name.
Places = Mapping[str, Collection[str]]


def is_described(name: str, described: Iterable[str], places: Places | None = None) -> bool:
    """Whether exactly one entry stands for the name."""
    return sum(bool(_pattern(entry, places or {}).fullmatch(name)) for entry in described) == 1


def undescribed(
    names: Iterable[str], described: Collection[str], places: Places | None = None
) -> list[str]:
    """The names for which no entry, or more than one, stands."""
    return [name for name in names if not is_described(name, described, places)]


def unused(
    names: Collection[str], described: Iterable[str], places: Places | None = None
) -> list[str]:
    """The entries that stand for none of the names."""
    return [
        entry for entry in described if not any(map(_pattern(entry, places or {}).fullmatch, names))
    ]


def _pattern(entry: str, places: Places) -> re.Pattern[str]:
    parts = re.split(r"<(\w+)>", entry)
    for i, place in enumerate(parts):
        if i % 2 == 0:
            parts[i] = re.escape(place)
        elif place == "number":
            parts[i] = r"\d+"
        else:
            fixed = places.get(place)
            parts[i] = f"(?:{'|'.join(fixed)})" if fixed else r"[^.|/]+"
    return re.compile("".join(parts))
