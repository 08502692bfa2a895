"""How long a study takes on this machine: an estimate from its model, prompts and a measured rate.

The time of a forward pass is its multiplications over the machine's rate, plus an overhead for each
layer of each call. What is counted:

1. A token multiplies the model's weights once: not its embeddings, and of experts only the active.
2. Tokens with which several prompts of a batch begin count once, as the trainer shares them; a warm
   start shares none.
3. A training step costs `PASSES` forward passes: one to sample, and the backward pass of the loss,
   which is two. Where many groups have no advantage, a second forward pass of the others costs
   about what their backward pass saves.
4. Evaluation, the answers during training and the rewards before and after it take one pass each.
"""

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from factmix.study.examples import from_frame
from factmix.study.paths import Paths
from factmix.study.spec import Study
from factmix.training.model_check import empty_model
from factmix.training.policy import device, dtype_of, prompt_texts
from factmix.training.prefix import shared_length

PASSES = 3  # forward passes of a training step
CALLS = 15  # of the model in a training step; a backward pass is two
LAYER_SECONDS = 0.0035  # overhead of a layer in one call, so that a step of the embedded model fits
MEASURED_SECONDS = 0.3  # of each number of rows with which the rate is measured
ROWS, LENGTH = (1, 9), 128  # of its prompts
EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")
EXAMPLES = 256  # of a sample, whose prompts are counted
DRAWS = 5  # batches over which the number of tokens is averaged


@dataclass(frozen=True)
class Estimate:
    """The time of a study on this machine.

    Attributes:
        seconds: of all arms and seeds with their evaluation, of the base model's, and of a warm
            start.
        step_seconds: of a training step, by arm.
        step_tokens: distinct tokens of a training step, by arm.
        drawn: whether tokens were counted in the drawn samples; otherwise every prompt is taken to
            be as long as the study allows, and the times are upper bounds.
        active: numbers of the model that a token is multiplied with.
        rate: operations per second, measured.
        device: where, in which dtype.
    """

    seconds: float
    step_seconds: dict[str, float]
    step_tokens: dict[str, float]
    drawn: bool
    active: int
    rate: float
    device: str


def estimate(
    study: Study, paths: Paths, shape: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase | None
) -> Estimate:
    """The time that a study takes here; loads no weights, and measures the rate in a moment.

    Args:
        study: all of its arms and seeds are counted.
        paths: of its drawn samples, if they are there.
        shape: the configuration of its model.
        tokenizer: of the model; None if it has not been downloaded.
    """
    active, speed = active_numbers(shape), rate(shape, dtype_of(study.model))
    layers = int(shape.get_text_config().num_hidden_layers)
    samples = {each.name: paths.sample(each) for each in study.samples()}
    drawn = tokenizer is not None and all(file.is_file() for file in samples.values())
    prompts, written = study.training.prompts_per_step, study.prompt.max_completion_tokens

    @cache
    def tokens(sample: str, instructed: bool, shared_by: int = prompts) -> float:
        """Of a prompt with one completion, if so many prompts share what they begin with."""
        prompt = study.prompt.model_copy(update={"instructed": instructed})
        if tokenizer is None or not drawn:
            return prompt.max_tokens + written
        frame = pd.read_parquet(samples[sample])
        some = from_frame(frame.sample(min(len(frame), EXAMPLES), random_state=0))
        ids = tokenizer(prompt_texts(tokenizer, some, prompt))["input_ids"]
        return distinct_tokens(ids, shared_by) / shared_by + written

    def passes(count: float) -> float:
        return 2 * active * count / speed

    overhead = CALLS * layers * LAYER_SECONDS  # of a training step
    steps: dict[str, float] = {}
    step_tokens: dict[str, float] = {}
    seconds = 0.0
    if warm := study.warm_start_run():
        length = tokens(warm.sample.name, warm.prompt.instructed, shared_by=1)
        seconds += warm.settings.steps * (PASSES * passes(warm.settings.batch * length) + overhead)
    for base in study.base_runs():
        evaluated = base.evaluation_sample
        seconds += passes(
            evaluated.size * tokens(evaluated.name, base.evaluation_prompt.instructed)
        )
    for run in study.runs():
        trained, evaluated = run.training_sample, run.evaluation_sample
        length = tokens(trained.name, run.prompt.instructed)
        step_tokens[run.arm] = prompts * length
        steps[run.arm] = PASSES * passes(step_tokens[run.arm]) + overhead
        subset = len(evaluated.counts) * sum(evaluated.trajectory_counts.values())
        during = subset * len(run.evaluation.trajectory_steps)
        asked = during * tokens(evaluated.name, run.evaluation_prompt.instructed)
        for each in run.answers().values():
            of = each.evaluation_sample
            asked += of.size * tokens(of.name, each.evaluation_prompt.instructed)
        once = run.steps * steps[run.arm] + passes(asked + 2 * trained.size * length)
        seconds += len(study.seeds) * once
    where = f"{device()}, {str(dtype_of(study.model)).removeprefix('torch.')}"
    return Estimate(seconds, steps, step_tokens, drawn, active, speed, where)


