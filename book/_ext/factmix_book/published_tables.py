"""The tables of the pages on the published study, and of the ledger."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from factmix.published import audit
from factmix.published.claim_tests import Claim
from factmix.published.claims import test_of
from factmix.published.released import DATASETS, MIXTURES, SYSTEMS
from factmix.results.numbers import NOT_COMPUTED, amount, probability, show
from factmix.study.labels import LABELS
from factmix.study.settings import AccuracyReward
from factmix_book import published_study
from factmix_book.parts import arm_name
from factmix_book.published_study import READINGS, Published
from factmix_book.sources import write_if_changed
from factmix_book.tables import METRIC_NAMES, counts_text, markdown

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


def write(study: Published, into: Path) -> set[Path]:
    """Writes every table; returns the files."""
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
        made[f"published-gains-{dataset}"] = gains(study, dataset)
        f1 = [name for name in METRIC_NAMES if name.startswith("f1")]
        others = [name for name in METRIC_NAMES if name not in f1]
        made[f"published-metrics-{dataset}"] = metrics(study, dataset, others)
        made[f"published-f1-{dataset}"] = metrics(study, dataset, f1)
    for statement, names in STATEMENTS.items():
        made[f"claims-{statement}"] = ledger(study, names)
    return {write_if_changed(into / f"{name}.md", text) for name, text in made.items()}


def gains(study: Published, dataset: str) -> str:
    """The printed gains on a dataset beside the recomputed ones, in points."""
    rows = []
    for row in study.report["gains"]:
        if row["dataset"] != dataset:
            continue
        digits = 1 if row["metric"] == "accuracy" else 0
        recomputed = {
            "value": row["recomputed"],
            "unit": "points",
            "interval": [row["low"], row["high"]],
        }
        rows.append(
            [
                f"`{row['mixture']}`",
                METRIC_NAMES[row["metric"]].replace(" ", "\u00a0"),
                _minus(f"{100 * row['printed']:+.{digits}f}")
                + ("" if row["reproduces"] else " **differs**"),
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


def metrics(study: Published, dataset: str, names: Sequence[str]) -> str:
    """Metrics of every system and of the constant answers, in percent."""
    return markdown(
        ["percent", *(METRIC_NAMES[name] for name in names)],
        [
            [arm_name(system), *(show(of[dataset][name], "cell") for name in names)]
            for system, of in study.numbers["metrics"].items()
        ],
    )


def mcnemar(study: Published) -> str:
    """Examples that a mixture fixes and breaks relative to the control."""
    return markdown(
        ["mixture", "dataset", "fixed", "broken", "exact", "mid-p", "Holm"],
        [
            [
                f"`{mixture}`",
                DATASETS[dataset],
                amount(test["fixed"]),
                amount(test["broken"]),
                *(probability(test[kind]) for kind in ("p", "mid_p", "p_holm")),
            ]
            for mixture, of in study.report["mcnemar"].items()
            for dataset, test in of.items()
        ],
    )


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
            f"{_rounded(of['start'])}\u00a0→ {_rounded(of['end'])}"
            if (of := curve["logged"].get(name))
            else amount(None)
            for name in columns
        ]
        rows.append([f"`{system}`", amount(curve["steps"]), *cells])
    return markdown(["log", "steps", *columns.values()], rows)


def _rounded(value: float) -> str:
    return _minus(f"{value:.2f}")


def evidence(study: Published) -> str:
    """Evaluation examples with and without evidence, and what the rule on its absence scores."""
    numbers = study.numbers
    rows = []
    for dataset, name in DATASETS.items():
        of = numbers["evidence"][dataset]
        counts = [(show(of[str(lb)]["with"]), show(of[str(lb)]["without"])) for lb in LABELS]
        cells = [f"{with_}\u00a0/\u00a0{without}" for with_, without in counts]
        rows.append([name, *cells, show(numbers["rule"][dataset]["accuracy"])])
    header = ["with / without evidence", *map(str, LABELS), "rule right, NA or not"]
    return markdown(header, rows)


def overlap(study: Published) -> str:
    """Climate-FEVER's claims that training and evaluation must, and are expected to, share."""
    rows = []
    for mixture, labels in published_study.overlaps(study).items():
        drawn = study.study.mixtures[mixture]["climate_fever"]
        for label in LABELS:
            of = labels[label]
            rows.append(
                [
                    f"`{mixture}`",
                    str(label),
                    amount(of["pool"]),
                    amount(drawn[label]),
                    amount(audit.CLIMATE_EVALUATION[label]),
                    amount(of["at_least"]),
                    f"{of['expected']:.1f}",
                ]
            )
    header = ["mixture", "label", "pool n", "training t", "evaluation e"]
    return markdown([*header, "at least", "expected"], rows)


