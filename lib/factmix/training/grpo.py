"""Trains an arm with GRPO. All numbers come from the study; interrupted training resumes."""

import os
import platform
import shutil
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from datasets import Dataset
from peft import set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import TrainerState
from trl import GRPOConfig, GRPOTrainer

from factmix.data.leaks import check_disjoint
from factmix.study import freshness
from factmix.study.descriptions import is_described
from factmix.study.examples import from_frame
from factmix.study.files import (
    FREE,
    DamagedError,
    altered,
    is_unwritable,
    read_record,
    sha256,
    write_parquet,
    write_record,
)
from factmix.study.lock import alone
from factmix.study.paths import Paths
from factmix.study.run import Run
from factmix.training import arm, columns, rollouts
from factmix.training.callbacks import Finite, Progress, Sealed, Spent, Trajectory
from factmix.training.determinism import same_bits
from factmix.training.made_with import made_with
from factmix.training.model_check import NotFiniteError
from factmix.training.policy import (
    Policy,
    add_adapter,
    device,
    dtype_of,
    load_base,
    prompt_texts,
    save_adapter,
)
from factmix.training.reward_functions import RewardError, reward_functions
from factmix.training.reward_gain import before_and_after

# What a launcher of several processes sets for each of them.
LAUNCHER = ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


class TrainingError(RuntimeError):
    """A training run cannot do, or did not do, what its study says."""


def prompts_per_process(run: Run, processes: int) -> tuple[int, int]:
    """The prompts per step of each process, and the prompts per pass.

    Raises:
        TrainingError: the prompts of a step cannot be divided evenly among the processes, or those
            of a process into passes.
    """
    numbers = run.training
    prompts = numbers.prompts_per_step
    own, rest = divmod(prompts, processes)
    at_once = min(numbers.prompts_per_pass or own, own)
    if rest:
        raise TrainingError(
            f"study {run.study}: training.prompts_per_step: {prompts} prompts cannot be divided "
            f"evenly among {processes} processes; start a number of processes that divides "
            f"{prompts}, or change prompts_per_step"
        )
    if own % at_once:
        raise TrainingError(
            f"study {run.study}: training.prompts_per_pass: {at_once} prompts per pass do not "
            f"divide the {own} of each of {processes} processes; expected a divisor of {own}"
        )
    return own, at_once


