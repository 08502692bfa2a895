"""The abilities of the base model, before training."""

from pathlib import Path

import numpy as np
import pytest

from factmix.data import mixtures
from factmix.results import model_card
from factmix.study.load import find_study
from factmix.study.paths import Paths
from factmix.training.policy import load_base


def test_balanced_accuracy_is_the_mean_recall() -> None:
    gold = np.array(["NA", "NA", "NA", "PASS", "FAIL", "FAIL"])
    logits = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]])
    assert model_card.balanced_accuracy(logits, gold) == pytest.approx((2 / 3 + 1 + 1 / 2) / 3)


def test_offsets_undo_a_lean_towards_a_label() -> None:
    rng = np.random.default_rng(0)
    gold = rng.integers(3, size=600)
    logits = rng.normal(size=(600, 3)) + 2 * np.eye(3)[gold] + [0, 2.5, -1]
    labels = np.array(["NA", "PASS", "FAIL"])[gold]
    offsets = model_card.fit_offsets(logits, labels)
    assert offsets == pytest.approx([0, -2.5, 1], abs=0.5)
    gain = model_card.balanced_accuracy(logits + offsets, labels)
    assert gain > model_card.balanced_accuracy(logits, labels) + 0.1


@pytest.mark.slow
def test_the_committed_model_knows_more_than_it_says(tmp_path: Path) -> None:
    study = find_study("embedded")
    paths = Paths(tmp_path)
    mixtures.prepare(study, paths)
    development = mixtures.development(study, paths)
    card = model_card.card(load_base(study.model), development, study, seed=study.sample_seed)
    assert card["encyclopedia"]["balanced_accuracy"] > 0.65
    for domain in ("revision", "debate"):
        assert 0.40 < card[domain]["balanced_accuracy"] < 0.55
        assert card[domain]["headroom"] > 0.10
        shares = card[domain]["answers"]
        assert shares["PASS"] > 2 * max(shares["NA"], shares["FAIL"])
    for each in card.values():
        assert 0.60 < each["format_rate"] < 0.80  # there is a format to learn
        assert each["answers_without_evidence"]["NA"] > 0.9
