"""What a training takes, over all of its parts."""

import time
from typing import Any

import pytest
from transformers import TrainerState

from factmix.training import callbacks
from factmix.training.callbacks import Spent


def _part(
    monkeypatch: pytest.MonkeyPatch, state: TrainerState, seconds: float, **peaks: Any
) -> Spent:
    """A part of a training from its start, or a resume, to its last checkpoint."""
    clock = [0.0, seconds, seconds]
    monkeypatch.setattr(time, "monotonic", lambda: clock.pop(0))
    monkeypatch.setattr(callbacks, "_peaks", lambda: peaks)
    spent = Spent()
    rest: Any = (None, state, None)
    spent.on_train_begin(*rest)
    state.log_history.append({"step": len(state.log_history) + 1, "reward": 0.5})
    spent.on_log(*rest)
    return spent


def test_seconds_add_up_over_interruptions_and_the_largest_peak_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = TrainerState()
    _part(monkeypatch, state, 100.0, peak_memory_gb=3.0, peak_cuda_memory_gb=20.0)
    spent = _part(monkeypatch, state, 7.0, peak_memory_gb=4.0, peak_cuda_memory_gb=10.0)
    total = {"wall_seconds": 107.0, "peak_memory_gb": 4.0, "peak_cuda_memory_gb": 20.0}
    assert spent.total() == state.log_history[-1]["spent"] == total


def test_the_memory_of_a_gpu_is_that_of_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    assert callbacks._peaks().keys() == {"peak_memory_gb"}
    monkeypatch.setattr(callbacks, "device", lambda: "cuda")
    monkeypatch.setattr(callbacks.torch.cuda, "max_memory_reserved", lambda: 3 * 2**29)
    assert callbacks._peaks()["peak_cuda_memory_gb"] == 1.5
