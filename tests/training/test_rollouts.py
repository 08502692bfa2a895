"""Completions from stale weights and from vLLM."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from factmix.published import audit
from factmix.study import freshness
from factmix.study.examples import Example, to_frame
from factmix.study.labels import LABELS
from factmix.study.load import find_study
from factmix.study.paths import Paths
from factmix.study.protocol import updates_sampled_from
from factmix.study.spec import Study
from factmix.training import grpo, probe, rollouts
from factmix.training.plan import plan
from factmix.training.policy import add_adapter, load_base
from factmix.training.rollouts import (
    RolloutError,
    StaleSampler,
    VllmTrainer,
    options,
    trainer_class,
)
from factmix.training.trainer import SharedPrefixTrainer


def changed(**keys: Any) -> Study:
    content = find_study("smoke").model_dump()
    for part, values in keys.items():
        content[part] |= values
    return Study.model_validate(content)


RELEASED = {"mixture": "hard_only", "reward": "published", "protocol": "as_released"}
STUDY = changed(
    arms={"released": RELEASED, "stale": {**RELEASED, "protocol": None, "sampler_refresh": 2}},
    training={"steps": 4, "prompts_per_step": 2, "learning_rate": 0.01},
)


def test_the_protocol_decides_which_weights_sample() -> None:
    assert trainer_class(STUDY.run("hard_only")) is SharedPrefixTrainer
    released = trainer_class(STUDY.run("released"))
    assert isinstance(released, partial)
    assert released.func is StaleSampler and released.keywords == {"refresh": 50}


def test_stale_weights_make_another_run_and_fresh_ones_do_not() -> None:
    content = STUDY.model_dump()
    content["arms"]["fresh"] = {**content["arms"]["stale"], "sampler_refresh": None}
    content["arms"]["one"] = {**content["arms"]["stale"], "sampler_refresh": 1}
    study = Study.model_validate(content)
    stale, fresh, one = (
        freshness.training_settings(study.run(arm)) for arm in ("stale", "fresh", "one")
    )
    assert fresh == one != stale


def trained(
    folder: Path, resume: bool = False, study: Study = STUDY
) -> tuple[StaleSampler, list[probe.Draw]]:
    """A trainer that has trained, refreshing its sampler every two steps, and what it sampled."""
    evidence = ("One.", "Two and three.")
    examples = to_frame(
        Example(f"e{i}", f"g{i}", "debate", f"Claim {i} of some.", evidence, LABELS[i % 3])
        for i in range(8)
    )
    trainer = grpo.make_trainer(
        study.run("stale", 0),
        examples,
        folder,
        policy=add_adapter(load_base(study.model), study.model.lora, 0),
        trainer_class=partial(StaleSampler, refresh=2),
    )
    draws = probe.watch_draws(trainer)
    trainer.train(resume_from_checkpoint=str(folder / "checkpoint-1") if resume else None)
    return trainer, draws


def test_the_copy_that_samples_is_refreshed_when_it_is_time_and_survives_an_interruption(
    tmp_path: Path,
) -> None:
    content = STUDY.model_dump()
    content["arms"]["stale"]["steps"] = 1
    trained(tmp_path, study=Study.model_validate(content))
    assert (tmp_path / "checkpoint-1" / "sampler.safetensors").is_file()
    whole, draws = trained(tmp_path / "whole")
    _, rest = trained(tmp_path, resume=True)
    assert [draw.step for draw in draws] == [0, 1, 2, 3]
    assert all(torch.equal(draw.after, draw.before) for draw in draws)  # put back
    first, second, third, fourth = (draw.sampling for draw in draws)
    assert torch.equal(second, first) and not torch.equal(second, draws[1].before)
    assert torch.equal(third, first) and not torch.equal(third, draws[2].before)
    assert torch.equal(fourth, draws[3].before) and not torch.equal(fourth, first)
    for again, expected in zip(rest, draws[1:], strict=True):
        assert again.step == expected.step
        torch.testing.assert_close(again.sampling, expected.sampling)
    curve = grpo.metrics(whole.state.log_history)
    assert len(curve) == 4 and curve["kl"].iloc[3] > 0
    assert draws[-1].old_logps is not None and len(draws[-1].old_logps) == 8


def test_stale_weights_are_as_old_as_in_the_released_code() -> None:
    taken = [updates_sampled_from(step, 50) for step in range(200)]
    assert taken == [0] * 51 + [51] * 50 + [101] * 50 + [151] * 49
    assert audit.sampler_age(200, every=50)["untrained"] == 51
    assert [updates_sampled_from(step, 1) for step in range(4)] == [0, 1, 2, 3]


def test_vllm_that_is_not_installed_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    study = changed(training={"generation": "vllm"})
    monkeypatch.setattr(rollouts, "find_spec", lambda name: None)
    with pytest.raises(RolloutError, match="generation is vllm, but vllm is not installed; inst"):
        trainer_class(study.run("hard_only"))
    monkeypatch.setattr("factmix.training.plan.find_spec", lambda name: None)
    missing = plan(study, Paths(tmp_path))["missing"]
    assert "training.generation is vllm, and vllm is not installed" in [m["what"] for m in missing]


def test_vllm_that_is_installed_samples_and_stops_where_the_study_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study = changed(training={"generation": "vllm"})
    monkeypatch.setattr(rollouts, "find_spec", lambda name: object())
    assert trainer_class(study.run("hard_only")) is VllmTrainer
    assert options(study.run("hard_only"), (3, 7)) == {
        "use_vllm": True,
        "vllm_mode": "colocate",
        "vllm_max_model_length": 516,
        "generation_kwargs": {"stop_token_ids": [3, 7]},
    }
    assert options(STUDY.run("hard_only"), (3, 7)) == {}


def test_vllm_samples_no_stale_weights() -> None:
    with pytest.raises(ValueError, match="sampling from stale weights needs training"):
        changed(arms={"released": RELEASED}, training={"generation": "vllm"})
