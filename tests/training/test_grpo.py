"""The shared-prefix trainer against TRL's own, and what a training run writes."""

import json
import math
import os
import platform
import re
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file
from trl import GRPOTrainer

import small_models
from factmix.data import mixtures
from factmix.study import freshness
from factmix.study.examples import Example, to_frame
from factmix.study.files import (
    read_record,
    sha256,
    write_json,
    write_parquet,
    write_record,
)
from factmix.study.labels import LABELS
from factmix.study.load import find_study
from factmix.study.lock import LockedError, alone
from factmix.study.paths import Paths
from factmix.study.run import Run
from factmix.study.spec import Study
from factmix.training import arm, buckets, columns, grpo, probe, rewards
from factmix.training import trainer as trainer_module
from factmix.training.callbacks import seal
from factmix.training.columns import SEAL
from factmix.training.evaluate import evaluate_arm
from factmix.training.policy import ModelError, Policy, add_adapter, load_base
from factmix.training.prefix import pad_left
from factmix.training.reward_functions import RewardError, reward_functions
from factmix.training.trainer import (
    KL_STEPS,
    GroupError,
    SharedPrefixTrainer,
    UnsharedTermError,
    truncate_after_stop,
)

STUDY = find_study("smoke")
SECRET = "hf_a_secret_that_no_file_may_have"


def _training() -> pd.DataFrame:
    evidence = ("One.", "Two and three.", "Four, five and six are here.")
    return to_frame(
        Example(f"e{i}", f"g{i}", "debate", f"Claim {i} of some.", evidence[: i % 4], LABELS[i % 3])
        for i in range(8)
    )


EXPERTS = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]


def _policy(name: str, dtype: torch.dtype = torch.float32, experts: bool = False) -> Policy:
    base = load_base(STUDY.model)
    model = small_models.build(small_models.config(name, vocabulary=2800), seed=1).to(dtype)
    model.generation_config.eos_token_id = list(base.stop_ids)
    lora = STUDY.model.lora
    if name == "mamba":
        lora = lora.model_copy(update={"target_modules": ["in_proj", "x_proj"]})
    if experts:
        lora = lora.model_copy(update={"target_parameters": EXPERTS})
    policy = add_adapter(replace(base, model=model), lora, 0)
    for key, parameter in policy.model.named_parameters():
        if "lora_B" in key:  # zero at the start, which would leave half of the gradients zero
            torch.nn.init.normal_(parameter, std=0.1)
    return policy


def _trainer(
    name: str,
    trainer_class: type[GRPOTrainer],
    tmp_path: Any,
    study: Study = STUDY,
    **policy: Any,
) -> GRPOTrainer:
    return grpo.make_trainer(
        study.run("hard_only", 0),
        _training(),
        tmp_path,
        policy=_policy(name, **policy),
        trainer_class=trainer_class,
    )


