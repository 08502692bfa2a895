"""The abilities of the base model, before training."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from factmix.data import mixtures
from factmix.results import model_card
from factmix.study.examples import Example, to_frame
from factmix.study.labels import Label
from factmix.study.load import find_study
from factmix.study.paths import Paths
from factmix.study.spec import Study
from factmix.training.policy import load_base


def test_balanced_accuracy_is_the_mean_recall() -> None:
    gold = np.array(["NA", "NA", "NA", "PASS", "FAIL", "FAIL"])
    logits = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]])
    assert model_card.balanced_accuracy(logits, gold) == pytest.approx((2 / 3 + 1 + 1 / 2) / 3)


def test_offsets_undo_a_lean_towards_a_label() -> None:
    rng = np.random.default_rng(0)
    gold = rng.integers(3, size=600)
    logits = rng.normal(size=(600, 3)) + 2 * np.eye(3)[gold] + [0, 2.5, -1]
    labels = np.array(["NA", "PASS", "FAIL"])[gold]
    offsets = model_card.fit_offsets(logits, labels)
    assert offsets == pytest.approx([0, -2.5, 1], abs=0.5)
    gain = model_card.balanced_accuracy(logits + offsets, labels)
    assert gain > model_card.balanced_accuracy(logits, labels) + 0.1


def answered(examples: pd.DataFrame, *, temperature: float, seed: int) -> pd.DataFrame:
    """Made-up answers: at the training temperature one kind varies with the seed."""
    frame = examples[["dataset", "id", "group", "kind"]].assign(gold=list(examples["label"]))
    na = frame["gold"] == "NA"
    frame["predicted"] = frame["gold"]
    if temperature > 0.2:
        varies = (frame["kind"] == "vague") & (seed % 2 == 0)
        frame.loc[varies, "predicted"] = "PASS"
    else:
        frame.loc[frame["kind"] == "conflict", "predicted"] = "PASS"
    frame["format_valid"] = True
    # conflict looks like a claim with a verdict, vague does not
    frame["p_na"] = np.where(na, np.where(frame["kind"] == "vague", 0.8, 0.3), 0.3)
    frame["p_pass"] = (1 - frame["p_na"]) * np.where(frame["gold"] == "FAIL", 0.1, 0.9)
    frame["p_fail"] = 1 - frame["p_na"] - frame["p_pass"]
    return frame


def test_each_kind_is_measured_against_the_claims_of_the_other_side(
    smoke: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fake(policy: Any, examples: pd.DataFrame, *, prompt: Any, name: str = "", **asked: Any):
        return answered(examples, **asked)

    monkeypatch.setattr("factmix.training.evaluate.answer", fake)
    examples = to_frame(
        Example(f"{kind}-{label}-{i}", f"g{i}", "debate", "A.", ("B.",), label, kind)
        for i in range(5)
        for kind, label in (
            ("plain", Label.PASS),
            ("plain", Label.FAIL),
            ("vague", Label.NA),
            ("conflict", Label.NA),
        )
    )
    table = model_card.by_kind(None, examples, smoke)  # type: ignore[arg-type]
    plain, vague, conflict = (
        table.loc["debate", decided, kind]
        for decided, kind in ((True, "plain"), (False, "vague"), (False, "conflict"))
    )
    assert [each["n"] for each in (plain, vague, conflict)] == [10, 5, 5]
    assert [plain["recall"], vague["recall"], conflict["recall"]] == [1, 1, 0]
    assert vague["auroc_na"] == 1
    assert conflict["auroc_na"] == pytest.approx(0.5)
    assert plain["auroc_na"] == pytest.approx(0.75)  # against half vague, half conflict
    assert plain["auroc_pass_fail"] == 1
    assert np.isnan(vague["auroc_pass_fail"])
    assert [each["no_spread_published"] for each in (plain, vague, conflict)] == [1, 0, 1]
    assert [each["no_spread_format_only"] for each in (plain, vague, conflict)] == [1, 1, 1]


@pytest.mark.slow
def test_the_committed_model_knows_more_than_it_says(tmp_path: Path) -> None:
    study = find_study("embedded")
    paths = Paths(tmp_path)
    mixtures.prepare(study, paths)
    development = mixtures.development(study, paths)
    card = model_card.card(load_base(study.model), development, study, seed=study.sample_seed)
    assert card["encyclopedia"]["balanced_accuracy"] > 0.65
    for domain in ("revision", "debate"):
        assert 0.40 < card[domain]["balanced_accuracy"] < 0.55
        assert card[domain]["headroom"] > 0.10
        shares = card[domain]["answers"]
        assert shares["PASS"] > 2 * max(shares["NA"], shares["FAIL"])
    for each in card.values():
        assert 0.60 < each["format_rate"] < 0.80  # there is a format to learn
        assert each["answers_without_evidence"]["NA"] > 0.9
