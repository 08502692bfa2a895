"""What mixtures teach about each kind of claim, on every dataset; shown, and not tested.

Where the base model has a habit on a kind in some of the datasets, this shows whether training on
one of them undoes it on the others.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from factmix.results.answers import Answers
from factmix.results.results_json import result_key
from factmix.results.statements import MEASURES, claims_of, families, untested
from factmix.stats.seeds import FEWEST, Part
from factmix.study.labels import Label
from factmix.study.spec import Study

# Of results.json, for a study with every single dataset, every pair and the one of all.
KEYS: dict[str, str] = {
    "by_kind.<reward>.<mixture>.<dataset>.<side>.<kind>.<measure>": "on all claims of a kind, of "
    "the share of right answers; mean over seeds, with the interval for other seeds and other "
    "examples; not tested",
}
SIDES = ("undecided", "decided")  # claims of gold NA, and the others


def by_kind(
    study: Study, by_seed: Sequence[Mapping[str, Mapping[str, Answers]]]
) -> dict[str, dict[str, Any]]:
    """The section `by_kind` of results.json; empty where no dataset says its kinds.

    Args:
        study: with several seeds.
        by_seed: for each seed what `read_answers` returns.
    """
    found: dict[str, dict[str, Any]] = {}
    for reward, runs in families(study).items():
        for dataset in study.datasets:
            claims = claims_of(runs, by_seed, dataset)
            kinds_N = np.asarray(claims.kinds, dtype=str)
            undecided_N = np.asarray(claims.gold, dtype=str) == Label.NA
            for side, rows_N in zip(SIDES, (undecided_N, ~undecided_N), strict=True):
                for kind in sorted(set(kinds_N[rows_N]) - {""}):
                    of_kind = np.flatnonzero(rows_N & (kinds_N == kind))
                    if len(of_kind) < FEWEST:
                        continue
                    for mixture in runs:
                        at = found.setdefault(result_key(reward), {})
                        for key in (mixture, dataset, side):
                            at = at.setdefault(result_key(key), {})
                        at[kind] = {
                            # one stratum: a kind has the share of each label that it has
                            measure: untested(
                                study,
                                Part(
                                    [kind] * len(of_kind),
                                    [claims.groups[row] for row in of_kind],
                                    claims.differences[measure, mixture][:, of_kind],
                                ),
                            )
                            for measure in MEASURES
                        }
    return found
