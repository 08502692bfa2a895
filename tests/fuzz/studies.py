"""Mutated studies, and what becomes of each: `python tests/fuzz/studies.py 10000`.

A mutation changes the parts of a study of the project, or its text. It must be accepted, and then
resolve to runs and samples, or be refused with a message; any other exception is a fault.
"""

import argparse
import copy
import json
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from factmix.study import freshness
from factmix.study.files import write_json
from factmix.study.load import load_kept, load_study
from factmix.study.paths import ROOT
from factmix.study.spec import Study, StudyError

TEXTS = {
    path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "studies").glob("*"))
}
TREES = {name: yaml.safe_load(text) for name, text in TEXTS.items()}
KEYS = set(Study.model_fields) - {"name"} | {"extends"}
REQUIRED = {name for name, field in Study.model_fields.items() if field.is_required()} - {"name"}

MINE = "mine"  # the name of the mutated study, in the folder of the others

# As YAML would read them from a file.
ODD = st.one_of(
    st.sampled_from([None, True, False, 0, 1, -1, 2, 3, 2**31, 2**63, 2**64, -(2**70), 10**400]),
    st.sampled_from([0.5, -0.5, 1e-300, 1e308, float("nan"), float("inf"), float("-inf"), 1.0]),
    st.sampled_from(["", " ", "NA", "PASS", "null", "~", "1e3", "0.1", "constant", "weighted"]),
    st.sampled_from(["ünï", "a\u0000b", "\ud800", "💥", "a/b", "../x", "a.b", "-x", "x" * 5000]),
    st.sampled_from([[], {}, [[]], [None], {"a": {}}, {"NA": 1}, {1: 2}, {None: None}, b"\xff"]),
    st.dates(),
    st.datetimes(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(-3, 300), max_size=4),
).map(copy.deepcopy)
# Put in place of a value, or as a line of its own.
TOKENS = (
    "2026-11-28", "12:30:45", "0x1F", "0o17", "1_000", "1e400", "-.inf", ".nan", "~", "yes", "off",
    "&a [*a]", "&a {b: *a}", "*nothing", "&x 1", "<<: *nothing", "<<: {seeds: [1]}", "!!set {a, b}",
    "!!binary aGk=", "!!python/object:os.system x", "!!int abc", "!!float x", "!!bool 2",
    "!!timestamp x", "!!omap [a: 1]", "!unknown x", "? [a, b]\n: 1", "{[1]: 2}", "{{a: 1}: 2}",
    "'open", '"\\q"', '"\\ud800"', '"\\0"', "|", ">-", "- - -", "[" * 3000, "{a: " * 900,
    "---", "...", "%YAML 3.0", "\t", "\tkey: 1", "@", "`", "#", ": :", "- a: 1\n  b", "\ufeff",
    "2026-13-45", "9" * 5000, "!!int 0x", '!!int ""', "1:99:99", "!!map x", "!!pairs x",
    "\u2028", "\u0085", "<<: [1]", "<<: 3", "=: 1", "? ", "extends: mine", "name: other",
)  # fmt: skip


