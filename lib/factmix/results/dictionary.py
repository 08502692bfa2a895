"""What every column and key of a study's results means: the one place where they are described.

A name in angle brackets stands for several; `PLACES` says for which. `undescribed` and `unused`
compare the descriptions with what is there.
"""

import re
from collections.abc import Collection, Iterable

from factmix.stats.metrics import METRICS
from factmix.study.labels import ANSWERS, LABELS

# What a name in brackets stands for, and which names these are where they are always the same.
PLACES: dict[str, tuple[str, Collection[str]]] = {
    "arm": ("an arm of the study", ()),
    "system": ("an arm, `base` (the untrained model), `always_na` or `always_pass`", ()),
    "dataset": ("a dataset of the study", ()),
    "mixture": ("a mixture of the study", ()),
    "part": ("`total`, or a part of the arm's reward", ()),
    "reason": ("why a row cannot be used", ()),
    "metric": ("a metric, from the table below", METRICS),
    "label": ("a label", tuple(map(str, LABELS))),
    "lower": ("a label in lower case", tuple(label.lower() for label in LABELS)),
    "answer": ("a label, or INVALID", ANSWERS),
    "number": ("a number", ()),
    "setting": ("what two arms differ in", ("mixture", "reward")),
    "pair": ("`<arm>_over_<arm>`: the first minus the second", ()),
    "spread": (
        "over seeds: `by_t` (their mean with Student's interval), `hierarchical` (with seeds and "
        "examples resampled), `seed_variance` and `example_variance` (of the mean, from one choice "
        "of seeds or of examples to another)",
        ("by_t", "hierarchical", "seed_variance", "example_variance"),
    ),
}

METRIC_MEANINGS = {
    "accuracy": "share of right answers",
    "balanced_accuracy": "mean of the three recalls",
    "macro_f1": "mean of the three F1 scores",
    "f1_<lower>": "harmonic mean of precision and recall of a label",
    "recall_<lower>": "share of the examples with this gold label that are answered with it",
}

_ANSWERED = {
    "arm": "arm that answered; `base` is the untrained model",
    "seed": "seed of the arm's training; 0 for the untrained model",
    "dataset": "dataset of the example",
    "id": "the example, unique within its dataset",
    "group": "unit that is never split between training and evaluation, such as an entity",
    "gold": "the right label: NA, PASS or FAIL",
    "predicted": "the answer that was read from the completion: NA, PASS, FAIL or INVALID",
    "p_pass": "probability of PASS at temperature 1, among the three labels, 0 to 1",
    "p_fail": "the same of FAIL",
    "p_na": "the same of NA",
    "format_valid": "whether the completion is exactly one label",
    "completion": "the sampled text",
}

# Columns of each table: one Parquet file for each run, one CSV file for all runs.
TABLES: dict[str, dict[str, str]] = {
    "predictions": _ANSWERED,
    "trajectory": _ANSWERED
    | {"step": "training steps before these answers; the examples are a part of the evaluation's"},
    "metrics": {
        "step": "training step, from 1",
        "accuracy": "share of the sampled completions with the gold label",
        "accuracy|<label>": "the same over the claims of one gold label; empty without such claims",
        "entropy": "mean entropy of the sampled tokens' distribution, nats",
        "format_rate": "share of the completions that are exactly one label",
        "grad_norm": "norm of the gradient before clipping",
        "kl": "drift from the untrained model, nats per token; not in the loss",
        "learning_rate": "of this step",
        "loss": "of GRPO; near zero by construction, as advantages are centred within groups",
        "reward/<part>": "mean over the completions of the reward, or of a part of it",
        "reward/<part>|<label>": "the same over the claims of one gold label",
        "seconds": "wall time of the step",
        "share/<answer>": "share of the completions with this answer",
        "zero_spread": "share of the groups whose completions all earn the same",
    },
    "rewards": {
        "dataset": "dataset of the training claim",
        "id": "the claim's example, unique within its dataset",
        "gold": "its label",
        "before": "what one answer of the untrained model earns, sampled as in training",
        "after": "the same of the trained model, with the same random numbers",
    },
}

