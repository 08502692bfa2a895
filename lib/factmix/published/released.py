"""Reads the released files of the published study, and derives counts and curves from them.

The files are those of github pranavc28/self-awareness-grpo at commit
d6f221e8b8275bed914713870ae652a7bb5f498e, which `sources` names by system and dataset:

    published/<system>/{fever,vitaminc,climatefever}         1,000 answers each
    published/<system>/training_metrics                      the training log
    climate_fever                                            the pool of Climate-FEVER's claims

The 36 gains over the control that the blog prints (section "Results") are in no file of that
repository. They are read from published/blog_gains.csv in FACTMIX_MIRROR; without that table the
committed ones are kept.

The files have no licence and are not part of this project. What is derived from them is in
results/published/; `factmix published --freeze` derives it again.

An answer without a readable label is INVALID here (see `prediction_files`); the files store it as
NA. The published study dropped such examples pairwise.
"""

import json
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from factmix.results.prediction_files import read_predictions
from factmix.stats.metrics import Counts, contingency
from factmix.study.labels import LABELS

CONTROL = "control"  # rewarded only for the format
MIXTURES = ("hard_weighted", "balanced", "hard_only")
SYSTEMS = (CONTROL, *MIXTURES)
DATASETS = {"fever": "FEVER", "vitaminc": "VitaminC", "climatefever": "Climate-FEVER"}
PRINTED = ("accuracy", "macro_f1", "f1_na", "recall_na")  # accuracy to 0.001, the others to 0.01
WINDOW = 10  # training steps whose mean counts as the start, or the end, of a curve


class PublishedError(ValueError):
    """The released files, or what was derived from them, are missing or inconsistent."""


def derive(fetch: Callable[[str], Path], printed: dict[str, Any]) -> dict[str, Any]:
    """Derives from the released files everything that is committed: counts and means of curves.

    Args:
        fetch: from the name of a file of `sources` to its local copy.
        printed: the gains that the blog prints, see `read_printed`.

    Returns:
        pairs: "first/second" -> dataset -> counts gold x first x second, nested lists (3, 4, 4);
        evidence: dataset -> gold label -> examples with, and without, evidence;
        printed: the argument;
        curves: system -> steps, and for each logged quantity its mean over the first and last
        `WINDOW` steps, least and greatest value, and means of every `WINDOW` steps; by_gold, for
        each gold label and reward component, the least and greatest mean of a step;
        climate_fever_pool: gold label -> number of claims.
    """
    # Only here: this needs the libraries that download files, and reading derived.json does not.
    from factmix.data.datasets.climate_fever import read

    files = {
        (system, name): fetch(f"published/{system}/{name}")
        for system in SYSTEMS
        for name in (*DATASETS, "training_metrics")
    }
    answers = {
        (system, dataset): read_predictions(files[system, dataset])
        for system in SYSTEMS
        for dataset in DATASETS
    }
    pool = Counter(example.label for example in read(fetch("climate_fever")))
    return {
        "pairs": {
            f"{first}/{second}": {
                dataset: _counts(answers[first, dataset], answers[second, dataset]).tolist()
                for dataset in DATASETS
            }
            for first, second in combinations(SYSTEMS, 2)
        },
        "evidence": {d: _evidence(files[CONTROL, d]) for d in DATASETS},
        "printed": printed,
        "curves": {s: _curves(files[s, "training_metrics"]) for s in SYSTEMS},
        "climate_fever_pool": {str(label): pool[label] for label in LABELS},
    }


def _counts(first: pd.DataFrame, second: pd.DataFrame) -> Counts:
    if not first["gold"].equals(second["gold"]):
        raise PublishedError(
            "two systems have different examples or gold labels; expected the same in both: fetch"
            " the released files again"
        )
    return contingency(first["gold"].tolist(), first["answer"].tolist(), second["answer"].tolist())


def _evidence(path: Path) -> dict[str, dict[str, int]]:
    records = json.loads(path.read_text(encoding="utf-8"))["results"]
    found = Counter(
        (each["golden_label"], any(text.strip() for text in each["evidence_texts"] or []))
        for each in records
    )
    return {
        str(label): {"with": found[str(label), True], "without": found[str(label), False]}
        for label in LABELS
    }


def read_printed(path: Path) -> dict[str, dict[str, dict[str, float]]]:
    """The gains of blog_gains.csv: mixture -> dataset -> metric -> gain (fractions)."""
    frame = pd.read_csv(path)
    frame["accuracy"] = (frame["accuracy_points"] / 100).round(6)
    return {
        mixture: {
            dataset: {
                metric: float(
                    frame[(frame["mixture"] == mixture) & (frame["dataset"] == dataset)][
                        metric
                    ].item()
                )
                for metric in PRINTED
            }
            for dataset in DATASETS
        }
        for mixture in MIXTURES
    }


def _curves(path: Path) -> dict[str, Any]:
    log = json.loads(path.read_text(encoding="utf-8"))
    rows, by_gold = [], []
    for step in log:
        parts = {f"reward/{name}": value for name, value in step.get("cumulative", {}).items()}
        rows.append({k: v for k, v in step.items() if isinstance(v, int | float)} | parts)
        for label, earned in step.get("by_outcome", {}).items():
            by_gold += [(label, name, value) for name, value in earned.items()]
    frame = pd.DataFrame(rows).sort_values("step").drop(columns="step")
    earned = pd.DataFrame(by_gold, columns=["label", "name", "value"])
    return {
        "steps": len(frame),
        "logged": {
            str(name): {
                "start": float(values.head(WINDOW).mean()),
                "end": float(values.tail(WINDOW).mean()),
                "least": float(values.min()),
                "greatest": float(values.max()),
                "windows": [
                    round(float(values.iloc[i : i + WINDOW].mean()), 6)
                    for i in range(0, len(values), WINDOW)
                ],
            }
            for name, values in frame.items()
        },
        "by_gold": {
            str(label): {
                str(name): {
                    "least": round(float(values.min()), 6),
                    "greatest": round(float(values.max()), 6),
                }
                for name, values in of_label.groupby("name", sort=False)["value"]
            }
            for label, of_label in earned.groupby("label", sort=False)
        },
    }
