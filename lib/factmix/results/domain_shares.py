"""What the shares of three training domains do: all mixtures of one size in quarters.

Learning is compared along the shares, and mixtures of several domains with the single ones.

What is tested was written down in book/plan.md.

Axis suffixes: S seed, N example, M mixture, D training dataset.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from factmix.organism.domains import KINDS
from factmix.organism.pretraining_text import HABITS
from factmix.results.answers import Answers
from factmix.results.domain_number import ROUNDING, of_halves, of_one_size, worst
from factmix.results.results_json import leaf, result_key
from factmix.results.statements import (
    POWER,
    Claims,
    Quantities,
    claims_of,
    families,
    tested,
)
from factmix.stats.metrics import Floats
from factmix.stats.seeds import FEWEST, Part, crossed_contrast
from factmix.study.spec import Study

# The families of tests, and what the verdict on each of their questions rests on.
MEASURE = {
    "carry_over": "learning",
    "own": "learning",
    "blending": "learning",
    "worst": "change",
    "follows_kinds": "learning",
    "kinds": "learning",
}
SEVERAL, TOGETHER = "several", "together"
QUARTERS = 4

_WHERE = "domain_shares.<reward>.<family>.<question>.<measure>"
KEYS: dict[str, str] = {  # of results.json, for a study that has all these mixtures
    f"{_WHERE}.crossed": "mean over seeds, with the interval and the test for other seeds and "
    "other examples; p is corrected over the questions of a family in one measure",
    f"{_WHERE}.grouped": "the same for other groups of examples",
    f"{_WHERE}.detectable": "the smallest effect that would be established with a probability of "
    f"{POWER}",
    f"{_WHERE.replace('<family>', 'worst')}.other_halves": "median of other draws of the halves, "
    "and the range of nine in ten; not tested",
    f"{_WHERE.replace('<family>', 'worst')}.least": "the datasets that were compared: of the first "
    "side and of the second, chosen on the one half and on the other",
    "domain_shares.<reward>.alone.<dataset>.<kind>.<measure>": "on claims of a kind on which the "
    "base model has a habit in this dataset and in no other: mean of the heights of the other "
    "datasets, with the interval; not tested",
    "domain_shares.<reward>.heights.<dataset>.<source>.<measure>": "of the straight line in the "
    "shares through mixtures of unequal parts, where a mixture is this training dataset alone; "
    "mean over seeds, with the interval for other seeds and other examples; not tested",
}


@dataclass(frozen=True)
class Sweep:
    """Mixtures of one size, by their shares.

    Attributes:
        datasets: that are trained on, in the study's order.
        shares: mixture -> its share of each dataset.
        single: of one dataset, in their order.
        unequal: of several, with unequal parts.
        several: all of several.
    """

    datasets: tuple[str, ...]
    shares: Mapping[str, tuple[float, ...]]
    single: list[str]
    unequal: list[str]
    several: list[str]

    def heights(self) -> Floats:
        """(D, M): turns values of the unequal mixtures into heights at each dataset alone."""
        return np.linalg.pinv(np.array([self.shares[mixture] for mixture in self.unequal]))


def domain_shares(
    study: Study, by_seed: Sequence[Mapping[str, Mapping[str, Answers]]]
) -> dict[str, dict[str, Any]]:
    """The section `domain_shares` of results.json; empty for a study without such mixtures.

    Args:
        study: with several seeds.
        by_seed: for each seed what `read_answers` returns.
    """
    found = {}
    for reward, runs in families(study).items():
        sweep = sweep_of(study, list(runs))
        if sweep is not None:
            claims = {name: claims_of(runs, by_seed, name) for name in study.datasets}
            sides = {SEVERAL: (sweep.several, sweep.single)}
            asked = {
                "carry_over": _carry_over(study, sweep, claims),
                "own": _own(sweep, claims),
                "blending": _blending(sweep, claims),
                "worst": worst(study, sides, claims),
                **_by_kind(study, sweep, claims),
            }
            section = {
                name: tested(study, quantities) for name, quantities in asked.items() if quantities
            }
            for (question, measure), more in of_halves(study, sides, claims).items():
                section["worst"][question][measure] |= more
            shown = {
                "heights": _heights(study, sweep, claims),
                "alone": _alone(study, sweep, claims),
            }
            found[result_key(reward)] = section | shown
    return found


def sweep_of(study: Study, mixtures: Sequence[str]) -> Sweep | None:
    """The mixtures that are compared; None unless all quarters of three datasets are there."""
    datasets = tuple(name for name, each in study.datasets.items() if not each.held_out)
    if len(datasets) != 3 or not of_one_size(study, mixtures):
        return None
    shares, quarters = {}, set()
    for mixture in mixtures:
        sizes = [sum(study.mixtures[mixture].get(name, {}).values()) for name in datasets]
        whole = sum(sizes)
        shares[mixture] = tuple(size / whole for size in sizes)
        parts = tuple(round(QUARTERS * share) for share in shares[mixture])
        if all(
            abs(size - part * whole / QUARTERS) <= ROUNDING
            for size, part in zip(sizes, parts, strict=True)
        ):
            quarters.add(parts)
    if len(quarters) < (QUARTERS + 1) * (QUARTERS + 2) // 2:
        return None
    parts_of = {mixture: list(study.mixtures[mixture]) for mixture in mixtures}
    several = [mixture for mixture in mixtures if len(parts_of[mixture]) > 1]
    return Sweep(
        datasets,
        shares,
        [next(m for m in mixtures if parts_of[m] == [name]) for name in datasets],
        [mixture for mixture in several if not _equal(study, mixture)],
        several,
    )


def _equal(study: Study, mixture: str) -> bool:
    sizes = [sum(counts.values()) for counts in study.mixtures[mixture].values()]
    return max(sizes) - min(sizes) <= ROUNDING


def _over_others(sweep: Sweep, place: int) -> Floats:
    """(M,): the height at one dataset, minus the mean of those at the others."""
    heights_DM = sweep.heights()
    others_DM = np.delete(heights_DM, place, axis=0)
    return np.asarray(heights_DM[place] - others_DM.mean(axis=0))


def _of_unequal(sweep: Sweep, claims: Claims, measure: str, weights_M: Floats) -> Floats:
    """(S, N)"""
    values_MSN = [claims.differences[measure, mixture] for mixture in sweep.unequal]
    return np.asarray(np.tensordot(weights_M, np.stack(values_MSN), axes=1))


def _carry_over(study: Study, sweep: Sweep, claims: Mapping[str, Claims]) -> Quantities:
    """On held-out datasets, by whose prompts."""
    away = [name for name, dataset in study.datasets.items() if dataset.held_out]
    return {
        (result_key(source), measure): [
            claims[name].part(
                _of_unequal(sweep, claims[name], measure, _over_others(sweep, place)) / len(away)
            )
            for name in away
        ]
        for place, source in enumerate(sweep.datasets)
        for measure in ("learning", "change")
        if away
    }


def _own(sweep: Sweep, claims: Mapping[str, Claims]) -> Quantities:
    """On each training dataset: its own prompts over those of others."""
    return {
        (result_key(name), measure): [
            claims[name].part(_of_unequal(sweep, claims[name], measure, _over_others(sweep, place)))
        ]
        for place, name in enumerate(sweep.datasets)
        for measure in ("learning", "change")
    }


def _blending(sweep: Sweep, claims: Mapping[str, Claims]) -> Quantities:
    """On every dataset: the unequal mixtures, minus what their parts teach alone.

    Where the unequal mixtures are as many for each dataset, the parts are the mean of the single
    ones.
    """
    shares_MD = np.array([sweep.shares[mixture] for mixture in sweep.unequal])
    parts_D = shares_MD.mean(axis=0)
    made: Quantities = {}
    for name, of in claims.items():
        for measure in ("learning", "change"):
            mixed = np.mean([of.differences[measure, each] for each in sweep.unequal], axis=0)
            alone = [of.differences[measure, each] for each in sweep.single]
            contrast = mixed - np.tensordot(parts_D, np.stack(alone), axes=1)
            made[result_key(name), measure] = [of.part(contrast)]
    return made


@dataclass(frozen=True)
class KindCase:
    """Claims of a kind on which the base model has a habit in a dataset.

    Attributes:
        dataset, kind: of the claims.
        like, unlike: other training datasets, with such a habit and without.
    """

    dataset: str
    kind: str
    like: tuple[str, ...]
    unlike: tuple[str, ...]

    @property
    def question(self) -> str:
        return str(result_key(f"{self.kind}_on_{self.dataset}"))


def kind_cases(study: Study) -> list[KindCase]:
    """All of a study; none where its base model's habits are not known."""
    habits = HABITS.get(Path(study.model.path).name)
    if habits is None:
        return []
    touched = {*habits.answered, *habits.refused, *habits.agreed}
    sources = [name for name, each in study.datasets.items() if not each.held_out]
    cases = []
    for dataset, kind in sorted(
        (each for each in touched if each[0] in study.datasets),
        key=lambda each: (list(study.datasets).index(each[0]), list(KINDS).index(each[1])),
    ):
        others = [name for name in sources if name != dataset]
        like = tuple(name for name in others if (name, kind) in touched)
        unlike = tuple(name for name in others if name not in like)
        cases.append(KindCase(dataset, kind, like, unlike))
    return cases


