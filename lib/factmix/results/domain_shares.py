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
from factmix.results.results_json import result_key
from factmix.results.statements import (
    POWER,
    Claims,
    Quantities,
    claims_of,
    families,
    tested,
    untested,
)
from factmix.stats.metrics import Floats
from factmix.stats.seeds import FEWEST, Part
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
    f"{_WHERE}.crossed": "mean over seeds (of a kind of claims, its labels weigh the "
    "same), with the interval and the test for other seeds and other examples; p is corrected "
    "over the questions of a family in one measure",
    f"{_WHERE}.grouped": "the same for other groups of examples",
    f"{_WHERE}.detectable": "the smallest effect that would be established with a probability of "
    f"{POWER}",
    f"{_WHERE.replace('<family>', 'worst')}.other_halves": "median of other draws of the halves, "
    "and the range of nine in ten; not tested",
    f"{_WHERE.replace('<family>', 'worst')}.least": "the datasets that were compared: of the first "
    "side and of the second, chosen on the one half and on the other",
    f"{_WHERE.replace('<family>', 'kinds')}.on_kind": "the difference on the kind alone, of which "
    "that on kinds for which the compared datasets are alike is not taken; not tested",
    "domain_shares.<reward>.alone.<dataset>.<kind>.<source>.<measure>": "on claims of a kind on "
    "which the base model has a habit in this dataset and in no other: height of another dataset, "
    "with the interval; not tested",
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
            for (question, measure), on_kind in _on_kind(study, sweep, claims).items():
                section["kinds"][question][measure]["on_kind"] = on_kind
            shown = {
                "heights": _heights(study, sweep, claims),
                "alone": _alone(study, sweep, claims),
            }
            found[result_key(reward)] = section | shown
    return found


def sweep_of(study: Study, mixtures: Sequence[str]) -> Sweep | None:
    """The mixtures: all quarters of three datasets, and equal parts; None where they are others."""
    datasets = tuple(name for name, each in study.datasets.items() if not each.held_out)
    if len(datasets) != 3 or not of_one_size(study, mixtures):
        return None
    shares: dict[str, tuple[float, ...]] = {}
    quarters = Counter[tuple[int, ...]]()
    for mixture in mixtures:
        sizes = [sum(study.mixtures[mixture].get(name, {}).values()) for name in datasets]
        whole = sum(sizes)
        shares[mixture] = tuple(size / whole for size in sizes)
        parts = tuple(round(QUARTERS * share) for share in shares[mixture])
        if all(
            abs(size - part * whole / QUARTERS) <= ROUNDING
            for size, part in zip(sizes, parts, strict=True)
        ):
            quarters[parts] += 1
    # each mixture in quarters once, and the equal one
    asked = (QUARTERS + 1) * (QUARTERS + 2) // 2
    equal = [m for m in mixtures if _equal(study, m) and len(study.mixtures[m]) == len(datasets)]
    if set(quarters.values()) != {1} or not len(quarters) == asked == len(mixtures) - len(equal):
        return None
    if len(equal) != 1:
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
        alike: kinds with a habit in this dataset for which the others are alike, with which the
            difference between `like` and `unlike` is compared.
    """

    dataset: str
    kind: str
    like: tuple[str, ...]
    unlike: tuple[str, ...]
    alike: tuple[str, ...] = ()

    @property
    def question(self) -> str:
        return str(result_key(f"{self.kind}_on_{self.dataset}"))


def kind_cases(study: Study) -> list[KindCase]:
    """All of a study; none where its base model's habits are not known."""
    folder = Path(study.model.path)
    habits = HABITS.get(folder.name) if folder.parent == Path("models") else None
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
    alike = {
        name: tuple(
            case.kind for case in cases if case.dataset == name and not (case.like and case.unlike)
        )
        for name in study.datasets
    }
    return [replace(case, alike=alike[case.dataset]) for case in cases]


def _enough(case: KindCase, claims: Mapping[str, Claims]) -> bool:
    """Whether there are enough claims of the kind, and of those that it is compared with."""
    of = claims[case.dataset]
    count = Counter(zip(of.kinds, of.gold, strict=True))
    asked = {case.kind, *(case.alike if case.like else ())}
    fewest = min((n for (kind, _), n in count.items() if kind in asked), default=0)
    return asked <= set(of.kinds) and fewest >= FEWEST


def compared_kinds(study: Study, claims: Mapping[str, Claims]) -> list[KindCase]:
    """The cases with a difference; none unless there are enough claims for all of them."""
    cases = [case for case in kind_cases(study) if case.like and case.unlike]
    return cases if all(_enough(case, claims) for case in cases) else []


