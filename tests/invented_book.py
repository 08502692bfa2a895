"""A copy of the book with invented results, and its build: what the tests of the book share."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd

from factmix.data.datasets import FILES, load
from factmix.organism.domains import SHARES
from factmix.results.compare import compare
from factmix.results.freeze import freeze
from factmix.study import freshness
from factmix.study.files import write_parquet, write_record
from factmix.study.labels import ANSWERS, INVALID, LABELS
from factmix.study.load import find_study
from factmix.study.paths import ROOT, Paths
from factmix.study.run import Run
from factmix.study.spec import Study
from factmix.training.columns import TRAJECTORY, most_probable
from factmix.training.rewards import component_names

EXAMPLES = 24  # per dataset; enough for every label and answer to occur


def invent_run(study: Study, paths: Paths, seed: int = 0) -> None:
    """Writes every file that a finished run of the study has, with invented content."""
    rng = np.random.default_rng(seed)
    write_record(paths.data_report, _report(study))
    for base in study.base_runs():
        answers = _answers(study, base.arm, rng)
        write_parquet(paths.run(base) / "predictions.parquet", answers)
    for run in study.all_runs():
        folder, steps = paths.run(run), run.steps
        for name in run.answers():
            write_parquet(folder / name, _answers(study, run.arm, rng))
        write_parquet(folder / "metrics.parquet", _metrics(study, run.arm, steps, rng))
        at = [step for step in study.evaluation.trajectory_steps if step <= steps]
        write_parquet(
            folder / "trajectory.parquet",
            pd.concat([_during(_answers(study, run.arm, rng), step) for step in at]),
        )
        write_parquet(
            folder / "rewards.parquet",
            pd.DataFrame(
                {
                    "dataset": np.resize(list(study.mixtures[run.mixture]), 30),
                    "before": rng.normal(size=30),
                    "after": rng.normal(1, size=30),
                }
            ),
        )
        write_record(
            folder / "run.json",
            {
                "study": study.name,
                "arm": run.arm,
                "seed": run.seed,
                "depends_on": {
                    "settings": freshness.training_settings(run),
                    "code_sha256": None,
                    "training_sample_sha256": f"of {run.mixture}",
                    "model_sha256": {},
                },
                "evaluation_sample_sha256": "invented",
                "steps": steps,
                "finished": "2026-01-02T03:04:05+00:00",
                "wall_seconds": 754.0,
                "peak_memory_gb": 1.9,
            },
        )
    compare(study, paths)


def invent_training(run: Run, paths: Paths) -> None:
    """Writes what the shortest training of a run leaves beside its answers; its data are drawn."""
    folder = paths.run(run)
    curve = {"step": [1, 2], "reward/total": [1.0, 2.0], "format_rate": [0.5, 1.0]}
    curve |= {"kl": [0.0, 0.1], "zero_spread": [0.5, 0.5]}
    write_parquet(folder / "metrics.parquet", pd.DataFrame(curve))
    earned = pd.DataFrame({"before": [1.0, 2.0], "after": [2.0, 2.5]})
    write_parquet(folder / "rewards.parquet", earned)
    record = {"depends_on": freshness.training(run, paths), "wall_seconds": 1.0}
    write_record(folder / "run.json", record | {"peak_memory_gb": 1.0})


def _report(study: Study) -> dict[str, object]:
    counts = {"NA": 14, "PASS": 12, "FAIL": 10, "with_evidence": 34, "without_evidence": 2}
    return {
        "fingerprint": "invented",
        "datasets": {
            name: {"pool": counts, "evaluation": counts, "excluded": {"group": 5, "claim": 1}}
            for name in study.datasets
        },
        "mixtures": {
            name: dict.fromkeys(mixture, counts) for name, mixture in study.mixtures.items()
        },
        "overlap": {name: {"groups": 0, "claims": 0} for name in study.mixtures},
        "arms": {
            name: {
                "groups": 3,
                "claims": 4,
                "examples": {
                    dataset: {str(label): 2 for label in LABELS}
                    for dataset in study.mixtures[arm.mixture]
                },
            }
            for name, arm in study.arms.items()
        },
        **(
            {part: dict.fromkeys(study.datasets, counts) for part in ("warm_start", "left")}
            if study.warm_start
            else {}
        ),
    }


def _during(answers: pd.DataFrame, step: int) -> pd.DataFrame:
    """Answers as they are kept during training."""
    during = answers.assign(most_probable=most_probable(answers), step=step)
    return during[[name for name in TRAJECTORY if name in during]]


def _answers(study: Study, arm: str, rng: np.random.Generator) -> pd.DataFrame:
    frames = []
    for dataset in study.datasets:
        examples = _examples(dataset)
        gold = np.array([gold for _, gold in examples])
        guess = rng.choice(ANSWERS, size=EXAMPLES)
        predicted = np.where(rng.random(EXAMPLES) < 0.5, gold, guess)
        predicted[0] = INVALID  # one example that no arm gets right
        predicted[-1] = gold[-1]  # and one that all do
        chances = rng.dirichlet([1, 1, 1], size=EXAMPLES)
        frames.append(
            pd.DataFrame(
                {
                    "arm": arm,
                    "seed": study.seeds[0],
                    "dataset": dataset,
                    "id": [id_ for id_, _ in examples],
                    "group": [f"group-{i // 2}" for i in range(EXAMPLES)],
                    "kind": _kinds(dataset, gold.tolist()),
                    "gold": gold,
                    "predicted": predicted,
                    "p_na": chances[:, 0],
                    "p_pass": chances[:, 1],
                    "p_fail": chances[:, 2],
                    "format_valid": predicted != "INVALID",
                    "completion": predicted,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _kinds(dataset: str, gold: list[str]) -> list[str]:
    """Kinds of claims in turn; none where the dataset does not say."""
    if dataset not in SHARES:
        return [""] * len(gold)
    decided, undecided = map(list, SHARES[dataset])
    sides = [undecided if label == "NA" else decided for label in gold]
    return [kinds[i % len(kinds)] for i, kinds in enumerate(sides)]


@cache
def _examples(dataset: str) -> list[tuple[str, str]]:
    """Ids and gold labels, as many of each label; real ones where the project has the texts."""
    per_label = EXAMPLES // len(LABELS)
    if dataset in FILES:
        return [
            (f"{dataset}-{label}-{i}", str(label)) for label in LABELS for i in range(per_label)
        ]
    of = {label: [e for e in load(dataset).examples if e.label is label] for label in LABELS}
    return [(e.id, str(label)) for label in LABELS for e in of[label][:per_label]]


def _metrics(study: Study, arm: str, steps: int, rng: np.random.Generator) -> pd.DataFrame:
    rise = 1 - np.exp(-np.arange(1, steps + 1) / max(1, steps / 4))
    columns = {"step": np.arange(1, steps + 1)}
    names = component_names(study.rewards[study.arms[arm].reward])
    for name in ("total", *names):
        for suffix in ("", *(f"|{label}" for label in LABELS)):
            columns[f"reward/{name}{suffix}"] = rise + rng.normal(0, 0.1, steps)
    for name in ("accuracy", *(f"accuracy|{label}" for label in LABELS), "zero_spread"):
        columns[name] = np.clip(0.5 + 0.2 * rise + rng.normal(0, 0.05, steps), 0, 1)
    shares = rng.dirichlet([3, 5, 3, 1], size=steps)
    for i, answer in enumerate(ANSWERS):
        columns[f"share/{answer}"] = shares[:, i]
    columns["format_rate"] = 1 - shares[:, -1]
    for name in ("entropy", "kl", "grad_norm", "loss", "learning_rate", "seconds"):
        columns[name] = rise * 0.1 + 0.01
    return pd.DataFrame(columns)


def invent_book(folder: Path) -> dict[str, str]:
    """A copy of the book in a folder, invented results for it, and the environment to build it."""
    ignore = shutil.ignore_patterns("_generated", "__pycache__")
    shutil.copytree(ROOT / "book", folder / "book", ignore=ignore)
    shutil.copytree(ROOT / "studies", folder / "studies")  # pages include some
    shutil.copy(ROOT / "_config.yml", folder)
    for name in (
        "main",
        "swapped",
        "protocols",
        "pairs",
        "sweep",
        "plateau",
        "smollm2",
        "smollm2_seeds",
    ):
        study = smaller(name)
        invent_run(study, Paths(folder / "invented" / name))
        kept = Paths(folder / "results" / name)
        freeze(study, Paths(folder / "invented" / name), kept.root)
        committed = Paths(ROOT / "results" / name)
        measured = (*committed.supervised.glob("*.json"), *committed.unseen.glob("*/numbers.json"))
        for file in (committed.card, *measured):
            if file.is_file():
                copy = kept.root / file.relative_to(committed.root)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, copy)
    shutil.copytree(ROOT / "results" / "faults", folder / "results" / "faults")
    return environment(folder)


def smaller(name: str) -> Study:
    """A study with its first two seeds at most, and few resamples."""
    study = find_study(name)
    few = study.statistics.model_copy(update={"resamples": 100})
    return study.model_copy(update={"statistics": few, "seeds": study.seeds[:2]})


def copy_book(built: Path, folder: Path) -> dict[str, str]:
    """A copy of a built book without its pages and runs; what was generated for it is kept."""
    for name in ("book", "studies", "results"):
        shutil.copytree(built / name, folder / name)
    shutil.copy(built / "_config.yml", folder)
    return environment(folder)


def environment(folder: Path) -> dict[str, str]:
    """The environment in which the book of a folder is built."""
    variables = {
        "FACTMIX_RESULTS": str(folder / "results"),
        "FACTMIX_RUNS": str(folder / "runs"),
        "PYTHONPATH": str(ROOT / "lib"),
    }
    return os.environ | variables


def build(folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Builds the book of a folder as `jupyter-book build book/ -W --keep-going -n` does."""
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", "book/"]
    return subprocess.run(
        [*command, "-W", "--keep-going", "-n"],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
    )


