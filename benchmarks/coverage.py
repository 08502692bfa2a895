"""Coverage of 95 % intervals, and type I error rates of the tests.

    python benchmarks/coverage.py [--data-sets 2000] [--resamples 1000] [--json FILE]

Data sets of 1,000 examples are drawn from a known population in which two systems differ. An
interval covers if it contains the population's difference of accuracy, or of macro F1. For the
tests, both systems are equally good; for non-inferiority, the second is worse by exactly the
margin. So every rejection is a type I error.

stratified  500/250/250 examples by gold label, like the evaluation sets
plain       gold labels are drawn, too
clustered   200 groups of five examples; examples of a group are correlated in both systems
crossed     five seeds of each system answer the same examples; what another seed and what another
            example would change are apart (`factmix.stats.seeds`). Ten times as many data sets, as
            Holm's correction asks for small levels

A share from D data sets has standard error sqrt(p (1 - p) / D): 0.5 % at 95 % with 2,000.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from factmix.stats import paired_tests
from factmix.stats.bootstrap import bootstrap_gains, cluster_gains
from factmix.stats.metrics import gains
from factmix.stats.seeds import Part, crossed_contrast
from factmix.study.labels import ANSWERS, LABELS
from origin import origin

GOLD = np.array([500, 250, 250])
GROUPS, GROUP_SIZE = 200, 5
METRICS = ("accuracy", "macro_f1")
ALPHAS = (0.01, 0.05)
SEEDS = 5
SMALL_ALPHAS = (0.001, 0.01, 0.05)
OF_SEEDS = (0.0, 0.05, 0.2, 1.0)  # standard deviation of a seed's score; that of an example is 0.6
MARGIN = 0.05


def population(right_first: float, right_second: float) -> np.ndarray:
    """Probability of each pair of answers given the gold label, shape (L, A, A), dependent."""
    shape = (len(LABELS), len(ANSWERS), len(ANSWERS))
    tables = np.zeros(shape)
    for gold in range(len(LABELS)):
        marginals = []
        for right in (right_first, right_second):
            answer = np.full(len(ANSWERS), (1 - right) / (len(ANSWERS) - 1))
            answer[gold] = right
            marginals.append(answer)
        apart = np.outer(*marginals)
        together = np.diag(np.minimum(*marginals))
        rest = [m - np.diag(together) for m in marginals]
        left = 1 - together.sum()
        if left > 0:
            together = together + np.outer(*rest) / left
        tables[gold] = 0.5 * apart + 0.5 * together
    return tables


def truth(tables_LAA: np.ndarray) -> dict[str, float]:
    """The population's differences, which the intervals should contain."""
    expected = tables_LAA * GOLD[:, None, None]
    return {name: float(gains(expected)[name]) for name in METRICS}


