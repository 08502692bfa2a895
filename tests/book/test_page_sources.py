"""Which results a page shows, of which study they are, and what its head and foot say of them."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from factmix.published import claim_evidence
from factmix.study import freshness
from factmix.study.files import write_json
from factmix.study.load import find_study, load_kept
from factmix.study.paths import ROOT, Paths

COMMITTED = ("embedded", "embedded_seeds")


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The committed results: of the default study, and of the same with other seeds."""
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    from factmix_book import sources

    yield [sources.committed_results(name) for name in COMMITTED]


@pytest.fixture
def studies(tmp_path: Path, both: list[Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for studies/, in which an arm was added to the default study."""
    from factmix_book import sources

    shutil.copytree(ROOT / "studies", tmp_path / "studies")
    for name in ("models", "results"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.setattr("factmix.study.load.ROOT", tmp_path)
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    file = tmp_path / "studies" / "embedded.yaml"
    text = file.read_text()
    for key, entry in (
        ("mixtures", "easy_only:\n    encyclopedia: {NA: 30, PASS: 30, FAIL: 25}"),
        ("arms", "easy_only: {mixture: easy_only, reward: published}"),
    ):
        (line,) = [line for line in text.splitlines() if line.startswith(f"{key}:")]
        text = text.replace(f"\n{line}", f"\n{line}\n  {entry}", 1)
    file.write_text(text)
    assert "easy_only" in find_study("embedded").arms
    return tmp_path / "studies"


@pytest.mark.parametrize("name", COMMITTED)
def test_the_kept_study_is_the_one_that_every_arm_was_trained_with(name: str) -> None:
    paths = Paths(ROOT / "results" / name)
    study = load_kept(paths.study)
    for run in study.all_runs():
        record = json.loads((paths.run(run) / "run.json").read_text())
        settings = {"settings": freshness.training_settings(run)}
        assert record["depends_on"]["settings"], run.name
        assert freshness.differences(record["depends_on"], settings) == [], run.name


@pytest.mark.slow
def test_an_arm_that_was_added_since_leaves_what_the_book_says_of_the_results_as_it_was(
    both: list[Any], studies: Path, tmp_path: Path
) -> None:
    from factmix_book import published_study, replication, robustness, tables
    from factmix_book.parts import parts

    default, again = both
    assert "easy_only" not in {arm for part in parts(default) for arm in part.arms}
    assert tables.write(default, tmp_path / "tables")
    assert robustness.write(default, tmp_path / "tables")
    assert replication.write(default, again, tmp_path)
    written = "".join(file.read_text() for file in (tmp_path / "tables").glob("*.md"))
    assert "hard_only" in written and "easy_only" not in written
    judged = published_study.read(default).judged["ours"]
    assert set(judged) == set(published_study.claims.load_ledger().claims)


def test_claims_are_judged_by_the_study_that_the_results_are_of(studies: Path) -> None:
    _, ours = claim_evidence.committed_evidence()
    assert ours.counts("format_only", "hard_only", "revision").sum() == 1000


def test_the_banner_says_when_the_study_has_changed_since(both: list[Any], studies: Path) -> None:
    from factmix_book import banner, sources

    said = " · the study has been changed since"
    for results in both:  # the second extends the study that was changed
        assert banner.text(results).endswith(said)
    shutil.copy(ROOT / "studies" / "embedded.yaml", studies)
    assert said not in banner.text(sources.committed_results("embedded"))
    (studies / "embedded.yaml").write_text("model: [")
    assert banner.text(sources.committed_results("embedded")).endswith(said)
    (studies / "embedded.yaml").unlink()
    gone = sources.committed_results("embedded")
    assert banner.text(gone).endswith(" · studies/embedded.yaml is gone")


def test_results_that_keep_no_study_are_refused_with_the_remedy(
    both: list[Any], tmp_path: Path
) -> None:
    from factmix_book import sources

    shutil.copy(both[0].file, tmp_path)
    with pytest.raises(sources.SourceError, match=r"study\.json does not exist.*make study"):
        _ = sources.read(tmp_path).study


def test_a_run_has_a_page_if_it_keeps_its_study_whatever_its_yaml_says(
    both: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from factmix_book import sources

    monkeypatch.setenv("FACTMIX_RUNS", str(tmp_path))
    settings = json.loads(both[0].paths.study.read_text())
    for name in ("given_up", "of_older_code"):
        content = both[0].content["study"] | {"name": name}
        write_json(tmp_path / name / "results.json", both[0].content | {"study": content})
        write_json(tmp_path / name / "study.json", settings | {"name": name})
    (tmp_path / "of_older_code" / "study.json").unlink()
    (run,) = sources.local_runs()
    assert run.name == run.study.name == "given_up"
    assert run.since == "studies/given_up.yaml is gone"


def test_a_run_is_shown_on_its_own_page_and_on_no_chapter(both: list[Any]) -> None:
    from factmix_book.sources import of_page

    default, again = both
    run = replace(default, fresh=True)
    names = ("results", "training", "reward", "claim")
    app: Any = SimpleNamespace(
        factmix_committed=default, factmix_seeds=again, factmix_runs=dict.fromkeys(names, run)
    )
    for name in names:
        assert of_page(app, name) is default
        assert of_page(app, f"_generated/runs/{name}") is run
    assert of_page(app, "appendix/seeds") is again
    assert of_page(app, "_generated/notebooks/seeds_compare") is again
    assert of_page(app, "_generated/notebooks/compare") is default


def test_the_foot_of_a_page_agrees_with_its_head_about_where_numbers_are_from(
    both: list[Any],
) -> None:
    from factmix_book import banner, footer

    for page, elsewhere in banner.ELSEWHERE.items():
        line = footer.closing(page, both[0], *both)
        assert line.lower().startswith(elsewhere.what.lower())
        assert ("Study “embedded”" in line) == elsewhere.beside
        assert ("compared with a rerun (" in line) == elsewhere.beside
    assert footer.closing("results", both[0], *both).startswith("Study “embedded”, committed")


def test_a_run_of_either_committed_study_is_compared_with_it(both: list[Any]) -> None:
    from factmix_book import footer

    for results in both:
        fresh = replace(results, fresh=True)
        assert footer.text(fresh, *both).endswith("compared with the committed results above")
    other = replace(both[0], content={"study": {"name": "another"}}, fresh=True)
    assert footer.text(other, *both).endswith("no committed results to compare with")


def test_the_figure_of_other_seeds_leads_to_the_notebook_that_shows_it(
    both: list[Any], tmp_path: Path
) -> None:
    from factmix_book import notebooks, replication

    replication.write(*both, tmp_path)
    drawn = json.loads((tmp_path / "figures" / "seeds" / "figures.json").read_text())
    page = tmp_path / f"{drawn['seeds']['notebook']}.ipynb"
    assert page in notebooks.copy(*both, tmp_path)
    heading = "".join(json.loads(page.read_text())["cells"][0]["source"]).splitlines()[0]
    assert heading == "# The comparison, with other seeds"


def test_downloads_leave_out_arms_that_the_study_no_longer_has(
    both: list[Any], tmp_path: Path
) -> None:
    from factmix_book import downloads, sources

    root = tmp_path / "embedded"
    for name in ("study.json", "results.json"):
        root.mkdir(exist_ok=True)
        shutil.copy(ROOT / "results" / "embedded" / name, root)
    for run in ("base", "hard_only-s0"):
        shutil.copytree(ROOT / "results" / "embedded" / run, root / run)
    shutil.copytree(root / "hard_only-s0", root / "easy_only-s0")
    table = downloads._csv(sources.read(root), "predictions")
    assert "\nbase," in table and "\nhard_only-s0," in table and "easy_only" not in table
