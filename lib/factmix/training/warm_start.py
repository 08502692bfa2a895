"""Makes the warm start of a study: its base model first learns the task from labelled examples.

A small language model may give one answer to everything. Then no group of completions has any
spread, and GRPO has nothing to reinforce. The adapter of this supervised training is merged into
the model by `policy.load_base`: all arms are trained from the result and compared with it.
"""

import platform
import shutil
import warnings

import pandas as pd
import torch

from factmix.study import freshness
from factmix.study.files import peak_memory_gb, write_parquet, write_record
from factmix.study.lock import alone
from factmix.study.paths import Paths
from factmix.study.run import WarmStartRun
from factmix.training import arm
from factmix.training.columns import LOSSES
from factmix.training.made_with import made_with
from factmix.training.model_check import NotFiniteError
from factmix.training.policy import add_adapter, load_base, save_adapter
from factmix.training.supervised import Checkpoint, fit

TABLES = (LOSSES,)


def train(run: WarmStartRun, paths: Paths) -> None:
    """Trains the adapter of a warm start; resumes from the checkpoint after an interruption.

    Writes adapter/, `LOSSES` and, last, run.json in `paths.run(run)`. Returns at once if they
    are there and everything that they depend on is unchanged. A warm start of other settings, data
    or code is moved to `paths.root`/replaced/.

    Raises:
        LockedError: another process on this machine is training it.
        ModelError: the model cannot be loaded, or the checkpoint is damaged.
        PromptError: a prompt is too long.
    """
    depends_on = freshness.warm_starting(run, paths)
    folder = paths.run(run)
    lock = paths.root / f".{run.name}-{platform.node()}.lock"
    with alone(lock, f"the warm start of {run.study}"):
        if arm.is_of(folder / "run.json", depends_on) and not arm.faults(folder, TABLES):
            return
        _train(run, paths, depends_on)


def _train(run: WarmStartRun, paths: Paths, depends_on: freshness.Record) -> None:
    folder, settings = paths.run(run), run.settings
    # PEFT uses attributes that transformers has renamed
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    policy = add_adapter(load_base(run.model, run.prompt), run.lora, settings.seed)
    arm.make_room(folder, depends_on, TABLES)
    write_record(folder / "checkpoints" / arm.STARTED, {"depends_on": depends_on})
    checkpoint = Checkpoint(folder / "checkpoints" / "checkpoint.safetensors", run.checkpoint_steps)
    try:
        losses = fit(
            policy,
            pd.read_parquet(paths.sample(run.sample)),
            run.prompt,
            steps=settings.steps,
            batch=settings.batch,
            learning_rate=settings.learning_rate,
            seed=settings.seed,
            afterwords=settings.afterwords,
            checkpoint=checkpoint,
        )
    except NotFiniteError as error:
        good = checkpoint.file if checkpoint.file.is_file() else "none"
        raise NotFiniteError(
            f"the warm start of {run.study}: {error}; the last good checkpoint: {good}"
        ) from error
    table = pd.DataFrame({"step": range(1, len(losses) + 1), "loss": losses})
    write_parquet(folder / LOSSES, table)
    adapter = [each for each in policy.model.parameters() if each.requires_grad]
    for each in adapter:
        each.data = each.data.to(torch.bfloat16)  # half as large; what is saved is what all use
    save_adapter(policy.model, folder)
    arm.finish(
        folder,
        {
            "study": run.study,
            "seed": settings.seed,
            "depends_on": depends_on,
            "steps": settings.steps,
            "learning_rate": settings.learning_rate,
            **made_with("torch", "transformers", "peft"),
            "wall_seconds": checkpoint.seconds,
            "peak_memory_gb": peak_memory_gb(),
            "trainable_parameters": sum(each.numel() for each in adapter),
        },
        TABLES,
    )
    shutil.rmtree(folder / "checkpoints")
