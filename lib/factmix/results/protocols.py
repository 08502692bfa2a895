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
from factmix.results.statements import Quantities, tested
from factmix.stats.metrics import Floats
from factmix.stats.seeds import Part
from factmix.study.labels import Label
from factmix.study.paths import Paths
from factmix.study.protocol import PROTOCOLS, Protocol, ProtocolName
from factmix.study.run import BASE, Run, name_in_variant
from factmix.study.spec import Study

AS_DESCRIBED = "described"
# The cells of the table: whether the evidence of training, and all else, is as released.
CELLS = {
    (False, False): AS_DESCRIBED,
    (True, False): "evidence",
    (False, True): "settings",
    (True, True): "released",
}
MEASURES = ("na_share", "accuracy")

KEYS: dict[str, str] = {  # of results.json
    "protocols.<reward>.change.<mixture>.<cell>.<dataset>.<measure>.<test>": "on the study's own "
    "evaluation set, of arms of one mixture: with a part of the protocol as released, minus as "
    "described; only where a study has such arms and several seeds",
    "protocols.<reward>.contrast.<pair>.described.<dataset>.<measure>.<test>": "of two mixtures, "
    "both as described",
    "protocols.<reward>.contrast.<pair>.<cell>.<dataset>.<measure>.<test>": "what the same "
    "difference is with a part of the protocol as released, minus what it is as described",
    "protocols.<reward>.contamination.<mixture>.<cell>.<dataset>.<measure>.<test>": "change of "
    "accuracy over the base model on the arm's own evaluation set, part of which it was trained on, "
    "minus that on the study's",
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
        changes: Quantities = {}
        contrasts: Quantities = {}
        contamination: Quantities = {}
        for dataset in study.datasets:
            on = _on(table, clean, dataset)
            for (mixture, cell, measure), part in on.items():
                if cell != AS_DESCRIBED:
                    name = f"{mixture}.{cell}.{dataset}"
                    changes[name, measure] = [_minus(part, on[mixture, AS_DESCRIBED, measure])]
            for first, second in combinations(table, 2):
                pair = f"{second}_over_{first}"
                for cell in (each for each in table[first] if each in table[second]):
                    for measure in MEASURES:
                        part = _minus(on[second, cell, measure], on[first, cell, measure])
                        if cell != AS_DESCRIBED:
                            usual = contrasts[f"{pair}.{AS_DESCRIBED}.{dataset}", measure]
                            part = _minus(part, usual[0])
                        contrasts[f"{pair}.{cell}.{dataset}", measure] = [part]
            for mixture, cells in table.items():
                for cell, run in cells.items():
                    if run.clean_sample:
                        parts = _own_minus_clean(run, by_seed, clean, dataset)
                        contamination[f"{mixture}.{cell}.{dataset}", "accuracy"] = parts
        found[result_key(reward)] = {
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
            for measure in MEASURES:
                values_SN = np.stack([_values(each, measure) for each in given])
                found[mixture, cell, measure] = _part(given[0], values_SN)
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


def _values(given: Answers, measure: str) -> Floats:
    """(N,) of one system's answers: whether they are NA, or right."""
    said = np.asarray(given.predicted, dtype=str)
    return (said == (np.asarray(given.gold) if measure == "accuracy" else Label.NA)).astype(float)


def _part(given: Answers, values_SN: Floats) -> Part:
    """Of all examples alike, whatever their label, as shares of answers are."""
    return Part(["any"] * len(given.gold), given.groups, values_SN)


def _minus(one: Part, other: Part) -> Part:
    return replace(one, contributions=one.contributions - other.contributions)


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
