"""Where the book's numbers come from: the committed results, and the runs of this machine."""

import json
import math
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from safetensors import safe_open
from sphinx.application import Sphinx
from sphinx.util import logging

from factmix.results.rerun_diff import Origin, origin
from factmix.study.load import find_study, load_kept
from factmix.study.paths import ROOT, Paths
from factmix.study.settings import WeightedReward
from factmix.study.spec import Study, StudyError

logger = logging.getLogger(__name__)

SEEDS_PAGE = "appendix/seeds"
SEEDS_NOTEBOOK = "seeds_compare"  # the comparison of these seeds, among the notebooks' pages
RUN_PAGES = "_generated/runs/"


class SourceError(Exception):
    """Results that the book needs are missing or cannot become pages."""


@dataclass(frozen=True)
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
        """The folder as it is called in the repository, such as results/embedded."""
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
        try:
            same = find_study(self.name) == self.study
        except StudyError:  # it cannot be read, which is for those to hear who run it
            same = False
        return "" if same else "the study has been changed since"

    @property
    def arms(self) -> list[str]:
        """Trained arms that have results, in the study's order."""
        return list(self.content["training"])

    @property
    def datasets(self) -> list[str]:
        return list(self.content["metrics"]["base"])

    @property
    def weighted_arms(self) -> list[str]:
        """Arms whose reward has the published parts."""
        rewards = self.study.rewards
        return [
            name
            for name, arm in self.study.arms.items()
            if isinstance(rewards[arm.reward], WeightedReward)
        ]

    @cached_property
    def origin(self) -> Origin:
        """The commits, devices and the day that the arms are from."""
        return origin(self.root)

    @cached_property
    def parameters(self) -> int:
        """How many numbers the weights of the base model have."""
        count = 0
        for file in self.weights:
            with safe_open(file, "numpy") as tensors:
                names = tensors.keys()
                count += sum(math.prod(tensors.get_slice(name).get_shape()) for name in names)
        return count

    @property
    def weights(self) -> list[Path]:
        """Files of the base model; SourceError when it is not a folder of this repository."""
        files = sorted((ROOT / self.study.model.path).glob("*.safetensors"))
        if not files:
            raise SourceError(
                f"{self.paths.study}: no *.safetensors in {ROOT / self.study.model.path}; a page "
                "can say how many parameters a model has only when its weights are in this folder"
            )
        return files

    @property
    def seed(self) -> int:
        """The seed that the metrics are from."""
        return self.study.seeds[0]


def read(root: Path, *, fresh: bool = False) -> Results:
    """The results in a folder; SourceError when there are none."""
    file = root / "results.json"
    if not file.is_file():
        raise SourceError(
            f"{file} does not exist, and the book takes its numbers from there. "
            "`make study` followed by `make freeze` writes it."
        )
    return Results(root, json.loads(file.read_text(encoding="utf-8")), fresh)


def committed_results(study: str) -> Results:
    """The frozen results that the prose cites, in results/ or where FACTMIX_RESULTS says."""
    return read(Path(os.environ.get("FACTMIX_RESULTS", ROOT / "results")) / study)


def local_runs() -> list[Results]:
    """Every finished study below runs/, or where FACTMIX_RUNS says, by name.

    A run that does not say which study it is of, such as one of older code, has no page, which is
    said while the book is built.
    """
    folder = Path(os.environ.get("FACTMIX_RUNS", ROOT / "runs"))
    runs = []
    for file in sorted(folder.glob("*/results.json")):
        try:
            load_kept(Paths(file.parent).study)
        except StudyError as error:
            logger.info("no page for %s: %s", file.parent, error)
        else:
            runs.append(read(file.parent, fresh=True))
    return runs


def of_page(app: Sphinx, docname: str) -> Results:
    """Whose numbers a page shows: of the run that it is the page of, or the committed ones."""
    runs: dict[str, Results] = app.factmix_runs  # type: ignore[attr-defined]
    committed: Results = app.factmix_committed  # type: ignore[attr-defined]
    again: Results = app.factmix_seeds  # type: ignore[attr-defined]
    if docname.startswith(RUN_PAGES):
        return runs[docname.removeprefix(RUN_PAGES)]
    of_seeds = (SEEDS_PAGE, f"_generated/notebooks/{SEEDS_NOTEBOOK}")
    return again if docname in of_seeds else committed


def write_if_changed(path: Path, content: str | bytes) -> Path:
    """Leaves a file with this content alone, so that Sphinx rebuilds only what has changed."""
    data = content.encode() if isinstance(content, str) else content
    if not path.is_file() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return path
