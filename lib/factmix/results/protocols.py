"""Described or released: what each departure of the released code does to what an arm answers.

Arms that differ in their mixture and in the protocol alone form a table. Two parts of the protocol
are told apart: the evidence that training shows, and all its other settings. So a mixture has up to
four cells. All cells answer the study's own evaluation set, which shares no group and no claim with
what any of them was trained on; those that split otherwise answer their own, too, part of which
they were trained on.

What the mixture does as described is `contrast.<pair>.described`. What a departure adds to it, the
interaction of mixture and protocol, is `contrast.<pair>.<cell>`.

Axis suffixes: S seed, N example.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from factmix.results.answers import Answers, read_clean
from factmix.results.results_json import result_key
from factmix.results.statements import POWER, Quantities, tested
from factmix.stats.metrics import Floats
from factmix.stats.seeds import Part
from factmix.study.labels import Label
from factmix.study.paths import Paths
from factmix.study.protocol import PROTOCOLS, Protocol, ProtocolName
from factmix.study.run import BASE, Run, name_in_variant
from factmix.study.spec import Study

AS_DESCRIBED, BOTH = "described", "released"
# The cells of the table: whether the evidence of training, and all else, is as released.
CELLS = {
    (False, False): AS_DESCRIBED,
    (True, False): "evidence",
    (False, True): "settings",
    (True, True): BOTH,
}
OUTCOMES = ("na_share", "accuracy")

_TESTS = {
    "crossed": "; mean over seeds, with the interval and the test for other seeds and other "
    "examples; p is corrected over one outcome of a section",
    "grouped": "; the same for other groups of examples",
    "detectable": f"; the smallest one that would be established with a probability of {POWER}",
    "by_seed.seed_<number>": "; of one seed",
}
_SECTIONS = {
    "level.<mixture>.<cell>": "of an arm, on the study's own evaluation set",
    "level.<mixture>.described": "the same as described",
    "change.<mixture>.<cell>": "of arms of one mixture, on the study's own evaluation set: with a "
    "part of the protocol as released, minus as described",
    "contrast.<pair>.described": "of two mixtures as described, on the study's own evaluation set",
    "contrast.<pair>.<cell>": "what this is with a part of the protocol as released, minus as "
    "described",
    "contamination.<mixture>.<cell>": "change over the base model on the arm's own evaluation set, "
    "of which it was trained on a part, minus that on the study's",
}
KEYS: dict[str, str] = {  # of results.json, for a study that has such arms and several seeds
    f"protocols.<reward>.{section}.<dataset>.<outcome>.{test}": meaning + of_test
    for section, meaning in _SECTIONS.items()
    for test, of_test in _TESTS.items()
    if (section.partition(".")[0], test) != ("level", "detectable")
}

Table = Mapping[str, Mapping[str, Run]]  # mixture -> cell -> the run of the first seed


def protocols(
    study: Study, paths: Paths, by_seed: Sequence[Mapping[str, Mapping[str, Answers]]]
) -> dict[str, Any]:
    """The section `protocols` of results.json; empty for a study without such arms.

    Args:
        study: with several seeds.
        paths: its run.
        by_seed: for each seed what `read_answers` returns.
    """
    found: dict[str, Any] = {}
    for reward, table in tables(study).items():
        clean = [read_clean(study, paths, seed) for seed in study.seeds]
        levels: Quantities = {}
        changes: Quantities = {}
        contrasts: Quantities = {}
        contamination: Quantities = {}
        for dataset in study.datasets:
            on = _on(table, clean, dataset)
            for (mixture, cell, outcome), part in on.items():
                levels[f"{mixture}.{cell}.{dataset}", outcome] = [part]
                if cell != AS_DESCRIBED:
                    name = f"{mixture}.{cell}.{dataset}"
                    changes[name, outcome] = [_minus(part, on[mixture, AS_DESCRIBED, outcome])]
            for first, second in combinations(table, 2):
                pair = f"{second}_over_{first}"
                for cell in (each for each in table[first] if each in table[second]):
                    for outcome in OUTCOMES:
                        part = _minus(on[second, cell, outcome], on[first, cell, outcome])
                        if cell != AS_DESCRIBED:
                            usual = contrasts[f"{pair}.{AS_DESCRIBED}.{dataset}", outcome]
                            part = _minus(part, usual[0])
                        contrasts[f"{pair}.{cell}.{dataset}", outcome] = [part]
            for mixture, cells in table.items():
                for cell, run in cells.items():
                    if run.clean_sample:
                        parts = _own_minus_clean(run, by_seed, clean, dataset)
                        contamination[f"{mixture}.{cell}.{dataset}", "accuracy"] = parts
        found[result_key(reward)] = {
            "level": _nested(_untested(tested(study, levels))),
            "change": _nested(tested(study, changes)),
            "contrast": _nested(tested(study, contrasts)),
            "contamination": _nested(tested(study, contamination)),
        }
    return found


def tables(study: Study) -> dict[str, Table]:
    """Reward -> its table, of mixtures that have an arm as described and at least one other.

    Arms that are baselines, or differ in more than mixture and protocol, are in none.
    """
    free = {"mixture", "reward", "baseline", "protocol", *Protocol.model_fields}
    found: dict[str, dict[str, dict[str, Run]]] = {}
    for run in study.runs():
        settings = study.arms[run.arm]
        others = {key for key, value in settings.model_dump().items() if value} - free
        cell = _cell(run.protocol)
        if cell and not others and run.arm != run.baseline:
            table = found.setdefault(settings.reward, {})
            table.setdefault(run.mixture, {})[cell] = run
    kept = {
        reward: {
            mixture: cells
            for mixture, cells in table.items()
            if AS_DESCRIBED in cells and len(cells) > 1
        }
        for reward, table in found.items()
    }
    return {reward: table for reward, table in kept.items() if table}


def _cell(protocol: Protocol) -> str | None:
    """The cell of a protocol; None if its other settings are neither all the one nor the other."""
    evidence = protocol.evidence_train == PROTOCOLS["as_released"].evidence_train
    presets: tuple[ProtocolName, ...] = ("as_described", "as_released")
    for released, name in enumerate(presets):
        preset = PROTOCOLS[name].model_copy(update={"evidence_train": protocol.evidence_train})
        if protocol == preset:
            return CELLS[evidence, bool(released)]
    return None


def _on(
    table: Table, clean: Sequence[Mapping[str, Mapping[str, Answers]]], dataset: str
) -> dict[tuple[str, str, str], Part]:
    """The answers of each arm to one dataset of the study's evaluation set, by mixture and cell."""
    found = {}
    for mixture, cells in table.items():
        for cell, run in cells.items():
            given = [of_seed[run.arm][dataset] for of_seed in clean]
            for outcome in OUTCOMES:
                values_SN = np.stack([_values(each, outcome) for each in given])
                found[mixture, cell, outcome] = _part(given[0], values_SN)
    return found


