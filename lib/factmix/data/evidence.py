"""What evidence a prompt shows, by the protocol.

The released code reads evidence as FEVER's nested list of references to sentences. While training,
VitaminC and Climate-FEVER hand over a plain string, of which that reader makes nothing; while
evaluating, they are read by code of their own. FEVER's undecided claims refer to no sentence.
"""

from typing import Literal

import numpy as np
import pandas as pd

from factmix.study.labels import Label
from factmix.study.protocol import Evidence

# Datasets whose evidence is a list of references, and the embedded domain that stands for them.
REFERRING = frozenset({"fever", "fever_train", "encyclopedia"})

Purpose = Literal["train", "evaluation"]


def visible_evidence(examples: pd.DataFrame, evidence: Evidence, purpose: Purpose) -> pd.DataFrame:
    """Examples with the evidence that their prompts show.

    Args:
        examples: rows with the columns of `examples.COLUMNS` and all evidence there is.
        evidence: retrieved: all of it. as_released: none for the undecided claims of FEVER, and
            none for the claims of other datasets while training.
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

    An answer counts as right when it is NA for the undecided claims and anything else for the
    others; so where every claim has evidence, it is the share of those others.
    """
    missing = examples["evidence"].map(len) == 0
    return float(np.mean(missing == (examples["label"] == Label.NA)))