def constant(study: Published) -> str:
    """Accuracy of every system beside that of always answering NA, in percent."""
    found = audit.accuracies(study.derived)
    systems = [*SYSTEMS, "always_na"]
    return markdown(
        ["accuracy, percent", *(arm_name(system) for system in systems)],
        [[DATASETS[d], *(f"{100 * of[s]:.1f}" for s in systems)] for d, of in found.items()],
    )


def invalid(study: Published) -> str:
    """Answers in which no label can be read."""
    return markdown(
        ["answers without a label", *(f"`{system}`" for system in SYSTEMS)],
        [
            [DATASETS[dataset], *(amount(of[system]) for system in SYSTEMS)]
            for dataset, of in audit.invalid_answers(study.derived).items()
        ],
    )


def explored(study: Published) -> str:
    """The explore part of each log, by gold label: the greatest mean of any step."""
    rows = []
    for mixture in MIXTURES:
        by_gold = study.derived["curves"][mixture]["by_gold"]
        greatest = [amount(by_gold[label]["r_explore"]["greatest"]) for label in map(str, LABELS)]
        rows.append([f"`{mixture}`", show(study.numbers["explored"][mixture]["steps"]), *greatest])
    header = ["greatest explore part of a step", "steps", *(f"gold {label}" for label in LABELS)]
    return markdown(header, rows)


def weights(study: Published) -> str:
    """The weights that the logs imply, beside the printed ones."""
    printed = [amount(study.reward.weights[label]) for label in LABELS]
    rows = [["printed", *printed, "none"]]
    for mixture in MIXTURES:
        implied = audit.implied_weights(study.derived, mixture, study.reward.wrong)
        true_na = study.derived["curves"][mixture]["by_gold"]["NA"].get("r_true_na")
        extra = f"`r_true_na`: {amount(true_na['greatest'])} at gold NA" if true_na else "none"
        cells = [amount(implied.get(str(label))) for label in LABELS]
        rows.append([f"log of `{mixture}`", *cells, extra])
    return markdown(["weight", *map(str, LABELS), "further parts"], rows)


def decisions(study: Published) -> str:
    """Shares of all beliefs for which each label earns most."""
    rewards = published_study.readings(study)
    shares = {READINGS[name]: audit.decision_shares(reward) for name, reward in rewards.items()}
    shares["plain accuracy"] = audit.decision_shares(AccuracyReward(kind="accuracy"))
    return markdown(
        ["percent of beliefs", *map(str, LABELS)],
        [
            [name, *(f"{100 * of[label]:.1f}" for label in map(str, LABELS))]
            for name, of in shares.items()
        ],
    )


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
    """Claims of the blog with the verdict on its answers and on ours."""
    rows = []
    for name in names:
        claim: Claim = study.ledger.claims[name]
        verdicts = [_marked(study.judged[by][name].verdict) for by in ("published", "ours")]
        rows.append([claim.text, claim.source, *verdicts])
    return _texts(["claim", "section", "published answers", "our study"], rows)


def ledger_numbers(study: Published) -> str:
    """What each claim would have to show, and the numbers that each verdict rests on."""
    rows = []
    for name, claim in study.ledger.claims.items():
        first = f"{claim.text} *Supported if {test_of(study.ledger, claim)}.*"
        for by, words in (("published", "published"), ("ours", "ours")):
            for what, number in study.judged[by][name].numbers.items():
                rows.append([first, words, what.replace("_", " "), *_number(number)])
                first = ""
    level = f"value [{100 * (1 - study.ledger.alpha):g} % interval]"
    return _texts(["claim", "data", "quantity", level, "p"], rows)


def _number(number: dict[str, Any]) -> list[str]:
    between = number.get("interval")
    value = _minus(f"{number['value']:.3f}".rstrip("0").rstrip("."))
    if between:
        value += _minus(f" [{between[0]:.3f}, {between[1]:.3f}]")
    return [value, probability(number["p"]) if "p" in number else NOT_COMPUTED]


def _marked(verdict: str) -> str:
    """A verdict as it is read fastest; the words stay, so that it needs no colour."""
    return f"**{verdict}**" if verdict != "inconclusive" else verdict


def _texts(header: list[str], rows: list[list[str]]) -> str:
    """A table of sentences, all aligned left."""
    lines = [header, [":--"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
