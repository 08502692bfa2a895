"""Reward curves of an arm trained by TRL's stock trainer and by the shared-prefix trainer.

Both use the same seed, and the same prompts in the same order. They sample completions in different
ways, so the curves agree in distribution, not step by step. `--json` has both curves, and the mean
difference of the rewards (ours minus stock) with its standard error over blocks of `BLOCK` steps.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from trl import GRPOTrainer

from factmix.study.load import find_study
from factmix.study.run import Run
from factmix.training import grpo
from factmix.training.callbacks import Progress
from factmix.training.policy import add_adapter, load_base
from factmix.training.trainer import SharedPrefixTrainer
from options import options
from steps import drawn_data
from timing import machine, report, table

BLOCK = 20  # steps; rewards of neighbouring steps are correlated


def trained(run: Run, kind: type[GRPOTrainer], training: pd.DataFrame) -> list[float]:
    """The mean reward of each step."""
    with tempfile.TemporaryDirectory() as folder:
        policy = add_adapter(load_base(run.model), run.model.lora, run.seed)
        trainer = grpo.make_trainer(run, training, Path(folder), policy=policy, trainer_class=kind)
        trainer.add_callback(Progress(kind.__name__))
        trainer.train()
    return [entry["reward"] for entry in trainer.state.log_history if "reward" in entry]


def main(arguments: list[str] | None = None) -> None:
    parser = options(__doc__, arm="format_only")
    chosen = parser.parse_args(arguments)
    study = find_study(chosen.study)
    with drawn_data(study) as paths:
        run = study.run(chosen.arm)
        training = pd.read_parquet(paths.sample(run.training_sample))
    curves = {
        name: trained(run, kind, training)
        for name, kind in (("stock", GRPOTrainer), ("ours", SharedPrefixTrainer))
    }
    blocks = {name: _means(curve) for name, curve in curves.items()}
    gaps = np.subtract(blocks["ours"], blocks["stock"])
    gap, error = float(gaps.mean()), float(gaps.std(ddof=1) / np.sqrt(len(gaps)))
    rows = [
        [f"{i * BLOCK + 1} to {(i + 1) * BLOCK}", f"{stock:.3f}", f"{ours:.3f}"]
        for i, (stock, ours) in enumerate(zip(blocks["stock"], blocks["ours"], strict=True))
    ]
    text = table(["mean reward of steps", "stock", "ours"], rows)
    report(
        {"reward_gap": gap, "reward_gap_error": error, "rewards": curves},
        f"{text}\nours minus stock: {gap:+.3f}, standard error {error:.3f}\n{machine()}",
        as_json=chosen.json,
    )


def _means(curve: list[float]) -> list[float]:
    """Of every `BLOCK` steps."""
    return [float(np.mean(curve[i : i + BLOCK])) for i in range(0, len(curve), BLOCK)]


if __name__ == "__main__":
    main()