def make_trainer(
    run: Run,
    training: pd.DataFrame,
    folder: Path,
    *,
    policy: Policy,
    trainer_class: type[GRPOTrainer] | None = None,
) -> GRPOTrainer:
    """The trainer of a run; all its numbers come from the study.

    Args:
        run: the settings; its seed is used for the order of the prompts and the sampled
            completions.
        training: the examples.
        folder: for checkpoints.
        policy: with the adapter to train.
        trainer_class: the stock trainer, for comparisons; by default that of `rollouts`.

    Raises:
        TrainingError: there are fewer prompts than prompts_per_step, or they cannot be divided
            evenly among the processes.
    """
    numbers = run.training
    if len(training) < numbers.prompts_per_step:
        raise TrainingError(
            f"study {run.study}: training.prompts_per_step: got {numbers.prompts_per_step} prompts"
            f" per step, but the mixture of {run.arm} has only {len(training)} examples; lower"
            " prompts_per_step, or enlarge the mixture"
        )
    functions = reward_functions(run.reward)
    prompts, at_once = prompts_per_process(run, _processes())
    examples = from_frame(training)
    dataset = Dataset.from_dict(
        {
            "prompt": prompt_texts(policy.tokenizer, examples, run.prompt),
            "gold": [str(each.label) for each in examples],
            "example": [each.id for each in examples],
        }
    )
    cuda = torch.cuda.is_available()
    config = GRPOConfig(
        output_dir=str(folder),
        seed=run.seed,
        max_steps=run.steps,
        per_device_train_batch_size=at_once * numbers.group_size,
        num_generations=numbers.group_size,
        steps_per_generation=prompts // at_once,
        num_iterations=1,
        gradient_accumulation_steps=prompts // at_once,
        max_completion_length=run.prompt.max_completion_tokens,
        temperature=numbers.temperature,
        top_p=1.0,
        top_k=0,
        loss_type="grpo",
        scale_rewards="group",
        epsilon=numbers.clip_epsilon,
        beta=0.0,
        reward_weights=[1.0] * (len(functions) - 1) + [0.0],
        optim="adamw_torch_fused",
        learning_rate=numbers.learning_rate,
        lr_scheduler_type=numbers.lr_scheduler,
        warmup_steps=0,
        weight_decay=numbers.weight_decay,
        max_grad_norm=numbers.max_grad_norm,
        bf16=dtype_of(run.model) is torch.bfloat16,
        fp16=dtype_of(run.model) is torch.float16,
        use_cpu=device() == "cpu",
        gradient_checkpointing=False,
        router_aux_loss_coef=0.0,  # None would turn the auxiliary loss on
        logging_steps=1,
        save_strategy="steps",
        save_steps=numbers.checkpoint_steps,
        save_total_limit=2,  # one more, in case the last is damaged
        # The number of forward passes differs by process, so processes would hang on a broadcast.
        ddp_broadcast_buffers=False,
        ddp_find_unused_parameters=False,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=cuda,
        remove_unused_columns=False,
        **rollouts.options(run, policy.stop_ids),
    )
    trainer = (trainer_class or rollouts.trainer_class(run))(
        model=policy.model,
        reward_funcs=functions,
        args=config,
        train_dataset=dataset,
        processing_class=policy.tokenizer,
    )
    for callback in list(trainer.callback_handler.callbacks):
        if type(callback).__name__ == "PrinterCallback":
            trainer.remove_callback(type(callback))
    trainer.add_callback(Finite())
    return trainer


def train(run: Run, paths: Paths) -> None:
    """Trains an arm; resumes from the last checkpoint after an interruption.

    Writes adapter/, metrics.parquet, trajectory.parquet, rewards.parquet and, last, run.json in
    `paths.run(run)`. Returns at once if run.json exists and everything that it depends on is
    unchanged. A run with other settings, data or code is moved to `paths.root`/replaced/, with its
    checkpoints. In distributed training every process calls this, and the main process writes.

    Raises:
        LockedError: another process on this machine is training this run.
        TrainingError: training ended after fewer steps than the study says, or stopped because of
            a gradient that is no finite number, a reward that fails, or a full disk.
        RewardError: the reward fails for some answer, before training.
        PromptError: a prompt is too long.
        LeakError: training and evaluation samples overlap.
    """
    depends_on = freshness.training(run, paths)
    if arm.is_trained(run, paths):
        return
    if _rank("RANK"):
        _train(run, paths, depends_on)
    else:
        # A lock for each machine: a cluster may start a job that it has killed again elsewhere.
        lock = paths.root / f".{run.name}-{platform.node()}.lock"
        with alone(lock, f"training of {run.study}, {run.name}"):
            if not arm.is_trained(run, paths):  # by a process that held the lock until now
                _train(run, paths, depends_on)


