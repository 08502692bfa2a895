"""How far word counts alone get: what a dataset gives away to a reader that cannot reason."""

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

# Word counts stop improving far below this many examples; it bounds the time on large datasets.
MOST_TRAINING_ROWS = 20_000
NO_EVIDENCE = "noevidence"  # a word of its own, so that missing evidence can be learned from

READERS = {"claim_and_evidence": ["claim", "evidence"], "claim_only": ["claim"]}


def shortcuts(train: pd.DataFrame, test: pd.DataFrame, *, seed: int) -> dict[str, Any]:
    """Scores logistic regressions on the words of claim and evidence, and of the claim alone.

    The classes weigh equally in training, so the label shares of `train` do not matter.

    Args:
        train: rows with the columns of `examples.COLUMNS`.
        test: the same, of other groups.
        seed: of the draw when there are more than `MOST_TRAINING_ROWS`.

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
        # Claim and evidence are counted apart: the same word means something else in each.
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
    """`shortcuts` per dataset of a prepared study; also written to data/shortcuts.json.

    Trains on every example whose group is not in the evaluation set.
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
