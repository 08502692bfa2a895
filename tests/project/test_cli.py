import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from factmix import cli, notebooks
from factmix.data import fetch, mixtures
from factmix.study.paths import Paths
from factmix.study.spec import Study


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Exit status of the command line."""
    monkeypatch.setattr(sys, "argv", ["factmix", *arguments])
    with pytest.raises(SystemExit) as exited:
        cli.main()
    return int(exited.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["data", "mian"], "expected one of: main"),
        (["train", "smoke", "hard-only"], "no arm 'hard-only'; expected one of: format_only"),
        (["evaluate", "smoke", "hard-only"], "no arm 'hard-only'; expected one of: format_only"),
        (["compare", "none.json", "none.parquet"], "none.json: no such file"),
        (["fetch", "fever"], "no data file or model 'fever'; expected one of: smollm2, climate_"),
        (["train", "smoke", "hard_only", "--seed", "7"], "has no seed 7; expected one of: 0. Add"),
        (["evaluate", "smoke", "hard_only", "--seed", "7"], "has no seed 7; expected one of: 0."),
        (["evaluate", "smoke", "base", "--seed", "0"], "the base model has no seed"),
        (["notebook", "none.md", "out.ipynb"], "none.md: no such notebook"),
    ],
)
def test_a_users_mistake_is_one_line_and_status_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    assert run(monkeypatch, *arguments) == 2
    message = capsys.readouterr().err
    assert message.startswith("factmix: ")
    assert said in message
    assert message.count("\n") == 1


def test_a_mistake_in_the_code_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(study: Study, paths: Paths) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(mixtures, "prepare", broken)
    monkeypatch.setattr(sys, "argv", ["factmix", "data", "smoke"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "smoke", "hard_only"], "train-hard_only.parquet does not exist; draw the data"),
        (["evaluate", "smoke", "hard_only"], "train-hard_only.parquet does not exist; draw the"),
        (["evaluate", "smoke", "base"], "does not exist; draw the data with: factmix data smoke"),
    ],
)
def test_a_step_before_its_time_names_the_step_that_is_missing(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.setenv("FACTMIX_RUNS", str(tmp_path))
    assert run(monkeypatch, *arguments) == 2
    assert said in capsys.readouterr().err


def test_a_study_without_a_warm_start_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "warm-start", "smoke") == 2
    assert "study smoke has no key warm_start; expected its settings" in capsys.readouterr().err


def test_an_arm_is_trained_before_it_is_evaluated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACTMIX_RUNS", str(tmp_path))
    assert run(monkeypatch, "data", "smoke") == 0
    assert run(monkeypatch, "evaluate", "smoke", "balanced", "--seed", "0") == 2
    said = capsys.readouterr().err
    assert "balanced-s0/run.json does not exist; train the arm with: factmix train smoke" in said


@pytest.mark.parametrize("seed", ["-1", "4294967296"])
def test_a_seed_that_is_none_is_refused_before_anything_is_done(
    monkeypatch: pytest.MonkeyPatch, seed: str
) -> None:
    assert run(monkeypatch, "train", "smoke", "balanced", "--seed", seed) == 2


def test_a_folder_that_cannot_be_written_to_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FACTMIX_RUNS", str(tmp_path / "file"))
    assert run(monkeypatch, "data", "smoke") == 2
    assert "name folders that can be written to in FACTMIX_CACHE" in capsys.readouterr().err


def test_data_are_drawn_for_the_named_study_below_its_folder_and_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACTMIX_RUNS", str(tmp_path))
    assert run(monkeypatch, "data", "smoke") == 0
    shown = capsys.readouterr().out
    assert "debate" in shown and "hard_only" in shown
    assert (tmp_path / "smoke" / "data" / "evaluation.parquet").is_file()
    assert run(monkeypatch, "data", "smoke", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["datasets"]["debate"]["evaluation"]["NA"] == 20
    assert summary["overlap"]["hard_only"]["groups"] == 0


def test_plans_are_shown_as_text_or_json(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACTMIX_RUNS", str(tmp_path))
    assert run(monkeypatch, "plan", "smoke") == 0
    assert "factmix train smoke hard_only --seed 0" in capsys.readouterr().out
    assert run(monkeypatch, "plan", "smoke", "--json") == 0
    assert json.loads(capsys.readouterr().out)["study"] == "smoke"


def test_files_are_fetched_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "climate-fever.jsonl").write_text("{}")
    sums = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a  climate-fever.jsonl"
    (tmp_path / "SHA256SUMS").write_text(sums)
    monkeypatch.setenv("FACTMIX_MIRROR", str(tmp_path))
    assert run(monkeypatch, "fetch", "climate_fever") == 0
    assert f"climate_fever: {tmp_path / 'climate-fever.jsonl'} (2 bytes" in capsys.readouterr().out


def test_a_file_that_cannot_be_had_does_not_keep_the_others_from_being_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fetched(name: str) -> Path:
        if name != "climate_fever":
            raise fetch.SourceError(f"{name}: no connection")
        (tmp_path / name).touch()
        return tmp_path / name

    monkeypatch.setattr(fetch, "fetch", fetched)
    assert run(monkeypatch, "fetch", "vitaminc", "climate_fever", "fever_wiki") == 2
    shown = capsys.readouterr()
    assert shown.out.startswith("climate_fever: ")
    assert shown.err == "factmix: vitaminc: no connection\nfever_wiki: no connection\n"


def test_notebook_parameters_are_read_as_yaml(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = {}
    monkeypatch.setattr(notebooks, "execute", lambda source, output, values: given.update(values))
    status = run(
        monkeypatch, "notebook", "arm.md", "out.ipynb", "-p", "arm=hard_only", "-p", "seed=3"
    )
    assert status == 0
    assert given == {"arm": "hard_only", "seed": 3}


def test_a_parameter_without_a_value_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "notebook", "arm.md", "out.ipynb", "-p", "arm") == 2
    assert "expected NAME=VALUE" in capsys.readouterr().err
    for value in ("2026-13-45", "[", "!!int two", "2026-11-28", "[1, 2]", "{a: 1}"):
        assert run(monkeypatch, "notebook", "arm.md", "out.ipynb", "-p", f"seed={value}") == 2
        assert "expected a number, a text" in capsys.readouterr().err


def test_help_does_not_load_torch() -> None:
    code = (
        "import sys, typer.testing; from factmix.cli import app;"
        "shown = typer.testing.CliRunner().invoke(app, ['--help']).output;"
        "assert 'learning-rate' in shown, shown;"
        "sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_letters_that_a_terminal_lacks_are_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,gold,predicted\n1,wahr,wahr\n2,für,für\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "factmix.cli", "compare", "a.csv", "a.csv", "--resamples", "10"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert "f\\xfcr" in done.stdout


def test_two_prediction_files_are_compared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    gold = ["NA", "PASS", "FAIL", "NA"]
    for name, answers in {"a": ["PASS", "PASS", "PASS", ""], "b": gold}.items():
        rows = [
            {"id": i, "golden_label": label, "predicted_label": answer, "raw_response": answer}
            for i, (label, answer) in enumerate(zip(gold, answers, strict=True))
        ]
        (tmp_path / f"{name}.json").write_text(json.dumps({"results": rows}))
    files = [str(tmp_path / "a.json"), str(tmp_path / "b.json")]
    assert run(monkeypatch, "compare", *files, "--json", "--resamples", "50") == 0
    counted = json.loads(capsys.readouterr().out)
    assert (counted["n"], counted["mcnemar"]["fixed"]) == (4, 3)
    dropping = ["--json", "--invalid", "drop_pairwise", "--resamples", "50"]
    assert run(monkeypatch, "compare", *files, *dropping) == 0
    dropped = json.loads(capsys.readouterr().out)
    assert (dropped["n"], dropped["mcnemar"]["fixed"], dropped["dropped"]) == (3, 2, 1)
    assert run(monkeypatch, "compare", *files, "--invalid", "ignore") == 2