@same_bits()
def _train(run: Run, paths: Paths, depends_on: freshness.Record) -> None:
    folder = paths.run(run)
    checkpoints = folder / "checkpoints"
    if torch.cuda.is_available():
        torch.cuda.set_device(_rank("LOCAL_RANK"))
    spent = Spent()
    # transformers warns about its own renamed options at every checkpoint and generation
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    base = load_base(run.model, run.prompt, paths.warm_start_of(run))
    policy = add_adapter(base, run.model.lora, run.seed)
    training = _read_training(run, paths)
    trainer = make_trainer(run, training, checkpoints, policy=policy)
    if not _rank("RANK"):  # last, because everything above can fail
        arm.make_room(folder, depends_on)
        write_record(checkpoints / arm.STARTED, {"depends_on": depends_on})
    trajectory = Trajectory(run, paths, replace(policy, model=trainer.model))
    trainer.add_callback(Sealed())
    trainer.add_callback(spent)
    trainer.add_callback(trajectory)
    trainer.add_callback(Progress(f"{run.arm}, seed {run.seed}"))
    trainer.accelerator.wait_for_everyone()  # until the main process has moved an old run aside
    last = _last_checkpoint(checkpoints)
    if last and not _rank("RANK"):
        _check_answers(trajectory, Path(last))
    try:
        if last and _step_of(Path(last)) == run.steps:  # killed after its last step
            _restore(trainer, Path(last))
            spent.on_train_begin(trainer.args, trainer.state, trainer.control)
        else:
            trainer.train(resume_from_checkpoint=last)
    except Exception as error:
        unwritten = is_unwritable(error)
        if not (unwritten or isinstance(error, NotFiniteError | RewardError)):
            raise
        good, _ = _newest_checkpoint(checkpoints)
        raise TrainingError(
            f"{run.study}, {run.arm}, seed {run.seed}: training stopped after step"
            f" {trainer.state.global_step} of {run.steps}: {error}"
            f"{f'{FREE}, and it goes on' if unwritten else ''};"
            f" the last good checkpoint: {good or 'none'}"
        ) from error
    if trainer.state.global_step != run.steps:
        raise TrainingError(
            f"{run.study}, {run.arm}, seed {run.seed}: training ended after"
            f" {trainer.state.global_step} steps; expected {run.steps}"
        )
    if trainer.accelerator.is_main_process:
        write_parquet(folder / "metrics.parquet", metrics(trainer.state.log_history))
        answered = trajectory.collected(run.steps)
        answered.attrs["depends_on"] = freshness.trajectory(run, paths)
        write_parquet(folder / "trajectory.parquet", answered)
        trained = replace(policy, model=trainer.model)
        write_parquet(folder / "rewards.parquet", before_and_after(trained, training, run))
        _write_run(trained.model, run, paths, depends_on, spent.total())
        shutil.rmtree(checkpoints)
    trainer.accelerator.wait_for_everyone()


def _write_run(
    model: Any, run: Run, paths: Paths, depends_on: freshness.Record, spent: dict[str, float]
) -> None:
    """Writes adapter/ and run.json; run.json marks the arm as finished."""
    folder = paths.run(run)
    save_adapter(model, folder)
    arm.finish(
        folder,
        {
            "study": run.study,
            "arm": run.arm,
            "seed": run.seed,
            "depends_on": depends_on,
            "evaluation_sample_sha256": sha256(paths.sample(run.evaluation_sample)),
            "steps": run.steps,
            "learning_rate": run.training.learning_rate,
            **made_with("torch", "transformers", "trl", "peft"),
            **({"processes": _processes()} if _processes() > 1 else {}),
            **spent,
            "trainable_parameters": sum(
                each.numel() for each in model.parameters() if each.requires_grad
            ),
        },
    )


def _last_checkpoint(folder: Path) -> str | None:
    """The checkpoint to resume from; says which newer one is damaged.

    Raises:
        TrainingError: there are checkpoints, and each of them has a damaged file.
    """
    good, damaged = _newest_checkpoint(folder)
    if good and damaged:
        print(f"{damaged[0]} is damaged: resuming from {good}", file=sys.stderr)
    if damaged and not good:
        raise TrainingError(
            f"{damaged[0]} is damaged, and no earlier checkpoint is left; to start the training"
            f" again from its first step, delete {folder}"
        )
    return str(good) if good else None


