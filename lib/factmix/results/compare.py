"""Every arm's answers and training in, results.json out: all the numbers that the book cites."""

import json
from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from factmix.results.answers import (
    Answers,
    CompareError,
    check_current,
    check_files,
    read_answers,
    reference_of,
)
from factmix.results.results_json import add_holm, counts, leaf, result_key
from factmix.stats import bootstrap, paired_tests
from factmix.stats.awareness import awareness
from factmix.stats.bootstrap import Estimate
from factmix.stats.metrics import Counts, contingency, grouped_contingency
from factmix.stats.metrics import gains as gains_of
from factmix.stats.metrics import metrics as metrics_of
from factmix.stats.seeds import seed_gains
from factmix.study.files import write_json
from factmix.study.labels import ANSWERS
from factmix.study.paths import Paths
from factmix.study.run import Run
from factmix.study.spec import Study

TRAJECTORY_METRICS = ("accuracy", "balanced_accuracy", "recall_na", "recall_pass", "recall_fail")
SETTINGS = ("mixture", "reward")  # of two arms, of which a contrast has one in common
FEWEST_GROUPS = 20  # with fewer, a bootstrap of groups gives intervals far too narrow
RECORDS = ("fingerprint", "depends_on")  # of the data report: no numbers
WINDOW = 25  # training steps whose mean counts as the start, or the end, of a curve


def compare(study: Study, paths: Paths) -> dict[str, Any]:
    """Writes what `compute` returns to `paths.results`, and the study to `paths.study`.

    Returns:
        the results.
    """
    results = compute(study, paths)
    write_json(paths.study, study.model_dump(mode="json"))
    write_json(paths.results, results)
    return results


def compute(study: Study, paths: Paths) -> dict[str, Any]:
    """All results of a study, from what its arms answered and how they were trained.

    With several seeds the numbers are those of the first, and `across_seeds` and
    `contrasts_across_seeds` have the gains and the contrasts over all.

    The p values of gains, contrasts and `mcnemar` stand beside those corrected by Holm (`p_holm`).
    A family of tests is one metric (or McNemar's test) on every dataset for every system: the
    metrics are views of the same answers, and with a bootstrap p of 2 / (B + 1) at the least, a
    correction over all metrics at once could find nothing, however large.

    Returns:
        the content of results.json: nested dicts that end in leaves {"value", "unit", "n", "run"}
        and, where they exist, "interval" and "p".

    Raises:
        CompareError: a file is missing or not current (the message says how to make it), or
            systems answered different examples.
    """
    check_files(study, paths)
    check_current(study, paths)
    report = json.loads(paths.data_report.read_text(encoding="utf-8"))
    systems = read_answers(study, paths)
    references = reference_of(study)
    answering = {name: given for name, given in systems.items() if name in references}
    others = {name: given for name, given in answering.items() if references[name] != name}
    # the baseline's answers of each of the others, in the same nesting
    over = {name: systems[references[name]] for name in others}
    results: dict[str, Any] = {
        "study": {
            "name": study.name,
            "description": study.description,
            "model": study.model.path,
            "baseline": result_key(study.baseline),
            **_other_baselines(study),
            "data_fingerprint": report["fingerprint"],
            "resamples": study.statistics.resamples,
            "confidence": study.statistics.confidence,
            "alpha": study.statistics.alpha,
        },
        "seeds": study.seeds,
        "metrics": _each(systems, lambda given: _metrics(given, study)),
        "gains": _each_pair(over, others, lambda first, given: _gains(first, given, study)),
        "mcnemar": _each_pair(over, others, lambda first, given: mcnemar(first, given, study)),
        "shift": _each_pair(over, others, shift),
        "contrasts": {
            setting: _each_pair(
                {name: systems[first] for name, (first, _) in pairs.items()},
                {name: systems[second] for name, (_, second) in pairs.items()},
                lambda first, given: _gains(first, given, study),
            )
            for setting, pairs in contrasted(study).items()
        },
        "clustered": {
            "metrics": _each(answering, lambda given: cluster_metrics(given, study)),
            "gains": _each_pair(
                over, others, lambda first, given: cluster_gains(first, given, study)
            ),
        },
        "awareness": _each(answering, lambda given: self_awareness(given, study)),
        "format_rate": _each(answering, lambda given: _format_rate(given, study)),
        "answer_share": _each(answering, lambda given: _answer_shares(given, study)),
        "confusion": _each(answering, lambda given: _confusion(given).tolist()),
        "training": {result_key(run.arm): _training(run, study, paths) for run in study.runs()},
        "trajectory": {result_key(run.arm): _trajectory(run, study, paths) for run in study.runs()},
        "data": counts({part: report[part] for part in report if part not in RECORDS}),
    }
    if len(study.seeds) > 1:
        results |= across_seeds(study, paths)
    for section in ("gains", "contrasts", "mcnemar"):
        add_holm(results[section], lambda path: path.rsplit(".", 1)[1])
    return results


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


