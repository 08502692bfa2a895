"""Speedup over TRL's stock trainer against prompt length.

The prompts are the study's, concatenated and cut to a length, so that only the length differs. They
share no prefix, and half of the completions of a group are rewarded. Only sampling and the backward
pass are timed; rewards and the update do not depend on the length. There are few prompts, because
the stock trainer's memory grows with prompts, completions and the square of the length.
"""

from functools import partial

import numpy as np
import torch

from factmix.study.load import find_study
from factmix.study.spec import Study
from factmix.training import probe
from factmix.training.prefix import pad_left
from options import options
from steps import TRAINERS, Bench, Inputs, drawn_data
from timing import in_turns, machine, progress, quartiles, ratios, report, seconds, spread, table

LENGTHS = (60, 125, 250, 500)
RATIO = "sampling_and_backward_ratio"


def prompts_of(bench: Bench, length: int, count: int) -> list[list[int]]:
    """Token ids of prompts of exactly one length, each repeated for its group."""
    trainer = bench.trainer
    texts = trainer.train_dataset["prompt"]
    stream: list[int] = []
    for text in texts:
        if len(stream) >= length * count:
            break
        stream += trainer.processing_class(text)["input_ids"]
    if len(stream) < length * count:
        stream *= 1 + length * count // len(stream)
    starts = range(0, length * count, length)
    group = trainer.num_generations
    return [stream[start : start + length] for start in starts for _ in range(group)]


def inputs_of(bench: Bench, prompts: list[list[int]], completions: list[list[int]]) -> Inputs:
    """The inputs of training; half of the completions of each group are rewarded."""
    device = bench.trainer.accelerator.device
    prompt_ids, prompt_mask = pad_left(prompts, 0, device)
    # right padding: reverse, pad on the left, and reverse again
    ids, mask = pad_left([each[::-1] for each in completions], 0, device)
    return {
        "prompt_ids": prompt_ids,
        "prompt_mask": prompt_mask,
        "completion_ids": ids.flip(1),
        "completion_mask": mask.flip(1),
        "advantages": torch.tensor([1.0, -1.0] * len(prompts), device=device)[: len(prompts)],
        "num_items_in_batch": mask.sum(),
    }


def measure(
    study: Study, arm: str, repeats: int, lengths: list[int], count: int
) -> dict[int, dict[str, list[float]]]:
    """Seconds to sample and to train, by length and trainer."""
    found: dict[int, dict[str, list[float]]] = {}
    total = len(lengths) * (repeats + 1)
    with drawn_data(study) as paths, progress(total, "repeats") as bar:
        names = ("stock", "ours")
        benches = {name: Bench(study, arm, paths, TRAINERS[name]) for name in names}
        # so that sampling keeps no graph, as the loss is of other completions
        benches["ours"].trainer.state.log_history.append({"frac_reward_zero_std": 1.0})
        for length in lengths:
            found[length] = {name: [] for name in names}
            prompts = prompts_of(benches["ours"], length, count)
            completions = _sampled(benches["ours"], prompts)
            inputs = inputs_of(benches["ours"], prompts, completions)
            for repeat in range(-1, repeats):  # the first is a warm-up
                for name in in_turns(names, repeat):
                    bench = benches[name]
                    took = seconds(partial(_sampled, bench, prompts))[0]
                    took += seconds(partial(bench.backward, inputs))[0]
                    bench.forget()
                    if repeat >= 0:
                        found[length][name].append(took)
                bar.update()
    return found


def _sampled(bench: Bench, prompts: list[list[int]]) -> list[list[int]]:
    return probe.sample(bench.trainer, prompts)


def main(arguments: list[str] | None = None) -> None:
    parser = options(__doc__, arm="balanced")
    parser.add_argument("--repeats", type=int, default=5, help="per length (%(default)s)")
    parser.add_argument("--prompts", type=int, default=8, help="per step (%(default)s)")
    parser.add_argument(
        "--lengths", type=int, nargs="+", default=LENGTHS, help="in tokens (%(default)s)"
    )
    chosen = parser.parse_args(arguments)
    study = find_study(chosen.study)
    found = measure(study, chosen.arm, chosen.repeats, chosen.lengths, chosen.prompts)
    rows = [
        [
            str(length),
            spread(times["stock"], " s"),
            spread(times["ours"], " s"),
            spread(ratios(times["stock"], times["ours"])),
        ]
        for length, times in found.items()
    ]
    text = table(["prompt tokens", "stock", "ours", "ratio"], rows)
    group = study.training.group_size
    measured = {
        str(length): ratios(times["stock"], times["ours"]) for length, times in found.items()
    }
    report(
        {
            RATIO: {length: float(np.median(each)) for length, each in measured.items()},
            "quartiles": {RATIO: {length: quartiles(each) for length, each in measured.items()}},
        },
        f"{text}\n{chosen.prompts} prompts x {group} completions, {chosen.repeats} times each, "
        f"on {machine()}",
        as_json=chosen.json,
    )


if __name__ == "__main__":
    main()
