"""Finding a number of results.json by its key, and formatting it for prose and tables."""

import difflib
import math
from collections.abc import Iterator, Mapping
from typing import Any

Leaf = Mapping[str, Any]  # value, unit, n, and where they exist interval, p values and run

P_VALUES = ("p", "p_holm", "p_noninferior")
FORMS = ("value", "interval", "full", "cell", "size", *P_VALUES, "n", "run")

_NO_BREAK = "\u00a0"
_MINUS = "\u2212"
NOT_COMPUTED = "\u2013"


class NumberError(LookupError):
    """A key is not in results.json, or its number cannot be shown in the form asked for."""


def leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every citable entry as (dotted key, leaf); a leaf has a `value`, or is no mapping."""
    for key, branch in tree.items():
        path = f"{prefix}{key}"
        if isinstance(branch, Mapping) and "value" not in branch:
            yield from leaves(branch, f"{path}.")
        else:
            yield path, branch


def find(tree: Mapping[str, Any], key: str) -> Any:
    """The leaf at a dotted key.

    Raises:
        NumberError: naming the nearest keys that exist.
    """
    known = dict(leaves(tree))
    if key in known:
        return known[key]
    near = difflib.get_close_matches(key, known, n=3, cutoff=0.5)
    below = [name for name in known if name.startswith(f"{key}.")][:3]
    raise NumberError(
        f"no number has the key '{key}'; nearest: {', '.join(below or near) or 'none is similar'}"
    )


def show(leaf: Any, form: str = "value") -> str:
    """A leaf as text.

    Args:
        leaf: an entry that `find` or `leaves` gave.
        form: "value" with its unit; "interval" as "lo to hi"; "full" for value and interval;
            "cell" for both without unit, as in a table; "size" for a value without sign; "p",
            "p_holm" or "p_noninferior" with its relation, see `probability`; "n" or "run".

    Raises:
        NumberError: when the form is unknown, or the leaf has nothing to show in it.
    """
    if form not in FORMS:
        raise NumberError(f"unknown form '{form}'; expected one of: {', '.join(FORMS)}")
    if not isinstance(leaf, Mapping):
        if form != "value":
            raise NumberError(f"this entry has no {form}, it is only {leaf!r}")
        return ", ".join(amount(item) for item in (leaf if isinstance(leaf, list) else [leaf]))
    unit = str(leaf.get("unit", ""))
    certain = leaf.get("interval") is None
    if form == "cell":
        bare = _bare(leaf["value"], unit)
        between = "" if certain else _between(leaf["interval"], unit, f",{_NO_BREAK}")
        return f"{bare} [{between}]" if between else bare
    if form == "full":
        return show(leaf) if certain else f"{show(leaf)} ({show(leaf, 'interval')})"
    if form == "size":
        return amount(abs(leaf["value"]), unit).removeprefix("+")
    if leaf.get(form) is None and form != "value":
        raise NumberError(f"this number has no {form}; it has: {', '.join(leaf)}")
    if form == "value":
        return amount(leaf["value"], unit)
    if form == "interval":
        return amount(_between(leaf["interval"], unit, " to "), unit)
    if form in P_VALUES:
        return probability(leaf[form], at_floor=form in leaf.get("at_floor", ()))
    return amount(leaf[form])


def amount(value: Any, unit: str | None = None) -> str:
    """A value with its unit; None, for what could not be computed, is a dash.

    Without a unit the value is a setting or a count and is written with the digits that it has; a
    measured value has a unit, which may be "", and is rounded.
    """
    if value is None:
        return NOT_COMPUTED
    if isinstance(value, bool):
        return str(value)
    if unit == "seconds" and not isinstance(value, str):
        return duration(float(value))
    bare = value if isinstance(value, str) else _bare(value, unit)
    word = _WORDS.get(unit, unit) if unit else ""
    return f"{bare}{_NO_BREAK}{word}" if word else bare


def probability(p: float | None, *, at_floor: bool = False) -> str:
    """A p value with its relation: "p = 0.012", "p < 0.001", or a bound such as "p < 0.0002".

    Args:
        p: None where it is not defined.
        at_floor: whether it is the smallest that the resamples of a bootstrap allow. Then the bound
            is p, rounded up to two digits.
    """
    if p is None:
        return "p not defined"
    if not at_floor:
        places = 4 if p < 0.01 <= round(p, 3) else 3  # 0.0096 is below a level of 0.01
        relation, shown = ("<", "0.001") if p < 0.001 else ("=", f"{p:.{places}f}")
    else:
        digits = 1 - math.floor(math.log10(p))
        bound = math.ceil(p * 10**digits - 1e-6) / 10**digits
        relation, shown = "<" if bound > p else "\u2264", f"{bound:.{digits}f}".rstrip("0")
    return f"p{_NO_BREAK}{relation}{_NO_BREAK}{shown}"


def p_cell(leaf: Leaf, form: str = "p") -> str:
    """A p value of a leaf, as `show` writes it, for a cell of a table: "0.012" or "< 0.0002"."""
    return show(leaf, form).removeprefix(f"p{_NO_BREAK}").removeprefix(f"={_NO_BREAK}")


def in_terminal(text: str) -> str:
    """A text of this module for a terminal, without no-break spaces."""
    return text.replace(_NO_BREAK, " ")


def duration(seconds: float) -> str:
    """Seconds in the two units a reader would use, such as "3 min 20 s"."""
    if seconds < 60:
        return f"{seconds:.3g}{_NO_BREAK}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{_NO_BREAK}min{_NO_BREAK}{rest}{_NO_BREAK}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{_NO_BREAK}h{_NO_BREAK}{minutes}{_NO_BREAK}min"


# What follows the number; units that are not listed follow as they are.
_WORDS = {"fraction": "%", "count": ""}


def _between(interval: Any, unit: str | None, join: str) -> str:
    return join.join(_bare(limit, unit) for limit in interval)


def _bare(value: Any, unit: str | None) -> str:
    if value is None:
        return NOT_COMPUTED
    number = float(value)
    if unit == "points":
        text = f"{100 * number:+.1f}"
    elif unit == "fraction":
        text = f"{100 * number:.1f}"
    elif number.is_integer() and abs(number) < 1e15 and unit in (None, "count"):
        text = f"{int(number):,}"
    elif number != 0 and not 1e-3 <= abs(number) < 1e5:
        text = f"{number:.2g}"
    else:
        text = f"{number:.3f}"
        text = text.rstrip("0").rstrip(".") if unit is None else text
    # A rounded "-0.0" says no more than "0.0", and claims a direction.
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("+-")
    return text.replace("-", _MINUS)
