"""Computes results.json, all numbers that the book cites, from answers and training records."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from factmix.results import contrasts, of_answers, of_training, over_seeds
from factmix.results.answers import (
    Answers,
    check_current,
    check_files,
    read_answers,
    reference_of,
    so_far,
)
from factmix.results.contrasts import base_of, contrasted
from factmix.results.results_json import add_holm, counts, result_key, rounded
from factmix.study.files import read_record, write_json, write_sections
from factmix.study.paths import Paths
from factmix.study.spec import Study

RECORDS = ("fingerprint", "depends_on", "files_sha256")  # of the data report: no numbers


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
    "seeds": "of the trainings; with several, metrics of arms, gains, contrasts, trajectory, dose, "
    "and total, shift and learning are means over them, with intervals for other seeds and "
    "examples; all other numbers are of the first, if they do not say otherwise",
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

    With several seeds, `metrics` of arms, `gains`, `contrasts`, `trajectory`, `dose` and the parts
    of `learning` are means over seeds, for other seeds and examples; other sections are of the
    first seed.

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
        "metrics": _each(systems, lambda given: of_answers.metrics(given, study)),
        "gains": _each_pair(
            over, others, lambda first, given: of_answers.gains(first, given, study)
        ),
        "mcnemar": _each_pair(
            over, others, lambda first, given: of_answers.mcnemar(first, given, study)
        ),
        "shift": _each_pair(over, others, of_answers.shift),
        "learning": _each_pair(
            {name: bases[base] for name, base in untrained.items()},
            trained,
            lambda base, given: of_answers.learning(base, given, study),
        ),
        "constants": _each(bases, lambda given: of_answers.with_constants(given, study)),
        "contrasts": {
            setting: _each_pair(
                {name: systems[first] for name, (first, _) in pairs.items()},
                {name: systems[second] for name, (_, second) in pairs.items()},
                lambda first, given: of_answers.gains(first, given, study),
            )
            for setting, pairs in contrasted(study).items()
        },
        "clustered": {
            "metrics": _each(answering, lambda given: of_answers.cluster_metrics(given, study)),
            "gains": _each_pair(
                over, others, lambda first, given: of_answers.cluster_gains(first, given, study)
            ),
        },
        "awareness": _each(answering, lambda given: of_answers.self_awareness(given, study)),
        "format_rate": _each(answering, lambda given: of_answers.format_rate(given, study)),
        "answer_share": _each(answering, lambda given: of_answers.answer_shares(given, study)),
        "confusion": _each(answering, lambda given: of_answers.confusion(given).tolist()),
        "training": {
            result_key(run.arm): of_training.training(run, study, paths) for run in study.runs()
        },
        "trajectory": {
            result_key(run.arm): of_training.trajectory(run, study, paths) for run in study.runs()
        },
        "dose": {result_key(run.arm): of_training.dose(run, study, paths) for run in study.runs()},
        "data": counts({part: report[part] for part in report if part not in RECORDS}),
    }
    if len(study.seeds) > 1:
        results |= (found := over_seeds.across_seeds(study, paths))
        _take_means(results, found)
    for section in ("gains", "contrasts", "mcnemar", "learning"):
        add_holm(results[section], lambda path: path.rsplit(".", 1)[1])
    content: dict[str, Any] = rounded(results)
    return content


def _take_means(results: dict[str, Any], found: dict[str, Any]) -> None:
    """Moves means over seeds, with their tests, to the places of the first seed's numbers.

    Those with groups as the sample stay in places of their own, and are there alone.
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
                    numbers[arm][dataset][metric] = spread.pop("crossed")
    for arm in found["metrics_across_seeds"]:
        results["clustered"]["metrics"].pop(arm, None)
    for arm in found["across_seeds"]:
        results["clustered"]["gains"].pop(arm, None)
    for arm, datasets in found["learning_across_seeds"].items():
        for dataset in datasets:
            of_arm = results["learning"][arm][dataset]
            reached = of_arm["before"]["value"] + of_arm["total"]["value"]
            of_arm["after"] = of_arm["after"] | {"value": reached, "run": arm}


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


# The nesting of results.json, as dotted keys of its leaves with their meanings; the section `data`
# has the keys of the data report (`mixtures.REPORT_KEYS`).
KEYS: dict[str, str] = _STUDY | of_answers.KEYS | of_training.KEYS
CONTRAST_KEYS: dict[str, str] = contrasts.KEYS | over_seeds.KEYS
# What every results.json has.
SECTIONS = frozenset(key.partition(".")[0] for key in (*KEYS, *contrasts.KEYS)) - {"missing"}