def write_notebook(path: Path, *outputs: nbformat.NotebookNode) -> None:
    """An executed notebook with a heading and one code cell."""
    cells = [
        nbformat.v4.new_markdown_cell("# One arm"),
        nbformat.v4.new_code_cell("train()", execution_count=1, outputs=list(outputs)),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"language_info": {"name": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)


def build_with_runs(folder: Path) -> None:
    """Builds a book from invented results, two invented runs and the committed notebooks.

    Of the notebooks of arms it has a committed one and an invented one, enough to look at.
    """
    variables = invent_book(folder)
    for name in ("main", "real_smoke"):
        invent_run(smaller(name), Paths(folder / "runs" / name), seed=1)
    printed = nbformat.v4.new_output("stream", name="stdout", text="trained")
    progress = nbformat.v4.new_output("stream", name="stderr", text="99%|#########9|")
    notebooks = folder / "results" / "main" / "notebooks"
    others = shutil.ignore_patterns(*(f"{arm}-s*.ipynb" for arm in find_study("main").arms))
    shutil.copytree(ROOT / "results" / "main" / "notebooks", notebooks, ignore=others)
    shutil.copy(ROOT / "results" / "main" / "notebooks" / "balanced-s0.ipynb", notebooks)
    write_notebook(notebooks / "hard_only-s0.ipynb", printed, progress)
    done = build(folder, variables)
    assert done.returncode == 0, done.stdout + done.stderr
