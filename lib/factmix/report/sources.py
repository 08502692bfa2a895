"""Where reports take their numbers from: the committed results, and the runs of this machine."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import getitem
from pathlib import Path
from typing import Any

from factmix.results.compare import SECTIONS
from factmix.results.numbers import Leaf
from factmix.results.results_json import established
from factmix.study.files import stored_numbers
from factmix.study.load import find_study, load_kept
from factmix.study.paths import ROOT, Paths, folder_in, model_folder, runs
from factmix.study.run import Run
from factmix.study.settings import Reward, WeightedReward
from factmix.study.spec import Study, StudyError

PUBLISHED = ROOT / "results" / "published"
BENCHMARKS = ROOT / "results" / "benchmarks"
FAULTS = ROOT / "results" / "faults"
KILLS = FAULTS / "kills.json"  # what tests/faults/kills.py wrote
KILLS_SMOLLM2 = FAULTS / "kills_smollm2.json"  # what tests/faults/kills_smollm2.py wrote
TWO_PROCESSES = FAULTS / "two_processes.json"  # what tests/faults/two_processes.py wrote
RECIPES = ROOT / "models" / "recipes.csv"  # ways of pretraining that were tried, written by hand
TWO_READINGS = ("predicted", "gold")  # whose label's weight a weighted reward takes


@dataclass(frozen=True)
class Aside:
    """A committed study beside that of the chapters.

    Attributes:
        study: its name.
        page: the page of the book that shows its numbers.
    """

    study: str
    page: str


# By a short name, which roles, figures and generated tables of these studies have.
ASIDES = {
    "second": Aside("swapped", "appendix/second_base"),
    "protocols": Aside("protocols", "appendix/protocols"),
    "pairs": Aside("pairs", "appendix/domains"),
    "sweep": Aside("sweep", "appendix/shares"),
    "plateau": Aside("plateau", "appendix/longer"),
    "real": Aside("smollm2", "real"),
    "reseeded": Aside("smollm2_seeds", "appendix/real_seeds"),
}


CHANGED = "the study has been changed since"


class SourceError(Exception):
    """Results that the book needs are missing or cannot become pages."""


@dataclass(frozen=True, eq=False)
class Results:
    """One study's results.

    Attributes:
        root: the folder that holds results.json and one folder per arm.
        content: results.json.
        fresh: whether they are of a run on this machine; otherwise they are committed.
    """

    root: Path
    content: dict[str, Any]
    fresh: bool = False

    @property
    def name(self) -> str:
        return str(self.content["study"]["name"])

    @property
    def file(self) -> Path:
        return self.root / "results.json"

    @property
    def place(self) -> str:
        """The folder as it is called in the repository, such as results/main."""
        return f"{'runs' if self.fresh else 'results'}/{self.name}"

    @property
    def paths(self) -> Paths:
        return Paths(self.root)

    @cached_property
    def study(self) -> Study:
        """The study that the results are of, which its YAML may no longer say."""
        try:
            return load_kept(self.paths.study)
        except StudyError as error:
            raise SourceError(str(error)) from error

    @property
    def study_file(self) -> Path:
        """The YAML from which the study would be run now; it need not exist."""
        return ROOT / "studies" / f"{self.name}.yaml"

    @cached_property
    def since(self) -> str:
        """What became of the YAML since the results were made; empty while it says the same."""
        if not self.study_file.is_file():
            return f"studies/{self.study_file.name} is gone"
        missing = self.content.get("missing", [])
        try:
            now = find_study(self.name)
        except StudyError:  # cannot be read: an error for those who run it, a change for the book
            return CHANGED
        if missing:
            arms = {name: arm for name, arm in now.arms.items() if name in self.study.arms}
            now = now.model_copy(update={"arms": arms, "seeds": self.study.seeds})
        if now != self.study:
            return CHANGED
        return f"{len(missing)} of its runs are not there yet" if missing else ""

    @property
    def arms(self) -> list[str]:
        """Trained arms that have results, in the study's order."""
        return list(self.content["training"])

    @property
    def datasets(self) -> list[str]:
        return list(self.content["metrics"]["base"])

    @property
    def seed(self) -> int:
        """The seed that the metrics are from."""
        return self.study.seeds[0]

    def established(self, leaf: Leaf) -> bool:
        """Whether a tested number of these results counts as different from 0."""
        return established(leaf, self.study.statistics.alpha)

    @property
    def weights(self) -> list[Path]:
        """Files of the base model; SourceError when it is not a folder of this repository."""
        folder = model_folder(self.study.model)
        files = sorted(folder.glob("*.safetensors"))
        if not files:
            raise SourceError(
                f"{self.paths.study}: no *.safetensors in {folder}; a page "
                "can say how many parameters a model has only when its weights are in this folder"
            )
        return files

    @cached_property
    def parameters(self) -> int:
        """How many numbers the weights of the base model have."""
        return sum(stored_numbers(file) for file in self.weights)


