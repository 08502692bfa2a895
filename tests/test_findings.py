"""What the book's first page says, for results that would make it say something else."""

import copy
from collections.abc import Iterator

import pytest

from factmix.runs import ROOT

MIXTURES = ("hard_only", "hard_weighted", "balanced")


@pytest.fixture
def results() -> Iterator:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "book" / "_ext")
        from factmix_book.sources import committed_results

        found = committed_results("embedded")
        yield type(found)(**{**vars(found), "content": copy.deepcopy(found.content)})


def _lines(results) -> list[str]:
    from factmix_book import findings

    return findings.headlines(results).splitlines()


def _set_recall(results, changes: dict[str, tuple[float, float]]) -> None:
    """Change and p of each mixture on revision; nothing happens elsewhere."""
    for arm in MIXTURES:
        for dataset, metrics in results.content["gains"][arm].items():
            here = dataset == "revision"
            value, p = changes[arm] if here else (0.0, 1.0)
            metrics["recall_na"] |= {"value": value, "p": p}


def test_there_are_three(results) -> None:
    assert [line[:4] for line in _lines(results)] == ["- **"] * 3


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ((-0.3, -0.2, -0.1), "every mixture recognises fewer NA claims than the baseline on"),
        ((0.3, 0.2, 0.1), "every mixture recognises more NA claims than the baseline on"),
        (
            (-0.3, -0.2, 0.1),
            "2 of 3 mixtures recognise fewer NA claims than the baseline, and "
            "1 of 3 mixtures recognises more NA claims than the baseline on",
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
    assert (
        "no mixture recognises more or fewer NA claims for sure on **revision**"
        in (_lines(results)[0])
    )


def test_the_larger_lever_is_the_one_that_moves_balanced_accuracy_further(results) -> None:
    reached = {"hard_only": 0.50, "hard_weighted": 0.52, "balanced": 0.53, "balanced_accuracy": 0.7}
    metrics = results.content["metrics"]

    def levers() -> str:
        for arm, value in reached.items():
            for dataset, own in metrics[arm].items():
                own["balanced_accuracy"]["value"] = value if dataset == "revision" else 0.4
        return _lines(results)[1]

    line = levers()
    assert "at most 3.0\u00a0points, on **revision**" in line
    assert "on the mixture `balanced`, by 17.0\u00a0points, on **revision**" in line
    assert line.endswith("is the **reward**.")
    reached["hard_only"] = 0.3
    assert levers().endswith("is the **mixture**.")


def test_results_that_a_constant_answer_reaches_are_counted(results) -> None:
    metrics = results.content["metrics"]
    arms = ("format_only", *MIXTURES, "balanced_accuracy")
    for arm in arms:
        for own in metrics[arm].values():
            own["accuracy"]["value"] = 0.8
    metrics["hard_only"]["debate"]["accuracy"]["value"] = 0.5
    metrics["balanced"]["debate"]["accuracy"]["value"] = 0.3
    assert (
        "of the 15 results of an arm in a domain, 13 are better than that: all but"
        in (_lines(results)[2])
    )
    assert _lines(results)[2].endswith("all but `hard_only` and `balanced` on debate.")
