"""A run: one arm of a study and one seed, with every setting resolved.

`Study.run` makes one from the name of an arm and a seed. Code that trains, answers or compares
takes the run and never looks up a name again. A run says which samples it uses; `data` draws the
rows of a sample.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from factmix.study.protocol import PROTOCOLS, Evidence, Protocol, ProtocolName, Split
from factmix.study.settings import (
    ArmSettings,
    Counts,
    Evaluation,
    Lora,
    Model,
    Prompt,
    Reward,
    Training,
    WarmStart,
    WeightedReward,
)

PREDICTIONS, CLEAN = "predictions.parquet", "clean.parquet"  # files of answers
BASE = "base"  # the name of the base model in tables of arms
WARM_START = "warm_start"  # the name of its folder and of its sample


@dataclass(frozen=True, kw_only=True)
class _Sample:
    counts: Mapping[str, Counts]
    seed: int
    split: Split
    evidence: Evidence
    variant: str
    pool: Mapping[str, Counts] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many examples it has."""
        return sum(sum(of_label.values()) for of_label in self.counts.values())


@dataclass(frozen=True, kw_only=True)
class TrainingSample(_Sample):
    """Which examples are trained on, and what their prompts show.

    Attributes:
        mixture: its name.
        run_seed: of the runs that it is for, where it holds a generated dataset, which has enough
            examples for each seed to draw its own; else None.
        counts: examples by dataset and label, in the order in which they are trained on.
        seed: of the draw.
        split: how training and evaluation are separated.
        evidence: which evidence the prompts show.
        variant: "" with the split and evidence of the study's protocol, else a name for this pair.
        pool: by dataset, how many examples of each label it is drawn from, where it is not all.
    """

    mixture: str
    run_seed: int | None = None

    @property
    def name(self) -> str:
        """The stem of its file."""
        of_seed = "" if self.run_seed is None else f"s{self.run_seed}"
        return "-".join(filter(None, ("train", self.mixture, self.variant, of_seed)))


@dataclass(frozen=True, kw_only=True)
class EvaluationSample(_Sample):
    """Which examples are evaluated, and what their prompts show.

    Attributes:
        trajectory_counts: how many examples of each dataset are also answered during training.
        counts, seed, split, evidence, variant, pool: as for `TrainingSample`.
    """

    trajectory_counts: Counts

    @property
    def name(self) -> str:
        """The stem of its file."""
        return "-".join(filter(None, ("evaluation", self.variant)))


@dataclass(frozen=True, kw_only=True)
class WarmStartSample(_Sample):
    """Labelled examples that share no group and no claim with any other sample of the study.

    Attributes:
        counts, seed, split, evidence, variant: as for `TrainingSample`.
    """

    @property
    def name(self) -> str:
        """The stem of its file."""
        return WARM_START


Sample = TrainingSample | EvaluationSample | WarmStartSample


@dataclass(frozen=True)
class WarmStartRun:
    """The supervised training with which the base model of a study starts.

    Attributes:
        study: the study's name.
        settings: of the study's YAML.
        sample: specification of the labelled examples.
        model, prompt: as for `Run`.
        checkpoint_steps: as for the training of arms.
    """

    study: str
    settings: WarmStart
    sample: WarmStartSample
    model: Model
    prompt: Prompt
    checkpoint_steps: int

    @property
    def name(self) -> str:
        """The name of its folder."""
        return WARM_START

    @property
    def lora(self) -> Lora:
        """The shape of its adapter."""
        return self.settings.lora or self.model.lora


