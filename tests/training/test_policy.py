"""Loading the base model, and making prompts fit."""

import contextlib
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers
from transformers import PreTrainedTokenizerFast

from factmix.study.examples import Example
from factmix.study.labels import LABELS, Label
from factmix.study.paths import ROOT
from factmix.study.prompts import ANSWER_FORMAT
from factmix.study.settings import Model, Prompt
from factmix.study.spec import Study, StudyError
from factmix.training import model_check
from factmix.training import policy as policy_module
from factmix.training.policy import (
    ModelError,
    Policy,
    PromptError,
    add_adapter,
    device,
    dtype_of,
    label_tokens,
    load_adapter,
    load_base,
    load_tokenizer,
    prompt_text,
    prompt_texts,
    stopping_tokens,
    whole_prompt,
)


@pytest.fixture(scope="module")
def policy() -> Policy:
    from factmix.study.load import find_study

    return load_base(find_study("smoke").model)


def test_every_label_and_the_newline_are_single_tokens(policy: Policy) -> None:
    for text in (*LABELS, "\n"):
        assert len(policy.tokenizer(str(text))["input_ids"]) == 1


def test_stops_are_the_end_and_all_tokens_that_hold_a_newline(policy: Policy) -> None:
    stops = stopping_tokens(policy.tokenizer)
    assert policy.tokenizer.eos_token_id in stops
    holding = {i for i in range(len(policy.tokenizer)) if "\n" in policy.tokenizer.decode([i])}
    assert holding and holding <= set(stops)
    assert len(set(stops) - holding) == 1


def test_the_tokenizer_reads_any_text(policy: Policy) -> None:
    text = "Überraschung: 1,234.5 % of 東京?\n"
    assert policy.tokenizer.decode(policy.tokenizer(text)["input_ids"]) == text


def test_a_fresh_adapter_changes_nothing_and_its_seed_decides_it(smoke: Study) -> None:
    ids = torch.tensor([[5, 6, 7]])
    base = load_base(smoke.model)
    with torch.no_grad():
        expected = base.model(ids).logits
        adapted = add_adapter(base, smoke.model.lora, 3)
        torch.testing.assert_close(adapted.model(ids).logits, expected)

    def drawn(seed: int) -> torch.Tensor:
        model = add_adapter(load_base(smoke.model), smoke.model.lora, seed).model
        return torch.cat([p.flatten() for n, p in model.named_parameters() if "lora_A" in n])

    assert torch.equal(drawn(3), drawn(3))
    assert not torch.equal(drawn(3), drawn(4))


def test_a_saved_adapter_answers_as_it_did(smoke: Study, tmp_path: object) -> None:
    trained = add_adapter(load_base(smoke.model), smoke.model.lora, 0)
    for name, parameter in trained.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    trained.model.save_pretrained(str(tmp_path))
    loaded = load_adapter(load_base(smoke.model), tmp_path)  # type: ignore[arg-type]
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(ids).logits, trained.model(ids).logits)


def test_an_adapter_may_train_whole_parameters_such_as_those_of_experts(smoke: Study) -> None:
    experts = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
    lora = smoke.model.lora.model_copy(update={"target_parameters": experts})
    model = add_adapter(load_base(smoke.model), lora, 0).model
    trained = [name for name, each in model.named_parameters() if each.requires_grad]
    assert any("experts" in name for name in trained) and any("q_proj" in name for name in trained)
    assert all("lora_" in name for name in trained)


@pytest.mark.parametrize(
    ("lora", "problem"),
    [
        ({"target_modules": ["q_proj", "o_prj"]}, "modules: 'o_prj' is in no part .* k_proj, "),
        ({"target_parameters": ["mlp.experts.up"]}, "parameters: 'mlp.experts.up' is in no part"),
        ({"target_modules": []}, "target_modules: expected at least one"),
    ],
)
def test_targets_that_the_model_lacks_are_named(
    smoke: Study, lora: dict[str, list[str]], problem: str
) -> None:
    with pytest.raises(StudyError, match=rf"model\.lora\.(target_)?{problem}"):
        add_adapter(load_base(smoke.model), smoke.model.lora.model_copy(update=lora), 0)


def test_a_tokenizer_that_was_not_downloaded_is_not_asked_for(smoke: Study) -> None:
    elsewhere = smoke.model.model_copy(update={"path": "nobody/nothing"})
    with pytest.raises(
        ModelError, match=r"nobody/nothing: the model cannot be loaded: tokenizer: OSError: "
    ):
        load_tokenizer(elsewhere, only_local=True)


