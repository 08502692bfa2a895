"""What the book's first page says, for results that would make it say something else."""

import copy
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from factmix.report import findings, tables
from factmix.report.sources import Results, committed_results

MIXTURES = ("easy_only", "hard_only", "hard_weighted", "balanced")


@pytest.fixture
def results() -> Results:
    found = committed_results("main")
    return replace(found, content=copy.deepcopy(found.content))


def _line(results, begins: str) -> str:
    """The headline that begins with these words."""
    found = [line for line in findings.headlines(results).splitlines() if begins in line[:60]]
    assert len(found) == 1, begins
    return found[0]


def test_each_statement_has_a_headline_and_so_have_na_levers_and_learning(results) -> None:
    first, blank, *lines = findings.headlines(results).splitlines()
    assert "established at p < 0.01" in first and not blank
    assert [line[:4] for line in lines] == ["- **"] * 9


def _set(results, statement: str, values: dict[str, float], p: float = 0.001) -> None:
    """Gives quantities of a statement these values, and all of them this p."""
    for name, measures in results.content["statements"]["accuracy"][statement].items():
        for measure in measures.values():
            for test in ("crossed", "grouped"):
                measure[test] |= {"value": values.get(name, 0.0), "p": p / 9, "p_holm": p}


@pytest.mark.parametrize(
    ("value", "p", "verdict"),
    [(0.05, 0.001, "supported"), (-0.05, 0.001, "contradicted"), (0.05, 0.02, "undecided")],
)
def test_a_headline_follows_the_test_of_its_statement(results, value, p, verdict) -> None:
    for statement, quantity, begins in (
        ("diversity", "dispatch", "Diversity generalises"),
        ("dose", "easy_minus_hard", "Hard needs more"),
        ("robustness", "least_improved", "Both are necessary"),
    ):
        _set(results, statement, {quantity: value}, p)
        line = _line(results, begins)
        assert line.startswith(f"- **{begins}: {verdict}.**")
        key = f"{{num}}`statements.accuracy.{statement}.{quantity}."
        assert key in line
        assert (".detectable|size`" in line) == (verdict == "undecided")
        text = findings.statement(results, statement)
        assert text.startswith(f"**{verdict.capitalize()}** under the reward `") or (
            f"**{verdict.capitalize()}** under the reward `accuracy`" in text
        )


@pytest.mark.parametrize(
    ("over", "alone", "verdict"),
    [
        (0.1, 0.0, "supported"),
        (0.0, 0.1, "contradicted"),
        (0.1, 0.1, "undecided"),
        (-0.1, -0.1, "undecided"),
    ],
)
def test_hard_alone_transfers_only_if_it_teaches_the_easy_domain(
    results, over, alone, verdict
) -> None:
    found = results.content["statements"]["accuracy"]["transfer"]
    assert list(found) == ["balanced_over_hard_only", "hard_only"]
    for name, value in zip(found, (over, alone), strict=True):
        found[name]["learning"]["crossed"] |= {"value": value, "p_holm": 0.001 if value else 1.0}
    assert f"transfer: {verdict}.**" in _line(results, "Hard alone does not transfer")


def _rise(results, section: str, measure: str, **sides: bool) -> None:
    """Lets a measure rise with the arms of the deciding reward: inside, outside, or on new ones."""
    study = results.study
    for mixture in MIXTURES:
        for dataset, found in results.content[section][f"{mixture}_accuracy"].items():
            inside = "inside" if dataset in study.mixtures[mixture] else "outside"
            side = "new" if study.datasets[dataset].held_out else inside
            found[measure] |= {"value": 0.05, "p_holm": 0.001 if sides[side] else 1.0}


