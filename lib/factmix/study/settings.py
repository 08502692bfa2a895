"""The parts of a study's YAML: what each key may hold."""

from typing import Annotated, Literal

from pydantic import (
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


class ArmSettings(Part):
    """What the YAML says of an arm: a mixture, a reward, and where it departs from the study.

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
