"""The cost of a study, computed without loading weights."""

import json
import re
from pathlib import Path

import pytest
import torch
from transformers import Gemma3Config, Gemma3TextConfig

from factmix.data import mixtures
from factmix.data.pool import DataError
from factmix.study.load import find_study
from factmix.study.paths import Paths
from factmix.study.settings import Dataset
from factmix.study.spec import Study
from factmix.training import duration
from factmix.training import plan as planning
from factmix.training.model_check import ModelError
from factmix.training.plan import KNOWN, memory, parameters, plan, text


@pytest.fixture(autouse=True)
def nothing_is_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACTMIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FACTMIX_MIRROR", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(duration, "rate", lambda *_: 64e9)


@pytest.mark.slow
def test_parameters_of_gpt_oss_20b() -> None:
    lora = find_study("paper").model.lora
    shape = KNOWN["openai/gpt-oss-20b"]
    assert (shape.num_hidden_layers, shape.num_local_experts, shape.hidden_size) == (24, 32, 2880)
    # Rank 32 on four projections of 24 layers: q and o between 2,880 and 4,096, k and v 512.
    by_hand = 24 * 32 * (2 * (2880 + 4096) + 2 * (2880 + 512))
    assert parameters(shape, lora) == (20_914_757_184, by_hand)
    assert by_hand == 15_925_248


def test_memory_is_that_of_the_prompts_of_a_pass_and_of_eager_attention() -> None:
    paper, shape = find_study("paper"), KNOWN["openai/gpt-oss-20b"]

    def gib(study: Study, prompts_per_pass: int | None) -> float:
        numbers = study.training.model_copy(update={"prompts_per_pass": prompts_per_pass})
        count, trained = 20_914_757_184, 15_925_248
        return memory(study.model_copy(update={"training": numbers}), shape, count, trained)

    weights = (2 * 20_914_757_184 + 16 * 15_925_248) / 2**30
    one, two, all_ = (gib(paper, prompts) - weights for prompts in (1, 2, None))
    assert two == pytest.approx(2 * one) and all_ == pytest.approx(32 * one)
    assert weights + two < 80 < weights + all_
    model = paper.model.model_copy(update={"attention": "flash_attention_2"})
    # 64 heads: 5 bytes for each pair of the 1,024 prompt and 64 completion tokens with the former
    saved = 24 * 64 * 5 * (1024 + 64) * 1024 / 2**30
    assert one + weights - gib(paper.model_copy(update={"model": model}), 1) == pytest.approx(saved)


def test_each_completion_has_copies_of_the_keys_and_values_of_its_prompt() -> None:
    paper, shape = find_study("paper"), KNOWN["openai/gpt-oss-20b"]
    short = paper.prompt.model_copy(update={"max_completion_tokens": 1})

    def gib(group_size: int) -> float:
        of_one = {"prompts_per_pass": 1, "group_size": group_size}
        numbers = paper.training.model_copy(update=of_one)
        return memory(paper.model_copy(update={"training": numbers, "prompt": short}), shape, 1, 1)

    token = 24 * 2880 * 34 + 24 * 64 * 5 * 1024 + 12 * 201_088  # of a completion
    # 8 heads of 64 numbers are picked and appended to, and become 64 heads; at 16 bits
    copies = 1024 * 24 * 2 * 64 * (8 + 8 + 64) * 2
    assert gib(9) - gib(8) == pytest.approx((token + copies) / 2**30)


def test_the_embedded_model_is_counted_from_its_files(smoke: Study, tmp_path: Path) -> None:
    planned = plan(smoke, Paths(tmp_path))
    assert 1e6 < planned["model"]["parameters"] < 5e6
    assert 0 < planned["model"]["most_gib"] < 8
    assert json.loads(json.dumps(planned)) == planned
    assert [each["remedy"] for each in planned["missing"]] == ["factmix data smoke"]


def test_clean_claims_are_counted_beside_the_arms_own(tmp_path: Path) -> None:
    planned = plan(find_study("protocols"), Paths(tmp_path))
    evaluated = {name: arm["evaluated"] for name, arm in planned["arms"].items()}
    assert evaluated["hard_only"] == 4000 and evaluated["hard_only_released"] == 2 * 4000


def test_an_arm_says_its_size_and_commands(smoke: Study, tmp_path: Path) -> None:
    arm = plan(smoke, Paths(tmp_path))["arms"]["hard_only"]
    assert arm["examples"] == 34
    assert arm["completions"] == 2 * 4 * 4
    assert arm["most_tokens"] == 32 * (512 + 4)
    assert arm["evaluated"] == 3 * 40
    assert arm["split"] == "group_disjoint"
    assert arm["commands"] == [
        "factmix train smoke hard_only --seed 0",
        "factmix evaluate smoke hard_only --seed 0",
    ]


