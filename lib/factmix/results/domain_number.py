"""One, two or three training domains: their number apart from how hard they are.

Of mixtures of one size that have as much of each of their datasets, all single ones, all pairs and
the one of all datasets are compared. Over the single ones, and over the pairs, every dataset has
the same share of the prompts.

What is tested was written down in book/plan.md.

Axis suffixes: S seed, N example.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from factmix.results.answers import Answers
from factmix.results.results_json import established, leaf, result_key
from factmix.results.statements import (
    POWER,
    Claims,
    Quantities,
    claims_of,
    families,
    halves,
    least_improved,
    tested,
)
from factmix.stats.bootstrap import Estimate
from factmix.stats.metrics import Floats
from factmix.study.labels import LABELS
from factmix.study.spec import Study

# The families of tests, and what the verdict on each of their questions rests on.
MEASURE = {
    "generalisation": "learning",
    "left_out": "learning",
    "shared": "learning",
    "worst": "change",
}
SECOND, THIRD, EASY_PAIR, EASY_ALONE = "second", "third", "easy_in_pair", "easy_alone"
ROUNDING = 2  # examples by which equal parts of a mixture, or equal mixtures, may differ
SPLITS = 100  # other halves, which show what the draw of the halves does

_WHERE = "domain_number.<reward>.<family>.<question>.<measure>"
KEYS: dict[str, str] = {  # of results.json, for a study that has all these mixtures
    f"{_WHERE}.crossed": "mean over seeds, with the interval and the test for other seeds and "
    "other examples; p is corrected over the questions of a family in one measure",
    f"{_WHERE}.grouped": "the same for other groups of examples",
    f"{_WHERE}.detectable": "the smallest effect that would be established with a probability of "
    f"{POWER}",
    f"{_WHERE.replace('<family>', 'worst')}.other_halves": f"median of {SPLITS} other draws of the "
    "halves, and the range of nine in ten; not tested",
    f"{_WHERE.replace('<family>', 'worst')}.least": "the datasets that were compared: of the first "
    "side and of the second, chosen on the one half and on the other",
}


@dataclass(frozen=True)
class Sets:
    """The mixtures that are compared, by the datasets that they have as much of.

    Attributes:
        single: dataset -> its mixture.
        pairs: two datasets, in the study's order -> their mixture.
        whole: the mixture of all.
    """

    single: Mapping[str, str]
    pairs: Mapping[tuple[str, ...], str]
    whole: str


def domain_number(
    study: Study, by_seed: Sequence[Mapping[str, Mapping[str, Answers]]]
) -> dict[str, dict[str, Any]]:
    """The section `domain_number` of results.json; empty for a study without such mixtures.

    Args:
        study: with several seeds.
        by_seed: for each seed what `read_answers` returns.
    """
    found = {}
    for reward, runs in families(study).items():
        sets = sets_of(study, list(runs))
        if sets is not None:
            claims = {name: claims_of(runs, by_seed, name) for name in study.datasets}
            asked = {
                "generalisation": _generalisation(study, sets, claims),
                "left_out": _left_out(sets, claims),
                "shared": _shared(sets, claims),
            }
            found[result_key(reward)] = answered(study, claims, asked, _sides(study, sets))
    return found


def sets_of(study: Study, mixtures: Sequence[str]) -> Sets | None:
    """The mixtures that are compared; None unless there are all of them, of three datasets.

    They have as many examples of each label, and each has as many of each of its datasets.
    """
    of: dict[tuple[str, ...], str] = {}
    for mixture in mixtures:
        sizes = {name: sum(counts.values()) for name, counts in study.mixtures[mixture].items()}
        if max(sizes.values()) - min(sizes.values()) <= ROUNDING:
            of.setdefault(tuple(name for name in study.datasets if name in sizes), mixture)
    trained = tuple(name for name, each in study.datasets.items() if not each.held_out)
    wanted = [*((name,) for name in trained), *combinations(trained, 2), trained]
    if len(trained) != 3 or not set(wanted) <= set(of):
        return None
    if not of_one_size(study, [of[names] for names in wanted]):
        return None
    return Sets(
        {name: of[name,] for name in trained},
        {pair: of[pair] for pair in combinations(trained, 2)},
        of[trained],
    )


def of_one_size(study: Study, mixtures: Sequence[str]) -> bool:
    """Whether mixtures have as many examples of each label."""
    for label in LABELS:
        counts = [
            sum(each.get(label, 0) for each in study.mixtures[mixture].values())
            for mixture in mixtures
        ]
        if max(counts) - min(counts) > ROUNDING:
            return False
    return True


def verdict(found: Mapping[str, Any], measure: str, alpha: float, test: str = "crossed") -> str:
    """What the plan calls the answer to a question.

    Args:
        found: its part of results.json.
        measure: that the answer rests on, "learning" or "change".
        alpha: of a test, corrected.
        test: "crossed", or "grouped" for the test with groups of examples.

    Returns:
        "yes", "no" (the opposite is established) or "undecided".
    """
    number = found[measure][test]
    if not established(number, alpha):
        return "undecided"
    return "yes" if number["value"] > 0 else "no"


def _with_easy(study: Study, sets: Sets) -> tuple[list[str], list[str]]:
    """The pairs with an easy dataset, and those without."""
    sides: tuple[list[str], list[str]] = [], []
    for pair, mixture in sets.pairs.items():
        sides[all(study.datasets[name].hard for name in pair)].append(mixture)
    return sides


def _generalisation(study: Study, sets: Sets, claims: Mapping[str, Claims]) -> Quantities:
    """On held-out datasets."""
    away = [name for name, dataset in study.datasets.items() if dataset.held_out]
    single, two = list(sets.single.values()), list(sets.pairs.values())
    easy = [mixture for name, mixture in sets.single.items() if not study.datasets[name].hard]
    hard = [mixture for mixture in single if mixture not in easy]
    with_easy, without = _with_easy(study, sets)
    asked = {
        SECOND: (two, single),
        THIRD: ([sets.whole], two),
        EASY_PAIR: (with_easy, without),
        EASY_ALONE: (easy, hard),
    }
    return {
        (question, measure): [
            claims[name].part(_minus(claims[name], measure, *sides) / len(away)) for name in away
        ]
        for question, sides in asked.items()
        for measure in ("learning", "change")
        if away and all(sides)
    }


def _left_out(sets: Sets, claims: Mapping[str, Claims]) -> Quantities:
    """On a dataset: mixtures of two others, minus those of one other."""
    return _on_each(
        claims,
        {
            dataset: (
                [mixture for pair, mixture in sets.pairs.items() if dataset not in pair],
                [mixture for name, mixture in sets.single.items() if name != dataset],
            )
            for dataset in sets.single
        },
    )


def _shared(sets: Sets, claims: Mapping[str, Claims]) -> Quantities:
    """On a dataset: it alone, minus pairs with it."""
    return _on_each(
        claims,
        {
            dataset: (
                [alone],
                [mixture for pair, mixture in sets.pairs.items() if dataset in pair],
            )
            for dataset, alone in sets.single.items()
        },
    )


def _on_each(
    claims: Mapping[str, Claims], sides: Mapping[str, tuple[list[str], list[str]]]
) -> Quantities:
    return {
        (result_key(name), measure): [claims[name].part(_minus(claims[name], measure, *of))]
        for name, of in sides.items()
        for measure in ("learning", "change")
    }


Sides = Mapping[str, tuple[list[str], list[str]]]  # question -> some mixtures, and others


def answered(
    study: Study, claims: Mapping[str, Claims], asked: Mapping[str, Quantities], sides: Sides
) -> dict[str, Any]:
    """Families of questions with their tests, and the family `worst`.

    Args:
        study: that asks them.
        claims: of each dataset.
        asked: family -> its quantities; those without are left out.
        sides: the mixtures whose best ones are compared where each improves least.
    """
    section = {name: tested(study, each) for name, each in asked.items() if each}
    if least := _worst(study, sides, claims):
        section["worst"] = tested(study, least)
    for (question, measure), more in _of_halves(study, sides, claims).items():
        section["worst"][question][measure] |= more
    return section


def _worst(study: Study, sides: Sides, claims: Mapping[str, Claims]) -> Quantities:
    """Where each improves least: the best of some mixtures, minus the best of others."""
    half = halves(claims, study.statistics.seed)
    if half is None:
        return {}
    return {
        (question, measure): least_improved(claims, half, measure, *of).parts
        for question, of in sides.items()
        for measure in ("change", "learning")
    }


def _of_halves(
    study: Study, sides: Sides, claims: Mapping[str, Claims]
) -> dict[tuple[str, str], dict[str, Any]]:
    """What was compared by `_worst`, and what other draws of the halves would give."""
    half = halves(claims, study.statistics.seed)
    if half is None:
        return {}
    first = study.statistics.seed + 1
    drawn = [halves(claims, seed) for seed in range(first, first + SPLITS)]
    made = {}
    for question, of in sides.items():
        for measure in ("change", "learning"):
            values = [
                sum(part.mean() for part in least_improved(claims, each, measure, *of).parts)
                for each in drawn
                if each is not None
            ]
            ends = np.quantile(values, [0.05, 0.95]).tolist()
            median = Estimate(float(np.median(values)), (ends[0], ends[1]))
            chosen = least_improved(claims, half, measure, *of).chosen
            made[question, measure] = {
                "other_halves": leaf(median, "points", len(values), "several arms"),
                "least": [result_key(name) for pair in chosen for name in pair],
            }
    return made


def _sides(study: Study, sets: Sets) -> Sides:
    """The mixtures whose best ones are compared by `_worst`."""
    single, two = list(sets.single.values()), list(sets.pairs.values())
    asked = {
        SECOND: (two, single),
        THIRD: ([sets.whole], two),
        EASY_PAIR: _with_easy(study, sets),
    }
    return {question: sides for question, sides in asked.items() if all(sides)}


def _minus(claims: Claims, measure: str, ones: Sequence[str], others: Sequence[str]) -> Floats:
    """(S, N): the mean over some mixtures, minus that over others."""
    one, other = (
        np.mean([claims.differences[measure, each] for each in side], axis=0)
        for side in (ones, others)
    )
    return np.asarray(one - other)