def test_the_title_is_answered_by_where_recall_of_na_rose(results) -> None:
    _rise(results, "gains", "recall_na", inside=True, outside=False, new=False)
    _rise(results, "learning", "learning", inside=False, outside=True, new=True)
    _set(results, "diversity", {"dispatch": 0.05})
    text = findings.answer(results)
    # nine domains in mixtures, three beside them, and one that no mixture has
    assert "**Claims of the domain itself in 9 of 9 cases, claims of other domains in none" in text
    assert "where no mixture has claims of the domain in none of 4.**" in text
    assert "is established in none of 9, 3 of 3 and 4 of 4 of these cases." in text
    assert "none of them established" in text
    assert "Learning on a new domain was higher with claims of all kinds" in text
    _set(results, "diversity", {"dispatch": 0.05}, 0.5)
    assert "stays open" in findings.answer(results)
    _rise(results, "gains", "recall_na", inside=False, outside=False, new=True)
    assert "in 4 of 4.**" in findings.answer(results)
    _rise(results, "gains", "recall_na", inside=False, outside=False, new=False)
    assert "None that this model was shown" in findings.answer(results)


def test_what_rose_most_is_established_and_what_fell_is_counted(results) -> None:
    _rise(results, "gains", "recall_na", inside=True, outside=False, new=False)
    gains = results.content["gains"]
    assert "it said less" not in findings.answer(results)
    gains["easy_only_accuracy"]["debate"]["recall_na"] |= {"value": 0.9, "p_holm": 0.5}
    gains["hard_only_accuracy"]["debate"]["recall_na"] |= {"value": 0.2}
    gains["easy_only_accuracy"]["dispatch"]["recall_na"] |= {"value": -0.1, "p_holm": 0.001}
    text = findings.answer(results)
    assert "In 1 it said less." in text and "none of them established" not in text
    least = "{num}`gains.easy_only_accuracy.dispatch.recall_na`"
    assert f"of which no mixture has claims, the differences are from {least} to" in text
    most = "Most was gained with `{}` on *{}*, {{num}}`gains.{}.{}.recall_na|size`"
    at = "hard_only_accuracy", "debate"
    assert f"{most.format(*at, *at)}." in text
    at = "easy_only_accuracy", "debate"
    gains[at[0]][at[1]]["recall_na"] |= {"p_holm": 0.001}
    text = findings.answer(results)
    assert f"{most.format(*at, *at)}, a domain that its mixture does not have." in text


def test_what_a_ceiling_leaves_of_the_fourth_statement_is_told(results) -> None:
    learning = results.content["learning"]
    least = {"easy_only": 0.04, "hard_only": 0.03, "balanced": 0.02}
    for mixture, value in least.items():
        for dataset, found in learning[f"{mixture}_accuracy"].items():
            found["before"]["value"] = 0.95 if dataset == "encyclopedia" else 0.5
            found["total"]["value"] = value
    detectable = results.content["statements"]["accuracy"]["robustness"]["least_improved"]
    detectable["change"]["detectable"]["value"] = 0.02
    line = _line(results, "Little room")
    assert "no arm can gain more than 5.0\u00a0points" in line
    assert "1.0\u00a0points at most were left, since the better narrow mixture gains 4.0" in line
    assert line.endswith("it could hardly have been supported here.")
    detectable["change"]["detectable"]["value"] = 0.005
    assert "hardly" not in _line(results, "Little room")


@pytest.mark.parametrize("absent", [["statements", "across_seeds"], ["statements"]])
def test_a_study_of_one_seed_has_findings_but_no_verdicts(results, absent) -> None:
    for section in absent:
        results.content[section] = {}
    results.content["seeds"] = [0]
    assert "**Claims of the domain itself" in findings.answer(results)
    assert "Diversity generalises" not in findings.headlines(results)
    assert findings.seeds(results) == ""
    assert "undecided" not in findings.second(results, results)


