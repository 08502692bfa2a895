"""The format of results.json: nested keys that end in leaves, tables of them, and differences."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
import pandas as pd

from factmix.results.numbers import leaves
from factmix.stats.bootstrap import Estimate
from factmix.stats.paired_tests import holm_in_order


def result_key(name: str) -> str:
    """A name of the study as a key of results.json; dots, which separate keys, are replaced."""
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


DIGITS = 10  # significant ones of a fraction, which is enough for `differences`
LEAF: dict[str, str] = {
    "value": "the number; null where it could not be computed",
    "unit": "`fraction` (0 to 1), `points` (a difference of fractions), `count`, another or none",
    "n": "how many examples, training steps or seeds it is a share or a mean of, or a test of",
    "run": "folder of the run that it is from; `data` where it follows from the data alone",
    "interval": "its limits at the study's confidence",
    "p": "two-sided p value",
    "p_holm": "p corrected by Holm over the arms and datasets of this metric or test",
    "p_noninferior": "p of the test that a loss, if any, is below the study's margin",
    "by_seed": "of a mean over seeds: its values, in the order of `seeds`",
    "at_floor": "which of its p values are the smallest that the resamples allow; absent if none",
}


def leaf(estimate: Estimate | float, unit: str, n: int, run: str) -> dict[str, Any]:
    """A number as results.json has it.

    Args:
        estimate: the number, perhaps with its interval and p value.
        unit: "fraction", "points" (a difference of fractions), "count", "seconds", or as written.
        n: how many examples, training steps or seeds it is a share or a mean of, or a test of.
        run: the folder of the run that it is from, relative to that of the study.
    """
    if not isinstance(estimate, Estimate):
        estimate = Estimate(estimate)
    entry: dict[str, Any] = {"value": estimate.value, "unit": unit, "n": n, "run": run}
    if estimate.interval is not None:
        entry["interval"] = list(estimate.interval)
    if estimate.p is not None:
        entry["p"] = estimate.p
    if estimate.p_noninferior is not None:
        entry["p_noninferior"] = estimate.p_noninferior
    if estimate.at_floor:
        entry["at_floor"] = list(estimate.at_floor)
    return entry


def add_holm(section: Mapping[str, Any], family: Callable[[str], str]) -> None:
    """Adds `p_holm`, p corrected by Holm, to every leaf of a section that has a p value.

    Args:
        section: such as `results["gains"]`; its leaves are changed.
        family: from a leaf's dotted key, the name of the family of tests that it is one of.
    """
    families: dict[str, list[dict[str, Any]]] = {}
    for path, entry in leaves(section):
        if "p" in entry:
            families.setdefault(family(path), []).append(entry)
    for entries in families.values():
        correct(entries)


def correct(tested: Sequence[dict[str, Any]]) -> None:
    """Adds `p_holm`, p corrected by Holm for being tested together, to leaves with a p value.

    The smallest `p_holm` is at its floor where the smallest p is.
    """
    corrected = holm_in_order([entry["p"] for entry in tested])
    smallest = any("p" in entry.get("at_floor", ()) for entry in tested)
    for entry, p_holm in zip(tested, corrected, strict=True):
        entry["p_holm"] = p_holm
        if smallest and p_holm == min(corrected) < 1:
            entry["at_floor"] = [*entry.get("at_floor", ()), "p_holm"]


def established(leaf: Mapping[str, Any], alpha: float) -> bool:
    """Whether the p value, corrected by Holm, is below alpha; not where there is none."""
    return bool(leaf.get("p_holm", 1) < alpha)


def rounded(tree: Any) -> Any:
    """Nested numbers with `DIGITS` significant digits."""
    if isinstance(tree, Mapping):
        return {name: rounded(inner) for name, inner in tree.items()}
    if isinstance(tree, list):
        return [rounded(inner) for inner in tree]
    return float(f"{tree:.{DIGITS}g}") if isinstance(tree, float) else tree


def counts(report: Mapping[str, Any]) -> dict[str, Any]:
    """The counts of the data report as leaves, in the same nesting."""
    tree: dict[str, Any] = {}
    for name, content in report.items():
        if isinstance(content, Mapping):
            tree[result_key(name)] = counts(content)
        elif isinstance(content, int | float):
            tree[result_key(name)] = leaf(content, "count", int(content), "data")
    return tree


def differences(committed: Any, fresh: Any, *, tolerance: float = 1e-9) -> pd.DataFrame:
    """Two results.json of the same study side by side, entry by entry.

    Args:
        committed: what json.loads made of the one.
        fresh: the same of the other.
        tolerance: by which fractions may differ and still count as the same, relative to their
            size if that is above 1, because processors add in different orders. Whole numbers and
            words must be equal.

    Returns:
        a row for every entry of either, by its dotted key (an interval's ends are its .0 and .1),
        with columns committed and fresh (None where one lacks it), difference (fresh minus
        committed, NaN where one is no number) and same.
    """
    left, right = dict(_entries(committed)), dict(_entries(fresh))
    names = list(dict.fromkeys([*left, *right]))
    rows = []
    for name in names:
        one, other = left.get(name), right.get(name)
        gap = other - one if _is_number(one) and _is_number(other) else np.nan
        if name not in left or name not in right:
            same = False
        elif isinstance(one, float) and isinstance(other, float):
            same = abs(gap) <= tolerance * max(1.0, abs(one))
        else:
            same = type(one) is type(other) and one == other
        rows.append((one, other, gap, same))
    columns = ["committed", "fresh", "difference", "same"]
    return pd.DataFrame(rows, index=pd.Index(names, dtype=object), columns=columns)


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _entries(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The scalars of nested mappings and lists, by dotted key."""
    if isinstance(tree, Mapping):
        branches: Iterable[tuple[Any, Any]] = tree.items()
    elif isinstance(tree, list | tuple):
        branches = enumerate(tree)
    else:
        yield prefix.removesuffix("."), tree
        return
    for name, branch in branches:
        yield from _entries(branch, f"{prefix}{name}.")


def tidy(section: Mapping[str, Any], levels: Sequence[str]) -> pd.DataFrame:
    """A section of results.json as a table, one row per number.

    Args:
        section: such as `results["gains"]`.
        levels: what its nested keys stand for, such as ["arm", "dataset", "metric"]; the keys of
            a level named "step" become integers.

    Returns:
        a column for each level, then value, low and high (interval), p, p_holm and n, NaN where a
        number has none; and at_floor, which of p and p_holm are the smallest that there can be.
    """
    rows = []
    for path, leaf in leaves(section):
        low, high = leaf.get("interval", (np.nan, np.nan))
        tests = (leaf.get(name, np.nan) for name in ("p", "p_holm"))
        about = (leaf["n"], leaf.get("at_floor", []))
        rows.append((*path.split("."), leaf["value"], low, high, *tests, *about))
    columns = ["value", "low", "high", "p", "p_holm", "n", "at_floor"]
    frame = pd.DataFrame(rows, columns=[*levels, *columns])
    if "step" in levels:
        frame["step"] = frame["step"].str.removeprefix("step_").astype(int)
    return frame
