"""A study's systems, apart by the baseline that they are compared with."""

from dataclasses import dataclass

import pandas as pd

from factmix.results.answers import reference_of
from factmix.results.results_json import result_key
from factmix.study.run import name_in_variant
from factmix_book.sources import Results

# What is no arm, in words.
ARM_NAMES = {
    "base": "untrained model",
    "always_na": "always NA",
    "always_pass": "always PASS",
}


@dataclass(frozen=True)
class BaselineGroup:
    """Systems with one baseline, which all answered the same examples.

    Attributes:
        results: of the whole study.
        baseline: their baseline, as results.json writes it, as all names here.
        arms: trained arms with it, the baseline among them.
        systems: these, and before them the untrained model if it is compared with this baseline.
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

    def rows(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows of a table with a column arm that are of these systems."""
        return frame[frame["arm"].map(result_key).isin(self.systems)].reset_index(drop=True)


def arm_name(arm: str) -> str:
    """Words for what is no arm, also to another evaluation set; an arm's name as code."""
    for name, words in ARM_NAMES.items():
        if arm == name or arm.startswith(f"{name}_"):
            return words + arm.removeprefix(name).replace("_", " ")
    return f"`{arm}`"


def parts(results: Results) -> list[BaselineGroup]:
    """The parts of a study, that of its own baseline first."""
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
