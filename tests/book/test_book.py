"""The book builds from a study's results, and refuses what must not be published."""

import copy
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from factmix.published import claim_evidence, claims
from factmix.published.released import DATASETS
from factmix.results import dictionary, rerun_diff
from factmix.results.numbers import show
from factmix.study.files import write_json
from factmix.study.load import find_study
from factmix.study.paths import ROOT, Paths
from factmix.study.spec import Study
from invented_book import build, invent_book, invent_run, write_notebook


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


def test_run_on_an_invented_dataset_is_not_called_one_on_real_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    from factmix_book import run_pages, sources

    committed = sources.committed_results("embedded")
    run = sources.committed_results("embedded")
    standing_for_none = run.study.datasets["debate"].model_copy(update={"stands_for": None})
    for name, real in (("boxes", False), ("fever", True)):
        datasets = run.study.datasets | {name: standing_for_none}
        run.__dict__["study"] = run.study.model_copy(update={"datasets": datasets})
        note = run_pages._toy_note(run, committed)
        assert "toy model" in note
        assert ("real text" in note) == real


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
def test_figures_link_to_their_data_and_to_the_notebook_if_the_book_has_it(built: Path) -> None:
    html = page(built, "results")
    links = re.findall(r'figure-links">(.*?)</p>', html, flags=re.DOTALL)
    assert len(links) == html.count("<figure ")
    (file,) = [re.search(r'href="(_downloads/\S+/gains\.csv)"', link) for link in links[:1]]
    gains = pd.read_csv(built / "_build" / "html" / file[1])
    results = json.loads((built / "results/embedded/results.json").read_text())
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


@pytest.mark.slow
def test_notebook_with_an_error_never_becomes_a_page(tmp_path: Path) -> None:
    environment = invent_book(tmp_path)
    failure = nbformat.v4.new_output("error", ename="RuntimeError", evalue="out of memory")
    write_notebook(tmp_path / "results/embedded/notebooks/balanced-s0.ipynb", failure)
    done = build(tmp_path, environment)
    assert done.returncode != 0
    assert "balanced-s0.ipynb: cell 2 failed with RuntimeError: out of memory" in done.stderr
    assert not (tmp_path / "book/_generated/notebooks/balanced-s0.ipynb").exists()
    assert not (tmp_path / "_build/html/_generated/notebooks/balanced-s0.html").exists()


@pytest.mark.slow
def test_missing_results_are_reported_with_the_remedy(tmp_path: Path) -> None:
    environment = invent_book(tmp_path)
    shutil.rmtree(tmp_path / "results")
    done = build(tmp_path, environment)
    assert done.returncode != 0
    assert "make freeze" in done.stderr


@pytest.mark.slow
def test_benchmarks_page_says_when_nothing_was_measured(built: Path) -> None:
    assert "No measurements are committed yet" in page(built, "appendix/benchmarks")


MEASURED = {
    "evaluate": {"ratio": 4.44, "reading_ratio": 1.25},
    "group_size": {"cost_8_to_32": 1.9, "step_seconds": {"8": 0.52, "2": 0.4}},
    "prompt_length": {"sampling_and_backward_ratio": {"60": 5.2, "500": 14.93}},
    "study": {"minutes": 9.876, "phases": {"data": {"seconds": 5.4}, "base": {"seconds": 41}}},
    "curves": {
        "reward_gap": -0.00234,
        "reward_gap_error": 0.0026,
        "rewards": {"stock": [0.1, 0.62], "ours": [0.2, 0.51]},
    },
}


def write_measurements(folder: Path) -> None:
    for name, result in MEASURED.items():
        command = f"python benchmarks/{name}.py --json"
        about = {"command": command, "machine": "two cores", "measured": "2026-01-02"}
        write_json(folder / f"{name}.json", about | {"result": result})