def _check_answers(trajectory: Trajectory, checkpoint: Path) -> None:
    """Raises TrainingError if answers of steps before a checkpoint are not as they were written."""
    try:
        trajectory.collected(_step_of(checkpoint))
    except DamagedError as error:
        raise TrainingError(
            f"{error.path}: {error.why}, and a later checkpoint cannot give these answers again; to"
            f" start the training again from its first step, delete {checkpoint.parent}"
        ) from error


def _restore(trainer: GRPOTrainer, checkpoint: Path) -> None:
    """Puts the weights and the log of a checkpoint into a trainer, for what follows training.

    To resume a training that is over takes another step, where its last epoch is not.
    """
    trainer.accelerator.prepare_model(trainer.model, evaluation_mode=True)  # as training leaves it
    weights = load_file(checkpoint / "adapter_model.safetensors")
    set_peft_model_state_dict(trainer.model, weights)
    trainer.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.split("-")[1])


def _newest_checkpoint(folder: Path) -> tuple[Path | None, list[Path]]:
    """The newest undamaged checkpoint, and the damaged files of newer ones.

    Its seal is the last file of a checkpoint that is written; one without is not whole.
    """
    sealed = [seal.parent for seal in folder.glob(f"checkpoint-*/{columns.SEAL}")]
    damaged: list[Path] = []
    for checkpoint in sorted(sealed, key=_step_of, reverse=True):
        try:
            broken = altered(checkpoint, read_record(checkpoint / columns.SEAL))
        except DamagedError:
            broken = [columns.SEAL]
        if not broken:
            return checkpoint, damaged
        damaged += [checkpoint / name for name in broken]
    return None, damaged


def _read_training(run: Run, paths: Paths) -> pd.DataFrame:
    """The training sample, checked for leaks against the current evaluation sample."""
    training = pd.read_parquet(paths.sample(run.training_sample))
    if run.protocol.split == "group_disjoint":
        evaluation = pd.read_parquet(paths.sample(run.evaluation_sample))
        check_disjoint(training, evaluation, f"study {run.study}, arm {run.arm}")
    return training


def metrics(log_history: list[dict[str, float]]) -> pd.DataFrame:
    """One row per training step with those of `columns.METRICS` that TRL logged."""
    renamed = {
        "reward": "reward/total",
        "frac_reward_zero_std": "zero_spread",
        "step_time": "seconds",
    }
    rows = []
    for entry in log_history:
        if "reward" not in entry:
            continue  # the summary at the end of training
        row: dict[str, float] = {}
        for key, value in entry.items():
            if key.startswith("rewards/") and key.endswith("/mean"):
                name = key.split("/")[1]
                if name != "answers":
                    row[f"reward/{name}"] = value
            elif key in renamed:
                row[renamed[key]] = value
            elif is_described(key, columns.METRICS):
                row[key] = value
        rows.append(row)
    table = pd.DataFrame(rows).sort_values("step", ignore_index=True)
    return table[["step", *sorted(table.columns.drop("step"))]]


def _processes() -> int:
    """The number of training processes, as set by torchrun or another launcher.

    Raises:
        TrainingError: some of a launcher's variables are set, and others are not: they are left
            over, and training would wait for processes that nothing starts.
    """
    given = {name: os.environ[name] for name in LAUNCHER if name in os.environ}
    missing = [name for name in LAUNCHER if name not in given]
    place = {name: given[name] for name in LAUNCHER[:3] if name in given}
    if missing and not place.items() <= {("WORLD_SIZE", "1"), ("RANK", "0")}:
        got = " ".join(f"{name}={value}" for name, value in place.items())
        raise TrainingError(
            f"the environment has {got}, which a launcher of several processes sets, and no"
            f" {', '.join(missing)}; start training with torchrun, which sets"
            f" all of these, or first run: unset {' '.join(given)}"
        )
    return int(given.get("WORLD_SIZE", "1"))


def _rank(variable: str) -> int:
    """The rank of this process, from 0: among all (RANK), or on its machine (LOCAL_RANK)."""
    return int(os.environ.get(variable, "0"))
