"""The book builds from a study's results, and refuses what must not be published."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from factmix import claim_evidence, claims, dictionary, drift
from factmix.compare import compare, freeze
from factmix.labels import ANSWERS, LABELS
from factmix.numbers import show
from factmix.released import DATASETS
from factmix.rewards import component_names
from factmix.runs import ROOT, Paths, find_study, write_json, write_parquet
from factmix.study import Study

EXAMPLES = 24  # per dataset; enough for every label and answer to occur


def invent_run(study: Study, paths: Paths, seed: int = 0) -> None:
    """Writes every file that a finished run of the study has, with invented content."""
    rng = np.random.default_rng(seed)
    write_json(paths.data_report, _report(study))
    write_parquet(paths.base / "predictions.parquet", _answers(study, "base", rng))
    for arm in study.arms:
        folder = paths.arm(arm, study.seeds[0])
        steps = study.steps(arm)
        write_parquet(folder / "predictions.parquet", _answers(study, arm, rng))
        write_parquet(folder / "metrics.parquet", _metrics(study, arm, steps, rng))
        at = [step for step in study.evaluation.trajectory_steps if step <= steps]
        write_parquet(
            folder / "trajectory.parquet",
            pd.concat([_answers(study, arm, rng).assign(step=step) for step in at]),
        )
        write_parquet(
            folder / "rewards.parquet",
            pd.DataFrame({"before": rng.normal(size=30), "after": rng.normal(1, size=30)}),
        )
        write_json(
            folder / "run.json",
            {
                "study": study.name,
                "arm": arm,
                "seed": study.seeds[0],
                "steps": steps,
                "data_fingerprint": "invented",
                "finished": "2026-01-02T03:04:05+00:00",
                "wall_seconds": 754.0,
                "peak_memory_gb": 1.9,
            },
        )
    compare(study, paths)


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
    }


def _answers(study: Study, arm: str, rng: np.random.Generator) -> pd.DataFrame:
    frames = []
    for dataset in study.datasets:
        gold = np.repeat([str(label) for label in LABELS], EXAMPLES // len(LABELS))
        guess = rng.choice(ANSWERS, size=EXAMPLES)
        predicted = np.where(rng.random(EXAMPLES) < 0.5, gold, guess)
        chances = rng.dirichlet([1, 1, 1], size=EXAMPLES)
        frames.append(
            pd.DataFrame(
                {
                    "arm": arm,
                    "seed": study.seeds[0],
                    "dataset": dataset,
                    "id": [f"{dataset}-{i}" for i in range(EXAMPLES)],
                    "group": [f"group-{i // 2}" for i in range(EXAMPLES)],
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
    shutil.copy(ROOT / "_config.yml", folder)
    study = find_study("embedded")
    quick = study.model_copy(
        update={"statistics": study.statistics.model_copy(update={"resamples": 100})}
    )
    invent_run(quick, Paths(folder / "invented"))
    freeze(quick, Paths(folder / "invented"), folder / "results" / study.name)
    environment = {
        "FACTMIX_RESULTS": str(folder / "results"),
        "FACTMIX_RUNS": str(folder / "runs"),
        "PYTHONPATH": str(ROOT / "lib"),
    }
    return os.environ | environment


def build(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Builds the book of a folder as `jupyter-book build book/ -W --keep-going -n` does."""
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", "book/"]
    return subprocess.run(
        [*command, "-W", "--keep-going", "-n"],
        cwd=folder,
        env=environment,
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


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a book that was built from invented results and two invented runs."""
    folder = tmp_path_factory.mktemp("book")
    environment = invent_book(folder)
    for name in ("embedded", "real_smoke"):
        study = find_study(name)
        invent_run(study, Paths(folder / "runs" / study.name), seed=1)
    printed = nbformat.v4.new_output("stream", name="stdout", text="trained")
    progress = nbformat.v4.new_output("stream", name="stderr", text="99%|#########9|")
    notebook = folder / "results/embedded/notebooks/hard_only-s0.ipynb"
    write_notebook(notebook, printed, progress)
    done = build(folder, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def page(built: Path, name: str) -> str:
    return (built / "_build" / "html" / f"{name}.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_book_builds_beside_its_configuration_without_warnings(built: Path) -> None:
    for name in ("index", "claim", "methodology", "reward", "training", "results", "discussion"):
        assert "results-banner" in page(built, name)


@pytest.mark.slow
def test_number_in_prose_is_that_of_the_results(built: Path) -> None:
    results = json.loads((built / "results/embedded/results.json").read_text())
    share = results["answer_share"]["base"]["revision"]["NA"]["value"]
    assert f"{100 * share:.1f}\u00a0%" in page(built, "training")


@pytest.mark.slow
def test_worked_rewards_are_computed_from_the_study(built: Path) -> None:
    text = page(built, "reward")
    assert "7.925" in text  # gold NA, answer PASS, weights by gold label: 8 - 0.5 * 0.15
    assert "6.75" in text  # the same by predicted label: 8 - 0.5 * 2.5
    assert "7.925" not in (ROOT / "book" / "reward.md").read_text()


@pytest.mark.slow
def test_every_page_says_where_its_numbers_are_from(built: Path) -> None:
    assert "committed results" in page(built, "results")
    assert "2\u00a0January\u00a02026" in page(built, "results")
    assert "a run on this machine" in page(built, "_generated/runs/embedded")


@pytest.mark.slow
def test_run_page_compares_the_run_with_the_committed_results(built: Path) -> None:
    results = json.loads((built / "results/embedded/results.json").read_text())
    assert "The largest differences" in page(built, "_generated/runs/embedded")
    assert results["study"]["description"] in page(built, "_generated/runs/embedded")


@pytest.mark.slow
def test_run_on_real_data_says_that_a_toy_model_was_used(built: Path) -> None:
    assert "toy model" in page(built, "_generated/runs/real_smoke")
    assert "real text" in page(built, "_generated/runs/real_smoke")
    assert "real text" not in page(built, "_generated/runs/embedded")


@pytest.mark.slow
def test_figures_come_in_two_versions_with_the_same_words(built: Path) -> None:
    html = page(built, "results")
    gains = json.loads((built / "results/embedded/results.json").read_text())["gains"]
    words = f"encyclopedia {show(gains['hard_only']['encyclopedia']['accuracy'])}"
    images = [tag for tag in html.split("<img ")[1:] if "gains-" in tag.split(">")[0]]
    assert len(images) == 2
    assert all(words in tag.split(">")[0] for tag in images)
    assert {"only-light" in tag.split(">")[0] for tag in images} == {True, False}


@pytest.mark.slow
def test_arm_notebook_becomes_a_page_without_progress_bars(built: Path) -> None:
    html = page(built, "_generated/notebooks/hard_only-s0")
    assert "Arm hard_only, seed 0" in html
    assert "trained" in html
    assert "99%" not in html


@pytest.mark.slow
def test_pages_load_nothing_from_other_servers(built: Path) -> None:
    for path in (built / "_build" / "html").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert '<script src="http' not in text, path
        assert '<link rel="stylesheet" href="http' not in text, path


@pytest.mark.slow
def test_unknown_number_breaks_the_build_and_names_page_and_nearest(tmp_path: Path) -> None:
    environment = invent_book(tmp_path)
    (tmp_path / "book" / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (tmp_path / "book" / "index.md").write_text(
        "# Page\n\nIt is {num}`gains.hard_onyl.revision.accuracy`.\n"
    )
    done = build(tmp_path, environment)
    assert done.returncode != 0
    assert "index.md:3" in done.stderr
    assert "gains.hard_onyl.revision.accuracy" in done.stderr
    assert "gains.hard_only.revision.accuracy" in done.stderr


def test_notebook_with_an_error_never_becomes_a_page(tmp_path: Path) -> None:
    environment = invent_book(tmp_path)
    failure = nbformat.v4.new_output("error", ename="RuntimeError", evalue="out of memory")
    write_notebook(tmp_path / "results/embedded/notebooks/balanced-s0.ipynb", failure)
    done = build(tmp_path, environment)
    assert done.returncode != 0
    assert "balanced-s0.ipynb: cell 2 failed with RuntimeError: out of memory" in done.stderr
    assert not (tmp_path / "book/_generated/notebooks/balanced-s0.ipynb").exists()
    assert not (tmp_path / "_build/html/_generated/notebooks/balanced-s0.html").exists()


def test_missing_results_are_reported_with_the_remedy(tmp_path: Path) -> None:
    environment = invent_book(tmp_path)
    shutil.rmtree(tmp_path / "results")
    done = build(tmp_path, environment)
    assert done.returncode != 0
    assert "make freeze" in done.stderr


@pytest.mark.slow
def test_benchmarks_page_says_when_nothing_was_measured(built: Path) -> None:
    assert "No measurements are committed yet" in page(built, "appendix/benchmarks")


def test_benchmarks_table_names_value_and_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    from factmix_book import benchmarks

    measured = {"machine": "two cores", "measured": "2026-01-02"}
    write_json(
        tmp_path / "study.json",
        measured | {"result": {"minutes": 9.876, "phases": {"data": {"seconds": 5.4}}}},
    )
    write_json(tmp_path / "length.json", measured | {"result": {"step_ratio": {"60": 8.04}}})
    (file,) = benchmarks.write(tmp_path, tmp_path / "tables")
    assert file.read_text().splitlines()[2:] == [
        f"| {benchmarks.NAMES['step_ratio']}, 60 prompt tokens | 8.04 | two cores, 2026-01-02 |",
        "| the study's compute, minutes | 9.88 | two cores, 2026-01-02 |",
        "| `data`, seconds | 5 | two cores, 2026-01-02 |",
    ]
    write_json(tmp_path / "other.json", {"result": {}})
    with pytest.raises(benchmarks.SourceError, match=r"other\.json: the key 'machine' is missing"):
        benchmarks.write(tmp_path, tmp_path / "tables")


@pytest.fixture(scope="module")
def tables(built: Path) -> Path:
    return built / "book" / "_generated" / "tables"


def rows(table: Path) -> list[list[str]]:
    """The cells of a Markdown table, without its header."""
    lines = table.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[2:]]


@pytest.mark.slow
def test_published_gains_are_all_there_and_none_differs(built: Path, tables: Path) -> None:
    gains = [row for d in DATASETS for row in rows(tables / f"published-gains-{d}.md")]
    assert len(gains) == 36
    assert not any("differs" in cell for row in gains for cell in row)
    shown = {tuple(row[:3]) for row in rows(tables / "published-gains-fever.md")}
    assert ("`hard_weighted`", "accuracy", "+18.4") in shown
    html = page(built, "appendix/published")
    assert html.count("+18.4") >= 2  # in the table, and in the words of the figure
    assert "+18.4" not in (ROOT / "book/appendix/published.md").read_text()


@pytest.mark.slow
def test_published_tables_have_a_row_for_each_system_and_comparison(tables: Path) -> None:
    for dataset in DATASETS:
        assert len(rows(tables / f"published-metrics-{dataset}.md")) == 4 + 2  # and the constants
    assert len(rows(tables / "published-mcnemar.md")) == 9
    assert [row[1] for row in rows(tables / "published-curves.md")] == ["100", "200", "51", "200"]
    assert len(rows(tables / "audit-overlap.md")) == 9


@pytest.mark.slow
def test_every_claim_has_a_verdict_on_the_book_s_own_results(built: Path, tables: Path) -> None:
    ledger = claims.load_ledger()
    whole = rows(tables / "claims.md")
    assert [row[0] for row in whole] == [claim.text for claim in ledger.claims.values()]
    published = [claim.verdicts["published"] for claim in ledger.claims.values()]
    assert [row[2].strip("*") for row in whole] == published
    study = find_study("embedded")
    invented = claim_evidence.study_evidence(study, Paths(built / "results" / study.name))
    ours = claims.judge_all(ledger, invented)
    assert [row[3].strip("*") for row in whole] == [found.verdict for found in ours.values()]


@pytest.mark.slow
def test_each_claim_stands_with_one_statement_of_the_discussion(built: Path, tables: Path) -> None:
    parts = ("mixture", "abstention", "protection", "nothing-else")
    stated = [row[0] for part in parts for row in rows(tables / f"claims-{part}.md")]
    assert sorted(stated) == sorted(claim.text for claim in claims.load_ledger().claims.values())
    discussion = page(built, "discussion")
    assert all(text.split(",")[0] in discussion for text in stated)


@pytest.mark.slow
def test_audit_shows_for_which_beliefs_na_is_the_answer(built: Path, tables: Path) -> None:
    na = {row[0]: row[1] for row in rows(tables / "audit-decisions.md")}
    assert list(na.values()) == ["0.0", "0.0", "33.3"]
    html = page(built, "appendix/audit")
    assert html.count("plain accuracy: 33.3 %") == 2  # the words of the light and the dark figure
    assert "released" in html.split("results-banner")[1][:300]


@pytest.mark.slow
def test_statistics_page_shows_the_committed_simulation(built: Path, tables: Path) -> None:
    found = json.loads((ROOT / "results/benchmarks/coverage.json").read_text())
    held = found["coverage"]["stratified"]["accuracy"]
    assert rows(tables / "coverage.md")[0][1] == f"{100 * held:.1f}"
    assert found["command"] in (tables / "benchmark-commands.md").read_text()
    assert "benchmarks/coverage.py" in page(built, "appendix/statistics")


@pytest.mark.slow
def test_every_page_ends_with_commit_study_day_and_whether_it_came_again(built: Path) -> None:
    pages = [
        path
        for path in (built / "_build/html").rglob("*.html")
        if "_static" not in path.parts and path.stem not in ("genindex", "search")
    ]
    assert len(pages) > 20
    for path in pages:
        ending = path.read_text(encoding="utf-8").split("results-footer")[1][:400]
        assert "commit " in ending, path
        assert "2\u00a0January\u00a02026" in ending, path
    assert "not yet compared with a rerun" in page(built, "claim").split("results-footer")[1]


@pytest.mark.slow
def test_links_of_numbers_and_downloads_lead_to_files_that_are_there(built: Path) -> None:
    html = built / "_build" / "html"
    numbers = 0
    for path in html.rglob("*.html"):
        soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        numbers += len(soup.select(".num"))
        for link in soup.select(".num-tip a, a[download]"):
            target = str(link["href"])
            assert (path.parent / target).resolve().is_file(), f"{path}: {target}"
        for value in soup.select(".num-value"):
            assert soup.find(id=str(value["aria-describedby"])) is not None
    assert numbers > 100


@pytest.mark.slow
def test_downloaded_tables_have_the_rows_of_all_runs(built: Path) -> None:
    study = find_study("embedded")
    for place in ("results/embedded", "runs/embedded", "runs/real_smoke"):
        folder = built / "_build/html/downloads" / place
        for table, columns in dictionary.TABLES.items():
            found = pd.read_csv(folder / f"{table}.csv", keep_default_na=False)
            assert found.columns[0] == "run"
            assert dictionary.undescribed(found.columns[1:], columns) == []
    answers = pd.read_csv(built / "_build/html/downloads/results/embedded/predictions.csv")
    assert set(answers["run"]) == {"base", *(f"{arm}-s0" for arm in study.arms)}
    results = built / "_build/html/downloads/results/embedded/results.json"
    assert results.read_bytes() == (built / "results/embedded/results.json").read_bytes()


def test_footer_says_how_near_a_rerun_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    from factmix_book import downloads, footer, sources

    def write(folder: str, day: int, share: float) -> Paths:
        paths = Paths(tmp_path / folder)
        metrics = {"a": {"value": share, "unit": "fraction"}, "b": {"value": 1, "unit": "count"}}
        write_json(paths.results, {"study": {"name": "embedded"}, "metrics": metrics})
        run = {"git_commit": f"commit{day}", "finished": f"2026-01-0{day}T00:00:00+00:00"}
        write_json(paths.root / "easy-s0" / "run.json", run)
        return paths

    def line() -> str:
        results = sources.read(tmp_path / "embedded")
        return str(footer.text(results, results))

    committed = write("embedded", 1, 0.5)
    assert line().endswith("not yet compared with a rerun")
    drift.freeze(drift.drift(committed, write("fresh", 2, 0.5)), committed)
    assert line().endswith(
        "a rerun (commit commit2, 2\u00a0January\u00a02026): all 2 numbers are the same"
    )
    drift.freeze(drift.drift(committed, write("fresh", 2, 0.48)), committed)
    assert "1 of 2 numbers are the same" in line()
    assert line().endswith("difference of a share is \u22122.0\u00a0points (metrics.a)")
    shown = downloads.rerun(sources.read(tmp_path / "embedded"))
    assert "| fraction | `metrics.a` | 0.5 | 0.48 | -0.02 |" in shown
    write("embedded", 1, 0.25)  # frozen anew: the record is of other results
    assert line().endswith("not yet compared with a rerun")
