"""Callbacks of training: progress, time and memory, answers at some steps, and checkpoints."""

import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from accelerate import PartialState
from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from factmix.study.files import (
    peak_memory_gb,
    read_attributes,
    sha256,
    write_record,
    write_sealed,
)
from factmix.study.paths import Paths
from factmix.study.run import Run
from factmix.training.columns import SEAL, TRAJECTORY, most_probable
from factmix.training.evaluate import answer_as
from factmix.training.model_check import NotFiniteError
from factmix.training.policy import Policy, device


class Progress(TrainerCallback):
    """A progress bar with the remaining time, the reward and the format rate."""

    def __init__(self, name: str) -> None:
        self._name = name

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc=self._name,
            mininterval=1,
            disable=not state.is_world_process_zero,
        )

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        if logs and "reward" in logs:
            self._bar.set_postfix(
                reward=f"{logs['reward']:.2f}", format=f"{logs['format_rate']:.2f}", refresh=False
            )
            self._bar.update(state.global_step - self._bar.n)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._bar.close()


class Spent(TrainerCallback):
    """The time and memory of a training, with those of its parts before interruptions.

    They are in the log of the training, which every checkpoint keeps.
    """

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._before: dict[str, float] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        logged: list[Any] = [entry["spent"] for entry in state.log_history if "spent" in entry]
        self._before = logged[-1] if logged else {}

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        entry: dict[str, Any] = state.log_history[-1]
        entry["spent"] = self.total()

    def total(self) -> dict[str, float]:
        """Of run.json: wall_seconds and peak_memory_gb, and peak_cuda_memory_gb on a GPU."""
        seconds = time.monotonic() - self._started + self._before.get("wall_seconds", 0)
        peaks = {key: max(peak, self._before.get(key, 0)) for key, peak in _peaks().items()}
        return {"wall_seconds": seconds, **peaks}


def _peaks() -> dict[str, float]:
    """The peak memory of this process so far, in units of 2**30 bytes."""
    host = {"peak_memory_gb": peak_memory_gb()}
    if device() != "cuda":
        return host
    return host | {"peak_cuda_memory_gb": torch.cuda.max_memory_reserved() / 2**30}


class Finite(TrainerCallback):
    """Stops before a step whose gradient is not finite, which would make the weights so.

    Processes have reduced their gradients by then, so all of them stop.
    """

    def on_pre_optimizer_step(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        **_: Any,
    ) -> None:
        given = [each.grad for each in model.parameters() if each.grad is not None]
        finite = bool(torch.stack([each.isfinite().all() for each in given]).all())
        if not (finite or args.fp16):  # where float16 overflows, the scaler leaves out the step
            raise NotFiniteError(
                "the loss or its gradient is no finite number; a lower training.learning_rate, or"
                " model.dtype: float32, may help, and starts the training again"
            )


class Sealed(TrainerCallback):
    """Writes `SEAL` into every checkpoint, when all of its files have been written."""

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        PartialState().wait_for_everyone()  # each process writes a file of its own
        if state.is_world_process_zero:
            seal(Path(str(args.output_dir), f"checkpoint-{state.global_step}"))


def seal(checkpoint: Path) -> None:
    """Writes the seal of a checkpoint."""
    files = [each for each in sorted(checkpoint.rglob("*")) if each.is_file()]
    sums = {each.relative_to(checkpoint).as_posix(): sha256(each) for each in files}
    sums.pop(SEAL, None)
    write_record(checkpoint / SEAL, sums)


class Trajectory(TrainerCallback):
    """Answers the trajectory subset of the evaluation set at the study's steps, one file each."""

    def __init__(self, run: Run, paths: Paths, policy: Policy) -> None:
        evaluation = pd.read_parquet(paths.sample(run.evaluation_sample))
        self._examples = evaluation[evaluation["trajectory"]]
        self._folder = paths.run(run) / "checkpoints" / "trajectory"
        self._run, self._policy = run, policy

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.global_step == 0 and state.is_world_process_zero:
            self._record(0)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        asked = state.global_step in self._run.evaluation.trajectory_steps
        if asked and state.is_world_process_zero:
            self._record(state.global_step)

    def _record(self, step: int) -> None:
        self._policy.model.eval()
        rows = answer_as(self._run, self._policy, self._examples, name=f"{self._run.arm}, {step}")
        self._policy.model.train()
        rows = rows.assign(most_probable=most_probable(rows), step=step)[list(TRAJECTORY)]
        write_sealed(self._part(step), rows)

    def _part(self, step: int) -> Path:
        return self._folder / f"{step:06d}.parquet"

    def collected(self, until: int) -> pd.DataFrame:
        """The answers up to a step, including those from before an interruption.

        Raises:
            DamagedError: those of a step are missing, or not as they were written.
        """
        steps = sorted({0, *self._run.evaluation.trajectory_steps})
        parts = [self._part(step) for step in steps if step <= until]
        for part in parts:
            read_attributes(part)
        answered = pd.concat(map(pd.read_parquet, parts), ignore_index=True)
        answered.attrs = {}
        return answered
