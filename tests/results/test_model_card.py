"""What the base model can tell, and the tests that it must pass."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from factmix.data import mixtures
from factmix.results import model_card
from factmix.stats.bootstrap import Estimate
from factmix.study.load import find_study
from factmix.study.paths import Paths
from factmix.training.policy import load_base

DATASETS = ["encyclopedia", "revision", "debate", "dispatch"]
HARD, EASY = ["revision", "debate"], ["encyclopedia"]
TOUCHED = [("revision", "conflict"), ("revision", "dated")]


@pytest.fixture
def card() -> pd.DataFrame:
    """Of a model that passes every test."""
    row = {
        "n": 900,
        **{f"recall_{label}": 0.5 for label in ("NA", "PASS", "FAIL")},
        "balanced_accuracy": 0.5,
        "most_probable": 0.5,
        "with_constants": 0.55,
        "instructed": 0.49,
        "auroc_na": 0.7,
        "auroc_pass_fail": 0.8,
        "format_rate": 0.7,
        "n_bare": 13_000,
        "bare_PASS": 0.0,
        "bare_FAIL": 0.0,
    }
    frame = pd.DataFrame([row] * 4, index=pd.Index(DATASETS, name="dataset"))
    frame.loc["encyclopedia", ["balanced_accuracy", "auroc_na"]] = [0.6, 0.8]
    return frame


@pytest.fixture
def kinds() -> pd.DataFrame:
    keys = [(name, False, "conflict") for name in DATASETS]
    keys += [(name, True, "dated") for name in DATASETS]
    index = pd.MultiIndex.from_tuples(keys, names=["dataset", "decided", "kind"])
    shares = dict.fromkeys(("no_spread_accuracy", "no_spread_published"), 0.6)
    return pd.DataFrame({"n": 100, **shares}, index=index)


def gained(over: float, learning: float, low: float) -> pd.DataFrame:
    row = {
        "shift": Estimate(0.0, (-0.1, 0.1)),
        "learning": Estimate(learning, (low, 0.2)),
        "over_constants": Estimate(over, (0.0, 0.2)),
    }
    return pd.DataFrame.from_dict(dict.fromkeys(DATASETS, row), orient="index")


def failed(card: pd.DataFrame, kinds: pd.DataFrame, **changes: object) -> set[tuple[str, str]]:
    facts: dict[str, object] = {
        "words": dict.fromkeys(DATASETS, 0.4),
        "supervised": gained(0.1, 0.1, 0.05),
        "grpo": gained(0.03, 0.03, 0.01),
    }
    tests = model_card.acceptance(
        card, kinds=kinds, hard=HARD, easy=EASY, touched=TOUCHED, **(facts | changes)
    )  # type: ignore[arg-type]
    named = ["A1", "A2", "A3", "A4", "A5", "A6", "A6, published", "A7", "A8"]
    assert list(tests["test"].unique()) == named
    assert set(tests["test"][tests["blocking"]]) == {"A1", "A4", "A6"}
    lost = tests[~tests["passed"]]
    return set(zip(lost["test"], lost["dataset"], strict=True))


def test_a_model_that_can_learn_passes(card: pd.DataFrame, kinds: pd.DataFrame) -> None:
    assert failed(card, kinds) == set()


@pytest.mark.parametrize(
    ("name", "dataset", "value", "test"),
    [
        ("balanced_accuracy", "dispatch", 0.44, "A1"),
        ("recall_NA", "revision", 0.65, "A2"),
        ("recall_FAIL", "debate", 0.1, "A2"),
        ("auroc_na", "encyclopedia", 0.74, "A3"),
        ("with_constants", "debate", 0.52, "A4"),
        ("format_rate", "debate", 0.9, "A5"),
        ("instructed", "encyclopedia", 0.44, "A7"),
        ("bare_FAIL", "revision", 0.001, "A8"),
    ],
)
def test_each_test_of_the_card_can_fail(
    card: pd.DataFrame, kinds: pd.DataFrame, name: str, dataset: str, value: float, test: str
) -> None:
    card.loc[dataset, name] = value
    assert failed(card, kinds) == {(test, dataset)}


def test_training_must_gain_more_than_constants(card: pd.DataFrame, kinds: pd.DataFrame) -> None:
    both = {("A4", "revision"), ("A4", "debate")}
    assert failed(card, kinds, supervised=gained(0.07, 0.1, 0.05)) == both
    assert failed(card, kinds, grpo=gained(0.1, 0.01, 0.005)) == both
    assert failed(card, kinds, grpo=gained(0.1, 0.05, -0.01)) == both


def test_groups_must_have_something_to_choose_from(card: pd.DataFrame, kinds: pd.DataFrame) -> None:
    kinds.loc[("revision", True, "dated"), "no_spread_accuracy"] = 0.85
    assert failed(card, kinds) == {("A6", "revision, dated")}
    kinds.loc[("dispatch", slice(None), slice(None)), "no_spread_accuracy"] = 0.9
    assert failed(card, kinds) == {("A6", "revision, dated"), ("A6", "dispatch")}
    kinds.loc[("dispatch", slice(None), slice(None)), "no_spread_published"] = 0.9
    assert ("A6, published", "dispatch") in failed(card, kinds)


@pytest.mark.slow
def test_the_committed_model_is_measured(tmp_path: Path) -> None:
    study, paths = find_study("main"), Paths(tmp_path)
    mixtures.prepare(study, paths)
    development = mixtures.development(study, paths)
    some = development.groupby("dataset").head(60)
    policy = load_base(study.model)
    card = model_card.card(policy, some, study)
    assert card.index.tolist() == list(study.datasets)
    assert (card["n"] == 60).all()
    assert card["format_rate"].between(0.55, 0.85).all()  # there is a format to learn
    answers = card[["NA", "PASS", "FAIL", "INVALID"]].sum(axis=1)
    assert np.allclose(answers, 1)
    kinds = model_card.by_kind(policy, some, study)
    assert kinds["n"].sum() == len(some)
    assert kinds["auroc_na"].between(0, 1).all()
    same = model_card.gained(policy, policy, some, study)
    assert all(each.value == 0 for each in same["shift"]) and all(
        each.value == 0 for each in same["learning"]
    )
