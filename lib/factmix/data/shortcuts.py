"""Bag-of-words classifiers: how much of the label a dataset's words alone reveal."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.pipeline import make_pipeline

from factmix.study.files import write_json
from factmix.study.paths import Paths
from factmix.study.spec import Study

# Accuracy stops improving with far fewer examples; the limit bounds the time on large datasets.
MOST_TRAINING_ROWS = 20_000
NO_EVIDENCE = "noevidence"  # a word that stands for missing evidence, so that it is a feature

READERS = {"claim_and_evidence": ["claim", "evidence"], "claim_only": ["claim"]}


def shortcuts(train: pd.DataFrame, test: pd.DataFrame, *, seed: int) -> dict[str, Any]:
    """Test scores of logistic regressions on the words of claim and evidence, and of the claim.

    Classes have equal weight in training, so the label shares of `train` do not matter.

    Args:
        train: rows with the columns of `examples.COLUMNS`.
        test: the same, of other groups.
        seed: for the subsample if there are more than `MOST_TRAINING_ROWS`.

    Returns:
        claim_and_evidence and claim_only, each with accuracy and balanced_accuracy as
        {value (fraction), unit, n (test rows), trained_on (rows)}.
    """
    if len(train) > MOST_TRAINING_ROWS:
        rows = np.random.default_rng(seed).choice(len(train), MOST_TRAINING_ROWS, replace=False)
        train = train.iloc[np.sort(rows)]
    train_text, test_text = _text(train), _text(test)
    scores: dict[str, Any] = {}
    for reader, columns in READERS.items():
        # Separate features for claim and evidence: the same word means something else in each.
        words = ColumnTransformer([(name, CountVectorizer(binary=True), name) for name in columns])
        model = make_pipeline(words, LogisticRegression(class_weight="balanced", max_iter=1000))
        predicted = model.fit(train_text, train["label"]).predict(test_text)
        scores[reader] = {
            name: {
                "value": float(score(test["label"], predicted)),
                "unit": "fraction",
                "n": len(test),
                "trained_on": len(train),
            }
            for name, score in (
                ("accuracy", accuracy_score),
                ("balanced_accuracy", balanced_accuracy_score),
            )
        }
    return scores


def of_study(study: Study, paths: Paths) -> dict[str, Any]:
    """`shortcuts` for each dataset of a prepared study; also written to data/shortcuts.json.

    Trains on all examples whose group is not in the evaluation set.
    """
    evaluation = pd.read_parquet(paths.evaluation)
    scores = {}
    for dataset in study.datasets:
        pool = pd.read_parquet(paths.pool(dataset))
        test = evaluation[evaluation["dataset"] == dataset]
        train = pool[~pool["group"].isin(test["group"])]
        scores[dataset] = shortcuts(train, test, seed=study.sample_seed)
    write_json(paths.shortcuts, scores)
    return scores


def _text(examples: pd.DataFrame) -> pd.DataFrame:
    evidence = examples["evidence"].map(lambda sentences: " ".join(sentences) or NO_EVIDENCE)
    return pd.DataFrame({"claim": examples["claim"], "evidence": evidence})
