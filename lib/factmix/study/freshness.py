"""What the result of each step depends on, and whether a result is still current.

One record of what a step depends on answers "is this current?" everywhere. The workflow passes it
to Snakemake as the parameter of a rule. Training and evaluation store it with what they write, and
compare it before they run again. Comparing and freezing check it. A record has up to three parts:

- `settings`: everything that the step takes from the study, and nothing else. So a result stays
  current when another arm changes, or a setting that affects only time or memory;
- `code_sha256`: a hash of the step's modules and all that they import, without comments and
  docstrings;
- hashes of the files that the step reads; of samples, which are tables, of their rows.

The book caches what it makes of results by `tree_sha256` of their files and of its code.
"""

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from factmix.study.files import altered, read_record, rows_sha256, sha256
from factmix.study.paths import Paths, model_folder
from factmix.study.run import BaseRun, Run, Sample, WarmStartRun
from factmix.study.settings import Counts, Model
from factmix.study.source_deps import sources
from factmix.study.spec import Study, StudyError

Record = dict[str, Any]

# The modules of each step of the workflow; the modules that they import count as well.
STEPS = {
    "data": ("data.mixtures", "data.shortcuts", "report.data_summary"),
    "warm_start": ("training.warm_start",),
    "train": ("training.grpo",),
    "evaluate": ("training.evaluate",),
    "compare": ("results.compare", "report.drawings"),
    "arm": ("report.figures", "stats.metrics"),
    "book": ("report.pages",),
}
# From these a step takes only its settings, which are in the record, and file paths.
NOT_FOLLOWED = tuple(
    f"study.{name}"
    for name in (
        "files",
        "freshness",
        "load",
        "lock",
        "names",
        "paths",
        "run",
        "settings",
        "source_deps",
        "spec",
    )
)
# The data summary needs the policy only for the lengths of prompts. What a column means, which
# columns a training keeps, and which models are refused changes nothing that is learned.
_NOT_LEARNED = (
    "study.descriptions",
    "training.arm",
    "training.columns",
    "training.made_with",
    "training.model_check",
)
NOT_FOLLOWED_BY = {
    "data": ("training.policy",),
    **dict.fromkeys(("warm_start", "train", "evaluate"), _NOT_LEARNED),
}
# Settings of training that change its cost or what is kept of it, and nothing that is learned.
NOT_LEARNED = frozenset({"prompts_per_pass", "checkpoint_steps", "learning_rate_grid"})
# The parts of a record that say which base model it is.
BASE_MODEL = ("model_sha256", "warm_start_sha256")


@cache
def code_sha256(step: str) -> str:
    """The hash of a step's modules and all that they import, without comments and docstrings.

    Args:
        step: a key of `STEPS`.
    """
    without = (*NOT_FOLLOWED, *NOT_FOLLOWED_BY.get(step, ()))
    digest = hashlib.sha256()
    for path in sources(*STEPS[step], without=without):
        digest.update(f"{path.stem}\n{_statements(path)}\n".encode())
    return digest.hexdigest()


def tree_sha256(place: Path) -> str:
    """The hash of a file, or of all files below a folder; of Python files as for `code_sha256`."""
    digest = hashlib.sha256()
    for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
        if file.is_file() and "__pycache__" not in file.parts:
            code = file.suffix == ".py"
            digest.update(f"{file}\n".encode())
            digest.update(_statements(file).encode() if code else file.read_bytes())
    return digest.hexdigest()


def drawing(study: Study) -> Record:
    """What the samples of a study depend on."""
    generated = [name for name, dataset in study.datasets.items() if dataset.generated]
    return {
        "settings": {
            "datasets": list(study.datasets),
            **({"generated": generated} if generated else {}),
            "samples": {each.name: sample_settings(each) for each in study.samples()},
            "arms": {run.arm: [run.mixture, run.evaluation_sample.name] for run in study.runs()},
        },
        "code_sha256": code_sha256("data"),
    }


def model_files(model: Model) -> list[Path]:
    """Files of a local model that decide what it answers; none of a hub model."""
    patterns = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")
    return [file for pattern in patterns for file in sorted(model_folder(model).glob(pattern))]


def sample_settings(sample: Sample) -> Record:
    """The settings that determine the rows of a sample and their order."""
    settings = asdict(sample)
    settings.pop("variant")
    settings["counts"] = _by_label(sample.counts)
    if settings.pop("pool"):
        settings["pool"] = _by_label(sample.pool)
    # its own entry, because sorted JSON loses the order of keys
    settings["order"] = [
        f"{name} {label}" for name, counts in sample.counts.items() for label in counts
    ]
    return settings


def _by_label(counts: Mapping[str, Counts]) -> Record:
    return {
        name: {str(label): count for label, count in of_label.items()}
        for name, of_label in counts.items()
    }


def warm_start_settings(run: WarmStartRun) -> Record:
    """Every setting of the study that a warm start depends on."""
    return {
        "model": run.model.model_dump(mode="json"),
        "prompt": run.prompt.model_dump(mode="json"),
        **_warm_start(run),
    }


def warm_starting(run: WarmStartRun, paths: Paths) -> Record:
    """What the adapter of a warm start depends on; its sample and local model files must exist."""
    return {
        "settings": warm_start_settings(run),
        "code_sha256": code_sha256("warm_start"),
        "training_sample_sha256": rows_sha256(paths.sample(run.sample)),
        "model_sha256": model_sha256(run.model),
    }


