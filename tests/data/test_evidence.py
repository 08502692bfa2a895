"""The evidence that prompts show under each protocol."""

import pandas as pd
import pytest

from factmix.data.evidence import Purpose, missing_means_na, visible_evidence
from factmix.study.examples import Example, to_frame
from factmix.study.labels import LABELS

EXAMPLES = to_frame(
    [
        Example(f"{dataset}-{label}", "g", dataset, "C.", ("One.", "Two."), label)
        for dataset in ("fever", "encyclopedia", "vitaminc", "climate_fever", "debate")
        for label in LABELS
    ]
)


def with_evidence(purpose: Purpose) -> set[str]:
    rows = visible_evidence(EXAMPLES, "as_released", purpose)
    assert rows.drop(columns="evidence").equals(EXAMPLES.drop(columns="evidence"))
    for evidence in rows["evidence"]:
        assert evidence in ([], ["One.", "Two."])
    return set(rows["id"][rows["evidence"].map(len) > 0])


FEVER = {
    f"{dataset}-{label}" for dataset in ("fever", "encyclopedia") for label in ("PASS", "FAIL")
}


def test_all_evidence_is_shown_as_described() -> None:
    for purpose in ("train", "evaluation"):
        assert visible_evidence(EXAMPLES, "retrieved", purpose).equals(EXAMPLES)  # type: ignore[arg-type]


def test_only_decided_claims_of_fever_are_trained_on_with_evidence_as_released() -> None:
    assert with_evidence("train") == FEVER


def test_only_undecided_claims_of_fever_are_evaluated_without_evidence_as_released() -> None:
    assert with_evidence("evaluation") == set(EXAMPLES["id"]) - {"fever-NA", "encyclopedia-NA"}


def test_the_table_that_was_given_is_left_alone() -> None:
    before = EXAMPLES.copy(deep=True)
    visible_evidence(EXAMPLES, "as_released", "train")
    assert EXAMPLES.equals(before)


@pytest.mark.parametrize(
    ("evidence", "accuracy"),
    [
        ([[], ["A."], ["B."], ["C."]], 1.0),  # the first is NA
        ([["Z."], ["A."], ["B."], ["C."]], 0.75),
        ([[], [], ["B."], ["C."]], 0.75),
        ([["Z."], [], [], []], 0.0),
    ],
)
def test_the_rule_by_hand(evidence: list[list[str]], accuracy: float) -> None:
    labels = ["NA", "PASS", "FAIL", "PASS"]
    assert missing_means_na(pd.DataFrame({"label": labels, "evidence": evidence})) == accuracy
