"""What is kept of a finished study: its results, and the small files that its figures need."""

import re
import shutil
from pathlib import Path

from factmix.results.answers import CompareError, check_current, check_files
from factmix.study.files import written_whole
from factmix.study.load import load_kept
from factmix.study.paths import Paths
from factmix.study.spec import Study


def freeze(study: Study, paths: Paths, into: Path) -> list[Path]:
    """Copies what is small of a finished study: its results, and what figures are drawn from.

    The copy has the layout of the run, so that `Paths(into)` finds everything in it. Runs and
    pages in it of arms or seeds that the study no longer has are removed.

    Args:
        study: the study.
        paths: its finished run.
        into: the folder that receives the copy, such as results/embedded.

    Returns:
        the files that were written.

    Raises:
        CompareError: something is missing, or the results are of the study as it was before a
            change; nothing has been copied then.
        StudyError: the results do not say which study they are of.
    """
    check_files(study, paths)
    check_current(study, paths)
    if not paths.results.is_file():
        raise CompareError(
            f"study {study.name}: {paths.results} does not exist; "
            f"make it with: factmix results {study.name}"
        )
    if load_kept(paths.study) != study:
        raise CompareError(
            f"study {study.name} has changed since {paths.results} was made; "
            f"make it again with: make study STUDY={study.name}"
        )
    folders = [paths.run(run) for run in study.all_runs()]
    tables = ("metrics", "trajectory", "rewards", "predictions")
    names = ("run.json", *(f"{table}.parquet" for table in tables))
    # Of many seeds the pages of the first, whose numbers results.json has.
    kept = {run.name for run in study.runs()}
    sources = [paths.results, paths.study, paths.data_report]
    sources += [paths.run(run) / "predictions.parquet" for run in study.base_runs()]
    sources += [folder / name for folder in folders for name in names if (folder / name).is_file()]
    sources += [page for page in _pages(paths) if page.stem in kept or not _of_arm(page)]
    optional = (paths.learning_rate, paths.shortcuts)
    sources += [source for source in optional if source.is_file()]
    for run in sorted(into.glob("*/run.json")):
        if paths.root / run.parent.name not in folders:
            shutil.rmtree(run.parent)
    for page in _pages(Paths(into)):
        if _of_arm(page) and page.stem not in kept:
            page.unlink()
    targets = [into / source.relative_to(paths.root) for source in sources]
    for source, target in zip(sources, targets, strict=True):
        with written_whole(target) as part:
            shutil.copyfile(source, part)
    return targets


def _pages(paths: Paths) -> list[Path]:
    return sorted((paths.root / "notebooks").glob("*.ipynb"))


def _of_arm(page: Path) -> bool:
    return re.search(r"-s\d+$", page.stem) is not None
