"""The path of every file of a study's run, and the folders that environment variables name."""

import os
from dataclasses import dataclass
from pathlib import Path

from factmix.study.run import BASE, BaseRun, Run, Sample, WarmStartRun
from factmix.study.settings import Model
from factmix.study.spec import Study


def _root() -> Path:
    """The checkout that this file is in; of a package that was copied, the working folder."""
    checkout = Path(__file__).resolve().parents[3]
    return checkout if (checkout / "studies").is_dir() else Path.cwd()


ROOT = _root()


CACHED = "cache:"  # begins the path of a model that `factmix fetch` puts into the cache folder


def model_folder(model: Model) -> Path:
    """The folder that a model's path names; a hub id names none that exists.

    `cache:NAME` is a folder of `cache`; other paths are from the checkout.
    """
    if model.path.startswith(CACHED):
        return cache() / model.path.removeprefix(CACHED)
    return ROOT / os.path.expanduser(model.path)  # noqa: PTH111 - Path's raises for unknown users


class FolderError(ValueError):
    """An environment variable names a folder that cannot be found, or none is known."""


def folder_in(variable: str) -> Path | None:
    """The folder that an environment variable names; None where it is unset or empty.

    As in a shell, `~` is the home folder: files of variables and container settings pass it on
    unchanged.

    Raises:
        FolderError: the value begins with `~`, and that home folder is not known.
    """
    value = os.environ.get(variable)
    if not value:
        return None
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise FolderError(
            f"{variable}: got '{value}', and this user's home folder is not known; expected a path"
            " without ~, or set HOME"
        ) from None


def cache() -> Path:
    """The folder for downloads, and for what is made from them.

    Raises:
        FolderError: FACTMIX_CACHE is not set, and the user has no home folder.
    """
    named = folder_in("FACTMIX_CACHE")
    if named:
        return named
    import pooch  # with tqdm, which warns in notebooks: only where it is needed

    try:
        return Path(pooch.os_cache("factmix")).expanduser()
    except RuntimeError:
        raise FolderError(
            "FACTMIX_CACHE: not set, and this user has no home folder for downloads; set it to a"
            " folder that can be written to"
        ) from None


def runs() -> Path:
    """The folder of all studies' runs: FACTMIX_RUNS, or runs/ of the checkout."""
    return folder_in("FACTMIX_RUNS") or ROOT / "runs"


@dataclass(frozen=True)
class Paths:
    """The files of one study's run, in runs/<study>/ or, as in tests, another folder."""

    root: Path

    @classmethod
    def of(cls, study: Study) -> "Paths":
        return cls(runs() / study.name)

    @property
    def data(self) -> Path:
        """Folder of the datasets' examples, the evaluation sets and the training samples."""
        return self.root / "data"

    def pool(self, dataset: str) -> Path:
        return self.data / f"{dataset}.parquet"

    @property
    def evaluation(self) -> Path:
        """The evaluation set of the study's own protocol."""
        return self.data / "evaluation.parquet"

    def sample(self, sample: Sample) -> Path:
        """The drawn examples of a sample."""
        return self.data / f"{sample.name}.parquet"

    @property
    def data_report(self) -> Path:
        return self.data / "report.json"

    @property
    def shortcuts(self) -> Path:
        """Accuracy of bag-of-words classifiers."""
        return self.data / "shortcuts.json"

    def run(self, run: Run | BaseRun | WarmStartRun) -> Path:
        """Folder with predictions.parquet; of what is trained, adapter/, run.json and tables."""
        return self.root / run.name

    def warm_start_of(self, run: Run | BaseRun) -> Path | None:
        """Folder of the adapter with which the base model of a run starts; None without."""
        return self.run(run.warm_start) / "adapter" if run.warm_start else None

    def arm(self, arm: str, seed: int) -> Path:
        """The folder of a run, given only the names of its arm and seed."""
        return self.root / f"{arm}-s{seed}"

    @property
    def base(self) -> Path:
        """Folder with the base model's predictions.parquet."""
        return self.root / BASE

    @property
    def card(self) -> Path:
        """What was measured of the base model before any arm was trained."""
        return self.base / "card.json"

    @property
    def warm_start(self) -> Path:
        """What is kept of a warm start: its record, and the loss of each step."""
        return self.root / "warm_start.json"

    @property
    def plan(self) -> Path:
        """What `factmix plan --json` said on the machine that trained the study; kept by hand."""
        return self.root / "plan.json"

    @property
    def supervised(self) -> Path:
        """Folder with what labels taught the base model, a file for each set (supervised.md)."""
        return self.root / "supervised"

    @property
    def unseen(self) -> Path:
        """A folder for each dataset that the study does not have and that all systems answered.

        It has predictions.parquet, and numbers.json about them.
        """
        return self.root / "unseen"

    @property
    def learning_rate(self) -> Path:
        """The learning rates that the search tried, and the one it chose."""
        return self.root / "learning_rate.json"

    @property
    def results(self) -> Path:
        return self.root / "results.json"

    @property
    def study(self) -> Path:
        """The study as it was when the results were made; see `load_kept`."""
        return self.root / "study.json"