def active_numbers(shape: PreTrainedConfig) -> int:
    """How many numbers of a model a token is multiplied with, without those of embeddings."""
    text = shape.get_text_config()
    experts = next((getattr(text, name) for name in EXPERTS if getattr(text, name, None)), 1)
    share = min(1.0, (getattr(text, "num_experts_per_tok", None) or experts) / experts)
    model = empty_model(shape)
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    apart = {id(each) for end in ends if end is not None for each in end.parameters()}
    return int(
        sum(
            each.numel() * (share if ".experts." in name else 1)
            for name, each in model.named_parameters()
            if id(each) not in apart
        )
    )


def distinct_tokens(prompts: Sequence[Sequence[int]], at_once: int) -> float:
    """The mean number of tokens in a batch, if what several prompts begin with counts once.

    Args:
        prompts: token ids of each prompt; batches are drawn from them.
        at_once: prompts of a batch.
    """
    rng = np.random.default_rng(0)
    counts = []
    for _ in range(DRAWS):
        chosen = rng.choice(len(prompts), size=min(at_once, len(prompts)), replace=False)
        batch = sorted(list(prompts[i]) for i in chosen)
        shared = sum(map(shared_length, batch, batch[1:]))
        counts.append((sum(map(len, batch)) - shared) * at_once / len(batch))
    return float(np.mean(counts))


def rate(shape: PreTrainedConfig, dtype: torch.dtype) -> float:
    """Operations per second of this machine as it is now, in one layer of a model.

    All weights of the layer are alike, and of experts it has only the active ones. What a call
    takes beside its tokens is left out, by the difference of two numbers of tokens.
    """
    layer = _one_layer(shape, dtype)
    few, many = (_seconds(layer, rows) for rows in ROWS)
    share = 1 - ROWS[0] / ROWS[1]
    took = max(many - few, share * many / 2)  # of a small layer, times are mostly noise
    return 2 * active_numbers(layer.config) * ROWS[1] * share * LENGTH / took


def _one_layer(shape: PreTrainedConfig, dtype: torch.dtype) -> PreTrainedModel:
    text = copy.deepcopy(shape.get_text_config())
    text.num_hidden_layers, text.vocab_size = 1, 8
    text.pad_token_id = text.bos_token_id = text.eos_token_id = None
    if getattr(text, "layer_types", None):
        text.layer_types = text.layer_types[:1]
    active = getattr(text, "num_experts_per_tok", None)
    for name in EXPERTS:
        if active and getattr(text, name, None):
            setattr(text, name, active)
            for groups in ("n_group", "topk_group"):  # of experts
                if hasattr(text, groups):
                    setattr(text, groups, 1)
    layer: Any = empty_model(text)
    layer = layer.to(dtype).to_empty(device=device())
    for each in (*layer.parameters(), *layer.buffers()):
        each.detach().fill_(0.01)
    layer.eval()
    made: PreTrainedModel = layer
    return made


def _seconds(layer: PreTrainedModel, rows: int) -> float:
    """The shortest of several forward passes."""
    length = min(LENGTH, getattr(layer.config, "max_position_embeddings", LENGTH))
    ids = torch.zeros(rows, length, dtype=torch.long, device=device())
    taken: list[float] = []
    with torch.no_grad():
        while len(taken) < 2 or sum(taken) < MEASURED_SECONDS:
            started = time.perf_counter()
            layer(ids, use_cache=False, logits_to_keep=1).logits.sum().item()  # waits for it
            taken.append(time.perf_counter() - started)
    return min(taken)
