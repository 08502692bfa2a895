"""Computes results.json, all numbers that the book cites, from answers and training records."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from factmix.results import by_kind, domain_number, domain_shares, protocols, statements
from factmix.results.answers import (
    Answers,
    CompareError,
    check_current,
    check_files,
    read_answers,
    reference_of,
    so_far,
)
from factmix.results.results_json import add_holm, counts, leaf, result_key, rounded
from factmix.stats import bootstrap, paired_tests
from factmix.stats.awareness import awareness
from factmix.stats.bootstrap import Estimate
from factmix.stats.constants import cross_fitted
from factmix.stats.metrics import Counts, contingency, examples_of, grouped_contingency
from factmix.stats.metrics import metrics as metrics_of
from factmix.stats.seeds import seed_gains
from factmix.stats.shift import (
    discrimination,
    rank_correlation,
    shift_or_learning,
    shifted_answers,
)
from factmix.study.files import read_record, write_json, write_sections
from factmix.study.labels import ANSWERS, INVALID, LABELS, Label
from factmix.study.paths import Paths
from factmix.study.run import Run
from factmix.study.spec import Study

DOSE_METRICS = ("balanced_accuracy", "recall_na")
TRAJECTORY_METRICS = ("accuracy", "balanced_accuracy", "recall_na", "recall_pass", "recall_fail")
SETTINGS = ("mixture", "reward")  # a contrast is between two arms that differ in one of these
FEWEST_GROUPS = 20  # with fewer, the intervals of a cluster bootstrap are far too narrow
RECORDS = ("fingerprint", "depends_on", "files_sha256")  # of the data report: no numbers
WINDOW = 25  # training steps whose mean counts as the start, or the end, of a curve


_STUDY: dict[str, str] = {
    "study.name": "name of the study",
    "study.description": "as in the study's file",
    "study.model": "base model, a folder or a name on the hub",
    "study.baseline": "arm that the others are compared with",
    "study.baselines.<arm>": "the same for an arm with another baseline; only where there is one",
    "study.data_fingerprint": "SHA-256 over all data that were drawn",
    "study.resamples": "of each bootstrap",
    "study.confidence": "of each interval",
    "study.alpha": "with a p below this, corrected by Holm, a difference counts as established",
    "seeds": "of the trainings; with several, metrics of arms, gains, contrasts, and total, shift "
    "and learning are means over them, with intervals and tests for other seeds and examples; all "
    "other numbers are of the first, if they do not say otherwise",
    "missing": "runs of the study that are not there yet; only where there are some",
}


def compare(study: Study, paths: Paths, *, incomplete: bool = False) -> dict[str, Any]:
    """Writes what `compute` returns to `paths.results`, and the study to `paths.study`.

    Args:
        study: the study.
        paths: its run.
        incomplete: whether to compare what is finished, and name what is missing.

    Returns:
        the results.
    """
    missing: list[str] = []
    if incomplete:
        whole, (study, finished) = study, so_far(study, paths)
        done = {run.name for run in finished}
        missing = [run.name for run in whole.all_runs() if run.name not in done]
    results = compute(study, paths) | ({"missing": missing} if missing else {})
    write_json(paths.study, study.model_dump(mode="json"))
    write_sections(paths.results, results)
    return results


def compute(study: Study, paths: Paths) -> dict[str, Any]:
    """All results of a study, from the answers and the training records of its arms.

    With several seeds, `metrics` of arms, `gains`, `contrasts` and the parts of `learning` are
    means over seeds, tested for other seeds and examples; other sections are of the first seed.

    Gains, contrasts, `learning` and `mcnemar` have a p value and one corrected by Holm (`p_holm`).
    A family of tests is one metric, one part of a change, or McNemar's test, on all datasets and
    systems. It is not all metrics at once: they describe the same answers, and since a bootstrap p
    is at least 2 / (B + 1), so large a family could never be significant.

    Returns:
        the content of results.json: nested dicts that end in leaves {"value", "unit", "n", "run"}
        and, where they exist, "interval" and "p". Fractions have ten significant digits.

    Raises:
        CompareError: a file is missing or not current (the message says how to make it), or
            systems answered different examples.
    """
    check_files(study, paths)
    check_current([*study.base_runs(), *study.all_runs()], paths)
    report = read_record(paths.data_report)
    systems = read_answers(study, paths)
    references = reference_of(study)
    answering = {name: given for name, given in systems.items() if name in references}
    others = {name: given for name, given in answering.items() if references[name] != name}
    # the baseline's answers of each of the others, in the same nesting
    over = {name: systems[references[name]] for name in others}
    untrained = base_of(study)
    trained = {name: systems[name] for name in untrained}
    bases = {base.arm: systems[base.arm] for base in study.base_runs()}
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
        "learning": _each_pair(
            {name: bases[base] for name, base in untrained.items()},
            trained,
            lambda base, given: learning(base, given, study),
        ),
        "constants": _each(bases, lambda given: _with_constants(given, study)),
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
        "dose": {result_key(run.arm): _dose(run, study, paths) for run in study.runs()},
        "data": counts({part: report[part] for part in report if part not in RECORDS}),
    }
    if len(study.seeds) > 1:
        results |= (found := across_seeds(study, paths))
        _take_means(results, found)
    for section in ("gains", "contrasts", "mcnemar", "learning"):
        add_holm(results[section], lambda path: path.rsplit(".", 1)[1])
    content: dict[str, Any] = rounded(results)
    return content


def _take_means(results: dict[str, Any], found: dict[str, Any]) -> None:
    """Puts means over seeds, with their tests, in the places of the first seed's numbers.

    Those with groups as the sample, which have places of their own, are there alone.
    """
    for section, of_means in (
        ("metrics", found["metrics_across_seeds"]),
        ("gains", found["across_seeds"]),
        ("learning", found["learning_across_seeds"]),
        *(
            (("contrasts", setting), pairs)
            for setting, pairs in found["contrasts_across_seeds"].items()
        ),
    ):
        numbers = results[section] if isinstance(section, str) else results[section[0]][section[1]]
        for arm, datasets in of_means.items():
            for dataset, metrics in datasets.items():
                for metric, spread in metrics.items():
                    mean = spread["crossed"]
                    numbers[arm][dataset][metric] = {
                        name: mean[name] for name in mean if name != "by_seed"
                    }
    for arm in found["metrics_across_seeds"]:
        results["clustered"]["metrics"].pop(arm, None)
    for arm in found["across_seeds"]:
        results["clustered"]["gains"].pop(arm, None)
    for arm, datasets in found["learning_across_seeds"].items():
        for dataset, parts in datasets.items():
            of_arm = results["learning"][arm][dataset]
            reached = of_arm["before"]["value"] + parts["total"]["crossed"]["value"]
            of_arm["after"] = of_arm["after"] | {"value": reached, "run": arm}


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
    """Splits a tidy table with a column arm by the baseline of its systems.

    Systems with different baselines answered different examples and belong in different figures.
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


