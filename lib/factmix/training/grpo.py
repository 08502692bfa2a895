"""Trains an arm with GRPO: every number from the study, goes on where it was killed."""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import time
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from factmix.data.leaks import check_disjoint
from factmix.study.descriptions import is_described
from factmix.study.examples import from_frame
from factmix.study.files import peak_memory_gb, sha256, write_json, write_parquet
from factmix.study.paths import ROOT, Paths
from factmix.study.spec import Study
from factmix.training import columns, rollouts
from factmix.training.callbacks import Progress, Trajectory
from factmix.training.policy import Policy, add_adapter, device, dtype_of, load_base, prompt_texts
from factmix.training.reward_functions import reward_functions
from factmix.training.reward_gain import before_and_after


class TrainingError(RuntimeError):
    """A training run did not do what its study says."""


def prompts_per_process(study: Study, processes: int) -> tuple[int, int]:
    """Prompts of one step that each process trains on, and how many of them at one time.

    Raises:
        TrainingError: the prompts of a step cannot be divided among so many processes, or those of
            a process into passes.
    """
    numbers = study.training
    prompts = numbers.prompts_per_step
    own, rest = divmod(prompts, processes)
    at_once = min(numbers.prompts_per_pass or own, own)
    if rest:
        raise TrainingError(
            f"study {study.name}: training.prompts_per_step: {prompts} prompts cannot be divided "
            f"among {processes} processes, and the completions of a prompt are never split; start "
            f"a number of processes that divides {prompts}, or change prompts_per_step"
        )
    if own % at_once:
        raise TrainingError(
            f"study {study.name}: training.prompts_per_pass: {at_once} prompts at a time do not "
            f"divide the {own} of each of {processes} processes; expected a number that does"
        )
    return own, at_once


