"""The tests of a base model that a study's own answers and curves can make."""

import copy
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from factmix.report import model_page
from factmix.report.sources import Results, committed_results
from factmix.study.run import PREDICTIONS
from factmix.training.columns import PROBABILITIES


@pytest.fixture
def real() -> Results:
    read = committed_results("smollm2")
    return Results(read.root, copy.deepcopy(read.content))


def shown(real: Results) -> dict[str, str]:
    return model_page.of_answers(real, model_page.tests_of_answers(real), "real")


def row(text: str, *starts: str) -> list[str]:
    (found,) = [line for line in text.splitlines() if line.startswith(f"| {' | '.join(starts)} |")]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_every_test_that_answers_can_make_is_made(real: Results) -> None:
    table = shown(real)["real-tests"]
    names = {line.split("|")[1].strip() for line in table.splitlines()[2:]}
    assert names == {"A1, blocking", "A2", "A3", "A4, blocking", "A5", "A6, blocking"}


def test_values_are_those_of_the_untrained_model_beside_what_is_asked(real: Results) -> None:
    base = real.content["metrics"]["base"]["vitaminc"]
    base["recall_na"]["value"] = 0.55
    base["balanced_accuracy"]["value"] = 0.99
    table = shown(real)["real-tests"]
    assert row(table, "A2", "recall of NA", "vitaminc")[-3:] == ["0.550", "0.20 to 0.60", "yes"]
    above = row(table, "A1, blocking", "balanced accuracy above words alone", "vitaminc")
    assert above[-1] == "yes"
    # FEVER, which is to lead the others, is now behind
    lead = row(table, "A3", "lead over hard datasets in balanced accuracy", "fever")
    assert lead[-1] == "**no**" and lead[-3].startswith("\u2212")


def test_the_failed_tests_that_block_are_named(real: Results) -> None:
    said = shown(real)["real-rejected"]
    table = shown(real)["real-tests"]
    for test in ("A1", "A4", "A6"):
        failed = any(
            line.startswith(f"| {test}, blocking") and "**no**" in line
            for line in table.splitlines()
        )
        assert failed == (f"{test} (" in said)
    assert "Learning was established for no arm on any dataset." in said
    real.content["learning"]["balanced"]["fever"]["learning"] |= {"value": 0.1, "p_holm": 0.001}
    assert "no arm" not in shown(real)["real-rejected"]


def control(real: Results, root: Path, learning: dict[str, Any], after: float) -> Results:
    """The study with a control by labels that gained this everywhere beyond moved thresholds."""
    shutil.copytree(real.root, root)
    leaf = {"value": 0.05, "unit": "points", "n": 400, "run": "supervised", "interval": [0.0, 0.1]}
    found = {"shift": leaf, "over_constants": leaf, "learning": leaf | learning}
    made = {
        "claims": 171,
        "mixture": "balanced",
        "steps": 60,
        "batch": 16,
        "learning_rate": 1e-3,
        "own": {"before": 0.5, "after": after},
        "gained": dict.fromkeys(real.datasets, found),
    }
    beside = Results(root, real.content)
    shutil.rmtree(beside.paths.supervised, ignore_errors=True)
    beside.paths.supervised.mkdir()
    (beside.paths.supervised / "own.json").write_text(json.dumps(made))
    return beside


