from pathlib import Path

import pytest

from factmix.study.labels import Label
from factmix.study.load import find_study
from factmix.study.paths import Paths
from factmix.study.protocol import PROTOCOLS
from factmix.study.spec import Study, StudyError


def test_the_published_mixtures_hold_the_published_counts():
    mixtures = find_study("embedded").mixtures
    totals = {
        name: [sum(part[label] for part in parts.values()) for label in Label]
        for name, parts in mixtures.items()
    }
    assert totals == {
        "hard_only": [360, 360, 300],
        "hard_weighted": [460, 460, 380],
        "balanced": [360, 360, 300],
        "hard_only_matched": [460, 460, 380],
        "hard_weighted_matched": [460, 460, 380],
        "balanced_matched": [460, 460, 380],
    }


def test_an_arm_may_have_its_own_number_of_steps():
    study = find_study("embedded")
    assert study.steps("format_only") == 100
    assert study.steps("hard_only") == 200


def test_an_unknown_arm_is_answered_with_the_known_ones(smoke):
    with pytest.raises(StudyError, match="no arm 'hard'; expected one of: format_only, hard_only"):
        smoke.arm("hard")


def changed(smoke, *, usual="as_described", **arm):
    """The smoke study under another protocol, or with other settings of its arm hard_only."""
    content = smoke.model_dump()
    content["protocol"] = usual
    content["arms"]["hard_only"] |= arm
    return Study.model_validate(content)


UNSAID = {"weight_by": None, "invalid_as": None}


def test_the_usual_protocol_is_the_described_one(smoke):
    assert smoke.protocol_of("hard_only") == PROTOCOLS["as_described"]
    assert smoke.training_sample("hard_only") == ("hard_only", "")
    assert smoke.evaluation_sample("hard_only") == ""


def test_an_arm_may_name_a_protocol_and_override_each_of_its_settings(smoke):
    study = changed(smoke, protocol="as_released")
    assert study.protocol_of("hard_only") == PROTOCOLS["as_released"]
    settings = {"evidence_eval": "retrieved", "weight_by": "predicted"}
    study = changed(smoke, usual="as_released", **settings)
    assert study.protocol_of("hard_only") == PROTOCOLS["as_released"].model_copy(update=settings)
    assert study.protocol_of("balanced") == PROTOCOLS["as_released"]
    other = changed(
        smoke, usual="as_released", protocol="as_described", evidence_train="as_released"
    )
    assert other.protocol_of("hard_only").evidence_train == "as_released"
    assert other.protocol_of("hard_only").split == "group_disjoint"


def test_samples_that_differ_from_the_usual_ones_have_names_of_their_own(smoke):
    study = changed(smoke, evidence_train="as_released")
    released = "split_group_disjoint-evidence_as_released"
    assert study.training_sample("hard_only") == ("hard_only", released)
    assert study.evaluation_sample("hard_only") == ""
    study = changed(smoke, split="as_released", evidence_eval="as_released")
    assert study.training_sample("hard_only")[1] == "split_as_released-evidence_retrieved"
    assert study.evaluation_sample("hard_only") == "as_released"
    study = changed(smoke, usual="as_released", protocol="as_described")
    assert study.training_sample("hard_only") == ("hard_only", "as_described")
    paths = Paths(Path("run"))
    assert paths.train("m", "v") == Path("run/data/train-m-v.parquet")
    assert paths.evaluation_of("v") == Path("run/data/evaluation-v.parquet")


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
    assert study.reward_of("hard_only").weight_by == weight_by
    assert study.reward_of("format_only") == study.rewards["format_only"]


def test_a_small_dataset_may_be_evaluated_on_less_where_groups_must_be_left(smoke):
    content = smoke.model_dump()
    content["datasets"]["debate"]["disjoint_counts"] = {"NA": 2, "PASS": 1, "FAIL": 1}
    study = Study.model_validate(content)
    assert sum(study.evaluation_counts("debate", "group_disjoint").values()) == 4
    assert study.evaluation_counts("debate", "as_released") == study.evaluation.counts
    assert study.evaluation_counts("revision", "group_disjoint") == study.evaluation.counts
