"""The evidence that claims are tested on: the published study, and our study with the same arms."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from factmix.published import recomputed
from factmix.published.audit import climate_overlap
from factmix.published.released import CONTROL, DATASETS, MIXTURES
from factmix.results.answers import Answers, read_answers, reference_of
from factmix.results.of_training import logged, reward_end
from factmix.results.results_json import result_key
from factmix.stats.metrics import Counts, contingency
from factmix.study.load import load_kept
from factmix.study.paths import ROOT, Paths
from factmix.study.spec import Study

FROZEN_STUDY = "main"  # our study, on whose committed results the claims are tested


class ClaimsError(ValueError):
    """The results that the claims need are missing."""


@dataclass(frozen=True)
class Evidence:
    """The results of a study, in the blog's terms.

    Attributes:
        name: of the study.
        baseline: the arm that the others are compared with.
        datasets: by role "easy", "hard" and "all"; none that is held out of the mixtures.
        answers: for each seed arm -> dataset -> answers; none where only counts are known.
        counts: (first arm, second arm, dataset) -> gold x first x second, of the first seed.
        reward_end: arm -> mean reward of the last steps of its log, for each seed.
        one_reward: whether all of these arms were trained with the same reward.
        overlap: least number of claims that training and evaluation share.
    """

    name: str
    baseline: str
    datasets: Mapping[str, Sequence[str]]
    answers: Sequence[Mapping[str, Mapping[str, Answers]]]
    counts: Callable[[str, str, str], Counts]
    reward_end: Mapping[str, Sequence[float]]
    one_reward: bool
    overlap: int


def published_evidence(derived: dict[str, Any]) -> Evidence:
    """The evidence of the published study; pairs with an invalid answer are dropped, as it did."""
    logs = {arm: derived["curves"][arm]["logged"] for arm in MIXTURES}
    return Evidence(
        name="published",
        baseline=CONTROL,
        datasets=_roles({name: name != "fever" for name in DATASETS}),
        answers=(),
        counts=lambda first, second, dataset: recomputed.drop_invalid(
            recomputed.counts_of(derived, first, second, dataset)
        ),
        reward_end={arm: [parts["reward/total"]["end"]] for arm, parts in logs.items()},
        one_reward=len({frozenset(parts) for parts in logs.values()}) == 1,
        overlap=sum(int(each["at_least"]) for each in climate_overlap(derived).values()),
    )


def study_evidence(study: Study, paths: Paths) -> Evidence:
    """The evidence of our study with all its seeds, from its run or from committed results.

    What training and evaluation share is of the samples of the first seed. That those of the others
    share nothing was checked when they were drawn, unless the study's protocol lets them overlap.

    Raises:
        ClaimsError: the study lacks one of the blog's arms, or has no results.
    """
    absent = [arm for arm in MIXTURES if arm not in study.arms]
    if absent:
        raise ClaimsError(f"study {study.name} has no arm {', '.join(absent)}; the claims need it")
    if not paths.results.is_file():
        raise ClaimsError(
            f"{paths.results} does not exist; make it with: factmix results {study.name}"
        )
    results = json.loads(paths.results.read_text(encoding="utf-8"))
    compared = _compared_alone(study)
    answers = [read_answers(compared, paths, seed) for seed in study.seeds]

    def counts(first: str, second: str, dataset: str) -> Counts:
        one, other = answers[0][first][dataset], answers[0][second][dataset]
        return contingency(one.gold, one.predicted, other.predicted)

    shared = results["data"]["overlap"]
    mixtures = [result_key(study.run(arm).mixture) for arm in MIXTURES]
    return Evidence(
        name=study.name,
        baseline=study.baseline,
        datasets=_roles(
            {name: each.hard for name, each in study.datasets.items() if not each.held_out}
        ),
        answers=answers,
        counts=counts,
        reward_end={
            arm: [reward_end(logged(paths.run(study.run(arm, seed)))) for seed in study.seeds]
            for arm in MIXTURES
        },
        one_reward=len({study.run(arm).reward.model_dump_json() for arm in MIXTURES}) == 1,
        overlap=sum(shared[mixture]["claims"]["value"] for mixture in mixtures),
    )


def _compared_alone(study: Study) -> Study:
    """The study with the blog's arms and their baselines alone, whose answers are read faster."""
    references = reference_of(study)
    arms = {study.baseline, *MIXTURES, *(references[arm] for arm in MIXTURES)}
    kept = {name: arm for name, arm in study.arms.items() if name in arms}
    return study.model_copy(update={"arms": kept})


def committed_evidence() -> list[Evidence]:
    """The evidence of the published study and of our committed one."""
    frozen = Paths(ROOT / "results" / FROZEN_STUDY)
    return [
        published_evidence(recomputed.load()),
        study_evidence(load_kept(frozen.study), frozen),
    ]


def _roles(hard: Mapping[str, bool]) -> dict[str, list[str]]:
    return {
        "easy": [name for name, is_hard in hard.items() if not is_hard],
        "hard": [name for name, is_hard in hard.items() if is_hard],
        "all": list(hard),
    }
