"""The estimated time of a study against times that were measured on two CPU cores."""

import pandas as pd
import pytest
import torch
from transformers import LlamaConfig, PreTrainedConfig

from factmix.data import mixtures
from factmix.study.load import find_study
from factmix.study.paths import ROOT, Paths
from factmix.study.spec import Study
from factmix.training import duration
from factmix.training.duration import active_numbers, distinct_tokens, estimate
from factmix.training.plan import configuration
from factmix.training.policy import load_tokenizer

SMOLLM2 = LlamaConfig(
    hidden_size=576,
    intermediate_size=1536,
    num_hidden_layers=30,
    num_attention_heads=9,
    num_key_value_heads=3,
    vocab_size=49152,
    tie_word_embeddings=True,
)


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duration, "rate", lambda *_: 64e9)  # float32 on those two cores


def test_active_numbers_are_without_embeddings_and_idle_experts(smoke: Study) -> None:
    attention, mlp = 576 * (2 * 576 + 2 * 192), 3 * 576 * 1536
    assert active_numbers(SMOLLM2) == 30 * (attention + mlp + 2 * 576) + 576
    shape = configuration(smoke.model)
    assert shape is not None and active_numbers(shape) == 1_518_240 - 2 * 262_144 - 792_576 // 2


def test_what_prompts_begin_with_counts_once_in_each_batch() -> None:
    assert distinct_tokens([[1, 2, 3], [1, 2, 4]], 2) == 4
    assert distinct_tokens([[1, 2, 3], [1, 2, 4]], 4) == 8  # no more prompts than there are
    assert distinct_tokens([[1, 2, 3]] * 9, 3) == 3
    rotated = [[1, 2, 3, i] for i in range(10, 14)] + [[3, 2, 1, i] for i in range(10, 14)]
    assert distinct_tokens(rotated, 8) == 2 * 3 + 8


def test_a_step_of_smollm2_took_33_seconds(smoke: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = smoke.training.model_copy(update={"prompts_per_step": 32, "group_size": 8})
    # the worked examples, once, and 60 tokens of each claim
    prompt = smoke.prompt.model_copy(update={"max_tokens": 60 + 300 // 32})
    study = smoke.model_copy(update={"training": numbers, "prompt": prompt})
    takes = estimate(study, Paths(ROOT / "nothing"), SMOLLM2, None)
    assert 33 / 2 < max(takes.step_seconds.values()) < 33 * 2


def test_the_arms_of_the_default_study_took_two_minutes(tmp_path: object) -> None:
    study, paths = find_study("quick"), Paths(tmp_path)  # type: ignore[arg-type]
    mixtures.prepare(study, paths)
    shape = configuration(study.model)
    assert shape is not None
    takes = estimate(study, paths, shape, load_tokenizer(study.model))
    assert takes.drawn and takes.step_seconds.keys() == study.arms.keys()
    for arm, seconds in takes.step_seconds.items():
        metrics = pd.read_parquet(ROOT / "results" / "main" / f"{arm}-s0" / "metrics.parquet")
        assert 1 / 2 < seconds / metrics["seconds"].mean() < 2
    assert 10 / 2 < takes.seconds / 60 < 10 * 2


@pytest.mark.parametrize("shape", ["smollm2", "embedded", "openai/gpt-oss-20b"])
def test_the_rate_is_measured_in_one_layer_of_any_model(
    smoke: Study, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    monkeypatch.undo()
    named = smoke.model.model_copy(update={} if shape == "embedded" else {"path": shape})
    given: PreTrainedConfig | None = SMOLLM2 if shape == "smollm2" else configuration(named)
    assert given is not None
    before = given.to_dict()
    calls: list[int] = []

    def seconds(layer: torch.nn.Module, rows: int) -> float:
        calls.append(rows)
        assert sum(each.numel() for each in layer.parameters()) < 2e8  # active experts only
        return 0.1 * rows

    monkeypatch.setattr(duration, "_seconds", seconds)
    layer = duration._one_layer(given, torch.bfloat16)
    rate = duration.rate(given, torch.bfloat16)
    assert rate == pytest.approx(2 * active_numbers(layer.config) * duration.LENGTH / 0.1)
    assert given.to_dict() == before and calls == list(duration.ROWS)


def test_a_layer_takes_longer_for_more_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    layer = duration._one_layer(SMOLLM2, torch.float32)
    assert 0 < duration._seconds(layer, 1) < duration._seconds(layer, 64)


def test_times_that_are_only_noise_give_no_absurd_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(duration, "_seconds", lambda *_: 0.1)  # as long for few as for many
    most = 2 * active_numbers(duration._one_layer(SMOLLM2, torch.float32).config)
    most *= duration.ROWS[1] * duration.LENGTH / 0.1
    assert most / 2 < duration.rate(SMOLLM2, torch.float32) <= 2 * most
