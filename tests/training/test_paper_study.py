"""The steps of studies/paper.yaml, with a tiny model of gpt-oss-20b's architecture."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from transformers import GptOssConfig, GptOssForCausalLM

from factmix.data import mixtures
from factmix.study.load import find_study
from factmix.study.paths import Paths
from factmix.study.run import Run
from factmix.study.spec import Study
from factmix.training import grpo
from factmix.training.arm import answer
from factmix.training.evaluate import evaluate_base
from factmix.training.plan import KNOWN, plan
from factmix.training.policy import load_base, load_tokenizer

EMBEDDED = {"fever": "encyclopedia", "vitaminc": "revision", "climate_fever": "debate"}
FEW = {"NA": 4, "PASS": 2, "FAIL": 2}
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "sliding_window": 16,
}


def _model(folder: Path) -> None:
    """gpt-oss-20b's configuration with other sizes, random weights and the embedded tokenizer."""
    tokenizer = load_tokenizer(find_study("smoke").model)
    real = KNOWN["openai/gpt-oss-20b"].to_dict()
    own = {
        "layer_types": real["layer_types"][: SIZES["num_hidden_layers"]],
        "vocab_size": len(tokenizer),
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    torch.manual_seed(0)
    model = GptOssForCausalLM(GptOssConfig(**(real | SIZES | own)))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tiny(folder: Path) -> Study:
    """The paper's study, but for the sizes of its model, data and training."""
    content: dict[str, Any] = find_study("paper").model_dump()
    lora = content["model"]["lora"]
    lora["target_parameters"] = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
    content["model"] |= {"path": str(folder), "revision": None}
    content["prompt"] |= {"worked_examples": 1, "max_tokens": 320, "max_completion_tokens": 3}
    content["datasets"] = {
        EMBEDDED[name]: each | {"generated": True} for name, each in content["datasets"].items()
    }
    content["datasets"]["debate"]["disjoint_counts"] = None
    content["evaluation"] |= {
        "counts": FEW,
        "trajectory_counts": dict.fromkeys(FEW, 1),
        "trajectory_steps": [2],
    }
    content["mixtures"] = {
        name: {EMBEDDED[dataset]: FEW for dataset in mixture}
        for name, mixture in content["mixtures"].items()
    }
    content["training"] |= {"steps": 2, "prompts_per_step": 2, "group_size": 4}
    content["arms"] = {
        name: arm
        for name, arm in content["arms"].items()
        if name in ("format_only", "balanced", "format_only_released", "balanced_released")
    }
    return Study.model_validate(content)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("gpt-oss")
    _model(folder)
    return _tiny(folder)


def test_the_tiny_model_has_the_structure_of_the_real_one(tiny: Study) -> None:
    model = load_base(tiny.model).model
    config = model.config
    assert config.layer_types == ["sliding_attention", "full_attention"] * 2
    assert config.rope_parameters["rope_type"] == "yarn"
    real = KNOWN["openai/gpt-oss-20b"].rope_parameters
    assert config.rope_parameters == real
    assert config._attn_implementation == "eager"
    names = [name for name, _ in model.named_parameters()]
    assert sum(name.endswith("self_attn.sinks") for name in names) == 4
    assert sum(name.endswith("mlp.experts.gate_up_proj") for name in names) == 4


def test_the_paper_takes_two_steps_under_both_protocols(tiny: Study, tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    mixtures.prepare(tiny, paths)
    evaluate_base(tiny.base_runs(), paths)
    assert (paths.root / "base-as_released" / "predictions.parquet").is_file()
    for arm in ("balanced", "balanced_released"):
        grpo.train(tiny.run(arm, 0), paths)
        answer(tiny.run(arm, 0), paths)
        folder = paths.arm(arm, 0)
        run = json.loads((folder / "run.json").read_text())
        assert run["steps"] == 2
        trained = plan(tiny, paths)["model"]["trainable"]
        assert run["trainable_parameters"] == trained
        metrics = pd.read_parquet(folder / "metrics.parquet")
        assert metrics["step"].tolist() == [1, 2]
        adapter = json.loads((folder / "adapter" / "adapter_config.json").read_text())
        assert len(adapter["target_parameters"]) == 2
        assert len(pd.read_parquet(folder / "predictions.parquet")) == 3 * sum(FEW.values())
    _check_clean(tiny.run("balanced_released", 0), paths)


def _check_clean(run: Run, paths: Paths) -> None:
    """The arm with a split of its own has answered the study's evaluation set as well."""
    clean, own = (paths.run(run) / name for name in ("clean.parquet", "predictions.parquet"))
    assert not (paths.arm("balanced", 0) / clean.name).is_file()
    answers = pd.read_parquet(clean).set_index(["dataset", "id"])
    usual = pd.read_parquet(paths.evaluation).set_index(["dataset", "id"])
    assert answers.index.equals(usual.index) and set(answers["arm"]) == {run.arm}
    before = (own.stat().st_mtime_ns, clean.stat().st_mtime_ns)
    answer(run, paths)  # both are current
    assert before == (own.stat().st_mtime_ns, clean.stat().st_mtime_ns)
    clean.unlink()
    answer(run, paths)
    again = pd.read_parquet(clean).set_index(["dataset", "id"])
    assert again.equals(answers) and own.stat().st_mtime_ns == before[0]
