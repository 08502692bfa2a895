"""Evaluation of the base model against `model.generate` in batches.

Ours gives label probabilities and a sampled answer from one reading of each prompt. All are given
the same batches, of prompts of like length. `generate` is timed alone, sampling the answers (and
keeping the first token's logits, which are the probabilities of labels of one token), and together
with what scoring whole label strings takes without a shared prefix: one pass of prompt and label
for each of the three. In `--json`, `ratio` is that to `generate` alone, and `ratio_with_scores`
that to both, which give what ours gives.
"""

import argparse
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch

from factmix.evaluate import answer, by_length
from factmix.examples import from_frame
from factmix.labels import LABELS
from factmix.policy import Policy, load_base, prompt_text
from factmix.prefix import pad_left
from factmix.runs import find_study
from factmix.study import Study
from steps import drawn_data
from timing import in_turns, machine, progress, quartiles, ratios, report, seconds, spread, table


@torch.no_grad()
def generated(policy: Policy, examples: pd.DataFrame, study: Study) -> None:
    """Samples an answer to every example with `model.generate`."""
    for prompts in _batches(policy, examples, study):
        ids, mask = pad_left(prompts, policy.tokenizer.pad_token_id, policy.model.device)
        policy.model.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=True,
            temperature=study.evaluation.temperature,
            top_k=0,
            top_p=1.0,
            max_new_tokens=study.prompt.max_completion_tokens,
            return_dict_in_generate=True,
            output_logits=True,
        )


@torch.no_grad()
def scored(policy: Policy, examples: pd.DataFrame, study: Study) -> None:
    """Scores each whole label as a continuation of every prompt, one pass for each."""
    for prompts in _batches(policy, examples, study):
        for label in LABELS:
            tokens = policy.tokenizer(str(label), add_special_tokens=False)["input_ids"]
            ids, mask = pad_left(
                [prompt + tokens for prompt in prompts],
                policy.tokenizer.pad_token_id,
                policy.model.device,
            )
            policy.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
                use_cache=False,
                logits_to_keep=len(tokens) + 1,
            ).logits.log_softmax(-1)


def _batches(policy: Policy, examples: pd.DataFrame, study: Study) -> list[list[list[int]]]:
    texts = [prompt_text(policy.tokenizer, each, study.prompt)[0] for each in from_frame(examples)]
    tokens = policy.tokenizer(texts)["input_ids"]
    return [[tokens[i] for i in batch] for batch in by_length([len(each) for each in tokens])]


def measure(study: Study, examples: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of each way, and how many examples there were."""
    found: dict[str, list[float]] = {"ours": [], "generate": [], "score": []}
    ways: dict[str, Any] = {"ours": answer, "generate": generated, "score": scored}
    with drawn_data(study) as paths, progress(3 * repeats + 1, "evaluations") as bar:
        policy = load_base(study.model)
        evaluation = pd.read_parquet(paths.evaluation).head(examples)
        for way in ways.values():  # the first pass of a process is slower than the others
            way(policy, evaluation.head(8), study)
        bar.update()
        for repeat in range(repeats):
            for name in in_turns(tuple(ways), repeat):
                took, _ = seconds(partial(ways[name], policy, evaluation, study))
                found[name].append(took)
                bar.update()
    found["examples"] = [len(evaluation)]
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--study", default="embedded", help="its examples (%(default)s)")
    parser.add_argument("--examples", type=int, default=3000, help="at most (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="of each way (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print one object instead of a table")
    chosen = parser.parse_args(arguments)
    found = measure(find_study(chosen.study), chosen.examples, chosen.repeats)
    both = list(np.add(found["generate"], found["score"]))
    rows = [
        ["ours: answers and label probabilities", spread(found["ours"], " s"), ""],
        *(
            [name, spread(times, " s"), spread(ratios(times, found["ours"]))]
            for name, times in (
                ("generate: answers", found["generate"]),
                ("generate, and score the labels", both),
            )
        ),
    ]
    text = table([f"{found['examples'][0]} examples", "time", "over ours"], rows)
    measured = {
        "ratio": ratios(found["generate"], found["ours"]),
        "ratio_with_scores": ratios(both, found["ours"]),
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