RUN = {
    "study": "name of the study",
    "arm": "arm that was trained",
    "seed": "of the training",
    "depends_on": "all that decides what is learned: settings, and SHA-256 of the code (null where "
    "it was not recorded), of the training sample and of the base model's files (none for a model "
    "of the hub)",
    "evaluation_sample_sha256": "of the evaluation set",
    "steps": "training steps",
    "learning_rate": "of the training",
    "versions": "of the libraries that train",
    "git_commit": 'commit of the code, with "+" where files differed from it',
    "device": "what it was trained on",
    "finished": "when, ISO 8601",
    "wall_seconds": "of the training, since its last interruption",
    "peak_memory_gb": "of the process",
    "trainable_parameters": "numbers in the adapter",
    "adapter_sha256": "of the adapter's weights, `adapter/adapter_model.safetensors`",
}

LEAF = {
    "value": "the number; null where it could not be computed",
    "unit": "`fraction` (0 to 1), `points` (a difference of fractions), `count`, another or none",
    "n": "how many examples, training steps or seeds it is from",
    "run": "folder of the run that it is from; `data` where it follows from the data alone",
    "interval": "its limits at the study's confidence",
    "p": "two-sided p value",
    "p_holm": "p corrected by Holm over the arms and datasets of this metric or test",
    "p_noninferior": "p of the test that a loss, if any, is below the study's margin",
}

