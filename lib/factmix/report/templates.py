"""The words of the book: templates in book/templates/, and the facts that they state.

A writer changes words in a template; what a template is given, and so what is true, comes from the
functions that call `render` and `say`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from factmix.published.audit import CLIMATE_EVALUATION
from factmix.published.claims import test_of
from factmix.published.released import DATASETS, SYSTEMS
from factmix.report.baselines import Found, arm_name
from factmix.report.figures.layout import words
from factmix.report.markdown import tabled
from factmix.report.sources import in_both_readings
from factmix.results import results_json
from factmix.results.numbers import NOT_COMPUTED, Leaf, amount, p_cell, probability, show
from factmix.study.labels import ANSWERS, LABELS
from factmix.study.paths import ROOT
from factmix.study.settings import Counts
from factmix.training.rewards import component_names, components

FOLDER = ROOT / "book" / "templates"
METRIC_NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "recall_na": "recall NA",
    "recall_pass": "recall PASS",
    "recall_fail": "recall FAIL",
    "f1_na": "F1 NA",
    "f1_pass": "F1 PASS",
    "f1_fail": "F1 FAIL",
}


def render(template: str, **facts: Any) -> str:
    """A template of book/templates/ with these facts as its variables."""
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


def digits(value: float, form: str = ".3g") -> str:
    """A measured number in a format specification, with a typographic minus sign."""
    return f"{value:{form}}".replace("-", "\u2212")


def cells(found: Mapping[str, Leaf], names: Iterable[str]) -> str:
    """Numbers with their intervals, as cells of a table; a dash for each that is not there."""
    shown = (show(found[name], "cell") if name in found else NOT_COMPUTED for name in names)
    return " | ".join(shown)


def counts_text(counts: Counts | None) -> str:
    """Examples as NA/PASS/FAIL; 0 where there are none."""
    return "/".join(str(counts.get(label, 0)) for label in LABELS) if counts else "0"


def each(section: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, Any]]:
    """Arm, dataset and what is below them in a section of results.json."""
    for arm, datasets in section.items():
        for dataset, found in datasets.items():
            yield arm, dataset, found


def grouped(content: Mapping[str, Any], arm: str, dataset: str) -> Leaf | None:
    """The gain in accuracy with groups as the sample; None where there are too few of them."""
    found: Leaf | None
    if arm in content.get("across_seeds", {}):
        found = content["across_seeds"][arm][dataset]["accuracy"]["grouped"]
    else:
        found = content["clustered"]["gains"][arm][dataset].get("accuracy")
    return found


def established(found: Found, alpha: float) -> list[bool]:
    """For each number whether it differs from 0."""
    return [results_json.established(leaf, alpha) for of in found.values() for leaf in of.values()]


def low_high(found: Found) -> tuple[tuple[str, str], tuple[str, str]]:
    """The arm and the dataset of the lowest number, and those of the highest."""
    where = [(arm, dataset) for arm, of in found.items() for dataset in of]
    where.sort(key=lambda at: found[at[0]][at[1]]["value"])
    return where[0], where[-1]


def lowest_and_highest(found: Found, dataset: str) -> tuple[str, str]:
    """The arm with the lowest number on a dataset, and that with the highest."""
    values = {arm: of[dataset]["value"] for arm, of in found.items()}
    return min(values, key=values.__getitem__), max(values, key=values.__getitem__)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "amount": amount,
        "code": arm_name,
        "metric": METRIC_NAMES.__getitem__,
        "spoken": lambda metric: METRIC_NAMES[metric].replace("recall ", "recall of "),
        "size": lambda counts: sum(counts.values()),
        "table": tabled,
    }
    environment.globals |= {one.__name__: one for one in _FUNCTIONS} | {
        "ANSWERS": ANSWERS,
        "CLIMATE_EVALUATION": CLIMATE_EVALUATION,
        "DATASETS": DATASETS,
        "LABELS": LABELS,
        "METRICS": [name for name in METRIC_NAMES if not name.startswith("f1")],
        "NOT_COMPUTED": NOT_COMPUTED,
        "SYSTEMS": SYSTEMS,
        "nbsp": "\u00a0",
    }
    return environment


_FUNCTIONS = (
    amount, cells, component_names, components, counts_text, digits, each, established,
    grouped, in_both_readings, listed, low_high, lowest_and_highest, num, p_cell, places,
    probability, show, system, test_of, words,
)  # fmt: skip