_CONFUSION: dict[str, str] = {
    "confusion.<system>.<dataset>": "counts: a row for each gold label, NA, PASS, FAIL; a column "
    "for each answer, NA, PASS, FAIL, INVALID",
}


def _confusion(given: Answers) -> Counts:
    return contingency(given.gold, given.predicted)


_METRICS: dict[str, str] = {
    "metrics.<system>.<dataset>.<metric>": "on the evaluation set",
}


def _metrics(given: Answers, study: Study) -> dict[str, Any]:
    confusion_LA = _confusion(given)
    if given.valid is None:  # a constant answer has the same score in every resample
        values: Mapping[str, Estimate | float] = {
            name: float(value) for name, value in metrics_of(confusion_LA).items()
        }
    else:
        values = bootstrap.bootstrap_metrics(confusion_LA, **bootstrap_settings(study))
    return _metric_leaves(values, "fraction", given.gold, given.run)


_GAINS: dict[str, str] = {
    "gains.<system>.<dataset>.<metric>": "difference to the baseline, paired by example",
}


def _gains(baseline: Answers, given: Answers, study: Study) -> dict[str, Any]:
    counts_LAA = contingency(given.gold, baseline.predicted, given.predicted)
    gains = bootstrap.bootstrap_gains(
        counts_LAA, margin=study.statistics.margin, **bootstrap_settings(study)
    )
    return _metric_leaves(gains, "points", given.gold, given.run)


