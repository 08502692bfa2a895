"""What the book's first page says, for results that would make it say something else."""

import copy
import json
from dataclasses import replace

import pytest

from factmix.report import findings, tables
from factmix.report.sources import Results, committed_results

MIXTURES = ("hard_only", "hard_weighted", "balanced")


@pytest.fixture
def results() -> Results:
    found = committed_results("main")
    return replace(found, content=copy.deepcopy(found.content))


def _lines(results) -> list[str]:
    return findings.headlines(results).splitlines()


def _set_recall(results, changes: dict[str, tuple[float, float]]) -> None:
    """Change and p of each mixture on revision; nothing happens elsewhere."""
    for arm in MIXTURES:
        for dataset, metrics in results.content["gains"][arm].items():
            here = dataset == "revision"
            value, p = changes[arm] if here else (0.0, 1.0)
            metrics["recall_na"] |= {"value": value, "p": p / 15, "p_holm": p}


def test_there_are_four(results) -> None:
    assert [line[:4] for line in _lines(results)] == ["- **"] * 4


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ((-0.3, -0.2, -0.1), "every mixture arm recognises fewer NA claims than the baseline on"),
        ((0.3, 0.2, 0.1), "every mixture arm recognises more NA claims than the baseline on"),
        (
            (-0.3, -0.2, 0.1),
            "2 of 3 mixture arms recognise fewer NA claims than the baseline, and "
            "1 of 3 mixture arms recognises more NA claims than the baseline on",
        ),
    ],
)
def test_the_finding_about_na_follows_the_signs(results, changes, verdict) -> None:
    _set_recall(
        results, {arm: (value, 0.001) for arm, value in zip(MIXTURES, changes, strict=True)}
    )
    line = _lines(results)[0]
    assert f"the reward `published`, {verdict} **revision**: " in line
    assert all(f"{{num}}`gains.{arm}.revision.recall_na` (`{arm}`)" in line for arm in MIXTURES)


def test_without_an_established_change_of_na_it_says_so(results) -> None:
    _set_recall(results, dict.fromkeys(MIXTURES, (-0.02, 0.2)))
    assert "no mixture arm differs from the baseline for sure on **revision**" in _lines(results)[0]


def test_the_larger_lever_is_the_one_that_moves_balanced_accuracy_further(results) -> None:
    moved = {"balanced_over_hard_only": -0.03, "balanced_accuracy_over_balanced": 0.17}
    p = {"balanced_over_hard_only": 0.2, "balanced_accuracy_over_balanced": 0.001}

    def levers() -> str:
        for pairs in results.content["contrasts"].values():
            for pair, datasets in pairs.items():
                for dataset, metrics in datasets.items():
                    value = moved.get(pair, 0.01) if dataset == "revision" else 0.0
                    metrics["balanced_accuracy"] |= {"value": value, "p_holm": p.get(pair, 1)}
        return _lines(results)[1]

    line = levers()
    assert (
        "With the mixture alone changed, balanced accuracy moves most from `hard_only` to"
        " `balanced` on **revision**, by {num}`contrasts.mixture.balanced_over_hard_only.revision"
        ".balanced_accuracy` (no established difference); with the reward alone changed,"
    ) in line
    assert "from `balanced` to `balanced_accuracy` on **revision**, by {num}`contrasts.rew" in line
    assert line.endswith(
        "(an established difference). Among these arms the **reward** makes the larger difference."
    )
    moved["balanced_over_hard_only"] = -0.3  # which is not established
    assert "makes the larger difference" not in levers()
    p["balanced_over_hard_only"] = 0.001
    assert levers().endswith("Among these arms the **mixture** makes the larger difference.")


def test_results_that_a_constant_answer_reaches_are_counted(results) -> None:
    metrics = results.content["metrics"]
    arms = ("format_only", *MIXTURES, "balanced_accuracy")
    for arm in arms:
        for own in metrics[arm].values():
            own["accuracy"] |= {"value": 0.8, "interval": [0.7, 0.9]}
    metrics["hard_only"]["debate"]["accuracy"] |= {"value": 0.52, "interval": [0.49, 0.55]}
    metrics["balanced"]["debate"]["accuracy"] |= {"value": 0.3, "interval": [0.2, 0.4]}
    assert (
        "in 13 of the 15 combinations of arm and domain, the whole interval of accuracy lies above"
        " that: all" in (_lines(results)[3])
    )
    assert _lines(results)[3].endswith("all but `hard_only` and `balanced` on debate.")


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
    assert "is established as a gain in none of the 15 cases" in findings.learning(results)
    assert "So what training did" not in findings.learning(results)  # nor is any shift
    section["hard_only"]["debate"]["shift"] |= {"value": -0.2, "p_holm": 0.001}
    section["hard_only"]["debate"]["total"]["p_holm"] = 0.001
    section["balanced"]["revision"]["learning"]["interval"] = [-0.05, 0.01]
    text = findings.learning(results)
    assert text.strip().startswith("In 1 of 15 cases (an arm on a domain)")
    assert "{num}`learning.hard_only.debate.shift|full` where they change it most (`hard_only`" in (
        text
    )
    assert "`balanced` on **revision**: {num}`learning.balanced.revision.learning|full`" in text
    assert "So what training did, as far as this study can tell, was to move how readily" in text
    section["balanced"]["debate"]["learning"] |= {"value": 0.05, "p_holm": 0.001}
    text = findings.learning(results)
    assert "is established as a gain in 1 of the 15 cases" in text
    assert "So what training did" not in text


def test_the_first_page_says_whether_anything_was_learned(results) -> None:
    _nothing_happened(results)
    section = results.content["learning"]
    section["hard_only"]["debate"]["agreement"]["value"] = 0.5
    line = _lines(results)[2]
    assert "For no arm is it established that it learned more than moved thresholds give" in line
    assert "give at least {num}`learning.hard_only.debate.agreement` of the answers" in line
    assert "(without them: {num}`learning.hard_only.debate.agreement_unshifted`)" in line
    section["balanced"]["revision"]["learning"] |= {"value": -0.05, "p_holm": 0.001}
    assert "For no arm is it established" in _lines(results)[2]  # a loss is no learning
    section["balanced"]["revision"]["learning"]["value"] = 0.05
    line = _lines(results)[2]
    assert "In 1 of 15 cases (an arm on a domain) an arm learned more" in line


def test_what_constants_give_stands_beside_the_best_arm_on_every_dataset(results) -> None:
    results.content["learning"]["hard_only"]["debate"]["after"]["value"] = 0.99
    for text in (findings.learning(results), _lines(results)[2]):
        for dataset in results.datasets:
            assert f"{{num}}`constants.base.{dataset}.balanced_accuracy`" in text
        assert "{num}`learning.hard_only.debate.after`" in text
    assert "untrained model + constants | " in tables.metrics(results, "debate")
    results.content["constants"]["base"] = {dataset: {} for dataset in results.datasets}
    assert "How good can moved thresholds be" not in findings.learning(results)
    assert "Constants fitted" not in _lines(results)[2]
    assert "+ constants" not in tables.metrics(results, "debate")