def test_changes_of_na_are_counted_by_reward(results) -> None:
    gains = results.content["gains"]
    for reward, value in (("", -0.2), ("_accuracy", 0.1)):
        for mixture in MIXTURES:
            for metrics in gains[f"{mixture}{reward}"].values():
                metrics["recall_na"] |= {"value": value, "p_holm": 0.001}
    gains["hard_only"]["debate"]["recall_na"] |= {"value": -0.4}
    line = _line(results, "Saying")
    assert "`published`, recall of NA rises against the baseline in 0 and falls in 16 of 16" in line
    assert "from {num}`gains.hard_only.debate.recall_na` (`hard_only` on *debate*)" in line
    assert "`accuracy`, recall of NA rises against the baseline in 16 and falls in 0 of 16" in line


def test_the_largest_difference_of_each_lever_is_named_whatever_the_reward(results) -> None:
    moved = {
        "balanced_accuracy_over_hard_only_accuracy": -0.03,
        "balanced_accuracy_over_balanced": 0.17,
    }
    p = {"balanced_accuracy_over_balanced": 0.001}
    for pairs in results.content["contrasts"].values():
        for pair, datasets in pairs.items():
            for dataset, metrics in datasets.items():
                value = moved.get(pair, 0.01) if dataset == "revision" else 0.0
                metrics["balanced_accuracy"] |= {"value": value, "p_holm": p.get(pair, 1)}
    line = _line(results, "Mixture or reward")
    assert (
        "With the mixture alone changed, the largest single difference in balanced accuracy is from"
        " `hard_only_accuracy` to `balanced_accuracy` on *revision*, {num}`contrasts.mixture."
        "balanced_accuracy_over_hard_only_accuracy.revision.balanced_accuracy` (no established"
    ) in line
    assert "from `balanced` to `balanced_accuracy` on *revision*, {num}`contrasts.reward" in line
    assert "(an established difference, the largest of " in line


def test_a_verdict_that_groups_would_change_is_said_to(results) -> None:
    _set(results, "diversity", {"dispatch": 0.05})
    assert "the verdict is the same" in findings.statement(results, "diversity")
    for quantity in results.content["statements"]["accuracy"]["diversity"].values():
        quantity["learning"]["grouped"]["p_holm"] = 0.2
    text = findings.statement(results, "diversity")
    assert "the verdict is another one: undecided under `accuracy`." in text


def test_a_reader_of_words_alone_has_a_row_in_the_tables_of_metrics(results) -> None:
    scores = json.loads(results.paths.shortcuts.read_text())["debate"]["claim_and_evidence"]
    (row,) = [x for x in tables.metrics(results, "debate").splitlines() if "words alone" in x]
    shown = [f"{100 * scores[name]['value']:.1f}" for name in ("accuracy", "balanced_accuracy")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:3] == ["words alone", *shown]
    header = tables.metrics(results, "debate").splitlines()[0]
    assert len(cells) == header.count("|") - 1


def _nothing_happened(results) -> None:
    for datasets in results.content["learning"].values():
        for found in datasets.values():
            for part in ("total", "shift", "learning"):
                found[part] |= {"value": 0.0, "p_holm": 1.0, "interval": [-0.01, 0.01]}


def test_shift_and_learning_are_counted_and_the_widest_interval_named(results) -> None:
    _nothing_happened(results)
    section = results.content["learning"]
    assert "is established as a gain in none of the 36 cases" in findings.learning(results)
    assert "So moved thresholds" not in findings.learning(results)  # nor is any shift
    section["hard_only"]["debate"]["shift"] |= {"value": -0.2, "p_holm": 0.001}
    section["hard_only"]["debate"]["total"]["p_holm"] = 0.001
    section["balanced"]["revision"]["learning"]["interval"] = [-0.05, 0.01]
    text = findings.learning(results)
    assert text.strip().startswith("In 1 of 36 cases (an arm on a domain)")
    assert "{num}`learning.hard_only.debate.shift|full` where they change it most (`hard_only`" in (
        text
    )
    assert "`balanced` on **revision**: {num}`learning.balanced.revision.learning|full`" in text
    assert "So moved thresholds are enough to explain the changes that are established" in text
    section["balanced"]["debate"]["learning"] |= {"value": 0.05, "p_holm": 0.001}
    text = findings.learning(results)
    assert "is established as a gain in 1 of the 36 cases" in text
    assert "So moved thresholds" not in text


