"""Summary of a study's data for the terminal and its notebook: counts, overlap, prompt lengths.

The tables of the book are in book/templates/tables.md.j2.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from factmix.data.evidence import missing_means_na, visible_evidence
from factmix.data.mixtures import Report
from factmix.study.examples import COUNTED, count_examples, from_frame
from factmix.study.labels import LABELS, Label
from factmix.study.paths import Paths
from factmix.study.protocol import PROTOCOLS
from factmix.study.spec import Study

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler
    from transformers.tokenization_utils_base import PreTrainedTokenizerBase

Summary = dict[str, Any]

# Parts of the report that only a study with a warm start has, and what the terminal calls them.
WARM_STARTED = {"warm_start": "warm start", "left": "in no sample"}


def summarise(
    study: Study, paths: Paths, report: Report, tokenizer: "PreTrainedTokenizerBase | None"
) -> Summary:
    """The summary of a study's data, from the files that `mixtures.prepare` wrote.

    Args:
        study: the study.
        paths: of its run.
        report: the return value of `prepare`.
        tokenizer: of the study's model; without one, prompt lengths are left out.

    Returns:
        overlap.<arm>: groups, claims, and examples by dataset and label that its training sample
        shares with the evaluation set. datasets.<name>: pool, train (all examples that any arm is
        trained on) and evaluation as counts by label and by whether there is evidence; skipped;
        tokens.<train|evaluation>: median, p95, longest (tokens of the whole prompt) and cut_off
        (prompts that lose evidence); no_evidence_rule.<protocol>.<train|evaluation>: accuracy of
        "no evidence means NA". arms.<arm>: mixture, steps, its protocol's settings, and its counts
        by dataset. warm_start.<name> and left.<name>, if there is a warm start: counts of its
        sample, and of the examples that no sample has or shares a group or a claim with.
    """
    runs = study.runs()
    samples = {run.arm: pd.read_parquet(paths.sample(run.training_sample)) for run in runs}
    sets = {run.arm: pd.read_parquet(paths.sample(run.evaluation_sample)) for run in runs}
    evaluation = pd.read_parquet(paths.evaluation)
    usual = [samples[run.arm] for run in runs if not run.training_sample.variant]
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
            **{part: count_examples(rows) for part, rows in parts.items()},
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
            run.arm: {
                "mixture": run.mixture,
                "steps": run.steps,
                **run.protocol.model_dump(),
                "train": _by_dataset(samples[run.arm]),
                "evaluation": _by_dataset(sets[run.arm]),
            }
            for run in runs
        },
        "overlap": report["arms"],
        **{part: report[part] for part in WARM_STARTED if part in report},
    }


def token_lengths(
    examples: pd.DataFrame, study: Study, tokenizer: "PreTrainedTokenizerBase"
) -> dict[str, float]:
    """Lengths of the whole prompts (tokens), and the number longer than prompt.max_tokens."""
    from factmix.training.policy import whole_prompt  # needs torch

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
    """One row per arm: the data settings of its protocol, and its overlap with evaluation."""
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


def examples_table(evaluation: pd.DataFrame) -> "Styler":
    """The first example of each dataset and label, for a notebook.

    Its HTML shows claims and evidence as they are: markup in them is escaped.

    Args:
        evaluation: the evaluation set.
    """
    first = evaluation.groupby(["dataset", "label"], sort=False).first()[["claim", "evidence"]]
    first["evidence"] = first["evidence"].map(" ".join)
    styled = first.style.format(escape="html")
    return styled.set_properties(None, **{"text-align": "left", "white-space": "normal"})


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
    counted |= {
        (name, title): counts
        for part, title in WARM_STARTED.items()
        for name, counts in summary.get(part, {}).items()
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
    return {
        str(name): count_examples(part) for name, part in examples.groupby("dataset", sort=False)
    }


def _rule(pool: pd.DataFrame, parts: dict[str, pd.DataFrame]) -> dict[str, dict[str, float | None]]:
    """Accuracy of the rule on the drawn examples, with the evidence of each protocol."""
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