@pytest.mark.parametrize(
    ("p_holm", "after", "meaning"),
    [
        (
            0.001,
            0.5,
            "On fever, vitaminc and climate_fever more was learned than moved",
        ),
        (0.5, 0.95, "so that no reward could be expected to"),
        (0.5, 0.6, "So it fitted even these in part at most, and says little"),
    ],
)
def test_what_labels_teach_stands_beside_the_tests(
    real: Results, tmp_path: Path, p_holm: float, after: float, meaning: str
) -> None:
    made = control(real, tmp_path / "real", {"value": 0.04, "p_holm": p_holm}, after)
    said = shown(made)
    about = "supervised training over constants"
    if after > 0.9:  # one that did not fit its claims tests nothing
        tested = row(said["real-tests"], "A4, blocking", about, "vitaminc")
        assert tested[-3:] == ["0.050", "at least 0.08", "**no**"]
    else:
        assert about not in said["real-tests"]
    told = said["real-labels"]
    assert told.startswith(
        "- **Those of an arm's own claims**, the 171 of `balanced`: 60 steps of 16"
    )
    assert f"50\u00a0% were right before, and {100 * after:.0f}\u00a0% are after." in told
    meanings = ("can teach something", "no reward could", "fitted even these")
    assert meaning in told and sum(each in told for each in meanings) == 1
    assert len(said["real-labels-table"].splitlines()) == 2 + len(real.datasets)


@pytest.mark.parametrize(
    ("learned", "seen"),
    [(0.001, "so that learning of this size is seen here."), (0.5, "this study may not see it")],
)
def test_a_control_by_the_labels_of_the_warm_start_stands_beside_it(
    real: Results, tmp_path: Path, learned: float, seen: str
) -> None:
    made = control(real, tmp_path / "real", {"value": 0.2, "p_holm": learned}, 0.9)
    own = json.loads((made.paths.supervised / "own.json").read_text())
    record = own | {"claims": 4080, "asked": 400}
    (made.paths.supervised / "warm_start.json").write_text(json.dumps(record))
    said = shown(made)
    first, second = said["real-labels"].split("\n")[:2]
    assert first.startswith("- **Those of the warm start**, 4,080 claims: 60 steps of 16 claims")
    assert seen in first and "an arm's own claims" in second
    assert "Of sampled answers to 400 of these claims themselves" in first and "400" not in second
    assert len(said["real-labels-table"].splitlines()) == 2 + 2 * len(real.datasets)


def test_what_the_warm_start_was_to_reach_is_said_to_be_reached_or_missed(real: Results) -> None:
    base = real.content["metrics"]["base"]
    base["fever"]["balanced_accuracy"] |= {"value": 0.71}
    base["vitaminc"]["balanced_accuracy"] |= {"value": 0.39}
    said = shown(real)["real-aims"]
    reached, missed = said.split("Missed: ")
    assert reached.startswith("Reached: balanced accuracy on fever, 71.0\u00a0% (59.2 to 67.8")
    assert "), aim 70 to 100\u00a0%" in reached
    assert "balanced accuracy on vitaminc, 39.0\u00a0% (34.8 to 44.7" in missed
    assert "valid format at the training temperature on fever, " in said
    assert said.count("\u00a0%, aim 60 to 80\u00a0%") == 3  # no interval


def test_answers_to_a_dataset_of_no_mixture_are_counted(real: Results, tmp_path: Path) -> None:
    def answered(change: float | None, p_holm: float = 0.0) -> dict[str, Any]:
        right = 0.5 + (change or 0)
        leaf = {"value": right, "unit": "fraction", "n": 355, "run": "x", "interval": [0.4, 0.6]}
        of = {"right": leaf, "na": {"value": 0.25, "unit": "fraction", "n": 9, "run": "x"}}
        of["auroc_pass_fail"] = {"value": 0.51, "unit": "", "n": 9, "run": "x"}
        of["right_of_verdicts"] = leaf | {"value": 0.55}
        if change is not None:
            more = {"value": change, "unit": "points", "n": 355, "run": "x", "p_holm": p_holm}
            of["change"] = more
        return of

    systems = {
        "base": answered(None),
        "format_only": answered(0.1, 0.001),
        "balanced": answered(-0.1, 0.001),
        "hard_only": answered(-0.2, 0.5),
    }
    root = tmp_path / "real"
    (root / "unseen" / "boxes").mkdir(parents=True)
    record = {"claims": 1400, "left_out": 20, "systems": systems}
    (root / "unseen" / "boxes" / "numbers.json").write_text(json.dumps(record))
    shutil.copy(real.paths.study, root)
    said = model_page.of_unseen(Results(root, real.content), "real")
    assert said.keys() == {"real-boxes", "real-boxes-table"}
    assert "Of 1,400 pairs of claim and evidence (20 more were left out" in said["real-boxes"]
    assert "the arms from 30.0\u00a0% to 60.0\u00a0%." in said["real-boxes"]
    assert "right after training in 1 of 3 arms, and fewer in 1." in said["real-boxes"]
    assert "All these intervals hold a half" in said["real-boxes"]
    systems["format_only"]["right_of_verdicts"]["interval"] = [0.52, 0.6]
    (root / "unseen" / "boxes" / "numbers.json").write_text(json.dumps(record))
    again = model_page.of_unseen(Results(root, real.content), "real")["real-boxes"]
    assert "All these intervals" not in again
    assert row(said["real-boxes-table"], "base model")[1:3] == ["50.0 [40.0,\u00a060.0]", "\u2013"]
    assert row(said["real-boxes-table"], "`balanced`")[2:4] == ["\u221210.0", "0.001"]


