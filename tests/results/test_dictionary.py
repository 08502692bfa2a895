"""The data dictionary describes everything in the committed files, and nothing else."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from factmix.results.dictionary import (
    LEAF,
    METRIC_MEANINGS,
    RESULTS,
    RUN,
    TABLES,
    undescribed,
    unused,
)
from factmix.results.numbers import leaves
from factmix.stats.metrics import METRICS
from factmix.study.paths import ROOT

COMMITTED = sorted(file.parent for file in (ROOT / "results").glob("*/results.json"))
# What not every study has a case of: several baselines, skipped rows, generated datasets, a warm
# start, runs that are missing.
CONDITIONAL = (
    "study.baselines.",
    "data.datasets.<dataset>.skipped.",
    "data.datasets.<dataset>.development",
    "data.warm_start.",
    "missing",
    "data.left.",
)


def columns(table: str) -> set[str]:
    """Of all committed files of a table."""
    files = [file for study in COMMITTED for file in study.glob(f"*/{table}.parquet")]
    assert files
    return {name for file in files for name in pq.read_schema(file).names}


@pytest.mark.parametrize("table", TABLES)
def test_every_column_of_the_committed_tables_is_described_and_no_other(table: str) -> None:
    assert undescribed(columns(table), TABLES[table]) == []
    assert unused(columns(table), TABLES[table]) == []


def test_every_committed_table_has_a_description() -> None:
    tables = {file.stem for study in COMMITTED for file in study.rglob("*.parquet")}
    assert tables == set(TABLES)


def test_every_key_of_the_committed_results_is_described_and_no_other() -> None:
    found = [leaves(json.loads((s / "results.json").read_text())) for s in COMMITTED]
    entries = {path: leaf for each in found for path, leaf in each}
    assert undescribed(entries, RESULTS) == []
    assert [key for key in unused(entries, RESULTS) if not key.startswith(CONDITIONAL)] == []
    fields = {field for leaf in entries.values() if isinstance(leaf, dict) for field in leaf}
    # means over seeds are tested without resampling, and have no floor
    assert fields | {"at_floor"} == set(LEAF)


def test_every_metric_has_a_meaning() -> None:
    assert undescribed(METRICS, METRIC_MEANINGS) == []
    assert unused(METRICS, METRIC_MEANINGS) == []


def test_run_files_are_described_and_the_description_is_what_training_writes() -> None:
    runs = [json.loads(f.read_text()) for s in COMMITTED for f in s.glob("*/run.json")]
    assert undescribed({key for run in runs for key in run}, RUN) == []
    room = Path(ROOT) / "lib/factmix/training"
    names = ("grpo.py", "callbacks.py", "made_with.py", "arm.py", "../study/files.py")
    source = "".join((room / name).read_text() for name in names)
    assert [key for key in RUN if f'"{key}":' not in source] == []


def test_a_new_column_and_a_stale_description_are_found() -> None:
    described = {"accuracy": "", "accuracy|<label>": "", "reward/<part>": ""}
    names = ["accuracy|PASS", "accuracy|INVALID", "loss"]
    assert undescribed(names, described) == ["accuracy|INVALID", "loss"]
    assert unused(names, described) == ["accuracy", "reward/<part>"]
