"""What the base model can do before any reinforcement, on entities it has never read about."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from factmix.study.labels import ANSWERS, LABELS
from factmix.study.spec import Study

if TYPE_CHECKING:
    from factmix.training.policy import Policy

OFFSETS = np.linspace(-4, 4, 81)  # logit offsets of PASS and FAIL against NA that are tried


def card(policy: "Policy", development: pd.DataFrame, study: Study, *, seed: int) -> dict[str, Any]:
    """Accuracy, format rate, headroom and answer shares by dataset.

    Headroom is what the model knows and does not say: the balanced accuracy of its label
    probabilities after one logit offset per label and dataset, minus that without. The offsets are
    fitted on one half of the development examples; both accuracies are of the other half.

    Args:
        policy: the base model.
        development: examples that neither train nor evaluate anything.
        study: its prompt, and the temperatures of training (format rate) and evaluation (answers).
        seed: of the halves.

    Returns:
        by dataset: n (of the second half), recall by label, balanced_accuracy, headroom, shares of
        the answers with and without evidence (fractions), format_rate at the training temperature.
    """
    from factmix.training.evaluate import answer, as_in_training  # which need torch

    bare = development.assign(evidence=development["evidence"].map(lambda _: []))
    told = answer(policy, development, study, name="the base model")
    sampled = answer(
        policy, development, as_in_training(study), name="the base model, as in training"
    )
    untold = answer(policy, bare, study, name="the base model, without evidence")
    rng = np.random.default_rng(seed)
    cards = {}
    for dataset in study.datasets:
        mine = (told["dataset"] == dataset).to_numpy()
        rows = rng.permutation(np.flatnonzero(mine))
        fit, held = rows[: len(rows) // 2], rows[len(rows) // 2 :]
        gold = told["gold"].to_numpy()
        logits = np.log(told[[f"p_{label.lower()}" for label in LABELS]].to_numpy())
        offsets = fit_offsets(logits[fit], gold[fit])
        raw = balanced_accuracy(logits[held], gold[held])
        cards[dataset] = {
            "n": len(held),
            "recall": {
                str(label): float(
                    (told["predicted"].to_numpy()[held] == label)[gold[held] == label].mean()
                )
                for label in LABELS
            },
            "balanced_accuracy": raw,
            "headroom": balanced_accuracy(logits[held] + offsets, gold[held]) - raw,
            "format_rate": float(sampled["format_valid"][mine].mean()),
            "answers": _shares(told["predicted"][mine]),
            "answers_without_evidence": _shares(untold["predicted"][mine]),
        }
    return cards


def balanced_accuracy(logits: np.ndarray, gold: np.ndarray) -> float:
    """Mean recall over the labels when the most probable of (N, L) logits answers."""
    said = np.array(LABELS)[logits.argmax(1)]
    return float(np.mean([(said == label)[gold == label].mean() for label in LABELS]))


def fit_offsets(logits: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """The logit offsets (L,), 0 for NA, of the best balanced accuracy among pairs of OFFSETS."""
    best = max(
        (
            balanced_accuracy(logits + np.array([0.0, on_pass, on_fail]), gold),
            -abs(on_pass) - abs(on_fail),
            on_pass,
            on_fail,
        )
        for on_pass in OFFSETS
        for on_fail in OFFSETS
    )
    return np.array([0.0, *best[2:]])


def _shares(predicted: pd.Series) -> dict[str, float]:
    return {each: float((predicted == each).mean()) for each in ANSWERS}
