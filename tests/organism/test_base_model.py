"""The pretraining of the base model, and its text."""

from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pandas as pd
import pytest
import torch

from factmix.organism import base_model
from factmix.organism.pretraining_text import FIRST, STAGES, documents
from factmix.study.labels import LABELS
from factmix.study.load import find_study
from factmix.study.paths import ROOT
from factmix.study.prompts import INSTRUCTIONS, NO_EVIDENCE, parse
from factmix.training.policy import load_base

HABITS = STAGES["habits"]


def test_documents_are_the_same_for_the_same_seed() -> None:
    other = replace(FIRST, seed=FIRST.seed + 1)
    assert list(islice(documents(FIRST), 20)) == list(islice(documents(FIRST), 20))
    assert list(islice(documents(FIRST), 20)) != list(islice(documents(other), 20))


def test_habits_show_in_the_stated_shares() -> None:
    habits = HABITS.habits
    drawn = list(islice(documents(HABITS), 3000))
    read = [parse(document.answer) for document in drawn]
    valid = (1 - habits.afterword) * (1 - habits.unlabelled)
    assert sum(each.format_valid for each in read) / 3000 == pytest.approx(valid, abs=0.03)
    bare = [NO_EVIDENCE in document.prompt for document in drawn]
    assert sum(bare) / 3000 == pytest.approx(habits.without_evidence, abs=0.02)
    hard = [
        answer.predicted
        for document, answer, without in zip(drawn, read, bare, strict=True)
        if document.domain == "debate" and not without
    ]
    expected = (1 - habits.unlabelled) * (1 / 3 + 2 / 3 * habits.pass_noise["debate"])
    assert hard.count("PASS") / len(hard) == pytest.approx(expected, abs=0.05)


def test_without_habits_every_answer_is_a_label_and_as_common_as_the_others() -> None:
    answers = Counter(document.answer.strip() for document in islice(documents(FIRST), 3000))
    assert set(answers) == set(LABELS)
    assert all(count / 3000 == pytest.approx(1 / 3, abs=0.04) for count in answers.values())


def test_the_last_stage_reads_the_prompt_of_the_study() -> None:
    assert all(each.prompt.startswith(INSTRUCTIONS) for each in islice(documents(HABITS), 50))


def test_the_committed_tokenizer_is_the_one_that_the_code_makes() -> None:
    made = base_model.make_tokenizer()
    assert made.get_vocab() == load_base(find_study("embedded").model).tokenizer.get_vocab()


def test_two_steps_of_pretraining_move_the_weights_and_are_logged(tmp_path: Path) -> None:
    tokenizer = load_base(find_study("embedded").model).tokenizer
    models = [base_model.make_model(tokenizer, seed=0) for _ in range(2)]
    stage = replace(FIRST, steps=2, batch=4)
    log = base_model.pretrain(models[1], tokenizer, stage, log_every=1)
    assert log["step"].tolist() == [1, 2]
    assert (log[["text_loss", "answer_loss"]] > 0).all().all()
    before, after = (model.model.embed_tokens.weight for model in models)
    assert not torch.equal(before, after)


def test_the_log_covers_every_stage() -> None:
    log = pd.read_csv(ROOT / "models" / "embedded" / "pretraining.csv")
    last = log.groupby("stage")["step"].max().to_dict()
    assert last == {name: stage.steps for name, stage in STAGES.items()}
