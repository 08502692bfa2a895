"""The page of the base model: what it sees, what it says, and whether it has something to learn."""

import json
from collections.abc import Iterable, Mapping
from math import isfinite
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd

from factmix.report import figures
from factmix.report.drawings import Drawing
from factmix.report.markdown import table, tabled
from factmix.report.sources import RECIPES, Results
from factmix.report.templates import digits, say
from factmix.results.answers import read_answers
from factmix.results.model_card import AIMS, BLOCKING
from factmix.results.numbers import Leaf, duration
from factmix.results.results_json import result_key
from factmix.results.statements import DIVERSE
from factmix.stats.constants import log_probabilities, tied
from factmix.stats.metrics import contingency, gains
from factmix.stats.shift import shifted_answers
from factmix.study.labels import LABELS
from factmix.study.run import BASE, PREDICTIONS
from factmix.training.columns import PROBABILITIES

TABLES = ("says", "learns", "tests")
FIRST = 5  # steps of training in which the model is nearly the untrained one
LABELS_OF = ("warm_start", "own")  # notebooks/supervised.md
AVERAGED = 10  # steps of a warm start, over which its loss is averaged
FITTED = 0.2  # more of the taught claims are right after training, where it fitted them
# What the warm start of the language model was to reach, as fractions; set before it was made.
AIMED: dict[str, dict[str, tuple[float, float]]] = {
    "balanced_accuracy": {
        "fever": (0.7, 1.0),
        "vitaminc": (0.4, 0.6),
        "climate_fever": (0.35, 0.5),
    },
    "recall_na": {"vitaminc": (0.2, 0.6), "climate_fever": (0.2, 0.6)},
}
COARSE = 1e-3  # nats; the language model's log-odds lie on a grid of sixteenths but for less
OF_FORMAT = "A5"  # the test of a base model with the same aim for the format
HARDLY_TOLD = (
    0.6  # AUROC, below which a sentence says that a kind is hardly told from the other side
)


def card_of(results: Results) -> dict[str, Any] | None:
    """card.json of a study; None where its base model was not measured."""
    return _measured(results.paths.card)


def _measured(file: Path) -> dict[str, Any] | None:
    """What a notebook wrote about a model; None where it was not executed."""
    if not file.is_file():
        return None
    measured: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return measured


def tables(results: Results) -> dict[str, str]:
    """The tables of the page, by name; those of the card only where the model was measured."""
    return {"model-recipes": _recipes(), **of_card(results, "model")}


def of_card(results: Results, prefix: str) -> dict[str, str]:
    """The tables of a base model's card, and which tests it failed, by name; none without it."""
    card = card_of(results)
    if card is None:
        return {}
    failed: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in card["tests"]:
        if not (each["passed"] or each["blocking"]):
            failed.setdefault((each["test"], each["about"]), []).append(each)
    unseen = [row for row in card["kinds"] if row["auroc_na"] < HARDLY_TOLD]
    blocked = rejected_by(results)
    made = {f"{prefix}-{name}": tabled(say("model.md.j2", name, card)) for name in TABLES}
    made[f"{prefix}-unseen"] = say("model.md.j2", "unseen", unseen)
    return made | {f"{prefix}-failed": say("model.md.j2", "failed", failed, blocked)}


def rejected_by(results: Results) -> list[dict[str, Any]]:
    """The failed tests of a base model's card that block; none without a card."""
    tests = (card_of(results) or {"tests": []})["tests"]
    return [each for each in tests if each["blocking"] and not each["passed"]]


