"""The data of the browser of examples: real texts beside the answers given to them."""

import json
from html import escape
from pathlib import Path

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.myst_role import myst_role_plugin
from mdit_py_plugins.substitution import substitution_plugin

from factmix.data.datasets import load
from factmix.data.mixtures import prepare
from factmix.report import interactive, sources
from factmix.study.examples import Example
from factmix.study.labels import ANSWERS, LABELS, Label
from factmix.study.load import find_study
from factmix.study.paths import ROOT, Paths

TEXTS = {
    "easy": [Example("a", "a", "easy", "A is B.", ("A is B.", "So it is."), Label.PASS)],
    "hard": [Example("a", "a", "hard", "C is D.", (), Label.NA)],
}
PREDICTIONS = pd.DataFrame(
    {
        "dataset": ["hard", "easy"],
        "id": ["a", "a"],
        "gold": ["NA", "PASS"],
        "predicted": ["INVALID", "FAIL"],
        "p_na": [0.0, 0.0355],
        "p_pass": [1.0, 0.9],
        "p_fail": [0.0, 0.0645],
    }
)


def test_columns_hold_each_example_in_the_order_of_the_predictions() -> None:
    assert interactive.columns({"base": PREDICTIONS}, TEXTS) == {
        "datasets": ["easy", "hard"],
        "dataset": "10",
        "gold": "01",
        "ids": ["a", "a"],
        "claims": ["C is D.", "A is B."],
        "evidence": [[], ["A is B.", "So it is."]],
        # 1000 is rs to the base 36, 36 is 10, 900 is p0, and 64 (64.5 to even) is 1s
        "arms": {"base": {"answers": "32", "chances": "00rs0010p01s"}},
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": ["a", "b"]}, "name the example 'b', not one of easy"),
        ({"gold": ["NA", "FAIL"]}, "give easy 'a' the gold label FAIL, but the dataset PASS"),
    ],
)
def test_texts_that_do_not_match_are_refused(change: dict[str, list[str]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        interactive.columns({"base": PREDICTIONS.assign(**change)}, TEXTS)


def test_arms_must_have_answered_the_same_examples() -> None:
    other = PREDICTIONS.iloc[::-1]
    with pytest.raises(ValueError, match="predictions of late are of other examples"):
        interactive.columns({"base": PREDICTIONS, "late": other}, TEXTS)


def test_build_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interactive, "load", lambda name: load("debate"))
    with pytest.raises(sources.SourceError, match=r"results/main: .*`make freeze`"):
        interactive.data(sources.committed_results("main"))


def test_committed_answers_are_shown_with_the_texts_they_were_given_to() -> None:
    results = sources.committed_results("main")
    shown = interactive.data(results)
    base = pd.read_parquet(results.paths.base / "predictions.parquet")
    assert shown["ids"] == base["id"].tolist()
    digits = shown["arms"]["base"]["chances"]
    read = [int(digits[k : k + 2], 36) / 1000 for k in range(0, len(digits), 2)]
    chances = base[[f"p_{label.lower()}" for label in LABELS]].to_numpy().ravel()
    assert read == pytest.approx(chances, abs=0.00051)
    assert [ANSWERS[int(digit)] for digit in shown["gold"]] == base["gold"].tolist()


def test_generator_still_writes_the_texts_of_the_committed_study(tmp_path: Path) -> None:
    report = json.loads((ROOT / "results/main/data/report.json").read_text())
    drawn = prepare(find_study("main"), Paths(tmp_path))
    assert drawn["fingerprint"] == report["fingerprint"]


def test_whatever_a_text_holds_is_no_markup_where_scripts_do_not_run() -> None:
    shown = interactive.columns({"base": PREDICTIONS}, TEXTS)
    text = "<script>*no*</script> | [a](b) {num}`key` $x$ & _y_ {{ 7 * 7 }} {% if x %} ${{y}}"
    marked = shown | {"claims": [text, text]}
    page = interactive.without_scripts(sources.committed_results("main"), marked)
    myst = MarkdownIt("commonmark").enable("table").use(myst_role_plugin)
    html = myst.use(dollarmath_plugin).use(substitution_plugin).render(page)
    assert html.count(f'<td style="text-align:left">{escape(text, quote=False)}</td>') == 2
