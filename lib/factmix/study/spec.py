"""The content of a study's YAML file: the only place where its numbers are set."""

from collections.abc import Iterable
from typing import Any

from pydantic import Field, field_validator, model_validator

from factmix.study.names import Name, first_alike, key_of
from factmix.study.protocol import PROTOCOLS, Protocol, ProtocolName, Split, sample_variant
from factmix.study.run import (
    BASE,
    BaseRun,
    EvaluationSample,
    Run,
    Sample,
    TrainingSample,
    WarmStartRun,
    WarmStartSample,
    resolve_protocol,
    resolve_reward,
)
from factmix.study.settings import (
    ArmSettings,
    Counts,
    Dataset,
    Evaluation,
    Model,
    Part,
    Prompt,
    Reward,
    Seed,
    Statistics,
    Training,
    WarmStart,
    is_unset,
)

RESERVED = ("base_", "always_")


class StudyError(ValueError):
    """A study's YAML is wrong, or does not define a name that is asked for."""


class StudyFieldError(ValueError):
    """A mistake that involves several keys, with the dotted key to report."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(message)
        self.where = where


class Study(Part):
    """Everything that defines a study; see studies/main.yaml for what each number means."""

    name: Name
    description: str
    model: Model
    warm_start: WarmStart | None = Field(None, exclude_if=is_unset)
    prompt: Prompt
    datasets: dict[Name, Dataset]
    evaluation: Evaluation
    sample_seed: Seed
    mixtures: dict[Name, dict[str, Counts]]
    rewards: dict[Name, Reward]
    baseline: str
    protocol: ProtocolName = "as_described"
    arms: dict[Name, ArmSettings]
    seeds: list[Seed] = Field(min_length=1)
    training: Training
    statistics: Statistics
    # whether committed runs of the same settings, of whatever study, are copied and not trained
    reuse: bool = Field(False, exclude_if=is_unset)

    @model_validator(mode="after")
    def _names_are_defined(self) -> "Study":
        _defined(self.baseline, self.arms, "baseline")
        for name, mixture in self.mixtures.items():
            for dataset in mixture:
                _defined(dataset, self.datasets, f"mixtures.{name}.{dataset}")
                if self.datasets[dataset].held_out:
                    raise StudyFieldError(
                        f"mixtures.{name}.{dataset}",
                        f"'{dataset}' is held out, and so no arm may train on it; remove it from"
                        f" the mixture, or held_out from datasets.{dataset}",
                    )
        for dataset in self.warm_start.counts if self.warm_start else ():
            _defined(dataset, self.datasets, f"warm_start.counts.{dataset}")
        for name, arm in self.arms.items():
            _defined(arm.mixture, self.mixtures, f"arms.{name}.mixture")
            _defined(arm.reward, self.rewards, f"arms.{name}.reward")
            if arm.baseline is not None:
                _defined(arm.baseline, self.arms, f"arms.{name}.baseline")
            if key_of(name) == BASE or key_of(name).startswith(RESERVED):
                raise StudyFieldError(
                    f"arms.{name}",
                    f"'{BASE}' and names that begin with {' or '.join(map(repr, RESERVED))} are"
                    " reserved for the base model and for constant answers; expected another name",
                )
        return self

    @model_validator(mode="after")
    def _names_stay_apart(self) -> "Study":
        for part in ("datasets", "mixtures", "rewards", "arms"):
            alike = first_alike(getattr(self, part))
            if alike:
                raise StudyFieldError(
                    f"{part}.{alike[1]}",
                    f"'{alike[1]}' differs from '{alike[0]}' only in case or in - and _, which"
                    " names of files and keys of results do not tell apart; expected another name",
                )
        return self

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise StudyFieldError("seeds", f"{seeds} repeats a seed; expected different ones")
        return seeds

    @model_validator(mode="after")
    def _passes_fill_a_step(self) -> "Study":
        step, part = self.training.prompts_per_step, self.training.prompts_per_pass
        if part and step % part:
            raise StudyFieldError(
                "training.prompts_per_pass",
                f"{part} prompts per pass do not divide the {step} of prompts_per_step; expected a"
                " divisor of it",
            )
        return self

    @model_validator(mode="after")
    def _arms_fit_together(self) -> "Study":
        if self._variant(self.baseline):
            raise StudyFieldError(
                "baseline",
                f"'{self.baseline}' does not answer the evaluation sample of protocol"
                f" {self.protocol}; expected an arm with that protocol's split and evidence_eval",
            )
        for name, arm in self.arms.items():
            where, baseline = f"arms.{name}.baseline", self._baseline_of(name)
            if self._baseline_of(baseline) != baseline:
                raise StudyFieldError(
                    where,
                    f"'{baseline}' is itself compared with '{self._baseline_of(baseline)}';"
                    " expected an arm that is its own baseline",
                )
            if self._variant(name) != self._variant(baseline):
                raise StudyFieldError(
                    where,
                    f"'{baseline}' answers another evaluation sample; expected an arm with the"
                    " same split and evidence_eval, or the arm itself",
                )
            refresh = resolve_protocol(arm, self.protocol).sampler_refresh
            if self.training.generation == "vllm" and refresh > 1:
                raise StudyFieldError(
                    f"arms.{name}.sampler_refresh",
                    f"got {refresh} with training.generation: vllm; sampling from stale weights"
                    " needs training.generation: transformers: set sampler_refresh to 1, or change"
                    " the engine",
                )
        return self

    @model_validator(mode="after")
    def _examples_have_files_of_their_own(self) -> "Study":
        files = [("evaluation", run.evaluation_sample.name) for run in self.runs()]
        files += [(f"mixtures.{each.mixture}", each.name) for each in self.training_samples()]
        warm = self.warm_start_run()
        files += [("warm_start", warm.sample.name)] if warm else []
        files += [(f"datasets.{name}", name) for name in self.datasets]
        known: dict[str, str] = {}
        for where, stem in files:
            earlier = known.setdefault(stem.lower(), where)
            if earlier != where:
                raise StudyFieldError(
                    where, f"its file {stem}.parquet is that of {earlier}; expected another name"
                )
        return self

    @model_validator(mode="after")
    def _trajectory_is_a_part(self) -> "Study":
        for sample in (run.evaluation_sample for run in self.base_runs()):
            for dataset, counts in sample.counts.items():
                for label, part in sample.trajectory_counts.items():
                    if part > counts[label]:
                        raise StudyFieldError(
                            f"evaluation.trajectory_counts.{label}",
                            f"got {part}, but {dataset} is evaluated on {counts[label]} examples"
                            f" of {label}; expected at most as many",
                        )
        return self

    def run(self, arm: str, seed: int | None = None) -> Run:
        """The run of an arm and a seed, with all settings resolved; nothing else resolves them.

        Args:
            arm: its name.
            seed: of training; by default the study's first.

        Raises:
            StudyError: the study has no such arm.
        """
        if arm not in self.arms:
            raise StudyError(
                f"study {self.name} has no arm '{arm}'; expected one of: {', '.join(self.arms)}"
            )
        settings, baseline = self.arms[arm], self._baseline_of(arm)
        of_run = self.seeds[0] if seed is None else seed
        protocol = resolve_protocol(settings, self.protocol)
        instructed = arm == baseline and protocol.baseline_prompt == "instructed"
        return Run(
            study=self.name,
            arm=arm,
            seed=of_run,
            mixture=settings.mixture,
            reward=resolve_reward(settings, self.rewards[settings.reward], self.protocol),
            protocol=protocol,
            prompt=self.prompt,
            evaluation_prompt=self.prompt.model_copy(update={"instructed": True})
            if instructed
            else self.prompt,
            steps=settings.steps or self.training.steps,
            baseline=baseline,
            training_sample=self._training_sample(settings.mixture, protocol, of_run),
            evaluation_sample=self._evaluation_sample(protocol),
            model=self.model,
            training=self.training,
            evaluation=self.evaluation,
            warm_start=self.warm_start_run(),
            clean_sample=None if arm == baseline else self._clean_sample(protocol),
        )

    def runs(self, seed: int | None = None) -> list[Run]:
        """The runs of all arms with one seed, by default the study's first."""
        return [self.run(arm, seed) for arm in self.arms]

    def all_runs(self) -> list[Run]:
        """The runs of all arms with all seeds, seed by seed."""
        return [run for seed in self.seeds for run in self.runs(seed)]

    def systems(self, seed: int | None = None) -> list[Run | BaseRun]:
        """Everything that is evaluated: the base model, then every arm with one seed."""
        return [*self.base_runs(), *self.runs(seed)]

    def base_runs(self) -> list[BaseRun]:
        """The base model on each evaluation sample that an arm answers, the usual one first.

        On the usual sample it is compared with the study's baseline. On another sample it is
        compared with the baseline of the first arm that answers that sample.
        """
        usual = self._evaluation_sample(PROTOCOLS[self.protocol])
        answered = {usual.variant: (usual, self.baseline)}
        for run in self.runs():
            sample = run.evaluation_sample
            answered.setdefault(sample.variant, (sample, run.baseline))
        return [
            BaseRun(
                self.name,
                baseline,
                sample,
                self.prompt,
                self.model,
                self.evaluation,
                self.warm_start_run(),
            )
            for sample, baseline in answered.values()
        ]

    def warm_start_run(self) -> WarmStartRun | None:
        """The supervised training with which the base model starts; None without."""
        if self.warm_start is None:
            return None
        return WarmStartRun(
            study=self.name,
            settings=self.warm_start,
            sample=WarmStartSample(
                counts=self.warm_start.counts,
                seed=self.sample_seed,
                split="group_disjoint",
                evidence=PROTOCOLS[self.protocol].evidence_train,
                variant="",
            ),
            model=self.model,
            prompt=self.prompt,
            checkpoint_steps=self.training.checkpoint_steps,
        )

    def samples(self) -> list[Sample]:
        """Every sample of the study, in the order in which they are drawn."""
        evaluated = [run.evaluation_sample for run in self.base_runs()]
        warm = self.warm_start_run()
        return [*evaluated, *self.training_samples(), *([warm.sample] if warm else [])]

    def training_samples(self) -> list[TrainingSample]:
        """The samples of each mixture by the study's protocol, then the variants of other arms."""
        protocol = PROTOCOLS[self.protocol]
        usual = [
            self._training_sample(name, protocol, seed)
            for name in self.mixtures
            for seed in self.seeds
        ]
        used = [run.training_sample for run in self.all_runs()]
        return list({(each.mixture, each.name): each for each in (*usual, *used)}.values())

    def _training_sample(self, mixture: str, protocol: Protocol, seed: int) -> TrainingSample:
        """A mixture's sample for runs with a seed, which matters only for generated datasets."""
        generated = any(self.datasets[name].generated for name in self.mixtures[mixture])
        usual = PROTOCOLS[self.protocol]
        split, evidence = protocol.split, protocol.evidence_train
        same = (split, evidence) == (usual.split, usual.evidence_train)
        return TrainingSample(
            mixture=mixture,
            counts=self.mixtures[mixture],
            seed=self.sample_seed,
            run_seed=seed if generated else None,
            split=split,
            evidence=evidence,
            variant="" if same else sample_variant(split, evidence),
            pool=self._pool(split, self.mixtures[mixture]),
        )

    def _evaluation_sample(self, protocol: Protocol) -> EvaluationSample:
        usual = PROTOCOLS[self.protocol]
        split, evidence = protocol.split, protocol.evidence_eval
        same = (split, evidence) == (usual.split, usual.evidence_eval)
        whole = self.evaluation.counts
        small = {name: each.disjoint_counts or whole for name, each in self.datasets.items()}
        return EvaluationSample(
            counts=small if split == "group_disjoint" else dict.fromkeys(self.datasets, whole),
            trajectory_counts=self.evaluation.trajectory_counts,
            seed=self.evaluation.seed,
            split=split,
            evidence=evidence,
            variant="" if same else sample_variant(split, evidence),
            pool=self._pool(split, self.datasets),
        )

    def _clean_sample(self, protocol: Protocol) -> EvaluationSample | None:
        """The study's own evaluation sample, for an arm that splits otherwise, if it is clean.

        Of generated datasets such an arm trains on nothing in it; see `factmix.data.mixtures`.
        """
        usual = PROTOCOLS[self.protocol]
        generated = all(dataset.generated for dataset in self.datasets.values())
        if usual.split == protocol.split or usual.split != "group_disjoint" or not generated:
            return None
        return self._evaluation_sample(usual)

    def _pool(self, split: Split, datasets: Iterable[str]) -> dict[str, Counts]:
        """How many examples of each label a split draws from, of datasets where it is not all."""
        pools = {name: self.datasets[name].released_pool for name in datasets}
        return {name: pool for name, pool in pools.items() if pool and split == "as_released"}

    def _variant(self, arm: str) -> str:
        """The variant of an arm's evaluation sample."""
        return self._evaluation_sample(resolve_protocol(self.arms[arm], self.protocol)).variant

    def _baseline_of(self, arm: str) -> str:
        """The arm that an arm is compared with; both answer the same evaluation sample.

        It is the first of these that applies:

        1. the baseline that the arm names;
        2. the arm itself, if another arm names it as baseline;
        3. the study's baseline, if it answers the same evaluation sample;
        4. the first arm with the reward of the study's baseline and the same evaluation sample;
        5. the arm itself.
        """
        own = self.arms[arm].baseline
        if own or any(other.baseline == arm for other in self.arms.values()):
            return own or arm
        reward = self.arms[self.baseline].reward
        alike = [name for name, other in self.arms.items() if other.reward == reward]
        candidates = [self.baseline, *alike, arm]
        return next(name for name in candidates if self._variant(name) == self._variant(arm))


def _defined(name: str, among: dict[str, Any], where: str) -> None:
    if name not in among:
        raise StudyFieldError(
            where, f"'{name}' is not defined; expected one of: {', '.join(sorted(among))}"
        )
