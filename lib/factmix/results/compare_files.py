"""Compares two systems' answers to the same examples: `factmix compare BASELINE MODEL`."""

from dataclasses import asdict
from typing import Any

import numpy as np

from factmix.results.numbers import in_terminal, p_cell, probability
from factmix.results.prediction_files import WRONG, Pairs
from factmix.results.prediction_tables import listed, shown
from factmix.results.results_json import correct
from factmix.stats import paired_tests
from factmix.stats.bootstrap import bootstrap_gains
from factmix.stats.metrics import contingency, metrics
from factmix.study.labels import LABELS, Label


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
        odds_ratio_ci); stuart_maxwell (statistic, df, p; None where there is one label); how many
        answers were invalid, pairs dropped and examples unpaired; labels (how many pairs have each
        gold label; empty where only right and wrong are compared); and read (for each file its
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
        "invalid": dict(zip(("baseline", "model"), pairs.invalid, strict=True)),
        "dropped": pairs.dropped,
        "unpaired": dict(zip(("baseline", "model"), pairs.unpaired, strict=True)),
        "labels": {
            label: pairs.gold.count(label) for label in pairs.labels if pairs.possible[-1] != WRONG
        },
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
    return "\n".join([*lines, "", *_read(result)])


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
    by = f"pairs by gold label: {labels}" if labels else "answers compared as right or wrong"
    return [*lines, f"{by}; {result['dropped']:,} pairs dropped"]


def _p(value: float) -> str:
    return in_terminal(probability(value))


def _ratio(test: dict[str, Any]) -> str:
    if test["odds_ratio"] is None:
        return "not defined, as nothing was broken"
    low, high = test["odds_ratio_ci"]
    return f"{test['odds_ratio']:.3g} [{low:.3g}, {high:.3g}]"
