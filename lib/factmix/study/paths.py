"""Where everything is, and files that are written whole or not at all."""

import os
from dataclasses import dataclass
from pathlib import Path

from factmix.study.spec import Study


def _root() -> Path:
    """The checkout that this file is in; of a package that was copied, the working folder."""
    checkout = Path(__file__).resolve().parents[3]
    return checkout if (checkout / "studies").is_dir() else Path.cwd()


ROOT = _root()


@dataclass(frozen=True)
class Paths:
    """The files of one study's run, below runs/<study>/ (or another folder, such as in tests)."""

    root: Path

    @classmethod
    def of(cls, study: Study) -> "Paths":
        return cls(Path(os.environ.get("FACTMIX_RUNS", ROOT / "runs")) / study.name)

    @property
    def data(self) -> Path:
        """Folder with every example, the evaluation set and the training samples."""
        return self.root / "data"

    def pool(self, dataset: str) -> Path:
        return self.data / f"{dataset}.parquet"

    @property
    def evaluation(self) -> Path:
        return self.evaluation_of("")

    def evaluation_of(self, variant: str) -> Path:
        """The evaluation set, or the one of an arm whose protocol is not the study's."""
        return self.data / f"{_joined('evaluation', variant)}.parquet"

    def train(self, mixture: str, variant: str = "") -> Path:
        """A mixture's training sample; see `Study.training_sample`."""
        return self.data / f"{_joined('train', mixture, variant)}.parquet"

    @property
    def data_report(self) -> Path:
        return self.data / "report.json"

    @property
    def shortcuts(self) -> Path:
        """Accuracy of classifiers that read the words and nothing else."""
        return self.data / "shortcuts.json"

    def arm(self, arm: str, seed: int) -> Path:
        """Folder with adapter/, run.json, and Parquet: metrics, trajectory, predictions."""
        return self.root / f"{arm}-s{seed}"

    @property
    def base(self) -> Path:
        """Folder with the untrained model's predictions.parquet."""
        return self.base_of("")

    def base_of(self, variant: str) -> Path:
        """The same for a variant of the evaluation set; see `Study.evaluation_samples`."""
        return self.root / _joined("base", variant)

    @property
    def learning_rate(self) -> Path:
        """What the search for the learning rate tried and chose."""
        return self.root / "learning_rate.json"

    @property
    def results(self) -> Path:
        return self.root / "results.json"

    @property
    def study(self) -> Path:
        """The study that the results are of, whatever its YAML says by now; see `load_kept`."""
        return self.root / "study.json"


def _joined(*parts: str) -> str:
    return "-".join(part for part in parts if part)