def _metric_leaves(
    estimates: Mapping[str, Estimate | float], unit: str, gold: list[str], run: str
) -> dict[str, dict[str, Any]]:
    """Leaves of metrics, or of their differences, on examples with these gold labels."""
    of_how_many = examples_of(gold)
    return {
        name: leaf(estimate, unit, of_how_many[name], run) for name, estimate in estimates.items()
    }


_SHARES: dict[str, str] = {
    "format_rate.<system>.<dataset>": "share of the answers that are exactly one label",
    "answer_share.<system>.<dataset>.<answer>": "share of the examples with this answer",
}


def _format_rate(given: Answers, study: Study) -> dict[str, Any]:
    assert given.valid is not None
    n = len(given.gold)
    rate = bootstrap.proportion(given.valid, n, confidence=study.statistics.confidence)
    return leaf(rate, "fraction", n, given.run)


def _answer_shares(given: Answers, study: Study) -> dict[str, Any]:
    n, confidence = len(given.gold), study.statistics.confidence
    shares = {
        answer: bootstrap.proportion(given.predicted.count(answer), n, confidence=confidence)
        for answer in map(str, ANSWERS)
    }
    return {name: leaf(share, "fraction", n, given.run) for name, share in shares.items()}


_TRAINING: dict[str, str] = {
    "training.<arm>.reward_start": "mean reward of the first steps",
    "training.<arm>.reward_end": "mean reward of the last steps",
    "training.<arm>.reward_before": "mean reward on the training claims, untrained",
    "training.<arm>.reward_after": "the same, trained, with the same random numbers",
    "training.<arm>.reward_gain": "the difference of the last two",
    "training.<arm>.format_rate_start": "share of valid completions in the first steps",
    "training.<arm>.format_rate_end": "the same in the last steps",
    "training.<arm>.kl_end": "drift from the untrained model in the last steps",
    "training.<arm>.zero_spread_mean": "share of groups whose completions all earn the same",
    "training.<arm>.steps": "training steps",
    "training.<arm>.seconds": "wall time of the training, all of its parts if it was interrupted",
    "training.<arm>.peak_memory_gb": "peak memory of the process",
}


def _training(run: Run, study: Study, paths: Paths) -> dict[str, Any]:
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
        "peak_memory_gb": of_run(record["peak_memory_gb"], "GB", len(metrics)),
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
    "after so many steps; some of the metrics",
}


def _trajectory(run: Run, study: Study, paths: Paths) -> dict[str, Any]:
    """Metrics on the evaluation subset that is answered during training, by dataset and step."""
    folder = paths.run(run)
    frame = pd.read_parquet(folder / "trajectory.parquet")
    trajectory: dict[str, Any] = {result_key(dataset): {} for dataset in study.datasets}
    for (dataset, step), rows in frame.groupby(["dataset", "step"], sort=True):
        gold = rows["gold"].tolist()
        confusion_LA = contingency(gold, rows["predicted"].tolist())
        estimates = bootstrap.bootstrap_metrics(confusion_LA, **bootstrap_settings(study))
        trajectory[result_key(str(dataset))][f"step_{step}"] = _metric_leaves(
            {metric: estimates[metric] for metric in TRAJECTORY_METRICS},
            "fraction",
            gold,
            folder.name,
        )
    return trajectory


_DOSE: dict[str, str] = {
    "dose.<arm>.<dataset>.step_<number>.prompts": "prompts of that dataset among those of the "
    "training so far, by its share of the mixture",
    "dose.<arm>.<dataset>.step_<number>.<metric>": "change since step 0, on the same part of the "
    "evaluation examples; some of the metrics, and only where step 0 was answered",
}


