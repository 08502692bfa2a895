"""Answers to a dataset that a study does not have."""

import pandas as pd
import pytest

from factmix.results.unseen import unseen
from factmix.study.load import find_study


def answers(system: str, predicted: list[str], p_pass: list[float]) -> pd.DataFrame:
    """Answers to three groups of a supported and a refuted claim."""
    return pd.DataFrame(
        {
            "arm": system,
            "group": [name for name in "abc" for _ in range(2)],
            "gold": ["PASS", "FAIL"] * 3,
            "predicted": predicted,
            "p_pass": p_pass,
            "p_fail": [0.9 - p for p in p_pass],
            "p_na": 0.1,
        }
    )


def test_groups_are_the_sample_and_arms_are_compared_with_the_base_model() -> None:
    table = pd.concat(
        [
            answers("base", ["PASS"] * 6, [0.5] * 6),
            answers("arm", ["PASS", "FAIL", "PASS", "FAIL", "NA", "PASS"], [0.8, 0.1] * 3),
            answers("other", ["NA"] * 6, [0.1, 0.8] * 3),
        ]
    )
    found = unseen(table, find_study("smoke"))
    assert found["base"]["right"] == {"value": 0.5, "unit": "fraction", "n": 3, "run": "base"}
    assert "change" not in found["base"]
    assert found["arm"]["right"]["value"] == pytest.approx(4 / 6)  # of groups 1, 1 and 0
    assert found["arm"]["na"]["value"] == pytest.approx(1 / 6)
    # both, both and none of the one that is no NA
    assert found["arm"]["right_of_verdicts"]["value"] == pytest.approx(2 / 3)
    assert "right_of_verdicts" not in found["other"]
    change = found["arm"]["change"]
    assert change["value"] == pytest.approx(1 / 6) and change["n"] == 3
    # 0.5, 0.5 and -0.5: t of two degrees of freedom
    assert change["p"] == pytest.approx(0.667, abs=0.001)
    assert found["other"]["change"]["value"] == -0.5  # in every group, so that t is not defined
    assert "p" not in found["other"]["change"]
    told = {name: of["auroc_pass_fail"]["value"] for name, of in found.items()}
    assert told == {"base": 0.5, "arm": 1.0, "other": 0.0}
