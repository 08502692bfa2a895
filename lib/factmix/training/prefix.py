"""Many short completions of few prompts: each prompt is run once, its cache serves them all.

Prompts that begin alike, with the same instructions, read their beginning once for all of them.

Shapes: P distinct prompts, T prompt tokens, N completions, C completion tokens, V vocabulary.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

# Tokens that a model reads in the time that one more pass of it takes: 6 ms of the embedded one on
# two CPU cores. For other models it is a guess, which decides how fast they are and nothing else.
TOKENS_PER_PASS = 256


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


def prefix_sharing_blocker(model: Any) -> str | None:
    """Why a model's reading of a prompt cannot serve several completions; None when it can.

    It cannot where a prompt leaves more behind than keys and values per token: recurrent and
    state-space layers (Mamba, RWKV, and hybrids with them such as Jamba or Qwen3-Next), encoders,
    and layers with caches of their own kind; nor where positions cannot be given.

    Args:
        model: a causal language model, without an adapter around it.
    """
    if model.config.is_encoder_decoder:
        return "it has an encoder"
    if model._is_stateful:
        return "it keeps a recurrent state"
    own = {type(layer) for layer in DynamicCache(config=model.config).layers}
    if own - {DynamicLayer, DynamicSlidingWindowLayer}:
        return f"its cache has layers of type {', '.join(sorted(each.__name__ for each in own))}"
    needed = {"position_ids", "past_key_values", "logits_to_keep"}
    missing = needed - set(inspect.signature(type(model).forward).parameters)
    if missing:
        return f"it does not take {', '.join(sorted(missing))}"
    return None


def exceeds_pass_cost(tokens: int | Tensor) -> bool:
    """Whether reading so many tokens takes longer than one more pass of the model."""
    return bool(tokens >= TOKENS_PER_PASS)


def read_prompts(model: Any, ids: Tensor, mask: Tensor) -> Prefix:
    """Runs left-padded prompts (P, T) through the model; gradients flow if they are enabled.

    Args:
        model: a causal language model of which `prefix_sharing_blocker` says nothing.
        ids: (P, T) token ids.
        mask: (P, T), 1 where a token is real.
    """
    # Layers with a sliding window keep all they read as well: the masks see to the window, and a
    # layer that cuts off old columns would count padding among the new ones.
    cache = DynamicCache()
    alike = common_prefix_length(ids, mask) if len(ids) > 1 else 0
    if not exceeds_pass_cost(alike * (len(ids) - 1)):
        output = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=_positions(mask),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return Prefix(cache, mask, output.logits[:, -1])
    padding = ids.shape[1] - mask.sum(-1, keepdim=True)  # (P, 1)
    columns = torch.arange(ids.shape[1], device=ids.device)
    # No padding may stand between a beginning and its rest, where a window would count it. So it
    # follows the rest while the prompts are read, and is moved to the front of the cache then.
    padding_last = (columns + padding) % ids.shape[1]  # (P, T)
    ids, real = ids.gather(-1, padding_last), mask.gather(-1, padding_last)
    model(input_ids=ids[:1, :alike], past_key_values=cache, use_cache=True, logits_to_keep=1)
    cache.batch_repeat_interleave(len(ids))
    output = model(
        input_ids=ids[:, alike:],
        attention_mask=real,
        position_ids=columns[alike:].expand(len(ids), -1),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=real.sum(-1, keepdim=True) - 1 - alike,
    )
    if padding.any():
        padding_first = (columns - padding) % ids.shape[1]
        layers: list[Any] = cache.layers
        for layer in layers:
            layer.keys, layer.values = (
                kept.gather(2, padding_first[:, None, :, None].expand_as(kept))
                for kept in (layer.keys, layer.values)
            )
    return Prefix(cache, mask, output.logits[:, -1])


def common_prefix_length(ids: Tensor, mask: Tensor) -> int:
    """How many tokens all prompts begin with; at least one of each is left over."""
    lengths = mask.sum(-1)
    columns = (mask.shape[1] - lengths)[:, None] + torch.arange(
        int(lengths.min()) - 1, device=ids.device
    )
    beginnings = ids.gather(-1, columns)
    return int((beginnings == beginnings[:1]).all(0).long().cumprod(0).sum())


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
    logits, mask = prefix.logits, prefix.mask
    # Completions of one prompt that are equal so far are one row of the model until they part.
    row_of = rows
    ended = torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
    tokens: list[Tensor] = []
    for column in range(uniforms.shape[1]):
        token = draw(logits, row_of, uniforms[:, column], temperature).masked_fill(ended, pad_id)
        tokens.append(token)
        ended = ended | torch.isin(token, stops)
        if ended.all() or column + 1 == uniforms.shape[1]:
            break
        going = ~ended
        (source, drawn), next_row = torch.stack([row_of[going], token[going]]).unique(
            dim=1, return_inverse=True
        )
        row_of = torch.zeros_like(row_of).masked_scatter(going, next_row)
        if not torch.equal(source, torch.arange(len(mask), device=source.device)):
            prefix.cache.batch_select_indices(source)  # a copy, which most batches can do without
            mask = mask[source]
        mask = torch.nn.functional.pad(mask, (0, 1), value=1)
        logits = model(
            input_ids=drawn[:, None],
            attention_mask=mask,
            position_ids=_positions(mask)[:, -1:],
            past_key_values=prefix.cache,
            use_cache=True,
        ).logits[:, -1]
    return torch.stack(tokens, dim=1)


def draw(logits: Tensor, rows: Tensor, uniforms: Tensor, temperature: float) -> Tensor:
    """A token (N,) for each uniform number (N,), from the row (N,) of logits (P, V) that is its."""
    cumulative = (logits.float() / temperature).softmax(-1).double().cumsum(-1)
    cumulative = cumulative / cumulative[:, -1:]  # or rounding leaves a gap below 1
    below = cumulative[rows] <= uniforms[:, None]
    return below.sum(-1).clamp(max=logits.shape[-1] - 1)


def pad_left(sequences: list[list[int]], pad_id: int, device: Any) -> tuple[Tensor, Tensor]:
    """Token ids and mask, both (P, T), of sequences of different length."""
    longest = max(map(len, sequences))
    ids = torch.full((len(sequences), longest), pad_id)
    mask = torch.zeros((len(sequences), longest), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        ids[row, longest - len(sequence) :] = torch.tensor(sequence)
        mask[row, longest - len(sequence) :] = 1
    return ids.to(device), mask.to(device)


def length_buckets(lengths: Sequence[int]) -> list[list[int]]:
    """Indices of sequences to pad together, so that padding and reading passes cost least.

    One pass per bucket is counted, as `TOKENS_PER_PASS` tokens. Each bucket is a run of the
    sequences in order of length, longest first.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    costs, starts = [0], [0]  # of the cheapest way for the first n, and where its last run begins
    for end in range(1, len(order) + 1):
        cost, start = min(
            (costs[start] + TOKENS_PER_PASS + (end - start) * lengths[order[start]], start)
            for start in range(end)
        )
        costs.append(cost)
        starts.append(start)
    buckets: list[list[int]] = []
    end = len(order)
    while end:
        buckets.insert(0, order[starts[end] : end])
        end = starts[end]
    return buckets


def _positions(mask: Tensor) -> Tensor:
    return (mask.cumsum(-1) - 1).clamp(min=0)