def test_benchmarks_page_shows_numbers_and_figures_with_their_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    from factmix_book import benchmarks

    write_measurements(tmp_path)
    written = benchmarks.write(tmp_path, tmp_path / "generated")
    text = (tmp_path / "generated/tables/benchmarks.md").read_text()
    for name in MEASURED:
        assert f"two cores, 2026-01-02: `python benchmarks/{name}.py --json`" in text
    for row in (
        f"{benchmarks.NAMES['ratio']} | 4.44",
        f"{benchmarks.NAMES['step_seconds']}, 8 completions per prompt | 0.52",
        f"{benchmarks.NAMES['sampling_and_backward_ratio']}, 500 prompt tokens | 14.9",
        "the study's compute, minutes | 9.88",
        "`base`, seconds | 41",
        f"{benchmarks.NAMES['reward_gap']} | \u22120.00234",
    ):
        assert f"| {row} |" in text
    assert benchmarks.TITLES["grpo_step"] not in text  # it was not measured
    drawn = json.loads((tmp_path / "generated/figures/speed/figures.json").read_text())
    assert list(drawn) == ["group_size", "prompt_length", "study", "curves"]
    assert "2 training steps" in drawn["curves"]["alt"]
    assert "\u22120.00234 on average, standard error 0.0026." in drawn["curves"]["alt"]
    assert "0.62" not in text  # of single steps there is only the figure
    assert all(f"{{drawn}} speed/{name}\n" in text for name in drawn)
    assert "two cores: 0.4 for 2, 0.52 for 8." in drawn["group_size"]["alt"]
    assert "two cores; the longest is base with 41" in drawn["study"]["alt"]
    assert tmp_path / "generated/figures/speed/study-dark.svg" in written
    write_json(tmp_path / "study.json", {"result": {}})
    with pytest.raises(benchmarks.SourceError, match=r"study\.json: the key 'machine' is missing"):
        benchmarks.write(tmp_path, tmp_path / "generated")


Drawn = tuple[Any, Path, dict[str, Any]]  # results, the folder with figures, and figures.json


def draw_invented(study: Study, folder: Path) -> Drawn:
    """Invents a run of a study that has no file in studies/, and draws its figures."""
    from factmix_book import drawings, sources

    invent_run(study, Paths(folder / "run"))
    results = sources.read(folder / "run")
    drawings.write(results, folder / "figures")
    return results, folder, json.loads((folder / "figures" / "figures.json").read_text())


def changed(name: str, **content: Any) -> Study:
    """A study of studies/ with other content and few resamples."""
    study = find_study(name)
    content["statistics"] = study.statistics.model_dump() | {"resamples": 50}
    return Study.model_validate(study.model_dump() | content)


@pytest.fixture(scope="module")
def two_protocols(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drawn]:
    """A study in which two arms are evaluated in another way, one of them as their baseline."""
    arms = find_study("smoke").model_dump()["arms"]
    for name in ("format_only", "hard_only"):
        arms[f"{name}_released"] = arms[name] | {"protocol": "as_released"}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "book" / "_ext")
        folder = tmp_path_factory.mktemp("two")
        yield draw_invented(changed("smoke", arms=arms), folder)


@pytest.mark.slow
def test_each_arm_is_compared_with_its_own_baseline_in_a_figure_of_its_own(
    two_protocols: Drawn,
) -> None:
    _, folder, drawn = two_protocols
    apart = {"": {"hard_only", "balanced"}, "-format_only_released": {"hard_only_released"}}
    for suffix, compared in apart.items():
        for name in ("gains", "transfer", "pairs"):
            data = pd.read_csv(folder / "figures" / f"{name}{suffix}.csv")
            assert set(data["arm"]) == compared
        own = suffix.removeprefix("-") or "format_only"
        assert f"against {own}: " in drawn[f"gains{suffix}"]["alt"]
        for name in ("reward", "shares"):
            data = pd.read_csv(folder / "figures" / f"{name}{suffix}.csv")
            assert set(data["arm"]) == compared | {own}
    untrained = pd.read_csv(folder / "figures" / "risk-format_only_released.csv")["arm"]
    assert "base_as_released" in set(untrained) and "base" not in set(untrained)


@pytest.mark.slow
def test_findings_name_the_baseline_of_each_part_and_no_gain_over_oneself(
    two_protocols: Drawn,
) -> None:
    from factmix_book import findings
    from factmix_book.parts import parts

    results = copy.deepcopy(two_protocols[0])
    text = findings.bullets(results)
    first, second = text.split("Compared with `format_only_released`:")
    assert first.startswith("Compared with `format_only`:")
    assert "_released" not in first
    assert "`hard_only`" not in second.split("All arms:")[0]
    rates = results.content["format_rate"]
    assert findings._format(parts(results)[0]) in first
    for dataset in results.datasets:  # well above any interval of so few examples
        rates["format_only"][dataset]["interval"] = [2.0, 2.0]
    every = findings._format(parts(results)[0])
    (of_arm,) = re.findall(r"`hard_only` \(([^)]*)\)", every)
    assert of_arm.split(", ") == [
        f"{dataset} {{num}}`format_rate.hard_only.{dataset}`" for dataset in results.datasets
    ]
    metrics = results.content["metrics"]
    arms = ["format_only_released", "hard_only_released"]
    for dataset in results.datasets:
        best = max(arms, key=lambda arm: metrics[arm][dataset]["balanced_accuracy"]["value"])
        (line,) = [line for line in second.splitlines() if line.startswith(f"- **{dataset}**")]
        assert f"`{best}`" in line
        assert ("no arm has a higher" in line) == (best == "format_only_released")


