"""Chooses the learning rate of a study by a rule that uses no evaluation data.

It is the smallest rate of the study's grid with which the format-only arm reaches a high enough
format rate at the end of training. The published reward discourages NA, so results depend on how
far training goes. Therefore all arms use the same rate.
"""

import shutil
from dataclasses import replace
from typing import Any

import pandas as pd

from factmix.data import mixtures
from factmix.study.files import write_json
from factmix.study.paths import Paths
from factmix.study.spec import Study, StudyError
from factmix.training import grpo
from factmix.training.callbacks import Progress
from factmix.training.model_check import NotFiniteError
from factmix.training.policy import add_adapter, load_base

ENOUGH = 0.98  # share of the sampled completions in the right format
WINDOW = 10  # last training steps over which it is averaged


def choose(study: Study, paths: Paths) -> float:
    """The smallest learning rate of the grid whose final format rate is at least `ENOUGH`.

    Trains the baseline arm with each rate in turn. Writes `paths.learning_rate`: the rule, and each
    rate tried with its format rate by step.

    Raises:
        StudyError: the grid is empty, or no rate of it reaches `ENOUGH` before training fails.
    """
    grid = sorted(study.training.learning_rate_grid)
    if not grid:
        raise StudyError(
            f"study {study.name}: training.learning_rate_grid is empty; expected at least one rate"
        )
    if not paths.data_report.is_file():
        mixtures.prepare(study, paths)
    tried: list[dict[str, Any]] = []
    for rate in grid:
        try:
            curve = format_rates(study, rate, paths)
        except NotFiniteError as error:
            smaller = f"no smaller rate, down to {grid[0]:g}, is enough; add rates between them"
            raise StudyError(
                f"study {study.name}: with the learning rate {rate:g} of"
                " training.learning_rate_grid a gradient is no finite number, and"
                f" {smaller if tried else 'it is the smallest; add smaller rates'}"
            ) from error
        tried.append(
            {
                "learning_rate": rate,
                "format_rate_end": sum(curve[-WINDOW:]) / len(curve[-WINDOW:]),
                "format_rate": curve,
            }
        )
        chosen = rate if tried[-1]["format_rate_end"] >= ENOUGH else None
        report = {
            "rule": f"the smallest rate at which the arm {study.baseline} reaches a mean format "
            f"rate of {ENOUGH} over its last {WINDOW} steps",
            "arm": study.baseline,
            "seed": study.seeds[0],
            "steps": study.run(study.baseline).steps,
            "grid": grid,
            "chosen": chosen,
            "tried": tried,
        }
        write_json(paths.learning_rate, report)
        print(f"learning rate {rate:g}: format rate {tried[-1]['format_rate_end']:.3f}")
        if chosen is not None:
            return chosen
    raise StudyError(
        f"study {study.name}: no rate of training.learning_rate_grid reaches a format rate of "
        f"{ENOUGH}; the best reaches {max(each['format_rate_end'] for each in tried):.3f}; "
        "add larger ones"
    )


def format_rates(study: Study, rate: float, paths: Paths) -> list[float]:
    """The format rate at each training step of the baseline arm with a learning rate."""
    run = study.run(study.baseline)
    tried = replace(run, training=run.training.model_copy(update={"learning_rate": rate}))
    folder = paths.root / "learning_rate"
    base = load_base(run.model, run.prompt, paths.warm_start_of(run))
    trainer = grpo.make_trainer(
        tried,
        pd.read_parquet(paths.sample(run.training_sample)),
        folder,
        policy=add_adapter(base, run.model.lora, run.seed),
    )
    trainer.args.save_strategy = "no"
    trainer.add_callback(Progress(f"learning rate {rate:g}"))
    trainer.train()
    shutil.rmtree(folder, ignore_errors=True)
    return list(grpo.metrics(trainer.state.log_history)["format_rate"])
