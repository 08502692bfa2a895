"""The cost of a study, computed without loading weights."""

import json
from pathlib import Path

import pytest

from factmix.data.pool import DataError
from factmix.study.load import find_study
from factmix.study.paths import Paths
from factmix.study.settings import Dataset
from factmix.study.spec import Study
from factmix.training import plan as planning
from factmix.training.plan import KNOWN, memory, parameters, plan, text


@pytest.fixture(autouse=True)
def nothing_is_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACTMIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FACTMIX_MIRROR", raising=False)
    monkeypatch.setattr(planning, "try_to_load_from_cache", lambda *_, **__: None)


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


def test_the_embedded_model_is_counted_from_its_files(smoke: Study, tmp_path: Path) -> None:
    planned = plan(smoke, Paths(tmp_path))
    assert 1e6 < planned["model"]["parameters"] < 5e6
    assert 0 < planned["model"]["most_gib"] < 8
    assert json.loads(json.dumps(planned)) == planned
    assert [each["remedy"] for each in planned["missing"]] == ["factmix data smoke"]


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
    assert "there is no CUDA device" in planned["missing"][6]["what"]
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
    monkeypatch.setattr(planning, "_cached", lambda model, file: file in here)
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
