"""Callbacks of training: a progress bar, its time and memory, and answers at some steps."""

import time
from typing import Any

import pandas as pd
import torch
from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from factmix.study.files import peak_memory_gb, write_parquet
from factmix.study.paths import Paths
from factmix.study.run import Run
from factmix.training.columns import TRAJECTORY
from factmix.training.evaluate import answer_as
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
        rows = rows.assign(step=step)[list(TRAJECTORY)]
        write_parquet(self._folder / f"{step:06d}.parquet", rows)

    def collected(self) -> pd.DataFrame:
        """The answers at all steps so far, including those from before an interruption."""
        return pd.concat(
            [pd.read_parquet(path) for path in sorted(self._folder.glob("*.parquet"))],
            ignore_index=True,
        )
