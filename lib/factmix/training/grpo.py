"""Trains an arm with GRPO. All numbers come from the study; interrupted training resumes."""

import json
import os
import platform
import shutil
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from datasets import Dataset
from safetensors import SafetensorError, safe_open
from trl import GRPOConfig, GRPOTrainer

from factmix.data.leaks import check_disjoint
from factmix.study import freshness
from factmix.study.descriptions import is_described
from factmix.study.examples import from_frame
from factmix.study.files import sha256, write_json, write_parquet
from factmix.study.lock import alone
from factmix.study.paths import ROOT, Paths
from factmix.study.run import Run
from factmix.training import arm, columns, rollouts
from factmix.training.callbacks import Progress, Spent, Trajectory
from factmix.training.policy import Policy, add_adapter, device, dtype_of, load_base, prompt_texts
from factmix.training.reward_functions import reward_functions
from factmix.training.reward_gain import before_and_after

# In the folder of checkpoints: the record of what their training depends on.
STARTED = "started.json"
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
    return trainer


def train(run: Run, paths: Paths) -> None:
    """Trains an arm; resumes from the last checkpoint after an interruption.

    Writes adapter/, metrics.parquet, trajectory.parquet, rewards.parquet and, last, run.json in
    `paths.run(run)`. Returns at once if run.json exists and everything that it depends on is
    unchanged. A run with other settings, data or code is moved to `paths.root`/replaced/, with its
    checkpoints. In distributed training every process calls this, and the main process writes.

    Raises:
        LockedError: another process on this machine is training this run.
        TrainingError: training ended after fewer steps than the study says.
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


def _train(run: Run, paths: Paths, depends_on: freshness.Record) -> None:
    folder = paths.run(run)
    checkpoints = folder / "checkpoints"
    if torch.cuda.is_available():
        torch.cuda.set_device(_rank("LOCAL_RANK"))
    spent = Spent()
    # transformers warns about its own renamed options at every checkpoint and generation
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    policy = add_adapter(load_base(run.model, run.prompt), run.model.lora, run.seed)
    training = _read_training(run, paths)
    trainer = make_trainer(run, training, checkpoints, policy=policy)
    if not _rank("RANK"):  # last, because everything above can fail
        _make_room(folder, depends_on)
        write_json(checkpoints / STARTED, {"depends_on": depends_on})
    trajectory = Trajectory(run, paths, replace(policy, model=trainer.model))
    trainer.add_callback(spent)
    trainer.add_callback(trajectory)
    trainer.add_callback(Progress(f"{run.arm}, seed {run.seed}"))
    trainer.accelerator.wait_for_everyone()  # until the main process has moved an old run aside
    trainer.train(resume_from_checkpoint=_last_checkpoint(checkpoints))
    if trainer.state.global_step != run.steps:
        raise TrainingError(
            f"{run.study}, {run.arm}, seed {run.seed}: training ended after"
            f" {trainer.state.global_step} steps; expected {run.steps}"
        )
    if trainer.accelerator.is_main_process:
        write_parquet(folder / "metrics.parquet", metrics(trainer.state.log_history))
        answered = trajectory.collected()
        answered.attrs["depends_on"] = freshness.trajectory(run, paths)
        write_parquet(folder / "trajectory.parquet", answered)
        trained = replace(policy, model=trainer.model)
        write_parquet(folder / "rewards.parquet", before_and_after(trained, training, run))
        _write_run(trained.model, run, paths, depends_on, spent.total())
        shutil.rmtree(checkpoints)
    trainer.accelerator.wait_for_everyone()


def _make_room(folder: Path, depends_on: freshness.Record) -> None:
    """Moves a run with other settings, data or code aside, and prints why.

    An interrupted run with the same settings, data and code stays, and training resumes; also
    where the workflow has put back the run.json of the run before, which it does for a failed job.
    """
    record, started = folder / "run.json", folder / "checkpoints" / STARTED
    if arm.is_of(started, depends_on):
        return
    if not record.is_file():
        record = started
    if record == started and not any(_trained(folder)):
        return
    kept = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    changed = freshness.differences(kept.get("depends_on") or {}, depends_on)
    if record != started:
        changed += [f"{name} is missing" for name in arm.missing(folder)]
    replaced = folder.parent / "replaced"
    replaced.mkdir(exist_ok=True)
    names = (f"{folder.name}-{number}" for number in count(1))
    aside = next(replaced / name for name in names if not (replaced / name).exists())
    folder.rename(aside)
    why = ", ".join(changed[:3]) or "it does not say what it was trained with"
    print(f"moved the former {folder.name} to {aside}: {why}", file=sys.stderr)


def _trained(folder: Path) -> Iterator[Path]:
    """Adapters and checkpoints of a run."""
    yield from folder.glob("adapter")
    yield from folder.glob("checkpoints/checkpoint-*")


def _write_run(
    model: Any, run: Run, paths: Paths, depends_on: freshness.Record, spent: dict[str, float]
) -> None:
    """Writes adapter/ and run.json; run.json marks the arm as finished."""
    folder = paths.run(run)
    adapter, part = folder / "adapter", folder / "checkpoints" / "adapter"
    model.save_pretrained(str(part))
    if adapter.exists():  # of a training that was killed between here and run.json
        shutil.rmtree(adapter)
    part.rename(adapter)  # whole, or not there
    cuda = torch.cuda.is_available()
    write_json(
        folder / "run.json",
        {
            "study": run.study,
            "arm": run.arm,
            "seed": run.seed,
            "depends_on": depends_on,
            "evaluation_sample_sha256": sha256(paths.sample(run.evaluation_sample)),
            "steps": run.steps,
            "learning_rate": run.training.learning_rate,
            "versions": {name: version(name) for name in ("torch", "transformers", "trl", "peft")},
            "git_commit": _git_commit(),
            "device": torch.cuda.get_device_name() if cuda else _processor(),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            **spent,
            "trainable_parameters": sum(
                each.numel() for each in model.parameters() if each.requires_grad
            ),
            "adapter_sha256": sha256(folder / "adapter" / "adapter_model.safetensors"),
        },
    )


def _last_checkpoint(folder: Path) -> str | None:
    """The newest undamaged checkpoint; trainer_state.json is the last file written.

    Raises:
        TrainingError: there are checkpoints, and each of them has a damaged file.
    """
    written = folder.glob("checkpoint-*/trainer_state.json")
    checkpoints = sorted((each.parent for each in written), key=lambda each: -_step_of(each))
    damaged: list[Path] = []
    for checkpoint in checkpoints:
        broken = [file for file in sorted(checkpoint.iterdir()) if not _is_whole(file)]
        if not broken:
            if damaged:
                print(f"{damaged[0]} is damaged: resuming from {checkpoint}", file=sys.stderr)
            return str(checkpoint)
        damaged += broken
    if damaged:
        raise TrainingError(
            f"{damaged[0]} is damaged, and no earlier checkpoint is left; to start the training"
            f" again from its first step, delete {folder}"
        )
    return None


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.split("-")[1])


def _is_whole(file: Path) -> bool:
    """Whether a file of a checkpoint can be read to its end."""
    try:
        if file.suffix == ".safetensors":
            with safe_open(file, "pt"):
                return True
        if file.suffix in (".pt", ".pth", ".bin"):
            with zipfile.ZipFile(file) as archive:
                return archive.testzip() is None
        if file.suffix == ".json":
            json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, SafetensorError, zipfile.BadZipFile):
        return False
    return True


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
    """The number of training processes, as set by `accelerate launch` or torchrun.

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
            f" {', '.join(missing)}; start training with `accelerate launch` or torchrun, which set"
            f" all of these, or first run: unset {' '.join(given)}"
        )
    return int(given.get("WORLD_SIZE", "1"))


def _rank(variable: str) -> int:
    """The rank of this process, from 0: among all (RANK), or on its machine (LOCAL_RANK)."""
    return int(os.environ.get(variable, "0"))


def _git_commit() -> str | None:
    """The commit of the checkout, with "+" if there are changes; None outside a checkout."""
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True
        )
        changed = subprocess.run(
            ["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True
        )
    except FileNotFoundError:
        return None
    if commit.returncode != 0:
        return None
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")


def _processor() -> str:
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
