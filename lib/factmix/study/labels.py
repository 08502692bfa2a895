"""The three verdicts, and INVALID for an answer without one."""

from enum import StrEnum


class Label(StrEnum):
    """Verdict on a claim given its evidence; all tables and arrays use this order."""

    NA = "NA"  # the evidence is not enough to decide
    PASS = "PASS"  # the evidence supports the claim
    FAIL = "FAIL"  # the evidence refutes the claim


LABELS: tuple[Label, ...] = tuple(Label)
INVALID = "INVALID"  # an answer without a label, or with several different ones
ANSWERS: tuple[str, ...] = (*LABELS, INVALID)
