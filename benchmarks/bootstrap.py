"""Speed of the bootstrap of tables, against resampling examples with scikit-learn's metrics.

    python benchmarks/bootstrap.py [--json] [--slow-resamples 200]

Both draw 10,000 resamples (stratified by gold label) of 1,000 examples that two systems answered,
and compute 95 % percentile intervals of the difference of six metrics. Resampling examples and
calling scikit-learn takes minutes. So its time is measured on fewer resamples and scaled. Its
endpoints need all 10,000 resamples; they come from numpy on the same resampled examples, and the
metrics are checked against scikit-learn's on some of them.

The endpoints of two bootstraps with B resamples differ by chance: a quantile at level q has
standard error sqrt(q (1 - q) / B) / f, where f is the density of the resampled values there. The
reported error is the largest difference of an endpoint, in standard errors of that difference.
"""

import argparse
import json
import time

import numpy as np
import sklearn
from sklearn.metrics import accuracy_score, f1_score, recall_score

from factmix.stats.bootstrap import bootstrap_gains
from factmix.stats.metrics import contingency
from factmix.study.labels import ANSWERS, LABELS
from origin import origin

REPORTED = ("accuracy", "macro_f1", "f1_pass", "f1_fail", "f1_na", "recall_na")
GOLD = np.repeat([0, 1, 2], [500, 250, 250])
RESAMPLES = 10_000
CONFIDENCE = 0.95


def answers(rng: np.random.Generator, right: float) -> np.ndarray:
    """Answers to `GOLD`: this share is correct, the others are random."""
    guess = rng.integers(len(ANSWERS), size=len(GOLD))
    return np.where(rng.random(len(GOLD)) < right, GOLD, guess)


def draw(rng: np.random.Generator) -> np.ndarray:
    """Indices of one resample of examples, stratified by gold label."""
    strata = [np.flatnonzero(label == GOLD) for label in range(len(LABELS))]
    return np.concatenate([rng.choice(stratum, len(stratum)) for stratum in strata])


def with_scikit_learn(gold: np.ndarray, answer: np.ndarray) -> list[float]:
    """The six metrics, in the order of `REPORTED`."""
    na, pass_, fail = f1_score(gold, answer, labels=[0, 1, 2], average=None, zero_division=0)
    macro = f1_score(gold, answer, labels=[0, 1, 2], average="macro", zero_division=0)
    recall = recall_score(gold, answer, labels=[0], average=None, zero_division=0)[0]
    return [accuracy_score(gold, answer), macro, pass_, fail, na, recall]


def measure(slow_resamples: int) -> dict[str, float]:
    rng = np.random.default_rng(5)
    first, second = answers(rng, 0.4), answers(rng, 0.6)
    names = [str(label) for label in LABELS]
    spoken = [[ANSWERS[i] for i in given] for given in (first, second)]
    counts_LAA = contingency([names[i] for i in GOLD], *spoken)

    ours_seconds = []
    for _ in range(5):
        start = time.process_time()
        ours = bootstrap_gains(
            counts_LAA,
            resamples=RESAMPLES,
            confidence=CONFIDENCE,
            rng=np.random.default_rng(1),
        )
        ours_seconds.append(time.process_time() - start)

    start = time.process_time()
    reference = []
    for _ in range(slow_resamples):
        chosen = draw(rng)
        before = with_scikit_learn(GOLD[chosen], first[chosen])
        after = with_scikit_learn(GOLD[chosen], second[chosen])
        reference.append(np.subtract(after, before))
    theirs_seconds = (time.process_time() - start) * RESAMPLES / slow_resamples

    rng = np.random.default_rng(6)
    drawn = np.array([of_examples(draw(rng), first, second) for _ in range(RESAMPLES)])
    mismatch = 0.0
    rng = np.random.default_rng(6)
    for row in drawn[:20]:
        chosen = draw(rng)
        before = with_scikit_learn(GOLD[chosen], first[chosen])
        after = with_scikit_learn(GOLD[chosen], second[chosen])
        mismatch = max(mismatch, float(np.abs(row - np.subtract(after, before)).max()))

    errors, points = [], []
    for i, name in enumerate(REPORTED):
        limits = ours[name].interval
        assert limits is not None
        for level, limit in zip((0.025, 0.975), limits, strict=True):
            theirs = float(np.quantile(drawn[:, i], level))
            points.append(abs(limit - theirs))
            errors.append(abs(limit - theirs) / standard_error(drawn[:, i], level))
    return {
        "ratio": theirs_seconds / min(ours_seconds),
        "endpoint_error": max(errors),
        "endpoint_difference": max(points),
        "ours_seconds": min(ours_seconds),
        "scikit_learn_seconds": theirs_seconds,
        "scikit_learn_resamples_timed": slow_resamples,
        "metric_mismatch": mismatch,
        "resamples": RESAMPLES,
        "examples": len(GOLD),
    }


def of_examples(chosen: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Differences of the six metrics on resampled examples, computed without contingency tables."""
    gold = GOLD[chosen]
    values = []
    for answer in (first[chosen], second[chosen]):
        right = answer == gold
        hits = np.bincount(gold[right], minlength=3)
        f1 = 2 * hits / (np.bincount(gold, minlength=3) + np.bincount(answer, minlength=4)[:3])
        values.append([right.mean(), f1.mean(), f1[1], f1[2], f1[0], hits[0] / (gold == 0).sum()])
    return np.subtract(values[1], values[0])


def standard_error(values: np.ndarray, level: float) -> float:
    """The standard error of the difference of two quantile estimates, from B values each."""
    near = 0.01
    below, above = np.quantile(values, [max(level - near, 0), min(level + near, 1)])
    density = 2 * near / (above - below)
    return float(np.sqrt(2 * level * (1 - level) / len(values)) / density)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--slow-resamples", type=int, default=200)
    given = parser.parse_args()
    measured = measure(given.slow_resamples)
    if given.json:
        versions = {"numpy": np.__version__, "scikit_learn": sklearn.__version__}
        print(json.dumps(origin() | versions | measured, indent=2))
    else:
        for name, value in measured.items():
            print(f"{name:<30}{value:.4g}")


if __name__ == "__main__":
    main()