def _inputs(trainer: GRPOTrainer) -> dict[str, torch.Tensor]:
    """Three groups of four ragged completions, shuffled; the second group has no spread."""
    rng = np.random.default_rng(3)
    beginning = rng.integers(5, 2000, size=12).tolist()
    prompts = [beginning + rng.integers(5, 2000, size=n).tolist() for n in (30, 21, 29)]
    lengths = [1, 4, 2, 3, 2, 2, 2, 2, 3, 3, 1, 4]
    completions = [rng.integers(5, 2000, size=n).tolist() for n in lengths]
    completions[9] = completions[8]  # the same answer twice in a group
    prompt_ids, prompt_mask = pad_left([prompts[i // 4] for i in range(12)], 0, "cpu")
    completion_ids = torch.zeros(12, 4, dtype=torch.long)
    completion_mask = torch.zeros(12, 4, dtype=torch.long)
    for row, completion in enumerate(completions):
        completion_ids[row, : len(completion)] = torch.tensor(completion)
        completion_mask[row, : len(completion)] = 1
    advantages = torch.tensor([1.0, -1.0, 0.5, -0.5, 0, 0, 0, 0, 1.5, -0.5, -0.5, -0.5])
    order = torch.tensor(rng.permutation(12))
    inputs = {
        "prompt_ids": prompt_ids,
        "prompt_mask": prompt_mask,
        "completion_ids": completion_ids,
        "completion_mask": completion_mask,
        "advantages": advantages,
    }
    shuffled = {key: value[order] for key, value in inputs.items()}
    return shuffled | {"num_items_in_batch": completion_mask.sum()}


@pytest.fixture(params=[2, 8, 256], ids=["a bucket for each", "shared beginnings", "neither"])
def cost_of_a_pass(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "TOKENS_PER_PASS", request.param)


@pytest.mark.usefixtures("cost_of_a_pass")
@pytest.mark.parametrize("name", small_models.NAMES)
def test_loss_gradients_and_metrics_equal_the_stock_trainer(name: str, tmp_path: Any) -> None:
    outcomes = {}
    for trainer_class in (GRPOTrainer, SharedPrefixTrainer):
        trainer = _trainer(name, trainer_class, tmp_path)
        loss, gradients = probe.loss_and_gradients(trainer, _inputs(trainer))
        outcomes[trainer_class] = loss, gradients, probe.logged(trainer, "entropy")[0]
    (loss, gradients, entropy), (our_loss, our_gradients, our_entropy) = outcomes.values()
    assert gradients.norm() > 1e-3
    assert our_loss == pytest.approx(loss, abs=1e-5)
    assert our_entropy == pytest.approx(entropy, rel=1e-5)
    assert (our_gradients - gradients).norm() / gradients.norm() < 1e-5


@pytest.mark.usefixtures("cost_of_a_pass")
def test_gradients_of_adapted_experts_equal_the_stock_trainer(tmp_path: Any) -> None:
    found = []
    for trainer_class in (GRPOTrainer, SharedPrefixTrainer):
        trainer = _trainer("gpt_oss", trainer_class, tmp_path, experts=True)
        gradients = probe.gradients(trainer, _inputs(trainer))
        of_experts = [
            p.grad.norm()
            for key, p in trainer.model.named_parameters()
            if p.requires_grad and "experts" in key
        ]
        assert len(of_experts) == 8 and min(of_experts) > 1e-4  # A and B of both, in two layers
        found.append(gradients)
    assert (found[1] - found[0]).norm() / found[0].norm() < 1e-5


@pytest.mark.usefixtures("cost_of_a_pass")
@pytest.mark.parametrize("name", small_models.NAMES)
def test_in_bfloat16_gradients_are_as_near_to_the_truth_as_the_stock_trainers(
    name: str, tmp_path: Any
) -> None:
    def gradients(trainer_class: type[GRPOTrainer], dtype: torch.dtype) -> torch.Tensor:
        model = STUDY.model.model_copy(update={"dtype": str(dtype).removeprefix("torch.")})
        study = STUDY.model_copy(update={"model": model})
        trainer = _trainer(name, trainer_class, tmp_path, study, dtype=dtype)
        assert trainer.args.bf16 == (dtype is torch.bfloat16)
        prepared = trainer.accelerator.prepare(trainer.model)  # which casts what it computes
        return probe.gradients(trainer, _inputs(trainer), through=prepared).float()

    exact = gradients(GRPOTrainer, torch.float32)
    stock, ours = (
        (gradients(each, torch.bfloat16) - exact).norm() / exact.norm()
        for each in (GRPOTrainer, SharedPrefixTrainer)
    )
    assert 1e-4 < ours < 1.5 * stock


# What sampling keeps the graph of -> the share of groups without an advantage in the step before,
# and the bytes that a graph may take.
GRAPHS = {"sampling": (0.1, 2**30), "prompts": (0.1, 0), "": (0.9, 2**30)}


@pytest.mark.parametrize("kept", GRAPHS, ids=["graph of sampling", "of prompts", "of live groups"])
@pytest.mark.parametrize(
    ("name", "experts", "step"),
    [*((name, False, 0) for name in small_models.NAMES), ("gpt_oss", True, KL_STEPS - 1)],
)
def test_gradients_of_sampled_completions_equal_the_stock_trainer(
    name: str,
    experts: bool,
    step: int,
    kept: str,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    idle, most = GRAPHS[kept]
    monkeypatch.setattr(buckets, "TOKENS_PER_PASS", 8)
    monkeypatch.setattr(trainer_module, "GRAPH_BYTES", most)
    ours, stock = (
        _trainer(name, each, tmp_path, experts=experts)
        for each in (SharedPrefixTrainer, GRPOTrainer)
    )
    ours.state.global_step = step  # the KL from the base model is logged after some
    ours.state.log_history.append({"frac_reward_zero_std": idle})
    # a group without spread, where all say the same, and others with
    ours.reward_funcs[0] = lambda prompts, completions, **_: [
        float(len(said)) if asked != prompts[0] else 1.0
        for asked, said in zip(prompts, completions, strict=True)
    ]
    inputs = probe.rollout(ours, next(iter(ours.get_train_dataloader())))
    assert 0 < (inputs["advantages"] != 0).sum() < len(inputs["advantages"])
    assert probe.kept_graph(ours, inputs) == kept
    assert not inputs["sampled_entropies"].requires_grad
    plain = probe.unscored(inputs)
    loss, gradients = probe.loss_and_gradients(stock, plain)
    assert gradients.norm() > 1e-3
    for given in (inputs, plain):  # as sampled, and scored anew
        ours.model.zero_grad()
        our_loss, our_gradients = probe.loss_and_gradients(ours, given)
        assert our_loss == pytest.approx(loss, abs=1e-5)
        assert (our_gradients - gradients).norm() / gradients.norm() < 1e-5
    expected = pytest.approx(probe.logged(stock, "entropy")[0], rel=1e-5)
    assert probe.logged(ours, "entropy") == [expected, expected]
    assert "sampled_logps" not in inputs  # after an update, they would be of other weights
    assert bool(probe.logged(ours, "kl")) == bool(step)


def test_a_kept_graph_saves_forward_passes_of_the_loss(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []
    for idle, most in GRAPHS.values():
        monkeypatch.setattr(trainer_module, "GRAPH_BYTES", most)
        trainer = _trainer("gpt_oss", SharedPrefixTrainer, tmp_path)
        trainer.state.log_history.append({"frac_reward_zero_std": idle})
        inputs = probe.rollout(trainer, next(iter(trainer.get_train_dataloader())))
        inputs["advantages"][:] = (inputs["prompt_ids"] == inputs["prompt_ids"][0]).all(1)
        shapes: list[torch.Size] = []
        embeddings = trainer.model.get_base_model().get_input_embeddings()
        embeddings.register_forward_pre_hook(lambda _, given, to=shapes: to.append(given[0].shape))
        probe.loss(trainer, inputs)
        passes.append(shapes)
    said = inputs["completion_ids"].shape[1] - 1
    whole, kept, live = passes
    assert not whole
    assert [columns for _, columns in kept] == [said]  # a pass for the completions alone
    assert live[0][0] == 1  # the one prompt that has an advantage
    assert [columns for _, columns in live[1:]] == [said]


def _in_passes(prompts_per_pass: int | None) -> Study:
    numbers = STUDY.training.model_copy(update={"prompts_per_pass": prompts_per_pass})
    return STUDY.model_copy(update={"training": numbers})


def test_a_step_in_parts_is_the_step_in_one_and_splits_no_group(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration, moved, logged = grpo.GRPOConfig, [], []
    # one step, whose size is in proportion to the gradient
    once = {"max_steps": 1, "optim": "sgd"}
    monkeypatch.setattr(grpo, "GRPOConfig", lambda **k: configuration(**k | once))
    for prompts_per_pass in (None, 2):
        trainer = _trainer(
            "gpt_oss", SharedPrefixTrainer, tmp_path, study=_in_passes(prompts_per_pass)
        )
        # what a model with random weights says earns the study's reward nothing
        trainer.reward_funcs[0] = lambda completions, **_: [float(len(c)) for c in completions]
        before = probe.trained_weights(trainer)
        parts = probe.watch_losses(trainer)
        trainer.train()
        moved.append(probe.trained_weights(trainer) - before)
        logged.append(trainer.state.log_history[0])
        expected = [16] if prompts_per_pass is None else [8, 8]
        assert [len(part["prompt_ids"]) for part in parts] == expected
        for part in parts:
            assert set(part["prompt_ids"].unique(dim=0, return_counts=True)[1].tolist()) == {4}
    assert logged[0]["grad_norm"] > 1e-3
    for name in ("grad_norm", "reward", "entropy", "kl", "frac_reward_zero_std"):
        assert logged[1][name] == pytest.approx(logged[0][name], rel=1e-2 if name == "kl" else 1e-3)
    assert (moved[1] - moved[0]).norm() / moved[0].norm() < 1e-3


def test_gradients_flow_through_a_beginning_that_is_read_once(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "TOKENS_PER_PASS", 8)
    trainer = _trainer("gpt_oss", SharedPrefixTrainer, tmp_path)
    passes = []
    trainer.model.get_base_model().get_input_embeddings().register_forward_pre_hook(
        lambda _, given: passes.append((tuple(given[0].shape), torch.is_grad_enabled()))
    )
    probe.loss(trainer, _inputs(trainer))
    assert [shape for shape, grad in passes if grad] == [(1, 12), (2, 30), (7, 3)]


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("gpt_oss", "gradient_checkpointing", True),
        ("gpt_oss", "beta", 0.1),
        ("gpt_oss", "entropy_coef", 0.01),
        ("gpt_oss", "router_aux_loss_coef", 0.01),
        ("mamba", "beta", 0.1),
    ],
)
def test_terms_of_the_loss_that_sharing_would_change_are_refused(
    name: str, option: str, value: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = grpo.GRPOConfig
    monkeypatch.setattr(grpo, "GRPOConfig", lambda **k: configuration(**k | {option: value}))
    with pytest.raises(UnsharedTermError, match=f"{option} is {value}; expected it to be off"):
        _trainer(name, SharedPrefixTrainer, tmp_path)
    assert _trainer(name, GRPOTrainer, tmp_path)


@pytest.mark.usefixtures("cost_of_a_pass")
@pytest.mark.parametrize("name", small_models.NAMES)
def test_log_probabilities_equal_the_stock_trainer(name: str, tmp_path: Any) -> None:
    logps = []
    for trainer_class in (GRPOTrainer, SharedPrefixTrainer):
        trainer = _trainer(name, trainer_class, tmp_path)
        inputs = _inputs(trainer)
        logps.append(probe.log_probabilities(trainer, inputs)[inputs["completion_mask"].bool()])
    torch.testing.assert_close(logps[1], logps[0], atol=2e-5, rtol=1e-5)


def test_a_batch_without_any_spread_leaves_the_weights_alone(tmp_path: Any) -> None:
    trainer = _trainer("gpt_oss", SharedPrefixTrainer, tmp_path)
    inputs = _inputs(trainer) | {"advantages": torch.zeros(12)}
    probe.loss(trainer, inputs).backward()
    assert all(
        p.grad is None or not p.grad.any() for p in trainer.model.parameters() if p.requires_grad
    )


@pytest.mark.usefixtures("cost_of_a_pass")
def test_the_drift_is_the_divergence_from_the_base_over_the_whole_vocabulary(
    tmp_path: Any,
) -> None:
    trainer = _trainer("gpt_oss", SharedPrefixTrainer, tmp_path)
    inputs = _inputs(trainer)
    for trainer.state.global_step in (KL_STEPS - 2, KL_STEPS - 1):
        probe.loss(trainer, inputs)
    drifts = []
    for prompt, completion, text, said in zip(
        inputs["prompt_ids"],
        inputs["completion_ids"],
        inputs["prompt_mask"].sum(1).tolist(),
        inputs["completion_mask"].sum(1).tolist(),
        strict=True,
    ):
        ids = torch.cat([prompt[-text:], completion[:said]])[None]
        with torch.no_grad():
            trained = (trainer.model(ids).logits[0] / trainer.temperature).log_softmax(-1)
            with trainer.model.disable_adapter():
                base = (trainer.model(ids).logits[0] / trainer.temperature).log_softmax(-1)
        places = slice(text - 1, text - 1 + said)  # whose next token is of the completion
        drifts += (trained.exp() * (trained - base)).sum(-1)[places].tolist()
    logged = probe.logged(trainer, "kl")
    assert len(logged) == 1 and logged[0] > 0.01
    assert logged[0] == pytest.approx(np.mean(drifts), rel=1e-4)


def test_sampled_shares_agree_with_the_models_probabilities(tmp_path: Any) -> None:
    trainer = _trainer("gpt_oss", SharedPrefixTrainer, tmp_path)
    trainer.max_completion_length = 1
    trainer.temperature = 0.1  # so that a few tokens have most of the probability
    trainer.model.eval()
    prompt = list(range(40, 60))
    torch.manual_seed(0)
    drawn = probe.sample(trainer, [prompt] * 4000)
    with torch.no_grad():
        expected = (trainer.model(torch.tensor([prompt])).logits[0, -1] / 0.1).softmax(-1)
    shares = torch.bincount(torch.tensor(drawn)[:, 0], minlength=len(expected)) / 4000
    likely = expected > 0.01
    assert likely.sum() > 3
    error = (expected * (1 - expected) / 4000).sqrt()
    assert ((shares - expected).abs()[likely] < 5 * error[likely]).all()


def test_a_model_that_cannot_share_a_prefix_takes_the_stock_path_and_says_so(
    tmp_path: Any, recwarn: pytest.WarningsRecorder
) -> None:
    outcomes = {}
    for trainer_class in (GRPOTrainer, SharedPrefixTrainer):
        trainer = _trainer("mamba", trainer_class, tmp_path)
        trainer.state.global_step = KL_STEPS - 1
        outcomes[trainer_class] = probe.gradients(trainer, _inputs(trainer))
    torch.testing.assert_close(outcomes[SharedPrefixTrainer], outcomes[GRPOTrainer])
    assert probe.logged(trainer, "kl")[0] != 0
    trainer.model.eval()
    torch.manual_seed(0)
    drawn = probe.sample(trainer, [[40, 41, 42]] * 4)
    assert len(drawn) == 4 and all(1 <= len(each) <= 4 for each in drawn)
    said = [str(each.message) for each in recwarn if "keeps a recurrent state" in str(each.message)]
    assert len(said) == 1 and said[0].startswith(
        "MambaForCausalLM: every completion repeats the forward pass of its"
    )


def test_gradients_pass_through_the_wrapper_that_shares_them(tmp_path: Path) -> None:
    """With one process there is nothing to add up, but a hook sees what would be sent."""
    trainer = _trainer("gpt_oss", SharedPrefixTrainer, tmp_path)
    sent: list[torch.Tensor] = []

    def hook(_: None, bucket: torch.distributed.GradBucket) -> torch.futures.Future[torch.Tensor]:
        sent.append(bucket.buffer().clone())
        future: torch.futures.Future[torch.Tensor] = torch.futures.Future()
        future.set_result(bucket.buffer())
        return future

    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1
    )
    try:
        parallel = torch.nn.parallel.DistributedDataParallel(trainer.model)
        parallel.register_comm_hook(None, hook)
        norm = probe.gradients(trainer, _inputs(trainer), through=parallel).norm().item()
        assert norm > 1e-3
        assert torch.cat([*sent, torch.zeros(0)]).norm().item() == pytest.approx(norm, rel=1e-5)
    finally:
        torch.distributed.destroy_process_group()


def _of_groups(inputs: dict[str, torch.Tensor], groups: list[int]) -> dict[str, torch.Tensor]:
    """Rows of `_inputs` of the groups with prompts of that rank by length, as often as named."""
    lengths = inputs["prompt_mask"].sum(1)
    longest_first = lengths.unique().flip(0)
    rows = torch.cat([(lengths == longest_first[group]).nonzero()[:, 0] for group in groups])
    return {key: value[rows] if value.ndim else value for key, value in inputs.items()}


SHARES = ([0, 1], [1, 2])  # of the second process, the last group has no spread


def _be_one_of_two(rank: int, folder: str) -> None:
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": Path(folder, "port").read_text()}
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"} | address
    torch.set_num_threads(1)


def _spawn_two(process: Callable[[int, str], None], folder: Path, seconds: float) -> None:
    """Runs two processes that find each other; where they wait for each other, they do for ever."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        (folder / "port").write_text(str(free.getsockname()[1]))
    both = torch.multiprocessing.spawn(process, args=(str(folder),), nprocs=2, join=False)
    end = time.monotonic() + seconds
    while not both.join(timeout=5):
        if time.monotonic() > end:
            for each in both.processes:
                each.kill()
            pytest.fail("the processes wait for each other")


def _one_of_two(rank: int, folder: str) -> None:
    """A process that trains on its share; saves the gradients that both agreed on."""
    _be_one_of_two(rank, folder)
    buckets.TOKENS_PER_PASS = 8
    trainer = _trainer("gpt_oss", SharedPrefixTrainer, folder)
    parallel = torch.nn.parallel.DistributedDataParallel(
        trainer.model,
        broadcast_buffers=trainer.args.ddp_broadcast_buffers,
        find_unused_parameters=trainer.args.ddp_find_unused_parameters,
    )
    passes: list[None] = []
    parallel.register_forward_pre_hook(lambda *_: passes.append(None))
    mine = _of_groups(_inputs(trainer), SHARES[rank])
    gradients = probe.gradients(trainer, mine, through=parallel)
    torch.save((len(passes), gradients), Path(folder, f"{rank}.pt"))
    os._exit(0)  # once in a while, leaving the group in order waits for ever


@pytest.mark.slow
def test_processes_with_other_numbers_of_passes_agree_on_the_gradients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _spawn_two(_one_of_two, tmp_path, 180)
    (more, first), (fewer, second) = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert more > fewer
    assert torch.equal(first, second)
    monkeypatch.setattr(buckets, "TOKENS_PER_PASS", 8)
    alone = _trainer("gpt_oss", SharedPrefixTrainer, tmp_path)
    together = _of_groups(_inputs(alone), [*SHARES[0], *SHARES[1]])
    expected = probe.gradients(alone, together)
    assert (first - expected).norm() / expected.norm() < 1e-5


@pytest.mark.slow
def test_two_processes_train_an_arm_as_one_does_and_one_of_them_writes(tmp_path: Path) -> None:
    paths, alone = Paths(tmp_path / "two"), Paths(tmp_path / "one")
    mixtures.prepare(STUDY, paths)
    shutil.copytree(paths.root, alone.root)
    paths.root.rename(tmp_path / "smoke")
    paths = Paths(tmp_path / "smoke")
    factmix = str(Path(sys.executable).parent / "factmix")
    launched = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", factmix]
    subprocess.run(
        [*launched, "train", "smoke", "hard_only", "--seed", "0"],
        env=os.environ | {"FACTMIX_RUNS": str(tmp_path), "OMP_NUM_THREADS": "1"},
        check=True,
        timeout=300,
    )
    assert read_record(paths.arm("hard_only", 0) / "run.json")["processes"] == 2
    grpo.train(STUDY.run("hard_only", 0), alone)
    one, two = (
        pd.read_parquet(of.arm("hard_only", 0) / "metrics.parquet") for of in (alone, paths)
    )
    shown = one.columns.difference(["seconds"])
    np.testing.assert_allclose(two[shown], one[shown], rtol=1e-4, atol=1e-6)
    file = Path("adapter", "adapter_model.safetensors")
    one, two = (load_file(of.arm("hard_only", 0) / file) for of in (alone, paths))
    apart = torch.cat([(two[name] - one[name]).flatten() for name in one])
    assert apart.norm() < 1e-4 * torch.cat([each.flatten() for each in one.values()]).norm()
    folder = paths.arm("hard_only", 0)
    curve = pd.read_parquet(folder / "metrics.parquet")
    assert curve["step"].tolist() == [1, 2]
    np.testing.assert_allclose(curve.filter(like="share/").sum(axis=1), 1, atol=1e-6)
    trajectory = pd.read_parquet(folder / "trajectory.parquet")
    assert not trajectory.duplicated(["step", "dataset", "id"]).any()
    assert json.loads((folder / "run.json").read_text())["steps"] == 2
    assert not (folder / "checkpoints").exists()
    evaluate_arm(STUDY.run("hard_only", 0), paths)
    assert (folder / "predictions.parquet").is_file()


def test_a_group_is_never_split_between_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [grpo.prompts_per_process(STUDY.run("hard_only"), n) for n in (1, 2, 4)] == [
        (4, 4),
        (2, 2),
        (1, 1),
    ]
    in_twos = _in_passes(2)
    assert [grpo.prompts_per_process(in_twos.run("hard_only"), n) for n in (1, 2, 4)] == [
        (4, 2),
        (2, 2),
        (1, 1),
    ]
    twelve = STUDY.training.model_copy(update={"prompts_per_step": 12, "prompts_per_pass": 4})
    with pytest.raises(grpo.TrainingError, match="4 prompts per pass do not divide the 6 of each"):
        grpo.prompts_per_process(STUDY.model_copy(update={"training": twelve}).run("hard_only"), 2)
    for name in grpo.LAUNCHER:
        monkeypatch.setenv(name, "3")
    with pytest.raises(
        grpo.TrainingError,
        match=r"study smoke: training\.prompts_per_step: 4 prompts .* among 3 processes.*start a",
    ):
        grpo.make_trainer(STUDY.run("hard_only", 0), _training(), tmp_path, policy=_policy("llama"))


@pytest.mark.parametrize(
    ("left_over", "got"),
    [
        ({"WORLD_SIZE": "4"}, "has WORLD_SIZE=4, .*no RANK, LOCAL_RANK, MASTER_ADDR, MASTER_PORT;"),
        ({"RANK": "1", "MASTER_ADDR": "node"}, "has RANK=1, .*: unset RANK MASTER_ADDR$"),
        ({"WORLD_SIZE": "1", "LOCAL_RANK": "0"}, "has WORLD_SIZE=1 LOCAL_RANK=0, "),
        ({"WORLD_SIZE": "1", "RANK": "0", "MASTER_ADDR": "node"}, None),
    ],
)
def test_what_a_launcher_left_in_the_environment_is_told_from_a_launch(
    left_over: dict[str, str], got: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in grpo.LAUNCHER:
        monkeypatch.delenv(name, raising=False)
    for name, value in left_over.items():
        monkeypatch.setenv(name, value)
    if got is None:
        assert grpo._processes() == 1
    else:
        with pytest.raises(grpo.TrainingError, match=got):
            grpo.make_trainer(
                STUDY.run("hard_only", 0), _training(), tmp_path, policy=_policy("llama")
            )


def test_a_process_without_whole_groups_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(self: GRPOTrainer) -> None:  # of the second of two processes, with 12 completions
        self.args = SimpleNamespace(per_device_train_batch_size=6)
        self.num_generations = 4
        self.accelerator = SimpleNamespace(num_processes=2)

    monkeypatch.setattr(GRPOTrainer, "__init__", init)
    with pytest.raises(
        GroupError, match=r"6 completions, expected a multiple of .*\(4\): .* 2 pro"
    ):
        SharedPrefixTrainer()


def test_completions_end_with_the_first_stopping_token() -> None:
    assert truncate_after_stop([7, 9, 3, 9, 9], {9, 3}) == [7, 9]
    assert truncate_after_stop([7, 8], {9}) == [7, 8]


def test_reward_functions_name_and_log_every_component() -> None:
    values_of: dict[str, list[float]] = defaultdict(list)
    completions, gold = ["PASS\n", "NA\n", "It is FAIL\n"], ["PASS", "PASS", "FAIL"]
    functions = reward_functions(STUDY.rewards["published"])
    values = {
        each.__name__: each(
            completions=completions,
            gold=gold,
            example=["a", "b", "c"],
            log_metric=lambda k, v: values_of[k].append(v),
        )
        for each in functions
    }
    logged = {name: sum(each) / len(each) for name, each in values_of.items()}
    assert len(values_of["accuracy|PASS"]) == 2  # not one mean, which would weigh as one completion
    assert values == {
        "correct": [10.0, pytest.approx(-0.075), 14.0],
        "false_na": [0.0, pytest.approx(-0.075), 0.0],
        "explore": [8.0, 0.0, 8.0],
        "format": [0.0, 0.0, -0.25],
        "answers": [1.0, 0.0, 1.0],
    }
    assert logged["reward/total|PASS"] == pytest.approx((18.0 - 0.15) / 2)
    assert logged["reward/format|FAIL"] == -0.25
    assert logged["accuracy|PASS"] == 0.5
    assert logged["format_rate"] == pytest.approx(2 / 3)
    assert logged["share/NA"] == pytest.approx(1 / 3)
    assert "accuracy|NA" not in logged


@pytest.mark.parametrize("name", small_models.NAMES)
def test_stock_trainer_needs_no_other_configuration(name: str, tmp_path: Any) -> None:
    trainer = _trainer(name, GRPOTrainer, tmp_path)
    assert trainer.args.generation_batch_size == 16
    assert trainer.beta == 0.0 and trainer.loss_type == "grpo" and trainer.scale_rewards == "group"
    assert set(trainer.eos_token_ids) == set(load_base(STUDY.model).stop_ids)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """The smoke study's data and one trained and evaluated arm."""
    paths = Paths(tmp_path_factory.mktemp("smoke"))
    with pytest.MonkeyPatch.context() as patch:
        for name in (
            "HF_TOKEN",
            "HUGGING_FACE_HUB_TOKEN",
            "WANDB_API_KEY",
            "AWS_SECRET_ACCESS_KEY",
        ):
            patch.setenv(name, SECRET)
        mixtures.prepare(STUDY, paths)
        grpo.train(STUDY.run("hard_only", 0), paths)
        evaluate_arm(STUDY.run("hard_only", 0), paths)
    return paths


def test_no_file_of_a_run_has_a_secret_of_the_environment(run: Paths) -> None:
    written = [path for path in run.root.rglob("*") if path.is_file()]
    assert run.arm("hard_only", 0) / "run.json" in written
    for path in written:
        content = path.read_bytes()
        if path.suffix == ".parquet":  # compressed
            content = pd.read_parquet(path).to_csv().encode() + str(pq.read_metadata(path)).encode()
        assert SECRET.encode() not in content, path


def test_two_steps_write_everything_that_the_comparison_reads(run: Paths) -> None:
    folder = run.arm("hard_only", 0)
    metrics = pd.read_parquet(folder / "metrics.parquet")
    assert metrics["step"].tolist() == [1, 2]
    components = [f"reward/{name}" for name in ("correct", "false_na", "explore", "format")]
    np.testing.assert_allclose(metrics[components].sum(axis=1), metrics["reward/total"], atol=1e-5)
    np.testing.assert_allclose(metrics.filter(like="share/").sum(axis=1), 1, atol=1e-6)
    assert metrics["kl"].isna().tolist() == [True, False] and metrics["kl"].iloc[1] > 0
    assert {"entropy", "zero_spread", "grad_norm", "loss", "seconds", "accuracy|PASS"} <= set(
        metrics
    )
    trajectory = pd.read_parquet(folder / "trajectory.parquet")
    assert sorted(trajectory["step"].unique()) == [0, 2]
    earned = pd.read_parquet(folder / "rewards.parquet")
    assert len(earned) == len(pd.read_parquet(run.sample(STUDY.run("hard_only").training_sample)))
    assert earned["after"].between(-2, 22).all()  # NA for a false one, FAIL for a right one
    facts = json.loads((folder / "run.json").read_text())
    assert facts["steps"] == 2 and facts["trainable_parameters"] > 0
    assert not (folder / "checkpoints").exists()


def test_the_adapter_has_moved_away_from_the_base(run: Paths) -> None:
    weights = load_file(run.arm("hard_only", 0) / "adapter" / "adapter_model.safetensors")
    moved = [value.abs().max().item() for key, value in weights.items() if "lora_B" in key]
    assert moved and all(value > 0 for value in moved)  # they start at zero


def test_a_finished_arm_is_not_trained_again(run: Paths) -> None:
    before = (run.arm("hard_only", 0) / "run.json").stat().st_mtime_ns
    grpo.train(STUDY.run("hard_only", 0), run)
    assert (run.arm("hard_only", 0) / "run.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("training.prompts_per_pass", 2),
        ("training.checkpoint_steps", 7),
        ("training.learning_rate_grid", [0.5]),
        ("evaluation.trajectory_steps", [0, 1]),
        ("evaluation.temperature", 0.9),
        ("statistics.resamples", 10),
    ],
)
def test_what_does_not_change_learning_keeps_a_run(key: str, value: Any) -> None:
    assert _settings_with(key, value) == freshness.training_settings(STUDY.run("hard_only", 0))


@pytest.mark.parametrize(
    ("key", "value"),
    [("training.learning_rate", 0.5), ("training.steps", 7), ("prompt.max_tokens", 99)],
)
def test_what_changes_learning_makes_another_run(key: str, value: Any) -> None:
    assert _settings_with(key, value) != freshness.training_settings(STUDY.run("hard_only", 0))


def _settings_with(key: str, value: Any) -> freshness.Record:
    content = STUDY.model_dump()
    section, name = key.split(".")
    content[section][name] = value
    return freshness.training_settings(Study.model_validate(content).run("hard_only", 0))


def _files_of_a_run(folder: Path) -> tuple[Run, Paths, dict[str, Path]]:
    """A run with files in the place of what its training reads."""
    model = STUDY.model.model_copy(update={"path": str(folder / "model")})
    run, paths = STUDY.model_copy(update={"model": model}).run("hard_only", 0), Paths(folder)
    files = {
        "weights": folder / "model" / "model.safetensors",
        "training": paths.sample(run.training_sample),
        "evaluation": paths.sample(run.evaluation_sample),
    }
    for file in files.values():
        write_parquet(file, pd.DataFrame({"id": ["before"]}))
    return run, paths, files


@pytest.mark.parametrize(
    ("changed", "current"), [("weights", False), ("training", False), ("evaluation", True)]
)
def test_a_run_is_another_when_the_files_it_learns_from_change(
    tmp_path: Path, changed: str, current: bool
) -> None:
    run, paths, files = _files_of_a_run(tmp_path)
    record = paths.run(run) / "run.json"
    write_record(record, {"depends_on": freshness.training(run, paths)})
    write_parquet(files[changed], pd.DataFrame({"id": ["after"]}))
    assert arm.is_of(record, freshness.training(run, paths)) == current


def test_a_run_of_other_settings_is_moved_aside_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, paths, _ = _files_of_a_run(tmp_path)
    now, folder = freshness.training(run, paths), paths.run(run)
    arm.make_room(folder, now)  # nothing is there yet
    for trained in ("adapter", "checkpoints/checkpoint-2"):
        (folder / trained).mkdir(parents=True)
    write_record(folder / "checkpoints" / arm.STARTED, {"depends_on": now})
    arm.make_room(folder, now)  # interrupted: it is gone on with
    assert folder.is_dir() and not capsys.readouterr().err
    faster = run.training.model_copy(update={"learning_rate": 0.5})
    other = freshness.training(replace(run, training=faster), paths)
    write_record(folder / "run.json", {"depends_on": other})
    arm.make_room(folder, now)  # gone on with, although the record of another run is back
    assert folder.is_dir() and not capsys.readouterr().err
    (folder / "run.json").unlink()
    arm.make_room(folder, other)
    assert (tmp_path / "replaced" / "hard_only-s0-1" / "checkpoints" / "checkpoint-2").is_dir()
    assert not folder.exists()
    assert "training.learning_rate was 0.001 and is 0.5" in capsys.readouterr().err


def test_a_run_is_trained_by_one_process_at_a_time(tmp_path: Path) -> None:
    run, paths, _ = _files_of_a_run(tmp_path)
    lock = tmp_path / f".{run.name}-{platform.node()}.lock"
    trained = alone(lock, "another training")
    with trained, pytest.raises(LockedError, match=r"training of smoke, hard_only-s0 is already"):
        grpo.train(run, paths)


def test_a_run_that_another_process_finished_meanwhile_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, paths, _ = _files_of_a_run(tmp_path)
    answers = iter((False, True))  # before and after the lock was had
    monkeypatch.setattr(arm, "is_trained", lambda *_: next(answers))
    monkeypatch.setattr(grpo, "_train", None)  # would fail if it were called
    grpo.train(run, paths)
    assert next(answers, None) is None


def test_an_adapter_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    class Interrupted:
        def save_pretrained(self, folder: str) -> None:
            Path(folder).mkdir(parents=True)
            Path(folder, "adapter_model.safetensors").write_bytes(b"half")
            raise KeyboardInterrupt

    run, paths, _ = _files_of_a_run(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        grpo._write_run(Interrupted(), run, paths, {}, 0.0)
    assert not (paths.run(run) / "adapter").exists()


def test_a_finished_run_without_one_of_its_files_is_moved_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, paths, _ = _files_of_a_run(tmp_path)
    now, folder = freshness.training(run, paths), paths.run(run)
    write_record(folder / "run.json", {"depends_on": now})
    (folder / "adapter").mkdir()
    for name in (*arm.ADAPTER, "trajectory.parquet", "rewards.parquet"):
        (folder / name).write_bytes(b"")
    (tmp_path / "replaced" / "hard_only-s0-2").mkdir(parents=True)
    for number in (1, 3):  # the first that is free
        assert arm.missing(folder) == ["metrics.parquet"]
        arm.make_room(folder, now)
        assert "metrics.parquet is missing" in capsys.readouterr().err
        aside = tmp_path / "replaced" / f"hard_only-s0-{number}"
        assert (aside / "run.json").is_file()
        shutil.copytree(aside, folder)


def test_two_threads_train_the_same_bits_each_time(tmp_path: Path) -> None:
    """By default they add some gradients in whatever order they come."""
    numbers = STUDY.training.model_copy(update={"steps": 12})
    arms = {name: arm.model_copy(update={"steps": None}) for name, arm in STUDY.arms.items()}
    study = STUDY.model_copy(update={"training": numbers, "arms": arms})
    paths, weights = Paths(tmp_path), []
    mixtures.prepare(study, paths)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for _ in range(3):
            shutil.rmtree(paths.arm("balanced", 0), ignore_errors=True)
            grpo.train(study.run("balanced", 0), paths)
            adapter = paths.arm("balanced", 0) / "adapter" / "adapter_model.safetensors"
            weights.append(sha256(adapter))
            assert not torch.are_deterministic_algorithms_enabled()  # afterwards as before
    finally:
        torch.set_num_threads(threads)
    assert len(set(weights)) == 1


def test_the_same_seed_gives_the_same_predictions_even_after_being_killed(
    run: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = STUDY.training.model_copy(update={"checkpoint_steps": 1})
    study = STUDY.model_copy(update={"training": numbers})
    again = Paths(tmp_path)
    mixtures.prepare(study, again)

    class KilledError(Exception):
        pass

    def die(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        original = grpo.Progress.on_log

        def die_after_one(self: Any, args: Any, state: Any, *rest: Any, **named: Any) -> None:
            original(self, args, state, *rest, **named)
            patch.setattr(grpo.Progress, "on_step_begin", die, raising=False)

        patch.setattr(grpo.Progress, "on_step_begin", lambda *_, **__: None, raising=False)
        patch.setattr(grpo.Progress, "on_log", die_after_one)
        with pytest.raises(KilledError):
            grpo.train(study.run("hard_only", 0), again)
    folder = again.arm("hard_only", 0)
    assert not (folder / "run.json").exists()
    kept = json.loads((folder / "checkpoints/checkpoint-1/trainer_state.json").read_text())
    before = kept["log_history"][-1]["spent"]["wall_seconds"]
    resumed = time.monotonic()
    grpo.train(study.run("hard_only", 0), again)
    both = before + time.monotonic() - resumed
    assert 0 <= both - json.loads((folder / "run.json").read_text())["wall_seconds"] < before
    evaluate_arm(study.run("hard_only", 0), again)
    first, second = (
        pd.read_parquet(paths.arm("hard_only", 0) / "predictions.parquet") for paths in (run, again)
    )
    pd.testing.assert_frame_equal(first, second)
    curves = [
        pd.read_parquet(paths.arm("hard_only", 0) / "metrics.parquet") for paths in (run, again)
    ]
    pd.testing.assert_frame_equal(*(each.drop(columns="seconds") for each in curves))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_training_that_was_killed_after_its_last_step_makes_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    content = STUDY.model_dump()
    content["model"]["dtype"] = dtype
    content["training"]["checkpoint_steps"] = 2
    study = Study.model_validate(content)
    one, other = Paths(tmp_path / "one"), Paths(tmp_path / "other")
    run = study.run("hard_only", 0)
    # the last step is in the middle of an epoch
    assert run.training_sample.size % (run.steps * run.training.prompts_per_step)
    for paths in (one, other):
        mixtures.prepare(study, paths)
    grpo.train(run, one)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(grpo, "before_and_after", die)
        with pytest.raises(KeyboardInterrupt):
            grpo.train(run, other)
    grpo.train(run, other)
    files = [paths.run(run) / arm.ADAPTER[0] for paths in (one, other)]
    assert sha256(files[0]) == sha256(files[1])
    for table in columns.TABLES:
        whole, resumed = (pd.read_parquet(paths.run(run) / table) for paths in (one, other))
        unlike = ["seconds"] if "seconds" in whole else []
        pd.testing.assert_frame_equal(whole.drop(columns=unlike), resumed.drop(columns=unlike))
    seconds = [read_record(paths.run(run) / "run.json")["wall_seconds"] for paths in (one, other)]
    assert seconds[1] > 0.2 * seconds[0]  # with those of the part that was killed


def test_answers_of_a_step_before_the_checkpoint_that_were_changed_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, arm_run = Paths(tmp_path), STUDY.run("hard_only", 0)
    mixtures.prepare(STUDY, paths)
    with monkeypatch.context() as patch:
        patch.setattr(grpo, "before_and_after", None)
        with pytest.raises(TypeError):
            grpo.train(arm_run, paths)
    checkpoints = paths.run(arm_run) / "checkpoints"
    first = checkpoints / "trajectory" / "000000.parquet"
    rows = pd.read_parquet(first)
    rows.loc[0, "gold"] = "NA" if rows.loc[0, "gold"] != "NA" else "PASS"
    rows.to_parquet(first)
    said = rf"000000\.parquet: its rows were changed .*, delete {checkpoints}$"
    with pytest.raises(grpo.TrainingError, match=said):
        grpo.train(arm_run, paths)
    first.unlink()
    with pytest.raises(grpo.TrainingError, match=r"000000\.parquet: it cannot be read"):
        grpo.train(arm_run, paths)


def _copied(run: Paths, folder: Path, *, whole: bool = True) -> Paths:
    """The data of a finished run, and the run, where it is wanted."""
    part = "" if whole else "data"
    shutil.copytree(run.root / part, folder / "run" / part)
    return Paths(folder / "run")


def _edit_adapter(path: Path) -> None:
    weights = load_file(path)
    save_file({name: 2 * value for name, value in weights.items()}, path)


def _edit_text(old: str, new: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(path.read_text().replace(old, new, 1))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


DAMAGES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "weights": (arm.ADAPTER[0], _edit_adapter, "was changed after the training"),
    "scale": (arm.ADAPTER[1], _edit_text('"lora_alpha": 32', '"lora_alpha": 64'), "was changed"),
    "curve": ("metrics.parquet", _cut, "was changed after the training"),
    "rewards": (
        "rewards.parquet",
        lambda path: pd.read_parquet(path).assign(after=9.0).to_parquet(path),
        "was changed after the training",
    ),
    "record": ("run.json", _edit_text('"steps": 2', '"steps": 3'), "it was changed after"),
    "half a record": ("run.json", _cut, "it is no valid JSON"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_trained_arm_that_was_changed_by_hand_is_named_and_not_used(
    damage: str, run: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, change, said = DAMAGES[damage]
    chosen, paths = STUDY.run("hard_only", 0), _copied(run, tmp_path)
    assert arm.is_trained(chosen, paths)
    folder = paths.run(chosen)
    before = (folder / name).read_bytes()
    change(folder / name)
    assert before != (folder / name).read_bytes()
    assert not arm.is_trained(chosen, paths)
    if name in arm.ADAPTER:
        (folder / "predictions.parquet").unlink()
        with pytest.raises(
            ModelError, match=rf"{name}: it was changed .* factmix train smoke hard"
        ):
            evaluate_arm(chosen, paths)
    arm.make_room(folder, freshness.training(chosen, paths))
    moved = capsys.readouterr().err
    assert "moved the former hard_only-s0 to" in moved and f"{name}" in moved and said in moved
    assert not folder.exists()


@pytest.mark.parametrize("cut", [False, True])
def test_predictions_that_were_changed_by_hand_are_made_again(
    cut: bool, run: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen, paths = STUDY.run("hard_only", 0), _copied(run, tmp_path)
    file = paths.run(chosen) / "predictions.parquet"
    assert arm.is_answered(chosen, paths)
    before = pd.read_parquet(file)
    if cut:
        _cut(file)
    else:
        better = before.assign(predicted=before["gold"])
        better.attrs = before.attrs
        better.to_parquet(file, index=False)
    evaluate_arm(chosen, paths)
    assert f"{file}: it" in capsys.readouterr().err
    pd.testing.assert_frame_equal(pd.read_parquet(file), before)


def _loss_is_nan(patch: pytest.MonkeyPatch) -> None:
    original = GRPOTrainer._compute_loss

    def second(self: GRPOTrainer, *given: Any) -> torch.Tensor:
        return original(self, *given) * (float("nan") if self.state.global_step else 1)

    patch.setattr(GRPOTrainer, "_compute_loss", second)


def _gradient_is_infinite(patch: pytest.MonkeyPatch) -> None:
    original = GRPOTrainer.training_step

    def second(self: GRPOTrainer, *given: Any) -> torch.Tensor:
        loss = original(self, *given)
        if self.state.global_step:
            probe.trained_parameters(self)[0].grad.fill_(float("inf"))
        return loss

    patch.setattr(GRPOTrainer, "training_step", second)


@pytest.mark.parametrize("fail", [_loss_is_nan, _gradient_is_infinite])
def test_a_training_stops_where_a_number_is_none_and_says_where(
    fail: Callable[[pytest.MonkeyPatch], None],
    run: Paths,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paths = _copied(run, tmp_path, whole=False)
    fail(monkeypatch)
    checkpoint = paths.arm("hard_only", 0) / "checkpoints" / "checkpoint-1"
    said = "smoke, hard_only, seed 0: training stopped after step 1 of 2: the loss or its gradient"
    kept = re.escape(str(checkpoint))
    with pytest.raises(grpo.TrainingError, match=f"^{said}.*; the last good checkpoint: {kept}$"):
        grpo.train(STUDY.run("hard_only", 0), paths)
    assert not (paths.arm("hard_only", 0) / "run.json").exists()
    assert grpo._last_checkpoint(checkpoint.parent) == str(checkpoint)


@pytest.mark.parametrize(
    ("case", "form"), [(("PASS", False, "FAIL"), "no valid"), (("FAIL", True, "NA"), "valid")]
)
@pytest.mark.parametrize(
    ("earned", "said"),
    [
        (lambda: {"right": float("inf")}, r"ValueError: got \{'right': inf\}; expected a finite"),
        (
            lambda: {"wrong": 0.0},
            r"ValueError: got \{'wrong': 0\.0\}; expected a finite number for",
        ),
        (lambda: {"right": 1 / 0}, "ZeroDivisionError: "),
    ],
)
def test_a_reward_that_fails_for_some_answer_is_refused_before_training(
    case: tuple[str, bool, str],
    form: str,
    earned: Callable[[], dict[str, float]],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def of_one_answer(reward: Any, predicted: str, valid: bool, gold: str) -> dict[str, float]:
        return earned() if (predicted, valid, gold) == case else {"right": 1.0}

    monkeypatch.setitem(rewards.REWARDS, "weighted", of_one_answer)
    named = f"of_one_answer of kind 'weighted' fails for the answer {case[0]} in {form} format"
    with pytest.raises(RewardError, match=f"{named} where the gold label is {case[2]}: {said}"):
        reward_functions(STUDY.rewards["published"])


@pytest.mark.parametrize(
    ("earned", "said"),
    [(lambda: 1 / 0, "ZeroDivisionError: "), (lambda: math.nan, r"ValueError: got \{'right': nan")],
)
def test_a_reward_that_fails_later_names_the_example_the_step_and_the_last_checkpoint(
    earned: Callable[[], float], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    def too_late(*_: Any) -> dict[str, float]:
        return {"right": earned() if len(begun) > 1 else 1.0}

    def begin(*_: Any, **__: Any) -> None:
        begun.append(True)

    numbers = STUDY.training.model_copy(update={"checkpoint_steps": 1})
    study = STUDY.model_copy(update={"training": numbers})
    paths, arm_run = Paths(tmp_path), study.run("hard_only", 0)
    monkeypatch.setitem(rewards.REWARDS, arm_run.reward.kind, too_late)
    monkeypatch.setattr(grpo.Progress, "on_step_begin", begin, raising=False)
    mixtures.prepare(study, paths)
    of = "|".join(pd.read_parquet(paths.sample(arm_run.training_sample))["id"])
    named = f"too_late of kind '{arm_run.reward.kind}' fails for the completion '.*'"
    stopped = r"hard_only, seed 0: training stopped after step 1 of 2: the reward function"
    which = rf"of example ({of}), whose gold label is (NA|PASS|FAIL): {said}"
    with pytest.raises(
        grpo.TrainingError,
        match=rf"{stopped} {named} {which}.*; the last good checkpoint: .*/checkpoint-1$",
    ):
        grpo.train(arm_run, paths)


def test_a_reward_without_parts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rewards.REWARDS, "weighted", lambda *_, **__: {})
    with pytest.raises(
        RewardError, match=r"got \{\}; expected a finite number for each of its part"
    ):
        reward_functions(STUDY.rewards["published"])


def test_on_a_full_disk_training_stops_with_one_message_and_goes_on_when_there_is_space(
    run: Paths, tmp_path: Path
) -> None:
    chosen, paths = STUDY.run("hard_only", 0), _copied(run, tmp_path, whole=False)
    adapter = (run.run(chosen) / arm.ADAPTER[0]).stat().st_size
    for size in (adapter // 2, 3 * adapter // 2):  # no adapter fits, no state of the optimiser
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            with pytest.raises(
                grpo.TrainingError, match=r"after step 1 of 2: .*; free some space.*: none$"
            ):
                grpo.train(chosen, paths)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert sorted(each.name for each in paths.run(chosen).iterdir()) == ["checkpoints"]
    grpo.train(chosen, paths)
    curves = [pd.read_parquet(each.run(chosen) / "metrics.parquet") for each in (run, paths)]
    pd.testing.assert_frame_equal(*(each.drop(columns="seconds") for each in curves))


def _with_steps(steps: int) -> Study:
    content = STUDY.model_dump()
    content["arms"]["hard_only"]["steps"] = steps
    content["training"]["checkpoint_steps"] = steps
    return Study.model_validate(content)


@pytest.mark.parametrize("prompts_per_pass", [None, 2])
def test_a_run_goes_on_with_the_prompts_of_its_epoch(
    prompts_per_pass: int | None, tmp_path: Path
) -> None:
    """There are two steps in an epoch; the run stops in the second one."""

    def prompts(steps: int, folder: Path, resume: str | None = None) -> list[list[str]]:
        study = _with_steps(steps)
        numbers = study.training.model_copy(update={"prompts_per_pass": prompts_per_pass})
        trainer = grpo.make_trainer(
            study.model_copy(update={"training": numbers}).run("hard_only", 0),
            _training(),
            folder,
            policy=_policy("llama"),
        )
        seen = probe.watch_prompts(trainer)
        trainer.train(resume_from_checkpoint=resume)
        return seen

    whole = prompts(6, tmp_path / "whole")
    begun = prompts(3, tmp_path / "stopped")
    rest = prompts(6, tmp_path / "stopped", str(tmp_path / "stopped" / "checkpoint-3"))
    assert begun + rest == whole
    assert whole[:2] != whole[2:4] != whole[4:]


def test_a_checkpoint_that_was_not_written_to_its_end_is_passed_over(tmp_path: Path) -> None:
    assert grpo._last_checkpoint(tmp_path) is None
    for step in (9, 10, 11):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text("{}")
    for step in (9, 10):
        seal(tmp_path / f"checkpoint-{step}")
    assert grpo._last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-10")


def _checkpoint(folder: Path, step: int) -> Path:
    """A folder with a file of each format that a checkpoint has."""
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir()
    save_file({"a": torch.zeros(2)}, checkpoint / "adapter_model.safetensors")
    for name in ("optimizer.pt", "rng_state.pth", "training_args.bin"):
        torch.save({"step": step}, checkpoint / name)
    write_json(checkpoint / "trainer_state.json", {"global_step": step})
    seal(checkpoint)
    return checkpoint


@pytest.mark.parametrize(
    "change",
    [lambda content: b"", lambda content: content[:20], lambda content: content + b"}"],
    ids=["empty", "cut", "changed"],
)
@pytest.mark.parametrize(
    "name",
    ["optimizer.pt", "rng_state.pth", "adapter_model.safetensors", "trainer_state.json", SEAL],
)
def test_a_damaged_checkpoint_is_passed_over_or_named(
    tmp_path: Path,
    name: str,
    change: Callable[[bytes], bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, last = _checkpoint(tmp_path, 9), _checkpoint(tmp_path, 10)
    assert grpo._last_checkpoint(tmp_path) == str(last)
    for checkpoint in (last, first):
        (checkpoint / name).write_bytes(change((checkpoint / name).read_bytes()))
        if checkpoint == last:
            assert grpo._last_checkpoint(tmp_path) == str(first)
            assert f"{name} is damaged: resuming from" in capsys.readouterr().err
    with pytest.raises(grpo.TrainingError, match=rf"{name} is damaged, .* delete {tmp_path}"):
        grpo._last_checkpoint(tmp_path)


@pytest.mark.slow
def test_a_model_that_shares_nothing_is_trained_and_evaluated(tmp_path: Path) -> None:
    small, base = _policy("mamba"), load_base(STUDY.model)
    small.model.unload().save_pretrained(tmp_path / "model")
    base.tokenizer.save_pretrained(tmp_path / "model")
    content = STUDY.model_dump()
    content["model"] |= {"path": str(tmp_path / "model")}
    content["model"]["lora"]["target_modules"] = ["in_proj", "x_proj"]
    study, paths = Study.model_validate(content), Paths(tmp_path / "run")
    mixtures.prepare(study, paths)
    with pytest.warns(UserWarning, match="every completion repeats the forward pass"):
        grpo.train(study.run("hard_only", 0), paths)
    evaluate_arm(study.run("hard_only", 0), paths)
    answered = pd.read_parquet(paths.arm("hard_only", 0) / "predictions.parquet")
    assert len(answered) == len(pd.read_parquet(paths.evaluation))


@pytest.mark.slow
def test_too_few_steps_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = Paths(tmp_path)
    mixtures.prepare(STUDY, paths)
    numbers = STUDY.training.model_copy(update={"prompts_per_step": 36})
    wide = STUDY.model_copy(update={"training": numbers})
    problem = r"got 36 prompts per step, but .* hard_only has only 34"
    with pytest.raises(grpo.TrainingError, match=problem):
        grpo.train(wide.run("hard_only", 0), paths)
    monkeypatch.setattr(GRPOTrainer, "train", lambda *_, **__: None)
    with pytest.raises(grpo.TrainingError, match="ended after 0 steps; expected 2"):
        grpo.train(STUDY.run("hard_only", 0), paths)