def _dose(run: Run, study: Study, paths: Paths) -> dict[str, Any]:
    """What changed since the start, beside how many prompts of the dataset training has had."""
    folder = paths.run(run)
    frame = pd.read_parquet(folder / "trajectory.parquet").sort_values(["dataset", "step", "id"])
    sizes = {name: sum(counts.values()) for name, counts in run.training_sample.counts.items()}
    dose: dict[str, Any] = {result_key(dataset): {} for dataset in study.datasets}
    steps = sorted(frame["step"].unique().tolist())
    for dataset in study.datasets if 0 in steps else ():
        of_dataset = frame[frame["dataset"] == dataset]
        answers = {int(step): of_dataset[of_dataset["step"] == step] for step in steps}
        start, gold = answers[0]["predicted"].tolist(), answers[0]["gold"].tolist()
        share = sizes.get(dataset, 0) / sum(sizes.values())
        for step in steps[1:]:
            counts_LAA = contingency(gold, start, answers[step]["predicted"].tolist())
            gains = bootstrap.bootstrap_gains(counts_LAA, **bootstrap_settings(study))
            # Many steps are shown and none is tested.
            changes = {
                metric: replace(gains[metric], p=None, at_floor=()) for metric in DOSE_METRICS
            }
            prompts = round(share * step * run.training.prompts_per_step)
            dose[result_key(dataset)][f"step_{step}"] = {
                "prompts": leaf(prompts, "count", prompts, folder.name)
            } | _metric_leaves(changes, "points", gold, folder.name)
    return dose


def bootstrap_settings(study: Study) -> dict[str, Any]:
    """The arguments of a bootstrap; each starts from the seed, so that arms are independent."""
    return {
        "resamples": study.statistics.resamples,
        "confidence": study.statistics.confidence,
        "rng": np.random.default_rng(study.statistics.seed),
    }


_TESTS: dict[str, str] = {
    "mcnemar.<system>.<dataset>.fixed": "examples that are right, and wrong in the baseline",
    "mcnemar.<system>.<dataset>.broken": "examples that are wrong, and right in the baseline",
    "mcnemar.<system>.<dataset>.p": "McNemar's exact test of whether both are equally likely; "
    "its n are the examples that are fixed or broken",
    "mcnemar.<system>.<dataset>.mid_p": "its mid-p version",
    "mcnemar.<system>.<dataset>.odds_ratio": "fixed over broken; absent where none is broken",
    "shift.<system>.<dataset>.statistic": "Stuart-Maxwell test of a shift in the shares of answers",
    "shift.<system>.<dataset>.df": "its degrees of freedom",
    "shift.<system>.<dataset>.p": "its p value",
}


def mcnemar(baseline: Answers, given: Answers, study: Study) -> dict[str, Any]:
    counts_LAA = contingency(given.gold, baseline.predicted, given.predicted)
    test = paired_tests.mcnemar(counts_LAA)
    tested = test.fixed + test.broken
    entry = {
        name: leaf(getattr(test, name), "count", len(given.gold), given.run)
        for name in ("fixed", "broken")
    }
    entry |= {name: leaf(getattr(test, name), "", tested, given.run) for name in ("p", "mid_p")}
    entry["p"]["p"] = test.p  # a value to cite, and a p value to correct
    ratio = test.odds_ratio(study.statistics.confidence)
    return entry if ratio is None else entry | {"odds_ratio": leaf(ratio, "", tested, given.run)}


def shift(baseline: Answers, given: Answers) -> dict[str, Any]:
    counts_LAA = contingency(given.gold, baseline.predicted, given.predicted)
    test, n = paired_tests.stuart_maxwell(counts_LAA), len(given.gold)
    return {
        "statistic": leaf(test.statistic, "", n, given.run),
        "df": leaf(test.df, "count", n, given.run),
        "p": leaf(test.p, "", n, given.run),
    }


