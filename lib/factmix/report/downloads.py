"""The results as files that readers can open, beside the built pages, and what is in them.

They lie below downloads/ in the built book, under the paths that they have in the repository.
Tables are CSV, one for all runs of a study, since not every reader can open Parquet.
"""

import json
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.csv import WriteOptions, write_csv

from factmix.report.markdown import table
from factmix.report.sources import BENCHMARKS, PUBLISHED, Results
from factmix.report.templates import render
from factmix.results import dictionary, rerun_diff
from factmix.results.numbers import amount

FOLDER = "downloads"
# What each file is; those that a study does not have are left out.
FILES = {
    "results.json": "every number that is compared, with interval, n and run",
    "study.json": "every setting of the study that these results are of",
    "predictions.csv": "every answer of every arm on its evaluation set",
    "clean.csv": "answers to the study's own evaluation set of arms that have another one",
    "trajectory.csv": "answers on a part of the evaluation set, at several steps of training",
    "metrics.csv": "what was logged at every training step",
    "rewards.csv": "what an answer to each training claim earns before and after training",
    "runs.json": "how, when and on what each arm was trained, with the checksum of its adapter",
    "data/report.json": "what was drawn, and what training and evaluation share",
    "data/shortcuts.json": "classifiers that read the words and nothing else",
    "learning_rate.json": "the search for the learning rate",
    "base/card.json": "what the base model can tell and learn, and the tests that it had to pass",
    "warm_start.json": "how and on what the warm start was trained, and the loss of each step",
    "plan.json": "what `factmix plan` says of the study",
    "supervised/own.json": "what labels of an arm's own claims taught the base model",
    "supervised/warm_start.json": "what labels of the warm start taught the base model",
    "unseen/fever_symmetric/numbers.json": "how every system answered FEVER-symmetric",
    rerun_diff.RECORD: "these results beside those of a rerun",
    rerun_diff.ANSWERS_RECORD: "the answers of some runs beside those of the same runs made again",
}


def of_study(results: Results) -> dict[str, bytes]:
    """The files of one study's results, and the YAML of the study as it is now, by path."""
    kept = {name: results.root / name for name in FILES if (results.root / name).is_file()}
    records = json.dumps(rerun_diff.run_records(results.root), indent=2) + "\n"
    made = {name: file.read_bytes() for name, file in kept.items()}
    tables = [name for name in dictionary.TABLES if any(results.root.glob(f"*/{name}.parquet"))]
    made |= {f"{name}.csv": csv(results, name) for name in tables}
    made["runs.json"] = records.encode()
    files = {f"{FOLDER}/{results.place}/{name}": content for name, content in made.items()}
    if results.study_file.is_file():
        place = f"{FOLDER}/studies/{results.study_file.name}"
        files[place] = results.study_file.read_bytes()
    return files


def elsewhere() -> dict[str, bytes]:
    """The files of numbers that are of no study of ours, by path."""
    return {
        f"{FOLDER}/results/{file.parent.name}/{file.name}": file.read_bytes()
        for file in (PUBLISHED / "derived.json", *sorted(BENCHMARKS.glob("*.json")))
    }


def csv(results: Results, name: str) -> bytes:
    """The table of all runs, with the column `run` in front."""
    untrained = [results.paths.run(each) for each in results.study.base_runs()]
    runs = {*rerun_diff.run_records(results.root), *(folder.name for folder in untrained)}
    files = sorted(results.root.glob(f"*/{name}.parquet"))
    whole = pa.concat_tables(
        [
            rows.add_column(0, "run", pa.array([file.parent.name] * len(rows)))
            for file in files
            if file.parent.name in runs
            for rows in [pq.read_table(file, partitioning=None)]
        ],
        promote_options="permissive",
    )
    written = pa.BufferOutputStream()
    write_csv(whole, written, WriteOptions(quoting_style="needed"))
    content: bytes = written.getvalue().to_pybytes()
    return content


def tables(
    default: Results, asides: Mapping[str, Results], made: Mapping[str, bytes], up: str = "../"
) -> dict[str, str]:
    """What the page of downloads includes: files, checksums, and the data dictionary; by name.

    Args:
        default: the committed results.
        asides: other committed results, by a short name.
        made: what `of_study` gave for all.
        up: from the page to the root of the built book.
    """
    described = {
        "run": ("key", dictionary.RUN),
        "leaf": ("key", dictionary.LEAF),
        "results": ("key", dictionary.RESULTS),
        "metric": ("metric", dictionary.METRIC_MEANINGS),
        "places": ("name", {f"<{at}>": text for at, (text, _) in dictionary.PLACES.items()}),
    }
    first = {"run": "folder of the run, such as `hard_only-s0`; only in the CSV file"}
    for name, columns in dictionary.TABLES.items():
        described[name] = ("column", first | columns)
    return {
        "downloads": files(default, made, up),
        "adapters": adapters(default),
        **{f"downloads-{name}": files(results, made, up) for name, results in asides.items()},
        **{f"adapters-{name}": adapters(results) for name, results in asides.items()},
        "rerun": rerun(default),
        **{f"dictionary-{name}": _meanings(*about) for name, about in described.items()},
    }


def _meanings(of: str, described: Mapping[str, str]) -> str:
    rows = [[f"`{entry}`".replace("|", "\\|"), meaning] for entry, meaning in described.items()]
    return table([of, "meaning"], rows)


def files(results: Results, made: Mapping[str, bytes], up: str) -> str:
    """The table of a study's files; see `tables`."""
    rows = []
    for name, content in FILES.items():
        place = f"{FOLDER}/{results.place}/{name}"
        if place in made:
            link = f'<a href="{up}{place}" download>{name}</a>'
            rows.append([link, content, f"{amount(max(1, len(made[place]) // 1000))}\u00a0kB"])
    return table(["file", "content", "size"], rows)


def adapters(results: Results) -> str:
    """The checksum of each trained adapter, as its run has it."""
    sums = {
        name: run.get("adapter_sha256")
        for name, run in rerun_diff.run_records(results.root).items()
    }
    rows = [[f"`{name}`", f"`{each}`" if each else "not recorded"] for name, each in sums.items()]
    return table(["run", "SHA-256 of adapter_model.safetensors"], rows)


def rerun(results: Results) -> str:
    """The committed results beside a rerun, as `factmix rerun-diff --freeze` has kept it.

    The rerun may be of some runs only, which are compared by their answers.
    """
    kept, reruns = rerun_diff.recorded(results.paths), rerun_diff.recorded_answers(results.paths)
    for again in reruns:
        again["origin"] = rerun_diff.Origin(**again["fresh"])
        again["of"] = len(results.study.all_runs())
        rows = [
            [f"`{name}`", f"{run['examples']:,}", f"{run['same']:,}", f"{run['largest']:.2g}"]
            for name, run in again["runs"].items()
        ]
        again["table"] = table(
            ["run", "claims", "same answer", "largest difference of a probability"], rows
        )
    if kept:
        kept["origin"] = rerun_diff.Origin(**kept["fresh"])
        sides = ("committed", "fresh", "difference")
        rows = [
            [unit or "none", f"`{row['key']}`", *(f"{row[side]:.6g}" for side in sides)]
            for unit, row in kept["largest"].items()
        ]
        header = ["unit", "number", "committed", "rerun", "difference"]
        kept["table"] = table(header, rows) if rows else ""
    return render("rerun.md.j2", kept=kept, reruns=reruns)
