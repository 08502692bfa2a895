"""The three labels, and INVALID for an answer without one."""

import re
from enum import StrEnum


class Label(StrEnum):
    """Verdict on a claim given its evidence; all tables and arrays use this order."""

    NA = "NA"  # the evidence is not enough to decide
    PASS = "PASS"  # the evidence supports the claim
    FAIL = "FAIL"  # the evidence refutes the claim


LABELS: tuple[Label, ...] = tuple(Label)
INVALID = "INVALID"  # an answer without a label, or with several different ones
ANSWERS: tuple[str, ...] = (*LABELS, INVALID)

_LABEL_WORD = re.compile(rf"\b(?:{'|'.join(LABELS)})\b")


def labels_in(text: str) -> set[str]:
    """The labels that a text names as whole words, in capital letters."""
    return set(_LABEL_WORD.findall(text))
