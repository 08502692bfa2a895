"""Loading the base model, and making prompts fit."""

import pytest
import torch

from factmix.examples import Example
from factmix.labels import LABELS, Label
from factmix.policy import (
    Policy,
    PromptError,
    add_adapter,
    load_adapter,
    load_base,
    load_tokenizer,
    prompt_text,
    stopping_tokens,
)
from factmix.study import Prompt, Study


@pytest.fixture(scope="module")
def policy() -> Policy:
    from factmix.runs import find_study

    return load_base(find_study("smoke").model)


def test_every_label_and_the_newline_are_single_tokens(policy: Policy) -> None:
    for text in (*LABELS, "\n"):
        assert len(policy.tokenizer(str(text))["input_ids"]) == 1


def test_stops_are_the_end_and_all_tokens_that_hold_a_newline(policy: Policy) -> None:
    stops = stopping_tokens(policy.tokenizer)
    assert policy.tokenizer.eos_token_id in stops
    holding = {i for i in range(len(policy.tokenizer)) if "\n" in policy.tokenizer.decode([i])}
    assert holding and holding <= set(stops)
    assert len(set(stops) - holding) == 1


def test_the_tokenizer_reads_any_text(policy: Policy) -> None:
    text = "Überraschung: 1,234.5 % of 東京?\n"
    assert policy.tokenizer.decode(policy.tokenizer(text)["input_ids"]) == text


def test_a_fresh_adapter_changes_nothing_and_its_seed_decides_it(smoke: Study) -> None:
    ids = torch.tensor([[5, 6, 7]])
    base = load_base(smoke.model)
    with torch.no_grad():
        expected = base.model(ids).logits
        adapted = add_adapter(base, smoke.model.lora, 3)
        torch.testing.assert_close(adapted.model(ids).logits, expected)

    def drawn(seed: int) -> torch.Tensor:
        model = add_adapter(load_base(smoke.model), smoke.model.lora, seed).model
        return torch.cat([p.flatten() for n, p in model.named_parameters() if "lora_A" in n])

    assert torch.equal(drawn(3), drawn(3))
    assert not torch.equal(drawn(3), drawn(4))


def test_a_saved_adapter_answers_as_it_did(smoke: Study, tmp_path: object) -> None:
    trained = add_adapter(load_base(smoke.model), smoke.model.lora, 0)
    for name, parameter in trained.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    trained.model.save_pretrained(str(tmp_path))
    loaded = load_adapter(load_base(smoke.model), tmp_path)  # type: ignore[arg-type]
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(ids).logits, trained.model(ids).logits)


def test_an_adapter_may_train_whole_parameters_such_as_those_of_experts(smoke: Study) -> None:
    experts = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
    lora = smoke.model.lora.model_copy(update={"target_parameters": experts})
    model = add_adapter(load_base(smoke.model), lora, 0).model
    trained = [name for name, each in model.named_parameters() if each.requires_grad]
    assert any("experts" in name for name in trained) and any("q_proj" in name for name in trained)
    assert all("lora_" in name for name in trained)


def test_a_tokenizer_that_was_not_downloaded_is_not_asked_for(smoke: Study) -> None:
    elsewhere = smoke.model.model_copy(update={"path": "nobody/nothing"})
    with pytest.raises(OSError):
        load_tokenizer(elsewhere, only_local=True)


def _example(evidence: tuple[str, ...]) -> Example:
    return Example("e", "g", "debate", "The dam raises rents.", evidence, Label.NA)


def _prompt(most: int) -> Prompt:
    return Prompt(worked_examples=0, max_tokens=most, max_completion_tokens=4)


def test_a_prompt_that_fits_is_not_cut(policy: Policy) -> None:
    text, cut = prompt_text(policy.tokenizer, _example(("One.", "Two.")), _prompt(500))
    assert not cut
    assert "- One.\n- Two.\nLABEL=" in text


def test_evidence_is_cut_from_its_end(policy: Policy) -> None:
    evidence = ("The dam was built long ago.", "rents " * 300)
    text, cut = prompt_text(policy.tokenizer, _example(evidence), _prompt(120))
    assert cut
    assert len(policy.tokenizer(text)["input_ids"]) <= 120
    assert "The dam was built long ago." in text and "- rents rents" in text
    assert text.endswith("LABEL=")


def test_a_claim_that_can_never_fit_is_an_error(policy: Policy) -> None:
    with pytest.raises(PromptError, match=r"debate e: .* tokens too many .*prompt.max_tokens"):
        prompt_text(policy.tokenizer, _example(("Some.",)), _prompt(20))
