"""The benchmarks page, from the measurements in results/speed/."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from factmix.report.drawings import Drawing, of_benchmark
from factmix.report.markdown import table
from factmix.report.sources import SourceError
from factmix.report.templates import digits, render

# What each benchmark measures, in the order of the page. `BEFORE` names columns of others.
TITLES = {
    "grpo_step": "A step against stock TRL",
    "parts": "Where the time of a step goes",
    "group_size": "Completions per prompt",
    "prompt_length": "Length of the prompts",
    "evaluate": "Evaluation",
    "study": "The whole study",
    "curves": "The arm format_only, trained by both",
    "grpo_step_smollm2": "A step of SmolLM2-135M with a few real prompts, in bfloat16",
    "grpo_step_smollm2_float32": "The same in float32",
    "evaluate_smollm2": "Evaluation of SmolLM2-135M after its warm start",
}
NAMES = {
    "step_ratio": "a whole step, times as fast as the stock trainer",
    "sampling_ratio": "sampling, times as fast",
    "training_ratio": "training, the rest of the step, times as fast",
    "training_ratio_no_skip": "training, all forward passes made anew, times as fast",
    "step_ratio_compact": "a whole step, stock made to score as on a GPU, times as fast",
    "training_ratio_compact": "training, stock made to score as on a GPU, times as fast",
    "gradient_relative_error": "largest relative difference of a gradient from the stock trainer's",
    "floor_ratio": "our step over the floor: one forward and backward pass of the distinct prompts",
    "floor_ratio_of_sampling": "its sampling, over the floor",
    "floor_ratio_of_training": "its training, over the floor",
    "zero_spread_share": "share of groups without spread",
    "our_step_seconds": "our step, seconds",
    "cost_8_to_32": "a step with 32 completions per prompt over one with 8",
    "step_seconds": "a step, seconds",
    "ratio": "evaluation, times as fast as `model.generate` in the same batches",
    "reading_ratio": "our evaluation over one reading of the prompts",
    "sampling_and_backward_ratio": "sampling and the backward pass, times as fast",
    "minutes": "the study's compute, minutes",
    "reward_gap": "mean reward over training, ours minus the stock trainer's",
    "reward_gap_error": "its standard error, from parts of these two runs",
    "peak_gb": "peak memory of the study, GiB",
    "memory_gb": "peak memory of a process that takes these steps, GiB",
}
BEFORE = {"parts": "parts_before"}  # the same of an earlier trainer
PLACES = {"sampling_and_backward_ratio": "prompt tokens", "step_seconds": "completions per prompt"}


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """What was measured, by the benchmark's name, in the order of the page."""
    found = {}
    for name in (*TITLES, *BEFORE.values()):
        file = folder / f"{name}.json"
        if file.is_file():
            found[name] = measured = json.loads(file.read_text(encoding="utf-8"))
            for key in ("result", "machine", "measured", "command"):
                if key not in measured:
                    raise SourceError(
                        f"{file}: the key '{key}' is missing; expected what benchmarks/keep.py "
                        "writes"
                    )
    return found


def drawings(measured: Mapping[str, Mapping[str, Any]]) -> dict[str, Drawing]:
    found = {name: of_benchmark(name, each) for name, each in measured.items() if name in TITLES}
    return {name: drawing for name, drawing in found.items() if drawing is not None}


def page(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """For each benchmark a heading, where and how it was measured, its figure, and the table."""
    drawn = drawings(measured)
    return render(
        "benchmarks.md.j2",
        benchmarks=[
            {
                "name": name,
                "title": TITLES[name],
                "drawn": name in drawn,
                "table": _parts(each, measured[BEFORE[name]])
                if BEFORE.get(name) in measured
                else table(["measured", "value"], _numbers(each["result"])),
                **each,
            }
            for name, each in measured.items()
            if name in TITLES
        ],
    )


def _parts(now: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """Milliseconds of each part of a step, before and now."""
    sides: list[dict[str, float]] = []
    header = ["milliseconds"]
    for key, groups in (("parts_few", "few"), ("parts_most", "most")):
        for when, each in (("before", before), ("now", now)):
            sides.append(each["result"][key])
            header.append(f"{groups} without an advantage, {when}")
    order = ["the whole step", *(part for side in sides[::-1] for part in side)]
    rows = [
        [part, *(f"{1000 * side[part]:.0f}" if part in side else "none" for side in sides)]
        for part in dict.fromkeys(order)
    ]
    where = f"{before['machine']}, {before['measured']}"
    return f"{table(header, rows)}\nBefore, on {where}: `{before['command']}`\n"


def _numbers(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each number with its name; one that was measured in several places has one row for each."""
    quartiles = result.get("quartiles", {})
    for key, value in result.items():
        if key in ("rewards", "quartiles"):
            continue  # of every step, in the figure; and beside their medians
        named, between = NAMES.get(key, key), quartiles.get(key)
        if key == "phases":
            for name, each in value.items():
                yield f"`{name}`, seconds", f"{each['seconds']:.0f}"
        elif isinstance(value, Mapping):
            for at, x in value.items():
                name = f"{named}, {at} {PLACES.get(key, '')}".rstrip()
                yield name, digits(x) + _between((between or {}).get(at))
        else:
            yield named, digits(value) + _between(between)


def _between(quartiles: list[float] | None) -> str:
    return f" ({' to '.join(map(digits, quartiles))})" if quartiles else ""
