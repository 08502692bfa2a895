"""The chapters' tables, as Markdown that the chapters include."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from factmix.results.numbers import NOT_COMPUTED, Leaf, amount, probability, show
from factmix.study.labels import ANSWERS, INVALID, LABELS
from factmix.study.settings import Counts, WeightedReward
from factmix.training.rewards import component_names, components
from factmix_book import findings, headlines
from factmix_book.parts import arm_name
from factmix_book.sources import Results, write_if_changed

METRIC_NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "recall_na": "recall NA",
    "recall_pass": "recall PASS",
    "recall_fail": "recall FAIL",
    "f1_na": "F1 NA",
    "f1_pass": "F1 PASS",
    "f1_fail": "F1 FAIL",
}

# How a cell with a number begins: perhaps in bold, with a relation, a sign; or there is none.
_NUMBER = re.compile(rf"[^\w`]*\d|p\u00a0|{NOT_COMPUTED}$")


def write(results: Results, into: Path) -> set[Path]:
    """Writes every table of the chapters; returns the files."""
    made = {
        "mixtures": mixtures(results),
        "arms": arms(results),
        "reward": reward_values(results),
        "gains": gains(results),
        "mcnemar": mcnemar(results),
        "training": training(results),
        "shares": answer_shares(results),
        "base": base_model(results),
        "data": data_counts(results),
        "overlap": overlap(results),
        "findings": findings.bullets(results),
        "findings-headlines": headlines.headlines(results),
        "findings-transfer": findings.transfer(results),
        "findings-awareness": findings.awareness(results),
        "awareness": awareness(results),
        "figure-seeds": seeds(results),
        "reward-verdict": findings.reward_verdict(results.study),
    }
    for dataset in results.datasets:
        made[f"metrics-{dataset}"] = metrics(results, dataset)
        made[f"f1-{dataset}"] = f1(results, dataset)
    return {write_if_changed(into / f"{name}.md", text) for name, text in made.items()}


def markdown(header: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table; columns with a number are aligned right, but for the first, others left."""
    rows = list(rows)
    numeric = [any(map(_NUMBER.match, column)) for column in list(zip(*rows, strict=True))[1:]]
    lines = [header, [":--", *("--:" if right else ":--" for right in numeric)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def counts_text(counts: Counts) -> str:
    return "/".join(str(counts.get(label, 0)) for label in LABELS)


def mixtures(results: Results) -> str:
    """Examples per mixture, dataset and label, as NA/PASS/FAIL."""
    study = results.study
    rows = []
    for name, mixture in study.mixtures.items():
        cells = [counts_text(mixture[d]) if d in mixture else "0" for d in study.datasets]
        total = sum(sum(counts.values()) for counts in mixture.values())
        rows.append([f"`{name}`", *cells, f"{total:,}"])
    return markdown(["mixture", *study.datasets, "total"], rows)


def arms(results: Results) -> str:
    """What each arm trains on, for which reward and how long."""
    study = results.study
    return markdown(
        ["arm", "mixture", "reward", "steps"],
        [
            [arm_name(name), f"`{arm.mixture}`", f"`{arm.reward}`", str(study.run(name).steps)]
            for name, arm in study.arms.items()
        ],
    )


def reward_values(results: Results) -> str:
    """What each answer earns for each gold label, one table for each reading of the weights."""
    published = results.study.rewards["published"]
    assert isinstance(published, WeightedReward)
    tables = []
    for reading in ("predicted", "gold"):
        reward = published.model_copy(update={"weight_by": reading})
        rows = []
        for gold in LABELS:
            for answer in ANSWERS:
                valid = answer != INVALID
                parts = components(reward, predicted=answer, format_valid=valid, gold=gold)
                cells = [amount(value) for value in parts.values()]
                rows.append([gold, answer, *cells, f"**{amount(sum(parts.values()))}**"])
        header = ["gold", "answer", *component_names(reward), "total"]
        tables.append(f"Weights by the {reading} label:\n\n{markdown(header, rows)}")
    return "\n".join(tables)


def metrics(results: Results, dataset: str) -> str:
    """Metrics of every arm on a dataset in percent, with rows of what does not reason.

    These are the constant answers, and a classifier that sees which words occur.
    """
    names = [name for name in METRIC_NAMES if not name.startswith("f1")]
    return _metrics(results, dataset, names, formats=True) + _words_alone(results, dataset, names)


def _words_alone(results: Results, dataset: str, names: list[str]) -> str:
    """The row of the classifier, where the run has it."""
    file = results.paths.shortcuts
    if not file.is_file():
        return ""
    scores = json.loads(file.read_text(encoding="utf-8"))[dataset]["claim_and_evidence"]
    cells = [show(scores[name], "cell") if name in scores else NOT_COMPUTED for name in names]
    return f"| {' | '.join(['words alone', *cells, NOT_COMPUTED])} |\n"


def f1(results: Results, dataset: str) -> str:
    """F1 of each label, of every arm on a dataset, in percent."""
    return _metrics(results, dataset, [name for name in METRIC_NAMES if name.startswith("f1")])


def _metrics(results: Results, dataset: str, names: list[str], formats: bool = False) -> str:
    header = ["percent", *(METRIC_NAMES[name] for name in names)]
    rows = []
    for arm, of in results.content["metrics"].items():
        row = [arm_name(arm), *(show(of[dataset][name], "cell") for name in names)]
        if formats:
            rate = results.content["format_rate"].get(arm)  # a constant answer has none
            row.append(show(rate[dataset], "cell") if rate else NOT_COMPUTED)
        rows.append(row)
    return markdown([*header, *(["format valid"] if formats else [])], rows)


def gains(results: Results) -> str:
    """The main metrics over the baseline, in points, with intervals and p corrected by Holm."""
    chosen = ("accuracy", "balanced_accuracy", "macro_f1", "recall_na")
    rows = []
    for arm, of in results.content["gains"].items():
        for dataset, by_metric in of.items():
            gains = [by_metric[metric] for metric in chosen]
            # Value and p stand in one line, the interval below where room is scarce.
            cells = [f"{value},\u00a0{p} {interval}" for value, p, interval in map(_tested, gains)]
            rows.append([_against(results, arm), dataset, *cells])
    header = ["points over the baseline", "dataset", *(METRIC_NAMES[name] for name in chosen)]
    return markdown(header, rows)


def _tested(gain: Leaf) -> tuple[str, str, str]:
    value, _, interval = show(gain, "cell").partition(" ")
    return value, probability(gain["p_holm"]), interval


def mcnemar(results: Results) -> str:
    """Examples that an arm fixes and breaks relative to the baseline."""
    return markdown(
        ["arm", "dataset", "fixed", "broken", "exact McNemar, Holm"],
        [
            [
                _against(results, arm),
                dataset,
                show(test["fixed"]),
                show(test["broken"]),
                probability(test["p"]["p_holm"]),
            ]
            for arm, of in results.content["mcnemar"].items()
            for dataset, test in of.items()
        ],
    )


def _against(results: Results, arm: str) -> str:
    """An arm's name, and that of its baseline where it is not the study's."""
    other = results.content["study"].get("baselines", {}).get(arm)
    return f"{arm_name(arm)} against `{other}`" if other else arm_name(arm)


def awareness(results: Results) -> str:
    """Calibration, separation of NA, and the risk of answering, by system and dataset."""
    columns = {
        "ece": "calibration error",
        "brier": "Brier score",
        "auroc_na": "NA told from the rest (AUROC)",
        "aurc": "risk over all coverages",
        "risk_at_50": "risk when half is answered, %",
    }
    return markdown(
        ["system", "dataset", *columns.values()],
        [
            [arm_name(arm), dataset, *(show(measured[name], "cell") for name in columns)]
            for arm, of in results.content["awareness"].items()
            for dataset, measured in of.items()
        ],
    )


def seeds(results: Results) -> str:
    """The figure of the spread over seeds; nothing where there is one seed."""
    if len(results.content["seeds"]) < 2:
        return ""
    caption = (
        "Every training seed as a point, and their mean with Student's interval, against the "
        "baseline of the same seed."
    )
    return figure("seeds", caption)


def figure(name: str, caption: str) -> str:
    """The directive that shows a drawn figure."""
    return f"```{{drawn}} {name}\n{caption}\n```\n"


def training(results: Results) -> str:
    """What training did: mean reward of the same claims before and after, and where it ended."""
    columns = {
        "reward_before": ("reward before", "value"),
        "reward_after": ("reward after", "value"),
        "reward_gain": ("gain", "cell"),
        "format_rate_end": ("format valid at the end", "value"),
        "kl_end": ("drift at the end (KL, nats per token)", "cell"),
        "zero_spread_mean": ("groups without spread", "value"),
        "seconds": ("time", "value"),
    }
    return markdown(
        ["arm", *(words for words, _ in columns.values())],
        [
            [arm_name(arm), *(show(measured[key], columns[key][1]) for key in columns)]
            for arm, measured in results.content["training"].items()
        ],
    )


def answer_shares(results: Results) -> str:
    """How often each arm gives each answer, by dataset, in percent."""
    return markdown(
        ["percent of answers", "dataset", *ANSWERS],
        [
            [arm_name(arm), dataset, *(show(shares[answer], "cell") for answer in ANSWERS)]
            for arm, of in results.content["answer_share"].items()
            for dataset, shares in of.items()
        ],
    )


def base_model(results: Results) -> str:
    """The untrained model: metrics, format and answers by dataset, in percent."""
    content = results.content
    chosen = ("accuracy", "balanced_accuracy", "recall_na", "recall_pass", "recall_fail")
    return markdown(
        ["percent [95 % interval]", *(METRIC_NAMES[m] for m in chosen), "format valid"],
        [
            [
                dataset,
                *(show(content["metrics"]["base"][dataset][metric], "cell") for metric in chosen),
                show(content["format_rate"]["base"][dataset], "cell"),
            ]
            for dataset in results.datasets
        ],
    )


def data_counts(results: Results) -> str:
    """Examples of each dataset by label and by whether there is evidence; what training lacks."""
    columns = [*map(str, LABELS), "with_evidence", "without_evidence"]
    rows = []
    for dataset, parts in results.content["data"]["datasets"].items():
        for part in ("pool", "evaluation"):
            rows.append([f"{dataset}, {part}", *(show(parts[part][column]) for column in columns)])
    return markdown(["examples", *(column.replace("_", " ") for column in columns)], rows)


def overlap(results: Results) -> str:
    """Groups and claims that each mixture has in common with the evaluation set."""
    rows = [
        [f"`{mixture}`", show(common["groups"]), show(common["claims"])]
        for mixture, common in results.content["data"]["overlap"].items()
    ]
    return markdown(["mixture", "groups in common", "claims in common"], rows)
