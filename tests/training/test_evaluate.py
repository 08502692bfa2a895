"""Answers and label probabilities."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import small_models
from apple_gpu import MPS, AppleGpu
from factmix.study.examples import Example, to_frame
from factmix.study.files import write_parquet
from factmix.study.labels import LABELS, Label
from factmix.study.paths import Paths
from factmix.study.spec import Study
from factmix.training import evaluate
from factmix.training.columns import PREDICTIONS
from factmix.training.policy import Policy, load_base, prompt_text


@pytest.fixture(scope="module")
def policy() -> Policy:
    from factmix.study.load import find_study

    return load_base(find_study("smoke").model)


@pytest.fixture(scope="module")
def examples() -> pd.DataFrame:
    sentence = "Officials in Holt say that the Port Velda dam cuts rents."
    return to_frame(
        Example(f"e{i}", f"g{i}", "debate", f"The Port Velda dam raises rents {i}.",
                (sentence,) * (i % 5), Label.FAIL)
        for i in range(12)
    )  # fmt: skip


def answers(policy: Policy, examples: pd.DataFrame, study: Study) -> pd.DataFrame:
    return evaluate.answer_as(study.base_runs()[0], policy, examples)


def test_columns_and_order_are_those_of_the_contract(
    policy: Policy, examples: pd.DataFrame, smoke: Study
) -> None:
    rows = evaluate.answer_as(smoke.run("hard_only", 3), policy, examples)
    assert list(rows.columns) == list(PREDICTIONS)
    assert rows["id"].tolist() == examples["id"].tolist()
    assert set(rows["arm"]) == {"hard_only"} and set(rows["seed"]) == {3}
    np.testing.assert_allclose(rows[["p_pass", "p_fail", "p_na"]].sum(axis=1), 1, atol=1e-6)


def test_probabilities_are_those_of_a_plain_forward_pass(
    policy: Policy, examples: pd.DataFrame, smoke: Study
) -> None:
    _check_probabilities(policy, examples, smoke, answers(policy, examples, smoke))


def _check_probabilities(
    policy: Policy, examples: pd.DataFrame, study: Study, answered: pd.DataFrame
) -> None:
    tokens = [policy.tokenizer(str(label))["input_ids"][0] for label in LABELS]
    for (_, row), said in zip(examples.iterrows(), answered.itertuples(), strict=True):
        example = Example(row.id, row.group, row.dataset, row.claim, tuple(row.evidence), Label.NA)
        text, _ = prompt_text(policy.tokenizer, example, study.prompt)
        ids = torch.tensor([policy.tokenizer(text)["input_ids"]])
        with torch.no_grad():
            expected = policy.model(ids).logits[0, -1, tokens].softmax(-1)
        assert [said.p_na, said.p_pass, said.p_fail] == pytest.approx(expected.tolist(), abs=1e-5)


def test_answers_do_not_depend_on_what_shares_their_batch(
    policy: Policy, examples: pd.DataFrame, smoke: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = answers(policy, examples, smoke)
    monkeypatch.setattr(evaluate, "BATCH_PROMPTS", 1)
    alone = answers(policy, examples.iloc[::-1], smoke).iloc[::-1].reset_index(drop=True)
    assert together["completion"].tolist() == alone["completion"].tolist()


def test_another_evaluation_seed_draws_other_answers(
    policy: Policy, examples: pd.DataFrame, smoke: Study
) -> None:
    hot = smoke.evaluation.model_copy(update={"temperature": 3.0})
    other = hot.model_copy(update={"seed": hot.seed + 1})
    drawn = [
        answers(policy, examples, smoke.model_copy(update={"evaluation": each}))
        for each in (hot, hot, other)
    ]
    assert drawn[0]["completion"].tolist() == drawn[1]["completion"].tolist()
    assert drawn[0]["completion"].tolist() != drawn[2]["completion"].tolist()


def _small(name: str, policy: Policy) -> Policy:
    """A model with random weights, of which no token has all of the probability."""
    model = small_models.build(small_models.config(name, vocabulary=2800), seed=1).eval()
    for parameter in model.parameters():
        parameter.data *= 0.2
    return replace(policy, model=model)


def test_a_model_that_shares_no_prefix_gives_the_answers_of_one_that_does(
    policy: Policy, examples: pd.DataFrame, smoke: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    hot = smoke.evaluation.model_copy(update={"temperature": 1.0})
    study, llama = smoke.model_copy(update={"evaluation": hot}), _small("llama", policy)
    shared = answers(llama, examples, study)
    monkeypatch.setattr(evaluate, "prefix_sharing_blocker", lambda _: "a reason")
    apart = answers(llama, examples, study)
    assert apart["completion"].tolist() == shared["completion"].tolist()
    assert apart["completion"].nunique() > 6
    scores = ["p_na", "p_pass", "p_fail"]
    np.testing.assert_allclose(apart[scores], shared[scores], atol=1e-6)


@pytest.mark.parametrize("limit", ["prompts", "tokens"])
def test_long_answers_of_several_batches_are_finished_together(
    limit: str,
    policy: Policy,
    examples: pd.DataFrame,
    smoke: Study,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study, llama = _hot(smoke, 4), _small("llama", policy)
    stops = (*llama.stop_ids, *range(5, 2800, 4))  # so that some answers end early
    llama = replace(llama, stop_ids=stops)
    finished: list[int] = []
    whole = evaluate._continue

    def noted(*args: Any) -> evaluate.Answered:
        done = whole(*args)
        finished.append(len(done[0]))
        return done

    monkeypatch.setattr(evaluate, "batches", lambda prompts: _in_fours(len(prompts)))
    monkeypatch.setattr(evaluate, "_continue", noted)
    together = answers(llama, examples, study)
    assert 4 < sum(finished) < len(examples) and len(finished) == 1
    rest, finished[:] = sum(finished), []
    if limit == "prompts":
        monkeypatch.setattr(evaluate, "BATCH_PROMPTS", 4)
    else:
        monkeypatch.setattr(evaluate, "BATCH_TOKENS", 1)  # each batch by itself
    in_parts = answers(llama, examples, study)
    assert sum(finished) == rest and len(finished) > 1 and max(finished) <= 4
    monkeypatch.setattr(evaluate, "_answer_shared", evaluate._answer_unshared)
    apart = answers(llama, examples, study)
    for each in (in_parts, apart):
        assert each["completion"].tolist() == together["completion"].tolist()


def test_what_was_drawn_is_not_drawn_again(
    policy: Policy, examples: pd.DataFrame, smoke: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In 16 bits another batch has other probabilities, here quite others."""
    study, llama = _hot(smoke, 4), _small("llama", policy)
    expected = answers(llama, examples, study)["completion"]
    whole = evaluate.select

    def rounded(prefix: evaluate.Prefix, rows: list[int]) -> evaluate.Prefix:
        return replace(whole(prefix, rows), logits=torch.zeros(len(rows), len(llama.tokenizer)))

    monkeypatch.setattr(evaluate, "select", rounded)
    assert answers(llama, examples, study)["completion"].tolist() == expected.tolist()


