"""What was drawn for a study: counts, what is shared, lengths of prompts; as JSON and as tables."""

from typing import Any

import numpy as np
import pandas as pd
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from factmix.data.evidence import missing_means_na, visible_evidence
from factmix.data.mixtures import Report
from factmix.study.examples import from_frame
from factmix.study.labels import LABELS, Label
from factmix.study.paths import Paths
from factmix.study.protocol import PROTOCOLS
from factmix.study.spec import Study
from factmix.training.policy import whole_prompt

Summary = dict[str, Any]
COUNTED = (*map(str, LABELS), "with_evidence", "without_evidence")


def summarise(
    study: Study, paths: Paths, report: Report, tokenizer: PreTrainedTokenizerBase | None
) -> Summary:
    """Everything about a study's data, from the files that `mixtures.prepare` wrote.

    Args:
        study: whose data were prepared.
        paths: where.
        report: what `prepare` returned.
        tokenizer: of the study's model; without one the lengths are left out.

    Returns:
        overlap.<arm>: groups, claims, and examples by dataset and label that its training sample
        shares with the evaluation set. datasets.<name>: pool, train (what any arm trains on) and
        evaluation as counts by label and by whether there is evidence; skipped;
        tokens.<train|evaluation>: median, p95, longest (tokens of the whole prompt) and cut_off
        (prompts that lose evidence); no_evidence_rule.<protocol>.<train|evaluation>: accuracy of
        "no evidence means NA". arms.<arm>: mixture, steps, its protocol's settings, and its counts
        by dataset.
    """
    samples = {arm: pd.read_parquet(paths.train(*study.training_sample(arm))) for arm in study.arms}
    sets = {
        arm: pd.read_parquet(paths.evaluation_of(study.evaluation_sample(arm)))
        for arm in study.arms
    }
    evaluation = pd.read_parquet(paths.evaluation)
    usual = [samples[arm] for arm in study.arms if not study.training_sample(arm)[1]]
    trained = pd.concat(usual or list(samples.values()), ignore_index=True)
    trained = trained.drop_duplicates(["dataset", "id"])
    datasets = {}
    for name in study.datasets:
        pool = pd.read_parquet(paths.pool(name))
        parts = {
            "train": trained[trained["dataset"] == name],
            "evaluation": evaluation[evaluation["dataset"] == name],
        }
        datasets[name] = {
            "pool": report["datasets"][name]["pool"],
            **{part: counts(rows) for part, rows in parts.items()},
            "skipped": report["datasets"][name].get("skipped", {}),
            "no_evidence_rule": _rule(pool, parts),
            "tokens": tokenizer
            and {part: token_lengths(rows, study, tokenizer) for part, rows in parts.items()},
        }
    return {
        "study": study.name,
        "fingerprint": report["fingerprint"],
        "datasets": datasets,
        "arms": {
            arm: {
                "mixture": study.arm(arm).mixture,
                "steps": study.steps(arm),
                **study.protocol_of(arm).model_dump(),
                "train": _by_dataset(samples[arm]),
                "evaluation": _by_dataset(sets[arm]),
            }
            for arm in study.arms
        },
        "overlap": report["arms"],
    }


def counts(examples: pd.DataFrame) -> dict[str, int]:
    """Examples by label, and with and without evidence."""
    with_evidence = int((examples["evidence"].map(len) > 0).sum())
    return {
        **{str(label): int((examples["label"] == label).sum()) for label in LABELS},
        "with_evidence": with_evidence,
        "without_evidence": len(examples) - with_evidence,
    }


def token_lengths(
    examples: pd.DataFrame, study: Study, tokenizer: PreTrainedTokenizerBase
) -> dict[str, float]:
    """Lengths of the whole prompts in tokens, and how many are longer than prompt.max_tokens."""
    if examples.empty:
        return {"median": 0.0, "p95": 0.0, "longest": 0, "cut_off": 0}
    texts = [
        whole_prompt(tokenizer, each.claim, each.evidence, study.prompt)
        for each in from_frame(examples)
    ]
    lengths = np.array([len(ids) for ids in tokenizer(texts)["input_ids"]])
    return {
        "median": float(np.median(lengths)),
        "p95": float(np.percentile(lengths, 95)),
        "longest": int(lengths.max()),
        "cut_off": int((lengths > study.prompt.max_tokens).sum()),
    }


def arms_table(summary: Summary) -> pd.DataFrame:
    """One row per arm: its protocol's settings for data, and what it shares with evaluation."""
    settings = ["mixture", "split", "evidence_train", "evidence_eval"]
    rows = {
        arm: {
            **{name: summary["arms"][arm][name] for name in settings},
            "groups": shared["groups"],
            "claims": shared["claims"],
            **{f"examples, {label}": _total(shared, label) for label in LABELS},
        }
        for arm, shared in summary["overlap"].items()
    }
    return pd.DataFrame(rows).T.rename_axis("arm")


def lengths_table(summary: Summary) -> pd.DataFrame:
    """One row per dataset and part: median, 95 %, longest (tokens), and prompts cut off."""
    rows = {
        (name, part): dataset["tokens"][part]
        for name, dataset in summary["datasets"].items()
        if dataset["tokens"]
        for part in ("train", "evaluation")
    }
    return pd.DataFrame(rows).T.rename(columns={"p95": "95 %", "cut_off": "cut off"})


def rule_table(summary: Summary) -> pd.DataFrame:
    """Accuracy of "no evidence means NA" per dataset, by protocol and part."""
    rows = {
        name: {
            (protocol, part): accuracy
            for protocol, parts in dataset["no_evidence_rule"].items()
            for part, accuracy in parts.items()
        }
        for name, dataset in summary["datasets"].items()
    }
    return pd.DataFrame(rows).T.astype(float).round(3)


def tables(summary: Summary) -> str:
    """The summary as text for a terminal."""
    counted = {
        (name, part): {column: dataset[part][column] for column in COUNTED}
        for name, dataset in summary["datasets"].items()
        for part in ("pool", "train", "evaluation")
    }
    skipped = {
        (name, reason): {"rows": count}
        for name, dataset in summary["datasets"].items()
        for reason, count in dataset["skipped"].items()
    }
    shown = {
        "Examples": pd.DataFrame(counted).T,
        "Left out": pd.DataFrame(skipped).T,
        "Tokens of their prompts": lengths_table(summary),
        "Shared by training and evaluation": arms_table(summary),
    }
    return "\n".join(
        f"{title}\n{frame.to_string(sparsify=False, float_format='{:.0f}'.format)}\n"
        for title, frame in shown.items()
        if len(frame)
    )


def _total(shared: dict[str, Any], label: Label) -> int:
    return sum(part[str(label)] for part in shared["examples"].values())


def _by_dataset(examples: pd.DataFrame) -> dict[str, dict[str, int]]:
    return {str(name): counts(part) for name, part in examples.groupby("dataset", sort=False)}


def _rule(pool: pd.DataFrame, parts: dict[str, pd.DataFrame]) -> dict[str, dict[str, float | None]]:
    """The rule on the examples that were drawn, shown as each protocol shows them."""
    train, evaluation = (
        pool[pool["id"].isin(parts[part]["id"])] for part in ("train", "evaluation")
    )
    return {
        protocol: {
            "train": _accuracy(visible_evidence(train, settings.evidence_train, "train")),
            "evaluation": _accuracy(
                visible_evidence(evaluation, settings.evidence_eval, "evaluation")
            ),
        }
        for protocol, settings in PROTOCOLS.items()
    }


def _accuracy(examples: pd.DataFrame) -> float | None:
    return missing_means_na(examples) if len(examples) else None