_LEARNING: dict[str, str] = {
    "learning.<arm>.<dataset>.before": "balanced accuracy of the untrained model, where every "
    "answer is the label of highest probability",
    "learning.<arm>.<dataset>.after": "the same of the arm",
    "learning.<arm>.<dataset>.total": "the difference",
    "learning.<arm>.<dataset>.shift": "the part of it that two constants added to the untrained "
    "model's log-odds give, with which it gives each label as often as the arm",
    "learning.<arm>.<dataset>.learning": "the rest of it",
    "learning.<arm>.<dataset>.agreement": "share of the answers that are the same with these "
    "constants",
    "learning.<arm>.<dataset>.agreement_unshifted": "the same without them",
    "learning.<arm>.<dataset>.constants.<label>": "these constants; NA has none",
    "learning.<arm>.<dataset>.auroc_na": "change of the probability that an example of gold NA has "
    "a higher probability of NA than another",
    "learning.<arm>.<dataset>.auroc_pass_fail": "the same of PASS against FAIL, by their log-odds",
    "learning.<arm>.<dataset>.rank_correlation": "Spearman's, of the log-odds of NA and PASS with "
    "the untrained model's",
    "constants.<system>.<dataset>.<metric>": "of the untrained model with two constants, fitted to "
    "the gold labels of other groups; absent where there are few groups",
}


def base_of(study: Study) -> dict[str, str]:
    """Of each arm, the run of the untrained model that answered the same examples."""
    bases = {base.evaluation_sample.variant: base.arm for base in study.base_runs()}
    return {run.arm: bases[run.evaluation_sample.variant] for run in study.runs()}


def learning(base: Answers, given: Answers, study: Study) -> dict[str, Any]:
    """A change of balanced accuracy as shift and learning; see `factmix.stats.shift`."""
    assert base.probabilities is not None and given.probabilities is not None
    split = shift_or_learning(
        given.gold, base.probabilities, given.probabilities, **bootstrap_settings(study)
    )
    n, verdicts = len(given.gold), len(given.gold) - given.gold.count(Label.NA)
    before = discrimination(base.gold, base.probabilities)
    after = discrimination(given.gold, given.probabilities)
    constants = dict(zip(map(str, LABELS), split.constants.tolist(), strict=True))
    return {
        "before": leaf(split.before, "fraction", n, base.run),
        "after": leaf(split.before + split.total.value, "fraction", n, given.run),
        **{
            name: leaf(part, "points", n, given.run)
            for name, part in (
                ("total", split.total),
                ("shift", split.shift),
                ("learning", split.learning),
            )
        },
        "agreement": leaf(split.agreement, "fraction", n, given.run),
        "agreement_unshifted": leaf(split.agreement_unshifted, "fraction", n, given.run),
        "constants": {label: leaf(constants[label], "nats", n, given.run) for label in constants},
        "auroc_na": leaf(after["auroc_na"] - before["auroc_na"], "", n, given.run),
        "auroc_pass_fail": leaf(
            after["auroc_pass_fail"] - before["auroc_pass_fail"], "", verdicts, given.run
        ),
        "rank_correlation": leaf(
            rank_correlation(base.probabilities, given.probabilities), "", n, given.run
        ),
    }


def _with_constants(given: Answers, study: Study) -> dict[str, Any]:
    """Metrics with two constants, cross-fitted; none with too few groups to fit them."""
    assert given.probabilities is not None
    labelled = set(zip(given.gold, given.groups, strict=True))
    if min(sum(gold == label for gold, _ in labelled) for label in LABELS) < FEWEST_GROUPS:
        return {}
    answers_N = cross_fitted(given.gold, given.groups, given.probabilities)
    return _metrics(replace(given, predicted=[str(LABELS[i]) for i in answers_N]), study)


_CLUSTERED: dict[str, str] = {
    "clustered.metrics.<system>.<dataset>.<metric>": "as metrics, with groups resampled; of "
    "several seeds it is `grouped` of metrics_across_seeds",
    "clustered.gains.<system>.<dataset>.<metric>": "as gains, with groups resampled; of several "
    "seeds it is `grouped` of across_seeds",
}


def _clustered(given: Answers) -> bool:
    """Whether some group has several examples, and there are enough groups to resample."""
    return FEWEST_GROUPS <= len(set(given.groups)) < len(given.groups)


def cluster_metrics(given: Answers, study: Study) -> dict[str, Any]:
    if not _clustered(given):
        return {}
    counts_GLA = grouped_contingency(given.groups, given.gold, given.predicted)
    values = bootstrap.cluster_metrics(counts_GLA, **bootstrap_settings(study))
    return _metric_leaves(values, "fraction", given.gold, given.run)


