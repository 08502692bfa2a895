"""The page about two arms that go on: sentences and tables."""

from typing import Any

import numpy as np

from factmix.report.markdown import tabled
from factmix.report.sources import Results
from factmix.report.templates import say
from factmix.results import of_answers
from factmix.results.answers import read_answers
from factmix.results.numbers import Leaf
from factmix.results.plateau import plateau
from factmix.results.results_json import correct, result_key
from factmix.study.run import Run

MIXTURES = ("hard_only", "balanced")  # of which the second is compared with the first
METRIC = "balanced_accuracy"


def said(default: Results, longer: Results) -> dict[str, str]:
    """What two arms do in more steps, by the names of the texts.

    Args:
        default: the results of the same arms with fewer steps.
        longer: of a study with one seed.
    """
    paid = [run for run in longer.study.runs() if run.reward.kind == "accuracy"]
    runs = {run.mixture: run for run in paid}
    first, second = (runs[mixture] for mixture in MIXTURES)
    arms = {run.arm: _on_the_way(longer, run) for run in (first, second)}
    pair = result_key(f"{second.arm}_over_{first.arm}")
    tested = longer.content["contrasts"]["mixture"][pair]
    early = of_first_seed(default, first, second)
    contrast = {
        dataset: {
            "early": early[dataset],
            "all": default.content["contrasts"]["mixture"][pair][dataset][METRIC],
            "late": tested[dataset][METRIC],
        }
        for dataset in longer.datasets
    }
    steps = (default.study.run(first.arm).steps, first.steps)
    facts = {
        "pair": pair,
        **{
            when: [name for name, ends in contrast.items() if longer.established(ends[when])]
            for when in ("early", "late")
        },
        "smaller": [
            name
            for name, ends in contrast.items()
            if abs(ends["late"]["value"]) < abs(ends["early"]["value"])
        ],
    }
    facts["turned"] = [
        name
        for name in facts["early"]
        if name in facts["late"]
        and (contrast[name]["early"]["value"] > 0) != (contrast[name]["late"]["value"] > 0)
    ]
    grown = {
        run.arm: {
            dataset: [
                results.content[section][result_key(run.arm)][dataset][of]
                for section, of in (("learning", "learning"), ("gains", "recall_na"))
                for results in (default, longer)
            ]
            for dataset in longer.datasets
        }
        for run in (first, second)
    }
    pairs = {
        dataset: [of_arm[dataset][:2] for of_arm in grown.values()] for dataset in longer.datasets
    }
    doubled = [
        dataset
        for dataset, of_arms in pairs.items()
        if all(late["value"] > 2 * early["value"] for early, late in of_arms)
    ]
    away = [result_key(name) for name, of in longer.study.datasets.items() if of.held_out]
    return {
        "findings-plateau-grown": say("plateau.md.j2", "what_grew", grown, doubled, away, *steps),
        "findings-plateau": say("plateau.md.j2", "sentences", arms, contrast, facts, *steps),
        "findings-plateau-short": say("plateau.md.j2", "brief", arms, *steps),
        "plateau-steps": tabled(say("plateau.md.j2", "table", arms)),
        "plateau-contrasts": tabled(say("plateau.md.j2", "contrasts", contrast, *steps)),
        "plateau-grown": tabled(say("plateau.md.j2", "grown", grown, *steps)),
    }


def of_first_seed(default: Results, first: Run, second: Run) -> dict[str, Leaf]:
    """The difference of two arms with fewer steps, by the test that one seed allows.

    Returns:
        dataset -> the leaf of balanced accuracy, corrected over the datasets.
    """
    given = read_answers(default.study, default.paths)
    found = {
        result_key(dataset): of_answers.gains(
            given[first.arm][dataset], given[second.arm][dataset], default.study
        )[METRIC]
        for dataset in default.study.datasets
    }
    correct(list(found.values()))
    return found


def _on_the_way(longer: Results, run: Run) -> dict[str, Any]:
    """Balanced accuracy at each step that was answered, and what the rule says about it."""
    at: dict[int, dict[str, Leaf]] = {}
    for dataset, steps in longer.content["trajectory"][result_key(run.arm)].items():
        for step, metrics in steps.items():
            at.setdefault(int(step.removeprefix("step_")), {})[dataset] = metrics[METRIC]
    means = {
        step: float(np.mean([leaf["value"] for leaf in of.values()]))
        for step, of in sorted(at.items())
    }
    counts = run.training_sample.counts
    away = [result_key(name) for name in longer.study.datasets if not counts.get(name)]
    return {"at": at, "means": means, "plateau": plateau(means), "away": away}
