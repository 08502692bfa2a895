"""The evidence that a prompt shows, by the protocol.

The released code parses evidence as FEVER's nested list of references to sentences. In training,
VitaminC and Climate-FEVER pass a plain string, and that parser returns nothing for it. In
evaluation they have parsers of their own. FEVER's undecided claims refer to no sentence.
"""

from typing import Literal

import numpy as np
import pandas as pd

from factmix.study.labels import Label
from factmix.study.protocol import Evidence

# Datasets whose evidence is a list of references, and the invented domain that stands for them.
REFERRING = frozenset({"fever", "fever_train", "encyclopedia"})

Purpose = Literal["train", "evaluation"]


def visible_evidence(examples: pd.DataFrame, evidence: Evidence, purpose: Purpose) -> pd.DataFrame:
    """Examples with the evidence that their prompts show.

    Args:
        examples: rows with the columns of `examples.COLUMNS` and all their evidence.
        evidence: retrieved: all of it. as_released: none for the undecided claims of FEVER, and in
            training none for the claims of other datasets.
        purpose: what the prompts are for.

    Returns:
        A table of the same rows.
    """
    if evidence == "retrieved":
        return examples
    referring = examples["dataset"].isin(REFERRING)
    hidden = referring & (examples["label"] == Label.NA)
    if purpose == "train":
        hidden |= ~referring
    kept = [
        [] if hide else sentences
        for hide, sentences in zip(hidden, examples["evidence"], strict=True)
    ]
    return examples.assign(evidence=pd.Series(kept, index=examples.index, dtype=object))


def missing_means_na(examples: pd.DataFrame) -> float:
    """Accuracy of the rule "NA if and only if there is no evidence", fraction.

    An answer is correct if it is NA for an undecided claim, or anything else for a decided one. So
    if every claim has evidence, the accuracy is the share of decided claims.
    """
    missing = examples["evidence"].map(len) == 0
    return float(np.mean(missing == (examples["label"] == Label.NA)))
