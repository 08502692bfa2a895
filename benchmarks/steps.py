"""Single GRPO steps of a study's arm with any trainer, split into parts that can be timed."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from trl import GRPOTrainer

from factmix.data import mixtures
from factmix.study.paths import Paths
from factmix.study.spec import Study
from factmix.training import grpo, probe
from factmix.training.determinism import same_bits
from factmix.training.policy import add_adapter, load_base
from factmix.training.prefix import pad_left, read_in_buckets
from factmix.training.probe import CompactStockTrainer, Inputs
from factmix.training.trainer import SharedPrefixTrainer


class EveryGroupTrainer(SharedPrefixTrainer):
    """Also runs the backward pass of groups without spread, although their gradient is 0."""

    def has_advantage(self, advantages: Tensor) -> Tensor:
        return torch.ones_like(advantages, dtype=torch.bool)


TRAINERS: dict[str, type[GRPOTrainer]] = {
    "stock": GRPOTrainer,
    "stock, compact": CompactStockTrainer,
    "ours": SharedPrefixTrainer,
    "ours, every group": EveryGroupTrainer,
}


@contextmanager
def drawn_data(study: Study) -> Iterator[Paths]:
    """The study's data, drawn into a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(Path(folder))
        mixtures.prepare(study, paths)
        yield paths


def with_training(study: Study, **numbers: int) -> Study:
    """The study with other numbers of its section `training`."""
    training = study.training.model_copy(update=numbers)
    return study.model_copy(update={"training": training})


class Bench:
    """A trainer that takes single steps on demand, starting from the base model.

    All prompts of a step are in one pass, whatever the study's prompts_per_pass. Only the training
    loop is replaced: callbacks, checkpoints and printing are left out for every trainer. A study
    with a warm start needs one that has been trained.

    Attributes:
        trainer: made by `grpo.make_trainer`, with the study's numbers.
    """

    def __init__(
        self, study: Study, arm: str, paths: Paths, trainer_class: type[GRPOTrainer]
    ) -> None:
        # transformers warns about its own renamed options
        warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
        run = study.run(arm)
        run = replace(run, training=run.training.model_copy(update={"prompts_per_pass": None}))
        self.trainer = grpo.make_trainer(
            run,
            pd.read_parquet(paths.sample(run.training_sample)),
            paths.root / "unused",
            policy=add_adapter(
                load_base(run.model, run.prompt, Paths.of(study).warm_start_of(run)),
                run.model.lora,
                run.seed,
            ),
            trainer_class=trainer_class,
        )
        self.trainer.accelerator.prepare_model(self.trainer.model)  # as training does
        self.trainer.model.train()
        self.trainer.current_gradient_accumulation_steps = 1
        self._optimizer = self.trainer.create_optimizer()

    @property
    def parameters(self) -> list[Tensor]:
        return probe.trained_parameters(self.trainer)

    def batches(self) -> Iterator[list[dict[str, Any]]]:
        """The batches of prompts in the order of training, repeated without end."""
        while True:
            yield from self.trainer.get_train_dataloader()

    def sample(self, batch: list[dict[str, Any]]) -> Inputs:
        """Tokenises a batch of prompts, samples their completions and scores them."""
        with self._as_trained():
            inputs = probe.rollout(self.trainer, batch)
        # as training logs it; ours decides by it how to make the next step
        self.trainer.state.log_history.append({"frac_reward_zero_std": self.zero_spread()})
        return inputs

    def kl(self, inputs: Inputs) -> None:
        """The KL from the base model, which ours logs every `KL_STEPS` steps."""
        probe.kl_from_base(self.trainer, inputs)

    def zero_spread(self) -> float:
        """Share of the groups of the last batch whose rewards are all equal."""
        return probe.logged(self.trainer, "frac_reward_zero_std")[-1]

    def backward(self, inputs: Inputs) -> None:
        """Loss and gradients of completions, which another bench may have sampled."""
        self.gradients_of(self.loss(inputs))

    def loss(self, inputs: Inputs) -> Tensor:
        with self._as_trained(), self.trainer.compute_loss_context_manager():
            loss: Tensor = self.trainer.compute_loss(self.trainer.model, inputs)
        return loss

    def gradients_of(self, loss: Tensor) -> None:
        with self._as_trained():
            self.trainer.accelerator.backward(loss)

    def _as_trained(self) -> AbstractContextManager[None]:
        """As `grpo.train` does, for ours."""
        return same_bits() if isinstance(self.trainer, SharedPrefixTrainer) else nullcontext()

    def gradient(self) -> Tensor:
        return torch.cat([each.grad.flatten().float() for each in self.parameters])

    def update(self) -> None:
        """Clips the gradients and updates the weights, as the study says."""
        torch.nn.utils.clip_grad_norm_(self.parameters, self.trainer.args.max_grad_norm)
        self._optimizer.step()
        self.forget()

    def forget(self) -> None:
        """Drops the gradients."""
        self._optimizer.zero_grad()

    def follow(self, other: "Bench") -> None:
        """Copies the weights of another bench, so that rounding errors do not accumulate."""
        with torch.no_grad():
            for mine, theirs in zip(self.parameters, other.parameters, strict=True):
                mine.copy_(theirs)

    def floor(self, inputs: Inputs) -> None:
        """One forward and one backward pass of the distinct prompts, shared as in training."""
        tokens, real = inputs["prompt_ids"], inputs["prompt_mask"].bool()
        prompts = list({tuple(tokens[row][real[row]].tolist()) for row in range(len(tokens))})
        model = self.trainer.model
        ids, mask = pad_left([*map(list, prompts)], 0, model.device)
        read_in_buckets(model, ids, mask)[0].logits.logsumexp(-1).sum().backward()