def test_columns_of_numbers_are_aligned_right_and_those_of_words_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    from factmix_book import tables

    cells = [
        "F1\u00a0NA",
        "`8e5ba`",
        "p of a test",
        "p\u00a0=\u00a00.1",
        "\u22120.2",
        "**18**",
        "\u2013",
    ]
    text = tables.markdown(["1", *"abcdefg"], [["1", *cells]])
    assert text.splitlines()[1] == "| :-- | :-- | :-- | :-- | --: | --: | --: | --: |"


@pytest.mark.slow
def test_run_page_shows_the_figures_of_every_baseline(two_protocols: Drawn) -> None:
    from factmix_book import run_pages

    results, folder, drawn = two_protocols
    (file,) = run_pages.write(results, results, folder / "html", folder / "pages", again=results)
    page = file.read_text()
    shown = re.findall(r"```\{drawn\} run-smoke/(\S+)", page)
    assert set(shown) <= set(drawn) and len(shown) == len(set(shown))
    assert {"gains", "gains-format_only_released", "risk-format_only_released"} <= set(shown)
    assert "`hard_only_released` against `format_only_released` | encyclopedia" in page
    assert "Baseline: `format_only_released`." in page


@pytest.mark.slow
def test_baseline_without_fellows_has_no_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    from factmix_book import findings

    arms = find_study("smoke").model_dump()["arms"]
    arms["alone"] = arms["hard_only"] | {"protocol": "as_released"}
    results, _, drawn = draw_invented(changed("smoke", arms=arms), tmp_path)
    assert "gains-alone" not in drawn and "shares-alone" in drawn
    assert "Compared with" not in findings.bullets(results)


@pytest.mark.slow
def test_seeds_are_drawn_where_there_are_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, two_protocols: Drawn
) -> None:
    assert "seeds" not in two_protocols[2]
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    from factmix_book import tables

    assert tables.seeds(two_protocols[0]) == ""
    results, folder, drawn = draw_invented(changed("smoke", seeds=[0, 1, 2]), tmp_path)
    assert "of 3 seeds" in drawn["seeds"]["alt"]
    data = pd.read_csv(folder / "figures" / "seeds.csv", dtype={"seed": str})
    assert set(data["seed"]) == {"mean", "0", "1", "2"}
    for _, gains in data.groupby(["arm", "dataset", "metric"]):
        mean = gains[gains["seed"] == "mean"]["value"].item()
        assert gains[gains["seed"] != "mean"]["value"].mean() == pytest.approx(mean, abs=1e-5)
    assert "{drawn} seeds" in tables.seeds(results)


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
def test_every_page_ends_with_commit_study_day_and_whether_it_came_again(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    from factmix_book.banner import ELSEWHERE

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
    assert 'href="downloads/results/embedded/study.json"' in page(built, "methodology")
    assert 'href="../downloads/results/embedded/study.json"' in page(built, "appendix/downloads")
    kept = built / "_build/html/downloads/results/embedded/study.json"
    assert json.loads(kept.read_text())["statistics"]["resamples"] == 100  # as invented


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
    rerun_diff.freeze(rerun_diff.rerun_diff(committed, write("fresh", 2, 0.5)), committed)
    assert line().endswith(
        "a rerun (commit commit2, 2\u00a0January\u00a02026): all 2 numbers are the same"
    )
    rerun_diff.freeze(rerun_diff.rerun_diff(committed, write("fresh", 2, 0.48)), committed)
    assert "1 of 2 numbers are the same" in line()
    assert line().endswith("difference of a share is \u22122.0\u00a0points (metrics.a)")
    shown = downloads.rerun(sources.read(tmp_path / "embedded"))
    assert "| fraction | `metrics.a` | 0.5 | 0.48 | -0.02 |" in shown
    rerun_diff.freeze(rerun_diff.rerun_diff(committed, write("fresh", 2, 0.49999)), committed)
    assert line().endswith("1 of 2 numbers are the same; no share differs by as much as 0.1 points")
    write("embedded", 1, 0.25)  # frozen anew: the record is of other results
    assert line().endswith("not yet compared with a rerun")
