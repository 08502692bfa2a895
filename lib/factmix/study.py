"""A study as its YAML file states it: the one place where the numbers live."""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from factmix.labels import LABELS, Label
from factmix.protocol import (
    PROTOCOLS,
    Evidence,
    InvalidAs,
    Protocol,
    ProtocolName,
    Split,
    WeightBy,
    variant,
)

Counts = dict[Label, NonNegativeInt]  # examples per label
Fraction = Annotated[float, Field(gt=0, lt=1)]


class StudyError(ValueError):
    """A study's YAML, or a name that should be in it, is wrong."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Lora(_Part):
    rank: PositiveInt
    alpha: PositiveInt
    target_modules: list[str]
    target_parameters: list[str] = []  # whole parameters, such as those of a layer's experts


class Model(_Part):
    path: str
    revision: str | None = None
    lora: Lora


class Prompt(_Part):
    worked_examples: int = Field(ge=0, le=3)
    max_tokens: PositiveInt
    max_completion_tokens: PositiveInt


class Dataset(_Part):
    stands_for: str | None = None
    hard: bool = False
    # instead of evaluation.counts where the split is group_disjoint, for a dataset too small to be
    # evaluated at full size and to have groups left to train on
    disjoint_counts: Counts | None = None


class Evaluation(_Part):
    seed: NonNegativeInt
    counts: Counts
    trajectory_counts: Counts
    trajectory_steps: list[NonNegativeInt]
    temperature: PositiveFloat


class WeightedReward(_Part):
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


class AccuracyReward(_Part):
    kind: Literal["accuracy"]


class FormatReward(_Part):
    kind: Literal["format_only"]


Reward = Annotated[WeightedReward | AccuracyReward | FormatReward, Field(discriminator="kind")]


class Arm(_Part):
    """A mixture, a reward, and how this arm departs from the study."""

    mixture: str
    reward: str
    steps: PositiveInt | None = None  # overrides training.steps
    protocol: ProtocolName | None = None  # overrides the study's
    # each overrides one setting of the protocol
    evidence_train: Evidence | None = None
    evidence_eval: Evidence | None = None
    split: Split | None = None
    weight_by: WeightBy | None = None
    invalid_as: InvalidAs | None = None


class Training(_Part):
    steps: PositiveInt
    prompts_per_step: PositiveInt
    group_size: int = Field(ge=2)
    learning_rate: PositiveFloat
    learning_rate_grid: list[PositiveFloat] = []
    lr_scheduler: str
    weight_decay: NonNegativeFloat
    temperature: PositiveFloat
    clip_epsilon: PositiveFloat
    max_grad_norm: PositiveFloat
    checkpoint_steps: PositiveInt


class Statistics(_Part):
    resamples: PositiveInt
    confidence: Fraction
    alpha: Fraction
    margin: Fraction | None = None
    seed: NonNegativeInt


class Study(_Part):
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

    def evaluation_counts(self, dataset: str, split: Split) -> Counts:
        """Examples per label that are evaluated of a dataset."""
        own = self.datasets[dataset].disjoint_counts
        return own if own and split == "group_disjoint" else self.evaluation.counts


class _UndefinedError(ValueError):
    def __init__(self, where: str, message: str) -> None:
        super().__init__(message)
        self.where = where


def _defined(name: str, among: dict[str, Any], where: str) -> None:
    if name not in among:
        raise _UndefinedError(
            where, f"'{name}' is not defined; expected one of: {', '.join(sorted(among))}"
        )


def load_study(path: Path) -> Study:
    """Reads and checks a study's YAML; the study is named after the file.

    Raises:
        StudyError: naming file, line and key of the first mistake.
    """
    if not path.is_file():
        known = ", ".join(sorted(other.stem for other in path.parent.glob("*.yaml")))
        raise StudyError(f"{path}: no such study; expected one of: {known or 'none there'}")
    text = path.read_text(encoding="utf-8")
    try:
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise StudyError(f"{path}:{line}: not valid YAML: {error.problem}") from error
    if not isinstance(content, dict):
        raise StudyError(f"{path}:1: expected a mapping of keys such as model, datasets, arms")
    if "name" in content:
        line = _line_of(["name"], text)
        raise StudyError(f"{path}:{line}: name: a study is named after its file; remove this key")
    try:
        return Study.model_validate({"name": path.stem, **content})
    except ValidationError as error:
        where, message = _first_mistake(error)
        line = _line_of(where, text)
        raise StudyError(f"{path}:{line}: {'.'.join(where)}: {message}") from error


def _first_mistake(error: ValidationError) -> tuple[list[str], str]:
    """The key path of the mistake to report, and what is wrong there."""
    # A misspelt key is also a missing one, and the misspelling is what the author can see.
    first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, _UndefinedError):
        return cause.where.split("."), str(cause)
    where = [str(part) for part in first["loc"] if part != "[key]"]
    if where[0] == "rewards" and len(where) > 3:
        del where[2]  # the kind of reward, by which pydantic tells the members of the union apart
    if first["type"] == "extra_forbidden":
        return where, "there is no such key"
    if first["type"] == "missing":
        return where, "this key is missing"
    return where, f"{first['msg']}; got {first['input']!r}"


def _line_of(where: list[str], text: str) -> int:
    """The line (from 1) of the deepest part of a key path that the YAML text has."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 1
    for part in where:
        if isinstance(node, yaml.MappingNode):
            found = next((kv for kv in node.value if kv[0].value == part), None)
            if found is None:
                continue  # such as the tag of a union, which is no key of the file
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and part.isdigit():
            node = node.value[int(part)]
            line = node.start_mark.line + 1
    return line
