"""Callbacks of training: a progress bar, and evaluation at intermediate steps."""

from typing import Any

import pandas as pd
from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from factmix.study.files import write_parquet
from factmix.study.paths import Paths
from factmix.study.run import Run
from factmix.training.columns import TRAJECTORY
from factmix.training.evaluate import answer_as
from factmix.training.policy import Policy


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