def _places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value below a tree."""
    if isinstance(tree, dict):
        branches = list(tree.items())
    elif isinstance(tree, list):
        branches = list(enumerate(tree))
    else:
        return []
    return [
        place
        for key, branch in branches
        for place in ((*path, key), *_places(branch, (*path, key)))
    ]


def _holder(tree: Any, place: tuple[Any, ...]) -> Any:
    for key in place[:-1]:
        tree = tree[key]
    return tree


def _value(tree: Any, place: tuple[Any, ...]) -> Any:
    return _holder(tree, place)[place[-1]]


def _delete(draw: st.DrawFn, tree: Any, place: tuple[Any, ...]) -> None:
    del _holder(tree, place)[place[-1]]


def _replace(draw: st.DrawFn, tree: Any, place: tuple[Any, ...]) -> None:
    _holder(tree, place)[place[-1]] = draw(ODD)


def _scale(draw: st.DrawFn, tree: Any, place: tuple[Any, ...]) -> None:
    value = _value(tree, place)
    if isinstance(value, int | float):
        factor = draw(st.sampled_from([0, -1, 2, 0.5, 1000, 1e-9, 10**30]))
        _holder(tree, place)[place[-1]] = value * factor


def _rename(draw: st.DrawFn, tree: Any, place: tuple[Any, ...]) -> None:
    holder = _holder(tree, place)
    if isinstance(holder, dict):
        value = holder.pop(place[-1])
        known = st.sampled_from([str(each[-1]) for each in _places(tree)] or [""])
        typo = st.just(f"{place[-1]}s")
        key = draw(st.one_of(known, typo, ODD.filter(lambda k: not isinstance(k, list | dict))))
        holder[key] = value


def _swap(draw: st.DrawFn, tree: Any, place: tuple[Any, ...]) -> None:
    other = draw(st.sampled_from(_places(tree)))
    if other[: len(place)] != place and place[: len(other)] != other:
        first, second = _value(tree, place), _value(tree, other)
        _holder(tree, place)[place[-1]], _holder(tree, other)[other[-1]] = second, first


def _transplant(draw: st.DrawFn, tree: Any, place: tuple[Any, ...]) -> None:
    """A part of another study in the same place, or in another."""
    donor = TREES[draw(st.sampled_from(sorted(TREES)))]
    places = _places(donor)
    from_ = place if place in places and draw(st.booleans()) else draw(st.sampled_from(places))
    _holder(tree, place)[place[-1]] = copy.deepcopy(_value(donor, from_))


def _wrap(draw: st.DrawFn, tree: Any, place: tuple[Any, ...]) -> None:
    value = _value(tree, place)
    wrapped = draw(st.sampled_from([[value], {"a": value}, [value, value], str(value)]))
    _holder(tree, place)[place[-1]] = copy.deepcopy(wrapped)


def _add(draw: st.DrawFn, tree: Any, place: tuple[Any, ...]) -> None:
    value = _value(tree, place)
    if isinstance(value, dict):
        known = sorted({each[-1] for tree_ in TREES.values() for each in _places(tree_)}, key=str)
        value[draw(st.sampled_from(known))] = draw(ODD)
    elif isinstance(value, list):
        value.append(draw(ODD))


def _extend(draw: st.DrawFn, tree: Any, place: tuple[Any, ...]) -> None:
    """Leaves out some parts at the top, and extends a study; perhaps itself, or none."""
    names = [*TREES, MINE, "nothing", "../smoke", "", None, 3, ["smoke"], "a\u0000", "\ud800"]
    tree["extends"] = draw(st.sampled_from(names))
    for key in [key for key in tree if key != "extends"]:
        if draw(st.booleans()):
            del tree[key]


CHANGES = (_delete, _replace, _replace, _scale, _rename, _swap, _transplant, _wrap, _add, _extend)


@st.composite
def changed_parts(draw: st.DrawFn) -> str:
    """A study of the project with one to three of its parts changed."""
    tree = copy.deepcopy(TREES[draw(st.sampled_from(sorted(TREES)))])
    for _ in range(draw(st.integers(1, 3))):
        places = _places(tree)
        if not places:
            break
        # as often near the top as far below it
        depth = draw(st.sampled_from(sorted({len(place) for place in places})))
        place = draw(st.sampled_from([each for each in places if len(each) == depth]))
        draw(st.sampled_from(CHANGES))(draw, tree, place)
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=draw(st.booleans()))


@st.composite
def changed_text(draw: st.DrawFn) -> str:
    """The text of a study of the project with one or two of its lines changed."""
    lines = TEXTS[draw(st.sampled_from(sorted(TEXTS)))].split("\n")
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(lines) - 1))
        line, token = lines[at], draw(st.sampled_from(TOKENS))
        key, colon, _ = line.partition(":")
        indent = line[: len(line) - len(line.lstrip())]
        lines[at] = draw(
            st.sampled_from(
                [
                    *[f"{key}{colon} {token}", f"{line}\n{indent}{token}"] * 4,
                    f"{line}\n{line}",
                    f"{indent}{token}: {line.strip()}",
                    f"{token}\n{line}",
                    f" {line}",
                    line.strip(),
                    "\t" + line,
                    line.replace(",", ""),
                    line.replace("{", "[").replace("}", "]"),
                    line.replace(": ", ":"),
                    line + "\r",
                    "",
                ]
            )
        )
    return "\n".join(lines)


def encoded(text: str) -> st.SearchStrategy[bytes]:
    """A text as the bytes of a file, mostly in UTF-8."""
    usual = text.encode("utf-8", errors="surrogatepass")
    others = [b"\xef\xbb\xbf" + usual, usual.replace(b"\n", b"\r\n"), usual[: len(usual) // 2]]
    others += [text.encode(name, errors="replace") for name in ("utf-16", "latin-1")]
    return st.one_of(*[st.just(usual)] * 15, st.sampled_from(others))


MUTATIONS = st.one_of(changed_parts(), changed_parts(), changed_text()).flatmap(encoded)


def past_the_first_check(raw: bytes) -> bool:
    """Whether a mutation is a YAML mapping with the keys of a study at the top."""
    try:
        tree = yaml.safe_load(raw.decode("utf-8"))
        keys = set(tree) if isinstance(tree, dict) else set()
    except Exception:  # whatever YAML's own reader makes of it
        return False
    extended = tree.get("extends") if keys else None
    inherited = TREES.get(extended, {}) if isinstance(extended, str) else {}
    return keys <= KEYS and keys | set(inherited) >= REQUIRED


def outcome(raw: bytes, folder: Path) -> str:
    """Loads a mutation in a folder with the project's studies.

    Returns:
        "accepted" or "refused".

    Raises:
        Exception: a fault: neither a study that can be used, nor a message of one line or a few.
    """
    file = folder / f"{MINE}.yaml"
    file.write_bytes(raw)
    try:
        study = load_study(file)
    except StudyError as error:
        message = str(error)
        if len(message) > 1500 or not message.startswith(str(folder)):
            raise AssertionError(f"a message that does not help: {message[:300]}") from error
        return "refused"
    for run in study.all_runs():
        freshness.training_settings(run)
    for system in study.systems():
        freshness.answering_settings(system)
    for sample in study.samples():
        json.dumps(freshness.sample_settings(sample), allow_nan=False)
    kept = folder / "study.json"
    write_json(kept, study.model_dump(mode="json"))
    if load_kept(kept) != study:
        raise AssertionError("what is kept of the study is another study")
    return "accepted"


def place_studies(folder: Path) -> None:
    for name, text in TEXTS.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def campaign(mutations: int, say: Callable[[str], None] = print) -> int:
    """Tries so many mutations, says how many had which outcome, and returns the faults."""
    counted: Counter[str] = Counter()
    faults: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        place_studies(folder)

        @settings(
            max_examples=mutations,
            phases=[Phase.generate],
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(MUTATIONS)
        def each(raw: bytes) -> None:
            counted["mutations"] += 1
            counted["past the first check"] += past_the_first_check(raw)
            try:
                counted[outcome(raw, folder)] += 1
            except Exception as error:
                counted["faults"] += 1
                at = traceback.extract_tb(error.__traceback__)[-1]
                faults.setdefault(f"{type(error).__name__}: {error!s:.300} ({at.name})", raw)

        each()
    for what in ("mutations", "past the first check", "accepted", "refused", "faults"):
        say(f"{counted[what]:>7,} {what}")
    for problem, raw in list(faults.items())[:20]:
        say(f"\n{problem}\n{raw[-1500:].decode('utf-8', errors='replace')}")
    return counted["faults"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mutations", type=int, nargs="?", default=1000)
    sys.exit(campaign(parser.parse_args().mutations) > 0)
