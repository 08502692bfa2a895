"""Many short completions of few prompts: one forward pass per prompt, whose cache they all share.

A prefix that many prompts share, such as the instructions, is computed once for all of them.

Shapes: P distinct prompts, T prompt tokens, N completions, C completion tokens, V vocabulary.
"""

import copy
import inspect
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from factmix.training import buckets

LONG_PREFIX = 64  # tokens; instructions alone are shorter


@dataclass(frozen=True)
class Prefix:
    """Prompts after their forward pass.

    Attributes:
        cache: keys and values of P prompts; consumed by `completion_logits` and `sample`.
        mask: (P, T), 1 where a token is real.
        logits: (P, V) for the first completion token.
    """

    cache: DynamicCache
    mask: Tensor
    logits: Tensor


def prefix_sharing_blocker(model: Any) -> str | None:
    """Why several completions cannot share the cache of a prompt; None when they can.

    They cannot in models that keep more of a prompt than keys and values per token: recurrent and
    state-space layers (Mamba, RWKV, and hybrids such as Jamba or Qwen3-Next), encoders, and layers
    with another kind of cache; nor in models that take no position ids.

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


def read_in_buckets(model: Any, ids: Tensor, mask: Tensor) -> tuple[Prefix, Tensor]:
    """The forward pass of left-padded prompts (P, T), of which those of similar length share one.

    Args:
        model: a causal language model without a `prefix_sharing_blocker`.
        ids: (P, T) token ids.
        mask: (P, T), 1 where a token is real.

    Returns:
        All prompts, and the row of each in the prefix, (P,).
    """
    lengths = mask.sum(-1).tolist()
    parts: list[tuple[int, list[int], Prefix]] = []
    for family in families([row[-n:] for row, n in zip(ids.tolist(), lengths, strict=True)]):
        beginning = read_beginning(model, ids[family], mask[family])
        for places in buckets.length_buckets([lengths[i] for i in family]):
            bucket = [family[place] for place in places]
            columns = slice(-lengths[bucket[0]], None)
            read = read_prompts(model, ids[bucket, columns], mask[bucket, columns], beginning)
            parts.append((lengths[bucket[0]], bucket, read))
    parts.sort(key=lambda part: -part[0])
    order = [i for _, bucket, _ in parts for i in bucket]
    return stack([read for *_, read in parts]), torch.tensor(order, device=ids.device).argsort()


def families(prompts: list[list[int]]) -> list[list[int]]:
    """Indices of prompts with a long common prefix, which one forward pass computes for all.

    With worked examples in several orders, each order is a family. Prompts for which sharing would
    save less than a pass costs are one family.
    """
    order = sorted(range(len(prompts)), key=lambda i: prompts[i])
    found: list[list[int]] = [[i] for i in order[:1]]
    alike = [len(prompts[i]) for i in order[:1]]  # tokens that a family shares
    for before, i in pairwise(order):
        shared = shared_length(prompts[before], prompts[i])
        if shared >= LONG_PREFIX:
            found[-1].append(i)
            alike[-1] = min(alike[-1], shared)
        else:
            found.append([i])
            alike.append(len(prompts[i]))
    pays = [
        n * (len(each) - 1) >= buckets.TOKENS_PER_PASS for n, each in zip(alike, found, strict=True)
    ]
    rest = [i for each, own in zip(found, pays, strict=True) if not own for i in each]
    return [each for each, own in zip(found, pays, strict=True) if own] + [rest] * bool(rest)


def shared_length(one: list[int], other: list[int]) -> int:
    """How many leading tokens are equal."""
    differ = (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differ, min(len(one), len(other)))


def fork(prefix: Prefix) -> Prefix:
    """A prefix that may be consumed while the given one stays usable; nothing is copied."""
    return Prefix(_copied(prefix.cache), prefix.mask, prefix.logits)


def _new_cache() -> DynamicCache:
    """A cache that keeps every token, in sliding-window layers, too; the mask enforces the window.

    A layer that drops old columns would count padding as part of the window.
    """
    return DynamicCache()


def _copied(cache: DynamicCache) -> DynamicCache:
    copied = copy.copy(cache)
    copied.layers = [copy.copy(layer) for layer in cache.layers]  # they replace their tensors
    return copied


def select(prefix: Prefix, rows: list[int]) -> Prefix:
    """Some of the prompts; the given prefix stays usable."""
    part = fork(prefix)
    part.cache.batch_select_indices(torch.tensor(rows, device=prefix.mask.device))
    return Prefix(part.cache, prefix.mask[rows], prefix.logits[rows])


def stack(parts: list[Prefix]) -> Prefix:
    """One prefix with the prompts of all parts, of which the first is the longest."""
    whole = parts[0]
    if len(parts) == 1:
        return whole
    padding = [whole.mask.shape[1] - part.mask.shape[1] for part in parts]
    layers: list[Any] = whole.cache.layers
    for number, layer in enumerate(layers):
        same: list[Any] = [part.cache.layers[number] for part in parts]
        layer.keys, layer.values = (
            torch.cat(
                [pad(each, (0, 0, columns, 0)) for each, columns in zip(kept, padding, strict=True)]
            )
            for kept in ([each.keys for each in same], [each.values for each in same])
        )
    mask = torch.cat([pad(part.mask, (n, 0)) for part, n in zip(parts, padding, strict=True)])
    return Prefix(whole.cache, mask, torch.cat([part.logits for part in parts]))


@dataclass(frozen=True)
class Beginning:
    """The tokens with which several prompts begin, after their forward pass.

    Attributes:
        cache: keys and values of one row; stays usable.
        length: in tokens; 0 where prompts share too few for a pass of their own.
    """

    cache: DynamicCache
    length: int


def read_beginning(model: Any, ids: Tensor, mask: Tensor) -> Beginning:
    """What left-padded prompts (P, T) have in common, with the arguments of `read_prompts`."""
    cache = _new_cache()
    alike = common_prefix_length(ids, mask) if len(ids) > 1 else 0
    if alike * (len(ids) - 1) < buckets.TOKENS_PER_PASS:
        return Beginning(cache, 0)
    start = ids.shape[1] - int(mask[0].sum())
    first = ids[:1, start : start + alike]
    model(input_ids=first, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return Beginning(cache, alike)


def read_prompts(
    model: Any, ids: Tensor, mask: Tensor, beginning: Beginning | None = None
) -> Prefix:
    """The forward pass of left-padded prompts (P, T); gradients flow if they are enabled.

    Args:
        model: a causal language model without a `prefix_sharing_blocker`.
        ids: (P, T) token ids.
        mask: (P, T), 1 where a token is real.
        beginning: of these prompts and perhaps of others; by default of these alone.
    """
    if beginning is None:
        beginning = read_beginning(model, ids, mask)
    alike = beginning.length
    if not alike:
        cache = _new_cache()
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
    # Padding between the shared prefix and the rest of a prompt would count as part of a sliding
    # window. So pad on the right for the forward pass, then move the padding to the front of the
    # cache.
    padding_last = (columns + padding) % ids.shape[1]  # (P, T)
    ids, real = ids.gather(-1, padding_last), mask.gather(-1, padding_last)
    cache = _copied(beginning.cache)
    layers: list[Any] = cache.layers
    for layer in layers:  # the next tokens are appended to a copy
        layer.keys, layer.values = (
            kept.expand(len(ids), -1, -1, -1) for kept in (layer.keys, layer.values)
        )
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
        for layer in layers:
            layer.keys, layer.values = (
                kept.gather(2, padding_first[:, None, :, None].expand_as(kept))
                for kept in (layer.keys, layer.values)
            )
    return Prefix(cache, mask, output.logits[:, -1])


def common_prefix_length(ids: Tensor, mask: Tensor) -> int:
    """How many leading tokens all prompts share, leaving at least one token of each."""
    lengths = mask.sum(-1)
    columns = (mask.shape[1] - lengths)[:, None] + torch.arange(
        int(lengths.min()) - 1, device=ids.device
    )
    leading = ids.gather(-1, columns)
    return int((leading == leading[:1]).all(0).long().cumprod(0).sum())


def completion_logits(
    model: Any, prefix: Prefix, rows: Tensor, completions: Tensor, completion_mask: Tensor
) -> Tensor:
    """Logits (N, C, V) at each token of right-padded completions.

    Args:
        model: the model that computed the prefix.
        prefix: its cache is consumed by this call.
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


