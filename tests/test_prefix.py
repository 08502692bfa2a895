"""Shared prefixes against plain forward passes without a cache."""

from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, GptOssConfig, LlamaConfig

from factmix.prefix import completion_logits, pad_left, read_prompts, sample

SMALL: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "pad_token_id": 0,
}
CONFIGS = {
    "gpt_oss": GptOssConfig(**SMALL, num_local_experts=4, num_experts_per_tok=2, sliding_window=8),
    "llama": LlamaConfig(**SMALL),
}
PROMPTS = [list(range(3, 20)), [5, 6, 7], list(range(10, 22))]


@pytest.fixture(params=CONFIGS)
def model(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    built = AutoModelForCausalLM.from_config(CONFIGS[request.param])
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return built.eval()


def test_prompts_are_padded_on_the_left() -> None:
    ids, mask = pad_left([[4, 5], [6]], 0, "cpu")
    assert ids.tolist() == [[4, 5], [0, 6]]
    assert mask.tolist() == [[1, 1], [0, 1]]


@torch.no_grad()
def test_completion_logits_are_those_of_the_whole_text(model: Any) -> None:
    completions = [[30, 31, 32, 33], [34], [35, 36], [30, 31]]
    of_prompt = [0, 1, 1, 2]
    padded = torch.tensor([each + [0] * (4 - len(each)) for each in completions])
    mask = torch.tensor([[1] * len(each) + [0] * (4 - len(each)) for each in completions])
    prefix = read_prompts(model, *pad_left(PROMPTS, 0, "cpu"))
    logits = completion_logits(model, prefix, torch.tensor(of_prompt), padded, mask)
    for row, (prompt, completion) in enumerate(zip(of_prompt, completions, strict=True)):
        text = torch.tensor([PROMPTS[prompt] + completion])
        whole = model(text, use_cache=False).logits[0, len(PROMPTS[prompt]) - 1 : -1]
        torch.testing.assert_close(logits[row, : len(completion)], whole, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_sample_inverts_the_cumulative_distribution(model: Any) -> None:
    uniforms = torch.tensor([[0.2, 0.9, 0.5], [0.7, 0.1, 0.99], [0.2, 0.9, 0.5]])
    rows = torch.tensor([0, 1, 1])
    prefix = read_prompts(model, *pad_left(PROMPTS, 0, "cpu"))
    drawn = sample(model, prefix, rows, uniforms, temperature=0.7, stop_ids=(), pad_id=0)
    for row in range(3):
        text = list(PROMPTS[rows[row]])
        for column in range(3):
            share = (model(torch.tensor([text])).logits[0, -1] / 0.7).softmax(-1).double()
            expected = int(np.searchsorted(share.cumsum(0), uniforms[row, column], side="right"))
            assert drawn[row, column] == expected
            text.append(expected)


@torch.no_grad()
def test_what_follows_a_stop_is_padding(model: Any) -> None:
    uniforms = torch.full((1, 4), 0.5)
    prefix = read_prompts(model, *pad_left(PROMPTS[:1], 0, "cpu"))
    rows = torch.tensor([0])
    free = sample(model, prefix, rows, uniforms, temperature=1.0, stop_ids=(), pad_id=0)[0]
    prefix = read_prompts(model, *pad_left(PROMPTS[:1] * 2, 0, "cpu"))
    stopped = sample(
        model,
        prefix,
        torch.tensor([0, 1]),
        torch.tensor([[0.5] * 4, [0.5, 0.9999, 0.0001, 0.5]]),
        temperature=1.0,
        stop_ids=(int(free[1]),),
        pad_id=0,
    )
    end = free.tolist().index(free[1]) + 1
    assert stopped[0, :end].tolist() == free[:end].tolist()
    assert not stopped[0, end:].any()
