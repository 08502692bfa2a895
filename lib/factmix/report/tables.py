"""The tables of chapters and of runs, as Markdown that pages include."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from factmix.report.baselines import arm_name, compared_mixtures, contrasts_of
from factmix.report.findings import by_seed, over_seeds
from factmix.report.sources import Results, in_both_readings
from factmix.results.numbers import NOT_COMPUTED, Leaf, amount, probability, show
from factmix.study.labels import ANSWERS, INVALID, LABELS
from factmix.study.spec import Counts
from factmix.training.rewards import component_names, components

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
F1 = [name for name in METRIC_NAMES if name.startswith("f1")]
OTHERS = [name for name in METRIC_NAMES if name not in F1]

# How a cell with a number begins: perhaps in bold, with a relation, a sign; or there is none.
_NUMBER = re.compile(rf"[^\w`]*\d|p\u00a0|{NOT_COMPUTED}$")


def markdown(header: Sequence[str], rows: Iterable[Sequence[Any]], *, words: bool = False) -> str:
    """A Markdown table; columns with a number are aligned right, but for the first, others left.

    Args:
        header: names of the columns.
        rows: their cells.
        words: whether all columns hold words, whatever they begin with.
    """
    lines = [[str(cell) for cell in row] for row in rows]
    columns = list(zip(*lines, strict=True))[1:]
    numeric = [not words and any(map(_NUMBER.match, column)) for column in columns]
    sides = [":--", *("--:" if right else ":--" for right in numeric)]
    if not lines:
        sides = [":--"] * len(header) if words else [":--"]
    return "".join(f"| {' | '.join(line)} |\n" for line in [header, sides, *lines])


def of_study(results: Results) -> dict[str, str]:
    """Every table of the chapters, by name."""
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
        "awareness": awareness(results),
        "robustness": robustness(results),
    }
    for dataset in results.datasets:
        made[f"metrics-{dataset}"] = metrics(results, dataset)
        made[f"f1-{dataset}"] = f1(results, dataset)
    return made


def of_seeds(default: Results, again: Results) -> dict[str, str]:
    """The tables of the page about other seeds, by name."""
    return {
        f"seeds-{about}{metric}": table(default, again, metric)
        for metric in ("balanced_accuracy", "recall_na")
        for about, table in (("", seed_gains), ("contrasts-", seed_contrasts))
    }


def counts_text(counts: Counts) -> str:
    return "/".join(str(counts.get(label, 0)) for label in LABELS)


def _each(section: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Arm, dataset and what is below them in a section of results.json."""
    for arm, datasets in section.items():
        for dataset, found in datasets.items():
            yield arm, dataset, found


def _cells(found: dict[str, Any], names: Iterable[str]) -> list[str]:
    return [show(found[name], "cell") for name in names]


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
    rows = [
        [arm_name(name), f"`{arm.mixture}`", f"`{arm.reward}`", study.steps(name)]
        for name, arm in study.arms.items()
    ]
    return markdown(["arm", "mixture", "reward", "steps"], rows)


def reward_values(results: Results) -> str:
    """What each answer earns for each gold label, one table for each reading of the weights."""
    tables = []
    for reading, reward in in_both_readings(results.study.rewards["published"]).items():
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
    content = results.content
    rows = []
    for arm, of in content["metrics"].items():
        rate = content["format_rate"].get(arm)  # a constant answer has none
        valid = show(rate[dataset], "cell") if rate else NOT_COMPUTED
        rows.append([arm_name(arm), *_cells(of[dataset], OTHERS), valid])
    if results.paths.shortcuts.is_file():
        kept = json.loads(results.paths.shortcuts.read_text(encoding="utf-8"))
        scores = kept[dataset]["claim_and_evidence"]
        cells = [show(scores[m], "cell") if m in scores else NOT_COMPUTED for m in OTHERS]
        rows.append(["words alone", *cells, NOT_COMPUTED])
    return markdown(["percent", *(METRIC_NAMES[m] for m in OTHERS), "format valid"], rows)


def f1(results: Results, dataset: str) -> str:
    """F1 of each label, of every arm on a dataset, in percent."""
    of_arm = {arm: of[dataset] for arm, of in results.content["metrics"].items()}
    return by_system(of_arm, F1)


def by_system(of_system: dict[str, Any], names: Sequence[str]) -> str:
    """Some metrics of every system, in percent."""
    rows = [[arm_name(system), *_cells(found, names)] for system, found in of_system.items()]
    return markdown(["percent", *(METRIC_NAMES[name] for name in names)], rows)


def gains(results: Results) -> str:
    """The main metrics over the baseline, in points, with intervals and p corrected by Holm."""
    chosen = ("accuracy", "balanced_accuracy", "macro_f1", "recall_na")

    def cell(gain: Leaf) -> str:
        # Value and p stand in one line, the interval below where room is scarce.
        value, _, interval = show(gain, "cell").partition(" ")
        return f"{value},\u00a0{probability(gain['p_holm'])} {interval}"

    rows = [
        [_against(results, arm), dataset, *(cell(found[metric]) for metric in chosen)]
        for arm, dataset, found in _each(results.content["gains"])
    ]
    header = ["points over the baseline", "dataset", *(METRIC_NAMES[name] for name in chosen)]
    return markdown(header, rows)


