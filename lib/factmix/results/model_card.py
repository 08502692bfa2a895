"""What a base model can tell and what it says, before GRPO, and whether a study of it can answer.

A base model that has nothing to learn makes every arm look alike. So it must pass tests before any
other arm is trained on it (`acceptance`): it reads, it is unsure where it can improve, and both
supervised training and GRPO gain more than moved thresholds.
"""

import json
from collections.abc import Collection, Mapping
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from factmix.data.shortcuts import shortcuts
from factmix.results.results_json import leaf
from factmix.stats.bootstrap import Estimate, bootstrap_gains
from factmix.stats.constants import cross_fitted, log_probabilities, most_probable
from factmix.stats.metrics import Answered, Floats, contingency, metrics
from factmix.stats.shift import discrimination, shift_or_learning
from factmix.study.labels import ANSWERS, LABELS, Label
from factmix.study.run import BASE
from factmix.study.spec import Study
from factmix.training.columns import PROBABILITIES

if TYPE_CHECKING:
    from factmix.training.policy import Policy

BLOCKING = ("A1", "A4", "A6")
BARE = 13  # completions without evidence for each claim; for all domains more than 51,200
SLIGHTLY = 1e-12  # above 0
# What is asked for, by what it is about: the test, and from where to where.
AIMS: dict[str, tuple[str, float, float]] = {
    "balanced accuracy above words alone": ("A1", 0.05, inf),
    "recall of NA": ("A2", 0.2, 0.6),
    "recall of PASS": ("A2", 0.2, 0.95),
    "recall of FAIL": ("A2", 0.2, 0.95),
    "lead over hard datasets in balanced accuracy": ("A3", 0.05, inf),
    "lead over hard datasets in AUROC of NA": ("A3", 0.05, inf),
    "gain of two constants": ("A4", 0.03, inf),
    "supervised training over constants": ("A4", 0.08, inf),
    "learning of GRPO": ("A4", 0.02, inf),
    "lower end of its interval": ("A4", SLIGHTLY, inf),
    "valid format at the training temperature": ("A5", 0.6, 0.8),
    "groups without spread": ("A6", 0.4, 0.8),
    "groups without spread, published reward": ("A6, published", 0.4, 0.8),
    "groups with spread in a kind that habits touch": ("A6", 0.2, inf),
    "cost of instructions": ("A7", -inf, 0.05),
    "PASS or FAIL without evidence": ("A8", -inf, 0.0),
}


