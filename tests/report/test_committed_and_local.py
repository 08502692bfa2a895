"""Results that are reported: of which study they are, and what the head and foot of a page say."""

import json
import random
import re
import shutil
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest

from factmix.published import claim_evidence
from factmix.published.claims import load_ledger
from factmix.report import downloads, pages, provenance, published_study, sources
from factmix.report.baselines import baseline_groups
from factmix.report.sources import Results
from factmix.results import rerun_diff
from factmix.study import freshness
from factmix.study.files import (
    read_attributes,
    read_record,
    write_json,
    write_parquet,
    write_record,
)
from factmix.study.load import find_study, load_kept
from factmix.study.paths import ROOT, Paths

COMMITTED = ("main", "swapped")


@pytest.fixture
def both() -> list[Results]:
    """The committed results: of the default study, and on a second base model."""
    return [sources.committed_results(name) for name in COMMITTED]


@pytest.fixture
def studies(tmp_path: Path, both: list[Results], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for studies/, in which an arm was added to the default study."""
    shutil.copytree(ROOT / "studies", tmp_path / "studies")
    for name in ("models", "results"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.setattr("factmix.study.load.ROOT", tmp_path)
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    file = tmp_path / "studies" / "main.yaml"
    text = file.read_text()
    for key, entry in (
        ("mixtures", "debate_only:\n    debate: {NA: 30, PASS: 30, FAIL: 25}"),
        ("arms", "debate_only: {mixture: debate_only, reward: published}"),
    ):
        (line,) = [line for line in text.splitlines() if line.startswith(f"{key}:")]
        text = text.replace(f"\n{line}", f"\n{line}\n  {entry}", 1)
    file.write_text(text)
    assert "debate_only" in find_study("main").arms
    return tmp_path / "studies"


def test_a_run_that_another_study_keeps_is_there() -> None:
    links = [each for each in (ROOT / "results").glob("*/*") if each.is_symlink()]
    assert links and all((link / "run.json").is_file() for link in links)


def test_every_committed_run_and_its_answers_count_as_those_of_the_code_as_it_is() -> None:
    """Else a study that reuses runs would train and answer all of them again."""
    trained, answered = freshness.code_sha256("train"), freshness.code_sha256("evaluate")
    records = sorted((ROOT / "results").glob("*/*/run.json"))
    assert len(records) > 150
    for record in records:
        kept = read_record(record)
        assert kept["depends_on"]["code_sha256"] == trained, record
        tables = [record.with_name(f"{name}.parquet") for name in ("predictions", "clean")]
        for file in [tables[0], *filter(Path.is_file, tables[1:])]:
            code = read_attributes(file)["depends_on"]["code_sha256"]
            assert kept.get("answers_accepted_code_sha256", {}).get(code, code) == answered, file


@pytest.mark.parametrize("name", (*COMMITTED, "protocols"))
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
    both: list[Results], studies: Path
) -> None:
    default, again = both
    assert "debate_only" not in {arm for group in baseline_groups(default) for arm in group.arms}
    made = pages.chapter_tables(default, again) | pages.sentences(default, again)
    written = "".join(map(str, made.values()))
    assert "hard_only" in written and "debate_only" not in written
    judged = published_study.read(default).judged["ours"]
    assert set(judged) == set(load_ledger().claims)


def test_claims_are_judged_by_the_study_that_the_results_are_of(studies: Path) -> None:
    _, ours = claim_evidence.committed_evidence()
    assert ours.counts("format_only", "hard_only", "revision").sum() == 1000


def test_the_banner_says_when_the_study_has_changed_since(
    both: list[Results], studies: Path
) -> None:
    said = " · the study has been changed since"
    assert provenance.head(both[0]).endswith(said)
    assert said not in provenance.head(both[1])  # it has its own arms and mixtures
    shutil.copy(ROOT / "studies" / "main.yaml", studies)
    assert said not in provenance.head(sources.committed_results("main"))
    (studies / "main.yaml").write_text("model: [")
    assert provenance.head(sources.committed_results("main")).endswith(said)
    (studies / "main.yaml").unlink()
    gone = sources.committed_results("main")
    assert provenance.head(gone).endswith(" · studies/main.yaml is gone")


def test_the_banner_of_an_unfinished_study_counts_what_is_missing() -> None:
    results = sources.committed_results("main")
    arms = dict(list(results.study.arms.items())[:3])
    results.__dict__["study"] = results.study.model_copy(update={"arms": arms})
    results.content["missing"] = ["balanced-s0", "hard_only-s0"]
    assert provenance.head(results).endswith(" · 2 of its runs are not there yet")
    del results.content["missing"], results.__dict__["since"]
    assert provenance.head(results).endswith(" · the study has been changed since")


def test_results_that_keep_no_study_are_refused_with_the_remedy(
    both: list[Results], tmp_path: Path
) -> None:
    shutil.copy(both[0].file, tmp_path)
    with pytest.raises(sources.SourceError, match=r"study\.json does not exist.*make study"):
        _ = sources.read(tmp_path).study


def test_a_run_has_a_page_if_it_keeps_its_study_whatever_its_yaml_says(
    both: list[Results], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_the_foot_of_a_page_agrees_with_its_head_about_where_numbers_are_from(
    both: list[Results],
) -> None:
    for page, elsewhere in provenance.ELSEWHERE.items():
        head, foot = provenance.head(both[0], page), provenance.foot(both[0], both, page)
        assert head.startswith(f"Numbers on this page: {elsewhere.what}")
        assert foot.lower().startswith(elsewhere.what.lower())
        assert ("study “main”" in head) == elsewhere.beside
        assert ("Study “main”" in foot) == elsewhere.beside
        assert ("runs made again (" in foot) == elsewhere.beside
    assert provenance.foot(both[0], both).startswith("Study “main”, committed")


def test_a_run_of_either_committed_study_is_compared_with_it(both: list[Results]) -> None:
    for results in both:
        fresh = replace(results, fresh=True)
        line = provenance.foot(fresh, both)
        assert line.endswith("compared with the committed results above")
    other = replace(both[0], content={"study": {"name": "another"}}, fresh=True)
    assert provenance.foot(other, both).endswith("compared with the committed results above")
    assert provenance.foot(other, both[1:]).endswith("no committed results to compare with")


def test_downloads_leave_out_arms_that_the_study_no_longer_has(
    both: list[Results], tmp_path: Path
) -> None:
    root = tmp_path / "main"
    for name in ("study.json", "results.json"):
        root.mkdir(exist_ok=True)
        shutil.copy(ROOT / "results" / "main" / name, root)
    for run in ("base", "hard_only-s0"):
        shutil.copytree(ROOT / "results" / "main" / run, root / run)
    shutil.copytree(root / "hard_only-s0", root / "given_up-s0")
    table = downloads.csv(sources.read(root), "predictions").decode()
    assert '\n"base",' in table and '\n"hard_only-s0",' in table and "given_up" not in table


def test_a_table_of_all_runs_has_what_theirs_have(both: list[Results], tmp_path: Path) -> None:
    root = tmp_path / "main"
    shutil.copytree(ROOT / "results" / "main" / "base", root / "base")
    for name in ("study.json", "results.json"):
        shutil.copy(ROOT / "results" / "main" / name, root)
    for run, reward in (("hard_only-s0", 1), ("balanced-s0", 0.5)):
        shutil.copytree(ROOT / "results" / "main" / run, root / run)
        rows = pd.read_parquet(root / run / "rewards.parquet")
        rows["before"] = reward  # whole numbers in one, as rewards of one's own may be
        rows.to_parquet(root / run / "rewards.parquet")
    answers = pd.read_parquet(root / "base" / "predictions.parquet")
    answers.loc[0, ["kind", "completion"]] = [None, 'NA, "they say"\nor']
    answers.to_parquet(root / "base" / "predictions.parquet")
    for name, runs in (
        ("predictions", ("balanced-s0", "base", "hard_only-s0")),
        ("rewards", ("balanced-s0", "hard_only-s0")),
    ):
        table = pd.read_csv(
            BytesIO(downloads.csv(sources.read(root), name)), keep_default_na=False, na_values=[""]
        )
        parts = [pd.read_parquet(root / run / f"{name}.parquet").assign(run=run) for run in runs]
        expected = pd.concat(parts, ignore_index=True)[list(table)]
        pd.testing.assert_frame_equal(table, expected, check_dtype=False)


def test_local_results_of_older_code_are_left_out_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed = sources.committed_results("main")
    content = {name: part for name, part in committed.content.items() if name != "learning"}
    write_json(tmp_path / "main" / "results.json", content)
    shutil.copyfile(committed.paths.study, tmp_path / "main" / "study.json")
    monkeypatch.setenv("FACTMIX_RUNS", str(tmp_path))
    told: list[str] = []
    assert sources.local_runs(told.append) == []
    [line] = told
    assert "results.json lacks learning, as results of older code do" in line
    assert line.endswith("make it again with: factmix results main")


def test_the_foot_says_how_near_a_rerun_came(tmp_path: Path) -> None:
    def write(folder: str, day: int, share: float) -> Paths:
        paths = Paths(tmp_path / folder)
        metrics = {"a": {"value": share, "unit": "fraction"}, "b": {"value": 1, "unit": "count"}}
        write_json(paths.results, {"study": {"name": "main"}, "metrics": metrics})
        run = {"git_commit": f"commit{day}", "finished": f"2026-01-0{day}T00:00:00+00:00"}
        write_record(paths.root / "easy-s0" / "run.json", run)
        return paths

    def line() -> str:
        results = sources.read(tmp_path / "main")
        return provenance.foot(results, [results])

    committed = write("main", 1, 0.5)
    assert line().endswith("not yet compared with a rerun")
    rerun_diff.freeze(rerun_diff.rerun_diff(committed, write("fresh", 2, 0.5)), committed)
    assert line().endswith(
        "a rerun (commit commit2, 2\u00a0January\u00a02026): all 2 numbers are the same"
    )
    rerun_diff.freeze(rerun_diff.rerun_diff(committed, write("fresh", 2, 0.48)), committed)
    assert "1 of 2 numbers are the same" in line()
    assert line().endswith("difference of a share is \u22122.0\u00a0points (metrics.a)")
    shown = downloads.rerun(sources.read(tmp_path / "main"))
    assert "| fraction | `metrics.a` | 0.5 | 0.48 | -0.02 |" in shown
    rerun_diff.freeze(rerun_diff.rerun_diff(committed, write("fresh", 2, 0.49999)), committed)
    assert line().endswith("1 of 2 numbers are the same; no share differs by as much as 0.1 points")
    write("main", 1, 0.25)  # frozen anew: the record is of other results
    assert line().endswith("not yet compared with a rerun")


def test_the_foot_and_the_downloads_say_which_runs_were_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "main"
    folder.mkdir()
    committed = Paths(ROOT / "results" / "main")
    for name in ("study.json", "results.json"):
        shutil.copy(committed.root / name, folder)
    for run in ("base", "hard_only-s0", "hard_only-s1"):
        shutil.copytree(committed.root / run, folder / run)
    again = tmp_path / "again" / "hard_only-s1"
    shutil.copytree(folder / "hard_only-s1", again)
    record = json.loads((again / "run.json").read_text())
    write_record(again / "run.json", record | {"finished": "2027-01-02T00:00:00+00:00"})

    def keep() -> tuple[str, str]:
        found = rerun_diff.answers_diff(Paths(folder), Paths(tmp_path / "again"))
        rerun_diff.freeze_answers(found, Paths(folder))
        results = sources.read(folder)
        return provenance.foot(results, [results]), downloads.rerun(results)

    foot, shown = keep()
    assert "1 of its runs made again (" in foot
    assert foot.endswith("all 4,000 answers are the same")
    assert "1 of the 45 runs were made again" in shown
    assert "| `hard_only-s1` | 4,000 | 4,000 | 0 |" in shown
    answers = pd.read_parquet(again / "predictions.parquet")
    answers.loc[0, "predicted"] = "INVALID"
    write_parquet(again / "predictions.parquet", answers)
    assert keep()[0].endswith("1 of 4,000 answers differ")


def test_the_runs_made_again_are_those_that_the_commit_of_the_plan_draws() -> None:
    page = (ROOT / "book" / "appendix" / "rerun.md").read_text(encoding="utf-8")
    (commit,) = re.findall(r"\b[0-9a-f]{40}\b", page)
    runs = [run.name for run in find_study("main").all_runs()]
    kept = json.loads((ROOT / "results" / "main" / rerun_diff.ANSWERS_RECORD).read_text())
    assert kept["reruns"]
    for again in kept["reruns"]:
        assert set(again["runs"]) == set(random.Random(int(commit, 16)).sample(runs, 3))