def test_what_the_warm_start_took_is_said_where_it_is_known(real: Results, tmp_path: Path) -> None:
    said = model_page.of_warm_start(real, "real")["real-warm-start"]
    made = json.loads(real.paths.warm_start.read_text())
    losses = made["losses"]
    assert f"{made['trainable_parameters']:,d} parameters" in said
    assert f"from {np.mean(losses[:10]):.2f}, the mean" in said
    assert f"to {np.mean(losses[-10:]):.2f}, that of the last" in said
    elsewhere = Results(tmp_path, real.content)
    assert model_page.of_warm_start(elsewhere, "real") == {"real-warm-start": ""}


def test_equally_probable_labels_of_the_base_model_are_counted(
    real: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = model_page.of_ties(real, "real")["real-ties"]
    assert "often equally probable" in said and "of 400 claims of fever" in said
    differs = float(re.search(r"at most (\d+\.\d) points", said)[1])
    assert 0.1 <= differs <= 10
    monkeypatch.setattr(model_page, "COARSE", 1e-9)  # finer than the probabilities
    assert "at most 0.0 points" in model_page.of_ties(real, "real")["real-ties"]
    monkeypatch.setattr(model_page, "_by_coarse_odds", lambda _: {"value": 0.012})
    answered = pd.read_parquet(real.paths.base / PREDICTIONS)
    elsewhere = Results(tmp_path, real.content)
    elsewhere.paths.base.mkdir()
    columns = list(PROBABILITIES)
    answered[columns] = [0.5, 0.3, 0.2]
    answered.to_parquet(elsewhere.paths.base / PREDICTIONS)
    assert model_page.of_ties(elsewhere, "real") == {"real-ties": ""}
    of_fever = answered.index[answered["dataset"] == "fever"]
    answered.loc[of_fever[:3], columns] = [0.4, 0.2, 0.4]
    answered.to_parquet(elsewhere.paths.base / PREDICTIONS)
    said = model_page.of_ties(elsewhere, "real")["real-ties"]
    assert "equally probable: for 3 of 400 claims of fever. Such a claim counts" in said
    assert "at most 1.2 points, of any arm" in said
    assert "vitaminc" not in said


def test_the_plan_is_said_beside_what_the_study_took(real: Results, tmp_path: Path) -> None:
    assert model_page.of_plan(Results(tmp_path, real.content), "real") == {"real-planned": ""}
    (tmp_path / "plan.json").write_text(json.dumps({"time": {"seconds": 7260.4}}))
    (tmp_path / "warm_start.json").write_text(json.dumps({"wall_seconds": 600.0}))
    for arm in real.arms:
        real.content["training"][arm]["seconds"]["value"] = 60.0
    said = model_page.of_plan(Results(tmp_path, real.content), "real")["real-planned"]
    assert "estimates 2\u00a0h\u00a01\u00a0min for this study" in said
    assert f"took {10 + len(real.arms)}\u00a0min\u00a00\u00a0s" in said
