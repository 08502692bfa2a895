"""Speed of a GRPO step: TRL's stock trainer against the shared-prefix trainer.

Both take the first steps of an arm from the base model, in alternating order, in one process and
with the same weights. Each trainer samples in its own way, but both train on the same completions,
so that gradients can be compared. The auxiliary loss is off for both. Only ours logs the KL from
the base model, every 20 steps, and its time includes a twentieth of that. On a CPU, TRL computes
logits at every position, the prompt's too; on a GPU only at the completion's. "Compact" is the
stock trainer with the GPU's behaviour; it shows how much of a ratio comes from that.

Ratios are the stock trainer's time over ours, medians over the steps. Ratios to the floor are our
step, and its two parts, over one forward and one backward pass of the distinct prompts. Peak memory
is measured in a separate process, which takes the same steps with one of the trainers.
"""

import subprocess
import sys
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from factmix.study.files import peak_memory_gb
from factmix.study.load import find_study
from factmix.study.spec import Study
from factmix.training import probe
from factmix.training.trainer import KL_STEPS
from options import options
from steps import TRAINERS, Bench, drawn_data, with_training
from timing import in_turns, machine, progress, quartiles, ratios, report, seconds, spread, table

DTYPES = ("float32", "bfloat16", "float16")


def measure(study: Study, arm: str, steps: int) -> dict[str, list[float]]:
    """Times in seconds by "<part>|<trainer>", and the gradient errors and zero-spread shares."""
    found: dict[str, list[float]] = defaultdict(list)
    with drawn_data(study) as paths, progress(steps + 1, "steps") as bar:
        benches = {name: Bench(study, arm, paths, each) for name, each in TRAINERS.items()}
        for bench in benches.values():  # warm-up: the first pass of a process is slower
            bench.backward(bench.sample(next(bench.batches())))
            bench.forget()
        bar.update()
        for step, batch in zip(range(steps), benches["ours"].batches(), strict=False):
            _one_step(benches, batch, step, found)
            bar.update()
    for name in benches:
        sampling = found[f"sampling|{name.split(',')[0]}"]
        found[f"step|{name}"] = list(np.add(sampling, found[f"training|{name}"]))
    return dict(found)


def _one_step(
    benches: dict[str, Bench], batch: list[Any], step: int, found: dict[str, list[float]]
) -> None:
    """Takes a step of every trainer on one batch, and appends the measurements."""
    ours, stock = benches["ours"], benches["stock"]
    for name in in_turns(("stock", "ours"), step):
        took, inputs = seconds(partial(benches[name].sample, batch))
        found[f"sampling|{name}"].append(took)
        if name == "ours":
            shared = inputs
    found["zero_spread"].append(ours.zero_spread())
    found["floor"].append(seconds(partial(ours.floor, shared))[0])
    kl = seconds(partial(ours.kl, shared))[0] / KL_STEPS
    ours.forget()
    gradients = {}
    for name in in_turns(tuple(benches), step):
        bench = benches[name]
        inputs = shared if name == "ours" else probe.unscored(shared)
        took, _ = seconds(partial(bench.backward, inputs))
        gradients[name] = bench.gradient()
        took += seconds(bench.update)[0]
        found[f"training|{name}"].append(took + (kl if name.startswith("ours") else 0))
    expected = gradients.pop("stock")
    for name, gradient in gradients.items():
        if expected.any():
            error = (gradient - expected).norm() / expected.norm()
            found["gradient"].append(error.item())
        benches[name].follow(stock)


def summary(found: dict[str, list[float]], memory: dict[str, float]) -> dict[str, Any]:
    """The content of `--json`: medians, quartiles of the ratios, and the peak memory in GiB."""

    def over(part: str, name: str = "ours", stock: str = "stock") -> np.ndarray:
        return ratios(found[f"{part}|{stock}"], found[f"{part}|{name}"])

    measured = {
        "step_ratio": over("step"),
        "sampling_ratio": over("sampling"),
        "training_ratio": over("training"),
        "training_ratio_no_skip": over("training", "ours, every group"),
        "step_ratio_compact": over("step", stock="stock, compact"),
        "training_ratio_compact": over("training", stock="stock, compact"),
        "floor_ratio": ratios(found["step|ours"], found["floor"]),
        "floor_ratio_of_sampling": ratios(found["sampling|ours"], found["floor"]),
        "floor_ratio_of_training": ratios(found["training|ours"], found["floor"]),
    }
    return {
        "our_step_seconds": float(np.median(found["step|ours"])),
        **{name: float(np.median(values)) for name, values in measured.items()},
        "gradient_relative_error": max(found.get("gradient", [0.0])),
        "zero_spread_share": float(np.mean(found["zero_spread"])),
        "quartiles": {name: quartiles(values) for name, values in measured.items()},
        "memory_gb": memory,
    }