def _by_kind(study: Study, sweep: Sweep, claims: Mapping[str, Claims]) -> dict[str, Quantities]:
    """On claims of a kind: datasets with a habit on it over those without, and all together.

    Each minus the same on kinds for which these datasets are alike.
    """
    cases = compared_kinds(study, claims)
    each: Quantities = {}
    together: Quantities = {}
    for measure in ("learning", "change"):
        of_datasets: dict[str, dict[str, Floats]] = {}
        for case in cases:
            of = claims[case.dataset]
            difference_SN = _of_unequal(sweep, of, measure, _like_over_unlike(sweep, case))
            weights = {case.kind: 1.0, **{kind: -1 / len(case.alike) for kind in case.alike}}
            values = {kind: weight * difference_SN for kind, weight in weights.items()}
            each[case.question, measure] = [_sum_over_kinds(of, values)]
            so_far = of_datasets.setdefault(case.dataset, {})
            for kind, values_SN in values.items():
                so_far[kind] = so_far.get(kind, 0) + values_SN / len(cases)
        together[TOGETHER, measure] = [
            _sum_over_kinds(claims[name], values) for name, values in of_datasets.items()
        ]
    return {"follows_kinds": together, "kinds": each} if cases else {}


def _like_over_unlike(sweep: Sweep, case: KindCase) -> Floats:
    """(M,): the mean height at datasets with the habit, minus that at those without."""
    like_M, unlike_M = (
        np.mean([sweep.heights()[sweep.datasets.index(name)] for name in names], axis=0)
        for names in (case.like, case.unlike)
    )
    return np.asarray(like_M - unlike_M)


def _on_kind(
    study: Study, sweep: Sweep, claims: Mapping[str, Claims]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Leaves of the differences on the kind alone, by question and measure."""
    return {
        (case.question, measure): untested(
            study,
            _sum_over_kinds(
                claims[case.dataset],
                {
                    case.kind: _of_unequal(
                        sweep, claims[case.dataset], measure, _like_over_unlike(sweep, case)
                    )
                },
            ),
        )
        for case in compared_kinds(study, claims)
        for measure in ("learning", "change")
    }


def _sum_over_kinds(claims: Claims, values: Mapping[str, Floats]) -> Part:
    """The sum over kinds of the mean of a value over their claims.

    Of a kind, the labels that occur weigh the same.

    Args:
        claims: of one dataset.
        values: kind -> (S, N), of which the claims of the kind count.
    """
    kinds_N, gold_N = np.asarray(claims.kinds, dtype=str), np.asarray(claims.gold, dtype=str)
    strata = [
        (kind, label, np.flatnonzero((kinds_N == kind) & (gold_N == label)))
        for kind in values
        for label in sorted(set(gold_N[kinds_N == kind]))
    ]
    labels = Counter(kind for kind, _, _ in strata)
    # a part is the mean over its strata
    scaled = [values[kind][:, rows] * len(strata) / labels[kind] for kind, _, rows in strata]
    return Part(
        [f"{kind} {label}" for kind, label, rows in strata for _ in rows],
        [claims.groups[row] for _, _, rows in strata for row in rows],
        np.concatenate(scaled, axis=1),
    )


def _alone(study: Study, sweep: Sweep, claims: Mapping[str, Claims]) -> dict[str, Any]:
    """Leaves of what each other dataset teaches about kinds that none of them has a habit on."""
    made: dict[str, Any] = {}
    for case in kind_cases(study):
        if case.like or not _enough(case, claims):
            continue
        of, heights_DM = claims[case.dataset], sweep.heights()
        at = made.setdefault(result_key(case.dataset), {}).setdefault(result_key(case.kind), {})
        for name in case.unlike:
            height_M = heights_DM[sweep.datasets.index(name)]
            at[result_key(name)] = {
                measure: untested(
                    study,
                    _sum_over_kinds(of, {case.kind: _of_unequal(sweep, of, measure, height_M)}),
                )
                for measure in ("learning", "change")
            }
    return made


def _heights(study: Study, sweep: Sweep, claims: Mapping[str, Claims]) -> dict[str, Any]:
    """Leaves of the line's heights on every dataset, which are shown and not tested."""
    made: dict[str, Any] = {}
    for name, of in claims.items():
        for place, source in enumerate(sweep.datasets):
            for measure in ("learning", "change"):
                values_SN = _of_unequal(sweep, of, measure, sweep.heights()[place])
                at = made.setdefault(result_key(name), {}).setdefault(result_key(source), {})
                at[measure] = untested(study, of.part(values_SN))
    return made