def mcnemar(results: Results) -> str:
    """Examples that an arm fixes and breaks relative to the baseline."""
    rows = [
        [
            _against(results, arm),
            dataset,
            show(test["fixed"]),
            show(test["broken"]),
            probability(test["p"]["p_holm"]),
        ]
        for arm, dataset, test in _each(results.content["mcnemar"])
    ]
    return markdown(["arm", "dataset", "fixed", "broken", "exact McNemar, Holm"], rows)


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
    return _by_system_and_dataset(results, "awareness", "system", columns)


def answer_shares(results: Results) -> str:
    """How often each arm gives each answer, by dataset, in percent."""
    columns = {str(answer): str(answer) for answer in ANSWERS}
    return _by_system_and_dataset(results, "answer_share", "percent of answers", columns)


def _by_system_and_dataset(results: Results, section: str, of: str, columns: dict[str, str]) -> str:
    rows = [
        [arm_name(arm), dataset, *_cells(found, columns)]
        for arm, dataset, found in _each(results.content[section])
    ]
    return markdown([of, "dataset", *columns.values()], rows)


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
    rows = [
        [arm_name(arm), *(show(measured[key], form) for key, (_, form) in columns.items())]
        for arm, measured in results.content["training"].items()
    ]
    return markdown(["arm", *(words for words, _ in columns.values())], rows)


def base_model(results: Results) -> str:
    """The untrained model: metrics, format and answers by dataset, in percent."""
    chosen = ("accuracy", "balanced_accuracy", "recall_na", "recall_pass", "recall_fail")
    measured, valid = (results.content[name]["base"] for name in ("metrics", "format_rate"))
    rows = [[d, *_cells(measured[d], chosen), show(valid[d], "cell")] for d in results.datasets]
    header = ["percent [95 % interval]", *(METRIC_NAMES[m] for m in chosen), "format valid"]
    return markdown(header, rows)


def data_counts(results: Results) -> str:
    """Examples of each dataset by label and by whether there is evidence; what training lacks."""
    columns = [*map(str, LABELS), "with_evidence", "without_evidence"]
    rows = [
        [f"{dataset}, {part}", *(show(parts[part][column]) for column in columns)]
        for dataset, parts in results.content["data"]["datasets"].items()
        for part in ("pool", "evaluation")
    ]
    return markdown(["examples", *(column.replace("_", " ") for column in columns)], rows)


def overlap(results: Results) -> str:
    """Groups and claims that each mixture has in common with the evaluation set."""
    rows = [
        [f"`{mixture}`", show(common["groups"]), show(common["claims"])]
        for mixture, common in results.content["data"]["overlap"].items()
    ]
    return markdown(["mixture", "groups in common", "claims in common"], rows)


def robustness(results: Results) -> str:
    """Gains in accuracy: by examples, by groups, corrected for their number, and as no loss."""
    clustered = results.content["clustered"]["gains"]
    rows = []
    for arm, dataset, by_metric in _each(results.content["gains"]):
        gain, grouped = by_metric["accuracy"], clustered[arm][dataset].get("accuracy")
        limits = _interval(grouped) if grouped else NOT_COMPUTED
        tests = [probability(gain[p]) for p in ("p", "p_holm", "p_noninferior")]
        rows.append([arm_name(arm), dataset, show(gain, "cell"), limits, *tests])
    header = ["accuracy, points over the baseline", "dataset", "gain", "interval by groups"]
    return markdown([*header, "p", "p, Holm", "p, no loss"], rows)


def _interval(leaf: Leaf) -> str:
    return show(leaf, "cell").partition(" ")[2]


def seed_gains(default: Results, again: Results, metric: str) -> str:
    """Gains over the baseline: of the default study, and of the other seeds."""
    rows = [
        [arm_name(arm), d, *_over_seeds(default.content["gains"][arm][d][metric], spread[metric])]
        for arm, d, spread in _each(again.content["across_seeds"])
    ]
    return markdown(["points over the baseline", *_seed_columns(again)], rows)


def seed_contrasts(default: Results, again: Results, metric: str) -> str:
    """Differences of arms that differ in their mixture, or their reward, alone."""
    rows = []
    for setting, found in contrasts_of(default, compared_mixtures(default)).items():
        for each in found:
            once = default.content["contrasts"][setting][each.pair][each.dataset]
            words = f"{arm_name(each.second)} over {arm_name(each.first)}"
            spread = over_seeds(again, setting, each)
            rows.append([words, each.dataset, *_over_seeds(once[metric], spread[metric])])
    return markdown(["points over another arm", *_seed_columns(again)], rows)


def _seed_columns(again: Results) -> list[str]:
    mean = f"mean of {len(again.content['seeds'])} seeds"
    return ["dataset", "default study", mean, "interval, claims too", "p, Holm", "single seeds"]


def _over_seeds(once: Leaf, spread: Any) -> list[str]:
    each = sorted(by_seed(spread), key=lambda leaf: leaf["value"])
    mean = spread["by_t"]
    tested = probability(mean["p_holm"]) if "p_holm" in mean else "not defined"
    low, high = (show(leaf, "cell") for leaf in (each[0], each[-1]))
    means = [show(mean, "cell"), _interval(spread["hierarchical"])]
    return [show(once, "cell"), *means, tested, f"{low} to {high}"]