def text(found: dict[str, list[float]], memory: dict[str, float]) -> str:
    """The tables."""
    numbers = summary(found, memory)
    rows = []
    for label, part, stock_name, name in (
        ("sampling", "sampling", "stock", "ours"),
        ("training", "training", "stock", "ours"),
        ("training, every group", "training", "stock", "ours, every group"),
        ("training, stock compact", "training", "stock, compact", "ours"),
        ("whole step", "step", "stock", "ours"),
        ("whole step, every group", "step", "stock", "ours, every group"),
        ("whole step, stock compact", "step", "stock, compact", "ours"),
    ):
        stock, ours = found[f"{part}|{stock_name}"], found[f"{part}|{name}"]
        rows.append([label, spread(stock, " s"), spread(ours, " s"), spread(ratios(stock, ours))])
    lines = [
        table(["median (quartiles)", "stock", "ours", "ratio"], rows),
        "",
        f"floor, one forward and backward of the distinct prompts: {spread(found['floor'], ' s')}",
        f"our step over the floor: {spread(ratios(found['step|ours'], found['floor']))}",
        f"groups without spread: {numbers['zero_spread_share']:.1%}",
        f"largest relative difference of a gradient: {numbers['gradient_relative_error']:.2g}",
        *(f"peak memory, {name}: {gb:.2f} GiB" for name, gb in memory.items()),
        f"{len(found['floor'])} steps on {machine()}",
    ]
    return "\n".join(lines)


def peak_memory(study: Study, arm: str, steps: int) -> dict[str, float]:
    """Peak resident memory in GiB of a process that takes the steps with one trainer only."""
    peaks = {}
    for name in ("stock", "ours"):
        command = [sys.executable, str(Path(__file__).resolve()), "--memory-of", name]
        command += ["--study", study.name, "--arm", arm, "--steps", str(steps)]
        command += ["--prompts", str(study.training.prompts_per_step)]
        command += ["--dtype", study.model.dtype] if study.model.dtype else []
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        peaks[name] = float(done.stdout)
    return peaks


def peak_of_this_process(study: Study, arm: str, steps: int, name: str) -> float:
    """Takes the steps with one trainer; returns the peak resident memory in GiB."""
    with drawn_data(study) as paths, progress(steps, f"memory of {name}") as bar:
        bench = Bench(study, arm, paths, TRAINERS[name])
        batches = bench.batches()
        for _ in range(steps):
            bench.backward(bench.sample(next(batches)))
            bench.update()
            bar.update()
    return peak_memory_gb()


def main(arguments: list[str] | None = None) -> None:
    parser = options(__doc__, arm="balanced")
    parser.add_argument("--steps", type=int, default=20, help="to time (%(default)s)")
    parser.add_argument("--prompts", type=int, help="per step, 1 or more (the study's)")
    parser.add_argument("--dtype", choices=DTYPES, help="of the weights (the study's)")
    parser.add_argument("--memory-of", choices=("stock", "ours"), help="its peak in GiB, alone")
    chosen = parser.parse_args(arguments)
    if chosen.prompts is not None and chosen.prompts < 1:
        parser.error(f"--prompts: got {chosen.prompts}; expected 1 or more")
    study = find_study(chosen.study)
    if chosen.prompts:
        study = with_training(study, prompts_per_step=chosen.prompts)
    if chosen.dtype:
        model = study.model.model_copy(update={"dtype": chosen.dtype})
        study = study.model_copy(update={"model": model})
    if chosen.memory_of:
        print(peak_of_this_process(study, chosen.arm, chosen.steps, chosen.memory_of))
        return
    # First, while this process is small: a child's peak is at least the size of its parent.
    memory = peak_memory(study, chosen.arm, chosen.steps)
    found = measure(study, chosen.arm, chosen.steps)
    report(summary(found, memory), text(found, memory), as_json=chosen.json)


if __name__ == "__main__":
    main()