def by_baseline(section: pd.DataFrame, study: Study) -> dict[str, pd.DataFrame]:
    """A tidy table with a column arm, apart by the baseline that its systems are compared with.

    Systems with different baselines answered different examples, so a figure shows one such part.
    """
    baseline_of = {result_key(name): baseline for name, baseline in reference_of(study).items()}
    parts = section.groupby(section["arm"].map(result_key).map(baseline_of), sort=False)
    return {str(baseline): rows.reset_index(drop=True) for baseline, rows in parts}


def _other_baselines(study: Study) -> dict[str, Any]:
    """Which systems have another baseline than the study's; nothing where there is none."""
    other = {
        result_key(name): result_key(baseline)
        for name, baseline in reference_of(study).items()
        if baseline != study.baseline
    }
    return {"baselines": other} if other else {}


def _each(
    systems: dict[str, dict[str, Answers]], of: Callable[[Answers], Any]
) -> dict[str, dict[str, Any]]:
    return {
        result_key(arm): {result_key(name): of(given) for name, given in datasets.items()}
        for arm, datasets in systems.items()
    }


def _each_pair(
    baselines: dict[str, dict[str, Answers]],
    systems: dict[str, dict[str, Answers]],
    of: Callable[[Answers, Answers], Any],
) -> dict[str, dict[str, Any]]:
    return {
        result_key(arm): {
            result_key(name): of(baselines[arm][name], given) for name, given in datasets.items()
        }
        for arm, datasets in systems.items()
    }


def _confusion(given: Answers) -> Counts:
    return contingency(given.gold, given.predicted)


def _metrics(given: Answers, study: Study) -> dict[str, Any]:
    confusion_LA = _confusion(given)
    if given.valid is None:  # a constant answer has the same score in every resample
        values: Mapping[str, Estimate | float] = {
            name: float(value) for name, value in metrics_of(confusion_LA).items()
        }
    else:
        values = bootstrap.bootstrap_metrics(confusion_LA, **bootstrap_settings(study))
    return {m: leaf(value, "fraction", len(given.gold), given.run) for m, value in values.items()}


def _gains(baseline: Answers, given: Answers, study: Study) -> dict[str, Any]:
    counts_LAA = contingency(given.gold, baseline.predicted, given.predicted)
    gains = bootstrap.bootstrap_gains(
        counts_LAA, margin=study.statistics.margin, **bootstrap_settings(study)
    )
    return {m: leaf(gain, "points", len(given.gold), given.run) for m, gain in gains.items()}


def _format_rate(given: Answers, study: Study) -> dict[str, Any]:
    assert given.valid is not None
    n = len(given.gold)
    rate = bootstrap.proportion(given.valid, n, confidence=study.statistics.confidence)
    return leaf(rate, "fraction", n, given.run)


def _answer_shares(given: Answers, study: Study) -> dict[str, Any]:
    n, confidence = len(given.gold), study.statistics.confidence
    return {
        answer: leaf(
            bootstrap.proportion(given.predicted.count(answer), n, confidence=confidence),
            "fraction",
            n,
            given.run,
        )
        for answer in map(str, ANSWERS)
    }


