"""The sentences and the figures about the number of training domains, and about their shares."""

import copy

import pandas as pd
import pytest

from factmix.report import figure_data, findings, more_steps
from factmix.report.sources import Results, committed_results
from factmix.results import domain_shares
from factmix.results.numbers import show


def changeable(study: str) -> Results:
    """Committed results whose numbers a test may change."""
    read = committed_results(study)
    return Results(read.root, copy.deepcopy(read.content))


@pytest.fixture
def results() -> Results:
    return changeable("pairs")


@pytest.fixture
def swept() -> Results:
    return changeable("sweep")


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
    assert f"Of the {n} questions, 1 are answered yes, 1 no, and {n - 2} are undecided." in text
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


def test_the_sentences_about_shares_have_each_questions_verdict(swept: Results) -> None:
    (section,) = swept.content["domain_shares"].values()
    asked = {name: of for name, of in section.items() if name in domain_shares.MEASURE}
    for questions in asked.values():
        for measures in questions.values():
            for numbers in measures.values():
                numbers["crossed"]["p_holm"] = numbers["grouped"]["p_holm"] = 0.5
    n = sum(map(len, asked.values()))
    text = findings.domain_shares(swept)
    assert f"None of the {n} questions is decided." in text and n == 19
    carried = section["carry_over"]["revision"]["learning"]
    carried["crossed"] |= {"value": 0.04, "p_holm": 0.001}
    text = findings.domain_shares(swept)
    assert f"Of the {n} questions, 1 are answered yes, 0 no, and {n - 1} are undecided." in text
    (line,) = [line for line in text.splitlines() if line.startswith("- prompts of *revision*")]
    assert "**yes**" in line and "would have been found" not in line
    assert "another verdict holds of 1 of these questions" in text
    assert (
        "two sentences on *dispatch*, fitted learning with encyclopedia and revision only" in text
    )
    short = findings.domain_shares(swept, "short")
    assert "Does learning follow kinds of claims? **Undecided**" in short
    assert "with prompts of *revision* over those of the other two (**yes**)" in short


def test_the_first_page_says_what_carries_over(swept: Results) -> None:
    (section,) = swept.content["domain_shares"].values()
    number = section["follows_kinds"]["together"]["learning"]["crossed"]
    for each in section["kinds"].values():
        each["learning"]["crossed"] |= {"value": 0.03, "p_holm": 0.5}
    section["kinds"]["dated_on_dispatch"]["learning"]["crossed"] |= {"value": 0.2, "p_holm": 0.001}
    section["kinds"]["conflict_on_debate"]["learning"]["crossed"]["value"] = -0.1
    for value, p, said in ((0.1, 0.001, "on average, kinds of claims"), (0.1, 0.5, "undecided")):
        number |= {"value": value, "p_holm": p}
        text = findings.domain_shares(swept, "kinds")
        assert f"**What carries over: {said}.**" in text and "teach more than prompts" in text
        assert ("would have been found" in text) == (said == "undecided")
        assert ("which is not established" in text) == (said == "undecided")
        assert "mean of 7 comparisons" in text
        assert "(conflict on debate) to" in text and "(dated on dispatch); taken" in text
        assert "1 of them is established as above zero, 0 as below" in text
    number |= {"value": -0.1, "p_holm": 0.001}
    text = findings.domain_shares(swept, "kinds")
    assert "carries over: on average, other kinds rather than the same" in text
    assert "teach less than prompts" in text
    del section["kinds"], section["follows_kinds"]
    assert "was not asked" in findings.domain_shares(swept, "kinds")
    assert "Does learning follow" not in findings.domain_shares(swept, "short")


def test_the_table_of_heights_has_numbers_in_its_cells(swept: Results) -> None:
    text = findings.domain_shares(swept)
    (row,) = [line for line in text.splitlines() if line.startswith("| dispatch |")]
    cells = [cell.strip() for cell in row.strip("| ").split("|")]
    (section,) = swept.content["domain_shares"].values()
    height = section["heights"]["dispatch"]["revision"]["learning"]
    assert len(cells) == 4 and cells[2] == show(height, "cell")


def test_the_triangles_have_every_mixture_at_its_shares(swept: Results) -> None:
    rows = figure_data.domain_shares(swept)
    domains = ["encyclopedia", "revision", "debate"]
    panels = [f"learning, {name}" for name in (*domains, "dispatch")]
    assert list(rows["panel"].unique()) == [*panels, "change, least improved"]
    assert rows.groupby("panel")["mixture"].nunique().to_dict() == dict.fromkeys(
        rows["panel"].unique(), 16
    )
    assert rows[domains].sum(axis=1).tolist() == pytest.approx([1] * len(rows))
    learning = swept.content["learning"]["quarters_3_1_0_accuracy"]
    at = rows[(rows["mixture"] == "quarters_3_1_0")].set_index("panel")
    assert at.loc["learning, debate", "value"] == learning["debate"]["learning"]["value"]
    assert at.loc["learning, debate", domains].tolist() == [0.75, 0.25, 0]
    least = min(of["total"]["value"] for of in learning.values())
    assert at.loc["change, least improved", "value"] == least


