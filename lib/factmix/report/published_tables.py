"""The tables of the pages on the published study, the ledger and the statistics."""

from collections.abc import Sequence
from typing import Any

from factmix.published import audit
from factmix.published.claims import test_of
from factmix.published.released import DATASETS, MIXTURES, SYSTEMS
from factmix.report.baselines import arm_name
from factmix.report.published_study import Published
from factmix.report.tables import F1, METRIC_NAMES, OTHERS, by_system, counts_text, markdown
from factmix.results.numbers import NOT_COMPUTED, amount, probability, show
from factmix.study.labels import LABELS

_NAMES = list(map(str, LABELS))
# The claims of the blog that bear on each statement of the chapter Claim.
STATEMENTS = {
    "mixture": (
        "weighted_beats_balanced_on_hard",
        "weighted_is_best_by_accuracy",
        "weighted_is_best_by_accuracy_on_hard",
        "weighted_is_best_by_macro_f1",
        "weighted_is_best_by_na_recall",
        "balanced_is_best_on_easy",
    ),
    "abstention": ("na_gain_of_weighted_alone",),
    "protection": ("hard_only_loses_easy", "weighted_keeps_easy"),
    "nothing-else": (
        "train_and_test_are_separate",
        "reward_counters_na_collapse",
        "balanced_reaches_highest_reward",
    ),
}


def of_published(study: Published) -> dict[str, str]:
    """Every table, by name."""
    made = {
        "published-mcnemar": mcnemar(study),
        "published-curves": curves(study),
        "audit-evidence": evidence(study),
        "audit-overlap": overlap(study),
        "audit-constant": constant(study),
        "audit-invalid": invalid(study),
        "audit-explored": explored(study),
        "audit-weights": weights(study),
        "audit-decisions": decisions(study),
        "audit-sizes": sizes(study),
        "claims": ledger(study, list(study.ledger.claims)),
        "claims-numbers": ledger_numbers(study),
    }
    for dataset in DATASETS:
        of_system = {name: of[dataset] for name, of in study.numbers["metrics"].items()}
        made[f"published-gains-{dataset}"] = gains(study, dataset)
        made[f"published-metrics-{dataset}"] = by_system(of_system, OTHERS)
        made[f"published-f1-{dataset}"] = by_system(of_system, F1)
    return made | {f"claims-{name}": ledger(study, of) for name, of in STATEMENTS.items()}


def gains(study: Published, dataset: str) -> str:
    """The printed gains on a dataset beside the recomputed ones, in points."""
    rows = []
    for row in (row for row in study.report["gains"] if row["dataset"] == dataset):
        printed = f"{100 * row['printed']:+.{1 if row['metric'] == 'accuracy' else 0}f}"
        recomputed = study.numbers["gains"][row["mixture"]][dataset][row["metric"]]
        rows.append(
            [
                f"`{row['mixture']}`",
                METRIC_NAMES[row["metric"]].replace(" ", "\u00a0"),
                _minus(printed) + ("" if row["reproduces"] else " **differs**"),
                show(recomputed, "cell"),
                _minus(f"{100 * row['plain_low']:+.1f},\u00a0{100 * row['plain_high']:+.1f}"),
                _probability(row["p"]),
                _probability(row["p_holm"]),
                _minus(f"{100 * row['gain_wrong']:+.1f}"),
            ]
        )
    header = ["mixture", "metric", "printed", "recomputed", "plain", "p", "p, Holm"]
    return markdown([*header, "invalid as wrong"], rows)


def _probability(p: float) -> str:
    """Without its name, for a column of them."""
    return probability(p).removeprefix("p\u00a0").removeprefix("=\u00a0")


def _minus(text: str) -> str:
    return text.replace("-", "\u2212")


def mcnemar(study: Published) -> str:
    """Examples that a mixture fixes and breaks relative to the control."""
    rows = [
        [
            f"`{mixture}`",
            DATASETS[dataset],
            amount(test["fixed"]),
            amount(test["broken"]),
            *(probability(test[kind]) for kind in ("p", "mid_p", "p_holm")),
        ]
        for mixture, of in study.report["mcnemar"].items()
        for dataset, test in of.items()
    ]
    return markdown(["mixture", "dataset", "fixed", "broken", "exact", "mid-p", "Holm"], rows)