def test_what_is_missing_comes_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "parameters", lambda shape, lora: (20_914_757_184, 15_925_248))
    monkeypatch.setattr(duration, "active_numbers", lambda shape: 3_029_000_000)
    monkeypatch.setattr(planning.torch.cuda, "is_available", lambda: False)
    planned = plan(find_study("paper"), Paths(tmp_path))
    remedies = [each["remedy"] for each in planned["missing"]]
    assert remedies[0].startswith("hf download openai/gpt-oss-20b --revision ")
    assert remedies[1:6] == [
        "factmix fetch fever_paper_dev",
        "factmix fetch fever_wiki",
        "factmix fetch vitaminc_real",
        "factmix fetch climate_fever",
        "factmix data paper",
    ]
    assert (
        "no CUDA device, and on this machine the study takes at most about"
        in (planned["missing"][6]["what"])
    )
    shown = text(planned)
    assert "20,914,757,184 parameters, 15,925,248 of them trained" in shown
    assert planned["arms"]["hard_only"]["evaluated"] == 2 * 1000 + 252
    assert planned["arms"]["hard_only_released"]["evaluated"] == 3000


def test_parameters_of_the_small_open_model() -> None:
    shape = KNOWN["Qwen/Qwen2.5-0.5B-Instruct"]
    assert parameters(shape, find_study("real").model.lora)[0] == 494_032_768


def test_a_model_of_which_only_the_configuration_is_here_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = {"config.json"}
    monkeypatch.setattr(planning, "is_cached", lambda model, file: file in here)
    model = find_study("real").model
    assert not planning._downloaded(model)
    here.add("model.safetensors.index.json")
    assert planning._downloaded(model)


def test_a_model_of_unknown_shape_is_said_to_be_so(tmp_path: Path) -> None:
    study = find_study("real")
    elsewhere = study.model.model_copy(update={"path": "nobody/nothing", "revision": None})
    planned = plan(study.model_copy(update={"model": elsewhere}), Paths(tmp_path))
    assert planned["missing"][0]["remedy"] == "hf download nobody/nothing"
    assert planned["model"]["parameters"] is None
    assert "parameters and memory are unknown" in text(planned)


def test_an_unknown_dataset_is_answered_with_the_known_ones(smoke: Study, tmp_path: Path) -> None:
    datasets = {"fewer": Dataset(), **smoke.datasets}
    with pytest.raises(DataError, match=r"datasets\.fewer: .* expected one of: climate_fever, "):
        plan(smoke.model_copy(update={"datasets": datasets}), Paths(tmp_path))


def test_a_model_that_cannot_be_loaded_or_is_too_short_is_refused(
    smoke: Study, tmp_path: Path
) -> None:
    nowhere = smoke.model.model_copy(update={"path": "~/models/nothing"})
    with pytest.raises(ModelError, match=rf"there is no folder {Path.home()}/models/nothing"):
        plan(smoke.model_copy(update={"model": nowhere}), Paths(tmp_path))
    longer = smoke.prompt.model_copy(update={"max_tokens": 2045})
    with pytest.raises(ModelError, match=r"at most 2048 .* is 2049; lower prompt.max_tokens to 20"):
        plan(smoke.model_copy(update={"prompt": longer}), Paths(tmp_path))


def test_time_comes_with_what_it_assumes(smoke: Study, tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    shown = text(plan(smoke, paths))
    assert re.search(r"at most about \d+ seconds on this machine \(cpu, float32\)", shown)
    assert "2,064 distinct tokens a step if every prompt has prompt.max_tokens" in shown
    mixtures.prepare(smoke, paths)
    planned = plan(smoke, paths)
    assert planned["time"]["drawn"] and max(planned["time"]["step_tokens"].values()) < 500
    assert planned["missing"] == []
    shown = text(planned)
    assert "64 billion operations a second, as measured just now" in shown
    assert re.search(
        r"about \d+ seconds on this machine \(cpu, float32\), or up to twice that", shown
    )
    assert "it is copied" not in shown
    assert "it is copied" in text(plan(smoke.model_copy(update={"reuse": True}), paths))


def test_a_multimodal_model_is_planned_by_its_text_part(smoke: Study) -> None:
    small = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 16}
    text_part = Gemma3TextConfig(**small, vocab_size=512, intermediate_size=64)
    both = Gemma3Config(text_config=text_part.to_dict())
    assert memory(smoke, both, 10, 1) == memory(smoke, text_part, 10, 1) > 0
    assert duration.rate(both, torch.float32) > 0