def training_settings(run: Run) -> Record:
    """Every setting of the study that the training of a run depends on."""
    numbers = run.training.model_dump(mode="json", exclude=set(NOT_LEARNED))
    return {
        "model": run.model.model_dump(mode="json"),
        "prompt": run.prompt.model_dump(mode="json"),
        "reward": run.reward.model_dump(mode="json"),
        "sampler_refresh": run.protocol.sampler_refresh,
        "seed": run.seed,
        "training": {**numbers, "steps": run.steps},
        **_warm_start(run.warm_start),
    }


def training(run: Run, paths: Paths) -> Record:
    """What a run's adapter depends on; the training sample and local model files must exist.

    Raises:
        StudyError: the base model's warm start has not been made, not as the study is now, or was
            changed since.
        DamagedError: the record of the warm start is not as it was written.
    """
    return {
        "settings": training_settings(run),
        "code_sha256": code_sha256("train"),
        "training_sample_sha256": rows_sha256(paths.sample(run.training_sample)),
        "model_sha256": model_sha256(run.model),
        **_warm_start_sha256(run.warm_start, paths),
    }


def answering_settings(run: Run | BaseRun) -> Record:
    """Every setting of the study that the answers of a run, or of the base model, depend on."""
    return {
        "model": run.model.model_dump(mode="json"),
        "prompt": run.evaluation_prompt.model_dump(mode="json"),
        "seed": run.evaluation.seed,
        "temperature": run.evaluation.temperature,
        **_warm_start(run.warm_start),
    }


def answering(run: Run | BaseRun, paths: Paths, *, adapter_sha256: str | None = None) -> Record:
    """What the answers depend on; the evaluation sample must exist.

    Args:
        run: the arm's, or the base model's.
        paths: of the study's run.
        adapter_sha256: of an arm's adapter; by default of the file, or where there is none, as in a
            run that was taken over, what its run.json says.

    Raises:
        StudyError: the base model's warm start has not been made, not as the study is now, or was
            changed since.
        DamagedError: run.json, or the record of the warm start, is not as it was written.
    """
    record: Record = {
        "settings": answering_settings(run),
        "code_sha256": code_sha256("evaluate"),
        "evaluation_sample_sha256": rows_sha256(paths.sample(run.evaluation_sample)),
        "model_sha256": model_sha256(run.model),
        **_warm_start_sha256(run.warm_start, paths),
    }
    if isinstance(run, Run):
        record["adapter_sha256"] = adapter_sha256 or _adapter_sha256(paths.run(run))
    return record


def _adapter_sha256(folder: Path) -> str | None:
    adapter, record = folder / "adapter" / "adapter_model.safetensors", folder / "run.json"
    if adapter.is_file() or not record.is_file():
        return sha256(adapter)
    kept: str | None = read_record(record).get("adapter_sha256")
    return kept


def trajectory(run: Run, paths: Paths) -> Record:
    """What the answers during training depend on, in addition to the adapter."""
    steps = run.evaluation.trajectory_steps
    return {
        "settings": {**answering_settings(run), "trajectory_steps": steps},
        "evaluation_sample_sha256": rows_sha256(paths.sample(run.evaluation_sample)),
    }


def differences(kept: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The differences between a result's record and the record of the step as it is now.

    Args:
        kept: the record stored with the result. Parts that are missing, or whose hash is None, are
            not compared.
        now: the record of the step as it is now. Missing parts are not compared.

    Returns:
        One text per entry that differs: its dotted key and both values. Empty if the result is
        current.
    """
    parts = [part for part in now if kept.get(part) is not None and now[part] is not None]
    before = dict(_entries({part: kept[part] for part in parts}))
    after = dict(_entries({part: now[part] for part in parts}))
    return [
        _changed(key.removeprefix("settings."), before.get(key), after.get(key))
        for key in dict.fromkeys([*before, *after])
        if before.get(key) != after.get(key)
    ]


def as_text(record: Record) -> str:
    """A record as the text that Snakemake stores and compares."""
    return json.dumps(record, sort_keys=True)


def _changed(key: str, before: Any, after: Any) -> str:
    if key.endswith("sha256") or "sha256." in key:
        return f"{key.replace('_sha256', '')} is another"
    return f"{key} was {before} and is {after}"


def _entries(record: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(record, Mapping):
        for key, value in record.items():
            yield from _entries(value, f"{prefix}{key}.")
    else:
        yield prefix.removesuffix("."), record


def _warm_start(run: WarmStartRun | None) -> Record:
    """The settings of a warm start; no entry without one, so that older records still match."""
    return {"warm_start": run.settings.model_dump(mode="json")} if run else {}


def _warm_start_sha256(run: WarmStartRun | None, paths: Paths) -> Record:
    """The hash of the adapter of a warm start; no entry without one."""
    if run is None:
        return {}
    record = paths.run(run) / "run.json"
    remedy = f"make it with: factmix warm-start {run.study}"
    if not record.is_file():  # what the warm start writes last
        raise StudyError(f"{record} does not exist; {remedy}")
    kept = read_record(record)
    changed = differences(kept["depends_on"], warm_starting(run, paths))
    if changed:
        raise StudyError(f"{record} is not of the study as it is now: {changed[0]}; {remedy}")
    if other := altered(record.parent, kept.get("files_sha256", {})):
        raise StudyError(f"{record.parent / other[0]} is not as it was written; {remedy}")
    adapter = record.parent / "adapter" / "adapter_model.safetensors"
    return {"warm_start_sha256": sha256(adapter)}


def model_sha256(model: Model) -> dict[str, str]:
    """The checksum of each file of a base model, by its name."""
    return {file.name: sha256(file) for file in model_files(model)}


def _statements(path: Path) -> str:
    """A module's syntax tree without docstrings; a syntax tree holds no comments."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            text = first.value if isinstance(first, ast.Expr) else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                node.body = node.body[1:]
    return ast.dump(tree)