def test_a_model_that_cannot_be_loaded_is_asked_for_once_and_comes_with_its_remedy(
    smoke: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def unreachable(path: str, *_: object, **__: object) -> None:
        asked.append(path)
        raise OSError("no connection.\nCheck it.")

    monkeypatch.setattr(model_check, "cached_file", unreachable)
    for loader in ("AutoTokenizer", "AutoModelForCausalLM"):
        monkeypatch.setattr(getattr(policy_module, loader), "from_pretrained", unreachable)
    elsewhere = smoke.model.model_copy(update={"path": "nobody/nothing", "revision": "a1b2"})
    with pytest.raises(ModelError) as caught:
        load_base(elsewhere)
    assert asked == ["nobody/nothing"]
    assert "cannot be loaded: config.json: OSError: no connection. Check it; expected" in str(
        caught.value
    )
    assert str(caught.value).endswith("hf download nobody/nothing --revision a1b2")


def _example(evidence: tuple[str, ...]) -> Example:
    return Example("e", "g", "debate", "The dam raises rents.", evidence, Label.NA)


def _prompt(most: int) -> Prompt:
    return Prompt(worked_examples=0, max_tokens=most, max_completion_tokens=4)


def test_a_prompt_that_fits_is_not_cut(policy: Policy) -> None:
    text, cut = prompt_text(policy.tokenizer, _example(("One.", "Two.")), _prompt(500))
    assert not cut
    assert "- One.\n- Two.\nLABEL=" in text


def test_evidence_is_cut_from_its_end(policy: Policy) -> None:
    evidence = ("The dam was built long ago.", "rents " * 300)
    text, cut = prompt_text(policy.tokenizer, _example(evidence), _prompt(120))
    assert cut
    assert len(policy.tokenizer(text)["input_ids"]) <= 120
    assert "The dam was built long ago." in text and "- rents rents" in text
    assert text.endswith("LABEL=")


def test_as_many_words_of_evidence_are_kept_as_fit(policy: Policy) -> None:
    words = ["Zyxwvutsrq" * 3] * 10  # of many tokens each
    example = _example((" ".join(words),))

    def length(count: int) -> int:
        shorter = _example((" ".join(words[:count]),))
        text, _ = prompt_text(policy.tokenizer, shorter, _prompt(2000))
        return len(policy.tokenizer(text)["input_ids"])

    assert length(10) - length(3) > 10  # more tokens too many than there are words
    for most in (length(3), length(4) - 1):
        text, cut = prompt_text(policy.tokenizer, example, _prompt(most))
        assert cut and text.count(words[0]) == 3


def _dummy_prefix(*merges: tuple[str, str]) -> PreTrainedTokenizerFast:
    """A tokenizer that, as SentencePiece does, puts a space before the first word of a text."""
    letters = sorted({*"▁\nLABEL=PASSFAILNA", *"abcdefghijklmnopqrstuvwxyz.: "})
    names = [*letters, *(first + second for first, second in merges)]
    vocabulary = {name: i for i, name in enumerate(dict.fromkeys(names))}
    inner = Tokenizer(models.BPE(vocabulary, list(merges)))
    inner.normalizer = normalizers.Prepend("▁")
    return PreTrainedTokenizerFast(tokenizer_object=inner)


def test_labels_have_the_tokens_that_they_have_after_a_prompt() -> None:
    tokenizer = _dummy_prefix(
        ("▁", "N"), ("▁", "P"), ("▁", "F"), ("N", "A"), ("P", "A"), ("S", "S")
    )
    alone = tokenizer("NA")["input_ids"]
    na, passed, _ = label_tokens(tokenizer, "LABEL=")
    assert tokenizer.convert_ids_to_tokens(na) == ["NA"]
    assert tokenizer.convert_ids_to_tokens(passed) == ["PA", "SS"]
    assert tokenizer.convert_ids_to_tokens(alone) == ["▁N", "A"]


def test_a_label_that_changes_the_tokens_of_its_prompt_is_an_error() -> None:
    with pytest.raises(PromptError, match="when 'NA' follows"):
        label_tokens(_dummy_prefix(("=", "N")), "LABEL=")


def test_prompts_of_many_examples_are_those_of_each(policy: Policy) -> None:
    examples = [_example(("The dam was built.", "rents " * n)) for n in (0, 300, 3)]
    texts = prompt_texts(policy.tokenizer, examples, _prompt(120))
    each = [prompt_text(policy.tokenizer, example, _prompt(120)) for example in examples]
    assert texts == [text for text, _ in each]
    assert [cut for _, cut in each] == [False, True, False]


def test_a_claim_that_can_never_fit_is_an_error(policy: Policy) -> None:
    with pytest.raises(PromptError, match=r"debate e: .* tokens too long; .*prompt.max_tokens"):
        prompt_text(policy.tokenizer, _example(("Some.",)), _prompt(20))


# As short as a template can be that has what gpt-oss's has: the date, an effort, channels, ends.
TEMPLATE = """{%- macro system() -%}
<|system|>Today: {{ strftime_now("%Y-%m-%d") }}. Reasoning: {{ reasoning_effort }}<|end|>
{%- endmacro -%}
{{ bos_token }}{{ system() }}
{%- for message in messages -%}
{%- if message.role == "assistant" -%}
<|assistant|><|channel|>final<|message|>{{ message.content }}<|return|>
{%- else -%}
<|{{ message.role }}|>{{ message.content }}<|end|>
{%- endif -%}
{%- endfor -%}"""


def _harmony(**keys: object) -> Prompt:
    return _prompt(500).model_copy(update={"prompt_style": "harmony", **keys})


@pytest.fixture
def chatting(smoke: Study) -> Policy:
    fresh = load_base(smoke.model)
    fresh.tokenizer.chat_template = TEMPLATE
    return fresh


def test_harmony_is_the_chat_template_on_a_frozen_date_with_the_answer_begun(
    chatting: Policy,
) -> None:
    text, cut = prompt_text(chatting.tokenizer, _example(("One.",)), _harmony())
    assert not cut
    begin = chatting.tokenizer.bos_token or ""
    expected = "<|system|>Today: 2025-08-05. Reasoning: low<|end|><|user|>Judge the claim by"
    assert text.removeprefix(begin).startswith(expected)
    assert text.endswith(
        "Claim: The dam raises rents.\nEvidence:\n- One.<|end|>"
        "<|assistant|><|channel|>final<|message|>LABEL="
    )


def test_harmony_counts_its_own_tokens_when_evidence_is_cut(chatting: Policy) -> None:
    plain = prompt_text(chatting.tokenizer, _example(("rents " * 300,)), _prompt(300))[0]
    prompt = _harmony(max_tokens=300)
    text, cut = prompt_text(chatting.tokenizer, _example(("rents " * 300,)), prompt)
    assert cut
    assert len(chatting.tokenizer(text)["input_ids"]) <= 300
    assert text.count("rents") < plain.count("rents")


def test_harmony_begins_only_once(chatting: Policy) -> None:
    tokenizer = chatting.tokenizer
    text = whole_prompt(tokenizer, "A claim.", (), _harmony())
    ids = tokenizer(text)["input_ids"]
    assert ids.count(tokenizer.bos_token_id) <= 1


def test_harmony_without_a_template_is_an_error(policy: Policy) -> None:
    assert policy.tokenizer.chat_template is None
    with pytest.raises(PromptError, match="has no chat template; expected one"):
        whole_prompt(policy.tokenizer, "A claim.", (), _harmony())


def test_only_instructed_prompts_say_how_to_answer(policy: Policy) -> None:
    told = _prompt(500).model_copy(update={"instructed": True})
    with_it = whole_prompt(policy.tokenizer, "A claim.", ("One.",), told)
    without = whole_prompt(policy.tokenizer, "A claim.", ("One.",), _prompt(500))
    assert with_it.replace(ANSWER_FORMAT, "") == without
    assert with_it.count(ANSWER_FORMAT) == 1


@pytest.mark.parametrize(
    ("cuda", "bf16", "mps", "named", "where", "dtype"),
    [
        (True, True, False, None, "cuda", torch.bfloat16),
        (True, False, False, None, "cuda", torch.float32),
        (False, False, True, None, "mps", torch.float32),
        (False, False, True, "float16", "mps", torch.float16),
        (False, False, False, None, "cpu", torch.float32),
        (False, False, False, "bfloat16", "cpu", torch.bfloat16),
    ],
)
def test_device_and_dtype(
    smoke: Study,
    monkeypatch: pytest.MonkeyPatch,
    cuda: bool,
    bf16: bool,
    mps: bool,
    named: str | None,
    where: str,
    dtype: torch.dtype,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: bf16)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert device() == where
    assert dtype_of(smoke.model.model_copy(update={"dtype": named})) == dtype


def test_gpt_oss_attends_eagerly_and_a_study_may_choose(
    smoke: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_base(smoke.model).model.config._attn_implementation == "eager"
    asked = _options_of_loading(monkeypatch)
    content = smoke.model.model_dump() | {"attention": "sdpa", "dtype": "bfloat16"}
    with pytest.raises(ModelError, match="not now"):
        load_base(Model.model_validate(content))
    assert asked["attn_implementation"] == "sdpa" and asked["dtype"] is torch.bfloat16
    assert "quantization_config" not in asked


def test_mxfp4_weights_are_dequantised(
    smoke: Study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(ROOT / smoke.model.path, folder)
    described = json.loads((folder / "config.json").read_text())
    described["quantization_config"] = {"quant_method": "mxfp4"}
    (folder / "config.json").write_text(json.dumps(described))
    asked = _options_of_loading(monkeypatch)
    with pytest.raises(ModelError, match="not now"):
        load_base(smoke.model.model_copy(update={"path": str(folder)}))
    assert asked["quantization_config"].dequantize
    assert asked["trust_remote_code"] is False and asked["use_safetensors"] is True


def _options_of_loading(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The options with which weights are asked for, once they are; nothing is loaded."""
    asked: dict[str, Any] = {}

    def loaded(path: str, **options: object) -> None:
        asked.update(options)
        raise RuntimeError("not now")

    monkeypatch.setattr(policy_module.AutoModelForCausalLM, "from_pretrained", loaded)
    return asked


def test_weights_that_the_files_lack_are_no_random_ones(smoke: Study, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(ROOT / smoke.model.path, folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["spare"] = torch.zeros_like(tensors.pop("model.norm.weight"))
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ModelError, match=r"lack 1 weights, such as model\.norm\.weight"):
        load_base(smoke.model.model_copy(update={"path": str(folder)}))
    tensors["model.norm.weight"] = torch.full_like(tensors.pop("spare"), torch.nan)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ModelError, match="logits that are not finite"):
        load_base(smoke.model.model_copy(update={"path": str(folder)}))


def test_a_damaged_adapter_is_named_with_its_remedy(policy: Policy, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"{tmp_path}/adapter: .* train again"):
        load_adapter(policy, tmp_path / "adapter")


@pytest.mark.parametrize("end", ["<|end|>", [1, "2"], -1, 2752, 2**63])
def test_the_end_of_a_text_must_be_a_token(smoke: Study, tmp_path: Path, end: object) -> None:
    folder = tmp_path / "model"
    shutil.copytree(ROOT / smoke.model.path, folder)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": end}))
    with pytest.raises(ModelError, match=r"eos_token_id: got .*; expected the number of a token"):
        load_base(smoke.model.model_copy(update={"path": str(folder)}))


class _Runs:
    """What runs code when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.mkdir, (self._folder,)


def test_a_pickled_adapter_is_not_read(policy: Policy, smoke: Study, tmp_path: Path) -> None:
    made = tmp_path / "made"
    add_adapter(load_base(smoke.model), smoke.model.lora, 0).model.save_pretrained(tmp_path / "a")
    (tmp_path / "a" / "adapter_model.safetensors").unlink()
    (tmp_path / "a" / "adapter_model.bin").write_bytes(pickle.dumps({"weight": _Runs(made)}))
    with pytest.raises(ModelError, match=r"a: there is no adapter_model\.safetensors; expected"):
        load_adapter(policy, tmp_path / "a")
    assert not made.exists()


def test_code_that_comes_with_a_model_is_not_run(smoke: Study, tmp_path: Path) -> None:
    folder, made = tmp_path / "model", tmp_path / "made"
    shutil.copytree(ROOT / smoke.model.path, folder)
    (folder / "own.py").write_text(
        f"from pathlib import Path\nPath({str(made)!r}).mkdir(exist_ok=True)\n"
        "from transformers import GptOssConfig, GptOssForCausalLM, PreTrainedTokenizerFast\n"
        "class Config(GptOssConfig): pass\n"
        "class Model(GptOssForCausalLM): pass\n"
        "class Tokenizer(PreTrainedTokenizerFast): pass\n"
    )
    own = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    for name, named in (
        ("config.json", own),
        ("tokenizer_config.json", {"AutoTokenizer": [None, "own.Tokenizer"]}),
    ):
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(content | {"auto_map": named}))
    with contextlib.suppress(ModelError):
        load_base(smoke.model.model_copy(update={"path": str(folder)}))
    assert not made.exists()