def cluster_gains(baseline: Answers, given: Answers, study: Study) -> dict[str, Any]:
    if not _clustered(given):
        return {}
    counts_GLAA = grouped_contingency(given.groups, given.gold, baseline.predicted, given.predicted)
    gains = bootstrap.cluster_gains(
        counts_GLAA, margin=study.statistics.margin, **bootstrap_settings(study)
    )
    return _metric_leaves(gains, "points", given.gold, given.run)


_AWARENESS: dict[str, str] = {
    "awareness.<system>.<dataset>.ece": "calibration error of the most probable label: mean gap "
    "between its probability and how often it is right",
    "awareness.<system>.<dataset>.brier": "Brier score of the label probabilities, 0 to 2",
    "awareness.<system>.<dataset>.auroc_na": "probability that an example of gold NA has a higher "
    "probability of NA than another",
    "awareness.<system>.<dataset>.aurc": "mean of the risk over all shares of answered examples",
    "awareness.<system>.<dataset>.risk_at_<number>": "risk when so many percent are answered, "
    "those with the lowest probability of NA: share of errors when PASS or FAIL is answered",
    "awareness.<system>.<dataset>.reliability.bin_<number>.confidence": "mean probability of the "
    "most probable label, in one of ten bins of equal mass",
    "awareness.<system>.<dataset>.reliability.bin_<number>.accuracy": "share of right ones there",
}


