"""The sections of results.json about the training of an arm: rewards, answers on the way, dose."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from factmix.results.answers import Answers, CompareError
from factmix.results.of_answers import bootstrap_settings, metric_leaves
from factmix.results.results_json import leaf, result_key
from factmix.stats import bootstrap
from factmix.stats.bootstrap import Estimate
from factmix.stats.metrics import contingency
from factmix.study.files import read_record
from factmix.study.paths import Paths
from factmix.study.run import Run
from factmix.study.spec import Study

DOSE_METRICS = ("balanced_accuracy", "recall_na")
TRAJECTORY_METRICS = ("accuracy", "balanced_accuracy", "recall_na", "recall_pass", "recall_fail")
WINDOW = 25  # training steps whose mean counts as the start, or the end, of a curve


def training_metrics(study: Study, paths: Paths) -> pd.DataFrame:
    """metrics.parquet of every arm and seed that has one, with columns arm and seed in front."""
    frames = []
    for run in sorted(study.all_runs(), key=lambda run: list(study.arms).index(run.arm)):
        path = paths.run(run) / "metrics.parquet"
        if path.is_file():
            frame = pd.read_parquet(path)
            frame.insert(0, "seed", run.seed)
            frame.insert(0, "arm", run.arm)
            frames.append(frame)
    if not frames:
        raise CompareError(
            f"study {study.name}: no arm has been trained in {paths.root}; "
            f"train one with: factmix train {study.name} {study.baseline} --seed {study.seeds[0]}"
        )
    return pd.concat(frames, ignore_index=True)


_TRAINING: dict[str, str] = {
    "training.<arm>.reward_start": "mean reward of the first steps",
    "training.<arm>.reward_end": "mean reward of the last steps",
    "training.<arm>.reward_before": "mean reward on the training claims, untrained",
    "training.<arm>.reward_after": "the same, trained, with the same random numbers",
    "training.<arm>.reward_gain": "the difference of the last two",
    "training.<arm>.format_rate_start": "share of valid completions in the first steps",
    "training.<arm>.format_rate_end": "the same in the last steps",
    "training.<arm>.kl_end": "drift from the base model in the last steps",
    "training.<arm>.zero_spread_mean": "share of groups whose completions all earn the same",
    "training.<arm>.steps": "training steps",
    "training.<arm>.seconds": "wall time of the training, all of its parts if it was interrupted",
    "training.<arm>.peak_memory_gb": "peak memory of the process",
}


def training(run: Run, study: Study, paths: Paths) -> dict[str, Any]:
    folder = paths.run(run)
    record = read_record(folder / "run.json")
    metrics = logged(folder)
    first, last = _ends(metrics)
    rewards = pd.read_parquet(folder / "rewards.parquet")
    gain = bootstrap.mean_by_t(
        rewards["after"] - rewards["before"], confidence=study.statistics.confidence
    )
    kl = last["kl"].dropna()

    def of_run(value: Estimate | float, unit: str, n: int = len(last)) -> dict[str, Any]:
        return leaf(value, unit, n, folder.name)

    return {
        "reward_start": of_run(float(first["reward/total"].mean()), ""),
        "reward_end": of_run(reward_end(metrics), ""),
        "reward_before": of_run(float(rewards["before"].mean()), "", len(rewards)),
        "reward_after": of_run(float(rewards["after"].mean()), "", len(rewards)),
        "reward_gain": of_run(gain, "", len(rewards)),
        "format_rate_start": of_run(float(first["format_rate"].mean()), "fraction"),
        "format_rate_end": of_run(float(last["format_rate"].mean()), "fraction"),
        "kl_end": of_run(float(kl.mean()), "nats per token", len(kl)),
        "zero_spread_mean": of_run(float(metrics["zero_spread"].mean()), "fraction", len(metrics)),
        "steps": of_run(len(metrics), "count", len(metrics)),
        "seconds": of_run(record["wall_seconds"], "seconds", len(metrics)),
        "peak_memory_gb": of_run(record["peak_memory_gb"], "GiB", len(metrics)),
    }


def logged(folder: Path) -> pd.DataFrame:
    """metrics.parquet of a run, in the order of its steps."""
    return pd.read_parquet(folder / "metrics.parquet").sort_values("step")


def reward_end(metrics: pd.DataFrame) -> float:
    """The mean reward of the last steps that `logged` gives."""
    return float(_ends(metrics)[1]["reward/total"].mean())


def _ends(metrics: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The first and the last steps; those of a short run do not overlap."""
    window = min(WINDOW, max(1, len(metrics) // 2))
    return metrics.head(window), metrics.tail(window)


_TRAJECTORY: dict[str, str] = {
    "trajectory.<arm>.<dataset>.step_<number>.<metric>": "on a part of the evaluation examples, "
    "after so many steps; some of the metrics; of several seeds their mean",
}


def on_the_way(run: Run, paths: Paths) -> dict[str, dict[int, Answers]]:
    """The answers during training: dataset -> step -> answers to the same examples, by id."""
    folder = paths.run(run)
    frame = pd.read_parquet(folder / "trajectory.parquet").sort_values(["step", "id"])
    found: dict[str, dict[int, Answers]] = {name: {} for name in run.evaluation_sample.counts}
    for (dataset, step), rows in frame.groupby(["dataset", "step"], sort=True):
        gold, predicted, groups = (rows[name].tolist() for name in ("gold", "predicted", "group"))
        given = Answers(folder.name, gold, predicted, groups, None, None)
        found[str(dataset)][int(str(step))] = given
    return found


def trajectory(run: Run, study: Study, paths: Paths) -> dict[str, Any]:
    """Metrics on the evaluation subset that is answered during training, by dataset and step."""

    def at(given: Answers) -> dict[str, Any]:
        confusion_LA = contingency(given.gold, given.predicted)
        estimates = bootstrap.bootstrap_metrics(confusion_LA, **bootstrap_settings(study))
        shown = {metric: estimates[metric] for metric in TRAJECTORY_METRICS}
        return metric_leaves(shown, "fraction", given.gold, given.run)

    return {
        result_key(dataset): {f"step_{step}": at(given) for step, given in steps.items()}
        for dataset, steps in on_the_way(run, paths).items()
    }


_DOSE: dict[str, str] = {
    "dose.<arm>.<dataset>.step_<number>.prompts": "prompts of that dataset among those of the "
    "training so far, by its share of the mixture",
    "dose.<arm>.<dataset>.step_<number>.<metric>": "change since step 0, on the same part of the "
    "evaluation examples; some of the metrics, and only where step 0 was answered; of several "
    "seeds their mean",
}


def dose(run: Run, study: Study, paths: Paths) -> dict[str, Any]:
    """What changed since the start, beside how many prompts of the dataset training has had."""

    def changes(start: Answers, given: Answers) -> dict[str, Any]:
        counts_LAA = contingency(given.gold, start.predicted, given.predicted)
        gains = bootstrap.bootstrap_gains(counts_LAA, **bootstrap_settings(study))
        # Many steps are shown and none is tested.
        shown = {metric: replace(gains[metric], p=None, at_floor=()) for metric in DOSE_METRICS}
        return metric_leaves(shown, "points", given.gold, given.run)

    return {
        result_key(dataset): {
            f"step_{step}": prompts(run, dataset, step, given.run) | changes(steps[0], given)
            for step, given in steps.items()
            if step and 0 in steps
        }
        for dataset, steps in on_the_way(run, paths).items()
    }


def prompts(run: Run, dataset: str, step: int, folder: str) -> dict[str, Any]:
    """How many prompts of a dataset a training has had by a step, as the leaf of a run's folder."""
    sizes = {name: sum(counts.values()) for name, counts in run.training_sample.counts.items()}
    share = sizes.get(dataset, 0) / sum(sizes.values())
    number = round(share * step * run.training.prompts_per_step)
    return {"prompts": leaf(number, "count", number, folder)}


KEYS: dict[str, str] = _TRAINING | _TRAJECTORY | _DOSE