def read(root: Path, *, fresh: bool = False) -> Results:
    """The results in a folder; SourceError when there are none."""
    file = root / "results.json"
    if not file.is_file():
        raise SourceError(
            f"{file} does not exist, and the book takes its numbers from there. "
            f"`make study STUDY={root.name}` and then `make freeze STUDY={root.name}` write it."
        )
    return Results(root, json.loads(file.read_text(encoding="utf-8")), fresh)


def committed_results(study: str) -> Results:
    """The frozen results that the prose cites, in results/ or where FACTMIX_RESULTS says."""
    return read((folder_in("FACTMIX_RESULTS") or ROOT / "results") / study)


def local_runs(tell: Callable[[str], object] = print) -> list[Results]:
    """Every finished study below runs/, or where FACTMIX_RUNS says, by name.

    Results of older code, which lack something or do not say which study they are of, are left out.

    Args:
        tell: is called with a line about each run that is left out.
    """
    found = []
    for file in sorted(runs().glob("*/results.json")):
        try:
            load_kept(Paths(file.parent).study)
        except StudyError as error:
            tell(f"no page for {file.parent}: {error}")
            continue
        results = read(file.parent, fresh=True)
        if lacking := sorted(SECTIONS - set(results.content)):
            tell(
                f"no page for {file.parent}: {file.name} lacks {', '.join(lacking)}, as results of"
                f" older code do; make it again with: factmix results {file.parent.name}"
            )
            continue
        found.append(results)
    return found


def with_same_arms(run: Results, committed: Sequence[Results]) -> Results | None:
    """The first committed study that has every arm of a run with the same settings and first seed.

    Its own committed results come before all others, whatever their settings were.
    """

    def arms(study: Study) -> dict[str, Run]:
        return {
            arm: replace(study.run(arm, run.seed), study="", warm_start=None)
            for arm in run.study.arms
            if arm in study.arms
        }

    own = next((each for each in committed if each.name == run.name), None)
    mine = arms(run.study)
    others = (
        each
        for each in committed
        if run.seed in each.study.seeds
        and each.study.warm_start == run.study.warm_start
        and arms(each.study) == mine
    )
    return own or next(others, None)


def of_seed(results: Results, seed: int, *path: str) -> float:
    """A metric of one seed: a key of `metrics`, such as (arm, dataset, metric)."""
    leaf = reduce(getitem, path, results.content["metrics"])
    if "by_seed" not in leaf:
        return float(leaf["value"])
    return float(leaf["by_seed"][results.content["seeds"].index(seed)])


def in_both_readings(reward: Reward) -> dict[str, WeightedReward]:
    """A weighted reward with the weights of the predicted and of the gold label."""
    assert isinstance(reward, WeightedReward)
    return {by: reward.model_copy(update={"weight_by": by}) for by in TWO_READINGS}