def _answered(study: Study, claims: Mapping[str, Claims]) -> list[KindCase]:
    """The cases with enough claims of each label that the kind has."""

    def fewest(case: KindCase) -> int:
        of = claims[case.dataset]
        labels = [label for label, kind in zip(of.gold, of.kinds, strict=True) if kind == case.kind]
        return min(Counter(labels).values(), default=0)

    return [case for case in kind_cases(study) if fewest(case) >= FEWEST]


def _by_kind(study: Study, sweep: Sweep, claims: Mapping[str, Claims]) -> dict[str, Quantities]:
    """On claims of a kind: datasets with a habit on it over those without, and all together."""
    cases = [case for case in _answered(study, claims) if case.like and case.unlike]
    heights_DM, at = sweep.heights(), sweep.datasets.index
    each: Quantities = {}
    together: Quantities = {}
    for measure in ("learning", "change"):
        contrasts_SN = {}
        for case in cases:
            like_M, unlike_M = (
                np.mean([heights_DM[at(name)] for name in names], axis=0)
                for names in (case.like, case.unlike)
            )
            of = claims[case.dataset]
            contrasts_SN[case] = _of_unequal(sweep, of, measure, like_M - unlike_M)
            each[case.question, measure] = [_mean_of_kinds(of, {case.kind: contrasts_SN[case]})]
        together[TOGETHER, measure] = [
            _scaled(
                _mean_of_kinds(
                    claims[name],
                    {case.kind: contrasts_SN[case] for case in cases if case.dataset == name},
                ),
                sum(case.dataset == name for case in cases) / len(cases),
            )
            for name in dict.fromkeys(case.dataset for case in cases)
        ]
    return {"follows_kinds": together, "kinds": each} if cases else {}


