"""Small versions of the benchmarks of data and statistics."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from factmix.stats.metrics import contingency, gains
from factmix.study.paths import ROOT


@pytest.fixture(autouse=True)
def beside_the_benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")


def load(name: str) -> ModuleType:
    path: Path = ROOT / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_intervals_cover_and_groups_must_not_be_ignored() -> None:
    shares = load("coverage").coverage(data_sets=120, resamples=200)
    for kind in ("stratified", "stratified_bca", "plain", "clustered"):
        assert shares[kind]["accuracy"] >= 0.88, kind  # three standard errors below 95 %
    assert shares["clustered_ignored"]["accuracy"] < shares["clustered"]["accuracy"]


def test_what_is_true_is_rarely_rejected() -> None:
    shares = load("coverage").type_one(data_sets=120, resamples=200)
    assert "noninferiority" in shares
    for test, levels in shares.items():
        assert levels["0.05"] <= 0.05 + 3 * (0.05 * 0.95 / 120) ** 0.5, test


def test_seeds_are_told_from_examples_and_what_is_true_is_rarely_rejected() -> None:
    made = load("coverage").crossed(data_sets=150)
    shares = [each["share_of_seeds"] for each in made]
    assert shares == sorted(shares) and shares[0] < 0.3 and shares[-1] > 0.9
    for each in made:
        assert each["type_one"]["0.05"] <= 0.05 + 3 * (0.05 * 0.95 / 150) ** 0.5


def test_population_has_the_marginals_it_is_asked_for() -> None:
    tables = load("coverage").population(0.4, 0.7)
    assert tables.sum(axis=(1, 2)) == pytest.approx(np.ones(3))
    for gold, table in enumerate(tables):
        assert table.sum(axis=1)[gold] == pytest.approx(0.4)
        assert table.sum(axis=0)[gold] == pytest.approx(0.7)


def test_the_benchmark_counts_examples_as_the_tables_do() -> None:
    bench = load("bootstrap")
    rng = np.random.default_rng(0)
    first, second = bench.answers(rng, 0.4), bench.answers(rng, 0.6)
    chosen = bench.draw(rng)
    names = np.array(["NA", "PASS", "FAIL", "INVALID"])
    counts = contingency(*(names[each[chosen]].tolist() for each in (bench.GOLD, first, second)))
    expected = [float(gains(counts)[name]) for name in bench.REPORTED]
    assert bench.of_examples(chosen, first, second).tolist() == pytest.approx(expected)
    before = bench.with_scikit_learn(bench.GOLD[chosen], first[chosen])
    after = bench.with_scikit_learn(bench.GOLD[chosen], second[chosen])
    assert np.subtract(after, before).tolist() == pytest.approx(expected)


def test_building_and_searching_a_generated_wikipedia_is_measured() -> None:
    command = [sys.executable, ROOT / "benchmarks" / "wiki.py", "--pages", "50", "--searches", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    measured = json.loads(done.stdout)
    assert measured["pages"] == 50
    assert measured["pages_per_second"] == pytest.approx(50 / measured["seconds"])
    assert measured["full_size"]["pages"] > 5e6
    kept = json.loads((ROOT / "results/benchmarks/wiki.json").read_text())
    assert kept.keys() == measured.keys()
