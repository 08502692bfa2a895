"""Described or released: what departures of the released code do to the difference of two mixtures.

Arms that differ in their mixture and in their protocol alone form a table. Two parts of the
protocol are told apart: the evidence that training shows, and all its other settings. So a mixture
has up to four cells. All arms answer the study's evaluation set, which is *clean*: it shares no
group and no claim with what any of them was trained on. Those that split otherwise answer their
*own* set, too, part of which they were trained on.

What is tested was written down in book/plan.md.

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
from factmix.study.protocol import PROTOCOLS, ProtocolName
from factmix.study.run import BASE, Run, name_in_variant
from factmix.study.settings import WeightedReward
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
}
_SECTIONS = {
    "level.<mixture>.<cell>": "of an arm, on the clean evaluation set",
    "effect.<mixture>.<cell>": "of an arm with a part of the protocol as released, minus that of "
    "the arm as described, on the clean evaluation set; not tested",
    "contrast.<pair>.described": "of two mixtures as described, on the clean evaluation set",
    "contrast.<pair>.<cell>": "what this is with a part of the protocol as released, minus as "
    "described",
    "own.<pair>.<cell>": "of two mixtures, on an evaluation set of their own; not tested",
    "contamination.<mixture>.<cell>": "change over the base model on the arm's own evaluation set, "
    "of which it was trained on a part, minus that on the clean one",
}
_UNTESTED = ("level", "effect", "own")
KEYS: dict[str, str] = {  # of results.json, for a study that has such arms and several seeds
    f"protocols.<reward>.{section}.<dataset>.<outcome>.{test}": meaning + of_test
    for section, meaning in _SECTIONS.items()
    for test, of_test in _TESTS.items()
    if not (section.startswith(_UNTESTED) and test == "detectable")
} | {
    f"protocols.<reward>.level.<mixture>.described.<dataset>.<outcome>.{test}": "the same as "
    "described"
    for test in _TESTS
    if test != "detectable"
}

Table = Mapping[str, Mapping[str, Run]]  # mixture -> cell -> the run of the first seed
Systems = Mapping[str, Mapping[str, Answers]]  # arm -> dataset -> answers


def protocols(study: Study, paths: Paths, by_seed: Sequence[Systems]) -> dict[str, Any]:
    """The section `protocols` of results.json; empty for a study without such arms.

    Args:
        study: with several seeds.
        paths: its run.
        by_seed: for each seed what `read_answers` returns.
    """
    found = tables(study)
    clean = [read_clean(study, paths, seed) for seed in study.seeds] if found else []
    return {
        result_key(reward): {
            "level": _nested(_untested(tested(study, _levels(study, table, clean)), "fraction")),
            "effect": _nested(_untested(tested(study, _effects(study, table, clean)), "points")),
            "contrast": _nested(tested(study, _contrasts(study, table, clean))),
            "own": _nested(_untested(tested(study, _own(study, table, by_seed)), "points")),
            "contamination": _nested(tested(study, _contamination(study, table, by_seed, clean))),
        }
        for reward, table in found.items()
    }


def tables(study: Study) -> dict[str, Table]:
    """Reward -> its table, of mixtures that have an arm as described and at least one other.

    Arms are in none that are baselines, differ in more than mixture and protocol, or did not answer
    the clean evaluation set.
    """
    free = {"mixture", "reward", "baseline", "protocol", *PROTOCOLS["as_described"].model_dump()}
    usual = study.base_runs()[0].evaluation_sample
    found: dict[str, dict[str, dict[str, Run]]] = {}
    for run in study.runs():
        settings = study.arms[run.arm]
        others = {key for key, value in settings.model_dump().items() if value} - free
        asked = [each.evaluation_sample for each in run.answers().values()]
        cell = _cell(run)
        if cell and not others and run.arm != run.baseline and usual in asked:
            table = found.setdefault(settings.reward, {})
            table.setdefault(run.mixture, {}).setdefault(cell, run)
    kept = {
        reward: {
            mixture: table[mixture]
            for mixture in study.mixtures  # whose order decides what is subtracted from what
            if len(table.get(mixture, {})) > 1 and AS_DESCRIBED in table[mixture]
        }
        for reward, table in found.items()
    }
    return {reward: table for reward, table in kept.items() if table}


def _cell(run: Run) -> str | None:
    """The cell of an arm; None if its other settings are neither all the one nor the other."""
    protocol = run.protocol
    if isinstance(run.reward, WeightedReward):  # what the reward says is what was trained
        paid = {"weight_by": run.reward.weight_by, "invalid_as": run.reward.invalid_as}
        protocol = protocol.model_copy(update=paid)
    evidence = protocol.evidence_train == PROTOCOLS["as_released"].evidence_train
    presets: tuple[ProtocolName, ...] = ("as_described", "as_released")
    for released, name in enumerate(presets):
        preset = PROTOCOLS[name].model_copy(update={"evidence_train": protocol.evidence_train})
        if protocol == preset:
            return CELLS[evidence, bool(released)]
    return None


def _levels(study: Study, table: Table, clean: Sequence[Systems]) -> Quantities:
    return {
        (f"{mixture}.{cell}.{dataset}", outcome): [_part(clean, run.arm, dataset, outcome)]
        for mixture, cells in table.items()
        for cell, run in cells.items()
        for dataset in study.datasets
        for outcome in OUTCOMES
    }


def _effects(study: Study, table: Table, clean: Sequence[Systems]) -> Quantities:
    """What each other cell of a mixture has, minus what it has as described."""
    return {
        (f"{mixture}.{cell}.{dataset}", outcome): [
            _difference(clean, (cells[AS_DESCRIBED], run), dataset, outcome)
        ]
        for mixture, cells in table.items()
        for cell, run in cells.items()
        if cell != AS_DESCRIBED
        for dataset in study.datasets
        for outcome in OUTCOMES
    }


def _contrasts(study: Study, table: Table, clean: Sequence[Systems]) -> Quantities:
    """Of each pair of mixtures: their difference as described, and what each other cell adds."""
    made: Quantities = {}
    for pair, cells in _pairs(table).items():
        for outcome, dataset in _asked(study):
            described = _difference(clean, cells[AS_DESCRIBED], dataset, outcome)
            for cell, arms in cells.items():
                part = _difference(clean, arms, dataset, outcome)
                part = part if cell == AS_DESCRIBED else _minus(part, described)
                made[f"{pair}.{cell}.{dataset}", outcome] = [part]
    return made


def _own(study: Study, table: Table, by_seed: Sequence[Systems]) -> Quantities:
    """The difference of each pair of mixtures on an evaluation set of their own."""
    made: Quantities = {}
    for pair, cells in _pairs(table).items():
        for cell, (first, second) in cells.items():
            if first.clean_sample and second.clean_sample:
                for outcome, dataset in _asked(study):
                    part = _difference(by_seed, (first, second), dataset, outcome)
                    made[f"{pair}.{cell}.{dataset}", outcome] = [part]
    return made


def _contamination(
    study: Study, table: Table, by_seed: Sequence[Systems], clean: Sequence[Systems]
) -> Quantities:
    """The change of accuracy over the base model: on own claims, minus on clean ones.

    Of datasets of which little is drawn from, and of those that nothing is trained on.
    """
    made: Quantities = {}
    for mixture, cells in table.items():
        for cell, run in cells.items():
            own = name_in_variant(BASE, run.evaluation_sample.variant)
            for dataset in study.datasets if run.clean_sample else ():
                if dataset in run.evaluation_sample.pool or study.datasets[dataset].held_out:
                    before = by_seed[0][own][dataset], by_seed[0][BASE][dataset]
                    parts = [
                        _less(_part(systems, run.arm, dataset, "accuracy"), untrained)
                        for systems, untrained in zip((by_seed, clean), before, strict=True)
                    ]
                    opposite = replace(parts[1], contributions=-parts[1].contributions)
                    made[f"{mixture}.{cell}.{dataset}", "accuracy"] = [parts[0], opposite]
    return made


def _pairs(table: Table) -> dict[str, dict[str, tuple[Run, Run]]]:
    """The name of a pair of mixtures -> the cells that both have -> their runs."""
    return {
        f"{second}_over_{first}": {
            cell: (run, table[second][cell])
            for cell, run in table[first].items()
            if cell in table[second]
        }
        for first, second in combinations(table, 2)
    }


def _asked(study: Study) -> list[tuple[str, str]]:
    """Outcomes and datasets of contrasts: answers of NA where some arm trains, accuracy on easy."""
    trained = [name for name, dataset in study.datasets.items() if not dataset.held_out]
    easy = [name for name in trained if not study.datasets[name].hard]
    return [("na_share", name) for name in trained] + [("accuracy", name) for name in easy]


def _difference(
    systems: Sequence[Systems], runs: tuple[Run, Run], dataset: str, outcome: str
) -> Part:
    first, second = (_part(systems, run.arm, dataset, outcome) for run in runs)
    return _minus(second, first)


def _part(systems: Sequence[Systems], arm: str, dataset: str, outcome: str) -> Part:
    """The share of all examples with an outcome, for each seed."""
    given = [of_seed[arm][dataset] for of_seed in systems]
    values_SN = np.stack([_values(each, outcome) for each in given])
    return Part(given[0].gold, given[0].groups, values_SN, by_example=True)


def _values(given: Answers, outcome: str) -> Floats:
    """(N,) of one system's answers: whether they are NA, or right."""
    wanted = given.gold if outcome == "accuracy" else [str(Label.NA)] * len(given.gold)
    return np.array(
        [one == other for one, other in zip(given.predicted, wanted, strict=True)], float
    )


def _minus(one: Part, other: Part) -> Part:
    return replace(one, contributions=one.contributions - other.contributions)


def _less(part: Part, untrained: Answers) -> Part:
    return replace(part, contributions=part.contributions - _values(untrained, "accuracy"))


def _untested(found: dict[str, Any], unit: str) -> dict[str, Any]:
    """Numbers of which nobody asks whether they are 0."""
    for outcomes in found.values():
        for tests in outcomes.values():
            tests.pop("detectable")
            for number in tests.values():
                number["unit"] = unit
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
