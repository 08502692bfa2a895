"""What the page about other seeds says, for results that would make it say something else."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from factmix.report import findings
from factmix.report.sources import Results, SourceError, committed_results
from factmix.study.paths import ROOT

MIXTURES = ("hard_only", "hard_weighted", "balanced")
SEEDS = 5
Both = tuple[Results, Results]


@pytest.fixture
def both() -> Both:
    """The default study's results, and those with other seeds, to be changed."""
    default, again = (committed_results(name) for name in ("embedded", "embedded_seeds"))
    return changeable(default), changeable(again)


def changeable(results: Results) -> Results:
    return replace(results, content=copy.deepcopy(results.content))


def _lines(both: Both) -> list[str]:
    return findings.seeds_findings(*both).splitlines()


def _set(spread: dict[str, Any], values: list[float], p: float = 1.0) -> None:
    mean = sum(values) / len(values)
    spread["crossed"] |= {"value": mean, "p_holm": p}
    for leaf, value in zip(spread["by_seed"].values(), values, strict=True):
        leaf["value"] = value


def test_runs_in_the_direction_of_the_default_study_are_counted(
    both: Both,
) -> None:
    default, again = both
    for arm in MIXTURES:
        default.content["gains"][arm]["revision"]["recall_na"]["value"] = -0.3
        spread = again.content["across_seeds"][arm]["revision"]["recall_na"]
        _set(spread, [-0.3, -0.2, -0.1, 0.0, 0.1])
    line = _lines(both)[0]
    assert "On **revision**, recall of NA changes by {seeds}`across_seeds.hard_only.rev" in line
    assert "in 9 of 15 runs in the direction of the default study" in line


def test_the_larger_of_mixture_and_reward_is_counted_seed_by_seed(
    both: Both,
) -> None:
    section = both[1].content["contrasts_across_seeds"]
    for setting, values in (("mixture", [0.01] * SEEDS), ("reward", [0.02, 0.02, 0.02, 0.0, 0.0])):
        for datasets in section[setting].values():
            for metrics in datasets.values():
                _set(metrics["balanced_accuracy"], values)
    sure = section["mixture"]["balanced_over_hard_only"]["debate"]["balanced_accuracy"]
    _set(sure, [-0.04, -0.04, -0.01, -0.01, -0.01], p=0.001)
    line = _lines(both)[1]
    assert "Of the 9 differences in balanced accuracy that the mixture alone makes, 1 is" in line
    assert "from `hard_only` to `balanced` on **debate**, is {seeds}`contrasts_across" in line
    assert line.endswith("The reward makes the larger one in 1 of 5 seeds.")
    sure["crossed"]["p_holm"] = 0.02  # other seeds or claims could have turned it
    assert "that the mixture alone makes, 0 are" in _lines(both)[1]


def test_established_changes_that_keep_their_direction_are_counted(
    both: Both,
) -> None:
    default, again = both
    for arm, datasets in default.content["gains"].items():
        for dataset, metrics in datasets.items():
            for metric in ("balanced_accuracy", "recall_na"):
                first = (arm, dataset) in {("hard_only", "debate"), ("balanced", "debate")}
                metrics[metric] |= {"value": 0.1, "p_holm": 0.001 if first else 0.5}
                if arm in again.content["across_seeds"]:
                    values = [0.1] * SEEDS if arm == "balanced" else [0.1, 0.1, 0.1, 0.1, -0.1]
                    _set(again.content["across_seeds"][arm][dataset][metric], values)
    assert (
        "establishes 4 changes in balanced accuracy and recall of NA; 2 of them" in _lines(both)[2]
    )


def test_the_spread_of_one_run_is_that_of_the_mean_times_the_seeds(
    both: Both,
) -> None:
    default, again = both
    for arm, datasets in again.content["across_seeds"].items():
        for dataset, metrics in datasets.items():
            metrics["balanced_accuracy"]["seed_variance"]["value"] = 0.02**2 / SEEDS
            gain = default.content["gains"][arm][dataset]["balanced_accuracy"]
            gain["interval"] = [0.1 - 1.96 * 0.005, 0.1 + 1.96 * 0.005]
    line = _lines(both)[3]
    assert "standard deviation of 2.0\u00a0points" in line
    assert "standard error of 0.5\u00a0points" in line


def test_both_studies_answer_the_same_claims_and_differ_in_their_seeds() -> None:
    reports = [
        json.loads(Path(ROOT / "results" / name / "data" / "report.json").read_text())
        for name in ("embedded", "embedded_seeds")
    ]
    assert reports[0]["fingerprint"] == reports[1]["fingerprint"]
    runs = sorted((ROOT / "results" / "embedded_seeds").glob("*-s*/run.json"))
    facts = [json.loads(path.read_text()) for path in runs]
    assert {each["seed"] for each in facts} == set(range(1, 1 + SEEDS))
    assert len({each["adapter_sha256"] for each in facts}) == len(facts) == 25
    assert len({each["evaluation_sample_sha256"] for each in facts}) == 1
    default = json.loads((ROOT / "results/main/balanced-s0/run.json").read_text())
    assert default["evaluation_sample_sha256"] == facts[0]["evaluation_sample_sha256"]
    assert default["depends_on"]["model_sha256"] == facts[0]["depends_on"]["model_sha256"]


def test_what_came_again_is_also_said_in_a_sentence(both: Both) -> None:
    for datasets in both[0].content["gains"].values():
        for metrics in datasets.values():
            for leaf in metrics.values():
                leaf["p_holm"] = 1.0
    gain = both[0].content["gains"]["balanced"]["debate"]["recall_na"]
    gain |= {"value": 0.1, "p_holm": 0.001}
    _set(both[1].content["across_seeds"]["balanced"]["debate"]["recall_na"], [0.1] * SEEDS)
    assert findings.seeds_in_short(*both).startswith(
        "When every arm was retrained with 5 other seeds, 1 of the 1 established changes in"
    )


def test_other_settings_are_not_passed_off_as_other_seeds(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings.check_only_seeds_differ(*both)
    records = findings.rerun_diff.run_records

    def changed(root: Path) -> dict[str, Any]:
        found = records(root)
        return {name: run | {"evaluation_sample_sha256": str(root)} for name, run in found.items()}

    monkeypatch.setattr(findings.rerun_diff, "run_records", changed)
    with pytest.raises(SourceError, match="make study STUDY=embedded_seeds"):
        findings.check_only_seeds_differ(*both)