# The nesting of results.json, as dotted keys of its leaves.
RESULTS: dict[str, str] = {
    "study.name": "name of the study",
    "study.description": "as in the study's file",
    "study.model": "base model, a folder or a name on the hub",
    "study.baseline": "arm that the others are compared with",
    "study.baselines.<arm>": "the same for an arm with another baseline; only where there is one",
    "study.data_fingerprint": "SHA-256 over all data that were drawn",
    "study.resamples": "of each bootstrap",
    "study.confidence": "of each interval",
    "study.alpha": "with a p below this, corrected by Holm, a difference counts as established",
    "seeds": "of the trainings; numbers below are of the first, if they do not say otherwise",
    "metrics.<system>.<dataset>.<metric>": "on the evaluation set",
    "gains.<system>.<dataset>.<metric>": "difference to the baseline, paired by example",
    "mcnemar.<system>.<dataset>.fixed": "examples that are right, and wrong in the baseline",
    "mcnemar.<system>.<dataset>.broken": "examples that are wrong, and right in the baseline",
    "mcnemar.<system>.<dataset>.p": "McNemar's exact test of whether both are equally likely",
    "mcnemar.<system>.<dataset>.mid_p": "its mid-p version",
    "mcnemar.<system>.<dataset>.odds_ratio": "fixed over broken; absent where none is broken",
    "shift.<system>.<dataset>.statistic": "Stuart-Maxwell test of a shift in the shares of answers",
    "shift.<system>.<dataset>.df": "its degrees of freedom",
    "shift.<system>.<dataset>.p": "its p value",
    "clustered.metrics.<system>.<dataset>.<metric>": "as metrics, with groups resampled",
    "clustered.gains.<system>.<dataset>.<metric>": "as gains, with groups resampled",
    "awareness.<system>.<dataset>.ece": "calibration error of the most probable label: mean gap "
    "between its probability and how often it is right",
    "awareness.<system>.<dataset>.brier": "Brier score of the label probabilities, 0 to 2",
    "awareness.<system>.<dataset>.auroc_na": "probability that an example of gold NA has a higher "
    "probability of NA than another",
    "awareness.<system>.<dataset>.aurc": "mean of the risk over all shares of answered examples",
    "awareness.<system>.<dataset>.risk_at_<number>": "risk when so many percent are answered, "
    "those with the lowest probability of NA: share of errors when PASS or FAIL is answered",
    "awareness.<system>.<dataset>.reliability.bin_<number>.confidence": "mean probability of the "
    "most probable label, in one of ten bins of equal mass",
    "awareness.<system>.<dataset>.reliability.bin_<number>.accuracy": "share of right ones there",
    "format_rate.<system>.<dataset>": "share of the answers that are exactly one label",
    "answer_share.<system>.<dataset>.<answer>": "share of the examples with this answer",
    "confusion.<system>.<dataset>": "counts: a row for each gold label, NA, PASS, FAIL; a column "
    "for each answer, NA, PASS, FAIL, INVALID",
    "training.<arm>.reward_start": "mean reward of the first steps",
    "training.<arm>.reward_end": "mean reward of the last steps",
    "training.<arm>.reward_before": "mean reward on the training claims, untrained",
    "training.<arm>.reward_after": "the same, trained, with the same random numbers",
    "training.<arm>.reward_gain": "the difference of the last two",
    "training.<arm>.format_rate_start": "share of valid completions in the first steps",
    "training.<arm>.format_rate_end": "the same in the last steps",
    "training.<arm>.kl_end": "drift from the untrained model in the last steps",
    "training.<arm>.zero_spread_mean": "share of groups whose completions all earn the same",
    "training.<arm>.steps": "training steps",
    "training.<arm>.seconds": "wall time of the training",
    "training.<arm>.peak_memory_gb": "peak memory of the process",
    "trajectory.<arm>.<dataset>.step_<number>.<metric>": "on a part of the evaluation examples, "
    "after so many steps; some of the metrics",
    "data.datasets.<dataset>.pool.<label>": "examples that there are",
    "data.datasets.<dataset>.pool.with_evidence": "of these, with evidence",
    "data.datasets.<dataset>.pool.without_evidence": "of these, without",
    "data.datasets.<dataset>.evaluation.<label>": "examples of the evaluation set",
    "data.datasets.<dataset>.evaluation.with_evidence": "of these, with evidence",
    "data.datasets.<dataset>.evaluation.without_evidence": "of these, without",
    "data.datasets.<dataset>.excluded.group": "examples that training lacks, as their group is in "
    "the evaluation set",
    "data.datasets.<dataset>.excluded.claim": "the same, as their claim is there",
    "data.datasets.<dataset>.skipped.<reason>": "rows of the dataset's files that cannot be used; "
    "only where there are some",
    "data.mixtures.<mixture>.<dataset>.<label>": "examples of a training sample",
    "data.mixtures.<mixture>.<dataset>.with_evidence": "of these, with evidence",
    "data.mixtures.<mixture>.<dataset>.without_evidence": "of these, without",
    "data.overlap.<mixture>.groups": "groups that a mixture and the evaluation set share",
    "data.overlap.<mixture>.claims": "claims that they share",
    "data.arms.<arm>.groups": "groups that an arm's training sample and its evaluation set share",
    "data.arms.<arm>.claims": "claims that they share",
    "data.arms.<arm>.examples.<dataset>.<label>": "examples that they share",
    "contrasts.<setting>.<pair>.<dataset>.<metric>": "difference of two arms that differ in one "
    "setting only, paired by example",
    "across_seeds.<arm>.<dataset>.<metric>.<spread>": "gain over the baseline of the same seed; "
    "only where a study has several seeds",
    "across_seeds.<arm>.<dataset>.<metric>.by_seed.seed_<number>": "the gain of one seed",
    "contrasts_across_seeds.<setting>.<pair>.<dataset>.<metric>.<spread>": "contrasts of arms of "
    "the same seed; only where a study has several seeds",
    "contrasts_across_seeds.<setting>.<pair>.<dataset>.<metric>.by_seed.seed_<number>": "the "
    "contrast of one seed",
}


def undescribed(names: Iterable[str], described: Iterable[str]) -> list[str]:
    """The names that match no description, or more than one."""
    patterns = [_pattern(entry) for entry in described]
    return [name for name in names if sum(bool(p.fullmatch(name)) for p in patterns) != 1]


def unused(names: Collection[str], described: Iterable[str]) -> list[str]:
    """The descriptions that match none of the names."""
    return [entry for entry in described if not any(map(_pattern(entry).fullmatch, names))]


def _pattern(entry: str) -> re.Pattern[str]:
    """What an entry such as "accuracy|<label>" stands for."""
    parts = re.split(r"<(\w+)>", entry)
    for i, place in enumerate(parts):
        if i % 2 == 0:
            parts[i] = re.escape(place)
        elif place == "number":
            parts[i] = r"\d+"
        else:
            fixed = PLACES[place][1]
            parts[i] = f"(?:{'|'.join(fixed)})" if fixed else r"[^.|/]+"
    return re.compile("".join(parts))
