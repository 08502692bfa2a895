"""Where everything is, and files that are written whole or not at all."""

import hashlib
import json
import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from factmix.study import Study, StudyError
from factmix.study_file import load_study

ROOT = Path(__file__).resolve().parents[2]


def find_study(name: str) -> Study:
    """The study of that name in studies/; StudyError lists the names there are."""
    folder = ROOT / "studies"
    if Path(name).name != name or name.endswith(".yaml"):
        known = ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
        raise StudyError(
            f"'{name}': a study is named without folder and .yaml, and lies in {folder};"
            f" expected one of: {known}"
        )
    return load_study(folder / f"{name}.yaml")


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


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    with written_whole(path) as part:
        part.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    with written_whole(path) as part:
        frame.to_parquet(part, index=False)


def sha256(path: Path) -> str:
    """Of a file's content, as hexadecimal digits."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def peak_memory_gb(usage: resource.struct_rusage | None = None) -> float:
    """The most resident memory that a process has had, in units of 2**30 bytes.

    Args:
        usage: what the system says of a process; by default of this one.
    """
    usage = usage or resource.getrusage(resource.RUSAGE_SELF)
    # in bytes on macOS, in units of 1,024 bytes elsewhere
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 2**10) / 2**30
