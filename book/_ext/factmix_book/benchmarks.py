"""The table of the benchmarks page, from the measurements in results/speed/."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from factmix_book.sources import SourceError, write_if_changed
from factmix_book.tables import markdown

NAMES = {
    "step_ratio": "a whole step, times as fast as the stock trainer",
    "sampling_ratio": "sampling, times as fast",
    "training_ratio": "training, times as fast",
    "training_ratio_no_skip": "training, every group in the backward pass, times as fast",
    "gradient_relative_error": "largest relative difference of a gradient from the stock trainer's",
    "floor_ratio": "our step over one forward and backward pass of the distinct prompts",
    "zero_spread_share": "share of groups without spread",
    "cost_8_to_32": "a step with 32 completions per prompt over one with 8",
    "ratio": "evaluation, times as fast as `model.generate`",
    "minutes": "the study's compute, minutes",
    "peak_gb": "peak memory of the study, GB",
}
NOTHING_YET = "No measurements are committed yet; the commands below make them.\n"


def write(folder: Path, into: Path) -> set[Path]:
    """Writes the table of all measurements in a folder, or that there are none."""
    files = sorted(folder.glob("*.json"))
    rows = [row for file in files for row in _rows(file)]
    text = markdown(["measured", "value", "on"], rows) if rows else NOTHING_YET
    return {write_if_changed(into / "benchmarks.md", text)}


def _rows(file: Path) -> list[list[str]]:
    measured = json.loads(file.read_text(encoding="utf-8"))
    try:
        result, machine, day = measured["result"], measured["machine"], measured["measured"]
    except KeyError as error:
        raise SourceError(
            f"{file}: the key {error} is missing; expected what benchmarks/keep.py writes"
        ) from error
    return [[name, value, f"{machine}, {day}"] for name, value in _numbers(result)]


def _numbers(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each number with its name; one that was measured in several places has one row for each."""
    found = []
    for key, value in result.items():
        if key == "phases":
            found += [
                (f"`{name}`, seconds", f"{each['seconds']:.0f}") for name, each in value.items()
            ]
        elif isinstance(value, Mapping):
            named = NAMES.get(key, key)
            found += [(f"{named}, {at} prompt tokens", f"{each:.3g}") for at, each in value.items()]
        else:
            found.append((NAMES.get(key, key), f"{value:.3g}"))
    return found
