"""Committed results beside a fresh run: what differs, and when the comparison counts."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from factmix import cli
from factmix.results.rerun_diff import (
    Origin,
    RerunDiffError,
    answers_as_text,
    answers_diff,
    as_text,
    comparable,
    freeze,
    freeze_answers,
    origin,
    recorded,
    recorded_answers,
    rerun_diff,
    run_records,
)
from factmix.study.files import write_json, write_parquet, write_record
from factmix.study.load import find_study
from factmix.study.paths import Paths


def leaf(value: float, unit: str = "fraction") -> dict[str, object]:
    return {"value": value, "unit": unit, "n": 10, "run": "easy-s0"}


def write(root: Path, finished: str, study: str = "toy", **numbers: object) -> Paths:
    """A folder of results with one arm."""
    write_json(root / "results.json", {"study": {"name": study}, "metrics": numbers})
    write_record(
        root / "easy-s0" / "run.json",
        {"git_commit": f"commit{finished[9]}", "device": "a box", "finished": finished},
    )
    return Paths(root)


@pytest.fixture
def committed(tmp_path: Path) -> Paths:
    numbers = {"a": leaf(0.5), "b": leaf(0.25), "c": leaf(7, "count"), "seconds": leaf(1)}
    return write(tmp_path / "results" / "toy", "2026-05-01T10:00:00+00:00", **numbers, old=leaf(1))


@pytest.fixture
def fresh(tmp_path: Path) -> Paths:
    numbers = {"a": leaf(0.5), "b": leaf(0.375), "c": leaf(4, "count"), "seconds": leaf(9)}
    return write(tmp_path / "runs" / "toy", "2026-05-02T10:00:00+00:00", **numbers, new=leaf(1))


def test_an_arm_that_the_study_no_longer_has_is_left_out(tmp_path: Path) -> None:
    write_json(Paths(tmp_path).study, find_study("smoke").model_dump(mode="json"))
    for run in ("hard_only-s0", "easy_only-s0", "hard_only-s1"):
        write_record(tmp_path / run / "run.json", {"git_commit": run})
    assert list(run_records(tmp_path)) == ["hard_only-s0"]
    assert origin(tmp_path).commits == ("hard_only-s0",)


def test_largest_difference_of_each_unit_and_what_one_side_lacks(
    committed: Paths, fresh: Paths
) -> None:
    found = rerun_diff(committed, fresh)
    assert (found["compared"], found["same"]) == (3, 1)  # seconds are of the machine
    assert list(found["largest"]) == ["count", "fraction"]
    assert found["largest"]["count"] == {
        "key": "metrics.c",
        "committed": 7.0,
        "fresh": 4.0,
        "difference": -3.0,
    }
    assert found["largest"]["fraction"]["key"] == "metrics.b"
    assert found["only_committed"] == ["metrics.old"]
    assert found["only_fresh"] == ["metrics.new"]
    assert found["fresh"]["commits"] == ("commit2",)


def test_numbers_side_by_side_with_what_one_side_lacks() -> None:
    def results(**values: float) -> dict[str, Any]:
        return {
            "study": {"name": "x"},
            "confusion": {"base": [[1, 2]]},
            "metrics": {name: {"value": v, "unit": "fraction"} for name, v in values.items()},
        }

    frame = comparable(results(a=0.5, b=0.25), results(a=0.75, c=1.0)).set_index("key")
    assert list(frame.index) == ["metrics.a", "metrics.b", "metrics.c"]
    assert frame.loc["metrics.a"].tolist() == ["fraction", 0.5, 0.75, 0.25]
    assert np.isnan(frame.loc["metrics.b", "fresh"])
    assert np.isnan(frame.loc["metrics.c", "difference"])


def test_text_says_what_json_says(committed: Paths, fresh: Paths) -> None:
    text = as_text(rerun_diff(committed, fresh))
    assert "3 numbers compared, 1 the same" in text
    assert "fresh: commit commit2, 2\u00a0May\u00a02026" in text
    assert "1 only committed: metrics.old" in text
    count, fraction = text.splitlines()[-2:]
    assert count.split() == ["count", "metrics.c", "7.0", "4.0", "-3.0"]
    assert fraction.split() == ["fraction", "metrics.b", "0.25", "0.375", "0.125"]


def test_a_run_is_no_rerun_of_itself(committed: Paths, tmp_path: Path) -> None:
    same = write(tmp_path / "runs" / "toy", "2026-05-01T10:00:00+00:00", a=leaf(0.5))
    found = rerun_diff(committed, same)
    assert found["not_rerun"] == ["easy-s0"]
    assert "not trained anew: easy-s0" in as_text(found)
    with pytest.raises(RerunDiffError, match=r"easy-s0.*make study STUDY=toy"):
        freeze(found, committed)
    assert recorded(committed) is None


def test_a_record_counts_for_the_results_that_it_is_of(committed: Paths, fresh: Paths) -> None:
    assert recorded(committed) is None
    found = rerun_diff(committed, fresh)
    assert freeze(found, committed) == committed.root / "rerun_diff.json"
    kept = recorded(committed)
    assert kept is not None
    assert kept["same"] == 1
    assert str(Origin(**kept["fresh"])) == "commit commit2, 2\u00a0May\u00a02026"
    write_json(committed.results, {"study": {"name": "toy"}, "metrics": {}})
    assert recorded(committed) is None


def answer(paths: Paths, predicted: list[str], p_na: list[float], ids: str = "ab") -> None:
    """Answers of the arm in a folder of `write`."""
    rest = [0.5 * (1 - p) for p in p_na]
    columns = {"dataset": "one", "id": list(ids), "predicted": predicted}
    frame = pd.DataFrame(columns | {"p_na": p_na, "p_pass": rest, "p_fail": rest})
    write_parquet(paths.root / "easy-s0" / "predictions.parquet", frame)


def test_answers_of_some_runs_are_compared_example_by_example(
    committed: Paths, fresh: Paths
) -> None:
    answer(committed, ["NA", "PASS"], [0.75, 0.25])
    answer(fresh, ["NA", "NA"], [0.5, 0.75], ids="ba")  # in another order
    fresh.results.unlink()  # not all of the study was made again
    found = answers_diff(committed, fresh)
    assert found["fresh"]["commits"] == ("commit2",)
    run = found["runs"]["easy-s0"]
    assert (run["examples"], run["same"], run["largest"]) == (2, 1, 0.25)
    text = answers_as_text(found)
    assert "easy-s0: 1 of 2 answers the same, largest difference of a probability 0.25" in text
    assert recorded_answers(committed) == []
    later = found | {"fresh": found["fresh"] | {"finished": "2027-01-02T00:00:00+00:00"}}
    for compared in (found, found, later):  # the same rerun is kept once
        freeze_answers(json.loads(json.dumps(compared)), committed)
    assert [kept["runs"] for kept in recorded_answers(committed)] == [found["runs"]] * 2
    answer(committed, ["NA", "NA"], [0.75, 0.75])  # frozen anew: the record is of other answers
    assert recorded_answers(committed) == []


def test_answers_that_are_no_rerun_are_refused(committed: Paths, fresh: Paths) -> None:
    with pytest.raises(RerunDiffError, match=r"factmix train toy ARM --seed SEED"):
        answers_diff(committed, fresh)
    answer(committed, ["NA", "PASS"], [0.75, 0.25])
    found = answers_diff(committed, committed)
    assert "(not trained anew)" in answers_as_text(found)
    with pytest.raises(RerunDiffError, match=r"not a rerun.*easy-s0"):
        freeze_answers(found, committed)
    answer(fresh, ["NA", "PASS"], [0.75, 0.25], ids="ac")
    with pytest.raises(RerunDiffError, match=r"2 examples that are not those of .*predictions"):
        answers_diff(committed, fresh)


@pytest.mark.parametrize(
    ("missing", "remedy"), [("results", "make freeze"), ("runs", "make study")]
)
def test_a_missing_side_is_named_with_the_remedy(
    committed: Paths, fresh: Paths, missing: str, remedy: str
) -> None:
    gone = committed if missing == "results" else fresh
    gone.results.unlink()
    with pytest.raises(RerunDiffError, match=f"{missing}/toy/results.json.*{remedy} STUDY=toy"):
        rerun_diff(committed, fresh)


def test_two_studies_are_not_compared(committed: Paths, tmp_path: Path) -> None:
    other = write(tmp_path / "other", "2026-05-02T10:00:00+00:00", study="other")
    with pytest.raises(RerunDiffError, match=r"is of the study 'toy' and .* of 'other'"):
        rerun_diff(committed, other)


def test_results_without_runs_have_no_origin(tmp_path: Path) -> None:
    assert str(origin(tmp_path)) == "commit not recorded, date not recorded"


def test_command_compares_with_the_committed_results(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    committed: Paths,
    fresh: Paths,
) -> None:
    monkeypatch.setattr("factmix.study.paths.ROOT", tmp_path)
    toy = type("Toy", (), {"name": "toy"})()
    monkeypatch.setattr("factmix.study.load.find_study", lambda name: toy)
    monkeypatch.setenv("FACTMIX_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(sys, "argv", ["factmix", "drift", "toy", "--json", "--freeze"])
    with pytest.raises(SystemExit) as exited:
        cli.main()
    assert not exited.value.code
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((committed.root / "rerun_diff.json").read_text())
    assert printed["compared"] == 3