def curves(study: Published) -> str:
    """Means of the first and last ten logged steps."""
    columns = {
        "reward/total": "reward",
        "reward/r_explore": "explore part",
        "accuracy": "accuracy",
        "accuracy_na": "at gold NA",
        "accuracy_pass": "at gold PASS",
        "accuracy_fail": "at gold FAIL",
        "format_rate": "well-formed",
    }
    rows = []
    for system in SYSTEMS:
        curve = study.derived["curves"][system]
        cells = [
            _minus(f"{of['start']:.2f}\u00a0→ {of['end']:.2f}")
            if (of := curve["logged"].get(name))
            else NOT_COMPUTED
            for name in columns
        ]
        rows.append([f"`{system}`", amount(curve["steps"]), *cells])
    return markdown(["log", "steps", *columns.values()], rows)


def evidence(study: Published) -> str:
    """Evaluation examples with and without evidence, and what the rule on its absence scores."""
    numbers, parts = study.numbers, ("with", "without")
    rows = []
    for dataset, name in DATASETS.items():
        of = numbers["evidence"][dataset]
        cells = ["\u00a0/\u00a0".join(show(of[label][part]) for part in parts) for label in _NAMES]
        rows.append([name, *cells, show(numbers["rule"][dataset]["accuracy"])])
    return markdown(["with / without evidence", *_NAMES, "rule right, NA or not"], rows)


def overlap(study: Published) -> str:
    """Climate-FEVER's claims that training and evaluation must, and are expected to, share."""
    rows = [
        [
            f"`{mixture}`",
            label,
            amount(of[label]["pool"]),
            amount(study.drawn(mixture)[label]),
            amount(audit.CLIMATE_EVALUATION[label]),
            amount(of[label]["at_least"]),
            f"{of[label]['expected']:.1f}",
        ]
        for mixture, of in study.overlaps.items()
        for label in _NAMES
    ]
    header = ["mixture", "label", "pool n", "training t", "evaluation e", "at least", "expected"]
    return markdown(header, rows)


def constant(study: Published) -> str:
    """Accuracy of every system beside that of always answering NA, in percent."""
    systems, found = [*SYSTEMS, "always_na"], audit.accuracies(study.derived)
    rows = [[DATASETS[d], *(f"{100 * of[s]:.1f}" for s in systems)] for d, of in found.items()]
    return markdown(["accuracy, percent", *map(arm_name, systems)], rows)


def invalid(study: Published) -> str:
    """Answers in which no label can be read."""
    found = audit.invalid_answers(study.derived)
    rows = [[DATASETS[d], *(amount(of[system]) for system in SYSTEMS)] for d, of in found.items()]
    return markdown(["answers without a label", *(f"`{system}`" for system in SYSTEMS)], rows)


def explored(study: Published) -> str:
    """The explore part of each log, by gold label: the greatest mean of any step."""
    rows = []
    for mixture in MIXTURES:
        by_gold = study.derived["curves"][mixture]["by_gold"]
        greatest = [amount(by_gold[label]["r_explore"]["greatest"]) for label in _NAMES]
        rows.append([f"`{mixture}`", show(study.numbers["explored"][mixture]["steps"]), *greatest])
    header = ["greatest explore part of a step", "steps", *(f"gold {label}" for label in _NAMES)]
    return markdown(header, rows)


def weights(study: Published) -> str:
    """The weights that the logs imply, beside the printed ones."""
    rows = [["printed", *(amount(study.reward.weights[label]) for label in LABELS), "none"]]
    for mixture in MIXTURES:
        implied = audit.implied_weights(study.derived, mixture, study.reward.wrong)
        true_na = study.derived["curves"][mixture]["by_gold"]["NA"].get("r_true_na")
        extra = f"`r_true_na`: {amount(true_na['greatest'])} at gold NA" if true_na else "none"
        rows.append([f"log of `{mixture}`", *(amount(implied.get(x)) for x in _NAMES), extra])
    return markdown(["weight", *_NAMES, "further parts"], rows)


