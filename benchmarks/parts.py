"""Where the time of our step goes, by part.

The shared-prefix trainer takes the first steps of an arm from the base model, twice: as they are,
with few groups without spread, and with the advantages of most groups set to zero, as in the later
steps of a training, when most groups have equal rewards. The parts add up to the step. "Around
sampling" is what TRL does: it tokenises, decodes, rewards, pads and logs.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np

from factmix.study.load import find_study
from factmix.study.spec import Study
from factmix.training import trainer
from options import options
from steps import TRAINERS, Bench, drawn_data
from timing import machine, progress, report, seconds, spread, table

IDLE = {"few": 0.0, "most": 0.7}  # groups without an advantage -> share that is set so
# Functions that the trainer calls -> what they do when it samples, and when it computes the loss.
CALLED = {
    "read_in_buckets": ("reading the prompts", "reading prompts again, for the loss"),
    "sample": ("sampling the answers", ""),
    "completion_logits": ("", "scoring the answers"),
}
AROUND = ("around sampling", "around the loss")


@contextmanager
def timed(found: dict[str, float], phase: int) -> Iterator[None]:
    """Adds to `found` the seconds of what `CALLED` names, within the block."""

    def noted(function: Any, part: str, *args: Any, **named: Any) -> Any:
        took, value = seconds(partial(function, *args, **named))
        found[part] += took
        return value

    parts = {name: each[phase] for name, each in CALLED.items() if each[phase]}
    wrapped = {name: partial(noted, getattr(trainer, name), part) for name, part in parts.items()}
    with patch.multiple(trainer, **wrapped):
        yield


def one_step(bench: Bench, batch: list[dict[str, Any]], idle: float) -> dict[str, float]:
    """Takes a step; returns the seconds of each part."""
    found: dict[str, float] = defaultdict(float)
    with timed(found, 0):
        whole, inputs = seconds(partial(bench.sample, batch))
    found[AROUND[0]] = whole - sum(found.values())
    prompts, prompt_of = inputs["prompt_ids"].unique(dim=0, return_inverse=True)
    inputs["advantages"][prompt_of < round(idle * len(prompts))] = 0
    if idle:  # of which the next step decides how it samples
        bench.trainer.state.log_history[-1]["frac_reward_zero_std"] = idle
    before = sum(found.values())
    with timed(found, 1):
        whole, loss = seconds(partial(bench.loss, inputs))
    found[AROUND[1]] = whole - (sum(found.values()) - before)
    found["backward pass"], _ = seconds(partial(bench.gradients_of, loss))
    found["update"], _ = seconds(bench.update)
    return found


def measure(study: Study, arm: str, steps: int) -> dict[str, dict[str, list[float]]]:
    """Seconds of each step's parts, for each of `IDLE`."""
    found: dict[str, dict[str, list[float]]] = {}
    with drawn_data(study) as paths, progress(len(IDLE) * (steps + 2), "steps") as bar:
        for name, idle in IDLE.items():
            bench = Bench(study, arm, paths, TRAINERS["ours"])
            parts: dict[str, list[float]] = defaultdict(list)
            for step, batch in zip(range(steps + 2), bench.batches(), strict=False):
                took = one_step(bench, batch, idle)
                if step > 1:  # the first are slower, and the first decides nothing yet
                    for part in _order():
                        parts[part].append(took.get(part, 0.0))
                    parts["the whole step"].append(sum(took.values()))
                bar.update()
            found[name] = {part: each for part, each in parts.items() if any(each)}
    return found


def _order() -> list[str]:
    sampling, loss = ([each[phase] for each in CALLED.values() if each[phase]] for phase in (0, 1))
    return [*sampling, AROUND[0], *loss, AROUND[1], "backward pass", "update"]


def main(arguments: list[str] | None = None) -> None:
    parser = options(__doc__, arm="balanced")
    parser.add_argument("--steps", type=int, default=30, help="to time (%(default)s)")
    chosen = parser.parse_args(arguments)
    found = measure(find_study(chosen.study), chosen.arm, chosen.steps)
    rows = [
        [f"{name} groups without an advantage: {part}", spread(times, " s")]
        for name, parts in found.items()
        for part, times in parts.items()
    ]
    report(
        {
            f"parts_{name}": {part: float(np.median(times)) for part, times in parts.items()}
            for name, parts in found.items()
        },
        f"{table(['part', 'median (quartiles)'], rows)}\n{chosen.steps} steps on {machine()}",
        as_json=chosen.json,
    )


if __name__ == "__main__":
    main()
