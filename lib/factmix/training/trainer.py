"""TRL's GRPO trainer with one forward pass per distinct prompt.

Departures from a stock `trl.GRPOTrainer` run:

1. Sampling computes each distinct prompt once, and extends its cache once per distinct completion
   so far.
2. Where most groups have an advantage, the gradients of the loss flow through this forward pass of
   the prompts, and through those of the tokens after the first if their graph takes little memory.
   Otherwise the prompts of groups with an advantage have another one, with a graph. Completions
   without a graph are scored from their prompt's cache, once per distinct completion.
3. A group with equal rewards has no advantage, hence no gradient: its log-probabilities are those
   of sampling.
4. Prompts of similar length are padded together. What those with the same worked examples begin
   with is computed once for all, where this saves more time than one more forward pass takes.
5. The KL divergence from the base model is logged every `KL_STEPS` steps, and is not part of the
   loss.
6. Position ids count from a prompt's first token, whatever padding precedes it.
7. With gradient accumulation, the completions of a prompt stay in one pass. The metrics logged for
   a step are then the mean over its passes.
8. A resumed run continues with the order of prompts of an uninterrupted one.
9. Several processes sample the completions that one would, if they share prompts and no run is
   resumed with another number of processes.

Losses and gradients equal those of the stock trainer with relative positions;
tests/training/test_grpo.py compares them. Terms of the loss for which this would not hold are
refused. A model with a `prefix_sharing_blocker` takes the stock trainer's passes, with a warning.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from accelerate.utils import broadcast
from torch import Tensor
from torch.utils.data import Sampler
from trl import GRPOTrainer

from factmix.training.prefix import (
    Prefix,
    Samples,
    completion_logits,
    entropy,
    fork,
    pad_left,
    prefix_sharing_blocker,
    read_in_buckets,
    sample,
)

# The KL divergence from the base model is computed at every 20th step, and at the last.
KL_STEPS = 20

# Where more groups than this share have no advantage, a forward pass of the others is faster than a
# backward pass of all.
IDLE_SHARE = 0.4

# The graph of sampling is kept for the loss up to about this many bytes: the caches of the prompts,
# once for each token after the first. A small model saves a pass by it; for others a pass that
# scores whole completions needs less memory, and costs little beside the prompts.
GRAPH_BYTES = 2**28


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

    samples_current_weights = True
    _buffered_inputs: list[dict[str, Any]] | None  # the parts of a step
    _sampled: Samples | None = None
    _kept: Prefix | None = None  # the prompts of the last sampling, with the graph of them alone
    _given: dict[str, Tensor]  # what sampling has computed for the loss

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

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        self._sampled = self._kept = None
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        if self._sampled is not None:
            columns = output["completion_ids"].shape[1]
            output |= {
                "sampled_logps": self._sampled.logps[:, :columns],
                "sampled_entropies": self._sampled.entropies[:, :columns],
                "sampled_rows": self._rows,
            }
            self._sampled = None
        return output

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
        row_of: dict[tuple[int, ...], int] = {}
        rows = [row_of.setdefault(tuple(prompt), len(row_of)) for prompt in prompt_ids]
        model, device = self.accelerator.unwrap_model(self.model), self.accelerator.device
        pad_id, stops = self._tokenizer.pad_token_id, tuple(self.eos_token_ids)
        with torch.set_grad_enabled(self._keeps_graph()):
            prefix, place_of = read_in_buckets(
                model, *pad_left([*map(list, row_of)], pad_id, device)
            )
        self._rows = place_of[torch.tensor(rows, device=device)]
        graph = prefix.logits.requires_grad
        whole = graph and self._is_small(prefix)
        self._kept = prefix if graph and not whole else None
        with torch.set_grad_enabled(whole):
            self._sampled = sample(
                model,
                fork(prefix),
                self._rows,
                self._uniforms(len(prompt_ids)),
                temperature=self.temperature,
                stop_ids=stops,
                pad_id=pad_id,
            )
        completions = self._sampled.tokens.tolist()
        return [truncate_after_stop(tokens, set(stops)) for tokens in completions], None

    def _uniforms(self, completions: int) -> Tensor:
        """The random numbers that decide the completions of this process, (completions, C).

        The first process draws those of all, so that a step samples the same completions however
        many processes share it. See also `_prepare_inputs`.
        """
        one = self.accelerator
        shape = one.num_processes * completions, self.max_completion_length
        drawn: Tensor = broadcast(torch.rand(*shape, device=one.device))
        return drawn[one.process_index * completions :][:completions]

    def _keeps_graph(self) -> bool:
        """Whether the graph of the prompts' forward pass is kept from sampling for the loss.

        That saves the forward pass of the loss, but the backward pass then includes the prompts of
        groups without an advantage. Their share is taken from the previous step, also after a
        resumption.
        """
        whole = self.accelerator.num_processes == self.args.steps_per_generation == 1
        shares = (entry.get("frac_reward_zero_std") for entry in reversed(self.state.log_history))
        idle = next((share for share in shares if share is not None), 0.0)
        current = torch.is_grad_enabled() and self.samples_current_weights
        return whole and current and idle < IDLE_SHARE

    def _is_small(self, prefix: Prefix) -> bool:
        """Whether the graph of the tokens after the first is small; see `GRAPH_BYTES`."""
        layers: list[Any] = prefix.cache.layers
        size = sum(layer.keys.nbytes + layer.values.nbytes for layer in layers)
        return bool(size * (self.max_completion_length - 1) <= GRAPH_BYTES)

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
        """As TRL's, but the completions of a prompt stay in one pass when a step takes several."""
        before = self._buffered_inputs
        inputs: dict[str, Any] = super()._prepare_inputs(generation_batch)
        parts = self._buffered_inputs
        if parts is None or parts is before:
            return inputs
        # TRL has shuffled the completions of this process. One process would have shuffled all, and
        # taken as many more numbers as this does from the stream of the CPU, from which `_uniforms`
        # draws there.
        shuffled = sum(len(part["advantages"]) for part in parts)
        torch.randperm((self.accelerator.num_processes - 1) * shuffled + 1)
        if len(parts) == 1:
            return inputs
        whole = _by_prompt(parts)
        self._buffered_inputs = whole
        own: dict[str, Any] = whole[self._step % len(whole)]
        return own

    def _compute_loss(self, model: Any, inputs: dict[str, Tensor]) -> Tensor:
        self._live = self.has_advantage(inputs["advantages"])
        # Removed, because after the next update they would no longer be those of the policy.
        self._given = take_sampled(inputs)
        loss: Tensor = super()._compute_loss(model, inputs)
        self._kept, self._given = None, {}
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
            if training and self._kl_is_due():
                with torch.no_grad(), base.disable_adapter():
                    without = super()._get_per_token_logps_and_entropies(base, *whole)
                self._log_kl(scored[0].detach() - without[0], attention_mask)
            stock: tuple[Tensor, Tensor, Tensor | None] = scored
            return stock
        ids, mask, length = input_ids, attention_mask, logits_to_keep
        if not training:
            return *self._score(base, ids, mask, length), None
        if self._kl_is_due():
            self._log_kl(self._kl_from_base(base, ids, mask, length), mask)
        live = self._live.clone()
        live[0] |= ~live.any()  # the backward pass needs a graph, even for a gradient of zero
        given = self._given
        if given:
            logps, entropies = given["sampled_logps"], given["sampled_entropies"]
            if logps.requires_grad:
                return logps, entropies, None
        else:
            logps, entropies = (torch.zeros(len(ids), length, device=ids.device) for _ in range(2))
            if not live.all():
                with torch.no_grad():
                    idle = self._score(base, ids[~live], mask[~live], length)
                logps[~live], entropies[~live] = idle
        rows = given["sampled_rows"][live] if given and self._kept else None
        scored = self._score(model, ids[live], mask[live], length, rows)
        logps = logps.index_put((live,), scored[0])  # out of place, to keep the graph
        return logps, entropies.index_put((live,), scored[1].detach()), None

    def _kl_is_due(self) -> bool:
        step = self.state.global_step + 1
        return bool(step % KL_STEPS == 0 or step == self.state.max_steps)

    def _log_kl(self, kl: Tensor, attention_mask: Tensor) -> None:
        mask = attention_mask[:, -kl.shape[1] :]
        total = self.accelerator.reduce(torch.stack([(kl * mask).sum(), mask.sum().float()]))
        self._metrics["train"]["kl"].append((total[0] / total[1]).item())

    def _score(
        self, model: Any, ids: Tensor, mask: Tensor, length: int, rows: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Log-probabilities and entropies in nats, each (N, C), of the tokens of completions.

        Args:
            model: with or without the wrapper through which processes share gradients.
            ids: (N, T + C), with left-padded prompts.
            mask: of the same shape.
            length: C.
            rows: (N,) of the prompts in the kept prefix, if one is kept.
        """
        ids, mask, row_of = _distinct(ids, mask)
        kept = None
        if rows is not None:
            assert self._kept is not None
            kept = fork(self._kept), torch.zeros_like(ids[:, 0]).scatter(0, row_of, rows)
        policy = self._log_probabilities(model, ids, mask, length, kept)
        logps = policy.gather(-1, ids[:, -length:, None])[..., 0]
        return logps[row_of], entropy(policy)[row_of]

    @torch.no_grad()
    def _kl_from_base(self, base: Any, ids: Tensor, mask: Tensor, length: int) -> Tensor:
        """KL from the base model (nats), (N, C), with the arguments of `_score`."""
        ids, mask, row_of = _distinct(ids, mask)
        policy = self._log_probabilities(base, ids, mask, length)
        with base.disable_adapter():
            reference = self._log_probabilities(base, ids, mask, length)
        kl: Tensor = (policy.softmax(-1) * (policy - reference)).sum(-1)
        return kl[row_of]

    def _log_probabilities(
        self,
        model: Any,
        ids: Tensor,
        mask: Tensor,
        length: int,
        kept: tuple[Prefix, Tensor] | None = None,
    ) -> Tensor:
        """Log-probabilities (N, C, V) in nats at each token of completions of left-padded prompts.

        Args:
            model: with or without the adapter.
            ids: (N, T + C); one forward pass per distinct prompt.
            mask: of the same shape.
            length: C.
            kept: the prompts after their forward pass, and the row of each completion's, (N,).
        """
        if kept is None:
            prompt_ids, prompt_mask, prompt_of = _distinct(ids[:, :-length], mask[:, :-length])
            prefix, place_of = read_in_buckets(model, prompt_ids, prompt_mask)
            kept = prefix, place_of[prompt_of]
        logits = completion_logits(model, *kept, ids[:, -length:], mask[:, -length:])
        scaled: Tensor = logits.float() / self.temperature
        return scaled.log_softmax(-1)


def take_sampled(inputs: dict[str, Any]) -> dict[str, Tensor]:
    """Removes from the inputs of a loss what sampling has computed for it, and returns that.

    Returns:
        sampled_logps, perhaps with their graph, and sampled_entropies, in nats, each (N, C), and
        sampled_rows, (N,), the row of each completion's prompt in the kept prefix; nothing where
        the model samples in TRL's way.
    """
    return {name: inputs.pop(name) for name in list(inputs) if name.startswith("sampled_")}


def _distinct(ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The distinct rows of both, and which of them each row is, (N,)."""
    rows, row_of = torch.cat([ids, mask], dim=1).unique(dim=0, return_inverse=True)
    distinct_ids, distinct_mask = rows.split(ids.shape[1], dim=1)
    return distinct_ids, distinct_mask, row_of


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
