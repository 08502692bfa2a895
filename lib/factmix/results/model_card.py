"""The base model's accuracy before any training with GRPO, on entities outside its pretraining."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from factmix.stats.metrics import Counts, contingency, indices_in, metrics
from factmix.stats.shift import discrimination
from factmix.study.labels import ANSWERS, LABELS, Label
from factmix.study.spec import Study
from factmix.training.columns import PROBABILITIES

if TYPE_CHECKING:
    from factmix.training.policy import Policy

OFFSETS = np.linspace(-4, 4, 81)  # logit offsets of PASS and FAIL against NA that are tried


def card(policy: "Policy", development: pd.DataFrame, study: Study, *, seed: int) -> dict[str, Any]:
    """Accuracy, format rate, headroom and answer shares by dataset.

    Headroom is the balanced accuracy of the label probabilities with one logit offset per label and
    dataset, minus the balanced accuracy without offsets. The offsets are fitted on one half of the
    development examples; both accuracies are computed on the other half.

    Args:
        policy: the base model.
        development: examples used neither for training nor for evaluation.
        study: its prompt, and the temperatures of training (format rate) and evaluation (answers).
        seed: of the halves.

    Returns:
        for each dataset: n (of the second half), recall of each label, balanced_accuracy, headroom,
        the share of each answer with and without evidence, format_rate at the training temperature.
    """
    from factmix.training.evaluate import answer  # needs torch

    bare = development.assign(evidence=development["evidence"].map(lambda _: []))
    asked = partial(answer, policy, prompt=study.prompt, seed=study.evaluation.seed)
    cool, hot = study.evaluation.temperature, study.training.temperature
    told = asked(development, temperature=cool, name="the base model")
    sampled = asked(development, temperature=hot, name="the base model, as in training")
    untold = asked(bare, temperature=cool, name="the base model, without evidence")
    rng = np.random.default_rng(seed)
    cards = {}
    for dataset in study.datasets:
        mine = (told["dataset"] == dataset).to_numpy()
        rows = rng.permutation(np.flatnonzero(mine))
        fit, held = rows[: len(rows) // 2], rows[len(rows) // 2 :]
        gold = told["gold"].to_numpy()
        logits = np.log(told[list(PROBABILITIES)].to_numpy())
        offsets = fit_offsets(logits[fit], gold[fit])
        raw = balanced_accuracy(logits[held], gold[held])
        answered = metrics(contingency(gold[held].tolist(), told["predicted"].iloc[held].tolist()))
        cards[dataset] = {
            "n": len(held),
            "recall": {str(label): float(answered[f"recall_{label.lower()}"]) for label in LABELS},
            "balanced_accuracy": raw,
            "headroom": balanced_accuracy(logits[held] + offsets, gold[held]) - raw,
            "format_rate": float(sampled["format_valid"][mine].mean()),
            "answers": _shares(told[mine]),
            "answers_without_evidence": _shares(untold[mine]),
        }
    return cards


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
    table = told.groupby(keys).agg(
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


def _discrimination(answered: pd.DataFrame) -> dict[str, float]:
    return discrimination(answered["gold"].tolist(), answered[list(PROBABILITIES)].to_numpy())


def balanced_accuracy(logits: np.ndarray, gold: np.ndarray) -> float:
    """Balanced accuracy when the label with the highest of the (N, L) logits is the answer."""
    return float(metrics(_confusion(logits, _indices(gold)))["balanced_accuracy"])


def fit_offsets(logits: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """The logit offsets (L,), 0 for NA, of the best balanced accuracy among pairs of OFFSETS.

    Of pairs that are equally good, the smallest offsets.
    """
    pairs = np.array([(0.0, on_pass, on_fail) for on_pass in OFFSETS for on_fail in OFFSETS])
    gold_N = _indices(gold)
    tables = np.stack([_confusion(logits + offsets, gold_N) for offsets in pairs])
    accuracies = metrics(tables)["balanced_accuracy"].tolist()
    best = max(
        (accuracy, -abs(on_pass) - abs(on_fail), on_pass, on_fail)
        for accuracy, (_, on_pass, on_fail) in zip(accuracies, pairs.tolist(), strict=True)
    )
    return np.array([0.0, *best[2:]])


def _indices(gold: np.ndarray) -> npt.NDArray[np.intp]:
    return indices_in(LABELS, gold.tolist(), "gold label")


def _confusion(logits: np.ndarray, gold_N: npt.NDArray[np.intp]) -> Counts:
    """Counts gold x answer when the label with the highest of the (N, L) logits is the answer."""
    cells = gold_N * len(ANSWERS) + logits.argmax(axis=1)
    counts: Counts = np.bincount(cells, minlength=len(LABELS) * len(ANSWERS))
    return counts.reshape(len(LABELS), len(ANSWERS))


def _shares(answered: pd.DataFrame) -> dict[str, float]:
    counts_A = contingency(answered["gold"].tolist(), answered["predicted"].tolist()).sum(axis=0)
    return dict(zip(map(str, ANSWERS), (counts_A / len(answered)).tolist(), strict=True))
