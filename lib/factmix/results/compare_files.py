"""Compares two systems' answers to the same examples: `factmix compare BASELINE MODEL`."""

from dataclasses import asdict
from typing import Any

import numpy as np

from factmix.results.numbers import in_terminal, p_cell, probability
from factmix.results.prediction_files import MOST_PROBABLE, WRONG, Pairs
from factmix.results.prediction_tables import listed, shown
from factmix.results.results_json import correct
from factmix.stats import paired_tests
from factmix.stats.bootstrap import bootstrap_gains
from factmix.stats.constants import log_probabilities, tied
from factmix.stats.metrics import contingency, metrics
from factmix.stats.shift import separation, shift_or_learning
from factmix.study.labels import LABELS, Label

MANY = 0.02  # of the examples, tied


def reported(labels: tuple[str, ...]) -> tuple[str, ...]:
    """The metrics of a comparison: of one label only accuracy, of the study's also recall of NA."""
    if len(labels) == 1:
        return ("accuracy",)
    if not set(labels) <= set(LABELS):
        return ("accuracy", "macro_f1", *(f"f1_{label.lower()}" for label in labels))
    study = [label for label in (Label.PASS, Label.FAIL, Label.NA) if label in labels]
    recall = ["recall_na"] if Label.NA in labels else []
    return ("accuracy", "macro_f1", *(f"f1_{label.lower()}" for label in study), *recall)


def compare_pairs(
    pairs: Pairs, *, resamples: int = 10_000, confidence: float = 0.95, seed: int = 7
) -> dict[str, Any]:
    """All numbers of a comparison, in the form of the JSON output.

    Args:
        pairs: from `prediction_files.pair`.
        resamples: of the bootstrap, stratified by gold label.
        confidence: coverage of the intervals.
        seed: of the bootstrap.

    Returns:
        n; confidence; metrics (for each of `reported`: baseline, model, difference, ci, p, p_holm
        over these, and at_floor, which of the two are the smallest that the resamples allow);
        mcnemar (fixed, broken, p, mid_p, odds_ratio, None without broken answers, and
        odds_ratio_ci); stuart_maxwell (statistic, df, p; None where there is one label);
        shift_or_learning (see `learned`; None where labels have no probabilities); how many answers
        were invalid, pairs dropped and examples unpaired; probabilities (the labels that both files
        have some of) and unused (columns that only look like them); labels (how many pairs have
        each gold label; empty where only right and wrong are compared); and read (for each file its
        name, rows, columns, datasets, how often words that are mapped to labels occurred, how many
        answers are missing, and the most frequent texts that are no label).
    """
    counts_LAA = contingency(
        pairs.gold, pairs.baseline, pairs.model, labels=pairs.labels, possible=pairs.possible
    )
    gains = bootstrap_gains(
        counts_LAA,
        resamples=resamples,
        confidence=confidence,
        rng=np.random.default_rng(seed),
        labels=pairs.labels,
    )
    before = metrics(counts_LAA.sum(axis=-1), pairs.labels)
    after = metrics(counts_LAA.sum(axis=-2), pairs.labels)
    compared = {
        name: {
            "baseline": float(before[name]),
            "model": float(after[name]),
            "difference": gains[name].value,
            "ci": list(gains[name].interval or ()),
            "p": gains[name].p,
            "at_floor": list(gains[name].at_floor),
        }
        for name in reported(pairs.labels)
    }
    correct(list(compared.values()))
    test = paired_tests.mcnemar(counts_LAA)
    shift = paired_tests.stuart_maxwell(counts_LAA) if len(pairs.labels) > 1 else None
    ratio = test.odds_ratio(confidence)
    return {
        "n": len(pairs.gold),
        "confidence": confidence,
        "metrics": compared,
        "mcnemar": {
            **asdict(test),
            "odds_ratio": ratio.value if ratio else None,
            "odds_ratio_ci": list(ratio.interval or ()) if ratio else None,
        },
        "stuart_maxwell": asdict(shift) if shift else None,
        "shift_or_learning": learned(pairs, resamples, confidence, seed)
        if pairs.probable
        else None,
        "invalid": dict(zip(("baseline", "model"), pairs.invalid, strict=True)),
        "dropped": pairs.dropped,
        "unpaired": dict(zip(("baseline", "model"), pairs.unpaired, strict=True)),
        "labels": {
            label: pairs.gold.count(label) for label in pairs.labels if pairs.possible[-1] != WRONG
        },
        "probabilities": list(pairs.probable),
        "unused": pairs.unused,
        "read": {
            system: {
                "file": str(file.path),
                "rows": len(file.frame),
                "columns": file.columns,
                "datasets": list(file.datasets),
                "mapped": file.words,
                "missing": file.missing,
                "no_label": unread[:3],
            }
            for system, file, unread in zip(
                ("baseline", "model"), pairs.files, pairs.unread, strict=True
            )
        },
    }


