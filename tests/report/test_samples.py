"""Figures of what was drawn for a study."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from factmix.report.data_summary import lengths_table, rule_table
from factmix.report.figures.samples import plot_lengths, plot_rule


@pytest.fixture(autouse=True)
def drawn_without_a_screen() -> Iterator[None]:
    backend = plt.get_backend()
    plt.switch_backend("Agg")
    yield
    plt.close("all")
    plt.switch_backend(backend)


def test_lengths_stand_where_they_are_and_the_limit_is_drawn() -> None:
    tokens = {"median": 100.0, "p95": 300.0, "longest": 700, "cut_off": 2}
    other = {"median": 50.0, "p95": 60.0, "longest": 80, "cut_off": 0}
    summary = {"datasets": {"fever": {"tokens": {"train": tokens, "evaluation": other}}}}
    ax = plot_lengths(lengths_table(summary), most=512)
    drawn = {line.get_label(): list(line.get_xdata()) for line in ax.lines}  # type: ignore[arg-type]
    assert drawn["median"] == [100, 50]
    assert drawn["95 %"] == [300, 60]
    assert drawn["longest"] == [700, 80]
    assert drawn["cut off"] == [512, 512]
    assert [text.get_text() for text in ax.get_yticklabels()] == [
        "fever, train",
        "fever, evaluation",
    ]


def test_the_rule_has_a_bar_for_each_protocol_and_says_where_nothing_was_drawn() -> None:
    rules = {
        "as_described": {"train": None, "evaluation": 0.5},
        "as_released": {"train": None, "evaluation": 0.994},
    }
    table = rule_table({"datasets": {"fever": {"no_evidence_rule": rules}}})
    ax = plot_rule(table, part="evaluation")
    assert [bar.get_width() for bar in ax.patches] == [0.5, 0.994]  # type: ignore[attr-defined]
    assert [text.get_text() for text in ax.texts] == ["50.0%", "99.4%"]
    empty = plot_rule(table, part="train")
    assert np.isnan([bar.get_width() for bar in empty.patches]).all()  # type: ignore[attr-defined]
    assert [text.get_text() for text in empty.texts] == ["none drawn"] * 2


def test_a_study_without_a_tokenizer_has_no_lengths() -> None:
    assert isinstance(lengths_table({"datasets": {"fever": {"tokens": None}}}), pd.DataFrame)
    assert len(lengths_table({"datasets": {"fever": {"tokens": None}}})) == 0