@dataclass(frozen=True)
class Run:
    """An arm and a seed with every setting resolved.

    Attributes:
        study, arm, seed: the names, and the seed of training.
        mixture: the name of its mixture.
        reward: with `weight_by` and `invalid_as` resolved for this arm.
        protocol: every setting in which arms may differ apart from mixture and reward.
        prompt: of training.
        evaluation_prompt: the prompt of training, except for some baselines.
        steps: of training.
        baseline: the arm that it is compared with; its own name if it is a baseline.
        training_sample, evaluation_sample: specifications of the samples.
        clean_sample: the study's own evaluation sample, for an arm that has another one, and was
            trained on nothing in this; it answers both.
        model, training, evaluation: settings that all arms of a study share.
        warm_start: with which the base model starts; None without.
    """

    study: str
    arm: str
    seed: int
    mixture: str
    reward: Reward
    protocol: Protocol
    prompt: Prompt
    evaluation_prompt: Prompt
    steps: int
    baseline: str
    training_sample: TrainingSample
    evaluation_sample: EvaluationSample
    model: Model
    training: Training
    evaluation: Evaluation
    warm_start: WarmStartRun | None = None
    clean_sample: EvaluationSample | None = None

    @property
    def name(self) -> str:
        """The name of its folder, such as "hard_only-s0"."""
        return f"{self.arm}-s{self.seed}"

    def answers(self) -> dict[str, "Run"]:
        """The files of its answers, each with the run as it is asked for that file."""
        files = {PREDICTIONS: self}
        if self.clean_sample:
            files[CLEAN] = replace(self, evaluation_sample=self.clean_sample, clean_sample=None)
        return files


@dataclass(frozen=True)
class BaseRun:
    """The base model on one of the study's evaluation samples.

    Attributes:
        study: the study's name.
        baseline: the arm that it is compared with, which answers the same sample.
        evaluation_sample, evaluation_prompt, model, evaluation, warm_start: as for `Run`.
    """

    study: str
    baseline: str
    evaluation_sample: EvaluationSample
    evaluation_prompt: Prompt
    model: Model
    evaluation: Evaluation
    warm_start: WarmStartRun | None = None

    @property
    def arm(self) -> str:
        """Its name in tables of arms: "base", or "base_" and the variant of the sample."""
        return name_in_variant(BASE, self.evaluation_sample.variant)

    @property
    def seed(self) -> int:
        return 0

    @property
    def name(self) -> str:
        """The name of its folder: "base", or "base-" and the variant."""
        return "-".join(filter(None, (BASE, self.evaluation_sample.variant)))

    def answers(self) -> dict[str, "BaseRun"]:
        """As for `Run`."""
        return {PREDICTIONS: self}


def name_in_variant(system: str, variant: str) -> str:
    """The name of a system other than an arm, on a variant of the evaluation sample."""
    return f"{system}_{variant}" if variant else system


def resolve_protocol(arm: ArmSettings, study: ProtocolName) -> Protocol:
    """The protocol of an arm: each setting is the arm's own, else that of its protocol.

    Args:
        arm: its settings in the YAML.
        study: the study's protocol, for an arm that names none.
    """
    own = {name: getattr(arm, name) for name in Protocol.model_fields}
    given = {name: value for name, value in own.items() if value is not None}
    return PROTOCOLS[arm.protocol or study].model_copy(update=given)


def resolve_reward(arm: ArmSettings, reward: Reward, study: ProtocolName) -> Reward:
    """The reward of an arm, with `weight_by` and `invalid_as` filled in.

    Each of the two is taken from the first of these that sets it:

    1. the arm's own key;
    2. the protocol that the arm names;
    3. the reward's own key;
    4. the study's protocol.

    Args:
        arm: its settings in the YAML.
        reward: the reward that it names; only weighted rewards have the two keys.
        study: the study's protocol.
    """
    if not isinstance(reward, WeightedReward):
        return reward
    named = PROTOCOLS[arm.protocol] if arm.protocol else None
    layers = (arm, named, reward, PROTOCOLS[study])
    update = {
        key: next(value for layer in layers if (value := getattr(layer, key, None)) is not None)
        for key in ("weight_by", "invalid_as")
    }
    return reward.model_copy(update=update)
