"""The parts of a study's YAML: the type of each key."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
)

from factmix.study.labels import LABELS, Label
from factmix.study.protocol import (
    BaselinePrompt,
    Evidence,
    InvalidAs,
    ProtocolName,
    Split,
    WeightBy,
)

Counts = dict[Label, NonNegativeInt]  # examples per label


def _some_of_each(counts: Counts) -> Counts:
    missing = [label for label in LABELS if not counts.get(label)]
    if missing:
        raise ValueError(
            f"there is no example of {', '.join(missing)}; expected at least one of each label,"
            " because recall and balanced accuracy are not defined without"
        )
    return counts


EvaluationCounts = Annotated[Counts, AfterValidator(_some_of_each)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # as NumPy takes them
Fraction = Annotated[float, Field(gt=0, lt=1)]


def is_unset(value: object) -> bool:
    """Whether to leave a key out of study.json because it is not set.

    So results made before the key existed still match the study.
    """
    return not value


class Part(BaseModel):
    """A mapping of the YAML; unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Lora(Part):
    rank: PositiveInt
    alpha: PositiveInt
    target_modules: list[str]
    target_parameters: list[str] = []  # whole parameters, such as those of a layer's experts


class Model(Part):
    path: str
    revision: str | None = None
    # by default `policy` chooses by device and architecture
    dtype: Literal["float32", "bfloat16", "float16"] | None = Field(None, exclude_if=is_unset)
    attention: str | None = Field(None, exclude_if=is_unset)  # such as eager or sdpa
    lora: Lora


class Prompt(Part):
    worked_examples: int = Field(ge=0, le=3)
    max_tokens: PositiveInt
    max_completion_tokens: PositiveInt
    # plain: text to continue. harmony: the tokenizer's chat template
    prompt_style: Literal["plain", "harmony"] = Field("plain", exclude_if="plain".__eq__)
    # adds instructions on the answer format, as in the evaluation of the released control
    instructed: bool = Field(False, exclude_if=is_unset)


class Dataset(Part):
    stands_for: str | None = None
    hard: bool = False
    # made by code: each seed of an arm is trained on examples of its own, and some groups are kept
    # for development
    generated: bool = Field(False, exclude_if=is_unset)
    # evaluated, and refused in mixtures
    held_out: bool = Field(False, exclude_if=is_unset)
    # replaces evaluation.counts with a group_disjoint split, for a dataset too small to leave
    # groups for training after an evaluation at full size
    disjoint_counts: EvaluationCounts | None = None
    # the released split draws from so many examples only, taken at random; with as few as a real
    # dataset has, its training and its evaluation share many
    released_pool: EvaluationCounts | None = Field(None, exclude_if=is_unset)


class Evaluation(Part):
    seed: Seed
    counts: EvaluationCounts
    trajectory_counts: EvaluationCounts
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


class ArmSettings(Part):
    """An arm in the YAML: a mixture, a reward, and its departures from the study.

    `Study.run` resolves it to a `Run`.
    """

    mixture: str
    reward: str
    steps: PositiveInt | None = None  # overrides training.steps
    protocol: ProtocolName | None = None  # overrides the study's
    # the arm that it is compared with; see `Study.run`
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
    # in one forward and backward pass, which bounds memory; by default all of prompts_per_step
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
    # the engine that samples completions; vllm must be installed, and needs a CUDA device
    generation: Literal["transformers", "vllm"] = Field(
        "transformers", exclude_if="transformers".__eq__
    )


class WarmStart(Part):
    """Supervised training of the base model before any arm; see `training.warm_start`."""

    counts: dict[str, Counts]  # labelled examples per dataset, of what all samples leave
    steps: PositiveInt
    batch: PositiveInt  # examples per step
    learning_rate: PositiveFloat  # at the start; it falls linearly to 0
    seed: Seed  # of the adapter, and of the order of the examples
    # share of the answers that are followed by words, so that the format has something to learn
    afterwords: float = Field(ge=0, lt=1)
    lora: Lora | None = None  # by default model.lora

    @field_validator("counts")
    @classmethod
    def _there_are_examples(cls, counts: dict[str, Counts]) -> dict[str, Counts]:
        if not any(count for of_label in counts.values() for count in of_label.values()):
            raise ValueError("there is no example; expected at least one of some dataset and label")
        return counts


class Statistics(Part):
    resamples: PositiveInt
    confidence: Fraction
    alpha: Fraction
    margin: Fraction | None = None
    seed: Seed
