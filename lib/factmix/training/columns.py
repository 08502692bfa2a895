"""The columns and keys of the files that training and evaluation write, with their meanings.

`evaluate`, `callbacks`, `grpo` and `reward_gain` build their tables from these; the data dictionary
(`results.dictionary`) shows them. Nothing here needs torch.
"""

import pandas as pd

from factmix.study.labels import LABELS

# The files that training writes in the folder of a run, beside the adapter.
TABLES = ("metrics.parquet", "trajectory.parquet", "rewards.parquet")
TRAINED = ("run.json", *TABLES)
LOSSES = "losses.parquet"  # of a warm start: step, from 1, and loss, in nats per token
SEAL = "sha256.json"  # of a checkpoint: the SHA-256 of each of its files

# predictions.parquet, in this order
PREDICTIONS: dict[str, str] = {
    "arm": "arm that answered; `base` is the base model",
    "seed": "seed of the arm's training; 0 for the base model",
    "dataset": "dataset of the example",
    "id": "the example, unique within its dataset",
    "group": "unit that is never split between training and evaluation, such as an entity",
    "kind": "what decides the claim, or why nothing does; empty where the dataset does not say, and"
    " absent from older files",
    "gold": "the right label: NA, PASS or FAIL",
    "predicted": "the answer that was read from the completion: NA, PASS, FAIL or INVALID",
    "p_pass": "probability of PASS at temperature 1, among the three labels, 0 to 1",
    "p_fail": "the same of FAIL",
    "p_na": "the same of NA",
    "format_valid": "whether the completion is exactly one label",
    "completion": "the sampled text",
}

PROBABILITIES = tuple(f"p_{label.lower()}" for label in LABELS)  # of PREDICTIONS, as LABELS are

# trajectory.parquet, in this order
TRAJECTORY = {name: of for name, of in PREDICTIONS.items() if name not in PROBABILITIES} | {
    "most_probable": "label of highest probability, whatever was sampled",
    "step": "training steps before these answers; the examples are a part of the evaluation's",
}

# metrics.parquet: a row for each training step
METRICS: dict[str, str] = {
    "step": "training step, from 1",
    "accuracy": "share of the sampled completions with the gold label",
    "accuracy|<label>": "the same over the claims of one gold label; empty without such claims",
    "entropy": "mean entropy of the sampled tokens' distribution, nats",
    "format_rate": "share of the completions that are exactly one label",
    "grad_norm": "norm of the gradient before clipping",
    "kl": "drift from the base model, nats per token, at every 20th step and the last; not in"
    " the loss",
    "learning_rate": "of this step",
    "loss": "of GRPO; near zero by construction, as advantages are centred within groups",
    "reward/<part>": "mean over the completions of the reward, or of a part of it",
    "reward/<part>|<label>": "the same over the claims of one gold label",
    "seconds": "wall time of the step",
    "share/<answer>": "share of the completions with this answer",
    "zero_spread": "share of the groups whose completions all earn the same; at least, as a mean of"
    " equal rewards that are no binary fractions is rounded, and the group then counts as another",
}

# rewards.parquet: a row for each training claim
REWARDS: dict[str, str] = {
    "dataset": "dataset of the training claim",
    "id": "the claim's example, unique within its dataset",
    "gold": "its label",
    "before": "what one answer of the base model earns, sampled as in training",
    "after": "the same of the trained model, with the same random numbers",
}

# run.json
RUN: dict[str, str] = {
    "study": "name of the study",
    "arm": "arm that was trained",
    "seed": "of the training",
    "depends_on": "all that decides what is learned: settings, and SHA-256 of the code (null where "
    "it was not recorded), of the training sample and of the base model's files (none for a model "
    "of the hub)",
    "trained_with_code_sha256": "of the code that trained it, where `depends_on` has that of later "
    "code, with which the run still counts as current; only there",
    "answers_accepted_code_sha256": "of the code that answered, and of the later code with which "
    "its answers still count as current; only there",
    "evaluation_sample_sha256": "of the evaluation set",
    "steps": "training steps",
    "learning_rate": "of the training",
    "versions": "of the libraries that train",
    "git_commit": 'commit of the code, with "+" where files differed from it',
    "device": "what it was trained on",
    "processes": "that shared the training; only where there were several",
    "finished": "when, ISO 8601",
    "taken_from": "committed run that this is a copy of, with study and arm renamed; only there",
    "wall_seconds": "of the training; after interruptions all its parts together, without steps "
    "that were lost",
    "peak_memory_gb": "of the process, the largest of its parts",
    "peak_cuda_memory_gb": "the same on the GPU; only where there is one",
    "trainable_parameters": "numbers in the adapter",
    "adapter_sha256": "of the adapter's weights, `adapter/adapter_model.safetensors`",
    "files_sha256": "of each file that training wrote, by its path in the folder of the run",
    "sha256": "of all the other keys of this file",
}


def most_probable(answers: pd.DataFrame) -> list[str]:
    """The label of highest probability of each answer; of equal ones the first.

    Analyses of probabilities let such labels share the answer: `factmix.stats.constants`.
    """
    return [str(LABELS[i]) for i in answers[list(PROBABILITIES)].to_numpy().argmax(axis=1)]
