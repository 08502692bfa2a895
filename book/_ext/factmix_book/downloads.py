"""The results as files that readers can open, beside the built pages, and what is in them.

They lie below downloads/ in the built book, under the paths that they have in the repository.
Tables are CSV, one for all runs of a study, since not every reader can open Parquet.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from factmix.results import dictionary, rerun_diff
from factmix.results.numbers import amount
from factmix_book.published_study import BENCHMARKS, Published
from factmix_book.sources import Results, write_if_changed
from factmix_book.tables import markdown

FOLDER = "downloads"
# What each file is; those that a study does not have are left out.
FILES = {
    "results.json": "every number that is compared, with interval, n and run",
    "study.json": "every setting of the study that these results are of",
    "predictions.csv": "every answer of every arm on the evaluation set",
    "trajectory.csv": "answers on a part of the evaluation set, at several steps of training",
    "metrics.csv": "what was logged at every training step",
    "rewards.csv": "what an answer to each training claim earns before and after training",
    "runs.json": "how, when and on what each arm was trained, with the checksum of its adapter",
    "data/report.json": "what was drawn, and what training and evaluation share",
    "data/shortcuts.json": "classifiers that read the words and nothing else",
    "learning_rate.json": "the search for the learning rate",
    rerun_diff.RECORD: "these results beside those of a rerun",
}


def address(place: str) -> str:
    """Where the built book has a file, from its root; `place` is its path in the repository."""
    return f"{FOLDER}/{place}"


def write(results: Results, into: Path) -> set[Path]:
    """Writes the files of one study's results, and the YAML of the study as it is now.

    Args:
        results: committed, or of a run on this machine.
        into: the folder that becomes the root of the built book.
    """
    folder = into / FOLDER / results.place
    written = {
        _copy(results.root / name, folder / name)
        for name in FILES
        if (results.root / name).is_file()
    }
    for table in dictionary.TABLES:
        written.add(write_if_changed(folder / f"{table}.csv", _csv(results, table)))
    text = json.dumps(rerun_diff.run_records(results.root), indent=2) + "\n"
    written.add(write_if_changed(folder / "runs.json", text))
    if results.study_file.is_file():
        place = f"studies/{results.study_file.name}"
        written.add(_copy(results.study_file, into / address(place)))
    return written


def write_elsewhere(published: Published, into: Path) -> set[Path]:
    """Writes the files of numbers that are of no study of ours."""
    files = [published.file, *sorted(BENCHMARKS.glob("*.json"))]
    return {
        _copy(file, into / address(f"results/{file.parent.name}/{file.name}")) for file in files
    }


def _copy(source: Path, target: Path) -> Path:
    return write_if_changed(target, source.read_bytes())


def _csv(results: Results, table: str) -> str:
    """The table of all runs, with the column `run` in front."""
    untrained = [results.paths.run(each) for each in results.study.base_runs()]
    runs = {*rerun_diff.run_records(results.root), *(folder.name for folder in untrained)}
    files = sorted(results.root.glob(f"*/{table}.parquet"))
    kept = [file for file in files if file.parent.name in runs]
    frames = [pd.read_parquet(file).assign(run=file.parent.name) for file in kept]
    rows = pd.concat(frames, ignore_index=True)
    return str(rows[["run", *rows.columns.drop("run")]].to_csv(index=False))


def files(results: Results, written: Path, up: str) -> str:
    """The table of a study's files.

    Args:
        results: whose files.
        written: the folder that `write` was given.
        up: from the page that has the table to the root of the built book, such as "../".
    """
    rows = []
    for name, content in FILES.items():
        place = f"{results.place}/{name}"
        file = written / address(place)
        if file.is_file():
            link = f'<a href="{up}{address(place)}" download>{name}</a>'
            rows.append([link, content, f"{amount(max(1, file.stat().st_size // 1000))}\u00a0kB"])
    return markdown(["file", "content", "size"], rows)


def adapters(results: Results) -> str:
    """The checksum of each trained adapter, as its run has it."""
    rows = [
        [
            f"`{name}`",
            f"`{run['adapter_sha256']}`" if "adapter_sha256" in run else "not recorded",
        ]
        for name, run in rerun_diff.run_records(results.root).items()
    ]
    return markdown(["run", "SHA-256 of adapter_model.safetensors"], rows)


def tables(results: Results, again: Results, html: Path, into: Path) -> set[Path]:
    """Writes what the page of downloads includes: files, checksums, and the data dictionary.

    Args:
        results: the committed ones.
        again: those of other seeds.
        html: the folder that `write` was given.
        into: the folder of the tables.
    """
    made = {
        "downloads": files(results, html, "../"),
        "downloads-seeds": files(again, html, "../"),
        "adapters": adapters(results),
        "adapters-seeds": adapters(again),
        "rerun": rerun(results),
        "dictionary-run": _meanings(dictionary.RUN, "key"),
        "dictionary-leaf": _meanings(dictionary.LEAF, "key"),
        "dictionary-results": _meanings(dictionary.RESULTS, "key"),
        "dictionary-metric": _meanings(dictionary.METRIC_MEANINGS, "metric"),
        "dictionary-places": _meanings(
            {f"<{place}>": text for place, (text, _) in dictionary.PLACES.items()}, "name"
        ),
    }
    for table, columns in dictionary.TABLES.items():
        first = {"run": "folder of the run, such as `hard_only-s0`; only in the CSV file"}
        made[f"dictionary-{table}"] = _meanings(first | columns, "column")
    return {write_if_changed(into / f"{name}.md", text) for name, text in made.items()}


def _meanings(described: Mapping[str, str], of: str) -> str:
    rows = [[f"`{entry}`".replace("|", "\\|"), meaning] for entry, meaning in described.items()]
    return markdown([of, "meaning"], rows)


def rerun(results: Results) -> str:
    """The committed results beside a rerun, as `factmix rerun-diff --freeze` has kept it."""
    kept = rerun_diff.recorded(results.paths)
    if kept is None:
        return "These results were not yet compared with a rerun.\n"
    origin = rerun_diff.Origin(**kept["fresh"])
    text = (
        f"The rerun: {origin}, on {', '.join(origin.devices) or 'a device that is not recorded'}. "
        f"Of {kept['compared']:,} numbers that both have, {kept['same']:,} are the same. "
        f"{len(kept['only_committed']):,} are in the committed results only, "
        f"{len(kept['only_fresh']):,} in the rerun's.\n"
    )
    rows = [
        [unit or "none", f"`{row['key']}`", *(f"{row[name]:.6g}" for name in _SIDES)]
        for unit, row in kept["largest"].items()
    ]
    if not rows:
        return text
    table = markdown(["unit", "number", "committed", "rerun", "difference"], rows)
    return f"{text}\nThe largest difference in each unit:\n\n{table}"


_SIDES = ("committed", "fresh", "difference")