def tests_of_answers(results: Results) -> list[dict[str, Any]]:
    """The tests of a card that a study's own answers and curves can make, as rows.

    For a base model without claims of its own to measure it on. The baseline's reward is for the
    format, so what the base model earns under it says how often its format is valid.
    """
    content, study = results.content, results.study
    by_accuracy = [run for run in study.runs() if run.reward.kind == "accuracy"]
    (diverse,) = [run for run in by_accuracy if run.mixture == DIVERSE]
    learned = content["learning"][result_key(diverse.arm)]
    base, told = content["metrics"]["base"], content["awareness"]["base"]
    hard = [result_key(name) for name, each in study.datasets.items() if each.hard]
    easy = [name for name in results.datasets if name not in hard]
    found: dict[str, dict[str, float]] = {}
    if results.paths.shortcuts.is_file():
        words = json.loads(results.paths.shortcuts.read_text(encoding="utf-8"))
        found["balanced accuracy above words alone"] = {
            name: base[name]["balanced_accuracy"]["value"]
            - words[name]["claim_and_evidence"]["balanced_accuracy"]["value"]
            for name in results.datasets
        }
    for label in LABELS:
        recall = f"recall_{label.lower()}"
        found[f"recall of {label}"] = {name: base[name][recall]["value"] for name in base}
    for about, of in (
        ("balanced accuracy", {name: base[name]["balanced_accuracy"]["value"] for name in base}),
        ("AUROC of NA", {name: told[name]["auroc_na"]["value"] for name in told}),
    ):
        best = max(of[name] for name in hard)
        found[f"lead over hard datasets in {about}"] = {name: of[name] - best for name in easy}
    found["gain of two constants"] = {
        name: content["constants"]["base"][name]["balanced_accuracy"]["value"]
        - learned[name]["before"]["value"]
        for name in hard
        if content["constants"]["base"][name]  # there are none with too few groups
    }
    taught = _measured(results.paths.supervised / "own.json")
    if taught and _fitted(taught):  # else the control says nothing
        found["supervised training over constants"] = {
            name: taught["gained"][name]["over_constants"]["value"] for name in hard
        }
    leaves = {name: learned[name]["learning"] for name in hard}
    found["learning of GRPO"] = {name: leaf["value"] for name, leaf in leaves.items()}
    lowest = {name: leaf["interval"][0] for name, leaf in leaves.items()}
    found["lower end of its interval"] = lowest
    rewards = pd.read_parquet(results.paths.run(study.run(study.baseline)) / "rewards.parquet")
    valid = (rewards["before"] > 0).groupby(rewards["dataset"]).mean()
    found["valid format at the training temperature"] = {
        name: float(valid[name]) for name in study.datasets
    }
    found["groups without spread"] = {
        f"prompts of {run.mixture}": float(
            pd.read_parquet(results.paths.run(run) / "metrics.parquet")["zero_spread"][
                :FIRST
            ].mean()
        )
        for run in by_accuracy
    }
    rows: list[dict[str, Any]] = []
    for about, of in found.items():
        test, low, high = AIMS[about]
        bounds = {"low": low if isfinite(low) else None, "high": high if isfinite(high) else None}
        rows += [
            {
                "test": test,
                "blocking": test in BLOCKING,
                "about": about,
                "dataset": name,
                "value": value,
            }
            | bounds
            | {"passed": low <= value <= high}
            for name, value in of.items()
        ]
    return rows