def draw(kind: str, tables_LAA: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A data set: counts (L, A, A), or for "clustered" counts of each group (G, L, A, A)."""
    if kind == "stratified":
        rows = [rng.multinomial(n, t.ravel()) for n, t in zip(GOLD, tables_LAA, strict=True)]
        return np.stack(rows).reshape(tables_LAA.shape)
    flat = (tables_LAA * (GOLD / GOLD.sum())[:, None, None]).ravel()
    if kind == "plain":
        return rng.multinomial(GOLD.sum(), flat).reshape(tables_LAA.shape)
    # With probability 1/2 an example is the same as the first of its group.
    cells = rng.choice(len(flat), size=(GROUPS, GROUP_SIZE), p=flat)
    cells = np.where(rng.random(cells.shape) < 0.5, cells[:, :1], cells)
    counts = np.zeros((GROUPS, len(flat)), dtype=np.int64)
    np.add.at(counts, (np.arange(GROUPS)[:, None], cells), 1)
    return counts.reshape(GROUPS, *tables_LAA.shape)


def coverage(data_sets: int, resamples: int, seed: int = 0) -> dict[str, Any]:
    """Coverage of the intervals: kind -> metric -> share."""
    tables_LAA = population(0.5, 0.6)
    expected = truth(tables_LAA)
    rng = np.random.default_rng(seed)
    settings: dict[str, Any] = {"resamples": resamples, "confidence": 0.95, "rng": rng}
    shares: dict[str, Any] = {}
    kinds: dict[str, Any] = {
        "stratified": ("stratified", lambda c: bootstrap_gains(c, **settings)),
        "stratified_bca": (
            "stratified",
            lambda c: bootstrap_gains(c, interval="bca", **settings),
        ),
        "plain": ("plain", lambda c: bootstrap_gains(c, stratified=False, **settings)),
        "clustered": ("clustered", lambda c: cluster_gains(c, **settings)),
        "clustered_ignored": (
            "clustered",
            lambda c: bootstrap_gains(c.sum(axis=0), stratified=False, **settings),
        ),
    }
    for name, (kind, interval) in kinds.items():
        held = dict.fromkeys(METRICS, 0)
        for _ in range(data_sets):
            gains = interval(draw(kind, tables_LAA, rng))
            for metric in METRICS:
                low, high = gains[metric].interval
                held[metric] += low <= expected[metric] <= high
        shares[name] = {metric: count / data_sets for metric, count in held.items()}
    return shares


def type_one(data_sets: int, resamples: int, seed: int = 1) -> dict[str, Any]:
    """Type I error rates: test -> level -> share."""
    tables_LAA = population(0.5, 0.5)
    worse_LAA = population(0.5, 0.5 - MARGIN)
    rng = np.random.default_rng(seed)
    p: dict[str, list[float]] = {name: [] for name in ("bootstrap", "mcnemar", "mid_p", "shift")}
    p["bootstrap_clustered"], p["noninferiority"] = [], []
    for _ in range(data_sets):
        counts_LAA = draw("stratified", tables_LAA, rng)
        settings: dict[str, Any] = {"resamples": resamples, "confidence": 0.95, "rng": rng}
        test = paired_tests.mcnemar(counts_LAA)
        p["bootstrap"].append(bootstrap_gains(counts_LAA, **settings)["accuracy"].p or 0.0)
        p["mcnemar"].append(test.p)
        p["mid_p"].append(test.mid_p)
        p["shift"].append(paired_tests.stuart_maxwell(counts_LAA).p)
        groups = draw("clustered", tables_LAA, rng)
        p["bootstrap_clustered"].append(cluster_gains(groups, **settings)["accuracy"].p or 0.0)
        worse = draw("stratified", worse_LAA, rng)
        against = bootstrap_gains(worse, margin=MARGIN, **settings)["accuracy"]
        p["noninferiority"].append(against.p_noninferior or 0.0)
    return {
        name: {str(alpha): float(np.mean(np.array(found) < alpha)) for alpha in ALPHAS}
        for name, found in p.items()
    }


def crossed(data_sets: int, seed: int = 2) -> list[dict[str, Any]]:
    """Type I error rates of the test over seeds and examples.

    Returns:
        for each of `OF_SEEDS`: share_of_seeds, of the variance of the mean difference, in the mean
        over data sets; and type_one, level -> share.
    """
    rng = np.random.default_rng(seed)
    gold = np.repeat([str(label) for label in LABELS], GOLD).tolist()
    groups = [str(i) for i in range(len(gold))]
    made = []
    for of_seeds in OF_SEEDS:
        p, shares = [], []
        for _ in range(data_sets):
            better_SN = rng.normal(0, of_seeds, (SEEDS, 1)) + rng.normal(0, 0.6, len(gold))
            first_SN, second_SN = (
                sign * better_SN + rng.normal(0, 1, (SEEDS, len(gold))) > 0 for sign in (-1, 1)
            )
            part = Part(gold, groups, second_SN.astype(float) - first_SN)
            contrast = crossed_contrast([part], confidence=0.95)
            p.append(contrast.crossed.p)
            (by_seed, _), (by_example, _) = contrast.variances
            shares.append(by_seed / (by_seed + by_example))
        rejected = {str(alpha): float(np.mean(np.array(p) < alpha)) for alpha in SMALL_ALPHAS}
        made.append({"share_of_seeds": float(np.mean(shares)), "type_one": rejected})
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-sets", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result here too")
    given = parser.parse_args()
    start = time.process_time()
    result = {
        **origin(),
        "numpy": np.__version__,
        "data_sets": given.data_sets,
        "resamples": given.resamples,
        "coverage": coverage(given.data_sets, given.resamples),
        "type_one": type_one(given.data_sets, given.resamples),
        "crossed": crossed(10 * given.data_sets),
        "seconds": round(time.process_time() - start, 1),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
