"""Parts of a trainer's step by themselves, for tests and benchmarks.

TRL's trainer is public as a whole only: sampling, scoring and the loss are private methods. Apart
from the trainers themselves, only this module calls them.
"""

from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from trl import GRPOTrainer

from factmix.training.trainer import take_sampled

Inputs = dict[str, Tensor]


class CompactStockTrainer(GRPOTrainer):  # type: ignore[misc]
    """TRL's own trainer, projecting completions alone onto the vocabulary, as it does on a GPU."""

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        with patch("trl.trainer.utils._use_triton", return_value=True):
            return super()._get_per_token_logps_and_entropies(*args, **kwargs)


@dataclass(frozen=True)
class Draw:
    """One sampling of completions, with the trained parameters in one row each.

    Attributes:
        step: how many steps had been made.
        before: the parameters when it began.
        sampling: those that were in their place while completions were sampled.
        after: the parameters when it was over.
        old_logps: (N, C), log-probabilities that the loss compares the new ones with, or None.
    """

    step: int
    before: Tensor
    sampling: Tensor
    after: Tensor
    old_logps: Tensor | None


def trained_parameters(trainer: GRPOTrainer) -> list[Tensor]:
    return [each for each in trainer.model.parameters() if each.requires_grad]


def trained_weights(trainer: GRPOTrainer) -> Tensor:
    """A copy of all trained parameters, in one row."""
    return torch.cat([each.detach().flatten() for each in trained_parameters(trainer)])


def rollout(trainer: GRPOTrainer, batch: list[dict[str, Any]]) -> Inputs:
    """Tokenises a batch of prompts, samples their completions and scores them."""
    inputs: Inputs = trainer._prepare_inputs(batch)
    return inputs


def unscored(inputs: Inputs) -> Inputs:
    """The same completions, without what sampling them computed for the loss of one trainer."""
    plain = dict(inputs)
    take_sampled(plain)
    return plain


def kept_graph(trainer: GRPOTrainer, inputs: Inputs) -> str:
    """What the last sampling kept the graph of: "sampling", the "prompts", or nothing: ""."""
    if inputs["sampled_logps"].requires_grad:
        return "sampling"
    return "prompts" if trainer._kept is not None else ""


def sample(trainer: GRPOTrainer, prompts: list[list[int]]) -> list[list[int]]:
    """The tokens of a completion for each prompt; those of a group have the same prompt."""
    completions: list[list[int]]
    completions, _ = trainer._generate_single_turn(prompts, None, {}, trainer.num_generations)
    return completions


def loss(trainer: GRPOTrainer, inputs: Inputs, *, through: Any = None) -> Tensor:
    """The loss of a step that is taken in one part.

    Args:
        trainer: whose loss it is.
        inputs: as `rollout` returns them.
        through: what wraps the trainer's model, where something does.
    """
    trainer.current_gradient_accumulation_steps = 1
    trainer.model.train()
    value: Tensor = trainer._compute_loss(trainer.model if through is None else through, inputs)
    return value


def gradients(trainer: GRPOTrainer, inputs: Inputs, *, through: Any = None) -> Tensor:
    """The gradients of `loss`, in one row."""
    return loss_and_gradients(trainer, inputs, through=through)[1]


def loss_and_gradients(
    trainer: GRPOTrainer, inputs: Inputs, *, through: Any = None
) -> tuple[float, Tensor]:
    """`loss` and its gradients, in one row."""
    value = loss(trainer, inputs, through=through)
    value.backward()
    rows = [each.grad.flatten() for each in trained_parameters(trainer) if each.grad is not None]
    return value.item(), torch.cat(rows)


def log_probabilities(trainer: GRPOTrainer, inputs: Inputs) -> Tensor:
    """Of the tokens of completions, (N, C) in nats, without gradients."""
    with torch.no_grad():
        scored, *_ = trainer._get_per_token_logps_and_entropies(
            trainer.model,
            torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1),
            torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1),
            inputs["completion_ids"].shape[1],
        )
    logps: Tensor = scored
    return logps


def kl_from_base(trainer: GRPOTrainer, inputs: Inputs) -> Tensor:
    """Of the policy at each token of completions, (N, C) in nats; of our trainer only."""
    kl: Tensor = trainer._kl_from_base(
        trainer.accelerator.unwrap_model(trainer.model),
        torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1),
        torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1),
        inputs["completion_ids"].shape[1],
    )
    return kl


def logged(trainer: GRPOTrainer, name: str) -> list[float]:
    """What was noted under a name since metrics were last printed: a number per part of a step."""
    values: list[float] = trainer._metrics["train"][name]
    return values


def watch_losses(trainer: GRPOTrainer) -> list[Inputs]:
    """A list that receives the inputs of every loss from now on."""
    seen: list[Inputs] = []
    compute = trainer._compute_loss

    def noted(model: Any, inputs: Inputs) -> Tensor:
        seen.append(inputs)
        value: Tensor = compute(model, inputs)
        return value

    trainer._compute_loss = noted
    return seen


def watch_prompts(trainer: GRPOTrainer) -> list[list[str]]:
    """A list that receives the prompts of every sampling from now on, each prompt once, sorted."""
    seen: list[list[str]] = []
    generate = trainer._generate

    def noted(prompts: list[str], *rest: Any, **named: Any) -> Any:
        seen.append(sorted(set(prompts)))
        return generate(prompts, *rest, **named)

    trainer._generate = noted
    return seen


def watch_draws(trainer: GRPOTrainer) -> list[Draw]:
    """A list that receives every sampling from now on."""
    seen: list[Draw] = []
    sampling: list[Tensor] = []
    draw, turn = trainer._generate_and_score_completions, trainer._generate_single_turn

    def noted_turn(*args: Any, **named: Any) -> Any:
        sampling.clear()
        hook = trainer.model.get_input_embeddings().register_forward_pre_hook(
            lambda *_: sampling.append(trained_weights(trainer))
        )
        with hook:
            return turn(*args, **named)

    def noted_draw(*args: Any, **named: Any) -> Any:
        step, before = trainer.state.global_step, trained_weights(trainer)
        output = draw(*args, **named)
        after, old = trained_weights(trainer), output.get("old_per_token_logps")
        seen.append(Draw(step, before, sampling[0], after, old))
        return output

    trainer._generate_single_turn, trainer._generate_and_score_completions = noted_turn, noted_draw
    return seen
