"""TRL's GRPO trainer with each distinct prompt run once per pass.

Departures from a stock `trl.GRPOTrainer` run:

1. Sampling reads each distinct prompt once and continues its cache once per completion.
2. Log-probabilities come from the same shared prefix, once per distinct completion.
3. A group whose rewards are all equal has no advantage, hence no gradient: it is scored, for the
   metrics, but left out of the backward pass.
4. The drift from the base is measured (Kullback-Leibler divergence), but is no part of the loss.

Losses and gradients are those of the stock trainer; tests/test_grpo.py compares them.
"""

import contextlib
from typing import Any

import torch
from torch import Tensor
from trl import GRPOTrainer

from factmix.prefix import completion_logits, pad_left, read_prompts, sample


class SharedPrefixTrainer(GRPOTrainer):  # type: ignore[misc]
    """TRL's trainer with the departures that the module's docstring lists."""

    def _generate_single_turn(
        self,
        prompt_ids: list[list[int]],
        images: None,
        multimodal_fields: dict[str, Any],
        num_generations: int,
        has_tool_images: bool = False,
    ) -> tuple[list[list[int]], None]:
        distinct = list(dict.fromkeys(map(tuple, prompt_ids)))
        row_of = {prompt: row for row, prompt in enumerate(distinct)}
        rows = torch.tensor([row_of[tuple(ids)] for ids in prompt_ids])
        device, pad_id = self.accelerator.device, self._tokenizer.pad_token_id
        model = self.accelerator.unwrap_model(self.model)
        ids, mask = pad_left([list(prompt) for prompt in distinct], pad_id, device)
        with torch.no_grad():
            completions = sample(
                model,
                read_prompts(model, ids, mask),
                rows.to(device),
                torch.rand(len(rows), self.max_completion_length, device=device),
                temperature=self.temperature,
                stop_ids=tuple(self.eos_token_ids),
                pad_id=pad_id,
            )
        stops = set(self.eos_token_ids)
        return [_until(row, stops) for row in completions.tolist()], None

    def _compute_loss(self, model: Any, inputs: dict[str, Tensor]) -> Tensor:
        self._live = inputs["advantages"] != 0
        self._completion_mask = inputs["completion_mask"]
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
    ) -> tuple[Tensor, Tensor, None]:
        model = self.accelerator.unwrap_model(model)
        prompts, prompt_of = input_ids[:, :-logits_to_keep].unique(dim=0, return_inverse=True)
        live = torch.zeros(len(prompts), dtype=torch.bool, device=input_ids.device)
        live[prompt_of[self._live]] = True
        if not live.any():
            live[0] = True  # the backward pass needs a graph, even for a gradient of zero
        logps = torch.zeros(len(input_ids), logits_to_keep, device=input_ids.device)
        entropies, drift = torch.zeros_like(logps), torch.zeros_like(logps)
        for chosen, context in ((live, contextlib.nullcontext()), (~live, torch.no_grad())):
            part = chosen[prompt_of].nonzero()[:, 0]
            if len(part) == 0:
                continue
            with context:
                scored = self._score(model, input_ids[part], attention_mask[part], logits_to_keep)
            # out of place, so that the graph of the live part is kept
            logps = logps.index_put((part,), scored[0])
            entropies = entropies.index_put((part,), scored[1])
            drift = drift.index_put((part,), scored[2])
        mask = self._completion_mask
        total = self.accelerator.reduce(torch.stack([(drift * mask).sum(), mask.sum().float()]))
        self._metrics["train"]["kl"].append((total[0] / total[1]).item())
        return logps, entropies, None

    def _score(
        self, model: Any, input_ids: Tensor, attention_mask: Tensor, length: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probability, entropy and drift from the base (nats), each (N, C), of completions."""
        both = torch.cat([input_ids, attention_mask], dim=1)
        distinct, sequence_of = both.unique(dim=0, return_inverse=True)
        ids, mask = distinct.split(input_ids.shape[1], dim=1)
        completions, completion_mask = ids[:, -length:], mask[:, -length:]
        prompts, rows = torch.cat([ids[:, :-length], mask[:, :-length]], dim=1).unique(
            dim=0, return_inverse=True
        )
        prompt_ids, prompt_mask = prompts.split(ids.shape[1] - length, dim=1)
        padding = int((prompt_mask.sum(0) == 0).sum())  # columns that none of these prompts needs
        prompt_ids, prompt_mask = prompt_ids[:, padding:], prompt_mask[:, padding:]

        def log_probabilities() -> Tensor:
            prefix = read_prompts(model, prompt_ids, prompt_mask)
            logits = completion_logits(model, prefix, rows, completions, completion_mask)
            scaled: Tensor = logits.float() / self.temperature
            return scaled.log_softmax(-1)

        policy = log_probabilities()
        with torch.no_grad(), model.disable_adapter():
            base = log_probabilities()
        share = policy.detach().exp()
        logps = policy.gather(-1, completions[..., None])[..., 0]
        entropies = -(share * policy.detach()).sum(-1)
        drift = (share * (policy.detach() - base)).sum(-1)
        return logps[sequence_of], entropies[sequence_of], drift[sequence_of]


def _until(tokens: list[int], stops: set[int]) -> list[int]:
    """Tokens up to and including the first stop."""
    for position, token in enumerate(tokens):
        if token in stops:
            return tokens[: position + 1]
    return tokens