def learned(pairs: Pairs, resamples: int, confidence: float, seed: int) -> dict[str, Any] | None:
    """What moved thresholds explain of the change, and what they do not, for each dataset.

    Every answer is the label of highest probability. See `factmix.stats.shift`.

    Returns:
        by_dataset: the dataset, or "all" where the files do not say -> n; baseline and model
        (balanced accuracy), shift and learning (difference, ci, p, p_holm over datasets, at_floor),
        constants (label -> nats), agreement (share of the examples that the model and the shifted
        baseline answer alike), separation (of the baseline, of the model), tied (how many examples
        of the baseline, of the model have several labels as probable as each other, which then
        share the answer), and tied_shifted (the same of the shifted baseline);
        without: how many pairs are left out, as a probability is missing or their dataset has one
        gold label.
    """
    given = np.array(pairs.probabilities)
    complete = np.isfinite(given).all(axis=(0, 2)) & (given.max(axis=2) > 0).all(axis=0)
    of = np.array([dataset or "all" for dataset in pairs.datasets], dtype=object)
    gold = np.array(pairs.gold, dtype=object)
    by_dataset: dict[str, Any] = {}
    for dataset in dict.fromkeys([*pairs.files[0].datasets, *pairs.files[1].datasets, "all"]):
        rows = np.flatnonzero(complete & (of == dataset))
        truth: list[str] = gold[rows].tolist()
        if len(set(truth)) < 2:
            continue
        first, second = (each[rows] for each in pairs.probabilities)
        split = shift_or_learning(
            truth,
            first,
            second,
            resamples=resamples,
            confidence=confidence,
            rng=np.random.default_rng(seed),
            labels=pairs.probable,
        )
        by_dataset[dataset] = {
            "n": len(rows),
            "baseline": split.before,
            "model": split.before + split.total.value,
            **{
                name: {
                    "difference": part.value,
                    "ci": list(part.interval or ()),
                    "p": part.p,
                    "at_floor": list(part.at_floor),
                }
                for name, part in (("shift", split.shift), ("learning", split.learning))
            },
            "constants": dict(zip(pairs.probable, split.constants.tolist(), strict=True)),
            "agreement": split.agreement,
            "tied": {
                system: tied(log_probabilities(each))
                for system, each in (("baseline", first), ("model", second))
            },
            "tied_shifted": tied(log_probabilities(first) + split.constants),
            "separation": {
                system: separation(truth, each, pairs.probable)
                for system, each in (("baseline", first), ("model", second))
            },
        }
    if not by_dataset:  # no dataset has probabilities of examples of two gold labels
        return None
    for part in ("shift", "learning"):
        correct([found[part] for found in by_dataset.values()])
    return {
        "by_dataset": by_dataset,
        "without": len(gold) - sum(found["n"] for found in by_dataset.values()),
    }


def as_text(result: dict[str, Any]) -> str:
    """A comparison as text for a terminal: the result, the tests, and what was read."""
    accuracy, test, shift = (
        result["metrics"]["accuracy"],
        result["mcnemar"],
        result["stuart_maxwell"],
    )
    confidence = result["confidence"]
    width = max(9, *(len(shown(name)) for name in result["metrics"])) + 1
    lines = [
        f"Accuracy {accuracy['baseline']:.4f} -> {accuracy['model']:.4f}"
        f" ({accuracy['difference']:+.4f}) on {result['n']:,} pairs, McNemar {_p(test['p'])}",
        "",
        f"{'metric':<{width}}{'baseline':>9}{'model':>9}{'change':>9}  "
        f"{f'{confidence:.0%} interval':<19}{'p':>11}{'Holm':>11}",
    ]
    for name, row in result["metrics"].items():
        low, high = row["ci"]
        lines.append(
            f"{shown(name):<{width}}{row['baseline']:>9.4f}{row['model']:>9.4f}"
            f"{row['difference']:>+9.4f}  {f'[{low:+.4f}, {high:+.4f}]':<19}"
            + "".join(f"{in_terminal(p_cell(row, each)):>11}" for each in ("p", "p_holm"))
        )
    lines += [
        f"McNemar: {test['fixed']:,} fixed, {test['broken']:,} broken, {_p(test['p'])} "
        f"(mid-p: {_p(test['mid_p'])})",
        f"Odds ratio, fixed to broken: {_ratio(test)}",
    ]
    if shift is not None:
        lines.append(
            f"Shares of answers (Stuart-Maxwell): chi2({shift['df']}) = {shift['statistic']:.2f}, "
            f"{_p(shift['p'])}"
        )
    if result["shift_or_learning"]:
        lines += ["", *_learned(result, confidence)]
    return "\n".join([*lines, "", *_read(result)])


