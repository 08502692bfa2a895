"""Sentences of the book, from the templates in book/sentences/ and the facts that they state.

A writer changes words in a template; what a template is given, and so what is true, comes from the
functions that call `render` and `say`.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from factmix.report.baselines import arm_name
from factmix.report.figures.layout import words
from factmix.results.numbers import Leaf, amount, show
from factmix.study.paths import ROOT

FOLDER = ROOT / "book" / "sentences"
# Metrics as sentences name them.
METRIC_NAMES = {"balanced_accuracy": "balanced accuracy", "recall_na": "recall of NA"}


def render(template: str, **facts: Any) -> str:
    """A template of book/sentences/ with these facts as its variables."""
    return _environment().get_template(template).render(facts)


def say(template: str, macro: str, *facts: Any) -> str:
    """What one macro of a template says, such as the alt text of one figure."""
    module = _environment().get_template(template).module
    return str(getattr(module, macro)(*facts)).strip()


def num(*path: str, form: str = "", role: str = "num") -> str:
    """A number of results.json as a role, which shows where it is from."""
    return f"{{{role}}}`{'.'.join(path)}{'|' if form else ''}{form}`"


def listed(names: Sequence[str]) -> str:
    """Names as in a sentence: a, b and c."""
    if len(names) < 2:
        return names[0] if names else "none"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def places(found: Iterable[tuple[str, str]]) -> str:
    """Arms and datasets in words, arms with the same datasets together."""
    datasets_of: dict[str, list[str]] = {}
    for arm, dataset in found:
        datasets_of.setdefault(arm, []).append(dataset)
    arms_of: dict[tuple[str, ...], list[str]] = {}
    for arm, datasets in datasets_of.items():
        arms_of.setdefault(tuple(datasets), []).append(system(arm))
    groups = [f"{listed(arms)} on {listed(on)}" for on, arms in arms_of.items()]
    return ", ".join(groups) or "none"


def system(arm: str) -> str:
    """An arm as code, and what is no arm as words with an article."""
    name = arm_name(arm)
    return name if name.startswith("`") else f"the {name}"


def short(value: float) -> str:
    """A measured number with three digits."""
    return f"{value:.3g}".replace("-", "\u2212")


Found = Mapping[str, Mapping[str, Leaf]]  # arm -> dataset -> number


def low_high(found: Found) -> tuple[tuple[str, str], tuple[str, str]]:
    """The arm and the dataset of the lowest number, and those of the highest."""
    where = [(arm, dataset) for arm, of in found.items() for dataset in of]
    where.sort(key=lambda at: found[at[0]][at[1]]["value"])
    return where[0], where[-1]


def lowest_and_highest(found: Found) -> list[tuple[str, str, str]]:
    """For each dataset its name, the arm with the lowest number, and that with the highest."""
    extremes = []
    for dataset in next(iter(found.values())):
        arms = sorted(found, key=lambda arm: found[arm][dataset]["value"])
        extremes.append((dataset, arms[0], arms[-1]))
    return extremes


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    numbers = (amount, low_high, lowest_and_highest, num, short, show)
    names = (listed, places, system, words)
    environment.filters |= {"code": arm_name, "spoken": METRIC_NAMES.__getitem__}
    environment.globals |= {each.__name__: each for each in (*numbers, *names)}
    return environment