def test_the_first_page_says_whether_anything_was_learned(results) -> None:
    _nothing_happened(results)
    section = results.content["learning"]
    section["hard_only"]["debate"]["agreement"]["value"] = 0.5
    line = _line(results, "Shift or learning")
    assert "For no arm is it established that it learned more than moved thresholds give" in line
    assert (
        "gave, in the first seed, at least {num}`learning.hard_only.debate.agreement` of the"
        in line
    )
    assert "(without them: {num}`learning.hard_only.debate.agreement_unshifted`)" in line
    section["balanced"]["revision"]["learning"] |= {"value": -0.05, "p_holm": 0.001}
    assert "For no arm is it established" in _line(
        results, "Shift or learning"
    )  # a loss is no learning
    section["balanced"]["revision"]["learning"]["value"] = 0.05
    line = _line(results, "Shift or learning")
    assert "In 1 of 36 cases (an arm on a domain) an arm learned more" in line


def test_what_constants_give_stands_beside_the_best_arm_on_every_dataset(results) -> None:
    results.content["learning"]["hard_only"]["debate"]["after"]["value"] = 0.99
    for text in (findings.learning(results), _line(results, "Shift or learning")):
        for dataset in results.datasets:
            assert f"{{num}}`constants.base.{dataset}.balanced_accuracy`" in text
        assert "{num}`learning.hard_only.debate.after`" in text
    assert "base model + constants | " in tables.metrics(results, "debate")
    results.content["constants"]["base"] = {dataset: {} for dataset in results.datasets}
    assert "How good can moved thresholds be" not in findings.learning(results)
    assert "Constants fitted" not in _line(results, "Shift or learning")
    assert "+ constants" not in tables.metrics(results, "debate")


def test_the_second_base_model_is_told_beside_the_first_without_comparing_verdicts(results) -> None:
    found = committed_results("swapped")
    second = replace(found, content=copy.deepcopy(found.content))
    text = findings.second(results, second)
    assert text.startswith("On this model the easy domain is revision, on the first encyclopedia.")
    failed = [{"test": "A6", "dataset": "debate"}, {"test": "A1", "dataset": "revision"}]
    assert findings.second(results, second, failed).startswith(
        "By our rule this model should have been rejected, since it fails A6 on debate, A1 on revi"
    )
    for role in ("first", "second"):
        for quantity in ("hard_only", "balanced_over_hard_only"):
            key = f"{{{role}}}`statements.accuracy.transfer.{quantity}.learning.crossed|full`"
            assert key in text
        assert f"{{{role}}}`statements.accuracy.dose.easy_minus_hard.slope.crossed|full`" in text
    _set(second, "transfer", {"hard_only": 0.0}, 0.5)
    _set(results, "transfer", {"hard_only": 0.05}, 0.001)
    assert "does not show that the models differ" in findings.second(results, second)
    _set(results, "transfer", {"hard_only": 0.0}, 0.5)
    assert "does not show that the models differ" not in findings.second(results, second)


