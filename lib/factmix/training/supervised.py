"""Fits an adapter to labelled examples: the loss is that of the label's tokens after the prompt."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from factmix.study.examples import from_frame
from factmix.study.labels import LABELS
from factmix.study.settings import Prompt
from factmix.training.policy import Policy, label_tokens, prompt_texts

IGNORED = -100  # a target that cross_entropy leaves out


def fit(
    policy: Policy,
    examples: pd.DataFrame,
    prompt: Prompt,
    *,
    steps: int,
    batch: int,
    learning_rate: float,
    seed: int,
) -> list[float]:
    """Trains the policy's adapter in place, and leaves the model in evaluation mode.

    Args:
        policy: with an adapter, from `add_adapter`.
        examples: one per row; every one is used before any is used again.
        prompt: the prompt settings.
        steps: optimizer steps.
        batch: examples per step.
        learning_rate: at the start; it falls linearly to 0.
        seed: of the order of the examples.

    Returns:
        the loss of each step, in nats per token of a label.
    """
    asked = from_frame(examples)
    prompts = prompt_texts(policy.tokenizer, asked, prompt)
    answers = label_tokens(policy.tokenizer, prompts[0])
    before = policy.tokenizer(prompts)["input_ids"]
    rows = [
        (ids, answers[LABELS.index(each.label)]) for ids, each in zip(before, asked, strict=True)
    ]
    weights = [each for each in policy.model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=learning_rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
    order = _without_end(len(rows), seed)
    policy.model.train()
    losses = []
    for _ in tqdm(range(steps), desc="supervised steps", disable=None, leave=False):
        loss = _loss(policy, [rows[next(order)] for _ in range(batch)])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
    policy.model.eval()
    return losses


def _loss(policy: Policy, rows: list[tuple[list[int], list[int]]]) -> Tensor:
    """Mean loss of the answers' tokens; the sequences are padded on the left."""
    longest = max(len(before) + len(answer) for before, answer in rows)
    kept = max(len(answer) for _, answer in rows) + 1  # logits from the token before an answer
    ids = torch.full((len(rows), longest), int(policy.tokenizer.pad_token_id))
    mask = torch.zeros_like(ids)
    targets = torch.full((len(rows), kept - 1), IGNORED)
    for row, (before, answer) in enumerate(rows):
        length = len(before) + len(answer)
        ids[row, longest - length :] = torch.tensor([*before, *answer])
        mask[row, longest - length :] = 1
        targets[row, kept - 1 - len(answer) :] = torch.tensor(answer)
    where = policy.model.device
    logits = policy.model(
        input_ids=ids.to(where),
        attention_mask=mask.to(where),
        position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0).to(where),
        use_cache=False,
        logits_to_keep=kept,
    ).logits[:, :-1]
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1).float(), targets.to(where).flatten(), ignore_index=IGNORED
    )


def _without_end(size: int, seed: int) -> Iterator[int]:
    rng = np.random.default_rng(seed)
    while True:
        yield from rng.permutation(size).tolist()
