"""Every number that the blog prints, recomputed from the counts that `released` derived.

The counts are committed in results/published/, so nothing is downloaded.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from factmix.published.released import (
    CONTROL,
    DATASETS,
    MIXTURES,
    PRINTED,
    SYSTEMS,
    PublishedError,
    derive,
    read_printed,
)
from factmix.results.numbers import in_terminal, p_cell
from factmix.results.results_json import correct
from factmix.stats import paired_tests
from factmix.stats.bootstrap import Estimate, bootstrap_gains, bootstrap_metrics
from factmix.stats.metrics import Counts, examples_of, metrics
from factmix.study.files import write_json
from factmix.study.labels import ANSWERS, LABELS, Label
from factmix.study.paths import ROOT, folder_in

FROZEN = ROOT / "results" / "published"


def freeze(into: Path = FROZEN) -> Path:
    """Writes derived.json, derived from the released files; downloads those that are missing.

    The gains that the blog prints are read from the table in FACTMIX_MIRROR. Without that table,
    the former ones are kept.

    Raises:
        SourceError: a file cannot be fetched, or has another checksum.
    """
    from factmix.data.fetch import fetch

    mirror = folder_in("FACTMIX_MIRROR")
    table = mirror / "published" / "blog_gains.csv" if mirror else None
    if table and table.is_file():
        printed = read_printed(table)
    else:
        printed = load()["printed"]
        print("no table of the gains that the blog prints; kept the former ones", file=sys.stderr)
    write_json(into / "derived.json", derive(fetch, printed))
    return into / "derived.json"


def load(folder: Path = FROZEN) -> dict[str, Any]:
    """The result of `released.derive`, from the committed file."""
    path = folder / "derived.json"
    if not path.is_file():
        raise PublishedError(f"{path} does not exist; make it with: factmix published --freeze")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def counts_of(derived: dict[str, Any], first: str, second: str, dataset: str) -> Counts:
    """Counts gold x first answer x second answer of two systems, in either order."""
    known = derived["pairs"].get(f"{first}/{second}")
    if known is not None:
        return np.array(known[dataset])
    return np.array(derived["pairs"][f"{second}/{first}"][dataset]).transpose(0, 2, 1)


def confusion(derived: dict[str, Any], system: str, dataset: str) -> Counts:
    """Counts gold x answer of one system."""
    other = MIXTURES[0] if system == CONTROL else CONTROL
    confusion_LA: Counts = counts_of(derived, system, other, dataset).sum(axis=-1)
    return confusion_LA


def drop_invalid(counts_LAA: Counts) -> Counts:
    """The pairs in which both answers are valid; the published study counted only these."""
    kept = counts_LAA.copy()
    invalid = ANSWERS.index("INVALID")
    kept[:, invalid, :] = 0
    kept[:, :, invalid] = 0
    return kept


def gains_table(
    derived: dict[str, Any], *, resamples: int = 10_000, confidence: float = 0.95, seed: int = 7
) -> pd.DataFrame:
    """The 36 gains that the blog prints, each beside the recomputed one.

    Returns:
        columns mixture, dataset, metric; printed; n (pairs of valid answers that the metric is of)
        and recomputed, from the pairs of valid answers; reproduces (equal to the printed
        precision); low and high (stratified percentile interval), plain_low and plain_high
        (resampled as in the study), bca_low and bca_high; p and p_holm (over the 36), and at_floor,
        which of the two are the smallest that the resamples allow; gain_wrong, wrong_low and
        wrong_high, with invalid answers counted as wrong. Fractions.
    """
    rows = []
    for mixture in MIXTURES:
        for dataset in DATASETS:
            counts_LAA = counts_of(derived, CONTROL, mixture, dataset)
            valid = drop_invalid(counts_LAA)
            settings: dict[str, Any] = {"resamples": resamples, "confidence": confidence}
            by: dict[str, dict[str, Estimate]] = {}
            for name, table, options in (
                ("", valid, {}),
                ("plain_", valid, {"stratified": False}),
                ("bca_", valid, {"interval": "bca"}),
                ("wrong_", counts_LAA, {}),
            ):
                rng = np.random.default_rng(seed)
                by[name] = bootstrap_gains(table, rng=rng, **settings, **options)
            of_how_many = examples_of(np.repeat(np.array(LABELS), valid.sum(axis=(1, 2))).tolist())
            for metric in PRINTED:
                printed = derived["printed"][mixture][dataset][metric]
                gain = by[""][metric]
                unit = 0.001 if metric == "accuracy" else 0.01
                row: dict[str, Any] = {
                    "mixture": mixture,
                    "dataset": dataset,
                    "metric": metric,
                    "n": of_how_many[metric],
                    "printed": printed,
                    "recomputed": gain.value,
                    "reproduces": abs(gain.value - printed) <= unit / 2 + 1e-9,
                    "p": gain.p,
                    "at_floor": list(gain.at_floor),
                    "gain_wrong": by["wrong_"][metric].value,
                }
                for name, estimates in by.items():
                    limits = estimates[metric].interval
                    assert limits is not None
                    row[f"{name}low"], row[f"{name}high"] = limits
                rows.append(row)
    correct(rows)
    return pd.DataFrame(rows)


def report(
    derived: dict[str, Any], *, resamples: int = 10_000, confidence: float = 0.95, seed: int = 7
) -> dict[str, Any]:
    """All results on the published study, as `factmix published --json` prints them.

    An invalid answer counts as wrong, except in `gains`, which drops it as the study did.

    Returns:
        gains (rows of `gains_table`); metrics: system -> dataset -> metric -> value and interval,
        with the constant answers; confusion: system -> dataset -> counts gold x answer; mcnemar:
        mixture -> dataset -> fixed, broken, p, mid_p, p_holm; curves; evidence.
    """
    gains = gains_table(derived, resamples=resamples, confidence=confidence, seed=seed)
    tables = {s: {d: confusion(derived, s, d) for d in DATASETS} for s in SYSTEMS}
    measured: dict[str, Any] = {
        system: {
            dataset: {
                name: {"value": estimate.value, "interval": estimate.interval}
                for name, estimate in bootstrap_metrics(
                    counts_LA,
                    resamples=resamples,
                    confidence=confidence,
                    rng=np.random.default_rng(seed),
                ).items()
            }
            for dataset, counts_LA in of_dataset.items()
        }
        for system, of_dataset in tables.items()
    }
    for label in (Label.NA, Label.PASS):
        measured[f"always_{label.lower()}"] = {
            dataset: {
                name: {"value": float(value)}
                for name, value in metrics(_constant(counts_LA, label)).items()
            }
            for dataset, counts_LA in tables[CONTROL].items()
        }
    tests = {
        (mixture, dataset): paired_tests.mcnemar(counts_of(derived, CONTROL, mixture, dataset))
        for mixture in MIXTURES
        for dataset in DATASETS
    }
    corrected = paired_tests.holm({pair: test.p for pair, test in tests.items()})
    return {
        "gains": gains.to_dict(orient="records"),
        "metrics": measured,
        "confusion": {
            system: {dataset: counts.tolist() for dataset, counts in of_dataset.items()}
            for system, of_dataset in tables.items()
        },
        "mcnemar": {
            mixture: {
                dataset: {
                    **asdict(tests[mixture, dataset]),
                    "p_holm": corrected[mixture, dataset],
                }
                for dataset in DATASETS
            }
            for mixture in MIXTURES
        },
        "curves": derived["curves"],
        "evidence": derived["evidence"],
    }


def as_text(gains: pd.DataFrame) -> str:
    """`gains_table` as text for a terminal."""
    lines = [
        f"{'mixture':<15}{'dataset':<14}{'metric':<11}{'pairs':>6}{'printed':>9}{'ours':>9}"
        f"  {'interval':<19}{'p':>11}{'Holm':>11}"
    ]
    rows: Any = gains.to_dict(orient="records")
    for row in rows:
        between = f"[{row['low']:+.4f}, {row['high']:+.4f}]"
        lines.append(
            f"{row['mixture']:<15}{DATASETS[row['dataset']]:<14}{row['metric']:<11}{row['n']:>6}"
            f"{row['printed']:>+9.3f}{row['recomputed']:>+9.4f}  {between:<19}"
            + "".join(f"{in_terminal(p_cell(row, name)):>11}" for name in ("p", "p_holm"))
            + ("" if row["reproduces"] else "  differs")
        )
    same = int(gains["reproduces"].sum())
    return "\n".join([*lines, f"{same} of {len(gains)} reproduce to the printed precision"])


def _constant(counts_LA: Counts, label: Label) -> Counts:
    """The counts of a system that always gives the same answer."""
    constant = np.zeros_like(counts_LA)
    constant[:, LABELS.index(label)] = counts_LA.sum(axis=1)
    return constant
