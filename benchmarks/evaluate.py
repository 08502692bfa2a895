"""Speed of evaluating the base model, against `model.generate` in batches.

Ours computes label probabilities and a sampled answer from one forward pass per prompt. `generate`
gets the same batches of prompts of similar length, samples answers and returns the logits of the
first token, which give the probabilities of one-token labels. In `--json`, `ratio` is its time over
ours. `reading_ratio` is our time over that of one forward pass of the prompts with their common
prefix shared; the excess over 1 is the most that another method could save with that forward pass.
"""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch

from factmix.study.examples import from_frame
from factmix.study.load import find_study
from factmix.study.paths import Paths
from factmix.study.run import BaseRun
from factmix.study.spec import Study
from factmix.training.evaluate import answer_as, batches
from factmix.training.policy import Policy, load_base, prompt_texts
from factmix.training.prefix import pad_left, read_prompts
from options import options
from steps import drawn_data
from timing import in_turns, machine, progress, quartiles, ratios, report, seconds, spread, table


def ours(policy: Policy, examples: pd.DataFrame, run: BaseRun) -> None:
    """Answers every example as in the study."""
    answer_as(run, policy, examples)


@torch.no_grad()
def generated(policy: Policy, examples: pd.DataFrame, run: BaseRun) -> None:
    """Samples an answer to every example with `model.generate`."""
    for prompts in _batches(policy, examples, run):
        ids, mask = pad_left(prompts, policy.tokenizer.pad_token_id, policy.model.device)
        policy.model.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=True,
            temperature=run.evaluation.temperature,
            top_k=0,
            top_p=1.0,
            max_new_tokens=run.evaluation_prompt.max_completion_tokens,
            return_dict_in_generate=True,
            output_logits=True,
        )


@torch.no_grad()
def read(policy: Policy, examples: pd.DataFrame, run: BaseRun) -> None:
    """Runs only the forward pass of every prompt."""
    for prompts in _batches(policy, examples, run):
        ids, mask = pad_left(prompts, policy.tokenizer.pad_token_id, policy.model.device)
        read_prompts(policy.model, ids, mask)


def _batches(policy: Policy, examples: pd.DataFrame, run: BaseRun) -> list[list[list[int]]]:
    texts = prompt_texts(policy.tokenizer, from_frame(examples), run.evaluation_prompt)
    tokens = policy.tokenizer(texts)["input_ids"]
    return [[tokens[i] for i in batch] for batch in batches(tokens)]


def measure(study: Study, examples: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of each method, and the number of examples."""
    ways: dict[str, Any] = {"ours": ours, "generate": generated, "read": read}
    found: dict[str, list[float]] = {name: [] for name in ways}
    with drawn_data(study) as paths, progress(3 * repeats + 1, "evaluations") as bar:
        run = study.base_runs()[0]
        warm_start = Paths.of(study).warm_start_of(run)
        policy = load_base(run.model, run.evaluation_prompt, warm_start)
        everything = pd.read_parquet(paths.evaluation)
        drawn = everything.sample(min(examples, len(everything)), random_state=0)
        evaluation = drawn.sort_index()  # as a study has them, each dataset together
        for way in ways.values():  # warm-up: the first pass of a process is slower
            way(policy, evaluation.head(8), run)
        bar.update()
        for repeat in range(repeats):
            for name in in_turns(tuple(ways), repeat):
                took, _ = seconds(partial(ways[name], policy, evaluation, run))
                found[name].append(took)
                bar.update()
    found["examples"] = [len(evaluation)]
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = options(__doc__, study="its examples")
    parser.add_argument("--examples", type=int, default=3000, help="at most (%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="of each way (%(default)s)")
    chosen = parser.parse_args(arguments)
    found = measure(find_study(chosen.study), chosen.examples, chosen.repeats)
    rows = [
        [name, spread(found[way], " s"), spread(ratios(found[way], found["ours"]))]
        for name, way in (
            ("ours: answers and label probabilities", "ours"),
            ("generate: answers and first logits", "generate"),
            ("reading the prompts", "read"),
        )
    ]
    text = table([f"{found['examples'][0]} examples", "time", "over ours"], rows)
    measured = {
        "ratio": ratios(found["generate"], found["ours"]),
        "reading_ratio": ratios(found["ours"], found["read"]),
    }
    report(
        {
            **{name: float(np.median(values)) for name, values in measured.items()},
            "quartiles": {name: quartiles(values) for name, values in measured.items()},
        },
        f"{text}\n{chosen.repeats} times each on {machine()}",
        as_json=chosen.json,
    )


if __name__ == "__main__":
    main()
