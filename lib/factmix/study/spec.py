"""A study as its YAML file states it: the one place where the numbers live."""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from factmix.study.labels import LABELS, Label
from factmix.study.protocol import (
    PROTOCOLS,
    BaselinePrompt,
    Evidence,
    InvalidAs,
    Protocol,
    ProtocolName,
    Split,
    WeightBy,
    sample_variant,
)

BASE = "base"  # the untrained model, as it is called beside the arms
RESERVED = ("base_", "always_")


class StudyError(ValueError):
    """A study's YAML, or a name that should be in it, is wrong."""


class StudyFieldError(ValueError):
    """A mistake that concerns several keys, with the dotted key to report it at."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(message)
        self.where = where


Counts = dict[Label, NonNegativeInt]  # examples per label
Fraction = Annotated[float, Field(gt=0, lt=1)]


def is_unset(value: object) -> bool:
    """For keys that are younger than some runs: left out of what is written while not set.

    So a run from before there was such a key is still a run of the same study.
    """
    return not value


class Part(BaseModel):
    """A mapping of the YAML; other keys than its own are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Lora(Part):
    rank: PositiveInt
    alpha: PositiveInt
    target_modules: list[str]
    target_parameters: list[str] = []  # whole parameters, such as those of a layer's experts


class Model(Part):
    path: str
    revision: str | None = None
    # by default what `policy` chooses for the device and the architecture
    dtype: Literal["float32", "bfloat16", "float16"] | None = Field(None, exclude_if=is_unset)
    attention: str | None = Field(None, exclude_if=is_unset)  # such as eager or sdpa
    lora: Lora


class Prompt(Part):
    worked_examples: int = Field(ge=0, le=3)
    max_tokens: PositiveInt
    max_completion_tokens: PositiveInt
    # plain: as text to continue. harmony: in the chat template of the tokenizer
    prompt_style: Literal["plain", "harmony"] = Field("plain", exclude_if="plain".__eq__)
    # more words on the format of the answer, as the released control was evaluated with
    instructed: bool = Field(False, exclude_if=is_unset)


class Dataset(Part):
    stands_for: str | None = None
    hard: bool = False
    # instead of evaluation.counts where the split is group_disjoint, for a dataset too small to be
    # evaluated at full size and to have groups left to train on
    disjoint_counts: Counts | None = None


class Evaluation(Part):
    seed: NonNegativeInt
    counts: Counts
    trajectory_counts: Counts
    trajectory_steps: list[NonNegativeInt]
    temperature: PositiveFloat


class WeightedReward(Part):
    kind: Literal["weighted"]
    correct: float
    wrong: float
    false_na: float
    explore: float
    format: float
    weights: dict[Label, float]
    weight_by: WeightBy | None = None  # by default the protocol's
    invalid_as: InvalidAs | None = None

    @field_validator("weights")
    @classmethod
    def _every_label_has_one(cls, weights: dict[Label, float]) -> dict[Label, float]:
        missing = [label for label in LABELS if label not in weights]
        if missing:
            raise ValueError(f"there is no weight for {', '.join(missing)}")
        return weights


class AccuracyReward(Part):
    kind: Literal["accuracy"]


class FormatReward(Part):
    kind: Literal["format_only"]


Reward = Annotated[
    WeightedReward | AccuracyReward | FormatReward,
    Field(discriminator="kind"),
]


class Arm(Part):
    """A mixture, a reward, and how this arm departs from the study."""

    mixture: str
    reward: str
    steps: PositiveInt | None = None  # overrides training.steps
    protocol: ProtocolName | None = None  # overrides the study's
    # the arm that it is compared with; see Study.baseline_of
    baseline: str | None = Field(None, exclude_if=is_unset)
    # each overrides one setting of the protocol
    evidence_train: Evidence | None = None
    evidence_eval: Evidence | None = None
    split: Split | None = None
    weight_by: WeightBy | None = None
    invalid_as: InvalidAs | None = None
    sampler_refresh: PositiveInt | None = Field(None, exclude_if=is_unset)
    baseline_prompt: BaselinePrompt | None = Field(None, exclude_if=is_unset)


