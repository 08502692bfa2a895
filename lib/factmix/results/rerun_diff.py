"""Differences between a fresh run of a study and its committed results."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from factmix.results.results_json import differences
from factmix.study.files import rows_sha256, sha256, write_json
from factmix.study.load import load_kept
from factmix.study.paths import Paths
from factmix.study.run import PREDICTIONS
from factmix.training.columns import PROBABILITIES

# Time and memory depend on the machine.
OF_MACHINE = r"\.(?:seconds|peak_memory_gb)$"
RECORD = "rerun_diff.json"
ANSWERS_RECORD = "rerun_answers.json"


class RerunDiffError(RuntimeError):
    """Two folders cannot be compared, or the comparison is not one of a rerun."""


@dataclass(frozen=True)
class Origin:
    """Where a folder of results comes from.

    Attributes:
        commits: of the code that trained the arms, with "+" where files differed from the commit.
        devices: on which the arms were trained.
        finished: when the last arm was trained, ISO 8601; empty where this is not recorded.
    """

    commits: tuple[str, ...]
    devices: tuple[str, ...]
    finished: str

    @property
    def day(self) -> str:
        """Such as 5 May 2026, with non-breaking spaces; empty where it is not recorded."""
        if not self.finished:
            return ""
        return f"{datetime.fromisoformat(self.finished):%-d %B %Y}".replace(" ", "\u00a0")

    def __str__(self) -> str:
        commits = f"commit {', '.join(self.commits)}" if self.commits else "commit not recorded"
        return f"{commits}, {self.day or 'date not recorded'}"


def origin(root: Path) -> Origin:
    """The origin of the arms in a folder such as results/main."""
    return _origin(run_records(root).values())


def _origin(records: Iterable[Mapping[str, Any]]) -> Origin:
    runs = list(records)

    def each(key: str) -> tuple[str, ...]:
        return tuple(sorted({run[key] for run in runs if run.get(key)}))

    finished = max(each("finished"), key=datetime.fromisoformat, default="")
    return Origin(each("git_commit"), each("device"), finished)


def comparable(committed: Mapping[str, Any], fresh: Mapping[str, Any]) -> pd.DataFrame:
    """The numbers of two results.json side by side, without time and memory.

    Returns:
        columns key (dotted), unit, committed, fresh and difference (fresh minus committed); one
        row for each number that either has, NaN where one lacks it.
    """
    entries = differences(committed, fresh)
    values = entries[entries.index.str.endswith(".value")]
    sides = values[["committed", "fresh"]].apply(pd.to_numeric)
    sides = sides.set_axis(values.index.str.removesuffix(".value"))
    units = entries.loc[sides.index + ".unit"]
    sides.insert(0, "unit", units["fresh"].fillna(units["committed"]).to_numpy())
    frame = sides.dropna(subset=["committed", "fresh"], how="all").rename_axis("key").reset_index()
    frame["difference"] = frame["fresh"] - frame["committed"]
    of_study: pd.DataFrame = frame[~frame["key"].str.contains(OF_MACHINE)]
    return of_study.reset_index(drop=True)


def rerun_diff(committed: Paths, fresh: Paths) -> dict[str, Any]:
    """Compares two folders of results of one study.

    Args:
        committed: such as results/main.
        fresh: such as runs/main.

    Returns:
        study; committed_sha256, of the committed results.json; committed and fresh, their `Origin`;
        compared, how many numbers both have; same, how many of these are equal; largest, for each
        unit with a difference the largest absolute one (difference, key, committed, fresh);
        only_committed and only_fresh, keys that only one side has; not_rerun, the runs (such as
        "balanced-s0") that are the same training on both sides.

    Raises:
        RerunDiffError: a side has no results.json, or the sides are two different studies.
    """
    left, right = _read(committed, "make freeze"), _read(fresh, "make study")
    names = [content["study"]["name"] for content in (left, right)]
    if names[0] != names[1]:
        raise RerunDiffError(
            f"{committed.results} is of the study '{names[0]}' and {fresh.results} of '{names[1]}';"
            " expected the same study on both sides"
        )
    frame = comparable(left, right)
    both = frame.dropna(subset=["committed", "fresh"])
    changed = both[both["difference"] != 0]
    order = changed["difference"].abs().sort_values(ascending=False, kind="stable").index
    largest = changed.loc[order].drop_duplicates("unit").set_index("unit")
    before, after = run_records(committed.root), run_records(fresh.root)
    return {
        "study": names[0],
        "committed_sha256": sha256(committed.results),
        "committed": asdict(origin(committed.root)),
        "fresh": asdict(origin(fresh.root)),
        "compared": len(both),
        "same": len(both) - len(changed),
        "largest": largest.to_dict("index"),
        "only_committed": frame.loc[frame["fresh"].isna(), "key"].tolist(),
        "only_fresh": frame.loc[frame["committed"].isna(), "key"].tolist(),
        "not_rerun": [
            name
            for name in sorted(before.keys() & after.keys())
            if before[name].get("finished") == after[name].get("finished")
        ],
    }


def freeze(compared: Mapping[str, Any], committed: Paths) -> Path:
    """Writes a comparison beside the committed results, where the book reads it.

    Args:
        compared: from `rerun_diff`.
        committed: the results that it is of.

    Raises:
        RerunDiffError: an arm was not trained again, or no run has a date.
    """
    _check_rerun(compared, committed)
    record = committed.root / RECORD
    write_json(record, compared)
    return record


def freeze_answers(compared: Mapping[str, Any], committed: Paths) -> Path:
    """Adds a comparison of answers to those that are kept beside the committed results.

    Args:
        compared: from `answers_diff`; replaces one of the same rerun.
        committed: the results that it is of.

    Raises:
        RerunDiffError: as `freeze` does.
    """
    _check_rerun(compared, committed)
    record = committed.root / ANSWERS_RECORD
    others = [each for each in _kept_answers(record) if each["fresh"] != compared["fresh"]]
    write_json(record, {"reruns": [*others, compared]})
    return record


def _kept_answers(record: Path) -> list[dict[str, Any]]:
    if not record.is_file():
        return []
    kept: list[dict[str, Any]] = json.loads(record.read_text(encoding="utf-8"))["reruns"]
    return kept


def _check_rerun(compared: Mapping[str, Any], committed: Paths) -> None:
    if compared["not_rerun"] or not compared["fresh"]["finished"]:
        which = ", ".join(compared["not_rerun"]) or "no run.json has a date"
        raise RerunDiffError(
            f"not a rerun of {committed.root}: these arms are the training that is committed "
            f"({which}); remove the folder of the run, and make it with: "
            f"make study STUDY={compared['study']}"
        )


def recorded(committed: Paths) -> dict[str, Any] | None:
    """The comparison that `freeze` wrote; None where there is none of these committed results."""
    record = committed.root / RECORD
    if not record.is_file():
        return None
    kept: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    return kept if kept["committed_sha256"] == sha256(committed.results) else None


def answers_diff(committed: Paths, fresh: Paths) -> dict[str, Any]:
    """Compares the answers of those runs that were made again, where not all of a study were.

    Returns:
        study; committed and fresh, their `Origin`; runs, of each that both have: examples, same
        (how many have the same answer), largest (absolute difference of a probability) and
        sha256 of the rows of the committed answers; not_rerun, as of `rerun_diff`.

    Raises:
        RerunDiffError: no run has answers on both sides, or a run has those to other examples.
    """
    before, after = run_records(committed.root), run_records(fresh.root)
    runs = {}
    for name in sorted(before.keys() & after.keys()):
        files = [paths.root / name / PREDICTIONS for paths in (committed, fresh)]
        if not all(file.is_file() for file in files):
            continue
        left, right = (pd.read_parquet(file).set_index(["dataset", "id"]) for file in files)
        if not left.index.sort_values().equals(right.index.sort_values()):
            raise RerunDiffError(
                f"{files[1]}: {len(right):,} examples that are not those of {files[0]}; expected"
                " the same: draw them with the study as it is committed"
            )
        right = right.reindex(left.index)
        difference = left[list(PROBABILITIES)] - right[list(PROBABILITIES)]
        runs[name] = {
            "examples": len(left),
            "same": int((left["predicted"] == right["predicted"]).sum()),
            "largest": float(difference.abs().to_numpy().max()),
            "sha256": rows_sha256(files[0]),
        }
    if not runs:
        raise RerunDiffError(
            f"no run in {fresh.root} has the answers of one in {committed.root}; train and"
            f" evaluate one with: factmix train {committed.root.name} ARM --seed SEED"
        )
    return {
        "study": committed.root.name,
        "committed": asdict(_origin(before[name] for name in runs)),
        "fresh": asdict(_origin(after[name] for name in runs)),
        "runs": runs,
        "not_rerun": [
            name for name in runs if before[name].get("finished") == after[name].get("finished")
        ],
    }


def recorded_answers(committed: Paths) -> list[dict[str, Any]]:
    """What `freeze_answers` kept, in its order, of runs whose committed answers are still those.

    Returns:
        each as `answers_diff` returned it.
    """
    current = []
    for kept in _kept_answers(committed.root / ANSWERS_RECORD):
        runs = {
            name: run
            for name, run in kept["runs"].items()
            if (file := committed.root / name / PREDICTIONS).is_file()
            and rows_sha256(file) == run["sha256"]
        }
        current += [kept | {"runs": runs}] if runs else []
    return current


def answers_as_text(compared: Mapping[str, Any]) -> str:
    """What `answers_diff` returned, as text for the terminal."""
    lines = [f"study {compared['study']}"]
    lines += [f"{side}: {Origin(**compared[side])}" for side in ("committed", "fresh")]
    for name, run in compared["runs"].items():
        again = " (not trained anew)" if name in compared["not_rerun"] else ""
        lines.append(
            f"{name}: {run['same']:,} of {run['examples']:,} answers the same, largest difference"
            f" of a probability {run['largest']:.2g}{again}"
        )
    return "\n".join(lines)


def as_text(compared: Mapping[str, Any]) -> str:
    """What `rerun_diff` returned, as text for the terminal."""
    lines = [f"study {compared['study']}"]
    lines += [f"{side}: {Origin(**compared[side])}" for side in ("committed", "fresh")]
    lines.append(f"{compared['compared']:,} numbers compared, {compared['same']:,} the same")
    for side in ("committed", "fresh"):
        keys = compared[f"only_{side}"]
        shown = f": {', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''}" if keys else ""
        lines.append(f"{len(keys):,} only {side}{shown}")
    if compared["not_rerun"]:
        lines.append(f"not trained anew: {', '.join(compared['not_rerun'])}")
    if compared["largest"]:
        frame = pd.DataFrame(compared["largest"]).T.rename_axis("unit").reset_index()
        frame["unit"] = frame["unit"].replace("", "none")
        lines += ["", "largest difference in each unit:", frame.to_string(index=False)]
    return "\n".join(lines)


def run_records(root: Path) -> dict[str, dict[str, Any]]:
    """run.json of every arm of a folder such as results/main, by the name of its run.

    Where the folder keeps its study, an arm that the study no longer has is left out.
    """
    files = sorted(root.glob("*/run.json"))
    paths = Paths(root)
    if paths.study.is_file():
        study = load_kept(paths.study)
        runs = {paths.run(run) for run in study.all_runs()}
        files = [file for file in files if file.parent in runs]
    return {file.parent.name: json.loads(file.read_text(encoding="utf-8")) for file in files}


def _read(paths: Paths, remedy: str) -> dict[str, Any]:
    if not paths.results.is_file():
        raise RerunDiffError(
            f"{paths.results} does not exist; make it with: {remedy} STUDY={paths.root.name}"
        )
    content: dict[str, Any] = json.loads(paths.results.read_text(encoding="utf-8"))
    return content
