from pathlib import Path

import pytest

from factmix.study.labels import Label
from factmix.study.load import find_study
from factmix.study.paths import Paths
from factmix.study.protocol import PROTOCOLS
from factmix.study.spec import Study, StudyError


def test_the_mixtures_have_one_size():
    mixtures = find_study("main").mixtures
    totals = {
        name: [sum(part[label] for part in parts.values()) for label in Label]
        for name, parts in mixtures.items()
    }
    assert totals == {
        "easy_only": [460, 460, 380],
        "hard_only": [460, 460, 380],
        "hard_weighted": [460, 460, 380],
        "balanced": [460, 460, 380],
    }


def test_an_arm_may_have_its_own_number_of_steps():
    study = find_study("main")
    assert study.run("format_only").steps == 100
    assert study.run("hard_only").steps == 200


def test_an_unknown_arm_is_answered_with_the_known_ones(smoke):
    with pytest.raises(StudyError, match="no arm 'hard'; expected one of: format_only, hard_only"):
        smoke.run("hard")


def changed(smoke, *, usual="as_described", **arm):
    """The smoke study under another protocol, or with other settings of its arm hard_only."""
    content = smoke.model_dump()
    content["protocol"] = usual
    content["arms"]["hard_only"] |= arm
    return Study.model_validate(content)


UNSAID = {"weight_by": None, "invalid_as": None}


def test_the_usual_protocol_is_the_described_one(smoke):
    assert smoke.run("hard_only").protocol == PROTOCOLS["as_described"]
    assert smoke.run("hard_only").training_sample.name == "train-hard_only"
    assert smoke.run("hard_only").evaluation_sample.name == "evaluation"


def test_an_arm_may_name_a_protocol_and_override_each_of_its_settings(smoke):
    study = changed(smoke, protocol="as_released")
    assert study.run("hard_only").protocol == PROTOCOLS["as_released"]
    settings = {"evidence_eval": "retrieved", "weight_by": "predicted"}
    study = changed(smoke, usual="as_released", **settings)
    assert study.run("hard_only").protocol == PROTOCOLS["as_released"].model_copy(update=settings)
    assert study.run("balanced").protocol == PROTOCOLS["as_released"]
    other = changed(
        smoke, usual="as_released", protocol="as_described", evidence_train="as_released"
    )
    assert other.run("hard_only").protocol.evidence_train == "as_released"
    assert other.run("hard_only").protocol.split == "group_disjoint"


def test_samples_that_differ_from_the_usual_ones_have_names_of_their_own(smoke):
    def names(**arm):
        run = changed(smoke, **arm).run("hard_only")
        return run.training_sample.name, run.evaluation_sample.name

    assert names(evidence_train="as_released") == (
        "train-hard_only-split_group_disjoint-evidence_as_released",
        "evaluation",
    )
    assert names(split="as_released", evidence_eval="as_released") == (
        "train-hard_only-split_as_released-evidence_retrieved",
        "evaluation-as_released",
    )
    assert names(usual="as_released", protocol="as_described")[0] == "train-hard_only-as_described"
    sample = changed(smoke, protocol="as_released").run("hard_only").evaluation_sample
    assert Paths(Path("run")).sample(sample) == Path("run/data/evaluation-as_released.parquet")


def test_each_seed_has_a_training_sample_of_its_own_where_a_mixture_holds_generated_data(smoke):
    content = smoke.model_dump()
    content["datasets"]["encyclopedia"]["generated"] = True
    content["seeds"] = [0, 4]
    study = Study.model_validate(content)
    first, second = (study.run("balanced", seed).training_sample for seed in (0, 4))
    assert (first.name, second.name) == ("train-balanced-s0", "train-balanced-s4")
    assert (first.run_seed, second.run_seed) == (0, 4)
    # without encyclopedia
    assert study.run("hard_only", 4).training_sample == smoke.run("hard_only").training_sample
    names = [each.name for each in study.training_samples()]
    assert names == ["train-hard_only", "train-balanced-s0", "train-balanced-s4"]
    assert study.run("balanced", 4).evaluation_sample == study.run("balanced", 0).evaluation_sample


def test_a_dataset_that_is_held_out_is_evaluated(smoke):
    content = smoke.model_dump()
    content["datasets"]["dispatch"] = {"held_out": True}
    study = Study.model_validate(content)
    assert "dispatch" in study.run("balanced").evaluation_sample.counts
    assert "dispatch" not in study.run("balanced").training_sample.counts


def test_a_run_holds_all_that_an_arm_is_trained_and_evaluated_with(smoke):
    run = smoke.run("hard_only", 3)
    assert (run.name, run.mixture, run.baseline, run.steps) == (
        "hard_only-s3",
        "hard_only",
        "format_only",
        smoke.training.steps,
    )
    assert run.training_sample.counts == smoke.mixtures["hard_only"]
    assert run.training_sample.size == 34
    assert run.evaluation_sample.size == 3 * 40
    assert [each.arm for each in smoke.systems()] == ["base", *smoke.arms]
    with pytest.raises(AttributeError):
        run.steps = 1


def test_only_a_baseline_is_evaluated_with_more_instructions(smoke):
    study = changed(smoke, usual="as_released")
    assert study.run("format_only").evaluation_prompt.instructed
    assert not study.run("hard_only").evaluation_prompt.instructed
    assert not study.run("format_only").prompt.instructed


@pytest.mark.parametrize(
    ("study_protocol", "arm", "reward", "weight_by"),
    [
        ("as_described", {}, UNSAID, "predicted"),
        ("as_released", {}, UNSAID, "gold"),
        ("as_released", {}, {"weight_by": "predicted"}, "predicted"),
        ("as_described", {"protocol": "as_released"}, {"weight_by": "predicted"}, "gold"),
        (
            "as_described",
            {"protocol": "as_released", "weight_by": "predicted"},
            {"weight_by": "gold"},
            "predicted",
        ),
        ("as_described", {"weight_by": "gold"}, {"weight_by": "predicted"}, "gold"),
    ],
)
def test_what_is_said_closest_to_the_arm_decides_the_reward(
    smoke, study_protocol, arm, reward, weight_by
):
    content = smoke.model_dump()
    content["protocol"] = study_protocol
    content["arms"]["hard_only"] |= arm
    content["rewards"]["published"] |= reward
    study = Study.model_validate(content)
    assert study.run("hard_only").reward.weight_by == weight_by
    assert study.run("format_only").reward == study.rewards["format_only"]


def test_a_small_dataset_may_be_evaluated_on_less_where_groups_must_be_left(smoke):
    content = smoke.model_dump()
    content["datasets"]["debate"]["disjoint_counts"] = {"NA": 2, "PASS": 1, "FAIL": 1}
    content["evaluation"]["trajectory_counts"] = {"NA": 2, "PASS": 1, "FAIL": 1}
    study = Study.model_validate(content)
    counts = study.run("hard_only").evaluation_sample.counts
    assert sum(counts["debate"].values()) == 4
    assert counts["revision"] == study.evaluation.counts
    released = changed(study, protocol="as_released").run("hard_only").evaluation_sample
    assert released.counts["debate"] == study.evaluation.counts
