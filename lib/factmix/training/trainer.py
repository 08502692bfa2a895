"""TRL's GRPO trainer with one forward pass per distinct prompt.

Departures from a stock `trl.GRPOTrainer` run:

1. Sampling computes each distinct prompt once, and extends its cache once per distinct completion
   so far.
2. Log-probabilities come from the same shared prefix, once per distinct completion.
3. A group with equal rewards has no advantage, hence no gradient: it is scored for the metrics, but
   left out of the backward pass, unless the group is so small that this would take longer.
4. Prompts of similar length are padded together, and their common prefix is computed once, where
   this saves more time than one more forward pass takes.
5. The KL divergence from the base model is logged, and is not part of the loss.
6. Position ids count from a prompt's first token, whatever padding precedes it.
7. With gradient accumulation, the completions of a prompt stay in one pass. The metrics logged for
   a step are then the mean over its passes.
8. A resumed run continues with the order of prompts of an uninterrupted one.

Losses and gradients equal those of the stock trainer with relative positions;
tests/training/test_grpo.py compares them. Terms of the loss for which this would not hold are
refused. A model with a `prefix_sharing_blocker` takes the stock trainer's passes, with a warning.
"""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Sampler
from trl import GRPOTrainer

from factmix.training.prefix import (
    completion_logits,
    exceeds_pass_cost,
    length_buckets,
    pad_left,
    prefix_sharing_blocker,
    read_prompts,
    sample,
)


class GroupError(ValueError):
    """A group of completions of one prompt would be split."""


class UnsharedTermError(ValueError):
    """An option of TRL's whose part of the loss would be lost or wrong with shared prompts."""


class ResumableRepeatSampler(Sampler[int]):
    """TRL's sampler, resumed with the order of prompts of the current epoch.

    TRL shuffles every epoch with one generator whose state is in no checkpoint, so that a resumed
    run would start again with the order of the first epoch.
    """

    def __init__(self, sampler: Any, epoch: Callable[[], int]) -> None:
        """
        Args:
            sampler: trl's RepeatSampler.
            epoch: returns the current epoch, from 0.
        """
        self._sampler, self._epoch = sampler, epoch

    def __iter__(self) -> Iterator[int]:
        generator = self._sampler.generator.manual_seed(self._sampler.seed)
        for _ in range(self._epoch()):
            torch.randperm(self._sampler.num_samples, generator=generator)
        yield from self._sampler

    def __len__(self) -> int:
        return len(self._sampler)


