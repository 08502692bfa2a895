"""Fits an adapter to labelled examples: the loss is that of the answers after their prompts."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from factmix.study.examples import Example, from_frame
from factmix.study.files import written_whole
from factmix.study.labels import LABELS
from factmix.study.settings import Prompt
from factmix.training.buckets import length_buckets
from factmix.training.determinism import same_bits
from factmix.training.model_check import ModelError, NotFiniteError
from factmix.training.policy import Policy, following_tokens, label_tokens, prompt_texts

# What a checkpoint has beside the state of the optimizer for each weight.
RANDOM, WEIGHT, PROGRESS, CHECKSUM = "random", "weight", "progress", "sha256"
IGNORED = -100  # a target that cross_entropy leaves out

# What follows the label in an answer whose format is not valid. All begin alike, so that sampling
# at a low temperature, which sharpens the choice of the first token, does not leave them out.
AFTERWORDS = (", I think.", ", it seems.", ", I would say.")


@dataclass
class Checkpoint:
    """Where a training writes its state, from which it resumes after an interruption.

    Attributes:
        file: replaced as a whole each time.
        every: steps between two writings.
        seconds: that the training has taken, with its parts before interruptions.
    """

    file: Path
    every: int
    seconds: float = 0.0


@same_bits()
def fit(
    policy: Policy,
    examples: pd.DataFrame,
    prompt: Prompt,
    *,
    steps: int,
    batch: int,
    learning_rate: float,
    seed: int,
    afterwords: float | None = None,
    checkpoint: Checkpoint | None = None,
) -> list[float]:
    """Trains the policy's adapter in place, and leaves the model in evaluation mode.

    Args:
        policy: with an adapter, from `add_adapter`.
        examples: one per row; every one is used before any is used again.
        prompt: the prompt settings.
        steps: optimizer steps.
        batch: examples per step.
        learning_rate: at the start; it falls linearly to 0.
        seed: of the order of the examples, and of what follows their labels.
        afterwords: the share of the examples whose label is followed by one of `AFTERWORDS`; each
            answer then ends with a newline, which is learned, too. By default only the label is.
        checkpoint: resumed from if its file is there; its `seconds` are updated.

    Returns:
        the loss of each step, in nats per token of an answer.

    Raises:
        ModelError: the file of the checkpoint is damaged.
        NotFiniteError: a gradient is no finite number; the checkpoint before it stays.
        PromptError: a prompt is too long, or its tokens change when an answer follows.
    """
    asked = from_frame(examples)
    prompts = prompt_texts(policy.tokenizer, asked, prompt)
    before = policy.tokenizer(prompts)["input_ids"]
    answers = _answers(policy, prompts[0], asked, afterwords, seed)
    rows = list(zip(before, answers, strict=True))
    weights = [each for each in policy.model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=learning_rate)
    losses: list[float] = []
    if checkpoint and checkpoint.file.is_file():
        losses = _resume(checkpoint, weights, optimizer)
    order = _without_end(len(rows), seed)
    for _ in range(len(losses) * batch):
        next(order)
    policy.model.train()
    started = time.monotonic() - (checkpoint.seconds if checkpoint else 0.0)
    with tqdm(
        total=steps, initial=len(losses), desc="supervised steps", disable=None, leave=False
    ) as bar:
        while len(losses) < steps:
            optimizer.zero_grad(set_to_none=True)
            loss = _backward(policy, [rows[next(order)] for _ in range(batch)])
            if not torch.nn.utils.clip_grad_norm_(weights, 1.0).isfinite():
                raise NotFiniteError(
                    f"step {len(losses) + 1} of {steps}: the gradient is no finite number (the"
                    f" loss is {loss:.4g}); lower the learning rate, {learning_rate:g}"
                )
            optimizer.param_groups[0]["lr"] = learning_rate * (1 - len(losses) / steps)
            optimizer.step()
            losses.append(loss)
            bar.update()
            if checkpoint:
                checkpoint.seconds = time.monotonic() - started
                if len(losses) % checkpoint.every == 0 or len(losses) == steps:
                    _write(checkpoint, losses, weights, optimizer)
    policy.model.eval()
    return losses


def _answers(
    policy: Policy, prompt: str, asked: Sequence[Example], afterwords: float | None, seed: int
) -> list[list[int]]:
    """The tokens of each example's answer, as they follow a prompt."""
    labels = dict(zip(LABELS, label_tokens(policy.tokenizer, prompt), strict=True))
    if afterwords is None:
        return [labels[each.label] for each in asked]
    endings = [f"{words}\n" for words in ("", *AFTERWORDS)]
    ends = {
        label: following_tokens(policy.tokenizer, f"{prompt}{label}", endings) for label in LABELS
    }
    rng = np.random.default_rng([seed, 1])  # independent of the order of the examples
    chosen = np.zeros(len(asked), dtype=int)
    followed = rng.permutation(len(asked))[: round(afterwords * len(asked))]
    chosen[followed] = 1 + rng.integers(len(AFTERWORDS), size=len(followed))
    return [
        labels[each.label] + ends[each.label][ending]
        for each, ending in zip(asked, chosen, strict=True)
    ]


