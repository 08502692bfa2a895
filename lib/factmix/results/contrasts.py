"""Which systems of a study are compared with which."""

from itertools import combinations

from factmix.results.results_json import result_key
from factmix.study.spec import Study

SETTINGS = ("mixture", "reward")  # a contrast is between two arms that differ in one of these
PAIRWISE = 10  # arms of a sweep are too many for a comparison of each with each


KEYS: dict[str, str] = {
    "contrasts.<setting>.<pair>.<dataset>.<metric>": "difference of two arms that differ in one "
    f"setting only, paired by example; none where more than {PAIRWISE} arms differ so",
}


def base_of(study: Study) -> dict[str, str]:
    """Of each arm, the run of the base model that answered the same examples."""
    bases = {base.evaluation_sample.variant: base.arm for base in study.base_runs()}
    return {run.arm: bases[run.evaluation_sample.variant] for run in study.runs()}


def alike_but(study: Study, setting: str) -> list[list[str]]:
    """Compared arms that differ in one setting only, such as "mixture"; two or more each."""
    groups: dict[str, list[str]] = {}
    for run in study.runs():
        if run.baseline != run.arm:
            others = study.arms[run.arm].model_dump_json(exclude={setting})
            groups.setdefault(others, []).append(run.arm)
    return [names for names in groups.values() if len(names) > 1]


def contrasted(study: Study) -> dict[str, dict[str, tuple[str, str]]]:
    """Arms that differ in one setting only, in pairs; of more than `PAIRWISE` such arms none.

    Returns:
        "mixture" and "reward" -> the pair's name, such as balanced_over_hard_only -> the arm that
        is subtracted, and the arm that it is subtracted from.
    """
    return {
        setting: {
            result_key(f"{second}_over_{first}"): (first, second)
            for arms in alike_but(study, setting)
            if len(arms) <= PAIRWISE
            for first, second in combinations(arms, 2)
        }
        for setting in SETTINGS
    }
