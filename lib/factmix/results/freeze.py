"""What is kept of a finished study: its results, and the small files that its figures need."""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from factmix.results.answers import (
    CompareError,
    check_current,
    check_files,
    so_far,
)
from factmix.results.compare import compute
from factmix.results.results_json import differences
from factmix.study.files import read_attributes, read_record, rows_sha256, sha256, write_json
from factmix.study.freshness import BASE_MODEL
from factmix.study.load import load_kept
from factmix.study.paths import Paths
from factmix.study.run import BASE, PREDICTIONS, Run
from factmix.study.spec import Study
from factmix.training.columns import LOSSES, TABLES, TRAINED


def freeze(
    study: Study, paths: Paths, into: Path, *, incomplete: bool = False, pages: bool = True
) -> list[Path]:
    """Copies what is small of a finished study: its results, and what figures are drawn from.

    The copy has the layout of the run, so that `Paths(into)` finds everything in it. Runs and
    pages in it of arms or seeds that the study no longer has are removed. A run that was taken over
    from a committed study is kept there alone, and here is a link to it; so are answers of a base
    model that a study beside this one has, by the byte. Where those of this study change, studies
    that had a link to them get copies of what they were.

    Args:
        study: the study.
        paths: its finished run.
        into: the folder that receives the copy, such as results/main.
        incomplete: whether to copy what is finished of a study that is not. Its results are those
            of `compare` with the same argument, and all its finished runs are copied.
        pages: whether to copy the executed notebooks.

    Returns:
        the files that were written.

    Raises:
        CompareError: something is missing, the results are of the study as it was before a change,
            they do not follow from the answers, or the card of the base model is of other weights;
            `into` is then as it was.
        DamagedError: a file that would be copied is not as it was written.
        StudyError: the results do not say which study they are of.
    """
    runs = study.all_runs()
    known = {run.name for run in runs}
    if incomplete:
        study, runs = so_far(study, paths)
    check_files(study, paths)
    check_current([*study.base_runs(), *runs], paths)
    if not paths.results.is_file():
        raise CompareError(
            f"study {study.name}: {paths.results} does not exist; "
            f"make it with: factmix results {study.name}"
        )
    if load_kept(paths.study) != study:
        so_far_too = f", or of an incomplete study: factmix results {study.name} --so-far"
        raise CompareError(
            f"study {study.name} has changed since {paths.results} was made, or more of it is"
            f" finished; make it again with: make study STUDY={study.name}"
            f"{so_far_too if incomplete else ''}"
        )
    taken = {run.name: source for run in runs if (source := _kept_elsewhere(run, paths, into))}
    own = [run for run in runs if run.name not in taken]
    # Of many seeds the pages of the first, whose numbers results.json has.
    kept = {run.name for run in study.runs()}
    sources = [paths.results, paths.study, paths.data_report]
    sources += [paths.run(run) / PREDICTIONS for run in study.base_runs()]
    files = [paths.run(run) / name for run in own for name in (*TRAINED, *run.answers())]
    sources += [file for file in files if file.is_file()]
    if pages:
        sources += [page for page in _pages(paths) if page.stem in kept or not _of_arm(page)]
    _check_measured(study, paths, Paths(into))
    optional = (paths.learning_rate, paths.shortcuts)
    sources += [source for source in optional if source.is_file()]
    sources += [file for _, file in _measured(paths)]
    sources += sorted(paths.unseen.glob(f"*/{PREDICTIONS}"))
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{into.name}-", dir=into.parent) as folder:
        aside = Path(folder)
        copies = [aside / source.relative_to(paths.root) for source in sources]
        for source, copy in zip(sources, copies, strict=True):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
        if made := _warm_start(study, paths):
            copies.append(aside / Paths(aside).warm_start.name)
            write_json(copies[-1], made)
        for name, source in taken.items():
            (aside / name).symlink_to(source.resolve())
        _check_results(study, Paths(aside), paths)
        targets = [into / copy.relative_to(aside) for copy in copies]
        _unlink_others(into, dict(zip(targets, copies, strict=True)))
        for link in [each for each in into.glob("*") if each.is_symlink()]:
            link.unlink()
        for run in sorted(into.glob("*/run.json")):
            if run.parent.name not in known or run.parent.name in taken:
                shutil.rmtree(run.parent)
        bases = {run.name for run in study.base_runs()}
        for base in sorted(into.glob("base-*/predictions.parquet")):
            if base.parent.name not in bases:
                base.unlink()
        for page in _pages(Paths(into)):
            if _of_arm(page) and page.stem not in kept:
                page.unlink()
        for copy, target in zip(copies, targets, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            copy.replace(target)
        for name, source in taken.items():
            (into / name).symlink_to(Path("..", *source.parts[-2:]))
        _link_base(study, into)
    return targets


def _warm_start(study: Study, paths: Paths) -> dict[str, Any]:
    """What is kept of a warm start, whose adapter is not: its record, and the loss of each step."""
    run = study.warm_start_run()
    if run is None or not (paths.run(run) / "run.json").is_file():
        return {}
    losses = pd.read_parquet(paths.run(run) / LOSSES)["loss"]
    return read_record(paths.run(run) / "run.json") | {"losses": losses.tolist()}


def _link_base(study: Study, into: Path) -> None:
    """Keeps answers of a base model that a study beside `into` has, by the byte, there alone."""
    for run in study.base_runs():
        own = into / run.name / PREDICTIONS
        for other in sorted(into.parent.glob(f"[!.]*/{run.name}/{PREDICTIONS}")):
            linked = other.is_symlink() or other.parents[1].is_symlink()
            if not linked and other != own and sha256(other) == sha256(own):
                own.unlink()
                own.symlink_to(Path("..", "..", *other.parts[-3:]))
                break


def _unlink_others(into: Path, coming: Mapping[Path, Path]) -> None:
    """Gives studies beside `into` copies of answers that they have from there, if these change.

    Args:
        into: with the answers of base models as they were.
        coming: the files that will be in their places.
    """
    for own in into.glob(f"{BASE}*/{PREDICTIONS}"):
        if own.is_symlink() or (own in coming and sha256(coming[own]) == sha256(own)):
            continue
        for link in into.parent.glob(f"[!.]*/{own.parent.name}/{PREDICTIONS}"):
            if link.is_symlink() and link.resolve() == own.resolve():
                content = link.read_bytes()
                link.unlink()
                link.write_bytes(content)


def _kept_elsewhere(run: Run, paths: Paths, into: Path) -> Path | None:
    """The committed run of another study, beside `into`, that a run is a copy of, name and all."""
    record = paths.run(run) / "run.json"
    taken_from = str(read_record(record).get("taken_from", ""))
    source = (into.parent / taken_from).resolve()
    if source.name != run.name or source.parent in (into.resolve(), into.parent.resolve()):
        return None
    for name in (*TABLES, *run.answers()):
        file = source / name
        if not file.is_file() or rows_sha256(file) != rows_sha256(record.parent / name):
            return None
    return source


def _check_results(study: Study, copied: Paths, run: Paths) -> None:
    """Raises CompareError unless the copied answers give the copied results.json."""
    kept = json.loads(copied.results.read_text(encoding="utf-8"))
    kept.pop("missing", None)
    again = json.loads(json.dumps(compute(study, copied)))
    entries = differences(kept, again)
    other = entries.index[~entries["same"].astype(bool)]
    if len(other):
        raise CompareError(
            f"{run.results}: {len(other)} numbers, such as {other[0]}, do not follow from the"
            f" answers in {run.root}; make them again with: factmix results {study.name}"
        )


def _measured(paths: Paths) -> Iterator[tuple[str, Path]]:
    """The notebooks that measure models beside the workflow, and the files that they wrote."""
    files = [
        ("base_model", paths.card),
        *(("supervised", file) for file in sorted(paths.supervised.glob("*.json"))),
        *(("unseen", file) for file in sorted(paths.unseen.glob("*/numbers.json"))),
    ]
    return ((notebook, file) for notebook, file in files if file.is_file())


def _check_measured(study: Study, paths: Paths, kept: Paths) -> None:
    """Raises CompareError if what would be kept was measured on other weights than the answers."""
    (base,) = [run for run in study.base_runs() if run.name == BASE]
    answered = read_attributes(paths.run(base) / PREDICTIONS).get("depends_on", {})
    files = {  # those of the run replace what is kept
        file.relative_to(each.root): (notebook, file)
        for each in (kept, paths)
        for notebook, file in _measured(each)
    }
    for notebook, file in files.values():
        measured = json.loads(file.read_text(encoding="utf-8"))
        now = {
            run.arm: read_record(paths.run(run) / "run.json")["adapter_sha256"]
            for run in study.runs(measured.get("seed"))
            if run.arm in measured.get("adapters", {})
        }
        same_base = all(measured.get(key) == answered.get(key) for key in BASE_MODEL)
        answers = file.with_name(PREDICTIONS)  # the base model's own are beside its card
        of = measured.get("answers_sha256")
        same_answers = of is None or (answers.is_file() and rows_sha256(answers) == of)
        if not same_base or not same_answers or now != measured.get("adapters", {}):
            raise CompareError(
                f"{file} is of another model than the one that the runs start from, or that they"
                f" trained; measure that with: factmix notebook notebooks/{notebook}.md"
                f" {paths.root / 'notebooks' / notebook}.ipynb -p study={study.name}"
                f"{f' -p labels={file.stem}' if notebook == 'supervised' else ''}"
            )


def _pages(paths: Paths) -> list[Path]:
    return sorted((paths.root / "notebooks").glob("*.ipynb"))


def _of_arm(page: Path) -> bool:
    return re.search(r"-s\d+$", page.stem) is not None