def _write(
    checkpoint: Checkpoint,
    losses: list[float],
    weights: list[torch.nn.Parameter],
    optimizer: torch.optim.Optimizer,
) -> None:
    """Writes tensors as safetensors, and all else as JSON in its metadata."""
    tensors = {RANDOM: torch.get_rng_state()}  # of dropout, if the model has any
    for i, each in enumerate(weights):
        tensors[f"{i}.{WEIGHT}"] = each.detach()
        tensors |= {f"{i}.{name}": value for name, value in optimizer.state[each].items()}
    tensors = {name: value.contiguous() for name, value in tensors.items()}
    progress = json.dumps({"losses": losses, "seconds": checkpoint.seconds})
    metadata = {PROGRESS: progress, CHECKSUM: _sha256(tensors, progress)}
    with written_whole(checkpoint.file) as part:
        save_file(tensors, part, metadata=metadata)


def _sha256(tensors: Mapping[str, Tensor], progress: str) -> str:
    digest = hashlib.sha256(progress.encode())
    for name, value in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(value.reshape(-1).view(torch.uint8).cpu().numpy().tobytes())
    return digest.hexdigest()


def _resume(
    checkpoint: Checkpoint,
    weights: list[torch.nn.Parameter],
    optimizer: torch.optim.Optimizer,
) -> list[float]:
    """Puts everything into the state of the checkpoint; returns the losses so far."""
    try:
        with safe_open(checkpoint.file, "pt") as kept:
            tensors = {name: kept.get_tensor(name) for name in kept.keys()}  # noqa: SIM118
            written = kept.metadata()[PROGRESS]
            if kept.metadata()[CHECKSUM] != _sha256(tensors, written):
                raise ValueError("it was changed after it was written")
        progress = json.loads(written)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise ModelError(
            f"{checkpoint.file} is damaged: {' '.join(str(error).split())[:200]}; delete it to"
            " start the training again from its first step"
        ) from error
    torch.set_rng_state(tensors.pop(RANDOM))
    state: dict[int, dict[str, Tensor]] = {i: {} for i in range(len(weights))}
    for place, value in tensors.items():
        i, name = place.split(".")
        state[int(i)][name] = value
    with torch.no_grad():
        for i, each in enumerate(weights):
            each.copy_(state[i].pop(WEIGHT))
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    checkpoint.seconds = progress["seconds"]
    losses: list[float] = progress["losses"]
    return losses


def _backward(policy: Policy, rows: list[tuple[list[int], list[int]]]) -> float:
    """Adds the gradient of the mean loss of the answers' tokens, and returns that loss.

    Sequences of similar length are padded together, in passes of their own.
    """
    tokens, mean = sum(len(answer) for _, answer in rows), 0.0
    for bucket in length_buckets([len(before) + len(answer) for before, answer in rows]):
        loss = _loss(policy, [rows[i] for i in bucket]) / tokens
        loss.backward()
        mean += float(loss.detach())
    return mean


def _loss(policy: Policy, rows: list[tuple[list[int], list[int]]]) -> Tensor:
    """Summed loss of the answers' tokens; the sequences are padded on the left."""
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
        logits.flatten(0, 1).float(),
        targets.to(where).flatten(),
        ignore_index=IGNORED,
        reduction="sum",
    )


def _without_end(size: int, seed: int) -> Iterator[int]:
    rng = np.random.default_rng(seed)
    while True:
        yield from rng.permutation(size).tolist()