def _own_minus_clean(
    run: Run,
    by_seed: Sequence[Mapping[str, Mapping[str, Answers]]],
    clean: Sequence[Mapping[str, Mapping[str, Answers]]],
    dataset: str,
) -> list[Part]:
    """The change of accuracy over the base model on the arm's own evaluation set, and minus that
    on the study's."""
    parts = []
    for sign, base, answers in (
        (1, name_in_variant(BASE, run.evaluation_sample.variant), by_seed),
        (-1, BASE, clean),
    ):
        untrained = by_seed[0][base][dataset]
        before_N = _values(untrained, "accuracy")
        after_SN = np.stack([_values(each[run.arm][dataset], "accuracy") for each in answers])
        parts.append(_part(untrained, sign * (after_SN - before_N)))
    return parts


def _values(given: Answers, outcome: str) -> Floats:
    """(N,) of one system's answers: whether they are NA, or right."""
    wanted = given.gold if outcome == "accuracy" else [str(Label.NA)] * len(given.gold)
    return np.array(
        [one == other for one, other in zip(given.predicted, wanted, strict=True)], float
    )


def _part(given: Answers, values_SN: Floats) -> Part:
    """Of all examples alike, whatever their label, as shares of answers are."""
    return Part(["any"] * len(given.gold), given.groups, values_SN)


def _minus(one: Part, other: Part) -> Part:
    return replace(one, contributions=one.contributions - other.contributions)


def _untested(found: dict[str, Any]) -> dict[str, Any]:
    """Shares, which nobody asks whether they are 0."""
    for outcomes in found.values():
        for tests in outcomes.values():
            tests.pop("detectable")
            for number in (tests["crossed"], tests["grouped"], *tests["by_seed"].values()):
                number["unit"] = "fraction"
                for name in ("p", "p_holm"):
                    number.pop(name, None)
    return found


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Entries with names such as a.b.c as nested ones."""
    made: dict[str, Any] = {}
    for name, entry in flat.items():
        *places, last = map(result_key, name.split("."))
        inner = made
        for place in places:
            inner = inner.setdefault(place, {})
        inner[last] = entry
    return made
