"""The book builds from a study's results, and refuses what must not be published."""

import json
import re
import shutil
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from factmix.published import claim_evidence, claims
from factmix.published.released import DATASETS
from factmix.report.provenance import ELSEWHERE
from factmix.results import dictionary
from factmix.results.numbers import show
from factmix.study.load import load_kept
from factmix.study.paths import ROOT, Paths
from invented_book import build, copy_book, smaller, write_notebook


def page(built: Path, name: str) -> str:
    return (built / "_build" / "html" / f"{name}.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_book_builds_beside_its_configuration_without_warnings(built: Path) -> None:
    for name in ("index", "claim", "methodology", "reward", "training", "results", "discussion"):
        assert "results-banner" in page(built, name)


@pytest.mark.slow
def test_no_role_is_left_as_it_was_written(built: Path) -> None:
    """A role with a bar in a cell of a table is cut in two, and then no role."""
    html = built / "_build" / "html"
    for file in (*html.glob("*.html"), *(html / "appendix").glob("*.html")):
        shown = BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser").get_text()
        assert not re.search(r"\{[a-z]+\}`", shown), file.name


@pytest.mark.slow
def test_no_row_of_a_table_is_left_as_it_was_written(built: Path) -> None:
    html = built / "_build" / "html"
    for file in (*html.glob("*.html"), *(html / "appendix").glob("*.html")):
        shown = BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")
        assert not [each for each in shown.find_all("p") if " | " in each.get_text()], file.name


@pytest.mark.slow
def test_number_in_prose_is_that_of_the_results(built: Path) -> None:
    results = json.loads((built / "results/main/results.json").read_text())
    share = results["answer_share"]["base"]["revision"]["NA"]["value"]
    assert f"{100 * share:.1f}\u00a0%" in page(built, "training")


@pytest.mark.slow
def test_the_page_of_the_second_base_model_has_the_numbers_of_the_first_beside(built: Path) -> None:
    text = BeautifulSoup(page(built, "appendix/second_base"), "html.parser").get_text()
    shown = []
    for study in ("main", "swapped"):
        results = json.loads((built / f"results/{study}/results.json").read_text())
        transfer = results["statements"]["accuracy"]["transfer"]
        shown.append(show(transfer["hard_only"]["learning"]["crossed"], "full"))
    assert shown[0] != shown[1]
    assert all(number in text for number in shown)


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
    assert "a run on this machine" in page(built, "_generated/runs/main")


@pytest.mark.slow
def test_run_page_compares_the_run_with_the_committed_results(built: Path) -> None:
    results = json.loads((built / "results/main/results.json").read_text())
    assert "The largest differences" in page(built, "_generated/runs/main")
    assert results["study"]["description"] in page(built, "_generated/runs/main")


@pytest.mark.slow
def test_run_on_real_data_says_that_a_toy_model_was_used(built: Path) -> None:
    assert "toy model" in page(built, "_generated/runs/real_smoke")
    assert "real text" in page(built, "_generated/runs/real_smoke")
    assert "real text" not in page(built, "_generated/runs/main")


@pytest.mark.slow
def test_figures_come_in_two_versions_with_the_same_words(built: Path) -> None:
    html = page(built, "results")
    gains = json.loads((built / "results/main/results.json").read_text())["gains"]
    words = f"encyclopedia {show(gains['hard_only']['encyclopedia']['accuracy'])}"
    images = [tag for tag in html.split("<img ")[1:] if "gains-" in tag.split(">")[0]]
    assert len(images) == 2
    assert all(words in tag.split(">")[0] for tag in images)
    assert {"only-light" in tag.split(">")[0] for tag in images} == {True, False}


@pytest.mark.slow
def test_figures_link_to_their_data_and_to_the_notebook_if_the_book_has_it(built: Path) -> None:
    html = page(built, "results")
    links = re.findall(r'figure-links">(.*?)</p>', html, flags=re.DOTALL)
    assert len(links) == html.count("<figure ")
    found = [re.search(r'href="(_downloads/\S+/gains\.csv)"', link) for link in links]
    (file,) = filter(None, found)
    gains = pd.read_csv(built / "_build" / "html" / file[1])
    results = json.loads((built / "results/main/results.json").read_text())
    row = gains.set_index(["arm", "dataset", "metric"]).loc["hard_only", "debate", "accuracy"]
    expected = results["gains"]["hard_only"]["debate"]["accuracy"]["value"]
    assert row["value"] == pytest.approx(expected, rel=1e-5)
    assert "_generated/notebooks/compare.html" in links[0]
    of_run = re.findall(r'figure-links">(.*?)</p>', page(built, "_generated/runs/real_smoke"))
    assert of_run and not any("notebook" in link for link in of_run)


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
def test_unknown_number_breaks_the_build_and_names_page_and_nearest(
    built: Path, tmp_path: Path
) -> None:
    environment = copy_book(built, tmp_path)
    (tmp_path / "book" / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (tmp_path / "book" / "index.md").write_text(
        "# Page\n\nIt is {num}`gains.hard_onyl.revision.accuracy`.\n"
    )
    done = build(tmp_path, environment)
    assert done.returncode != 0
    assert "index.md:3" in done.stderr
    assert "gains.hard_onyl.revision.accuracy" in done.stderr
    assert "gains.hard_only.revision.accuracy" in done.stderr


@pytest.mark.slow
def test_notebook_with_an_error_never_becomes_a_page(built: Path, tmp_path: Path) -> None:
    environment = copy_book(built, tmp_path)
    shutil.rmtree(tmp_path / "book/_generated/notebooks")
    failure = nbformat.v4.new_output("error", ename="RuntimeError", evalue="out of memory")
    write_notebook(tmp_path / "results/main/notebooks/balanced-s0.ipynb", failure)
    done = build(tmp_path, environment)
    assert done.returncode != 0
    assert "balanced-s0.ipynb: cell 2 failed with RuntimeError: out of memory" in done.stderr
    assert not (tmp_path / "book/_generated/notebooks/balanced-s0.ipynb").exists()
    assert not (tmp_path / "_build/html/_generated/notebooks/balanced-s0.html").exists()


@pytest.mark.slow
def test_missing_results_are_reported_with_the_remedy(built: Path, tmp_path: Path) -> None:
    environment = copy_book(built, tmp_path)
    shutil.rmtree(tmp_path / "results")
    done = build(tmp_path, environment)
    assert done.returncode != 0
    assert "make freeze" in done.stderr


@pytest.mark.slow
def test_benchmarks_page_says_when_nothing_was_measured(built: Path) -> None:
    assert "No measurements are committed yet" in page(built, "appendix/benchmarks")


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
    kept = Paths(built / "results" / "main")
    invented = claim_evidence.study_evidence(load_kept(kept.study), kept)
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
        name = path.relative_to(built / "_build/html").with_suffix("").as_posix()
        of_study = name not in ELSEWHERE or ELSEWHERE[name].beside
        assert ("commit " in ending) == of_study, path
        assert ("2\u00a0January\u00a02026" in ending) == of_study, path
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
def test_settings_lead_to_the_study_that_the_results_are_of(built: Path) -> None:
    assert 'href="downloads/results/main/study.json"' in page(built, "methodology")
    assert 'href="../downloads/results/main/study.json"' in page(built, "appendix/downloads")
    kept = built / "_build/html/downloads/results/main/study.json"
    assert json.loads(kept.read_text())["statistics"]["resamples"] == 100  # as invented


@pytest.mark.slow
def test_downloaded_tables_have_the_rows_of_all_runs(built: Path) -> None:
    study = smaller("main")
    for place in ("results/main", "results/protocols", "runs/main", "runs/real_smoke"):
        folder = built / "_build/html/downloads" / place
        assert (folder / "clean.csv").is_file() == (place == "results/protocols")
        for table, columns in dictionary.TABLES.items():
            if table == "clean" and place != "results/protocols":
                continue
            found = pd.read_csv(folder / f"{table}.csv", keep_default_na=False)
            assert found.columns[0] == "run"
            assert dictionary.undescribed(found.columns[1:], columns) == []
    answers = pd.read_csv(built / "_build/html/downloads/results/main/predictions.csv")
    assert set(answers["run"]) == {"base", *(run.name for run in study.all_runs())}
    results = built / "_build/html/downloads/results/main/results.json"
    assert results.read_bytes() == (built / "results/main/results.json").read_bytes()
