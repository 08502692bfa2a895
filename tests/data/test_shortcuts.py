from pathlib import Path

import pandas as pd
import pytest

from factmix.data import shortcuts as module
from factmix.data.shortcuts import of_study, shortcuts
from factmix.study.files import write_parquet
from factmix.study.paths import Paths
from factmix.study.spec import Study

LABELS = ["NA", "PASS", "FAIL"]


def table(claims: list[str], evidence: list[list[str]]) -> pd.DataFrame:
    """Examples with the three labels in turn."""
    rows = range(len(claims))
    return pd.DataFrame(
        {
            "id": [f"e{i}" for i in rows],
            "group": [f"g{i}" for i in rows],
            "dataset": "encyclopedia",
            "claim": claims,
            "evidence": evidence,
            "label": [LABELS[i % 3] for i in rows],
        }
    )


def test_a_label_that_only_the_evidence_gives_away_is_hidden_from_the_claim_alone() -> None:
    said = {"NA": [], "PASS": ["It is so."], "FAIL": ["It is otherwise."]}
    examples = table(["The dam is old."] * 30, [said[LABELS[i % 3]] for i in range(30)])
    scores = shortcuts(examples, examples, seed=0)
    assert scores["claim_and_evidence"]["accuracy"]["value"] == 1.0
    assert scores["claim_only"]["balanced_accuracy"]["value"] == pytest.approx(1 / 3)
    assert scores["claim_only"]["accuracy"] == {
        "value": pytest.approx(1 / 3),
        "unit": "fraction",
        "n": 30,
        "trained_on": 30,
    }


def test_a_claim_that_gives_its_label_away_is_found_out() -> None:
    words = {"NA": "maybe", "PASS": "always", "FAIL": "never"}
    examples = table([words[LABELS[i % 3]] for i in range(30)], [["It is so."]] * 30)
    assert shortcuts(examples, examples, seed=0)["claim_only"]["accuracy"]["value"] == 1.0


def test_large_pools_are_sampled_and_the_seed_decides_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TRAINING_ROWS", 12)
    examples = table([f"word{i % 7}" for i in range(60)], [["It is so."]] * 60)
    scores = shortcuts(examples, examples, seed=3)
    assert scores["claim_only"]["accuracy"]["trained_on"] == 12
    assert scores == shortcuts(examples, examples, seed=3)


def test_groups_of_the_evaluation_set_are_not_trained_on(tmp_path: Path, smoke: Study) -> None:
    study = smoke.model_copy(update={"datasets": {"encyclopedia": smoke.datasets["encyclopedia"]}})
    paths = Paths(tmp_path)
    pool = table([f"word{i % 3}" for i in range(30)], [["It is so."]] * 30)
    pool.loc[6:8, "group"] = "g0"  # the group of an evaluated example
    write_parquet(paths.pool("encyclopedia"), pool)
    write_parquet(paths.evaluation, pool.iloc[:3])
    scores = of_study(study, paths)
    assert scores["encyclopedia"]["claim_only"]["accuracy"]["trained_on"] == 30 - 3 - 3
    assert (paths.data / "shortcuts.json").is_file()
