"""Whether learning follows kinds of claims: a question that book/plan.md asks of a sweep.

The base model has a habit, an error made on purpose, on some kinds of claims in several datasets.
On such claims in one dataset, prompts of other datasets with the habit are compared with prompts of
those without.

Axis suffixes: S seed, N example, M mixture.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from factmix.organism.domains import KINDS
from factmix.organism.pretraining_text import HABITS
from factmix.results.results_json import result_key
from factmix.results.statements import MEASURES, Claims, Quantities, untested
from factmix.results.sweep import Sweep
from factmix.stats.metrics import Floats
from factmix.stats.seeds import FEWEST, Part
from factmix.study.spec import Study

TOGETHER = "together"


@dataclass(frozen=True)
class KindCase:
    """Claims of a kind on which the base model has a habit in a dataset.

    Attributes:
        dataset, kind: of the claims.
        like, unlike: other training datasets, with such a habit and without.
        alike: kinds with a habit in this dataset, and in all other training datasets or in none.
            The difference between `like` and `unlike` on these is subtracted.
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


def _compared(study: Study, claims: Mapping[str, Claims]) -> list[KindCase]:
    """The cases with a difference; none unless there are enough claims for all of them."""
    cases = [case for case in kind_cases(study) if case.like and case.unlike]
    return cases if all(_enough(case, claims) for case in cases) else []


def follows_kinds(
    study: Study, sweep: Sweep, claims: Mapping[str, Claims]
) -> dict[str, Quantities]:
    """On claims of a kind: datasets with a habit on it over those without, and all together.

    Each minus the same on kinds for which these datasets are alike.
    """
    cases = _compared(study, claims)
    each: Quantities = {}
    together: Quantities = {}
    for measure in MEASURES:
        of_datasets: dict[str, dict[str, Floats]] = {}
        for case in cases:
            of = claims[case.dataset]
            difference_SN = sweep.over_unequal(of, measure, _like_over_unlike(sweep, case))
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


def on_kind(
    study: Study, sweep: Sweep, claims: Mapping[str, Claims]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Leaves of the differences on the kind alone, by question and measure."""
    return {
        (case.question, measure): untested(
            study,
            _sum_over_kinds(
                claims[case.dataset],
                {
                    case.kind: sweep.over_unequal(
                        claims[case.dataset], measure, _like_over_unlike(sweep, case)
                    )
                },
            ),
        )
        for case in _compared(study, claims)
        for measure in MEASURES
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


def alone(study: Study, sweep: Sweep, claims: Mapping[str, Claims]) -> dict[str, Any]:
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
                    _sum_over_kinds(of, {case.kind: sweep.over_unequal(of, measure, height_M)}),
                )
                for measure in MEASURES
            }
    return made