def test_a_model_on_real_claims_is_compared_with_what_it_was_before(results: Results) -> None:
    real = committed_results("smollm2")
    real = Results(real.root, copy.deepcopy(real.content))
    for datasets in real.content["learning"].values():
        for parts in datasets.values():
            parts["total"]["p_holm"] = parts["learning"]["p_holm"] = 0.5
    learning = real.content["learning"]["format_only"]
    learning["vitaminc"]["total"] |= {"value": -0.1, "p_holm": 0.001}
    learning["fever"]["total"] |= {"value": 0.1, "p_holm": 0.001}
    learning["fever"]["learning"] |= {"value": 0.1, "p_holm": 0.001}
    real.content["missing"] = ["hard_only-s0", "balanced-s0"]
    text = findings.beside(results, real)
    of = sum(map(len, real.content["learning"].values()))
    assert f"higher in 1 and lower in 1 of {of} cases" in text
    assert "Higher: `format_only` on fever, {real}`learning.format_only.fever.total|full`." in text
    assert f"is established in 1 of {of} cases" in text
    assert "Still missing are `hard_only-s0` and `balanced-s0`." in text
    shares = real.content["answer_share"]
    for run in real.study.runs():
        for dataset in real.datasets:
            for answer in shares[run.arm][dataset]:
                shares[run.arm][dataset][answer]["value"] = 0.0
            if real.study.arms[run.arm].reward == "published":
                shares[run.arm][dataset]["FAIL"]["value"] = 0.999
    shares["hard_only"]["fever"]["FAIL"]["value"] = 0.995
    text = findings.beside(results, real)
    assert (
        "**One answer for everything**, under the reward `published`: 4 of 4 arms give one answer"
        " (FAIL) to nearly every claim of every dataset, at the least to"
        " {real}`answer_share.hard_only.fever.FAIL` (`hard_only` on fever). What was in the" in text
    )
    assert text.count("One answer for everything") == 1
    for dataset in real.datasets:  # another answer
        shares["balanced"][dataset]["FAIL"]["value"] = 0.0
        shares["balanced"][dataset]["PASS"]["value"] = 1.0
    text = findings.beside(results, real)
    assert "4 of 4 arms give one answer (FAIL and PASS)" in text
    assert "made no difference" not in text
    shares["hard_only"]["fever"]["FAIL"]["value"] = 0.9
    assert "3 of 4 arms" in findings.beside(results, real)
    for dataset in real.datasets:
        learning[dataset]["total"] |= {"value": -0.1, "p_holm": 0.001}
        other = real.content["learning"]["hard_only"][dataset]
        other["total"] |= {"value": -0.2, "p_holm": 0.001}
    other["total"]["value"] = -0.3
    text = findings.beside(results, real)
    assert f"Lowest: `hard_only` on {dataset}, {{real}}`learning.hard_only.{dataset}" in text
    del real.content["missing"]
    assert "Still missing" not in findings.beside(results, real)


def test_further_seeds_say_where_the_contrasts_and_learning_are_established() -> None:
    found = committed_results("smollm2_seeds")
    found = replace(found, content=copy.deepcopy(found.content))
    pair, arms = (
        "balanced_accuracy_over_hard_only_accuracy",
        ("hard_only_accuracy", "balanced_accuracy"),
    )
    contrast = found.content["contrasts"]["mixture"][pair]
    learned = [of["learning"] for arm in arms for of in found.content["learning"][arm].values()]
    for leaf in (*(leaf for of in contrast.values() for leaf in of.values()), *learned):
        leaf |= {"value": 0.1, "p_holm": 0.5}
    for of in found.content["learning"]["format_only"].values():  # the baseline is not asked
        of["learning"] |= {"value": 0.1, "p_holm": 0.001}
    text = findings.reseeded(found)
    assert text.count("It is established nowhere.") == 2
    assert f"in none of {len(learned)} cases" in text
    for of in contrast.values():
        of["balanced_accuracy"]["by_seed"] = of["recall_na"]["by_seed"] = [0.1, 0.0, 0.2]
    contrast["vitaminc"]["balanced_accuracy"]["by_seed"] = [0.1, 0.2, 0.1]
    contrast["fever"]["recall_na"]["by_seed"] = [-0.1, -0.2, -0.1]
    contrast["climate_fever"]["recall_na"]["by_seed"] = [0.1, 0.2, 0.1]
    contrast["fever"]["balanced_accuracy"] |= {"p_holm": 0.001, "by_seed": [0.051, -0.02, 0.1]}
    learned[0] |= {"value": -0.1, "p_holm": 0.001}  # a loss is not learned
    learned[1] |= {"p_holm": 0.001}
    text = findings.reseeded(found)
    assert f"{{num}}`contrasts.mixture.{pair}.fever.balanced_accuracy|full` on fever" in text
    assert "on fever, by seed +5.1, \u22122.0, +10.0; " in text
    lines = [line for line in text.splitlines() if line.startswith("- **Contrast")]
    one, other = (line.split("one sign in all seeds on ")[1] for line in lines)
    assert one.startswith("vitaminc.") and other.startswith("fever and climate_fever.")
    assert text.count("It is established on fever, and on no other.") == 1
    assert text.count("It is established nowhere.") == 1
    assert f"in 1 of {len(learned)} cases" in text
    for of in contrast.values():
        of["recall_na"]["p_holm"] = 0.001
    assert findings.reseeded(found).count("on no other") == 1


