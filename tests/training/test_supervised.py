"""Fitting an adapter to labelled examples."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from factmix.study.examples import Example, from_frame, to_frame
from factmix.study.labels import LABELS
from factmix.study.load import find_study
from factmix.training import supervised
from factmix.training.model_check import ModelError, NotFiniteError
from factmix.training.policy import Policy, add_adapter, label_tokens, load_base, prompt_texts

STUDY = find_study("main")


@pytest.fixture
def examples() -> pd.DataFrame:
    claims = ["The bridge is old.", "Rain is almost unknown in Port Velda.", "Nothing."]
    return to_frame(
        [
            Example(str(i), str(i), "encyclopedia", claim, ("A sentence.",) * i, LABELS[i])
            for i, claim in enumerate(claims)
        ]
    )


def fresh(seed: int = 0) -> Policy:
    return add_adapter(load_base(STUDY.model), STUDY.model.lora, seed)


def fitted(policy: Policy, examples: pd.DataFrame, steps: int = 12, seed: int = 0) -> list[float]:
    how = {"steps": steps, "batch": 3, "learning_rate": 5e-3, "seed": seed}
    return supervised.fit(policy, examples, STUDY.prompt, **how)  # type: ignore[arg-type]


def test_the_loss_is_that_of_the_label_after_each_prompt_alone(examples: pd.DataFrame) -> None:
    policy = fresh()
    [first] = fitted(policy, examples, steps=1)
    prompts = prompt_texts(policy.tokenizer, from_frame(examples), STUDY.prompt)
    losses = []
    for i, prompt in enumerate(prompts):
        ids, answer = policy.tokenizer(prompt)["input_ids"], label_tokens(policy.tokenizer, prompt)
        with torch.no_grad():
            logits = fresh().model(input_ids=torch.tensor([[*ids, *answer[i]]])).logits[0]
        logs = logits.log_softmax(dim=-1)
        losses += [-logs[len(ids) - 1 + j, token].item() for j, token in enumerate(answer[i])]
    assert first == pytest.approx(sum(losses) / len(losses), rel=1e-4)


def test_passes_of_their_own_change_no_gradient(
    examples: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = fitted(fresh(), examples, steps=3)
    apart: list[list[int]] = []

    def each_alone(lengths: list[int]) -> list[list[int]]:
        apart.append(lengths)
        return [[i] for i in range(len(lengths))]

    monkeypatch.setattr(supervised, "length_buckets", each_alone)
    assert fitted(fresh(), examples, steps=3) == pytest.approx(together, rel=1e-5)
    assert [len(lengths) for lengths in apart] == [3, 3, 3]


def test_only_the_adapter_changes_and_the_labels_become_likelier(examples: pd.DataFrame) -> None:
    policy = fresh()
    frozen = {
        name: each.detach().clone()
        for name, each in policy.model.named_parameters()
        if not each.requires_grad
    }
    losses = fitted(policy, examples)
    assert losses[-1] < 0.5 * losses[0]
    assert not policy.model.training
    for name, each in policy.model.named_parameters():
        assert name not in frozen or torch.equal(each, frozen[name])


def test_the_same_seed_gives_the_same_losses(examples: pd.DataFrame) -> None:
    one, same, other = (fitted(fresh(), examples, steps=3, seed=seed) for seed in (0, 0, 5))
    assert one == pytest.approx(same, rel=1e-5)
    assert len(other) == 3


def test_the_rate_falls_linearly_to_zero(
    examples: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    step = torch.optim.AdamW.step

    def noted(optimizer: torch.optim.AdamW) -> None:
        rates.append(optimizer.param_groups[0]["lr"])
        step(optimizer)

    monkeypatch.setattr(torch.optim.AdamW, "step", noted)
    fitted(fresh(), examples, steps=4)
    assert rates == pytest.approx([5e-3, 3.75e-3, 2.5e-3, 1.25e-3])


def test_a_training_that_fails_stops_and_keeps_the_checkpoint_before(
    examples: pd.DataFrame, tmp_path: Path
) -> None:
    policy, kept = fresh(), supervised.Checkpoint(tmp_path / "checkpoint.safetensors", every=1)
    how: dict[str, Any] = {"batch": 3, "learning_rate": 5e-3, "seed": 0, "checkpoint": kept}
    supervised.fit(policy, examples, STUDY.prompt, steps=1, **how)
    before = kept.file.read_bytes()
    weight = next(each for each in policy.model.parameters() if not each.requires_grad)
    weight.data.fill_(float("nan"))
    message = r"step 2 of 2: the gradient .* \(the loss is nan\); lower the learning rate, 0\.005$"
    with pytest.raises(NotFiniteError, match=message):
        supervised.fit(policy, examples, STUDY.prompt, steps=2, **how)
    assert kept.file.read_bytes() == before


def test_a_checkpoint_with_another_bit_is_refused(examples: pd.DataFrame, tmp_path: Path) -> None:
    kept = supervised.Checkpoint(tmp_path / "checkpoint.safetensors", every=1)
    how: dict[str, Any] = {"batch": 3, "learning_rate": 5e-3, "seed": 0, "checkpoint": kept}
    supervised.fit(fresh(), examples, STUDY.prompt, steps=1, **how)
    written = bytearray(kept.file.read_bytes())
    written[-1] ^= 1  # of a tensor
    kept.file.write_bytes(written)
    with pytest.raises(ModelError, match="is damaged: it was changed after it was written; delete"):
        supervised.fit(fresh(), examples, STUDY.prompt, steps=2, **how)


def test_a_checkpoint_holds_no_code_and_the_whole_state(
    examples: pd.DataFrame, tmp_path: Path
) -> None:
    file = tmp_path / "checkpoint.safetensors"
    policy = fresh()
    how = {"steps": 3, "batch": 3, "learning_rate": 5e-3, "seed": 0}
    whole = supervised.fit(
        policy,
        examples,
        STUDY.prompt,
        **how,  # type: ignore[arg-type]
        checkpoint=supervised.Checkpoint(file, every=1),
    )
    again = fresh(seed=9)  # other weights, which the checkpoint replaces
    kept = supervised.Checkpoint(file, every=1)
    assert supervised.fit(again, examples, STUDY.prompt, **how, checkpoint=kept) == whole  # type: ignore[arg-type]
    assert kept.seconds > 0
    for one, other in zip(policy.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)
