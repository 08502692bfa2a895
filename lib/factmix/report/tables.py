"""The tables of chapters and of runs, from the templates `tables` and `published-tables`."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from factmix.organism.domains import KINDS, SHARES
from factmix.published.released import DATASETS
from factmix.report.baselines import arm_name, contrasts_of
from factmix.report.markdown import tabled
from factmix.report.published_study import PATTERN, Published
from factmix.report.sources import Results
from factmix.report.templates import METRIC_NAMES, render, say
from factmix.results.protocols import AS_DESCRIBED, OUTCOMES
from factmix.results.results_json import result_key
from factmix.study.labels import LABELS, Label
from factmix.study.run import PREDICTIONS
from factmix.study.settings import Reward
from factmix.training.rewards import advantages, component_names, components, orders

NA, PASS, FAIL = LABELS
F1 = [name for name in METRIC_NAMES if name.startswith("f1")]
STUDY = ("mixtures", "arms", "gains", "learning", "mcnemar", "training", "shares", "base", "data",
         "overlap", "awareness", "robustness")  # fmt: skip
AUDIT = ("evidence", "overlap", "constant", "invalid", "explored", "weights", "decisions", "sizes")
# The claims of the blog that bear on each statement of the chapter Claim.
STATEMENTS: dict[str, Sequence[str]] = {
    "claims-mixture": (
        "weighted_beats_balanced_on_hard",
        "weighted_is_best_by_accuracy",
        "weighted_is_best_by_accuracy_on_hard",
        "weighted_is_best_by_macro_f1",
        "weighted_is_best_by_na_recall",
        "balanced_is_best_on_easy",
    ),
    "claims-abstention": ("na_gain_of_weighted_alone",),
    "claims-protection": ("hard_only_loses_easy", "weighted_keeps_easy"),
    "claims-nothing-else": (
        "train_and_test_are_separate",
        "reward_counters_na_collapse",
        "balanced_reaches_highest_reward",
    ),
}


def of_study(results: Results) -> dict[str, str]:
    """Every table of a study, by name."""
    made = {name: _study(name, results) for name in STUDY}
    made["reward"] = render("reward.md.j2", reward=results.study.rewards["published"])
    made |= of_advantages(results)
    for dataset in results.datasets:
        made[f"metrics-{dataset}"] = metrics(results, dataset)
        made[f"f1-{dataset}"] = _study("by_system", results.content["metrics"], dataset, F1)
    return made


def of_advantages(results: Results) -> dict[str, str]:
    """What a group of completions makes of the rewards, and which parts of one decide an order."""
    rewards, size = results.study.rewards, results.study.training.group_size
    shown = {name: reward for name, reward in rewards.items() if reward.kind != "format_only"}
    half = size // 2
    groups = [[(NA, size - half), (PASS, half)], [(PASS, size - half), (FAIL, half)]]
    if size > 3:
        groups.append([(NA, 1), (PASS, size - 1)])
        groups.append([(NA, size - half), (PASS, half - 1), (FAIL, 1)])
    rows = [
        (gold, group, [_advantages(reward, gold, group) for reward in shown.values()])
        for gold in LABELS
        for group in groups
    ]
    published = rewards["published"]
    parts = component_names(published)
    found = [orders(published), *(orders(published, without=part) for part in parts)]
    return {
        "advantages": tabled(say("advantages.md.j2", "groups", list(shown), rows)),
        "reward-parts": tabled(say("advantages.md.j2", "parts", parts, found)),
    }


def _advantages(
    reward: Reward, gold: Label, group: Sequence[tuple[Label, int]]
) -> dict[Label, float]:
    """The advantage of each answer in a group of valid completions."""
    given = [answer for answer, times in group for _ in range(times)]
    earned = [
        sum(components(reward, predicted=each, format_valid=True, gold=gold).values())
        for each in given
    ]
    return dict(zip(given, advantages(earned), strict=True))


def metrics(results: Results, dataset: str) -> str:
    """Metrics of every arm on a dataset in percent, with rows of what was not trained to reason.

    These are the constant answers, the base model with two constants, and a classifier that
    sees which words occur.
    """
    file, words_alone = results.paths.shortcuts, None
    if file.is_file():
        words_alone = json.loads(file.read_text(encoding="utf-8"))[dataset]["claim_and_evidence"]
    return _study("metrics", results, dataset, words_alone)


def of_seeds(results: Results) -> dict[str, str]:
    """The tables of the page about single seeds, by name; none of a study with one seed."""
    if "across_seeds" not in results.content:
        return {}
    content, seeds = results.content, len(results.content["seeds"])
    gains = [
        (arm_name(arm), dataset, of)
        for arm, datasets in content["gains"].items()
        if arm in results.arms
        for dataset, of in datasets.items()
    ]
    contrasts = [
        (
            f"{arm_name(each.second)} over {arm_name(each.first)}",
            each.dataset,
            content["contrasts"][setting][each.pair][each.dataset],
        )
        for setting, found in contrasts_of(results).items()
        for each in found
    ]
    made = {}
    for metric in ("balanced_accuracy", "recall_na"):
        for about, over, rows in (
            ("", "the baseline", gains),
            ("contrasts-", "another arm", contrasts),
        ):
            tested = [(name, dataset, of[metric]) for name, dataset, of in rows]
            made[f"seeds-{about}{metric}"] = _study("seeds", over, seeds, tested)
    return made


def of_second(results: Results) -> dict[str, str]:
    """The tables of the page about a second base model, by name."""
    return {f"second-{name}": _study(name, results) for name in ("base", "learning")}


REAL = ("base", "data", "gains", "learning", "training")


def of_real(results: Results) -> dict[str, str]:
    """The tables of the page about a language model on real claims, by name."""
    made = of_study(results)
    chosen = [*REAL, *(f"metrics-{dataset}" for dataset in results.datasets)]
    shown = {f"real-{name}": made[name] for name in chosen}
    content = results.content["contrasts"]
    for metric in ("balanced_accuracy", "recall_na"):
        rows = [
            (each, content[setting][each.pair][each.dataset][metric])
            for setting, found in contrasts_of(results).items()
            for each in found
        ]
        shown[f"real-contrasts-{metric}"] = _study("contrasts", metric, rows)
    return shown


def of_reseeded(results: Results) -> dict[str, str]:
    """The tables of the page about further seeds of the language model, by name."""
    made = of_seeds(results) | {"learning": _study("learning", results)}
    made["answers"] = _study("answers", results, _answer_shares(results))
    return {f"reseeded-{name}": text for name, text in made.items()}


def _answer_shares(results: Results) -> dict[tuple[str, str], list[list[float]]]:
    """System and dataset -> for each seed, the fraction of each label among the answers."""
    study, seeds, made = results.study, results.content["seeds"], {}
    files = {"base": [results.paths.base / PREDICTIONS] * len(seeds)} | {
        arm: [results.paths.run(study.run(arm, seed)) / PREDICTIONS for seed in seeds]
        for arm in study.arms
    }
    for arm, kept in files.items():
        answered = [pd.read_parquet(file) for file in kept]
        for dataset in results.datasets:
            given = [each.loc[each["dataset"] == dataset, "predicted"] for each in answered]
            made[arm, dataset] = [[float((of == x).mean()) for x in LABELS] for of in given]
    return made


def of_pairs(results: Results) -> dict[str, str]:
    """The table of the page about the number of training domains, by name."""
    return {"pairs-learning": _study("learning", results)}


def of_sweep(results: Results) -> dict[str, str]:
    """The table of the page about the shares of training domains, by name."""
    return {"sweep-learning": _study("learning", results)}


def of_kinds() -> dict[str, str]:
    """The table of the kinds of claims of the invented world, and how often each occurs."""
    sides = ("the evidence decides", "nothing decides")
    rows = [
        (side, kind, [SHARES[domain][i].get(kind) for domain in SHARES])
        for i, side in enumerate(sides)
        for kind in KINDS
        if any(kind in SHARES[domain][i] for domain in SHARES)
    ]
    return {"kinds": _study("kinds", KINDS, list(SHARES), rows)}


def of_protocols(results: Results, study: Published) -> dict[str, str]:
    """The tables of the page about described and released, by name."""
    (found,) = results.content["protocols"].values()
    stands_for = {result_key(d): each.stands_for for d, each in results.study.datasets.items()}
    published = {DATASETS[name]: of for name, of in study.numbers["pattern"].items()}
    pair = "_over_".join(PATTERN)
    cells, own = list(found["contrast"][pair]), list(found["own"][pair])
    compared = [
        (
            outcome,
            dataset,
            published[stands_for[dataset] or ""][outcome],
            [found["contrast"][pair][cell][dataset][outcome] for cell in cells],
            [found["own"][pair][cell][dataset][outcome]["crossed"] for cell in own],
        )
        for outcome in OUTCOMES
        for dataset in results.datasets
        if outcome in found["contrast"][pair][AS_DESCRIBED].get(dataset, {})
    ]
    contaminated = [
        (mixture, cell, dataset, of["accuracy"])
        for mixture, of_cell in found["contamination"].items()
        for cell, of_dataset in of_cell.items()
        for dataset, of in of_dataset.items()
    ]
    effects = [
        (mixture, cell, dataset, of)
        for mixture, of_cell in found["effect"].items()
        for cell, of_dataset in of_cell.items()
        for dataset, of in of_dataset.items()
    ]
    return {
        "protocols": _study("protocols", compared, cells, own),
        "protocol-effects": _study("protocol_effects", effects),
        "contamination": _study("contamination", contaminated),
    }


def of_published(study: Published) -> dict[str, str]:
    """Every table of the pages on the published study and on the ledger, by name."""
    made = {f"audit-{name}": _published(name, study) for name in AUDIT}
    made |= {f"published-{name}": _published(name, study) for name in ("mcnemar", "curves")}
    for dataset in DATASETS:
        made[f"published-gains-{dataset}"] = _published("gains", study, dataset)
        for name, names in (("f1", F1), ("metrics", [n for n in METRIC_NAMES if n not in F1])):
            table = _study("by_system", study.numbers["metrics"], dataset, names)
            made[f"published-{name}-{dataset}"] = table
    made["claims-numbers"] = _published("claims_numbers", study, words=True)
    for name, claims in ({"claims": list(study.ledger.claims)} | STATEMENTS).items():
        made[name] = _published("claims", study, claims, words=True)
    return made


def of_statistics(measured: dict[str, Any]) -> dict[str, str]:
    """Tables of the page that checks the statistics, and how that was run; by name."""
    commands = [measured[name]["command"] for name in ("bootstrap", "coverage")]
    return {
        "coverage": _study("coverage", measured["coverage"]),
        "type-one": _study("type_one", measured["coverage"]),
        "crossed": _study("crossed", measured["coverage"]),
        "benchmark-commands": "\n".join(["```bash", *commands, "```\n"]),
    }


def _study(name: str, *facts: Any) -> str:
    return tabled(say("tables.md.j2", name, *facts))


def _published(name: str, *facts: Any, words: bool = False) -> str:
    return tabled(say("published-tables.md.j2", name, *facts), words)