def test_single_domains_are_shown_by_kind(results: Results) -> None:
    rows = figure_data.by_kind(results)
    assert list(rows["mixture"].unique()) == ["encyclopedia", "revision", "debate"]
    inside = rows[rows["trained_on"]]
    assert (inside["mixture"] == inside["dataset"]).all()
    vague = rows[rows["kind"] == "vague"]
    assert set(vague["dataset"]) == {"revision"} and set(vague["side"]) == {"undecided"}
    found = results.content["by_kind"]["accuracy"]["easy_only"]["revision"]
    at = rows.set_index(["mixture", "dataset", "kind"])["value"]
    assert (
        at["encyclopedia", "revision", "two_sentences"]
        == found["decided"]["two_sentences"]["learning"]["value"]
    )


@pytest.mark.parametrize(
    ("early", "late", "said"),
    [
        ({}, {}, "at step 200 on no domain, and at step 600 on no domain. All these differences"),
        ({"debate": 1}, {}, "at step 200 on debate, and at step 600 on no domain."),
        ({"debate": 1}, {"debate": 1}, "and at step 600 on debate. All these differences have"),
        ({"debate": 1}, {"debate": -1}, "On debate with another sign, so that the statements"),
        ({}, {"debate": 9}, "On encyclopedia, revision and dispatch it has become smaller."),
    ],
)
def test_more_steps_say_whether_a_contrast_lasts(
    early: dict[str, int], late: dict[str, int], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    main, longer = changeable("main"), changeable("plateau")
    pair = longer.content["contrasts"]["mixture"]["balanced_accuracy_over_hard_only_accuracy"]
    first = {}
    for name, metrics in pair.items():
        leaf = metrics["balanced_accuracy"]
        first[name] = leaf | {"value": 0.02 * early.get(name, 1)}
        first[name]["p_holm"] = 0.001 if name in early else 0.5
        leaf |= {"value": 0.01 * late.get(name, 1), "p_holm": 0.001 if name in late else 0.5}
    values = [0.70, 0.80, 0.86, 0.861, 0.862, 0.863, 0.864]
    for name, datasets in longer.content["trajectory"].items():
        for steps in datasets.values():
            for i, metrics in enumerate(steps.values()):
                rises = name == "hard_only_accuracy"
                metrics["balanced_accuracy"]["value"] = 0.5 + 0.05 * i if rises else values[i]
    with monkeypatch.context() as patch:
        patch.setattr(more_steps, "of_first_seed", lambda *_: first)
        made = more_steps.said(main, longer)
    text = made["findings-plateau"]
    assert "`hard_only_accuracy` has not reached its plateau by step 600" in text
    assert "`balanced_accuracy` is at its plateau from step 200" in text
    assert (
        "was 70.0\u00a0% before training, 86.0\u00a0% at step 200 and 86.4\u00a0% at step 600."
        in text
    )
    assert said in text
    assert len(made["plateau-steps"].splitlines()) == 2 + 2 * 7


def test_both_runs_of_an_arm_answered_alike_as_far_as_both_went() -> None:
    main, longer = committed_results("main"), committed_results("plateau")
    for arm in ("hard_only_accuracy", "balanced_accuracy"):
        one, other = (
            pd.read_parquet(results.root / f"{arm}-s0" / "trajectory.parquet")
            for results in (main, longer)
        )
        for step in (0, 100, 200):
            answers = [of[of["step"] == step].reset_index(drop=True) for of in (one, other)]
            assert len(answers[0]) and answers[0]["predicted"].equals(answers[1]["predicted"])


def test_what_grew_with_more_steps_is_said_of_both_arms() -> None:
    main, longer = changeable("main"), changeable("plateau")
    learning = longer.content["learning"]
    for arm in ("hard_only_accuracy", "balanced_accuracy"):
        for dataset, found in learning[arm].items():
            early = main.content["learning"][arm][dataset]["learning"]["value"]
            found["learning"]["value"] = early * (2.1 if dataset == "debate" else 1.9)
    said = more_steps.said(main, longer)["findings-plateau-grown"]
    assert said.startswith(
        "On debate both arms learn more after step 200 than before it. On *dispatch*"
    )
    learning["balanced_accuracy"]["debate"]["learning"]["value"] = 0.0
    assert more_steps.said(main, longer)["findings-plateau-grown"].startswith(
        "On no domain do both"
    )