class SharedPrefixTrainer(GRPOTrainer):  # type: ignore[misc]
    """TRL's trainer with the departures that the module's docstring lists.

    Raises:
        GroupError: the completions of a process are not whole groups.
        UnsharedTermError: the configuration has a term that sharing loses.
    """

    _buffered_inputs: list[dict[str, Any]] | None  # the parts of a step

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        completions = self.args.per_device_train_batch_size
        if completions % self.num_generations:
            raise GroupError(
                f"per_device_train_batch_size is {completions} completions, expected a multiple of "
                f"num_generations ({self.num_generations}): a group must not be split between the "
                f"{self.accelerator.num_processes} processes; start fewer processes, or change the "
                "number of prompts per step or of completions per prompt"
            )
        model = self.accelerator.unwrap_model(self.model)
        reason = prefix_sharing_blocker(model.get_base_model())
        self._shared = reason is None
        if reason:
            warnings.warn(
                f"{type(model.get_base_model()).__name__}: every completion repeats the forward"
                f" pass of its prompt, which is slow, because {reason}; the KL from the base model"
                " is estimated from the sampled tokens",
                stacklevel=2,
            )
        for name, asked in (
            ("gradient_checkpointing", self.args.gradient_checkpointing),  # drops the cache
            ("beta", self.beta != 0),
            ("entropy_coef", self._entropy_bonus_enabled),
            ("router_aux_loss_coef", self.aux_loss_enabled),
        ):
            if asked:
                raise UnsharedTermError(
                    f"{name} is {getattr(self.args, name)}; expected it to be off, as prompts are"
                    " shared: train with trl.GRPOTrainer to use it"
                )

    def has_advantage(self, advantages: Tensor) -> Tensor:
        """Which completions have an advantage, hence a gradient, (N,)."""
        return advantages != 0

    def _get_train_sampler(self, dataset: Any = None) -> Sampler[int]:
        sampler: Any = super()._get_train_sampler(dataset)
        batches = sampler.num_samples // sampler.batch_size * sampler.repeat_count
        steps = batches // self.args.gradient_accumulation_steps  # of an epoch
        ordered: Sampler[int] = sampler
        if sampler.shuffle:
            ordered = ResumableRepeatSampler(sampler, lambda: self.state.global_step // steps)
        return ordered

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[list[list[int]], Any, dict[str, Any]]:
        if not isinstance(prompts[0], str):
            tokenized: tuple[list[list[int]], Any, dict[str, Any]]
            tokenized = super()._tokenize_prompts(prompts)
            return tokenized
        distinct = list(dict.fromkeys(prompts))
        ids, images, fields = super()._tokenize_prompts(distinct)
        ids_of = dict(zip(distinct, ids, strict=True))
        return [ids_of[prompt] for prompt in prompts], images, fields

    def _generate_single_turn(
        self,
        prompt_ids: list[list[int]],
        images: None,
        multimodal_fields: dict[str, Any],
        num_generations: int,
        has_tool_images: bool = False,
    ) -> tuple[list[list[int]], None]:
        if not self._shared:
            generated: tuple[list[list[int]], None] = super()._generate_single_turn(
                prompt_ids, images, multimodal_fields, num_generations, has_tool_images
            )
            return generated
        completions_of: dict[tuple[int, ...], list[int]] = {}
        for row, prompt in enumerate(prompt_ids):
            completions_of.setdefault(tuple(prompt), []).append(row)
        distinct = list(completions_of)
        device, pad_id = self.accelerator.device, self._tokenizer.pad_token_id
        model, stops = self.accelerator.unwrap_model(self.model), set(self.eos_token_ids)
        uniforms = torch.rand(len(prompt_ids), self.max_completion_length, device=device)
        completions: list[list[int]] = [[]] * len(prompt_ids)
        for bucket in length_buckets([len(each) for each in distinct]):
            ids, mask = pad_left([list(distinct[i]) for i in bucket], pad_id, device)
            rows = [row for i in bucket for row in completions_of[distinct[i]]]
            sizes = torch.tensor([len(completions_of[distinct[i]]) for i in bucket], device=device)
            with torch.no_grad():
                drawn = sample(
                    model,
                    read_prompts(model, ids, mask),
                    torch.arange(len(bucket), device=device).repeat_interleave(sizes),
                    uniforms[rows],
                    temperature=self.temperature,
                    stop_ids=tuple(stops),
                    pad_id=pad_id,
                )
            for row, tokens in zip(rows, drawn.tolist(), strict=True):
                completions[row] = truncate_after_stop(tokens, stops)
        return completions, None

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
        """As TRL's, but the completions of a prompt stay in one pass when a step takes several."""
        before = self._buffered_inputs
        inputs: dict[str, Any] = super()._prepare_inputs(generation_batch)
        parts = self._buffered_inputs
        if parts is None or parts is before or len(parts) == 1:
            return inputs
        whole = _by_prompt(parts)
        self._buffered_inputs = whole
        own: dict[str, Any] = whole[self._step % len(whole)]
        return own

    def _compute_loss(self, model: Any, inputs: dict[str, Tensor]) -> Tensor:
        self._live = self.has_advantage(inputs["advantages"])
        loss: Tensor = super()._compute_loss(model, inputs)
        return loss

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: Tensor,
        attention_mask: Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        compute_aux_loss: bool = False,
        **multimodal: Any,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """As TRL's; also logs the KL from the base model when it is called for the loss."""
        base = self.accelerator.unwrap_model(model)
        training = torch.is_grad_enabled()
        if not self._shared:
            whole = (input_ids, attention_mask, logits_to_keep, batch_size)
            scored = super()._get_per_token_logps_and_entropies(
                model, *whole, compute_entropy, compute_aux_loss, **multimodal
            )
            if training:
                with torch.no_grad(), base.disable_adapter():
                    without = super()._get_per_token_logps_and_entropies(base, *whole)
                self._log_kl(scored[0].detach() - without[0], attention_mask)
            stock: tuple[Tensor, Tensor, Tensor | None] = scored
            return stock
        columns = input_ids.shape[1] - logits_to_keep
        prompts, prompt_of = input_ids[:, :columns].unique(dim=0, return_inverse=True)
        live = torch.zeros(len(prompts), dtype=torch.bool, device=input_ids.device)
        if training:
            live[prompt_of[self._live]] = True
            live[0] |= ~live.any()  # the backward pass needs a graph, even for a gradient of zero
        lengths = torch.zeros_like(prompts[:, 0])
        lengths[prompt_of] = attention_mask[:, :columns].sum(1)
        logps = torch.zeros(len(input_ids), logits_to_keep, device=input_ids.device)
        entropies, kl = torch.zeros_like(logps), torch.zeros_like(logps)
        for bucket in length_buckets(lengths.tolist()):
            chosen = torch.tensor(bucket, device=input_ids.device)
            idle = chosen[~live[chosen]]
            # A backward pass costs two forward passes. Groups without an advantage could do without
            # it in a pass of their own, which takes three calls of the model: for the shared
            # prefix, the rest of the prompts and the completions.
            if training and not exceeds_pass_cost(2 * lengths[idle].sum() / 3):
                live[idle] = True  # so few cost less in the same pass as the others
            part = torch.isin(prompt_of, chosen).nonzero()[:, 0]
            text = (input_ids[part], attention_mask[part], logits_to_keep)
            scored, entropies[part], kl[part] = self._score(
                model, base, *text, live[prompt_of[part]]
            )
            logps = logps.index_put((part,), scored)  # out of place, to keep the graph
        if training:
            self._log_kl(kl, attention_mask)
        return logps, entropies, None

    def _log_kl(self, kl: Tensor, attention_mask: Tensor) -> None:
        mask = attention_mask[:, -kl.shape[1] :]
        total = self.accelerator.reduce(torch.stack([(kl * mask).sum(), mask.sum().float()]))
        self._metrics["train"]["kl"].append((total[0] / total[1]).item())

    def _score(
        self,
        model: Any,
        base: Any,
        input_ids: Tensor,
        attention_mask: Tensor,
        length: int,
        live: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probability, entropy and KL from the base model (nats), each (N, C), of completions.

        The KL is computed where gradients flow, and 0 elsewhere.

        Args:
            model: as the trainer holds it, wrapped so that processes share gradients.
            base: the same, unwrapped, so that its adapter can be disabled.
            input_ids: (N, T + C), with left-padded prompts.
            attention_mask: of the same shape.
            length: C.
            live: (N,), which log-probabilities need a gradient; all or none of a prompt.
        """
        both = torch.cat([input_ids, attention_mask], dim=1)
        distinct, sequence_of = both.unique(dim=0, return_inverse=True)
        ids, mask = distinct.split(input_ids.shape[1], dim=1)
        live = torch.zeros_like(ids[:, 0], dtype=torch.bool).index_put((sequence_of,), live)
        reference = None
        if torch.is_grad_enabled():
            with torch.no_grad(), base.disable_adapter():
                reference = self._log_probabilities(base, ids, mask, length)
        logps = torch.zeros(len(ids), length, device=ids.device)
        entropies, kl = torch.zeros_like(logps), torch.zeros_like(logps)
        passes = ((live, model, contextlib.nullcontext()), (~live, base, torch.no_grad()))
        for chosen, through, context in passes:
            if not chosen.any():
                continue
            with context:
                policy = self._log_probabilities(through, ids[chosen], mask[chosen], length)
            scored = policy.gather(-1, ids[chosen, -length:, None])[..., 0]
            logps = logps.index_put((chosen,), scored)
            policy = policy.detach()
            entropies[chosen] = -(policy.exp() * policy).sum(-1)
            if reference is not None:
                kl[chosen] = (policy.exp() * (policy - reference[chosen])).sum(-1)
        return logps[sequence_of], entropies[sequence_of], kl[sequence_of]

    def _log_probabilities(self, model: Any, ids: Tensor, mask: Tensor, length: int) -> Tensor:
        """Log-probabilities (N, C, V) in nats at each token of completions of left-padded prompts.

        Args:
            model: with or without the adapter.
            ids: (N, T + C); one forward pass per distinct prompt.
            mask: of the same shape.
            length: C.
        """
        texts = torch.cat([ids[:, :-length], mask[:, :-length]], dim=1)
        prompts, rows = texts.unique(dim=0, return_inverse=True)
        prompt_ids, prompt_mask = prompts.split(ids.shape[1] - length, dim=1)
        padding = int((prompt_mask.sum(0) == 0).sum())  # columns of padding in all of these prompts
        prefix = read_prompts(model, prompt_ids[:, padding:], prompt_mask[:, padding:])
        logits = completion_logits(model, prefix, rows, ids[:, -length:], mask[:, -length:])
        scaled: Tensor = logits.float() / self.temperature
        return scaled.log_softmax(-1)


def truncate_after_stop(tokens: list[int], stops: set[int]) -> list[int]:
    """Tokens up to and including the first stop."""
    for position, token in enumerate(tokens):
        if token in stops:
            return tokens[: position + 1]
    return tokens


def _by_prompt(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of all parts in the order of their prompts, in as many parts of the same size.

    Args:
        parts: each with the same keys; tensors have a row for each completion, or no dimension.
    """
    prompts = torch.cat([part["prompt_ids"] for part in parts])
    order = prompts.unique(dim=0, return_inverse=True)[1].argsort(stable=True)
    split: list[dict[str, Any]] = [{} for _ in parts]
    for key, value in parts[0].items():
        rows = [value] * len(parts)
        if isinstance(value, Tensor) and value.ndim:
            rows = list(torch.cat([part[key] for part in parts])[order].chunk(len(parts)))
        for part, own in zip(split, rows, strict=True):
            part[key] = own
    return split
