"""The sections of results.json that are means over seeds, tested for other seeds and examples."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from factmix.results import (
    by_kind,
    domain_number,
    domain_shares,
    of_training,
    protocols,
    statements,
)
from factmix.results.answers import Answers, read_answers, reference_of
from factmix.results.contrasts import base_of, contrasted
from factmix.results.of_training import DOSE_METRICS, TRAJECTORY_METRICS
from factmix.results.results_json import add_holm, leaf, result_key
from factmix.stats.metrics import Answered, Floats
from factmix.stats.seeds import seed_gains
from factmix.stats.shift import shifted_answers
from factmix.study.labels import INVALID
from factmix.study.paths import Paths
from factmix.study.spec import Study

_SEEDS: dict[str, str] = {
    "across_seeds.<system>.<dataset>.<metric>.<spread>": "gain over the baseline of the same seed; "
    "only where a study has several seeds",
    "metrics_across_seeds.<arm>.<dataset>.<metric>.<spread>": "of the answers of each seed; only "
    "where a study has several seeds",
    "contrasts_across_seeds.<setting>.<pair>.<dataset>.<metric>.<spread>": "contrasts of arms of "
    "the same seed; only where a study has several seeds",
    "learning_across_seeds.<arm>.<dataset>.<share>.<spread>": "of the change of balanced accuracy "
    "over the base model, shift and learning; only where a study has several seeds. The means "
    "of these four are `gains`, `metrics`, `contrasts` and `learning`",
}


def across_seeds(study: Study, paths: Paths) -> dict[str, Any]:
    """What is a mean over seeds, seed by seed; gains and contrasts are of runs with one seed.

    `trajectory` and `dose` take the places of those of the first seed.
    """
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
        | _on_the_way(study, paths)
        | {name: section for name, section in apart.items() if section}
    )


def _on_the_way(study: Study, paths: Paths) -> dict[str, Any]:
    """The sections trajectory and dose: metrics at some steps, and their changes since step 0."""
    trajectory: dict[str, Any] = {}
    dose: dict[str, Any] = {}
    for run in study.runs():
        answers = [of_training.on_the_way(study.run(run.arm, seed), paths) for seed in study.seeds]
        arm = result_key(run.arm)
        trajectory[arm], dose[arm] = {}, {}
        for dataset in study.datasets:
            steps = {
                step: [each[dataset][step] for each in answers] for step in answers[0][dataset]
            }
            trajectory[arm][result_key(dataset)] = {
                f"step_{step}": _means(
                    _metrics_over_seeds(study, given, run.arm), TRAJECTORY_METRICS
                )
                for step, given in steps.items()
            }
            dose[arm][result_key(dataset)] = {
                f"step_{step}": of_training.prompts(run, dataset, step, run.arm)
                | _means(_over_seeds(study, steps[0], given, run.arm), DOSE_METRICS)
                for step, given in steps.items()
                if step and 0 in steps
            }
    return {"trajectory": trajectory, "dose": dose}


def _means(found: dict[str, Any], metrics: Sequence[str]) -> dict[str, Any]:
    """The means alone, without a test: many steps are shown and none is tested."""
    kept = ("value", "unit", "n", "run", "interval")
    crossed = {metric: found[metric]["crossed"] for metric in metrics}
    return {
        metric: {name: mean[name] for name in kept if name in mean}
        for metric, mean in crossed.items()
    }


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
    split: list[dict[str, Floats]] = []
    for each in given:
        assert each.probabilities is not None
        split.append(shifted_answers(base.probabilities, each.probabilities)[1])

    def gained(first: str, second: str) -> dict[str, Any]:
        before, after = ([of[name] for of in split] for name in (first, second))
        found: dict[str, Any] = _gains(study, base, before, after, arm)["balanced_accuracy"]
        return found

    return {
        "total": gained("before", "after"),
        "shift": gained("before", "shifted"),
        "learning": gained("shifted", "after"),
    }


def _over_seeds(
    study: Study, first: list[Answers], second: list[Answers], arm: str
) -> dict[str, Any]:
    """For each metric, the gain of the second system, an arm, over the first on one dataset."""
    before, after = ([each.predicted for each in system] for system in (first, second))
    return _gains(study, second[0], before, after, arm)


def _gains(
    study: Study,
    claims: Answers,
    first: Sequence[Answered],
    second: Sequence[Answered],
    arm: str,
) -> dict[str, Any]:
    """For each metric, the gain of the second answers to these claims over the first, by seed."""
    seeds = len(study.seeds)
    gains = seed_gains(
        claims.gold,
        first,
        second,
        groups=claims.groups,
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


KEYS: dict[str, str] = (
    _SEEDS
    | statements.KEYS
    | protocols.KEYS
    | domain_number.KEYS
    | domain_shares.KEYS
    | by_kind.KEYS
)