def _mean_of_kinds(claims: Claims, values_SN: Mapping[str, Floats]) -> Part:
    """The mean over kinds of a value; of each kind, the labels that occur weigh the same."""
    kinds_N, gold_N = np.asarray(claims.kinds, dtype=str), np.asarray(claims.gold, dtype=str)
    groups_N = np.asarray(claims.groups, dtype=str)
    strata = [
        (kind, label, np.flatnonzero((kinds_N == kind) & (gold_N == label)))
        for kind in values_SN
        for label in sorted(set(gold_N[kinds_N == kind]))
    ]
    labels = Counter(kind for kind, _, _ in strata)
    # a part is the mean over its strata, here with weights that make it the mean over kinds
    scaled = [
        values_SN[kind][:, rows] * len(strata) / (len(values_SN) * labels[kind])
        for kind, _, rows in strata
    ]
    return Part(
        [f"{kind} {label}" for kind, label, rows in strata for _ in rows],
        [str(groups_N[row]) for _, _, rows in strata for row in rows],
        np.concatenate(scaled, axis=1),
    )


def _scaled(part: Part, weight: float) -> Part:
    return replace(part, contributions=weight * part.contributions)


def _alone(study: Study, sweep: Sweep, claims: Mapping[str, Claims]) -> dict[str, Any]:
    """Leaves of what other datasets teach about kinds that none of them has a habit on."""
    made: dict[str, Any] = {}
    for case in _answered(study, claims):
        if not case.like:
            weights_M = np.mean(
                [sweep.heights()[sweep.datasets.index(name)] for name in case.unlike], axis=0
            )
            for measure in ("learning", "change"):
                of = claims[case.dataset]
                values_SN = _of_unequal(sweep, of, measure, weights_M)
                shown = _shown(study, _mean_of_kinds(of, {case.kind: values_SN}))
                made.setdefault(result_key(case.dataset), {}).setdefault(case.kind, {})[measure] = (
                    shown
                )
    return made


def _shown(study: Study, part: Part) -> dict[str, Any]:
    """A leaf without a test."""
    found = crossed_contrast([part], confidence=study.statistics.confidence)
    shown: dict[str, Any] = leaf(found.crossed, "points", len(study.seeds), "several arms")
    shown.pop("p", None)
    return shown


def _heights(study: Study, sweep: Sweep, claims: Mapping[str, Claims]) -> dict[str, Any]:
    """Leaves of the line's heights on every dataset, which are shown and not tested."""
    made: dict[str, Any] = {}
    for name, of in claims.items():
        for place, source in enumerate(sweep.datasets):
            for measure in ("learning", "change"):
                values_SN = _of_unequal(sweep, of, measure, sweep.heights()[place])
                at = made.setdefault(result_key(name), {}).setdefault(result_key(source), {})
                at[measure] = _shown(study, of.part(values_SN))
    return made