def make_trainer(
    study: Study,
    arm: str,
    seed: int,
    training: pd.DataFrame,
    folder: Path,
    *,
    policy: Policy,
    trainer_class: type[GRPOTrainer] | None = None,
) -> GRPOTrainer:
    """The trainer of an arm, with every number from the study.

    Args:
        study: what to train and how.
        arm: one of its arms.
        seed: of the order of the prompts and of the sampled completions.
        training: the examples.
        folder: for checkpoints.
        policy: with the adapter to train.
        trainer_class: the stock trainer, to compare with; by default that of `rollouts`.

    Raises:
        TrainingError: there are fewer prompts than a step takes, or they cannot be divided among
            the processes.
    """
    numbers = study.training
    if len(training) < numbers.prompts_per_step:
        raise TrainingError(
            f"study {study.name}: training.prompts_per_step: a step takes"
            f" {numbers.prompts_per_step} prompts, but the mixture of {arm} has {len(training)};"
            " expected at least as many: lower prompts_per_step, or enlarge the mixture"
        )
    reward = study.reward_of(arm)
    functions = reward_functions(reward)
    prompts, at_once = prompts_per_process(study, _processes())
    examples = from_frame(training)
    dataset = Dataset.from_dict(
        {
            "prompt": prompt_texts(policy.tokenizer, examples, study.prompt),
            "gold": [str(each.label) for each in examples],
        }
    )
    cuda = torch.cuda.is_available()
    config = GRPOConfig(
        output_dir=str(folder),
        seed=seed,
        max_steps=study.steps(arm),
        per_device_train_batch_size=at_once * numbers.group_size,
        num_generations=numbers.group_size,
        steps_per_generation=prompts // at_once,
        num_iterations=1,
        gradient_accumulation_steps=prompts // at_once,
        max_completion_length=study.prompt.max_completion_tokens,
        temperature=numbers.temperature,
        top_p=1.0,
        top_k=0,
        loss_type="grpo",
        scale_rewards="group",
        epsilon=numbers.clip_epsilon,
        beta=0.0,
        reward_weights=[1.0] * (len(functions) - 1) + [0.0],
        optim="adamw_torch",
        learning_rate=numbers.learning_rate,
        lr_scheduler_type=numbers.lr_scheduler,
        warmup_steps=0,
        weight_decay=numbers.weight_decay,
        max_grad_norm=numbers.max_grad_norm,
        bf16=dtype_of(study.model) is torch.bfloat16,
        fp16=dtype_of(study.model) is torch.float16,
        use_cpu=device() == "cpu",
        gradient_checkpointing=False,
        router_aux_loss_coef=0.0,  # None would turn the auxiliary loss on
        logging_steps=1,
        save_strategy="steps",
        save_steps=numbers.checkpoint_steps,
        save_total_limit=1,
        # Passes differ in number from process to process, and would wait for each other's buffers.
        ddp_broadcast_buffers=False,
        ddp_find_unused_parameters=False,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=cuda,
        remove_unused_columns=False,
        **rollouts.options(study, policy.stop_ids),
    )
    trainer = (trainer_class or rollouts.trainer_class(study, arm))(
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


def train(study: Study, arm: str, seed: int, paths: Paths) -> None:
    """Trains an arm; goes on from its last checkpoint when it was interrupted.

    Writes adapter/, metrics.parquet, trajectory.parquet, rewards.parquet and, last, run.json in
    `paths.arm(...)`; returns at once when run.json is there and of the same study and data. Where
    several processes train together, each calls this, and the first of them writes.

    Raises:
        TrainingError: fewer steps were made than the study says.
        PromptError: a prompt does not fit.
        LeakError: what is trained on is also evaluated.
    """
    folder = paths.arm(arm, seed)
    identity = _identity(study, arm, seed, paths)
    if _is_done(folder, identity):
        return
    checkpoints = folder / "checkpoints"
    if torch.cuda.is_available():
        torch.cuda.set_device(_rank("LOCAL_RANK"))
    if not _rank("RANK") and not _same(checkpoints / "identity.json", identity):
        shutil.rmtree(folder, ignore_errors=True)  # of another study, or nothing yet
        write_json(checkpoints / "identity.json", identity)
    started = time.monotonic()
    # transformers warns of its own renamed options, at every checkpoint and generation
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    policy = add_adapter(load_base(study.model), study.model.lora, seed)
    training = _read_training(study, arm, paths)
    trainer = make_trainer(study, arm, seed, training, checkpoints, policy=policy)
    trajectory = Trajectory(study, arm, seed, paths, replace(policy, model=trainer.model))
    trainer.add_callback(trajectory)
    trainer.add_callback(Progress(f"{arm}, seed {seed}"))
    trainer.accelerator.wait_for_everyone()  # for the first to have made room for this run
    trainer.train(resume_from_checkpoint=_last_checkpoint(checkpoints))
    steps = study.steps(arm)
    if trainer.state.global_step != steps:
        raise TrainingError(
            f"{study.name}, {arm}, seed {seed}: {trainer.state.global_step} steps were made, "
            f"expected {steps}"
        )
    if trainer.accelerator.is_main_process:
        write_parquet(folder / "metrics.parquet", metrics(trainer.state.log_history))
        write_parquet(folder / "trajectory.parquet", trajectory.collected())
        trained = replace(policy, model=trainer.model)
        write_parquet(folder / "rewards.parquet", before_and_after(trained, training, study, arm))
        _write_run(folder, trained.model, identity, study, started)
        shutil.rmtree(checkpoints)
    trainer.accelerator.wait_for_everyone()


def _write_run(
    folder: Path, model: Any, identity: dict[str, Any], study: Study, started: float
) -> None:
    """Writes adapter/ and run.json, with which an arm is finished."""
    model.save_pretrained(str(folder / "adapter"))
    cuda = torch.cuda.is_available()
    write_json(
        folder / "run.json",
        {
            **identity,
            "steps": study.steps(identity["arm"]),
            "learning_rate": study.training.learning_rate,
            "versions": {name: version(name) for name in ("torch", "transformers", "trl", "peft")},
            "git_commit": _git_commit(),
            "device": torch.cuda.get_device_name() if cuda else _processor(),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "wall_seconds": time.monotonic() - started,  # since the last interruption
            "peak_memory_gb": peak_memory_gb(),
            "trainable_parameters": sum(
                each.numel() for each in model.parameters() if each.requires_grad
            ),
            "adapter_sha256": sha256(folder / "adapter" / "adapter_model.safetensors"),
        },
    )


def _last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end, of which this file is the last."""
    written = folder.glob("checkpoint-*/trainer_state.json")
    checkpoints = [file.parent for file in written]
    newest = max(checkpoints, key=lambda each: int(each.name.split("-")[1]), default=None)
    return str(newest) if newest else None


def _read_training(study: Study, arm: str, paths: Paths) -> pd.DataFrame:
    """An arm's training sample, once more checked against the evaluation set as it is now."""
    training = pd.read_parquet(paths.train(*study.training_sample(arm)))
    if study.protocol_of(arm).split == "group_disjoint":
        evaluation = pd.read_parquet(paths.evaluation_of(study.evaluation_sample(arm)))
        check_disjoint(training, evaluation, f"study {study.name}, arm {arm}")
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


def _identity(study: Study, arm: str, seed: int, paths: Paths) -> dict[str, Any]:
    """What a run is a run of; a run of another is no use to this study."""
    numbers = study.model_dump(mode="json")
    relevant = {key: numbers[key] for key in ("model", "prompt", "evaluation", "training")}
    relevant["training"].pop("prompts_per_pass", None)  # memory, and nothing that is learned
    own = numbers["arms"][arm]  # what it says of the data is in their fingerprint
    relevant |= {
        "arm": {key: own[key] for key in ("mixture", "reward", "steps")},
        "reward": study.reward_of(arm).model_dump(mode="json"),
        "sampler_refresh": study.protocol_of(arm).sampler_refresh,
        "told": study.evaluation_prompt(arm).model_dump(mode="json"),
    }
    described = json.dumps(relevant, sort_keys=True)
    return {
        "study": study.name,
        "arm": arm,
        "seed": seed,
        "configuration_sha256": hashlib.sha256(described.encode()).hexdigest(),
        "data_fingerprint": sha256(paths.train(*study.training_sample(arm))),
        "evaluation_fingerprint": sha256(paths.evaluation_of(study.evaluation_sample(arm))),
        "model_sha256": {  # none for a model of the hub, which its revision identifies
            file.name: sha256(file)
            for pattern in ("*.safetensors", "*.json")
            for file in sorted((ROOT / study.model.path).glob(pattern))
        },
    }


def _same(path: Path, identity: dict[str, Any]) -> bool:
    if not path.is_file():
        return False
    found = json.loads(path.read_text(encoding="utf-8"))
    return all(found.get(key) == value for key, value in identity.items())


def _is_done(folder: Path, identity: dict[str, Any]) -> bool:
    return _same(folder / "run.json", identity)


def _processes() -> int:
    """How many processes train together, as `accelerate launch` and torchrun tell each of them."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def _rank(variable: str) -> int:
    """The number of this process, from 0: among all (RANK), or on its machine (LOCAL_RANK)."""
    return int(os.environ.get(variable, "0"))


def _git_commit() -> str | None:
    """The commit of the checkout, with "+" when files differ from it; None outside a checkout."""
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