def decisions(study: Published) -> str:
    """Shares of all beliefs for which each label earns most."""
    shares = study.decision_shares
    rows = [[name, *(f"{100 * of[label]:.1f}" for label in _NAMES)] for name, of in shares.items()]
    return markdown(["percent of beliefs", *_NAMES], rows)


def sizes(study: Published) -> str:
    """Size of the mixtures, and how often training passes over them."""
    rows = []
    for name, size in audit.mixture_sizes(study.study).items():
        mixture = study.study.mixtures[name]
        cells = [counts_text(mixture[d]) if d in mixture else "0" for d in study.study.datasets]
        numbers = [f"{size['total']:,}", f"{100 * size['easy']:.1f}", f"{size['passes']:.2f}"]
        rows.append([f"`{name}`", *cells, *numbers])
    datasets = [DATASETS[d.replace("_", "")] for d in study.study.datasets]
    return markdown(["NA/PASS/FAIL", *datasets, "total", "percent FEVER", "passes"], rows)


def ledger(study: Published, names: Sequence[str]) -> str:
    """Claims of the blog with the verdict on its answers and on ours.

    A verdict is marked as it is read fastest; the words stay, so that it needs no colour.
    """
    rows = []
    for name in names:
        claim = study.ledger.claims[name]
        verdicts = [study.judged[by][name].verdict for by in ("published", "ours")]
        marked = [v if v == "inconclusive" else f"**{v}**" for v in verdicts]
        rows.append([claim.text, claim.source, *marked])
    return markdown(["claim", "section", "published answers", "our study"], rows, words=True)


def ledger_numbers(study: Published) -> str:
    """What each claim would have to show, and the numbers that each verdict rests on."""
    rows = []
    for name, claim in study.ledger.claims.items():
        first = f"{claim.text} *Supported if {test_of(study.ledger, claim)}.*"
        for by in ("published", "ours"):
            for what, number in study.judged[by][name].numbers.items():
                rows.append([first, by, what.replace("_", " "), *_number(number)])
                first = ""
    level = f"value [{100 * (1 - study.ledger.alpha):g} % interval]"
    return markdown(["claim", "data", "quantity", level, "p"], rows, words=True)


def _number(number: dict[str, Any]) -> list[str]:
    value = f"{number['value']:.3f}".rstrip("0").rstrip(".")
    if between := number.get("interval"):
        value += f" [{between[0]:.3f}, {between[1]:.3f}]"
    return [_minus(value), probability(number["p"]) if "p" in number else NOT_COMPUTED]


_INTERVALS = {
    "stratified": "stratified, percentile",
    "stratified_bca": "stratified, BCa",
    "plain": "plain, percentile",
    "clustered": "clustered, groups resampled",
    "clustered_ignored": "clustered, groups ignored",
}
_TESTS = {
    "bootstrap": "paired bootstrap",
    "bootstrap_clustered": "cluster bootstrap (clustered data)",
    "noninferiority": "non-inferiority, paired bootstrap",
    "mcnemar": "McNemar, exact",
    "mid_p": "McNemar, mid-p",
    "shift": "Stuart-Maxwell",
}


def of_statistics(measured: dict[str, Any]) -> dict[str, str]:
    """Tables of the page that checks the statistics by simulation, from `benchmarks`, by name.

    How often 95 % intervals hold the truth, how often tests reject what is true, both in percent,
    and how that was run.
    """
    found = measured["coverage"]
    held = [
        [words, *(f"{100 * found['coverage'][kind][m]:.1f}" for m in ("accuracy", "macro_f1"))]
        for kind, words in _INTERVALS.items()
    ]
    rejected = [
        [words, *(f"{100 * found['type_one'][test][at]:.2f}" for at in ("0.01", "0.05"))]
        for test, words in _TESTS.items()
    ]
    lines = [f"{measured[name]['command']}\n" for name in ("bootstrap", "coverage")]
    truth = "percent of intervals that hold the truth"
    rejections = "percent of rejections of what is true"
    return {
        "coverage": markdown([truth, "accuracy", "macro F1"], held),
        "type-one": markdown([rejections, "level 1 %", "level 5 %"], rejected),
        "benchmark-commands": f"```bash\n{''.join(lines)}```\n",
    }
