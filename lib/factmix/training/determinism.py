"""Training that gives the same bits when it is repeated on the same machine."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils import deterministic

from factmix.training.policy import device


@contextmanager
def same_bits() -> Iterator[None]:
    """Adds numbers in one order, on a CPU; also a decorator.

    By default several threads add what an indexed tensor's gradient is made of, in whatever order
    they come, and two trainings differ by rounding. PyTorch's deterministic operations take no
    longer here. On a GPU nothing changes: there they do, and some do not exist.
    """
    if device() != "cpu":
        yield
        return
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
    )
    torch.use_deterministic_algorithms(True, warn_only=True)
    # It takes time, and is for finding faults.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        enabled, warn_only, filled = before
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
