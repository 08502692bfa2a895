"""Models small enough to compare forward passes number by number."""

from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GptOssConfig,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    PretrainedConfig,
)

_SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "pad_token_id": 0,
}
# Those that can share a prefix: with sliding and full layers in turn, or with one kind only.
NAMES = ("gpt_oss", "gpt_oss_wide", "llama", "mistral", "gemma3")


def config(name: str, *, vocabulary: int, sliding_window: int = 16) -> PretrainedConfig:
    """A configuration of that kind.

    Args:
        name: one of `NAMES`, or "mamba", which keeps a recurrent state. "gpt_oss_wide" has a window
            of ten times the size.
        vocabulary: its size.
        sliding_window: of all but llama; prompts should be longer, so that the sliding layers
            forget their beginnings.
    """
    if name == "mamba":
        return MambaConfig(
            vocab_size=vocabulary, hidden_size=32, state_size=4, num_hidden_layers=2, pad_token_id=0
        )
    if name == "llama":
        return LlamaConfig(**_SMALL, vocab_size=vocabulary)
    if name == "mistral":  # every layer slides
        return MistralConfig(**_SMALL, vocab_size=vocabulary, sliding_window=sliding_window)
    if name == "gemma3":
        return Gemma3TextConfig(
            **_SMALL,
            vocab_size=vocabulary,
            sliding_window=sliding_window,
            layer_types=["sliding_attention", "full_attention"],
        )
    return GptOssConfig(
        **_SMALL,
        vocab_size=vocabulary,
        num_local_experts=4,
        num_experts_per_tok=2,
        sliding_window=sliding_window * (10 if name == "gpt_oss_wide" else 1),
        router_aux_loss_coef=0.0,
    )


def build(described: PretrainedConfig, seed: int) -> Any:
    """A model with random weights, far from uniform, so that mistakes show."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(described)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model
