"""Shared prefixes against plain forward passes without a cache."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import T5Config, T5ForConditionalGeneration

import small_models
from factmix.training import buckets, prefix
from factmix.training.buckets import length_buckets
from factmix.training.prefix import (
    completion_logits,
    pad_left,
    prefix_sharing_blocker,
    read_prompts,
    sample,
)

BEGINNING = list(range(38, 48))
PROMPTS = [BEGINNING + rest for rest in (list(range(3, 20)), [5, 6, 7], list(range(10, 22)))]


@pytest.fixture(autouse=True)
def cheap_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    # or prompts as short as these would not be shared
    monkeypatch.setattr(buckets, "TOKENS_PER_PASS", 8)


@pytest.fixture(params=small_models.NAMES)
def model(request: pytest.FixtureRequest) -> Any:
    described = small_models.config(request.param, vocabulary=50, sliding_window=8)
    return small_models.build(described, seed=0).eval()


def test_prompts_are_padded_on_the_left() -> None:
    ids, mask = pad_left([[4, 5], [6]], 0, "cpu")
    assert ids.tolist() == [[4, 5], [0, 6]]
    assert mask.tolist() == [[1, 1], [0, 1]]


@pytest.fixture
def shapes_run(model: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Rows and columns of every pass of the model from now on."""
    shapes: list[tuple[int, ...]] = []
    forward = type(model).forward

    def noted(self: Any, *args: Any, **kwargs: Any) -> Any:
        shapes.append(tuple(kwargs["input_ids"].shape))
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(type(model), "forward", noted)
    return shapes


