"""A study's systems, grouped by the baseline that they are compared with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import getitem

import pandas as pd

from factmix.report.sources import Results
from factmix.results.answers import reference_of
from factmix.results.contrasts import alike_but, contrasted
from factmix.results.numbers import Leaf
from factmix.results.results_json import result_key
from factmix.study.run import name_in_variant
from factmix.study.settings import WeightedReward

# What is no arm, in words.
ARM_NAMES = {
    "base": "base model",
    "always_na": "always NA",
    "always_pass": "always PASS",
}


Found = Mapping[str, Mapping[str, Leaf]]  # arm -> dataset -> number


@dataclass(frozen=True)
class BaselineGroup:
    """Systems with one baseline, which all answered the same examples.

    Attributes:
        results: of the whole study.
        baseline: their baseline, as results.json writes it, as all names here.
        arms: trained arms with it, the baseline among them.
        systems: these, and before them the base model if it is compared with this baseline.
        constants: name of the constant answer NA to the same examples.
        suffix: what the names of its figures end in; nothing for the study's own baseline.
    """

    results: Results
    baseline: str
    arms: list[str]
    systems: list[str]
    constants: str
    suffix: str

    @property
    def compared(self) -> list[str]:
        """The arms that have gains; a baseline has none over itself."""
        return [arm for arm in self.arms if arm != self.baseline]

    @property
    def earn_more(self) -> list[str]:
        """The arms that earn more on the same claims after training than before."""
        training = self.results.content["training"]
        return [arm for arm in self.arms if training[arm]["reward_gain"]["value"] > 0]

    @property
    def alpha(self) -> float:
        return self.results.study.statistics.alpha

    @property
    def weighted(self) -> dict[str, WeightedReward]:
        """The rewards that have the published parts, by arm."""
        study = self.results.study
        found = {result_key(run.arm): run.reward for run in study.runs()}
        return {
            arm: reward
            for arm, reward in found.items()
            if arm in self.arms and isinstance(reward, WeightedReward)
        }

    def numbers(self, section: str, *path: str, arms: Iterable[str] = ()) -> Found:
        """Numbers of some arms, of those that have gains by default, on each dataset.

        Args:
            section: of results.json.
            path: of each number below its arm and dataset.
            arms: which; also systems.
        """
        content = self.results.content[section]
        return {
            arm: {d: reduce(getitem, path, content[arm][d]) for d in self.results.datasets}
            for arm in arms or self.compared
        }

    def rows(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows of a table with a column arm that are of these systems."""
        return frame[frame["arm"].map(result_key).isin(self.systems)].reset_index(drop=True)


def arm_name(arm: str) -> str:
    """Words for what is no arm, also to another evaluation set; an arm's name as code."""
    for name, words in ARM_NAMES.items():
        if arm == name or arm.startswith(f"{name}_"):
            return words + arm.removeprefix(name).replace("_", " ")
    return f"`{arm}`"


def baseline_groups(results: Results) -> list[BaselineGroup]:
    """The groups of a study, that of its own baseline first."""
    study = results.study
    references = reference_of(study)
    found = []
    for baseline in sorted(set(references.values()), key=lambda name: name != study.baseline):
        systems = [name for name, reference in references.items() if reference == baseline]
        found.append(
            BaselineGroup(
                results=results,
                baseline=result_key(baseline),
                arms=[result_key(name) for name in systems if name in study.arms],
                systems=[result_key(name) for name in systems],
                constants=result_key(
                    name_in_variant("always_na", study.run(baseline).evaluation_sample.variant)
                ),
                suffix="" if baseline == study.baseline else f"-{result_key(baseline)}",
            )
        )
    return found


def compared_mixtures(results: Results) -> list[str]:
    """The largest set of compared arms that differ in nothing but their mixture."""
    compared = baseline_groups(results)[0].compared
    alike = [list(map(result_key, arms)) for arms in alike_but(results.study, "mixture")]
    return max((arms for arms in alike if set(arms) <= set(compared)), key=len, default=[])


@dataclass(frozen=True)
class Contrast:
    """Two arms, by their names in results.json, on a dataset, and what the pair is called there."""

    pair: str
    first: str
    second: str
    dataset: str


def contrasts_of(results: Results) -> dict[str, list[Contrast]]:
    """Pairs of arms that differ in one setting: "mixture" or "reward" -> each on each dataset."""
    return {
        setting: [
            Contrast(name, result_key(first), result_key(second), dataset)
            for name, (first, second) in pairs.items()
            for dataset in results.datasets
        ]
        for setting, pairs in contrasted(results.study).items()
        if pairs
    }
