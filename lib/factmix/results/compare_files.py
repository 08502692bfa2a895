"""Compares two systems' answers to the same examples: `factmix compare BASELINE MODEL`."""

from dataclasses import asdict
from typing import Any

import numpy as np

from factmix.results.numbers import in_terminal, p_cell, probability
from factmix.results.prediction_files import Pairs
from factmix.results.results_json import correct
from factmix.stats import paired_tests
from factmix.stats.bootstrap import bootstrap_gains
from factmix.stats.metrics import contingency, metrics

REPORTED = ("accuracy", "macro_f1", "f1_pass", "f1_fail", "f1_na", "recall_na")


def compare_pairs(pairs: Pairs, *, resamples: int, confidence: float, seed: int) -> dict[str, Any]:
    """All numbers of a comparison, in the form of the JSON output.

    Args:
        pairs: from `prediction_files.pair`.
        resamples: of the bootstrap, stratified by gold label.
        confidence: coverage of the intervals.
        seed: of the bootstrap.

    Returns:
        n; metrics (for each of `REPORTED`: baseline, model, difference, ci, p, p_holm over these,
        and at_floor, which of the two are the smallest that the resamples allow); mcnemar (fixed,
        broken, p, mid_p, odds_ratio, None without broken answers, and odds_ratio_ci);
        stuart_maxwell (statistic, df, p); and how many answers were invalid, pairs dropped and
        examples unpaired.
    """
    counts_LAA = contingency(pairs.gold, pairs.baseline, pairs.model)
    gains = bootstrap_gains(
        counts_LAA, resamples=resamples, confidence=confidence, rng=np.random.default_rng(seed)
    )
    before = metrics(counts_LAA.sum(axis=-1))
    after = metrics(counts_LAA.sum(axis=-2))
    compared = {
        name: {
            "baseline": float(before[name]),
            "model": float(after[name]),
            "difference": gains[name].value,
            "ci": list(gains[name].interval or ()),
            "p": gains[name].p,
            "at_floor": list(gains[name].at_floor),
        }
        for name in REPORTED
    }
    correct(list(compared.values()))
    test, shift = paired_tests.mcnemar(counts_LAA), paired_tests.stuart_maxwell(counts_LAA)
    ratio = test.odds_ratio(confidence)
    return {
        "n": len(pairs.gold),
        "metrics": compared,
        "mcnemar": {
            **asdict(test),
            "odds_ratio": ratio.value if ratio else None,
            "odds_ratio_ci": list(ratio.interval or ()) if ratio else None,
        },
        "stuart_maxwell": asdict(shift),
        "invalid": dict(zip(("baseline", "model"), pairs.invalid, strict=True)),
        "dropped": pairs.dropped,
        "unpaired": dict(zip(("baseline", "model"), pairs.unpaired, strict=True)),
    }


def as_text(result: dict[str, Any]) -> str:
    """A comparison as a table for a terminal."""
    lines = [
        f"{result['n']} pairs; {result['dropped']} dropped; invalid answers: "
        f"{result['invalid']['baseline']} of the baseline, {result['invalid']['model']} of the "
        f"model; unpaired: {result['unpaired']['baseline']} and {result['unpaired']['model']}",
        f"{'metric':<10}{'baseline':>9}{'model':>9}{'change':>9}  "
        f"{'interval':<19}{'p':>11}{'Holm':>11}",
    ]
    for name, row in result["metrics"].items():
        low, high = row["ci"]
        lines.append(
            f"{name:<10}{row['baseline']:>9.4f}{row['model']:>9.4f}{row['difference']:>+9.4f}  "
            f"{f'[{low:+.4f}, {high:+.4f}]':<19}"
            + "".join(f"{in_terminal(p_cell(row, name)):>11}" for name in ("p", "p_holm"))
        )
    test, shift = result["mcnemar"], result["stuart_maxwell"]
    lines += [
        f"McNemar: {test['fixed']} fixed, {test['broken']} broken, "
        f"{in_terminal(probability(test['p']))} (mid-p: {in_terminal(probability(test['mid_p']))})",
        f"Odds ratio, fixed to broken: {_ratio(test)}",
        f"Shares of answers (Stuart-Maxwell): chi2({shift['df']}) = {shift['statistic']:.2f}, "
        f"{in_terminal(probability(shift['p']))}",
    ]
    return "\n".join(lines)


def _ratio(test: dict[str, Any]) -> str:
    if test["odds_ratio"] is None:
        return "not defined, as nothing was broken"
    low, high = test["odds_ratio_ci"]
    return f"{test['odds_ratio']:.3g} [{low:.3g}, {high:.3g}]"
