"""The columns of what training writes: which are kept, and that their meanings are only words."""

from factmix.study import freshness
from factmix.study.descriptions import undescribed
from factmix.study.source_deps import sources
from factmix.training import columns
from factmix.training.grpo import metrics

LOGGED = {
    "step": 2,
    "reward": 1.5,
    "reward_std": 0.5,
    "frac_reward_zero_std": 0.25,
    "step_time": 3.0,
    "rewards/correct/mean": 2.0,
    "rewards/correct/std": 0.1,
    "rewards/answers/mean": 0.5,
    "reward/correct|NA": 0.75,
    "accuracy": 0.5,
    "accuracy|NA": 1.0,
    "share/INVALID": 0.125,
    "format_rate": 0.875,
    "kl": 0.01,
    "loss": 0.0,
    "completions/mean_length": 4.0,
}


def test_metrics_are_the_described_quantities_that_were_logged() -> None:
    table = metrics([LOGGED, {**LOGGED, "step": 1}, {"step": 2, "train_runtime": 9.0}])
    assert table["step"].tolist() == [1, 2]
    assert table.iloc[1].to_dict() == {
        "step": 2,
        "accuracy": 0.5,
        "accuracy|NA": 1.0,
        "format_rate": 0.875,
        "kl": 0.01,
        "loss": 0.0,
        "reward/correct": 2.0,
        "reward/correct|NA": 0.75,
        "reward/total": 1.5,
        "seconds": 3.0,
        "share/INVALID": 0.125,
        "zero_spread": 0.25,
    }
    assert undescribed(table.columns, columns.METRICS) == []


def test_another_wording_of_a_meaning_makes_no_training_stale() -> None:
    for step in ("train", "evaluate"):
        without = (*freshness.NOT_FOLLOWED, *freshness.NOT_FOLLOWED_BY[step])
        followed = {path.stem for path in sources(*freshness.STEPS[step], without=without)}
        assert "columns" not in followed
        assert "rewards" in followed or step == "evaluate"
