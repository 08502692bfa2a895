"""Many short completions of few prompts: each prompt is run once, its cache serves them all.

Shapes: P distinct prompts, T prompt tokens, N completions, C completion tokens, V vocabulary.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache


@dataclass(frozen=True)
class Prefix:
    """Prompts that a model has read.

    Attributes:
        cache: keys and values of P prompts; used up by `completion_logits`.
        mask: (P, T), 1 where a token is real.
        logits: (P, V) for the first completion token.
    """

    cache: DynamicCache
    mask: Tensor
    logits: Tensor


def read_prompts(model: Any, ids: Tensor, mask: Tensor) -> Prefix:
    """Runs left-padded prompts (P, T) through the model; gradients flow if they are enabled."""
    output = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=_positions(mask),
        past_key_values=DynamicCache(config=model.config),
        use_cache=True,
        logits_to_keep=1,
    )
    return Prefix(output.past_key_values, mask, output.logits[:, -1])


def completion_logits(
    model: Any, prefix: Prefix, rows: Tensor, completions: Tensor, completion_mask: Tensor
) -> Tensor:
    """Logits (N, C, V) at each token of right-padded completions.

    Args:
        model: the model that read the prefix.
        prefix: its cache is spent by this call.
        rows: (N,) which prompt each completion continues.
        completions: (N, C) token ids.
        completion_mask: (N, C), 1 where a token is real.
    """
    first = prefix.logits[rows, None]
    if completions.shape[1] == 1:
        return first
    prefix.cache.batch_select_indices(rows)
    mask = torch.cat([prefix.mask[rows], completion_mask[:, :-1]], dim=1)
    output = model(
        input_ids=completions[:, :-1],
        attention_mask=mask,
        position_ids=_positions(mask)[:, prefix.mask.shape[1] :],
        past_key_values=prefix.cache,
        use_cache=True,
    )
    return torch.cat([first, output.logits], dim=1)


def sample(
    model: Any,
    prefix: Prefix,
    rows: Tensor,
    uniforms: Tensor,
    *,
    temperature: float,
    stop_ids: tuple[int, ...],
    pad_id: int,
) -> Tensor:
    """Draws completions by inverting the cumulative distribution at given uniform numbers.

    A completion therefore depends on its own row of `uniforms` only, not on what shares its batch.

    Args:
        model: the model that read the prefix.
        prefix: its cache is spent by this call.
        rows: (N,) which prompt each completion continues.
        uniforms: (N, C) numbers in [0, 1), one per token to draw; C is the longest completion.
        temperature: divides the logits.
        stop_ids: tokens that end a completion.
        pad_id: stands after the end.

    Returns:
        (N, at most C) token ids.
    """
    stops = torch.tensor(stop_ids, device=rows.device)
    logits = prefix.logits[rows]
    mask = prefix.mask[rows]
    ended = torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
    tokens: list[Tensor] = []
    for column in range(uniforms.shape[1]):
        probabilities = (logits.float() / temperature).softmax(-1)
        below = probabilities.double().cumsum(-1) <= uniforms[:, column, None]
        token = below.sum(-1).clamp(max=logits.shape[-1] - 1).masked_fill(ended, pad_id)
        tokens.append(token)
        ended = ended | torch.isin(token, stops)
        if ended.all() or column + 1 == uniforms.shape[1]:
            break
        if column == 0:
            prefix.cache.batch_select_indices(rows)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        logits = model(
            input_ids=token[:, None],
            attention_mask=mask,
            position_ids=_positions(mask)[:, -1:],
            past_key_values=prefix.cache,
            use_cache=True,
        ).logits[:, -1]
    return torch.stack(tokens, dim=1)


def pad_left(sequences: list[list[int]], pad_id: int, device: Any) -> tuple[Tensor, Tensor]:
    """Token ids and mask, both (P, T), of sequences of different length."""
    longest = max(map(len, sequences))
    ids = torch.full((len(sequences), longest), pad_id)
    mask = torch.zeros((len(sequences), longest), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        ids[row, longest - len(sequence) :] = torch.tensor(sequence)
        mask[row, longest - len(sequence) :] = 1
    return ids.to(device), mask.to(device)


def _positions(mask: Tensor) -> Tensor:
    return (mask.cumsum(-1) - 1).clamp(min=0)
