"""The sentences and the figure about the number of training domains."""

import copy

import pytest

from factmix.report import figure_data, findings
from factmix.report.sources import Results, committed_results


@pytest.fixture
def results() -> Results:
    read = committed_results("pairs")
    return Results(read.root, copy.deepcopy(read.content))


def test_a_verdict_stands_beside_each_question_and_they_are_counted(results: Results) -> None:
    (section,) = results.content["domain_number"].values()
    for questions in section.values():
        for measures in questions.values():
            for numbers in measures.values():
                numbers["crossed"]["p_holm"] = numbers["grouped"]["p_holm"] = 0.5
    text = findings.domain_number(results)
    n = sum(map(len, section.values()))
    assert f"None of the {n} questions is decided." in text
    assert text.count("**undecided** (a true difference of") == n
    assert "all verdicts are the same" in text
    third = section["generalisation"]["third"]["learning"]
    third["crossed"] |= {"value": -0.02, "p_holm": 0.001}
    least = section["worst"]["second"]["change"]  # rests on the whole change, not on learning
    least["crossed"] |= {"value": 0.02, "p_holm": 0.001}
    least["grouped"] |= {"value": 0.02, "p_holm": 0.001}
    section["worst"]["third"]["learning"]["crossed"]["p_holm"] = 0.001
    text = findings.domain_number(results)
    assert f"Of {n} questions, 1 are answered yes, 1 no, and {n - 2} are undecided." in text
    assert "another verdict holds of 1 of these questions" in text
    short = findings.domain_number(results, short=True)
    assert f"Of its {n} questions, 1 are answered yes, 1 no" in short


def test_the_figure_has_the_compared_mixtures_and_no_other(results: Results) -> None:
    rows = figure_data.domain_number(results)
    assert set(rows["mixture"]) == {"e", "r", "d", "er", "ed", "rd", "erd"}
    assert rows.groupby("number")["mixture"].nunique().to_dict() == {1: 3, 2: 3, 3: 1}
    inside = rows[rows["trained_on"]]
    assert all(row.dataset[0] in row.mixture for row in inside.itertuples())
    assert len(inside) == 3 + 2 * 3 + 3
