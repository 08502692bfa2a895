"""Every benchmark of training runs and prints its output; the numbers here mean nothing."""

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from factmix.cli import app
from factmix.study.load import find_study
from factmix.study.paths import ROOT

Run = Callable[..., dict[str, Any]]
FOLDER = ROOT / "benchmarks"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs a benchmark on the smoke study; returns what it printed, read as JSON."""
    monkeypatch.syspath_prepend(FOLDER)

    def printed(name: str, *arguments: str) -> dict[str, Any]:
        importlib.import_module(name).main(["--study", "smoke", "--json", *arguments])
        content: dict[str, Any] = json.loads(capsys.readouterr().out)
        return content

    yield printed
    for path in FOLDER.glob("*.py"):  # their names are too plain to stay
        sys.modules.pop(path.stem, None)


@pytest.mark.slow
def test_a_step_is_compared_with_the_stock_trainer(run: Run) -> None:
    found = run("grpo_step", "--steps", "2")
    assert list(found) == [
        "our_step_seconds",
        "step_ratio",
        "sampling_ratio",
        "training_ratio",
        "training_ratio_no_skip",
        "step_ratio_compact",
        "training_ratio_compact",
        "floor_ratio",
        "floor_ratio_of_sampling",
        "floor_ratio_of_training",
        "gradient_relative_error",
        "zero_spread_share",
        "quartiles",
        "memory_gb",
    ]
    ratios = [key for key in found if "ratio" in key]
    assert list(found["quartiles"]) == ratios
    for key in ratios:
        low, high = found["quartiles"][key]
        assert 0 < low <= found[key] <= high
    assert list(found["memory_gb"]) == ["stock", "ours"] and min(found["memory_gb"].values()) > 0
    assert 0 <= found["gradient_relative_error"] < 1e-5
    assert 0 <= found["zero_spread_share"] <= 1


@pytest.mark.slow
def test_group_sizes_are_compared(run: Run) -> None:
    found = run("group_size", "--steps", "1")
    assert (
        list(found) == ["cost_8_to_32", "step_seconds", "quartiles"] and found["cost_8_to_32"] > 0
    )
    seconds = found["step_seconds"]
    assert list(seconds) == ["1", "2", "4", "8", "16", "32"] and min(seconds.values()) > 0


@pytest.mark.slow
def test_an_arm_is_trained_by_both(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("curves"), "BLOCK", 1)
    found = run("curves", "--arm", "balanced")
    assert list(found) == ["reward_gap", "reward_gap_error", "rewards"]
    stock, ours = found["rewards"]["stock"], found["rewards"]["ours"]
    assert len(stock) == len(ours) == 2
    assert found["reward_gap"] == pytest.approx(sum(ours) / 2 - sum(stock) / 2)
    assert found["reward_gap_error"] > 0


@pytest.mark.slow
def test_prompt_lengths_are_compared(run: Run) -> None:
    found = run("prompt_length", "--repeats", "1", "--prompts", "2", "--lengths", "20", "90")
    assert list(found) == ["sampling_and_backward_ratio", "quartiles"]
    measured = found["sampling_and_backward_ratio"]
    between = found["quartiles"]["sampling_and_backward_ratio"]
    assert list(measured) == list(between) == ["20", "90"]
    assert all(0 < between[at][0] <= measured[at] <= between[at][1] for at in measured)


@pytest.mark.slow
def test_evaluation_is_compared_with_generate(run: Run) -> None:
    found = run("evaluate", "--examples", "12", "--repeats", "1")
    assert list(found) == ["ratio", "reading_ratio", "quartiles"]
    for key in ("ratio", "reading_ratio"):
        low, high = found["quartiles"][key]
        assert 0 < low <= found[key] <= high


@pytest.mark.slow
def test_the_phases_of_a_study_are_measured(run: Run) -> None:
    found = run("study", "--arms", "hard_only")
    assert list(found) == ["minutes", "peak_gb", "phases"]
    phases = found["phases"]
    assert list(phases) == ["data", "base", "train hard_only-s0", "evaluate hard_only-s0"]
    assert found["minutes"] == pytest.approx(sum(each["seconds"] for each in phases.values()) / 60)
    assert found["peak_gb"] == max(each["peak_gb"] for each in phases.values())
    trained = phases["train hard_only-s0"]
    assert 0 < trained["run_seconds"] < trained["seconds"]


def test_a_run_that_is_there_is_not_measured(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "smoke").mkdir()
    monkeypatch.setenv("FACTMIX_RUNS", str(tmp_path))
    with pytest.raises(SystemExit, match="smoke already exists, so nothing would be left to"):
        run("study")


def test_a_step_can_have_fewer_prompts(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    study = importlib.import_module("steps").with_training(find_study("smoke"), prompts_per_step=2)
    assert study.training.prompts_per_step == 2
    script = importlib.import_module("grpo_step")
    with pytest.raises(SystemExit, match="2"):
        script.main(["--study", "smoke", "--prompts", "0"])
    assert "--prompts: got 0; expected 1 or more" in capsys.readouterr().err


def test_the_phases_of_a_study_are_commands_that_there_are(run: Run) -> None:
    study = find_study("main")
    phases = importlib.import_module("study").phases_of(study, list(study.arms))
    assert {"data", "base", "results"} < set(phases)
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for name, *arguments in phases.values():
        commands[name].make_context(name, arguments)  # raises when one is missing or unknown


def test_every_benchmark_that_is_kept_says_what_it_takes(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    for script, *given in importlib.import_module("keep").ALL.values():
        with pytest.raises(SystemExit, match="0"):
            importlib.import_module(script).main(["--help"])
        options = {each for each in given if each.startswith("--")}
        said = set(capsys.readouterr().out.replace("]", " ").split())
        assert {"--json", "--study"} | options <= said


def test_ratios_and_tables_of_times(run: Run) -> None:
    timing = importlib.import_module("timing")
    assert timing.ratios([4.0, 9.0], [2.0, 3.0]).tolist() == [2.0, 3.0]
    assert timing.spread([1.0, 2.0, 3.0, 4.0, 5.0], " s") == "3 s (2 to 4)"
    turns = [timing.in_turns(("a", "b", "c"), turn) for turn in range(6)]
    assert sorted(turns) == [list(order) for order in permutations("abc")]
    assert [timing.in_turns(("a", "b"), turn)[0] for turn in range(4)] == ["a", "b", "b", "a"]
    assert timing.table(["", "time"], [["ours", "1 s"]]) == "      time\n----  ----\nours   1 s"