def _learned(result: dict[str, Any], confidence: float) -> list[str]:
    """The table of shift and learning, and how well log-odds separate labels."""
    split = result["shift_or_learning"]
    found, left_out = split["by_dataset"], split["without"]
    names = {dataset: shown(dataset) for dataset in found}
    width = max(9, *map(len, names.values())) + 1
    interval = f"{confidence:.0%} interval"
    lines = [
        "Balanced accuracy by the most probable label: what constants added to the baseline's",
        "log-probabilities give (shift), and what the model gains beyond them (learning)",
        f"{'dataset':<{width}}{'baseline':>9}{'shift':>9}  {interval:<18}"
        f"{'learning':>9}  {interval}",
    ]
    for dataset, row in found.items():
        cells = ""
        for part in ("shift", "learning"):
            low, high = row[part]["ci"]
            limits = f"[{low:+.4f}, {high:+.4f}]"
            cells += f"{row[part]['difference']:>+9.4f}  {limits:<18}"
        lines.append(f"{names[dataset]:<{width}}{row['baseline']:>9.4f}{cells.rstrip()}")
    lines.append("Separation of labels by log-odds (mean AUROC), which no constants change:")
    lines += [
        f"{names[dataset]:<{width}}{row['separation']['baseline']:>9.4f} ->"
        f" {row['separation']['model']:.4f}"
        for dataset, row in found.items()
    ]
    for dataset, row in found.items():
        many = MANY * row["n"]
        for system, tied_ones in row["tied"].items():
            if tied_ones > many:
                lines += [
                    f"{names[dataset]}: {tied_ones:,} of {row['n']:,} examples of the {system} have"
                    " several most probable labels,",
                    "which share the answer here",
                ]
                if result["read"][system]["columns"]["predicted"] == MOST_PROBABLE:
                    lines.append("(in the tables above, the first of them is the answer)")
        if row["tied_shifted"] > many:
            lines += [
                f"{names[dataset]}: {row['tied_shifted']:,} of {row['n']:,} examples of the shifted"
                " baseline are tied between labels",
                "(rounded probabilities?), and what counts as learning on them may be none",
            ]
    if left_out:
        lines.append(
            f"{left_out:,} pairs are left out here, as a probability or a label is missing"
        )
    return lines


def _read(result: dict[str, Any]) -> list[str]:
    """What was read, and what was left out."""
    lines = []
    for system, file in result["read"].items():
        columns = [
            shown(name) if name == role else f"{shown(name)} as {role}"
            for role, name in file["columns"].items()
        ]
        words = [f"{shown(word)} {n:,}" for word, n in file["mapped"].items()]
        said = f"{result['invalid'][system]:,} invalid answers"
        said += f", {file['missing']:,} missing" if file["missing"] else ""
        said += f", such as {listed(file['no_label'])}" if file["no_label"] else ""
        lines += [
            f"{system}: {file['file']}",
            f"  {file['rows']:,} rows; columns {', '.join(columns)}",
            *([f"  datasets {listed(file['datasets'])}"] if file["datasets"] else []),
            *([f"  words mapped to labels: {', '.join(words)}"] if words else []),
            f"  {said}; {result['unpaired'][system]:,} ids only in this file",
        ]
    labels = ", ".join(f"{shown(label)} {n:,}" for label, n in result["labels"].items())
    if result["probabilities"]:
        lines.append(f"probabilities in both files: {listed(result['probabilities'])}")
    lines += [f"not read as probabilities: {line}" for line in result["unused"]]
    by = f"pairs by gold label: {labels}" if labels else "answers compared as right or wrong"
    return [*lines, f"{by}; {result['dropped']:,} pairs dropped"]


def _p(value: float) -> str:
    return in_terminal(probability(value))


def _ratio(test: dict[str, Any]) -> str:
    if test["odds_ratio"] is None:
        return "not defined, as nothing was broken"
    low, high = test["odds_ratio_ci"]
    return f"{test['odds_ratio']:.3g} [{low:.3g}, {high:.3g}]"
