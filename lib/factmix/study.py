"""A study as its YAML file states it: the one place where the numbers live."""

from typing import Any

from pydantic import Field, NonNegativeInt, field_validator, model_validator

from factmix.protocol import PROTOCOLS, Protocol, ProtocolName, Split, variant
from factmix.study_parts import (
    AccuracyReward,
    Arm,
    Counts,
    Dataset,
    Evaluation,
    FormatReward,
    Lora,
    Model,
    Part,
    Prompt,
    Reward,
    Statistics,
    Training,
    WeightedReward,
)

__all__ = [
    "BASE",
    "AccuracyReward",
    "Arm",
    "Counts",
    "Dataset",
    "FormatReward",
    "Lora",
    "MistakeError",
    "Model",
    "Prompt",
    "Reward",
    "Study",
    "StudyError",
    "WeightedReward",
    "of_variant",
]

BASE = "base"  # the untrained model, as it is called beside the arms
RESERVED = ("base_", "always_")


class StudyError(ValueError):
    """A study's YAML, or a name that should be in it, is wrong."""


class MistakeError(ValueError):
    """A mistake that concerns several keys, with the dotted key to report it at."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(message)
        self.where = where


class Study(Part):
    """Everything that defines a study; see studies/embedded.yaml for what each number means."""

    name: str
    description: str
    model: Model
    prompt: Prompt
    datasets: dict[str, Dataset]
    evaluation: Evaluation
    sample_seed: NonNegativeInt
    mixtures: dict[str, dict[str, Counts]]
    rewards: dict[str, Reward]
    baseline: str
    protocol: ProtocolName = "as_described"
    arms: dict[str, Arm]
    seeds: list[NonNegativeInt] = Field(min_length=1)
    training: Training
    statistics: Statistics

    @model_validator(mode="after")
    def _names_are_defined(self) -> "Study":
        _defined(self.baseline, self.arms, "baseline")
        for name, mixture in self.mixtures.items():
            for dataset in mixture:
                _defined(dataset, self.datasets, f"mixtures.{name}.{dataset}")
        for name, arm in self.arms.items():
            _defined(arm.mixture, self.mixtures, f"arms.{name}.mixture")
            _defined(arm.reward, self.rewards, f"arms.{name}.reward")
            if arm.baseline is not None:
                _defined(arm.baseline, self.arms, f"arms.{name}.baseline")
            if name == BASE or name.startswith(RESERVED):
                raise MistakeError(
                    f"arms.{name}",
                    f"names that are '{BASE}' or begin with {' or '.join(map(repr, RESERVED))} are"
                    " kept for the untrained model and for constant answers; expected another one",
                )
        return self

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise MistakeError("seeds", f"one is named twice in {seeds}; expected different ones")
        return seeds

    @model_validator(mode="after")
    def _passes_fill_a_step(self) -> "Study":
        step, part = self.training.prompts_per_step, self.training.prompts_per_pass
        if part and step % part:
            raise MistakeError(
                "training.prompts_per_pass",
                f"{part} prompts at a time do not divide the {step} of prompts_per_step; expected a"
                " number that does",
            )
        return self

    @model_validator(mode="after")
    def _arms_fit_together(self) -> "Study":
        if self.evaluation_sample(self.baseline):
            raise MistakeError(
                "baseline",
                f"'{self.baseline}' is not evaluated on what protocol {self.protocol} evaluates;"
                " name an arm that departs neither from its split nor from its evidence_eval",
            )
        for name in self.arms:
            where, baseline = f"arms.{name}.baseline", self.baseline_of(name)
            if self.baseline_of(baseline) != baseline:
                raise MistakeError(
                    where,
                    f"'{baseline}' is itself compared with '{self.baseline_of(baseline)}';"
                    " expected an arm that is the baseline of no other than itself",
                )
            if self.evaluation_sample(name) != self.evaluation_sample(baseline):
                raise MistakeError(
                    where,
                    f"'{baseline}' answers another evaluation sample; expected an arm with the"
                    " same split and evidence_eval, or the arm itself",
                )
            if self.training.generation == "vllm" and self.protocol_of(name).sampler_refresh > 1:
                raise MistakeError(
                    f"arms.{name}.sampler_refresh",
                    "stale weights are sampled with training.generation: transformers only;"
                    " set this to 1, or change that",
                )
        return self

    def arm(self, name: str) -> Arm:
        """The arm of that name; StudyError lists the names there are."""
        if name not in self.arms:
            raise StudyError(
                f"study {self.name} has no arm '{name}'; expected one of: {', '.join(self.arms)}"
            )
        return self.arms[name]

    def steps(self, arm: str) -> int:
        """Training steps of an arm."""
        return self.arm(arm).steps or self.training.steps

    def baseline_of(self, arm: str) -> str:
        """The arm that an arm is compared with; both answer the same evaluation sample.

        The one that it names; an arm that others name is its own. By default the study's baseline,
        or where that answers another sample, the first arm with the baseline's reward that answers
        this one. An arm for which there is none is its own.
        """
        own = self.arm(arm).baseline
        if own or any(other.baseline == arm for other in self.arms.values()):
            return own or arm
        reward = self.arms[self.baseline].reward
        alike = [name for name, other in self.arms.items() if other.reward == reward]
        sample = self.evaluation_sample(arm)
        candidates = [self.baseline, *alike, arm]
        return next(name for name in candidates if self.evaluation_sample(name) == sample)

    def protocol_of(self, arm: str) -> Protocol:
        """The settings of an arm: its own, else those of its protocol, else the study's."""
        chosen = self.arm(arm)
        usual = PROTOCOLS[chosen.protocol or self.protocol]
        own = {name: getattr(chosen, name) for name in Protocol.model_fields}
        return usual.model_copy(update={name: own[name] for name in own if own[name] is not None})

    def reward_of(self, arm: str) -> Reward:
        """The reward of an arm.

        What the arm says of it, by itself or by naming a protocol, goes before what the reward
        says, and that before the study's protocol.
        """
        chosen = self.arm(arm)
        reward = self.rewards[chosen.reward]
        if not isinstance(reward, WeightedReward):
            return reward
        settings = self.protocol_of(arm)
        update = {
            name: getattr(settings, name)
            for name in ("weight_by", "invalid_as")
            if chosen.protocol or getattr(chosen, name) or getattr(reward, name) is None
        }
        return reward.model_copy(update=update)

    def training_sample(self, arm: str) -> tuple[str, str]:
        """Mixture and variant of an arm's training sample; the usual variant is "".

        A variant is a sample drawn or shown in another way than the study's protocol says.
        """
        settings, usual = self.protocol_of(arm), PROTOCOLS[self.protocol]
        same = (settings.split, settings.evidence_train) == (usual.split, usual.evidence_train)
        return self.arm(arm).mixture, "" if same else variant(
            settings.split, settings.evidence_train
        )

    def evaluation_sample(self, arm: str) -> str:
        """Variant of the evaluation set that an arm answers; the usual one is ""."""
        settings, usual = self.protocol_of(arm), PROTOCOLS[self.protocol]
        same = (settings.split, settings.evidence_eval) == (usual.split, usual.evidence_eval)
        return "" if same else variant(settings.split, settings.evidence_eval)

    def evaluation_samples(self) -> dict[str, str]:
        """Every variant of the evaluation set that is answered, the usual one first.

        Returns:
            variant -> the baseline of the first arm that answers it, for the usual one the study's.
        """
        samples = {"": self.baseline}
        for arm in self.arms:
            samples.setdefault(self.evaluation_sample(arm), self.baseline_of(arm))
        return samples

    def evaluation_prompt(self, arm: str) -> Prompt:
        """The prompt that an arm is evaluated with; that of training, save for some baselines."""
        told = self.baseline_of(arm) == arm
        instructed = told and self.protocol_of(arm).baseline_prompt == "instructed"
        return self.prompt.model_copy(update={"instructed": True}) if instructed else self.prompt

    def evaluation_counts(self, dataset: str, split: Split) -> Counts:
        """Examples per label that are evaluated of a dataset."""
        own = self.datasets[dataset].disjoint_counts
        return own if own and split == "group_disjoint" else self.evaluation.counts


def of_variant(system: str, variant: str) -> str:
    """What a system is called that answers a variant of the evaluation set and is no arm."""
    return f"{system}_{variant}" if variant else system


def _defined(name: str, among: dict[str, Any], where: str) -> None:
    if name not in among:
        raise MistakeError(
            where, f"'{name}' is not defined; expected one of: {', '.join(sorted(among))}"
        )