def _training(run: Run, study: Study, paths: Paths) -> dict[str, Any]:
    folder = paths.run(run)
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    metrics = pd.read_parquet(folder / "metrics.parquet").sort_values("step")
    window = min(WINDOW, max(1, len(metrics) // 2))  # the windows of a short run do not overlap
    first, last = metrics.head(window), metrics.tail(window)
    rewards = pd.read_parquet(folder / "rewards.parquet")
    gain = bootstrap.mean_gain(
        rewards["before"], rewards["after"], confidence=study.statistics.confidence
    )

    def of_run(value: Estimate | float, unit: str, n: int = window) -> dict[str, Any]:
        return leaf(value, unit, n, folder.name)

    return {
        "reward_start": of_run(float(first["reward/total"].mean()), ""),
        "reward_end": of_run(float(last["reward/total"].mean()), ""),
        "reward_before": of_run(float(rewards["before"].mean()), "", len(rewards)),
        "reward_after": of_run(float(rewards["after"].mean()), "", len(rewards)),
        "reward_gain": of_run(gain, "", len(rewards)),
        "format_rate_start": of_run(float(first["format_rate"].mean()), "fraction"),
        "format_rate_end": of_run(float(last["format_rate"].mean()), "fraction"),
        "kl_end": of_run(float(last["kl"].mean()), "nats per token"),
        "zero_spread_mean": of_run(float(metrics["zero_spread"].mean()), "fraction", len(metrics)),
        "steps": of_run(len(metrics), "count", len(metrics)),
        "seconds": of_run(record["wall_seconds"], "seconds", len(metrics)),
        "peak_memory_gb": of_run(record["peak_memory_gb"], "GB", len(metrics)),
    }


def _trajectory(run: Run, study: Study, paths: Paths) -> dict[str, Any]:
    """Metrics on the fixed subset that is answered during training, by dataset and step."""
    folder = paths.run(run)
    frame = pd.read_parquet(folder / "trajectory.parquet")
    trajectory: dict[str, Any] = {result_key(dataset): {} for dataset in study.datasets}
    for (dataset, step), rows in frame.groupby(["dataset", "step"], sort=True):
        confusion_LA = contingency(rows["gold"].tolist(), rows["predicted"].tolist())
        estimates = bootstrap.bootstrap_metrics(confusion_LA, **bootstrap_settings(study))
        trajectory[result_key(str(dataset))][f"step_{step}"] = {
            metric: leaf(estimates[metric], "fraction", len(rows), folder.name)
            for metric in TRAJECTORY_METRICS
        }
    return trajectory


def bootstrap_settings(study: Study) -> dict[str, Any]:
    """How to resample; every time from the seed, so that no arm changes another's numbers."""
    return {
        "resamples": study.statistics.resamples,
        "confidence": study.statistics.confidence,
        "rng": np.random.default_rng(study.statistics.seed),
    }


def mcnemar(baseline: Answers, given: Answers, study: Study) -> dict[str, Any]:
    counts_LAA = contingency(given.gold, baseline.predicted, given.predicted)
    test, n = paired_tests.mcnemar(counts_LAA), len(given.gold)
    ratio = test.odds_ratio(study.statistics.confidence)
    exact = Estimate(test.p, p=test.p)  # a value to cite, and a p value to correct
    entry = {
        "fixed": leaf(test.fixed, "count", n, given.run),
        "broken": leaf(test.broken, "count", n, given.run),
        "p": leaf(exact, "", n, given.run),
        "mid_p": leaf(test.mid_p, "", n, given.run),
    }
    # Without a broken answer the ratio is not a number.
    return entry if ratio is None else entry | {"odds_ratio": leaf(ratio, "", n, given.run)}


def shift(baseline: Answers, given: Answers) -> dict[str, Any]:
    counts_LAA = contingency(given.gold, baseline.predicted, given.predicted)
    test, n = paired_tests.stuart_maxwell(counts_LAA), len(given.gold)
    return {
        "statistic": leaf(test.statistic, "", n, given.run),
        "df": leaf(test.df, "count", n, given.run),
        "p": leaf(test.p, "", n, given.run),
    }


def _clustered(given: Answers) -> bool:
    """Whether groups repeat, and are enough for a bootstrap of groups to mean something."""
    return FEWEST_GROUPS <= len(set(given.groups)) < len(given.groups)


def cluster_metrics(given: Answers, study: Study) -> dict[str, Any]:
    if not _clustered(given):
        return {}
    counts_GLA = grouped_contingency(given.groups, given.gold, given.predicted)
    values = bootstrap.cluster_metrics(counts_GLA, **bootstrap_settings(study))
    return {m: leaf(value, "fraction", len(given.gold), given.run) for m, value in values.items()}


def cluster_gains(baseline: Answers, given: Answers, study: Study) -> dict[str, Any]:
    if not _clustered(given):
        return {}
    counts_GLAA = grouped_contingency(given.groups, given.gold, baseline.predicted, given.predicted)
    gains = bootstrap.cluster_gains(
        counts_GLAA, margin=study.statistics.margin, **bootstrap_settings(study)
    )
    return {m: leaf(gain, "points", len(given.gold), given.run) for m, gain in gains.items()}


def self_awareness(given: Answers, study: Study) -> dict[str, Any]:
    assert given.probabilities is not None
    measured = awareness(given.gold, given.probabilities, **bootstrap_settings(study))
    n = len(given.gold)
    entry: dict[str, Any] = {
        name: leaf(value, "fraction" if name.startswith("risk_at") else "", n, given.run)
        for name, value in measured.estimates.items()
    }
    entry["reliability"] = {
        f"bin_{i}": {
            "confidence": leaf(each.confidence, "fraction", each.n, given.run),
            "accuracy": leaf(each.accuracy, "fraction", each.n, given.run),
        }
        for i, each in enumerate(measured.reliability)
    }
    return entry


def alike_but(study: Study, setting: str) -> list[list[str]]:
    """Compared arms that differ in one setting only, such as "mixture"; two or more each."""
    groups: dict[str, list[str]] = {}
    for run in study.runs():
        if run.baseline != run.arm:
            others = study.arms[run.arm].model_dump_json(exclude={setting})
            groups.setdefault(others, []).append(run.arm)
    return [names for names in groups.values() if len(names) > 1]


def contrasted(study: Study) -> dict[str, dict[str, tuple[str, str]]]:
    """Arms that differ in one setting only, in pairs.

    Returns:
        "mixture" and "reward" -> the pair's name, such as balanced_over_hard_only -> the arm that
        is subtracted, and the arm that it is subtracted from.
    """
    return {
        setting: {
            result_key(f"{second}_over_{first}"): (first, second)
            for arms in alike_but(study, setting)
            for first, second in combinations(arms, 2)
        }
        for setting in SETTINGS
    }


def across_seeds(study: Study, paths: Paths) -> dict[str, Any]:
    """Gains over the baseline of the same seed, and contrasts of arms of the same seed."""
    by_seed = [read_answers(study, paths, seed) for seed in study.seeds]

    def of_pair(first: str, second: str) -> dict[str, Any]:
        return {
            result_key(dataset): _over_seeds(
                study,
                [systems[first][dataset] for systems in by_seed],
                [systems[second][dataset] for systems in by_seed],
                second,
            )
            for dataset in study.datasets
        }

    found = {
        "across_seeds": {
            result_key(run.arm): of_pair(run.baseline, run.arm)
            for run in study.runs()
            if run.arm != run.baseline
        },
        "contrasts_across_seeds": {
            setting: {name: of_pair(*pair) for name, pair in pairs.items()}
            for setting, pairs in contrasted(study).items()
        },
    }
    for section in found.values():
        add_holm(section, lambda path: path.rsplit(".", 2)[1])
    return found


def _over_seeds(
    study: Study, first: list[Answers], second: list[Answers], arm: str
) -> dict[str, Any]:
    """By metric: how far the second system, which is an arm, is above the first on one dataset."""
    gold, seeds = second[0].gold, len(study.seeds)
    tables = [
        gains_of(contingency(gold, one.predicted, two.predicted))
        for one, two in zip(first, second, strict=True)
    ]
    gains = seed_gains(
        gold,
        [one.predicted for one in first],
        [two.predicted for two in second],
        **bootstrap_settings(study),
    )
    return {
        metric: {
            "by_t": leaf(gain.by_t, "points", seeds, arm),
            "hierarchical": leaf(gain.hierarchical, "points", len(gold), arm),
            "seed_variance": leaf(gain.seed_variance, "squared fraction", seeds, arm),
            "example_variance": leaf(gain.example_variance, "squared fraction", len(gold), arm),
            "by_seed": {
                f"seed_{seed}": leaf(float(table[metric]), "points", len(gold), two.run)
                for seed, table, two in zip(study.seeds, tables, second, strict=True)
            },
        }
        for metric, gain in gains.items()
    }
