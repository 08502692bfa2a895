"""What figures show in words: the finding comes first, and is computed from the numbers."""

import copy
from dataclasses import replace

import pandas as pd
import pytest

from factmix.report import drawings, sources
from factmix.report.baselines import BaselineGroup, baseline_groups
from factmix.report.templates import say
from factmix.study.labels import Label


def read(name: str) -> BaselineGroup:
    """The first group of a study's committed results, whose numbers a test may change."""
    found = sources.committed_results(name)
    return baseline_groups(replace(found, content=copy.deepcopy(found.content)))[0]


@pytest.fixture
def group() -> BaselineGroup:
    return read("main")


def texts(group: BaselineGroup) -> dict[str, str]:
    """The words of each figure of the study."""
    drawn = drawings.of_study(group.results)
    return {name: drawing.words for name, drawing in drawn.items()}


def test_each_begins_with_a_finding(group: BaselineGroup) -> None:
    begins = {
        "summary": "Change in balanced accuracy over the base model: from ",
        "gains": "Change in accuracy against format_only: from ",
        "learning": "Change in balanced accuracy over the base model, in two parts. ",
        "transfer": "Change in balanced accuracy on datasets that the arm was not trained on: ",
        "pairs": "Of the answers of format_only, at most ",
        "reward": "On the same claims ",
        "trajectory": "At the last step balanced accuracy is: encyclopedia from ",
        "trajectory-na": "At the last step recall NA is: encyclopedia from ",
        "dose": "Change of recall NA since the start, at the last step: from ",
        "dose-balanced_accuracy": "Change of balanced accuracy since the start, at the last st",
        "confusion": "Recall of NA: encyclopedia from ",
        "reliability": "Expected calibration error: encyclopedia from ",
        "seeds": "Mean gain in balanced accuracy of 5 seeds: from ",
        "risk": "Area under the curve of risk and coverage: encyclopedia from ",
        "mixtures": "From 1300 examples (easy_only) to 1300 (easy_only). ",
    }
    for name, text in texts(group).items():
        assert text.startswith(begins.get(name, "Largest change over training: ")), name


def test_confusion_names_the_lowest_and_the_highest(group: BaselineGroup) -> None:
    metrics = group.results.content["metrics"]
    for system in group.systems:
        metrics[system]["revision"]["recall_na"]["value"] = 0.5
    metrics["balanced"]["revision"]["recall_na"]["value"] = 0.25
    metrics["hard_only"]["revision"]["recall_na"]["value"] = 0.75
    text = texts(group)["confusion"]
    assert "; revision from 25.0\u00a0% (balanced) to 75.0\u00a0% (hard_only); " in text


def test_pairs_name_the_most_and_count_what_is_established(group: BaselineGroup) -> None:
    tests = group.results.content["mcnemar"]
    for arm in group.compared:
        for test in tests[arm].values():
            test["p"]["p_holm"] = 1
            test["fixed"]["value"], test["broken"]["value"] = 2, 1
    tests["hard_only"]["debate"]["fixed"]["value"] = 9
    tests["balanced"]["revision"]["broken"]["value"] = 8
    tests["balanced"]["revision"]["p"]["p_holm"] = 0
    assert texts(group)["pairs"].startswith(
        "Of the answers of format_only, at most 9 (hard_only on debate) are fixed and 8 (balanced "
        "on revision) broken; 1 of 32 differences are established. "
    )


def test_shift_and_learning_are_of_every_arm_over_the_untrained_model(group: BaselineGroup) -> None:
    for datasets in group.results.content["learning"].values():
        for found in datasets.values():
            found["shift"] |= {"value": 0.0, "p_holm": 0.001}
            found["learning"] |= {"value": 0.01, "p_holm": 1.0}
    text = texts(group)["learning"]
    assert "What two constants give is from 0.0\u00a0points (" in text
    assert "; 36 of 36 differences are established. What is learned beyond them is from +" in text
    assert "; 0 of 36 differences are established. Shift, format_only: encyclopedia" in text


def test_transfer_has_only_what_was_not_trained_on(group: BaselineGroup) -> None:
    for datasets in group.results.content["gains"].values():
        for metrics in datasets.values():
            metrics["balanced_accuracy"] |= {"value": 0.0, "p_holm": 1.0}
    gain = group.results.content["gains"]["hard_only"]["encyclopedia"]["balanced_accuracy"]
    gain |= {"value": 0.02, "p_holm": 0.001}
    text = texts(group)["transfer"]
    assert (
        "not trained on: from 0.0\u00a0points (easy_only on revision) to +2.0\u00a0points" in text
    )
    assert "(hard_only on encyclopedia); 1 of 14 differences are established. " in text
    for mixture in group.results.study.mixtures.values():
        for dataset in group.results.datasets:
            mixture.setdefault(dataset, {Label.NA: 1})
    assert texts(group)["transfer"].startswith("Every arm was trained on all datasets. ")


def test_seeds_are_established_by_the_test_over_seeds_and_claims() -> None:
    group = read("main")
    gains = group.results.content["gains"]
    for datasets in gains.values():
        for of in datasets.values():
            of["balanced_accuracy"] |= {"value": 0.0, "p_holm": 0.02}
    gains["balanced_accuracy"]["dispatch"]["balanced_accuracy"] |= {"value": 0.05, "p_holm": 0.001}
    drawing = drawings.seeds(group)
    assert drawing is not None
    text = drawing.words
    assert text.startswith("Mean gain in balanced accuracy of 5 seeds: from 0.0\u00a0points (")
    assert " to +5.0\u00a0points (balanced_accuracy on dispatch); 1 of 32 differences are" in text


def test_reward_counts_the_arms_that_earn_more(group: BaselineGroup) -> None:
    group.results.content["training"]["balanced"]["reward_gain"]["value"] = -0.1
    assert texts(group)["reward"].startswith("On the same claims 8 of 9 arms earn more after")


def test_curves_begin_with_the_arm_that_changes_most() -> None:
    steps = [("up", 1, 0.1), ("up", 2, 0.2), ("down", 1, 0.9), ("down", 2, 0.4)]
    metrics = pd.DataFrame(steps, columns=["arm", "step", "accuracy"])
    assert say("alt_texts.j2", *drawings.ends(metrics, {"right": "accuracy"})) == (
        "Largest change over training: right in down from 90.0\u00a0% to 40.0\u00a0%. Curves over "
        "training; means of the first and of the last steps. right: up from 10.0\u00a0% to "
        "20.0\u00a0%, down from 90.0\u00a0% to 40.0\u00a0%."
    )