@dataclass(frozen=True)
class Samples:
    """Sampled completions, with zeros after the end of each.

    Attributes:
        tokens: (N, at most C) token ids; after the end, the padding's.
        logps: log-probabilities of the tokens in nats, of the same shape; gradients flow through
            them if they were enabled.
        entropies: of the distributions that the tokens were drawn from, in nats.
    """

    tokens: Tensor
    logps: Tensor
    entropies: Tensor


def sample(
    model: Any,
    prefix: Prefix,
    rows: Tensor,
    uniforms: Tensor,
    *,
    temperature: float,
    stop_ids: tuple[int, ...],
    pad_id: int,
    begun: Tensor | None = None,
) -> Samples:
    """Samples completions by inverting the cumulative distribution at given uniform numbers.

    So a completion depends on its own row of `uniforms` only, not on the rest of the batch.

    Args:
        model: the model that computed the prefix.
        prefix: its cache is consumed by this call.
        rows: (N,) which prompt each completion continues.
        uniforms: (N, C) numbers in [0, 1), one per token to draw; C is the longest completion.
        temperature: divides the logits.
        stop_ids: tokens that end a completion.
        pad_id: fills the row after the end of a completion.
        begun: (N, B) the first tokens of each completion, which are not drawn; by default none.
    """
    first = begun.shape[1] if begun is not None else 0
    stops = torch.tensor(stop_ids, device=rows.device)
    logits, mask = prefix.logits, prefix.mask
    # Completions of one prompt that are equal so far share one row of the batch until they differ.
    row_of = rows
    ended = torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
    columns: list[tuple[Tensor, Tensor, Tensor]] = []
    for column in range(uniforms.shape[1]):
        if begun is not None and column < first:
            token = begun[:, column]
        else:
            token = draw(logits.detach(), row_of, uniforms[:, column], temperature)
        policy = (logits.float() / temperature).log_softmax(-1)
        logps, entropies = policy[row_of, token], entropy(policy.detach())[row_of]
        token = token.masked_fill(ended, pad_id)
        columns.append((token, logps.masked_fill(ended, 0), entropies.masked_fill(ended, 0)))
        ended = ended | torch.isin(token, stops)
        if ended.all() or column + 1 == uniforms.shape[1]:
            break
        going = ~ended
        (source, drawn), next_row = torch.stack([row_of[going], token[going]]).unique(
            dim=1, return_inverse=True
        )
        row_of = torch.zeros_like(row_of).masked_scatter(going, next_row)
        if not torch.equal(source, torch.arange(len(mask), device=source.device)):
            prefix.cache.batch_select_indices(source)  # copies the cache; most batches need no copy
            mask = mask[source]
        mask = pad(mask, (0, 1), value=1)
        logits = model(
            input_ids=drawn[:, None],
            attention_mask=mask,
            position_ids=_positions(mask)[:, -1:],
            past_key_values=prefix.cache,
            use_cache=True,
        ).logits[:, -1]
    return Samples(*(torch.stack(each, dim=1) for each in zip(*columns, strict=True)))