def self_awareness(given: Answers, study: Study) -> dict[str, Any]:
    assert given.probabilities is not None
    measured = awareness(given.gold, given.probabilities, **bootstrap_settings(study))
    entry: dict[str, Any] = {
        name: leaf(
            value,
            "fraction" if name.startswith("risk_at") else "",
            measured.examples[name],
            given.run,
        )
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


PAIRWISE = 10  # arms of a sweep are too many for a comparison of each with each
_CONTRASTS: dict[str, str] = {
    "contrasts.<setting>.<pair>.<dataset>.<metric>": "difference of two arms that differ in one "
    f"setting only, paired by example; none where more than {PAIRWISE} arms differ so",
}


def contrasted(study: Study) -> dict[str, dict[str, tuple[str, str]]]:
    """Arms that differ in one setting only, in pairs; of more than `PAIRWISE` such arms none.

    Returns:
        "mixture" and "reward" -> the pair's name, such as balanced_over_hard_only -> the arm that
        is subtracted, and the arm that it is subtracted from.
    """
    return {
        setting: {
            result_key(f"{second}_over_{first}"): (first, second)
            for arms in alike_but(study, setting)
            if len(arms) <= PAIRWISE
            for first, second in combinations(arms, 2)
        }
        for setting in SETTINGS
    }


_SEEDS: dict[str, str] = {
    "across_seeds.<system>.<dataset>.<metric>.<spread>": "gain over the baseline of the same seed; "
    "only where a study has several seeds",
    "metrics_across_seeds.<arm>.<dataset>.<metric>.<spread>": "of the answers of each seed; only "
    "where a study has several seeds",
    "contrasts_across_seeds.<setting>.<pair>.<dataset>.<metric>.<spread>": "contrasts of arms of "
    "the same seed; only where a study has several seeds",
    "learning_across_seeds.<arm>.<dataset>.<share>.<spread>": "of the change of balanced accuracy "
    "over the untrained model, shift and learning; only where a study has several seeds",
}


def across_seeds(study: Study, paths: Paths) -> dict[str, Any]:
    """What is a mean over seeds, seed by seed; gains and contrasts are of runs with one seed."""
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

    compared = {name: of for name, of in reference_of(study).items() if name != of}
    found = {
        "across_seeds": {
            result_key(name): of_pair(baseline, name) for name, baseline in compared.items()
        },
        "contrasts_across_seeds": {
            setting: {name: of_pair(*pair) for name, pair in pairs.items()}
            for setting, pairs in contrasted(study).items()
        },
    }
    found["learning_across_seeds"] = {
        result_key(arm): {
            result_key(dataset): _learning_over_seeds(
                study,
                by_seed[0][base][dataset],
                [systems[arm][dataset] for systems in by_seed],
                arm,
            )
            for dataset in study.datasets
        }
        for arm, base in base_of(study).items()
    }
    for section in found.values():
        add_holm(section, lambda path: ".".join(path.rsplit(".", 2)[1:]))
    reached = {
        result_key(run.arm): {
            result_key(dataset): _metrics_over_seeds(
                study, [systems[run.arm][dataset] for systems in by_seed], run.arm
            )
            for dataset in study.datasets
        }
        for run in study.runs()
    }
    said = statements.statements(study, paths, by_seed)
    by_shares = domain_shares.domain_shares(study, by_seed)
    # A sweep has these mixtures, too, and other questions.
    by_number = {} if by_shares else domain_number.domain_number(study, by_seed)
    apart = {
        "protocols": protocols.protocols(study, paths, by_seed),
        "domain_shares": by_shares,
        "domain_number": by_number,
        "by_kind": by_kind.by_kind(study, by_seed) if by_number else {},
    }
    return (
        found
        | {"metrics_across_seeds": reached, "statements": said}
        | {name: section for name, section in apart.items() if section}
    )


def _metrics_over_seeds(study: Study, given: list[Answers], arm: str) -> dict[str, Any]:
    """For each metric, its mean: the gain over a system all of whose answers are invalid."""
    nothing = [replace(each, predicted=[str(INVALID)] * len(each.gold)) for each in given]
    found = _over_seeds(study, nothing, given, arm)
    for spread in found.values():
        for test in (spread["crossed"], spread["grouped"]):
            test["unit"] = "fraction"
            test.pop("p", None)  # of being 0
            test.pop("p_noninferior", None)
    return found


def _learning_over_seeds(
    study: Study, base: Answers, given: list[Answers], arm: str
) -> dict[str, Any]:
    """The total change of balanced accuracy over the base model, shift, and learning."""
    assert base.probabilities is not None
    split: list[dict[str, list[str]]] = []
    for each in given:
        assert each.probabilities is not None
        split.append(shifted_answers(base.probabilities, each.probabilities)[1])

    def answered(name: str) -> list[Answers]:
        return [
            replace(each, predicted=answers[name])
            for each, answers in zip(given, split, strict=True)
        ]

    return {
        share: _over_seeds(study, answered(first), answered(second), arm)["balanced_accuracy"]
        for share, (first, second) in {
            "total": ("before", "after"),
            "shift": ("before", "shifted"),
            "learning": ("shifted", "after"),
        }.items()
    }


def _over_seeds(
    study: Study, first: list[Answers], second: list[Answers], arm: str
) -> dict[str, Any]:
    """For each metric, the gain of the second system, an arm, over the first on one dataset."""
    seeds = len(study.seeds)
    gains = seed_gains(
        second[0].gold,
        [one.predicted for one in first],
        [two.predicted for two in second],
        groups=second[0].groups,
        confidence=study.statistics.confidence,
        margin=study.statistics.margin,
    )
    return {
        metric: {
            "crossed": leaf(gain.crossed, "points", seeds, arm) | {"by_seed": gain.by_seed},
            "grouped": leaf(gain.grouped, "points", seeds, arm),
            "seed_variance": leaf(gain.seed_variance, "squared fraction", seeds, arm),
            "example_variance": leaf(gain.example_variance, "squared fraction", gain.examples, arm),
        }
        for metric, gain in gains.items()
    }


# The nesting of results.json, as dotted keys of its leaves with their meanings; the section `data`
# has the keys of the data report (`mixtures.REPORT_KEYS`).
KEYS: dict[str, str] = (
    _STUDY
    | _METRICS
    | _GAINS
    | _TESTS
    | _LEARNING
    | _CLUSTERED
    | _AWARENESS
    | _SHARES
    | _CONFUSION
    | _TRAINING
    | _TRAJECTORY
    | _DOSE
)
CONTRAST_KEYS: dict[str, str] = (
    _CONTRASTS
    | _SEEDS
    | statements.KEYS
    | protocols.KEYS
    | domain_number.KEYS
    | domain_shares.KEYS
    | by_kind.KEYS
)
# What every results.json has.
SECTIONS = frozenset(key.partition(".")[0] for key in (*KEYS, *_CONTRASTS)) - {"missing"}