@torch.no_grad()
def test_what_all_prompts_begin_with_is_read_once(
    model: Any, shapes_run: list[tuple[int, ...]]
) -> None:
    read_prompts(model, *pad_left(PROMPTS, 0, "cpu"))
    assert shapes_run == [(1, 10), (3, 17)]
    shapes_run.clear()
    read_prompts(model, *pad_left([PROMPTS[0]], 0, "cpu"))  # alone
    little = [BEGINNING[3:], [*BEGINNING[3:], 4]]
    read_prompts(model, *pad_left(little, 0, "cpu"))
    assert shapes_run == [(1, 27), (2, 8)]
    shapes_run.clear()
    same_length = [BEGINNING + [i] * 9 for i in (1, 2)]
    read = read_prompts(model, *pad_left(same_length, 0, "cpu"))
    assert shapes_run == [(1, 10), (2, 9)]
    for row, prompt in enumerate(same_length):
        whole = model(input_ids=torch.tensor([prompt])).logits[0, -1]
        torch.testing.assert_close(read.logits[row], whole, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_completion_logits_are_those_of_the_whole_text(model: Any) -> None:
    completions = [[30, 31, 32, 33], [34], [35, 36], [30, 31]]
    of_prompt = [0, 1, 1, 2]
    padded = torch.tensor([each + [0] * (4 - len(each)) for each in completions])
    mask = torch.tensor([[1] * len(each) + [0] * (4 - len(each)) for each in completions])
    read = read_prompts(model, *pad_left(PROMPTS, 0, "cpu"))
    logits = completion_logits(model, read, torch.tensor(of_prompt), padded, mask)
    for row, (prompt, completion) in enumerate(zip(of_prompt, completions, strict=True)):
        text = torch.tensor([PROMPTS[prompt] + completion])
        whole = model(text, use_cache=False).logits[0, len(PROMPTS[prompt]) - 1 : -1]
        torch.testing.assert_close(logits[row, : len(completion)], whole, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_sample_inverts_the_cumulative_distribution(model: Any) -> None:
    uniforms = torch.tensor([[0.2, 0.9, 0.5], [0.7, 0.1, 0.99], [0.2, 0.9, 0.5]])
    rows = torch.tensor([0, 1, 1])
    read = read_prompts(model, *pad_left(PROMPTS, 0, "cpu"))
    drawn = sample(model, read, rows, uniforms, temperature=0.7, stop_ids=(), pad_id=0).tokens
    for row in range(3):
        text = list(PROMPTS[rows[row]])
        for column in range(3):
            share = (model(torch.tensor([text])).logits[0, -1] / 0.7).softmax(-1).double()
            expected = int(np.searchsorted(share.cumsum(0), uniforms[row, column], side="right"))
            assert drawn[row, column] == expected
            text.append(expected)


@torch.no_grad()
def test_a_sample_that_has_begun_goes_on_with_its_own_numbers(model: Any) -> None:
    uniforms, rows = torch.tensor([[0.2, 0.9, 0.5], [0.7, 0.1, 0.99]]), torch.tensor([0, 1])
    begun = torch.tensor([[31, 32], [33, 34]])  # which these numbers would not draw

    def drawn(given: Tensor | None, prompts: list[list[int]], numbers: Tensor) -> Tensor:
        read = read_prompts(model, *pad_left(prompts, 0, "cpu"))
        options = {"temperature": 1.0, "stop_ids": (), "pad_id": 0}
        return sample(model, read, rows, numbers, **options, begun=given).tokens

    assert (drawn(None, PROMPTS[:2], uniforms)[:, :2] != begun).any(1).all()
    after = [prompt + first for prompt, first in zip(PROMPTS, begun.tolist(), strict=False)]
    expected = torch.cat([begun, drawn(None, after, uniforms[:, 2:])], dim=1)
    assert drawn(begun, PROMPTS[:2], uniforms).tolist() == expected.tolist()


@torch.no_grad()
def test_what_follows_a_stop_is_padding(model: Any) -> None:
    uniforms = torch.full((1, 4), 0.5)
    read = read_prompts(model, *pad_left(PROMPTS[:1], 0, "cpu"))
    rows = torch.tensor([0])
    free = sample(model, read, rows, uniforms, temperature=1.0, stop_ids=(), pad_id=0).tokens[0]
    read = read_prompts(model, *pad_left(PROMPTS[:1] * 2, 0, "cpu"))
    stopped = sample(
        model,
        read,
        torch.tensor([0, 1]),
        torch.tensor([[0.5] * 4, [0.5, 0.9999, 0.0001, 0.5]]),
        temperature=1.0,
        stop_ids=(int(free[1]),),
        pad_id=0,
    ).tokens
    end = free.tolist().index(free[1]) + 1
    assert stopped[0, :end].tolist() == free[:end].tolist()
    assert not stopped[0, end:].any()


@torch.no_grad()
def test_equal_continuations_are_one_row_of_the_model(
    model: Any, shapes_run: list[tuple[int, ...]]
) -> None:
    read = read_prompts(model, *pad_left(PROMPTS, 0, "cpu"))
    shapes_run.clear()
    uniforms = torch.tensor([[0.5, 0.5, 0.5]] * 6 + [[0.999, 0.5, 0.5]])
    rows = torch.tensor([0, 0, 0, 1, 1, 2, 2])
    drawn = sample(model, read, rows, uniforms, temperature=1.0, stop_ids=(), pad_id=0).tokens
    assert [rows for rows, _ in shapes_run] == [
        4,
        4,
    ]  # one of each of the first two prompts, two of the third
    assert drawn[0].tolist() == drawn[1].tolist() == drawn[2].tolist()
    assert drawn[5, 0] != drawn[6, 0]


def _cost(parts: list[list[int]], lengths: list[int]) -> int:
    return sum(
        buckets.TOKENS_PER_PASS + len(each) * max(lengths[i] for i in each) for each in parts
    )


@given(st.lists(st.integers(1, 500), max_size=9))
def test_no_other_buckets_cost_less(lengths: list[int]) -> None:
    found = length_buckets(lengths)
    assert sorted(i for bucket in found for i in bucket) == list(range(len(lengths)))
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    for cuts in product((False, True), repeat=max(len(order) - 1, 0)):
        others: list[list[int]] = [order[:1]] if order else []
        for i, cut in zip(order[1:], cuts, strict=True):
            others.append([i]) if cut else others[-1].append(i)
        assert _cost(found, lengths) <= _cost(others, lengths)


def test_a_long_sequence_does_not_lengthen_many_short_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(buckets, "TOKENS_PER_PASS", 256)
    assert length_buckets([20, 500, 21, 20, 19]) == [[1], [2, 0, 3, 4]]
    assert length_buckets([20, 80, 21, 20, 19]) == [[1, 2, 0, 3, 4]]


def test_a_prompts_keys_and_values_are_all_that_may_be_left_of_it(model: Any) -> None:
    assert prefix_sharing_blocker(model) is None
    mamba = small_models.build(small_models.config("mamba", vocabulary=50), seed=0)
    assert prefix_sharing_blocker(mamba) == "it keeps a recurrent state"
    t5 = T5ForConditionalGeneration(T5Config(vocab_size=50, d_model=8, d_ff=8, num_layers=1))
    assert prefix_sharing_blocker(t5) == "it has an encoder"


def test_prompts_with_the_same_long_beginning_are_read_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.integers(2000, size=100).tolist() for _ in range(2))
    endings = [rng.integers(2000, size=n).tolist() for n in (5, 9, 7, 6, 8, 4, 3)]
    prompts = [each + ending for ending in endings[:3] for each in (one, other)]
    alone = [endings[4], one[:63] + endings[5], endings[6]]  # 63 tokens are not a long beginning
    found = sorted(map(sorted, prefix.families(prompts + alone)))
    assert found == [[0, 2, 4], [1, 3, 5], [6, 7, 8]]
    monkeypatch.setattr(buckets, "TOKENS_PER_PASS", 201)  # more than two further prompts save
    assert [*map(sorted, prefix.families(prompts + alone))] == [list(range(9))]


def test_no_prompts_have_no_families() -> None:
    assert prefix.families([]) == []


def test_a_beginning_is_read_once_for_all_buckets(
    model: Any, shapes_run: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefix, "LONG_PREFIX", 8)
    monkeypatch.setattr(buckets, "TOKENS_PER_PASS", 10)
    prompts = [BEGINNING + [i] * n for i, n in ((1, 3), (2, 4), (3, 20), (4, 40))]
    read, place_of = prefix.read_in_buckets(model, *pad_left(prompts, 0, "cpu"))
    assert shapes_run == [(1, 10), (1, 40), (1, 20), (2, 4)]
    alone = [model(input_ids=torch.tensor([prompt])).logits[0, -1] for prompt in prompts]
    torch.testing.assert_close(read.logits[place_of], torch.stack(alone), atol=1e-5, rtol=1e-5)
    weights = [each for each in model.parameters() if each.requires_grad]
    found, expected = (
        torch.cat(
            [
                each.flatten()
                for each in torch.autograd.grad(logits.log_softmax(-1)[:, 7].sum(), weights)
            ]
        )
        for logits in (read.logits, torch.stack(alone))
    )
    assert expected.norm() > 1e-3
    assert (found - expected).norm() < 1e-5 * expected.norm()


def test_families_give_the_logits_of_each_prompt_alone() -> None:
    model = small_models.build(small_models.config("gpt_oss", vocabulary=300), seed=0).eval()
    rng = np.random.default_rng(1)
    beginnings = [rng.integers(3, 300, size=90).tolist() for _ in range(2)]
    prompts = [
        beginnings[i % 2] + rng.integers(3, 300, size=int(rng.integers(2, 20))).tolist()
        for i in range(10)
    ]
    assert len(prefix.families(prompts)) == 2
    read, place_of = prefix.read_in_buckets(model, *pad_left(prompts, 0, "cpu"))
    for prompt, place in zip(prompts, place_of.tolist(), strict=True):
        expected = model(torch.tensor([prompt])).logits[0, -1]
        torch.testing.assert_close(read.logits[place], expected, atol=1e-5, rtol=1e-5)
        assert int(read.mask[place].sum()) == len(prompt)
