"""What the shares of three training domains do: all mixtures of one size in quarters.

Learning is compared along the shares, and mixtures of several domains with the single ones.

What is tested was written down in book/plan.md.

Axis suffixes: S seed, N example, M mixture, D training dataset.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from factmix.results import shared_kinds
from factmix.results.answers import Answers
from factmix.results.domain_number import answered
from factmix.results.results_json import result_key
from factmix.results.statements import (
    MEASURES,
    POWER,
    Claims,
    Quantities,
    claims_of,
    families,
    untested,
)
from factmix.results.sweep import Sweep, sweep_of
from factmix.stats.metrics import Floats
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
SEVERAL = "several"

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
    f"{_WHERE.replace('<family>', 'kinds')}.on_kind": "the difference on the kind alone, before "
    "that on kinds for which the compared datasets are alike is subtracted; not tested",
    "domain_shares.<reward>.alone.<dataset>.<kind>.<source>.<measure>": "on claims of a kind on "
    "which the base model has a habit in this dataset and in no other: height of another dataset, "
    "with the interval; not tested",
    "domain_shares.<reward>.heights.<dataset>.<source>.<measure>": "of the straight line in the "
    "shares through mixtures of unequal parts, where a mixture is this training dataset alone; "
    "mean over seeds, with the interval for other seeds and other examples; not tested",
}


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
            asked = {
                "carry_over": _carry_over(study, sweep, claims),
                "own": _own(sweep, claims),
                "blending": _blending(sweep, claims),
                **shared_kinds.follows_kinds(study, sweep, claims),
            }
            section = answered(study, claims, asked, {SEVERAL: (sweep.several, sweep.single)})
            for (question, measure), number in shared_kinds.on_kind(study, sweep, claims).items():
                section["kinds"][question][measure]["on_kind"] = number
            section["heights"] = _heights(study, sweep, claims)
            section["alone"] = shared_kinds.alone(study, sweep, claims)
            found[result_key(reward)] = section
    return found


def _over_others(sweep: Sweep, place: int) -> Floats:
    """(M,): the height at one dataset, minus the mean of those at the others."""
    heights_DM = sweep.heights()
    others_DM = np.delete(heights_DM, place, axis=0)
    return np.asarray(heights_DM[place] - others_DM.mean(axis=0))


def _carry_over(study: Study, sweep: Sweep, claims: Mapping[str, Claims]) -> Quantities:
    """On held-out datasets, by whose prompts."""
    away = [name for name, dataset in study.datasets.items() if dataset.held_out]
    return {
        (result_key(source), measure): [
            claims[name].part(
                sweep.over_unequal(claims[name], measure, _over_others(sweep, place)) / len(away)
            )
            for name in away
        ]
        for place, source in enumerate(sweep.datasets)
        for measure in MEASURES
        if away
    }


def _own(sweep: Sweep, claims: Mapping[str, Claims]) -> Quantities:
    """On each training dataset: its own prompts over those of others."""
    return {
        (result_key(name), measure): [
            claims[name].part(sweep.over_unequal(claims[name], measure, _over_others(sweep, place)))
        ]
        for place, name in enumerate(sweep.datasets)
        for measure in MEASURES
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
        for measure in MEASURES:
            mixed = np.mean([of.differences[measure, each] for each in sweep.unequal], axis=0)
            alone = [of.differences[measure, each] for each in sweep.single]
            contrast = mixed - np.tensordot(parts_D, np.stack(alone), axes=1)
            made[result_key(name), measure] = [of.part(contrast)]
    return made


def _heights(study: Study, sweep: Sweep, claims: Mapping[str, Claims]) -> dict[str, Any]:
    """Leaves of the line's heights on every dataset, which are shown and not tested."""
    made: dict[str, Any] = {}
    for name, of in claims.items():
        for place, source in enumerate(sweep.datasets):
            for measure in MEASURES:
                values_SN = sweep.over_unequal(of, measure, sweep.heights()[place])
                at = made.setdefault(result_key(name), {}).setdefault(result_key(source), {})
                at[measure] = untested(study, of.part(values_SN))
    return made