def card(policy: "Policy", development: pd.DataFrame, study: Study) -> pd.DataFrame:
    """What a model can tell and what it says, by dataset.

    Args:
        policy: the base model.
        development: examples used neither for training nor for evaluation.
        study: its prompt, and the temperatures of training (format rate) and evaluation (answers).

    Returns:
        index dataset; columns n; recall_<label> and balanced_accuracy of the sampled answers;
        most_probable, the balanced accuracy of the most probable labels; with_constants, the same
        with two constants that suit other groups best; instructed, the same with instructions on
        the format of the answer; auroc_na and auroc_pass_fail; format_rate at the training
        temperature; the share of each answer, and without evidence that of bare_<answer>, among
        n_bare completions at the training temperature.
    """
    from factmix.training.evaluate import answer  # needs torch

    bare = development.assign(evidence=development["evidence"].map(lambda _: []))
    instructed = study.prompt.model_copy(update={"instructed": True})
    asked, same = partial(answer, policy), {"seed": study.evaluation.seed}
    cool, hot = study.evaluation.temperature, study.training.temperature
    given = partial(asked, prompt=study.prompt, **same)
    told = given(development, temperature=cool, name="the base model")
    sampled = given(development, temperature=hot, name="the base model, as in training")
    untold = pd.concat(
        asked(bare, seed=seed, prompt=study.prompt, temperature=hot, name="without evidence")
        for seed in range(study.evaluation.seed, study.evaluation.seed + BARE)
    )
    asked_more = asked(development, prompt=instructed, temperature=cool, name="instructed", **same)
    rows = {}
    for dataset in study.datasets:
        mine = (told["dataset"] == dataset).to_numpy()
        own, gold = told[mine], told["gold"][mine].tolist()
        answered = metrics(contingency(gold, own["predicted"].tolist()))
        rows[dataset] = {
            "n": len(own),
            **{f"recall_{each}": float(answered[f"recall_{each.lower()}"]) for each in LABELS},
            "balanced_accuracy": float(answered["balanced_accuracy"]),
            "most_probable": _balanced(gold, _most_probable(own)),
            "with_constants": _balanced(gold, _with_constants(own)),
            "instructed": _balanced(gold, _most_probable(asked_more[mine])),
            **discrimination(gold, own[list(PROBABILITIES)].to_numpy()),
            "format_rate": float(sampled["format_valid"][mine].mean()),
            **_shares(own, ""),
            "n_bare": int((untold["dataset"] == dataset).sum()),
            **_shares(untold[untold["dataset"] == dataset], "bare_"),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("dataset")


def words_alone(
    development: pd.DataFrame, pools: Mapping[str, pd.DataFrame], *, seed: int
) -> dict[str, float]:
    """Balanced accuracy of a classifier that sees which words occur, by dataset.

    Args:
        development: the examples that it is tested on.
        pools: all examples of each dataset; it is trained on those of other groups.
        seed: of the subsample of large datasets.
    """
    found = {}
    for dataset, pool in pools.items():
        test = development[development["dataset"] == dataset]
        train = pool[~pool["group"].isin(test["group"])]
        scores = shortcuts(train, test, seed=seed)
        found[dataset] = float(scores["claim_and_evidence"]["balanced_accuracy"]["value"])
    return found


def by_kind(policy: "Policy", development: pd.DataFrame, study: Study) -> pd.DataFrame:
    """What a model can tell, and what it explores, by dataset and kind of claim.

    Args:
        policy: the base model, or a trained one.
        development: as for `card`.
        study: as for `card`; also its group size, and the rewards of its arms.

    Returns:
        index dataset, decided (whether the claims have a verdict) and kind; columns n; recall (of
        the gold labels); auroc_na (of p(NA), between these claims and all of the dataset that are
        decided if these are not, or that are not if these are); auroc_pass_fail (NaN for claims
        without a verdict); for each reward no_spread_<reward>, the share of claims whose
        completions, as many as in a group of training and at its temperature, all earn the same.
    """
    from factmix.training.evaluate import answer  # needs torch
    from factmix.training.reward_gain import totals

    asked = partial(answer, policy, development, prompt=study.prompt)
    first = study.evaluation.seed
    told = asked(temperature=study.evaluation.temperature, seed=first)
    told["decided"] = told["gold"] != Label.NA
    told["right"] = told["predicted"] == told["gold"]
    rewards = {study.arms[run.arm].reward: run.reward for run in study.runs()}
    earned: dict[str, list[list[float]]] = {name: [] for name in rewards}
    for seed in range(first, first + study.training.group_size):
        sampled = asked(temperature=study.training.temperature, seed=seed, name=f"sample {seed}")
        for name, reward in rewards.items():
            earned[name].append(totals(sampled, reward))
    spread = [f"no_spread_{name}" for name in rewards]
    for column, values_GP in zip(spread, earned.values(), strict=True):
        told[column] = np.ptp(np.array(values_GP), axis=0) == 0
    keys = ["dataset", "decided", "kind"]
    table = told.groupby(keys, sort=False).agg(
        n=("id", "size"), recall=("right", "mean"), **{each: (each, "mean") for each in spread}
    )
    for dataset, decided, kind in table.index:
        domain = told[told["dataset"] == dataset]
        mine = (domain["decided"] == decided) & (domain["kind"] == kind)
        against = domain[mine | (domain["decided"] != decided)]
        row = (dataset, decided, kind)
        table.loc[row, "auroc_na"] = _discrimination(against)["auroc_na"]
        table.loc[row, "auroc_pass_fail"] = _discrimination(domain[mine])["auroc_pass_fail"]
    return table[["n", "recall", "auroc_na", "auroc_pass_fail", *spread]]


def gained(
    base: "Policy", trained: "Policy", development: pd.DataFrame, study: Study
) -> pd.DataFrame:
    """What training gained over the base model, beyond moved thresholds, by dataset.

    Args:
        base: the base model.
        trained: with an adapter.
        development: as for `card`.
        study: its prompt and its statistics.

    Returns:
        index dataset; columns shift and learning (`factmix.stats.shift`), and over_constants, the
        gain of balanced accuracy over the base model with the constants that suit other groups
        best; each an `Estimate`. Every answer is the most probable label.
    """
    from factmix.training.evaluate import answer  # needs torch

    asked = partial(
        answer,
        examples=development,
        prompt=study.prompt,
        temperature=study.evaluation.temperature,
        seed=study.evaluation.seed,
    )
    before, after = asked(base, name="base"), asked(trained, name="the trained model")
    rows: dict[str, dict[str, Estimate]] = {}
    for dataset in study.datasets:
        first, second = (each[each["dataset"] == dataset] for each in (before, after))
        gold = first["gold"].tolist()
        split = shift_or_learning(
            gold,
            first[list(PROBABILITIES)].to_numpy(),
            second[list(PROBABILITIES)].to_numpy(),
            **_bootstrap(study),
        )
        over = bootstrap_gains(
            contingency(gold, _with_constants(first), _most_probable(second)), **_bootstrap(study)
        )
        rows[dataset] = {
            "shift": split.shift,
            "learning": split.learning,
            "over_constants": over["balanced_accuracy"],
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("dataset")


def acceptance(
    card: pd.DataFrame,
    words: Mapping[str, float],
    kinds: pd.DataFrame,
    supervised: pd.DataFrame,
    grpo: pd.DataFrame,
    *,
    hard: Collection[str],
    easy: Collection[str],
    touched: Collection[tuple[str, str]],
) -> pd.DataFrame:
    """The tests that a base model must pass before other arms are trained on it.

    Args:
        card: from `card`.
        words: from `words_alone`.
        kinds: from `by_kind`, with the reward `accuracy`, and perhaps `published`.
        supervised: from `gained`, after supervised training on the study's balanced sample.
        grpo: the same after GRPO with the accuracy reward.
        hard: datasets on which the model is weak.
        easy: datasets on which it is strong, of those that are trained on.
        touched: datasets and kinds of claims on which its pretraining left habits.

    Returns:
        a row for each test and dataset: test, blocking (whether a model that fails it is rejected),
        about, dataset, value, low and high (what is asked for; infinite where one side is free),
        and passed.
    """
    idle = {}
    rewards = [reward for reward in ("accuracy", "published") if f"no_spread_{reward}" in kinds]
    for reward in rewards:
        no_spread = kinds[f"no_spread_{reward}"] * kinds["n"]
        shares = no_spread.groupby("dataset").sum() / kinds.groupby("dataset")["n"].sum()
        idle[reward] = {str(name): float(share) for name, share in shares.items()}
    best = {name: max(card.loc[list(hard), name]) for name in ("balanced_accuracy", "auroc_na")}
    rows: list[tuple[str, str, str, float, float, float]] = []

    def ask(about: str, of: Mapping[str, float], *, more: str = "") -> None:
        test, low, high = AIMS[about]
        rows.extend((test, more or about, name, value, low, high) for name, value in of.items())

    def of(name: str, datasets: Collection[str] = ()) -> dict[str, float]:
        column = card[name]
        return {str(key): float(column[key]) for key in datasets or card.index}

    above = {name: value - words[name] for name, value in of("balanced_accuracy").items()}
    ask("balanced accuracy above words alone", above)
    for label in LABELS:
        ask(f"recall of {label}", of(f"recall_{label}"))
    for name, about in (("balanced_accuracy", "balanced accuracy"), ("auroc_na", "AUROC of NA")):
        lead = {key: value - best[name] for key, value in of(name, easy).items()}
        ask(f"lead over hard datasets in {about}", lead)
    constants = of("with_constants", hard)
    moved = {name: value - float(card["most_probable"][name]) for name, value in constants.items()}
    ask("gain of two constants", moved)
    taught = {name: float(supervised["over_constants"][name].value) for name in hard}
    ask("supervised training over constants", taught)
    learned = {name: float(grpo["learning"][name].value) for name in hard}
    ask("learning of GRPO", learned)
    lowest = {name: float(grpo["learning"][name].interval[0]) for name in hard}
    ask("lower end of its interval", lowest)
    ask("valid format at the training temperature", of("format_rate"))
    ask("groups without spread", idle["accuracy"])
    for reward in rewards[1:]:
        ask(f"groups without spread, {reward} reward", idle[reward])
    spread = {}
    for dataset, _, kind in kinds.index[[(at[0], at[2]) in touched for at in kinds.index]]:
        of_kind = kinds.xs((dataset, kind), level=("dataset", "kind"))["no_spread_accuracy"]
        spread[f"{dataset}, {kind}"] = 1 - float(of_kind.min())
    ask("groups with spread in a kind that habits touch", spread)
    cost = {name: value - of("instructed")[name] for name, value in of("most_probable").items()}
    ask("cost of instructions", cost)
    decided = {name: of("bare_PASS")[name] + of("bare_FAIL")[name] for name in card.index}
    completions = f"PASS or FAIL among {int(card['n_bare'].min()):,} completions without evidence"
    ask("PASS or FAIL without evidence", decided, more=completions)
    columns = ["test", "about", "dataset", "value", "low", "high"]
    found = pd.DataFrame(rows, columns=columns)
    found.insert(1, "blocking", found["test"].isin(BLOCKING))
    return found.assign(passed=found["value"].between(found["low"], found["high"]))


def record(
    card: pd.DataFrame,
    words: Mapping[str, float],
    kinds: pd.DataFrame,
    trained: Mapping[str, pd.DataFrame],
    tests: pd.DataFrame,
) -> dict[str, Any]:
    """All that was measured, as card.json has it: numbers as leaves of results.json.

    Args:
        card: from `card`.
        words: from `words_alone`.
        kinds: from `by_kind`.
        trained: how it was trained, such as "supervised" -> from `gained`.
        tests: from `acceptance`.

    Returns:
        card.<dataset>.<column>, words_alone.<dataset>, kinds (a list of rows),
        trained.<how>.<dataset>.<column>, and tests (a list of rows; null is no limit).
    """
    n = card["n"].to_dict()
    return {
        "card": {
            dataset: {
                name: leaf(float(value), "fraction", n[dataset], BASE)
                for name, value in row.items()
                if name != "n"
            }
            for dataset, row in card.iterrows()
        },
        "words_alone": {
            name: leaf(value, "fraction", n[name], BASE) for name, value in words.items()
        },
        "kinds": json.loads(kinds.reset_index().to_json(orient="records")),
        "trained": {
            how: {
                dataset: {name: leaf(each, "points", n[dataset], how) for name, each in row.items()}
                for dataset, row in gains.iterrows()
            }
            for how, gains in trained.items()
        },
        "tests": json.loads(tests.replace([inf, -inf], np.nan).to_json(orient="records")),
    }


def _bootstrap(study: Study) -> dict[str, Any]:
    numbers = study.statistics
    rng = np.random.default_rng(numbers.seed)
    return {"resamples": numbers.resamples, "confidence": numbers.confidence, "rng": rng}


def _discrimination(answered: pd.DataFrame) -> dict[str, float]:
    return discrimination(answered["gold"].tolist(), answered[list(PROBABILITIES)].to_numpy())


def _with_constants(answered: pd.DataFrame) -> list[str]:
    """The answers with the constants that suit other groups best."""
    probabilities_NL = answered[list(PROBABILITIES)].to_numpy()
    chosen_N = cross_fitted(answered["gold"].tolist(), answered["group"].tolist(), probabilities_NL)
    return [str(LABELS[i]) for i in chosen_N]


def _most_probable(answered: pd.DataFrame) -> Floats:
    """The most probable label of each answer; several share it."""
    return most_probable(log_probabilities(answered[list(PROBABILITIES)].to_numpy()))


def _balanced(gold: list[str], answers: Answered) -> float:
    return float(metrics(contingency(gold, answers))["balanced_accuracy"])


def _shares(answered: pd.DataFrame, prefix: str) -> dict[str, float]:
    counts_A = contingency(answered["gold"].tolist(), answered["predicted"].tolist()).sum(axis=0)
    shares = (counts_A / len(answered)).tolist()
    return {f"{prefix}{name}": share for name, share in zip(map(str, ANSWERS), shares, strict=True)}
