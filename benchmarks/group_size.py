"""Time of a GRPO step against the number of completions per prompt.

The shared-prefix trainer takes the first steps of an arm from the base model, with the group sizes
in alternating order. A group of one has no spread and is below GRPO's minimum of two. Its row shows
the cost of the prompts: one completion each, with a backward pass of every prompt, after another
forward pass, since sampling keeps no graph where no group has any spread.
"""

from functools import partial
from typing import Any

import numpy as np

from factmix.study.load import find_study
from factmix.study.spec import Study
from options import options
from steps import TRAINERS, Bench, drawn_data, with_training
from timing import in_turns, machine, progress, quartiles, ratios, report, seconds, spread, table

SIZES = (1, 2, 4, 8, 16, 32)


def measure(study: Study, arm: str, steps: int) -> dict[int, list[float]]:
    """Seconds of each step by group size."""
    found: dict[int, list[float]] = {size: [] for size in SIZES}
    with drawn_data(study) as paths, progress(steps + 1, "steps of each size") as bar:
        benches = {}
        for size in SIZES:
            kind = TRAINERS["ours" if size > 1 else "ours, every group"]
            benches[size] = Bench(with_training(study, group_size=max(size, 2)), arm, paths, kind)
            benches[size].trainer.num_generations = size
        for bench in benches.values():  # warm-up: the first pass of a process is slower
            bench.backward(bench.sample(next(bench.batches())))
            bench.forget()
        bar.update()
        batches = {size: bench.batches() for size, bench in benches.items()}
        for step in range(steps):
            for turn in in_turns(tuple(map(str, SIZES)), step):
                size = int(turn)
                batch = next(batches[size])
                # made for groups of two
                batch = batch[::2] if size == 1 else batch
                found[size].append(seconds(partial(_step, benches[size], batch))[0])
            bar.update()
    return found


def _step(bench: Bench, batch: list[Any]) -> None:
    bench.backward(bench.sample(batch))
    bench.update()


def main(arguments: list[str] | None = None) -> None:
    parser = options(__doc__, arm="balanced")
    parser.add_argument("--steps", type=int, default=10, help="of each size (%(default)s)")
    chosen = parser.parse_args(arguments)
    found = measure(find_study(chosen.study), chosen.arm, chosen.steps)
    rows = [
        [str(size), spread(times, " s"), spread(ratios(times, found[8]))]
        for size, times in found.items()
    ]
    text = table(["completions per prompt", "step", "over that of 8"], rows)
    report(
        {
            "cost_8_to_32": float(np.median(ratios(found[32], found[8]))),
            "step_seconds": {str(size): float(np.median(times)) for size, times in found.items()},
            "quartiles": {
                "cost_8_to_32": quartiles(ratios(found[32], found[8])),
                "step_seconds": {str(size): quartiles(times) for size, times in found.items()},
            },
        },
        f"{text}\n{chosen.steps} steps each on {machine()}",
        as_json=chosen.json,
    )


if __name__ == "__main__":
    main()
