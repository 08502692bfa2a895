"""Evaluates a policy: the probability of each label, and one sampled answer, for each example."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from peft import PeftModel
from torch import Tensor
from tqdm import tqdm

from factmix.study import freshness
from factmix.study.examples import from_frame
from factmix.study.files import changed_beside, write_sealed
from factmix.study.labels import LABELS
from factmix.study.paths import Paths
from factmix.study.prompts import parse
from factmix.study.run import BaseRun, Run
from factmix.study.settings import Prompt
from factmix.training.arm import ADAPTER, is_answered
from factmix.training.columns import PREDICTIONS, PROBABILITIES
from factmix.training.model_check import ModelError
from factmix.training.policy import Policy, label_tokens, load_adapter, load_base, prompt_texts
from factmix.training.prefix import (
    Prefix,
    completion_logits,
    draw,
    families,
    float64_device,
    fork,
    pad_left,
    prefix_sharing_blocker,
    read_prompts,
    sample,
    select,
    stack,
)

# Prompt tokens of one forward pass, padding included. The caches of three times as many are kept
# at once.
BATCH_TOKENS = 8192
BATCH_PROMPTS = 128


def evaluate_base(runs: Sequence[BaseRun], paths: Paths) -> None:
    """Writes the base model's predictions on each of its evaluation samples that are not current.

    Args:
        runs: from `Study.base_runs`; all share one model.
        paths: of the study's run.
    """
    stale = [(run, freshness.answering(run, paths)) for run in runs if not is_answered(run, paths)]
    if not stale:
        return
    first = runs[0]
    policy = load_base(first.model, first.evaluation_prompt, paths.warm_start_of(first))
    for run, depends_on in stale:
        evaluation = pd.read_parquet(paths.sample(run.evaluation_sample))
        _write(answer_as(run, policy, evaluation), run, paths, depends_on)


def evaluate_arm(run: Run, paths: Paths) -> None:
    """Writes a trained arm's predictions on its evaluation sample, unless they are current.

    Raises:
        ModelError: the adapter is not the one that was trained, or cannot be loaded.
    """
    if is_answered(run, paths):
        return
    folder = paths.run(run)
    other = [name for name in changed_beside(folder / "run.json") if name in ADAPTER]
    if other:
        raise ModelError(
            f"{folder / other[0]}: it was changed after the training; expected the file that"
            f" training wrote; train again with: factmix train {run.study} {run.arm}"
            f" --seed {run.seed}"
        )
    depends_on = freshness.answering(run, paths)
    base = load_base(run.model, run.evaluation_prompt, paths.warm_start_of(run))
    policy = load_adapter(base, folder / "adapter")
    evaluation = pd.read_parquet(paths.sample(run.evaluation_sample))
    _write(answer_as(run, policy, evaluation), run, paths, depends_on)


def answer_as(
    run: Run | BaseRun, policy: Policy, examples: pd.DataFrame, *, name: str = ""
) -> pd.DataFrame:
    """The answers of a policy with the evaluation settings of a run.

    Args:
        run: for its prompt, temperature, seed and names.
        policy: a model in evaluation mode.
        examples: one per row.
        name: of the progress bar; by default the arm.

    Returns:
        `columns.PREDICTIONS`, in the order of `examples`.
    """
    answered = answer(
        policy,
        examples,
        prompt=run.evaluation_prompt,
        temperature=run.evaluation.temperature,
        seed=run.evaluation.seed,
        name=name or run.arm,
    )
    return answered.assign(arm=run.arm, seed=run.seed)[list(PREDICTIONS)]


def _write(
    rows: pd.DataFrame, run: Run | BaseRun, paths: Paths, depends_on: freshness.Record
) -> None:
    """Writes predictions.parquet; an attribute of the table records what the answers depend on."""
    rows.attrs["depends_on"] = depends_on
    write_sealed(paths.run(run) / "predictions.parquet", rows)


def answer(
    policy: Policy,
    examples: pd.DataFrame,
    *,
    prompt: Prompt,
    temperature: float,
    seed: int,
    name: str = "base",
) -> pd.DataFrame:
    """Label probabilities and a sampled answer for every example.

    Args:
        policy: a model in evaluation mode.
        examples: one per row.
        prompt: the prompt settings.
        temperature: of the sampled answers.
        seed: of the sampled answers; each example has its own random numbers.
        name: of the progress bar.

    Returns:
        `columns.PREDICTIONS` without arm and seed, in the order of `examples`. The probabilities
        are those of the whole label strings at temperature 1, renormalised over the three.
    """
    asked = from_frame(examples)
    prompts = prompt_texts(policy.tokenizer, asked, prompt)
    tokens = policy.tokenizer(prompts)["input_ids"]
    labels = label_tokens(policy.tokenizer, prompts[0])
    numbers = prompt.max_completion_tokens
    uniforms = np.stack([_uniforms(seed, each.dataset, each.id, numbers) for each in asked])
    probabilities = np.zeros((len(asked), len(LABELS)))
    completions = [""] * len(asked)
    shared = prefix_sharing_blocker(_without_adapter(policy.model)) is None
    answer_all = _answer_shared if shared else _answer_unshared
    with tqdm(total=len(asked), desc=f"answers of {name}", disable=None, leave=False) as bar:
        for rows, share, drawn in answer_all(policy, tokens, labels, uniforms, temperature):
            texts = policy.tokenizer.batch_decode(drawn, skip_special_tokens=True)
            for row, text in zip(rows, texts, strict=True):
                completions[row] = text
            if share is not None:
                probabilities[rows] = share
                bar.update(len(rows))
    answers = [parse(completion) for completion in completions]
    result = examples[["dataset", "id", "group"]].reset_index(drop=True)
    return result.assign(
        kind=[each.kind for each in asked],
        gold=list(examples["label"]),
        predicted=[each.predicted for each in answers],
        format_valid=[each.format_valid for each in answers],
        completion=completions,
        **dict(zip(PROBABILITIES, probabilities.T, strict=True)),
    )


# Indices of prompts; the probability of each label, (P, L), or None where it was given before; the
# tokens of completions, which replace those that were given before.
Answered = tuple[list[int], np.ndarray | None, list[list[int]]]


@dataclass(frozen=True)
class Unfinished:
    """Completions that go on after as many tokens as a valid answer has.

    Attributes:
        rows: indices of their prompts.
        prefix: these prompts as read.
        begun: the tokens of each so far, of which all have as many.
    """

    rows: list[int]
    prefix: Prefix
    begun: list[list[int]]


def _answer_shared(
    policy: Policy,
    prompts: list[list[int]],
    labels: list[list[int]],
    uniforms: np.ndarray,
    temperature: float,
) -> Iterator[Answered]:
    """Answers prompts whose completions can share their cache.

    A completion that is longer than a valid answer comes twice: as far as a valid answer goes, and
    then whole. Each of its further tokens would take a forward pass as long as that of a whole
    batch, so those of several batches are continued together. Nothing is drawn twice: another batch
    rounds otherwise, in 16 bits by much, and an answer would have two chances to be valid.
    """
    valid_length = max(map(len, labels)) + 1  # in tokens; the last one ends the answer
    unfinished: list[Unfinished] = []
    for batch in batches(prompts):
        share, drawn, rest = _answer_batch(
            policy, [prompts[i] for i in batch], labels, uniforms[batch], temperature, valid_length
        )
        yield batch, share, drawn
        if rest is None:
            continue
        if unfinished and not _fits([*unfinished, rest]):
            yield _continue(policy, unfinished, uniforms, temperature)
            unfinished = []
        unfinished.append(replace(rest, rows=[batch[place] for place in rest.rows]))
    if unfinished:
        yield _continue(policy, unfinished, uniforms, temperature)


@torch.no_grad()
def _answer_batch(
    policy: Policy,
    prompts: list[list[int]],
    labels: list[list[int]],
    uniforms: np.ndarray,
    temperature: float,
    length: int,
) -> tuple[np.ndarray, list[list[int]], Unfinished | None]:
    """Answers a batch of prompts with at most `length` tokens each.

    Returns:
        the label probabilities (P, L), the tokens of completions, and those that go on, if any.
    """
    pad_id, stops = int(policy.tokenizer.pad_token_id), {*policy.stop_ids}
    prefix = read_prompts(policy.model, *pad_left(prompts, pad_id, policy.model.device))
    share = label_log_probabilities(policy, prefix, labels).softmax(-1).cpu().numpy()
    if length >= uniforms.shape[1]:
        return share, _sampled(policy, prefix, uniforms, temperature), None
    drawn = _sampled(policy, fork(prefix), uniforms[:, :length], temperature)
    going = [place for place, tokens in enumerate(drawn) if stops.isdisjoint(tokens)]
    if not going:
        return share, drawn, None
    return share, drawn, Unfinished(going, select(prefix, going), [drawn[i] for i in going])


def _fits(parts: Sequence[Unfinished]) -> bool:
    """Whether prompts of several batches are few enough for one."""
    count = sum(len(each.rows) for each in parts)
    longest = max(each.prefix.mask.shape[1] for each in parts)
    return count <= BATCH_PROMPTS and count * longest <= BATCH_TOKENS


@torch.no_grad()
def _continue(
    policy: Policy, parts: list[Unfinished], uniforms: np.ndarray, temperature: float
) -> Answered:
    """The whole completions of prompts of several batches; the prompts are consumed."""
    parts = sorted(parts, key=lambda each: -each.prefix.mask.shape[1])
    rows = [row for each in parts for row in each.rows]
    begun = [tokens for each in parts for tokens in each.begun]
    prefix = stack([each.prefix for each in parts])
    return rows, None, _sampled(policy, prefix, uniforms[rows], temperature, begun)


def _sampled(
    policy: Policy,
    prefix: Prefix,
    uniforms: np.ndarray,
    temperature: float,
    begun: list[list[int]] | None = None,
) -> list[list[int]]:
    """The tokens of a completion of each prompt; the prompts are consumed."""
    device = prefix.mask.device
    tokens: list[list[int]] = sample(
        policy.model,
        prefix,
        torch.arange(len(prefix.mask), device=device),
        torch.tensor(uniforms, device=float64_device(device)),
        temperature=temperature,
        stop_ids=policy.stop_ids,
        pad_id=int(policy.tokenizer.pad_token_id),
        begun=None if begun is None else torch.tensor(begun, device=device),
    ).tokens.tolist()
    return tokens


@torch.no_grad()
def _answer_unshared(
    policy: Policy,
    prompts: list[list[int]],
    labels: list[list[int]],
    uniforms: np.ndarray,
    temperature: float,
) -> Iterator[Answered]:
    """Answers prompts to a model with a `prefix_sharing_blocker`, by full forward passes."""

    def logits(sequences: list[list[int]]) -> Tensor:
        ids, mask = pad_left(sequences, int(policy.tokenizer.pad_token_id), policy.model.device)
        read: Tensor = policy.model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        return read

    for batch in batches(prompts):
        scores = []
        for label in labels:
            after = logits([prompts[i] + label for i in batch])[:, -len(label) - 1 : -1]
            places = torch.arange(len(label), device=after.device)
            scores.append(after.float().log_softmax(-1)[:, places, label].sum(-1))
        drawn: dict[int, list[int]] = {i: [] for i in batch}
        going = batch
        for column in range(uniforms.shape[1]):
            last = logits([prompts[i] + drawn[i] for i in going])[:, -1]
            numbers = torch.tensor(uniforms[going, column], device=float64_device(last.device))
            rows = torch.arange(len(going), device=last.device)
            tokens = draw(last, rows, numbers, temperature).tolist()
            for i, token in zip(going, tokens, strict=True):
                drawn[i].append(token)
            going = [i for i in going if drawn[i][-1] not in policy.stop_ids]
            if not going:
                break
        yield batch, torch.stack(scores, dim=1).softmax(-1).cpu().numpy(), [*drawn.values()]


def _without_adapter(model: Any) -> Any:
    return model.get_base_model() if isinstance(model, PeftModel) else model


def label_log_probabilities(policy: Policy, prefix: Prefix, labels: list[list[int]]) -> Tensor:
    """Log-probability (P, L), in nats, of each whole label as the next tokens.

    Args:
        policy: the model that computed the prefix.
        prefix: the prompts; stays usable.
        labels: the tokens of each label, from `policy.label_tokens`.
    """
    first = prefix.logits.float().log_softmax(-1)
    if all(len(label) == 1 for label in labels):
        return first[:, [label[0] for label in labels]]
    prompts, device = len(prefix.mask), prefix.mask.device
    longest = max(map(len, labels))
    padded = torch.tensor([label + [label[-1]] * (longest - len(label)) for label in labels])
    real = torch.tensor([[i < len(label) for i in range(longest)] for label in labels]).long()
    completions, real = padded.repeat(prompts, 1).to(device), real.repeat(prompts, 1).to(device)
    rows = torch.arange(prompts, device=device).repeat_interleave(len(labels))
    logits = completion_logits(policy.model, fork(prefix), rows, completions, real)
    tokens = logits.float().log_softmax(-1).gather(-1, completions[..., None])[..., 0]
    return (tokens * real).sum(-1).view(prompts, len(labels))


def _uniforms(seed: int, dataset: str, example: str, count: int) -> np.ndarray:
    """Numbers in [0, 1), one for each completion token; they depend on seed and example only."""
    digest = hashlib.sha256(f"{seed}/{dataset}/{example}".encode()).digest()
    rng = np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))
    return rng.random(count)


def batches(prompts: list[list[int]]) -> Iterator[list[int]]:
    """Batches of indices of prompts, longest first; those of a batch are of one of `families`.

    Each has at most BATCH_TOKENS tokens, padding included, and BATCH_PROMPTS prompts.
    """
    for family in families(prompts):
        batch: list[int] = []
        for i in sorted(family, key=lambda i: -len(prompts[i])):
            longest = len(prompts[batch[0] if batch else i])
            full = len(batch) == BATCH_PROMPTS or longest * (len(batch) + 1) > BATCH_TOKENS
            if batch and full:
                yield batch
                batch = []
            batch.append(i)
        yield batch
