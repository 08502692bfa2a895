"""The names of studies, and of the arms, mixtures, datasets and rewards in them.

They become parts of file names, of keys in results.json, of patterns and of command lines, and YAML
and Snakemake read them. One rule keeps them what they are everywhere.
"""

import re
from collections.abc import Iterable
from typing import Annotated

import yaml
from pydantic import BeforeValidator

RULE = (
    "a name begins with a letter, has only letters (a to z), digits, _ and -, and is no word that"
    " YAML takes for a value, such as yes or null"
)


def is_name(text: object) -> bool:
    """Whether the rule allows this name."""
    return (
        isinstance(text, str)
        and re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", text) is not None
        and yaml.safe_load(text) == text
    )


def key_of(name: str) -> str:
    """What is left of a name where case, - and _ are not told apart."""
    return name.lower().replace("-", "_")


def first_alike(names: Iterable[str]) -> tuple[str, str] | None:
    """The first name whose key an earlier one has, after that one; None if all keys differ."""
    known: dict[str, str] = {}
    for name in names:
        earlier = known.setdefault(key_of(name), name)
        if earlier != name:
            return earlier, name
    return None


def _checked(text: object) -> object:
    if not is_name(text):
        raise ValueError(RULE)
    return text


Name = Annotated[str, BeforeValidator(_checked)]
