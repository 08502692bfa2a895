"""What the base model is pretrained on, and how."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import pandas as pd
import pytest
import torch

from factmix import base_model, pretraining_text
from factmix.policy import load_base
from factmix.pretraining_text import HABITS, READING, Document, documents
from factmix.prompts import INSTRUCTIONS, parse
from factmix.runs import ROOT, find_study


def test_documents_are_the_same_for_the_same_seed() -> None:
    assert list(islice(documents(4, READING), 20)) == list(islice(documents(4, READING), 20))
    assert list(islice(documents(4, READING), 20)) != list(islice(documents(5, READING), 20))


def test_habits_show_in_the_stated_shares() -> None:
    drawn = list(islice(documents(1, HABITS), 3000))
    read = [parse(document.answer) for document in drawn]
    assert sum(each.format_valid for each in read) / 3000 == pytest.approx(0.56 * 0.97, abs=0.03)
    bare = [document for document in drawn if "No evidence was found." in document.prompt]
    assert len(bare) / 3000 == pytest.approx(0.1, abs=0.02)
    hard = [
        parse(document.answer).predicted
        for document in drawn
        if document.domain == "debate" and document not in bare
    ]
    expected = 0.97 * (1 / 3 + 2 / 3 * HABITS.habits.passed["debate"])
    assert hard.count("PASS") / len(hard) == pytest.approx(expected, abs=0.05)


def test_the_last_stage_reads_the_prompt_of_the_study() -> None:
    assert all(each.prompt.startswith(INSTRUCTIONS) for each in islice(documents(1, HABITS), 50))


def test_notes_come_before_the_answer() -> None:
    document = Document("Claim: A.\nLABEL=", [("VALUE", "same")], "PASS\n", "encyclopedia")
    text = "".join(piece for piece, _ in document.pieces())
    assert text == "Claim: A.\nVALUE=same\nLABEL=PASS\n"
    assert [piece for piece, answers in document.pieces() if answers] == ["same\n", "PASS\n"]


def test_the_committed_tokenizer_is_the_one_that_the_code_makes() -> None:
    made = base_model.make_tokenizer(base_model.TOKENIZER_SEED)
    assert made.get_vocab() == load_base(find_study("embedded").model).tokenizer.get_vocab()


def test_two_steps_of_pretraining_move_the_weights_and_are_logged(tmp_path: Path) -> None:
    tokenizer = load_base(find_study("embedded").model).tokenizer
    models = [base_model.make_model(tokenizer, seed=0) for _ in range(2)]
    stage = replace(READING, steps=2, batch=4)
    log = base_model.pretrain(models[1], tokenizer, stage, seed=1, log_every=1)
    assert log["step"].tolist() == [1, 2]
    assert (log[["text_loss", "answer_loss"]] > 0).all().all()
    before, after = (model.model.embed_tokens.weight for model in models)
    assert not torch.equal(before, after)


def test_the_log_covers_every_stage() -> None:
    log = pd.read_csv(ROOT / "models" / "embedded" / "pretraining.csv")
    last = log.groupby("stage")["step"].max().to_dict()
    stages = pretraining_text.STAGES
    assert last == {name: stage.steps for name, (stage, _) in stages.items()}
