"""Answers to a dataset that a study does not have, and that may lack labels."""

from dataclasses import replace
from typing import Any

import pandas as pd

from factmix.results.results_json import correct, leaf, rounded
from factmix.stats.bootstrap import mean_by_t
from factmix.stats.shift import discrimination
from factmix.study.labels import Label
from factmix.study.run import BASE
from factmix.study.spec import Study
from factmix.training.columns import PROBABILITIES


def unseen(answered: pd.DataFrame, study: Study) -> dict[str, dict[str, Any]]:
    """What each system answers to the same examples, and what changed over the base model.

    Groups of examples are the sample: their shares of right answers are averaged.

    Args:
        answered: `columns.PREDICTIONS` of the base model and of arms with one seed.
        study: its confidence.

    Returns:
        for each system: right (share of right answers), right_of_verdicts (the same of the answers
        PASS and FAIL; absent without), na (share of NA), auroc_pass_fail; and for each arm change,
        of right over the base model, corrected by Holm over the arms.
    """
    confidence = study.statistics.confidence
    right: dict[str, pd.Series[float]] = {
        str(system): (rows["predicted"] == rows["gold"]).astype(float).groupby(rows["group"]).mean()
        for system, rows in answered.groupby("arm", sort=False)
    }
    found: dict[str, dict[str, Any]] = {}
    for system, rows in answered.groupby("arm", sort=False):
        name, n, groups = str(system), len(rows), len(right[str(system)])
        share = replace(mean_by_t(right[name], confidence=confidence), p=None)
        told = discrimination(rows["gold"].tolist(), rows[list(PROBABILITIES)].to_numpy())
        found[name] = {
            "right": leaf(share, "fraction", groups, name),
            "na": leaf(float((rows["predicted"] == Label.NA).mean()), "fraction", n, name),
            "auroc_pass_fail": leaf(told["auroc_pass_fail"], "", n, name),
        }
        given = rows[rows["predicted"].isin([Label.PASS, Label.FAIL])]
        if len(given):
            of_groups = (given["predicted"] == given["gold"]).astype(float)
            verdicts = mean_by_t(of_groups.groupby(given["group"]).mean(), confidence=confidence)
            found[name]["right_of_verdicts"] = leaf(
                replace(verdicts, p=None), "fraction", given["group"].nunique(), name
            )
        if name != BASE:
            change = mean_by_t(right[name] - right[BASE], confidence=confidence)
            found[name]["change"] = leaf(change, "points", groups, name)
    correct([of["change"] for of in found.values() if "p" in of.get("change", ())])
    made: dict[str, dict[str, Any]] = rounded(found)
    return made
