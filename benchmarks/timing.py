"""Times several methods for the same work in alternating order, and formats tables."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from tqdm import tqdm


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """The seconds that some work takes, GPU kernels included, and its return value."""
    _wait()
    started = time.perf_counter()
    outcome = work()
    _wait()
    return time.perf_counter() - started, outcome


def _wait() -> None:
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


def in_turns(names: Sequence[str], turn: int) -> list[str]:
    """The names in an order that changes each turn, so that none is always first."""
    first = turn // 2 % len(names)
    order = [*names[first:], *names[:first]]
    return order[::-1] if turn % 2 else order


def ratios(slow: Sequence[float], fast: Sequence[float]) -> np.ndarray:
    """The ratio of the first time to the second, pair by pair."""
    return np.asarray(slow) / np.asarray(fast)


def spread(values: Sequence[float] | np.ndarray, unit: str = "") -> str:
    """Median and quartiles, as text."""
    low, high = quartiles(values)
    return f"{np.median(values):.3g}{unit} ({low:.3g} to {high:.3g})"


def quartiles(values: Sequence[float] | np.ndarray) -> list[float]:
    """The first and the third quartile."""
    low, high = np.quantile(values, (0.25, 0.75)).tolist()
    return [low, high]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A text table; columns are as wide as their longest cell, the first is left-aligned."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def progress(total: int, name: str) -> tqdm:
    """A progress bar on standard error, so that standard output stays machine-readable."""
    return tqdm(total=total, desc=name, file=sys.stderr, mininterval=1)


def report(numbers: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Prints one JSON object, or the text."""
    print(json.dumps(numbers, allow_nan=False) if as_json else text)


def machine() -> str:
    """The machine of the measurements, in one line."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{torch.get_num_threads()} CPU threads, torch {torch.__version__}"