def test_the_first_page_has_the_established_differences_of_further_seeds() -> None:
    found = committed_results("smollm2_seeds")
    found = replace(found, content=copy.deepcopy(found.content))
    (contrast,) = found.content["contrasts"]["mixture"].values()
    for of in contrast.values():
        of["balanced_accuracy"]["p_holm"] = of["recall_na"]["p_holm"] = 0.5
    assert "not established in balanced accuracy or recall of NA on any" in findings.reseeded_short(
        found
    )
    contrast["vitaminc"]["recall_na"]["p_holm"] = 0.001
    said = findings.reseeded_short(found)
    assert "is established in recall of NA on vitaminc, {reseeded}`contrasts.mixture." in said
    assert "Moved thresholds" in said and "not established" not in said


def test_two_seeds_have_no_contrast_without_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    found = committed_results("smollm2_seeds")
    assert findings.reseeded(found).count("Without the first seed") == 2
    two = replace(found, content=found.content)
    monkeypatch.setitem(vars(two), "study", found.study.model_copy(update={"seeds": [0, 1]}))
    assert "Without the first seed" not in findings.reseeded(two)


def test_the_least_mean_of_seeds_that_would_be_established_would_be() -> None:
    found = committed_results("smollm2_seeds")
    found = replace(found, content=copy.deepcopy(found.content))
    pair = "balanced_accuracy_over_hard_only_accuracy"
    spread = found.content["contrasts_across_seeds"]["mixture"][pair]["fever"]["recall_na"]
    spread["seed_variance"] |= {"value": 0.01**2, "n": 3}
    spread["example_variance"] |= {"value": 0.0}
    level = found.study.statistics.alpha / 3  # of three datasets
    points = stats.t.isf(level / 2, 2)  # a standard error is one point
    of_na = findings.reseeded(found).split("recall of NA", 1)[1]
    assert f"would be established from {points:.1f} points on fever, " in of_na
    spread["seed_variance"] |= {"value": 1.0}
    of_na = findings.reseeded(found).split("recall of NA", 1)[1]
    assert "would be established from more than can be on fever, " in of_na


def test_a_reward_between_is_judged_by_groups_that_hold_na_and_a_wrong_verdict(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = pd.DataFrame(
        {"gold": ["PASS", "FAIL"], "p_na": [0.3, 0.1], "p_pass": [0.5, 0.2], "p_fail": [0.2, 0.7]}
    )
    study, rng = results.study, np.random.default_rng(0)
    sharp = answered[["p_na", "p_pass", "p_fail"]].to_numpy() ** (1 / study.training.temperature)
    drawn = []
    for chances, wrong in zip(sharp / sharp.sum(axis=1, keepdims=True), (2, 1), strict=True):
        groups = rng.choice(3, size=(200_000, study.training.group_size), p=chances)
        drawn.append(((groups == 0).any(axis=1) & (groups == wrong).any(axis=1)).mean())
    assert findings._hold_both(answered, study) == pytest.approx(drawn, abs=0.004)
    assert "so that no such arm was trained" in findings.abstain(results)
    monkeypatch.setattr(findings, "ENOUGH", 0.01)
    assert "enough for an arm of its own" in findings.abstain(results)