def blocking(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """The rows of failed tests that block: test -> what it is about -> rows."""
    failed: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row in rows:
        if row["blocking"] and not row["passed"]:
            failed.setdefault(row["test"], {}).setdefault(row["about"], []).append(row)
    return failed


def of_answers(results: Results, rows: list[dict[str, Any]], prefix: str) -> dict[str, str]:
    """The tables of `tests_of_answers` and of the control by labels, and sentences about both.

    Args:
        results: of the study.
        rows: of `tests_of_answers`.
        prefix: of the names.
    """
    section = results.content["learning"].values()
    leaves = [each["learning"] for of in section for each in of.values()]
    learned = any(results.established(leaf) and leaf["value"] > 0 for leaf in leaves)
    base = results.content["metrics"]["base"]
    aims = [
        {
            "metric": metric,
            "dataset": dataset,
            "low": low,
            "high": high,
            "leaf": base[dataset][metric],
        }
        for metric, of in AIMED.items()
        for dataset, (low, high) in of.items()
    ]
    aims += [
        {key: row[key] for key in ("dataset", "low", "high")}
        | {"metric": row["about"], "leaf": {"value": row["value"], "unit": "fraction"}}
        for row in rows
        if row["test"] == OF_FORMAT
    ]
    made = {
        f"{prefix}-aims": say("model.md.j2", "aims", aims),
        f"{prefix}-tests": tabled(say("model.md.j2", "tests", {"tests": rows})),
        f"{prefix}-rejected": say("model.md.j2", "rejected", blocking(rows), learned),
    }
    files = {whose: _measured(results.paths.supervised / f"{whose}.json") for whose in LABELS_OF}
    taught = {whose: found for whose, found in files.items() if found}
    if not taught:
        return made | {f"{prefix}-labels": "", f"{prefix}-labels-table": ""}
    rose = {
        whose: [
            name
            for name, of in found["gained"].items()
            if results.established(of["learning"]) and of["learning"]["value"] > 0
        ]
        for whose, found in taught.items()
    }
    fitted = {whose: _fitted(found) for whose, found in taught.items()}
    return made | {
        f"{prefix}-labels": say("model.md.j2", "labels", taught, rose, fitted),
        f"{prefix}-labels-table": tabled(say("model.md.j2", "taught", taught)),
    }


def _fitted(taught: Mapping[str, Any]) -> bool:
    """Whether supervised training learned the labels that it was shown."""
    return bool(taught["own"]["after"] > taught["own"]["before"] + FITTED)


def of_warm_start(results: Results, prefix: str) -> dict[str, str]:
    """What the warm start of a study took, and how far it learned its labels, in a sentence."""
    made = _measured(results.paths.warm_start)
    if made is None:
        return {f"{prefix}-warm-start": ""}
    ends = fmean(made["losses"][:AVERAGED]), fmean(made["losses"][-AVERAGED:])
    facts = made, duration(made["wall_seconds"]), ends, AVERAGED
    return {f"{prefix}-warm-start": say("model.md.j2", "warm_start", *facts)}


def of_plan(results: Results, prefix: str) -> dict[str, str]:
    """What `factmix plan` says of a study with one seed, beside what it took, in a sentence."""
    planned, made = _measured(results.paths.plan), _measured(results.paths.warm_start)
    if planned is None or made is None:
        return {f"{prefix}-planned": ""}
    took = [results.content["training"][arm]["seconds"]["value"] for arm in results.arms]
    times = (planned["time"]["seconds"], made["wall_seconds"] + sum(took))
    return {f"{prefix}-planned": say("model.md.j2", "planned", *map(duration, times))}


def of_ties(results: Results, prefix: str) -> dict[str, str]:
    """How often labels of the base model are equally probable, in sentences; "" where never.

    They say, too, what learning hangs on differences of log-odds below `COARSE`.
    """
    answered = pd.read_parquet(results.paths.base / PREDICTIONS)
    found = {}
    for name in results.datasets:
        of = answered[answered["dataset"] == name]
        ties = tied(log_probabilities(of[list(PROBABILITIES)].to_numpy()))
        found[name] = {"ties": ties, "of": len(of)}
    shown = {name: each for name, each in found.items() if each["ties"]}
    if not shown:
        return {f"{prefix}-ties": ""}
    return {f"{prefix}-ties": say("model.md.j2", "ties", shown, _by_coarse_odds(results), COARSE)}


def _by_coarse_odds(results: Results) -> dict[str, Any]:
    """How far learning, of any arm on any dataset, is from that by coarser log-odds, at most."""
    systems, most = read_answers(results.study, results.paths), 0.0
    for name in results.study.datasets:
        base = systems[BASE][name]
        assert base.probabilities is not None
        coarse_NL = np.exp(np.round(log_probabilities(base.probabilities) / COARSE) * COARSE)
        for arm in results.study.arms:
            given = systems[arm][name].probabilities
            assert given is not None
            learned = []
            for before_NL in (base.probabilities, coarse_NL):
                answers = shifted_answers(before_NL, given)[1]
                counts_LAA = contingency(base.gold, answers["shifted"], answers["after"])
                learned.append(float(gains(counts_LAA)["balanced_accuracy"]))
            most = max(most, abs(learned[1] - learned[0]))
    return {"value": most, "unit": "points"}


def of_unseen(results: Results, prefix: str) -> dict[str, str]:
    """A table and a sentence for each dataset that all systems answered beside the study's own.

    Args:
        results: of the study.
        prefix: of the names of both, which go on with that of the dataset.
    """
    made = {}
    for file in sorted(results.paths.unseen.glob("*/numbers.json")):
        found = json.loads(file.read_text(encoding="utf-8"))
        of_arms = [of for of in found["systems"].values() if "change" in of]
        sure = [of["change"]["value"] for of in of_arms if results.established(of["change"])]
        counts = {
            "of": len(of_arms),
            "more": sum(each > 0 for each in sure),
            "fewer": sum(each < 0 for each in sure),
        }
        ends = {
            name: (min(leaves, key=_value), max(leaves, key=_value))
            for name in ("right", "right_of_verdicts")
            for leaves in [[of[name] for of in of_arms if name in of]]
        }
        told = [of["right_of_verdicts"] for of in found["systems"].values() if _tested(of)]
        guess = all(low <= 0.5 <= high for low, high in (each["interval"] for each in told))
        name = f"{prefix}-{file.parent.name}"
        made[name] = say("model.md.j2", "unseen_dataset", found, ends, counts, guess)
        made[f"{name}-table"] = tabled(say("model.md.j2", "unseen_systems", found))
    return made


def _tested(of: Mapping[str, Any]) -> bool:
    """Whether what a system gets right of its verdicts has an interval: not where all is alike."""
    return "interval" in of.get("right_of_verdicts", {})


def _value(leaf: Leaf) -> float:
    return float(leaf["value"])


def _recipes() -> str:
    """The table of recipes; shares of right labels are of each recipe's own documents."""
    tried = pd.read_csv(RECIPES)
    shares = [name for name in tried if name not in ("recipe", "steps", "minutes", "outcome")]
    header = ["taught", "steps", "minutes", *(f"{name}, %" for name in shares), "what came of it"]
    rows = [
        [
            row["recipe"],
            digits(row["steps"], ",.0f"),
            _given(row["minutes"], "{:.0f}"),
            *(_given(100 * row[name], "{:.0f}") for name in shares),
            row["outcome"],
        ]
        for row in tried.to_dict("records")
    ]
    return table(header, rows)


def _given(value: float, form: str) -> str:
    return "" if pd.isna(value) else form.format(value)


def drawing(results: Results, notebook: str = "base_model") -> dict[str, Drawing]:
    """The heat map of what the base model's probabilities tell by kind of claim.

    Args:
        results: of a study on it.
        notebook: whose page shows it, too; "" where none does.
    """
    card = card_of(results)
    if card is None:
        return {}
    seen = sorted(card["kinds"], key=lambda row: row["auroc_na"])
    ends = [(row["auroc_na"], row["kind"], row["dataset"]) for row in (seen[0], seen[-1])]
    kinds = pd.DataFrame(card["kinds"])
    return {"kinds": Drawing(kinds, figures.plot_kinds, ("kinds", *ends), notebook)}
