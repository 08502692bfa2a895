"""The weights and the engine that sample the completions of a training step.

By default, `trainer.SharedPrefixTrainer` samples from the current weights at every step. The
released code sampled from a copy of the weights that was refreshed every 50 steps (a protocol's
`sampler_refresh`). A study may also sample with vLLM (`training.generation`).
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from trl import GRPOTrainer

from factmix.study.protocol import updates_sampled_from
from factmix.study.run import Run
from factmix.training.trainer import SharedPrefixTrainer, take_sampled


class RolloutError(RuntimeError):
    """Completions cannot be sampled as the study says."""


def trainer_class(run: Run) -> Callable[..., GRPOTrainer]:
    """The trainer class of a run.

    Raises:
        RolloutError: the study samples with vLLM, and vllm is not installed.
    """
    refresh = run.protocol.sampler_refresh
    if run.training.generation == "vllm":
        if find_spec("vllm") is None:
            raise RolloutError(
                f"study {run.study}: training.generation is vllm, but vllm is not installed;"
                " install it on a machine with a CUDA device (pip install vllm), or set"
                " training.generation: transformers"
            )
        return VllmTrainer
    return partial(StaleSampler, refresh=refresh) if refresh > 1 else SharedPrefixTrainer


def options(run: Run, stop_ids: tuple[int, ...]) -> dict[str, Any]:
    """The options of TRL's configuration for the engine; empty for the default engine."""
    if run.training.generation != "vllm":
        return {}
    prompt = run.prompt
    return {
        "use_vllm": True,
        "vllm_mode": "colocate",
        "vllm_max_model_length": prompt.max_tokens + prompt.max_completion_tokens,
        "generation_kwargs": {"stop_token_ids": list(stop_ids)},
    }


class VllmTrainer(SharedPrefixTrainer):
    """Samples with vLLM in the same process; TRL updates its weights at every step."""

    def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
        return GRPOTrainer._generate_single_turn(self, *args, **kwargs)


class StaleSampler(SharedPrefixTrainer):
    """Samples from a frozen copy of the adapter, which is refreshed every `refresh` steps.

    As in the released code, the loss compares the trained weights with those that sampled. So the
    clipped ratio is 1 only in the first step after a refresh.
    """

    samples_current_weights = False

    def __init__(self, *args: Any, refresh: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._refresh = refresh
        self._frozen: dict[str, Tensor] = {}
        self._frozen_at = -1  # step

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        self.refresh_if_due()
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        logps = take_sampled(output).get("sampled_logps")
        if logps is None:  # the model samples in TRL's way
            with torch.no_grad(), self._sampler():
                logps, *_ = self._get_per_token_logps_and_entropies(
                    self.model,
                    torch.cat([output["prompt_ids"], output["completion_ids"]], dim=1),
                    torch.cat([output["prompt_mask"], output["completion_mask"]], dim=1),
                    output["completion_ids"].shape[1],
                )
        output["old_per_token_logps"] = logps
        return output

    def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
        with self._sampler():
            return super()._generate_single_turn(*args, **kwargs)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        # First, because TRL's part completes the checkpoint and removes the previous one.
        if self.accelerator.is_main_process:
            self._checkpoint().mkdir(parents=True, exist_ok=True)
            save_file(self._frozen, self._checkpoint() / "sampler.safetensors")
        super()._save_checkpoint(model, trial)

    def refresh_if_due(self) -> None:
        """Refreshes the copy if due; after an interruption, loads it from the checkpoint."""
        step = self.state.global_step
        if updates_sampled_from(step, self._refresh) == step != self._frozen_at:
            trained = self._trained().items()
            self._frozen = {name: each.detach().clone() for name, each in trained}
            self._frozen_at = step
        elif not self._frozen:
            where = str(self.accelerator.device)
            self._frozen = load_file(self._checkpoint() / "sampler.safetensors", device=where)

    def _checkpoint(self) -> Path:
        return Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"

    def _trained(self) -> dict[str, torch.nn.Parameter]:
        model = self.accelerator.unwrap_model(self.model)
        return {name: each for name, each in model.named_parameters() if each.requires_grad}

    @contextlib.contextmanager
    def _sampler(self) -> Iterator[None]:
        """Swaps in the frozen weights within the block."""
        trained = self._trained()
        kept = {name: each.data for name, each in trained.items()}
        try:
            for name, each in trained.items():
                each.data = self._frozen[name]
            yield
        finally:
            for name, each in trained.items():
                each.data = kept[name]