@pytest.mark.parametrize("tokens", [1, 2, 3])
def test_answers_may_be_no_longer_than_valid_ones(
    tokens: int,
    policy: Policy,
    examples: pd.DataFrame,
    smoke: Study,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study, llama = _hot(smoke, tokens), _small("llama", policy)
    shared = answers(llama, examples, study)
    monkeypatch.setattr(evaluate, "_answer_shared", evaluate._answer_unshared)
    assert answers(llama, examples, study)["completion"].tolist() == shared["completion"].tolist()


def _hot(study: Study, tokens: int) -> Study:
    """A study with varied answers of at most so many tokens."""
    prompt = study.prompt.model_copy(update={"max_completion_tokens": tokens})
    hot = study.evaluation.model_copy(update={"temperature": 1.0})
    return study.model_copy(update={"prompt": prompt, "evaluation": hot})


def _in_fours(count: int) -> list[list[int]]:
    return [list(range(count))[start : start + 4] for start in range(0, count, 4)]


def test_a_recurrent_model_answers_from_its_whole_prompt(
    policy: Policy, examples: pd.DataFrame, smoke: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    mamba = _small("mamba", policy)
    together = answers(mamba, examples, smoke)
    _check_probabilities(mamba, examples, smoke, together)
    monkeypatch.setattr(evaluate, "BATCH_PROMPTS", 1)
    alone = answers(mamba, examples, smoke)
    assert together["completion"].tolist() == alone["completion"].tolist()


def test_labels_of_several_tokens_multiply_their_probabilities(policy: Policy) -> None:
    prompts = [[300, 301, 302, 303], [310, 311]]
    ids, mask = evaluate.pad_left(prompts, 0, "cpu")
    with torch.no_grad():
        prefix = evaluate.read_prompts(policy.model, ids, mask)
        spelled = [[ord(letter) for letter in label] for label in LABELS]
        found = evaluate.label_log_probabilities(policy, prefix, spelled)
        for row, prompt in enumerate(prompts):
            for column, label in enumerate(LABELS):
                letters = [ord(letter) for letter in label]
                logits = policy.model(torch.tensor([prompt + letters])).logits[0]
                shares = logits[len(prompt) - 1 : -1].log_softmax(-1)
                expected = sum(shares[i, letter].item() for i, letter in enumerate(letters))
                assert found[row, column].item() == pytest.approx(expected, abs=1e-4)


def test_predictions_that_are_current_are_not_made_again(
    policy: Policy,
    examples: pd.DataFrame,
    smoke: Study,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, paths = smoke.base_runs()[0], Paths(tmp_path)
    write_parquet(paths.sample(run.evaluation_sample), examples)
    monkeypatch.setattr(evaluate, "load_base", lambda *_: policy)
    evaluate.evaluate_base([run], paths)
    file = paths.run(run) / "predictions.parquet"
    before = file.stat().st_mtime_ns
    monkeypatch.setattr(evaluate, "load_base", None)  # would fail if it were called
    evaluate.evaluate_base([run], paths)
    assert file.stat().st_mtime_ns == before
    write_parquet(paths.sample(run.evaluation_sample), examples.iloc[:3])
    monkeypatch.setattr(evaluate, "load_base", lambda *_: policy)
    evaluate.evaluate_base([run], paths)
    assert len(pd.read_parquet(file)) == 3


def test_batches_hold_every_index_once_within_both_limits() -> None:
    lengths = [5, 4000, 90, 3000, 2500, *range(100, 400)]
    batches = list(evaluate.batches([[i] * n for i, n in enumerate(lengths)]))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= evaluate.BATCH_PROMPTS
        assert max(lengths[i] for i in batch) * len(batch) <= evaluate.BATCH_TOKENS


def test_nothing_is_float64_on_a_device_that_has_none(
    policy: Policy, examples: pd.DataFrame, smoke: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = answers(policy, examples, smoke)
    monkeypatch.setattr(type(policy.model), "device", MPS)
    with AppleGpu():
        with pytest.raises(TypeError, match="no float64"):
            torch.zeros(2, device=MPS).double()
        pd.testing.assert_frame_equal(answers(policy, examples, smoke), expected)
        monkeypatch.setattr(evaluate, "prefix_sharing_blocker", lambda _: "for the test")
        unshared = answers(policy, examples, smoke)
    assert unshared["completion"].tolist() == expected["completion"].tolist()