class Training(Part):
    steps: PositiveInt
    prompts_per_step: PositiveInt
    # that are trained on at one time, which decides what the backward pass keeps; all by default
    prompts_per_pass: PositiveInt | None = Field(None, exclude_if=is_unset)
    group_size: int = Field(ge=2)
    learning_rate: PositiveFloat
    learning_rate_grid: list[PositiveFloat] = []
    lr_scheduler: Literal["constant", "linear", "cosine", "polynomial", "inverse_sqrt"]
    weight_decay: NonNegativeFloat
    temperature: PositiveFloat
    clip_epsilon: PositiveFloat
    max_grad_norm: PositiveFloat
    checkpoint_steps: PositiveInt
    # what samples the completions; vllm has to be installed, and needs a CUDA device
    generation: Literal["transformers", "vllm"] = Field(
        "transformers", exclude_if="transformers".__eq__
    )


class Statistics(Part):
    resamples: PositiveInt
    confidence: Fraction
    alpha: Fraction
    margin: Fraction | None = None
    seed: NonNegativeInt


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
                raise StudyFieldError(
                    f"arms.{name}",
                    f"names that are '{BASE}' or begin with {' or '.join(map(repr, RESERVED))} are"
                    " kept for the untrained model and for constant answers; expected another one",
                )
        return self

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise StudyFieldError(
                "seeds", f"one is named twice in {seeds}; expected different ones"
            )
        return seeds

    @model_validator(mode="after")
    def _passes_fill_a_step(self) -> "Study":
        step, part = self.training.prompts_per_step, self.training.prompts_per_pass
        if part and step % part:
            raise StudyFieldError(
                "training.prompts_per_pass",
                f"{part} prompts at a time do not divide the {step} of prompts_per_step; expected a"
                " number that does",
            )
        return self

    @model_validator(mode="after")
    def _arms_fit_together(self) -> "Study":
        if self.evaluation_sample(self.baseline):
            raise StudyFieldError(
                "baseline",
                f"'{self.baseline}' is not evaluated on what protocol {self.protocol} evaluates;"
                " name an arm that departs neither from its split nor from its evidence_eval",
            )
        for name in self.arms:
            where, baseline = f"arms.{name}.baseline", self.baseline_of(name)
            if self.baseline_of(baseline) != baseline:
                raise StudyFieldError(
                    where,
                    f"'{baseline}' is itself compared with '{self.baseline_of(baseline)}';"
                    " expected an arm that is the baseline of no other than itself",
                )
            if self.evaluation_sample(name) != self.evaluation_sample(baseline):
                raise StudyFieldError(
                    where,
                    f"'{baseline}' answers another evaluation sample; expected an arm with the"
                    " same split and evidence_eval, or the arm itself",
                )
            if self.training.generation == "vllm" and self.protocol_of(name).sampler_refresh > 1:
                raise StudyFieldError(
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
        return self.arm(arm).mixture, "" if same else sample_variant(
            settings.split, settings.evidence_train
        )

    def evaluation_sample(self, arm: str) -> str:
        """Variant of the evaluation set that an arm answers; the usual one is ""."""
        settings, usual = self.protocol_of(arm), PROTOCOLS[self.protocol]
        same = (settings.split, settings.evidence_eval) == (usual.split, usual.evidence_eval)
        return "" if same else sample_variant(settings.split, settings.evidence_eval)

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


def name_in_variant(system: str, variant: str) -> str:
    """What a system is called that answers a variant of the evaluation set and is no arm."""
    return f"{system}_{variant}" if variant else system


def _defined(name: str, among: dict[str, Any], where: str) -> None:
    if name not in among:
        raise StudyFieldError(
            where, f"'{name}' is not defined; expected one of: {', '.join(sorted(among))}"
        )