def entropy(log_probabilities: Tensor) -> Tensor:
    """Entropy in nats of distributions over the last dimension."""
    # softmax undoes the logarithm as exp does, but is fast where probabilities are subnormal
    return -(log_probabilities.softmax(-1) * log_probabilities).sum(-1)


def draw(logits: Tensor, rows: Tensor, uniforms: Tensor, temperature: float) -> Tensor:
    """A token (N,) for each uniform number (N,), from row `rows` (N,) of the logits (P, V)."""
    place = float64_device(logits.device)
    probabilities = (logits.float() / temperature).softmax(-1)
    cumulative = probabilities.to(place).double().cumsum(-1)
    cumulative = cumulative / cumulative[:, -1:]  # rounding would leave a gap below 1
    # One increasing sequence of all rows, so that no row is copied for each of its numbers.
    start = torch.arange(len(logits), device=place)
    whole = (cumulative + start[:, None]).flatten()
    rows, size = rows.to(place), logits.shape[-1]
    below = torch.searchsorted(whole, uniforms.to(place).double() + start[rows], right=True)
    return (below - rows * size).clamp(max=size - 1).to(logits.device)


def float64_device(device: torch.device) -> torch.device:
    """Where numbers of a device can be float64: there, or on the CPU for Apple's GPU."""
    return torch.device("cpu") if device.type == "mps" else device


def pad_left(sequences: list[list[int]], pad_id: int, device: Any) -> tuple[Tensor, Tensor]:
    """Left-padded token ids and their mask, both (P, T), of sequences of different length."""
    longest = max(map(len, sequences))
    ids = torch.full((len(sequences), longest), pad_id)
    mask = torch.zeros((len(sequences), longest), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        ids[row, longest - len(sequence) :] = torch.tensor(sequence)
        mask[row, longest - len(sequence) :] = 1
    return ids.to(device), mask.to(device)


def _positions(mask: Tensor) -> Tensor:
    return (mask.cumsum(-1) - 1).clamp(min=0)
