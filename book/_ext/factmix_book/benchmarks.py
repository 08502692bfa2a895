"""The tables and figures of the benchmarks page, from the measurements in results/speed/."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from factmix.report import figures
from factmix_book.drawings import Drawing, write_drawings
from factmix_book.sources import SourceError, write_if_changed
from factmix_book.tables import figure, markdown

# What each benchmark measures, in the order of the page.
TITLES = {
    "grpo_step": "A step against stock TRL",
    "group_size": "Completions per prompt",
    "prompt_length": "Length of the prompts",
    "evaluate": "Evaluation",
    "study": "The whole study",
    "curves": "The arm format_only, trained by both",
}
NAMES = {
    "step_ratio": "a whole step, times as fast as the stock trainer",
    "sampling_ratio": "sampling, times as fast",
    "training_ratio": "training, times as fast",
    "training_ratio_no_skip": "training, every group in the backward pass, times as fast",
    "step_ratio_compact": "a whole step, stock made to score as on a GPU, times as fast",
    "training_ratio_compact": "training, stock made to score as on a GPU, times as fast",
    "gradient_relative_error": "largest relative difference of a gradient from the stock trainer's",
    "floor_ratio": "our step over the floor: one forward and backward pass of the distinct prompts",
    "floor_ratio_of_sampling": "its sampling, over the floor",
    "floor_ratio_of_training": "its training, over the floor",
    "zero_spread_share": "share of groups without spread",
    "cost_8_to_32": "a step with 32 completions per prompt over one with 8",
    "step_seconds": "a step, seconds",
    "ratio": "evaluation, times as fast as `model.generate` in the same batches",
    "reading_ratio": "our evaluation over one reading of the prompts",
    "sampling_and_backward_ratio": "sampling and the backward pass, times as fast",
    "minutes": "the study's compute, minutes",
    "reward_gap": "mean reward over training, ours minus the stock trainer's",
    "reward_gap_error": "its standard error, from parts of these two runs",
    "peak_gb": "peak memory of the study, GB",
    "memory_gb": "peak memory of a process that takes these steps, GB",
}
PLACES = {"sampling_and_backward_ratio": "prompt tokens", "step_seconds": "completions per prompt"}
NOTHING_YET = "No measurements are committed yet; the commands below make them.\n"


def write(folder: Path, into: Path) -> set[Path]:
    """Writes tables/benchmarks.md, or that nothing was measured, and its figures."""
    found = {name: folder / f"{name}.json" for name in TITLES}
    read = {name: _read(file) for name, file in found.items() if file.is_file()}
    drawn = {
        name: drawing
        for name, measured in read.items()
        for drawing in [_drawing(name, measured)]
        if drawing is not None
    }
    blocks = [_block(name, measured, name in drawn) for name, measured in read.items()]
    text = "\n".join(blocks) if blocks else NOTHING_YET
    written = write_drawings(drawn, into / "figures" / "speed")
    return written | {write_if_changed(into / "tables" / "benchmarks.md", text)}


def _read(file: Path) -> dict[str, Any]:
    measured: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    for key in ("result", "machine", "measured", "command"):
        if key not in measured:
            raise SourceError(
                f"{file}: the key '{key}' is missing; expected what benchmarks/keep.py writes"
            )
    return measured


def _block(name: str, measured: Mapping[str, Any], has_figure: bool) -> str:
    """A heading, where and how it was measured, the figure if there is one, and the table."""
    where = f"Measured on {measured['machine']}, {measured['measured']}: `{measured['command']}`"
    shown = figure(f"speed/{name}", f"{TITLES[name]}, on {measured['machine']}.")
    rows = [[about, value] for about, value in _numbers(measured["result"])]
    table = markdown(["measured", "value"], rows)
    parts = [f"## {TITLES[name]}", where, *([shown.rstrip()] if has_figure else []), table]
    return "\n\n".join(parts)


def _numbers(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each number with its name; one that was measured in several places has one row for each."""
    found = []
    quartiles = result.get("quartiles", {})
    for key, value in result.items():
        if key in ("rewards", "quartiles"):
            continue  # of every step, in the figure; and beside their medians
        if key == "phases":
            found += [
                (f"`{name}`, seconds", f"{each['seconds']:.0f}") for name, each in value.items()
            ]
        elif isinstance(value, Mapping):
            named, place = NAMES.get(key, key), PLACES.get(key, "")
            between = quartiles.get(key, {})
            found += [
                (f"{named}, {at} {place}".rstrip(), _short(x) + _between(between.get(at)))
                for at, x in value.items()
            ]
        else:
            found.append((NAMES.get(key, key), _short(value) + _between(quartiles.get(key))))
    return found


def _between(quartiles: list[float] | None) -> str:
    return f" ({' to '.join(map(_short, quartiles))})" if quartiles else ""


def _short(value: float) -> str:
    return f"{value:.3g}".replace("-", "\u2212")


def _drawing(name: str, measured: Mapping[str, Any]) -> Drawing | None:
    """What a benchmark that measures along something shows."""
    result, machine = measured["result"], measured["machine"]
    if name == "group_size":
        times = _pairs(result["step_seconds"], "completions", "seconds")
        first, last = times.iloc[0], times.iloc[-1]
        return Drawing(
            f"Seconds of a step by completions per prompt, on {machine}: {first.seconds:.3g} for "
            f"{first.completions:.0f}, {last.seconds:.3g} for {last.completions:.0f}.",
            times,
            figures.plot_step_times,
        )
    if name == "prompt_length":
        ratios = _pairs(result["sampling_and_backward_ratio"], "tokens", "ratio")
        first, last = ratios.iloc[0], ratios.iloc[-1]
        return Drawing(
            f"Times as fast as the stock trainer on {machine}: {first.ratio:.3g} with prompts of "
            f"{first.tokens:.0f} tokens, {last.ratio:.3g} with {last.tokens:.0f}.",
            ratios,
            figures.plot_ratios,
        )
    if name == "study":
        seconds = [(phase, each["seconds"]) for phase, each in result["phases"].items()]
        phases = pd.DataFrame(seconds, columns=["phase", "seconds"])
        longest = phases.loc[phases["seconds"].idxmax()]
        return Drawing(
            f"Seconds of each phase of the study on {machine}; the longest is "
            f"{longest.phase} with {longest.seconds:.0f}.",
            phases,
            figures.plot_phases,
        )
    if name == "curves":
        curves = pd.concat(
            pd.DataFrame({"arm": trainer, "step": range(1, len(each) + 1), "reward/total": each})
            for trainer, each in result["rewards"].items()
        )
        return Drawing(
            f"Mean reward over {curves['step'].max()} training steps with the stock trainer and "
            f"with ours: ours minus the other is {_short(result['reward_gap'])} on average, "
            f"standard error {_short(result['reward_gap_error'])}.",
            curves,
            lambda data: figures.plot_training_curves(data).get_figure(),
        )
    return None


def _pairs(measured: Mapping[str, float], at: str, value: str) -> pd.DataFrame:
    """Numbers by the place where each was measured, in the order of the places."""
    frame = pd.DataFrame([(int(place), x) for place, x in measured.items()], columns=[at, value])
    return frame.sort_values(at, ignore_index=True)
