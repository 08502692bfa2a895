"""The summary of a study's data, as numbers and as text."""

import json
from html import escape
from pathlib import Path

import pandas as pd
import pytest

from factmix.data import mixtures
from factmix.report import data_summary
from factmix.report.data_summary import Summary, examples_table, summarise, tables
from factmix.study.labels import LABELS
from factmix.study.load import find_study
from factmix.study.paths import Paths
from factmix.study.spec import Study
from factmix.training.policy import load_tokenizer


@pytest.fixture(scope="module")
def study() -> Study:
    content = find_study("smoke").model_dump()
    content["arms"]["released"] = {**content["arms"]["hard_only"], "protocol": "as_released"}
    return Study.model_validate(content)


@pytest.fixture(scope="module")
def summary(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Summary:
    paths = Paths(tmp_path_factory.mktemp("run"))
    report = mixtures.prepare(study, paths)
    return summarise(study, paths, report, load_tokenizer(study.model))


def test_markup_in_claims_and_evidence_is_text_in_the_table_of_examples() -> None:
    claim, evidence = "<script>alert(1)</script>", ["<img src=x onerror=alert(1)>", "a & b"]
    row = {"dataset": "debate", "label": "NA", "claim": claim, "evidence": evidence}
    html = examples_table(pd.DataFrame([row])).to_html()
    assert escape(claim) in html and escape(" ".join(evidence)) in html
    assert "<script" not in html and "<img" not in html


def test_it_is_json(summary: Summary) -> None:
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_counts_by_dataset_part_and_label(study: Study, summary: Summary) -> None:
    for dataset in summary["datasets"].values():
        for label in LABELS:
            assert dataset["evaluation"][label] == study.evaluation.counts[label]
    train = summary["datasets"]["debate"]["train"]
    # of the two mixtures, that of 6/6/5 holds the other one's 4/4/3
    assert [train[label] for label in LABELS] == [6, 6, 5]
    train = summary["datasets"]["encyclopedia"]["train"]
    assert [train[label] for label in LABELS] == [4, 4, 3]


def test_overlap_of_each_arm(summary: Summary) -> None:
    for arm in ("format_only", "hard_only", "balanced"):
        assert summary["overlap"][arm]["groups"] == summary["overlap"][arm]["claims"] == 0
    assert set(summary["overlap"]["released"]) == {"groups", "claims", "examples"}
    assert summary["arms"]["released"]["split"] == "as_released"
    assert summary["arms"]["released"]["train"]["debate"]["with_evidence"] == 0
    assert summary["arms"]["hard_only"]["train"]["debate"]["without_evidence"] == 0


def test_the_rule_under_both_protocols(summary: Summary) -> None:
    rule = summary["datasets"]["encyclopedia"]["no_evidence_rule"]
    assert rule["as_described"]["evaluation"] == 0.5
    assert rule["as_released"] == {"train": 1.0, "evaluation": 1.0}
    rule = summary["datasets"]["debate"]["no_evidence_rule"]
    assert rule["as_released"] == {"train": pytest.approx(6 / 17), "evaluation": 0.5}


def test_lengths_and_prompts_that_lose_evidence(study: Study, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(study.model)
    report = mixtures.prepare(study, Paths(tmp_path))
    prompt = study.prompt.model_copy(update={"max_tokens": 80})
    short = study.model_copy(update={"prompt": prompt})
    tokens = summarise(short, Paths(tmp_path), report, tokenizer)["datasets"]["debate"]["tokens"]
    lengths = tokens["evaluation"]
    assert lengths["median"] <= lengths["p95"] <= lengths["longest"]
    assert lengths["longest"] > 80 and 0 < lengths["cut_off"] <= 40


def test_nothing_trained_on_has_no_length(study: Study, summary: Summary) -> None:
    empty = mixtures.to_frame([])
    tokenizer = load_tokenizer(study.model)
    assert data_summary.token_lengths(empty, study, tokenizer)["longest"] == 0


def test_tables_show_every_dataset_and_arm(summary: Summary) -> None:
    text = tables(summary)
    lines = text.splitlines()
    assert sum(line.startswith("debate ") for line in lines) == 3 + 2  # counts, and lengths
    for arm in summary["overlap"]:
        assert sum(line.startswith(f"{arm} ") for line in lines) == 1
    assert "Left out" not in text
    left_out = {**summary, "datasets": {**summary["datasets"]}}
    left_out["datasets"]["debate"] = {**summary["datasets"]["debate"], "skipped": {"blank": 3}}
    assert "debate blank" in tables(left_out)


def test_without_a_tokenizer_lengths_are_left_out(study: Study, tmp_path: Path) -> None:
    report = mixtures.prepare(study, Paths(tmp_path))
    summary = summarise(study, Paths(tmp_path), report, None)
    assert summary["datasets"]["debate"]["tokens"] is None
    assert "Tokens" not in tables(summary)
