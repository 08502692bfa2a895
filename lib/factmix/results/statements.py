"""The statements of the plan (book/plan.md) as contrasts, tested over seeds and claims.

They are about arms that differ in nothing but their mixture. Every answer is the label of highest
probability, so that the format of answers plays no part. A *change* is over the base model in
balanced accuracy; *learning* is what is left of it without moved thresholds
(`factmix.stats.shift`).

Axis suffixes: S seed, N example.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from factmix.results.answers import Answers, CompareError
from factmix.results.results_json import correct, established, leaf, result_key
from factmix.stats.metrics import Floats, indices_in
from factmix.stats.seeds import FEWEST, CrossedContrast, Part, crossed_contrast
from factmix.stats.shift import shifted_answers
from factmix.study.labels import LABELS, Label
from factmix.study.paths import Paths
from factmix.study.run import Run
from factmix.study.spec import Study

# Mixtures, by their names in the plan.
DIVERSE, EASY, HARD = "balanced", "easy_only", "hard_only"
DECIDING = "accuracy"  # the reward that decides about the statements
REPLICATION = "published"  # the other one, for which the mechanism is derived
POWER = 0.8  # with which the smallest detectable effect would be found
PER = 1000  # prompts, of a slope
MEASURES = ("learning", "change")  # of `Claims.differences`

# What each statement rests on: the first quantity, in this measure.
MEASURE = {
    "diversity": "learning",
    "dose": "slope",
    "transfer": "learning",
    "robustness": "change",
    "mechanism": "recall_na",
}
KEYS: dict[str, str] = {  # of results.json
    "statements.<reward>.<statement>.<quantity>.<measure>.crossed": "mean over seeds, with the "
    "interval and the test for other seeds and other examples; p is corrected over the quantities "
    "of a statement in one measure",
    "statements.<reward>.<statement>.<quantity>.<measure>.grouped": "the same for other seeds and "
    "other groups of examples",
    "statements.<reward>.<statement>.<quantity>.<measure>.detectable": "the smallest effect that "
    f"would be established with a probability of {POWER}",
}

Quantities = dict[tuple[str, str], list[Part]]  # quantity and measure -> what it is the sum of


@dataclass(frozen=True)
class Claims:
    """Of one dataset.

    Attributes:
        gold, groups: of each example.
        kinds: of each example; empty where the dataset does not say.
        differences: measure and mixture -> (S, N): right after training, minus right before it
            (change) or minus right with moved thresholds (learning).
    """

    gold: list[str]
    groups: list[str]
    kinds: list[str]
    differences: Mapping[tuple[str, str], Floats]

    def part(self, contrast_SN: Floats) -> Part:
        return Part(self.gold, self.groups, contrast_SN)


@dataclass(frozen=True)
class _Steps:
    """Answers of one dataset during training, from the evaluation examples that are answered then.

    Attributes:
        gold, groups: of each example.
        prompts: mixture -> how many prompts of the dataset training had had at each step.
        right: mixture -> whether each answer is right, as 0 or 1, shape (steps, S, N).
    """

    gold: list[str]
    groups: list[str]
    prompts: Mapping[str, list[float]]
    right: Mapping[str, Floats]


def statements(
    study: Study, paths: Paths, by_seed: Sequence[Mapping[str, Mapping[str, Answers]]]
) -> dict[str, Any]:
    """The section `statements` of results.json.

    Args:
        study: with several seeds.
        paths: its run.
        by_seed: for each seed what `read_answers` returns.
    """
    found: dict[str, Any] = {}
    if min(study.evaluation.trajectory_counts.values()) < FEWEST:
        return found
    for reward, runs in families(study).items():
        claims = {name: claims_of(runs, by_seed, name) for name in study.datasets}
        steps = {name: _steps(study, paths, runs, name) for name in study.datasets}
        made = {
            "diversity": _diversity(study, runs, claims),
            "dose": _dose(study, runs, steps),
            "transfer": _transfer(study, runs, claims),
            "robustness": _robustness(study, runs, claims),
            "mechanism": _mechanism(study, runs, steps) if reward == REPLICATION else {},
        }
        section = {name: tested(study, each) for name, each in made.items() if each}
        if section:
            found[result_key(reward)] = section
    return found


def families(study: Study) -> dict[str, dict[str, Run]]:
    """Reward -> mixture -> the run of the first seed, of arms that differ in these two alone."""
    found: dict[str, dict[str, Run]] = {}
    for run in study.runs():
        plain = {key for key, value in study.arms[run.arm].model_dump().items() if value}
        if plain == {"mixture", "reward"} and run.arm != run.baseline:
            found.setdefault(study.arms[run.arm].reward, {})[run.mixture] = run
    return {reward: runs for reward, runs in found.items() if len(runs) > 1}


def verdict(statement: str, found: Mapping[str, Any], alpha: float, test: str = "crossed") -> str:
    """What the plan calls the outcome of a statement under one reward.

    Args:
        statement: a key of `MEASURE`.
        found: its part of results.json.
        alpha: of a test, corrected.
        test: "crossed", or "grouped" for the test with groups of examples.

    Returns:
        "supported", "contradicted" or "undecided".
    """
    leaves = {name: quantity[MEASURE[statement]][test] for name, quantity in found.items()}
    signs = {
        name: int(np.sign(each["value"])) * established(each, alpha)
        for name, each in leaves.items()
    }
    if statement == "mechanism":
        return "contradicted" if any(signs.values()) else "undecided"
    if statement == "transfer":
        over, alone = signs[f"{DIVERSE}_over_{HARD}"] > 0, signs[HARD] > 0
        if over == alone:
            return "undecided"
        return "supported" if over else "contradicted"
    first = next(iter(signs.values()))
    return {1: "supported", -1: "contradicted", 0: "undecided"}[first]


def _right(gold: Sequence[str], answers: Sequence[str]) -> Floats:
    return np.array([right == answer for right, answer in zip(gold, answers, strict=True)], float)


def claims_of(
    runs: Mapping[str, Run], by_seed: Sequence[Mapping[str, Mapping[str, Answers]]], dataset: str
) -> Claims:
    """What runs that differ in their mixture, from `families`, do on a dataset."""
    base = by_seed[0]["base"][dataset]
    gold_N = indices_in(LABELS, base.gold, "gold label")
    values: dict[tuple[str, str], Floats] = {}
    for mixture, run in runs.items():
        changes, learned = [], []
        for systems in by_seed:
            given = systems[run.arm][dataset]
            assert base.probabilities is not None and given.probabilities is not None
            answers = shifted_answers(base.probabilities, given.probabilities)[1]
            right = {name: each[np.arange(len(gold_N)), gold_N] for name, each in answers.items()}
            changes.append(right["after"] - right["before"])
            learned.append(right["after"] - right["shifted"])
        values["change", mixture] = np.stack(changes)
        values["learning", mixture] = np.stack(learned)
    return Claims(base.gold, base.groups, base.kinds or [""] * len(base.gold), values)


def _steps(study: Study, paths: Paths, runs: Mapping[str, Run], dataset: str) -> _Steps:
    right: dict[str, Floats] = {}
    prompts: dict[str, list[float]] = {}
    answered: pd.DataFrame | None = None
    for mixture, run in runs.items():
        of_seeds = []
        for seed in study.seeds:
            file = paths.run(study.run(run.arm, seed)) / "trajectory.parquet"
            frame = pd.read_parquet(file)
            again = f"train it again with: factmix train {study.name} {run.arm} --seed {seed}"
            if "most_probable" not in frame:
                raise CompareError(f"{file} is of older code, without most_probable; {again}")
            frame = frame[frame["dataset"] == dataset].sort_values(["step", "id"])
            right_N = _right(frame["gold"].tolist(), frame["most_probable"].tolist())
            frame = frame.assign(right=right_N)
            steps = sorted(frame["step"].unique().tolist())
            first = frame.loc[frame["step"] == steps[0], ["id", "gold", "group"]]
            answered = first.reset_index(drop=True) if answered is None else answered
            if frame["id"].tolist() != answered["id"].tolist() * len(steps):
                raise CompareError(f"{file} answers other examples than other runs; {again}")
            of_seeds.append(frame["right"].to_numpy().reshape(len(steps), -1))
        sizes = {name: sum(counts.values()) for name, counts in run.training_sample.counts.items()}
        share = sizes.get(dataset, 0) / sum(sizes.values())
        prompts[mixture] = [share * step * run.training.prompts_per_step for step in steps]
        right[mixture] = np.stack(of_seeds, axis=1)
    assert answered is not None
    return _Steps(answered["gold"].tolist(), answered["group"].tolist(), prompts, right)


def _diversity(study: Study, runs: Mapping[str, Run], claims: Mapping[str, Claims]) -> Quantities:
    """Learning on held-out datasets: the diverse mixture minus the mean of the two narrow ones."""
    away = [name for name, dataset in study.datasets.items() if dataset.held_out]
    if not ({DIVERSE, EASY, HARD} <= set(runs) and away):
        return {}
    made: Quantities = {}
    for name in away:
        for measure in ("learning", "change"):
            values = [claims[name].differences[measure, each] for each in (DIVERSE, EASY, HARD)]
            contrast = values[0] - (values[1] + values[2]) / 2
            made[result_key(name), measure] = [claims[name].part(contrast)]
    for mixture in (EASY, HARD):
        for name in (each for each in study.datasets if each not in study.mixtures[mixture]):
            for measure in ("learning", "change"):
                values_SN = claims[name].differences[measure, mixture]
                made[result_key(f"{mixture}_on_{name}"), measure] = [claims[name].part(values_SN)]
    return made


def _dose(study: Study, runs: Mapping[str, Run], steps: Mapping[str, _Steps]) -> Quantities:
    """Change of right answers by prompts of a dataset: a slope through the origin, of all runs."""
    slopes = {}
    for name, dataset in study.datasets.items():
        mixtures = [each for each in runs if name in study.mixtures[each]]
        if not dataset.held_out and mixtures and _from_the_start(steps[name], mixtures):
            of = steps[name]
            slopes[name] = Part(of.gold, of.groups, _slope(of, mixtures))
    hard = [name for name in slopes if study.datasets[name].hard]
    easy = [name for name in slopes if not study.datasets[name].hard]
    if not (hard and easy):
        return {}
    both = [(1 / len(easy), easy), (-1 / len(hard), hard)]
    parts = [
        replace(slopes[name], contributions=weight * slopes[name].contributions)
        for weight, names in both
        for name in names
    ]
    each = {(result_key(name), "slope"): [part] for name, part in slopes.items()}
    return {("easy_minus_hard", "slope"): parts, **each}


def _from_the_start(steps: _Steps, mixtures: Sequence[str]) -> bool:
    return all(steps.prompts[each][0] == 0 and len(steps.prompts[each]) > 1 for each in mixtures)


def _slope(steps: _Steps, mixtures: Sequence[str]) -> Floats:
    """(S, N): of the right answers' change since step 0 on thousands of prompts, least squares."""
    over, under = np.zeros(()), 0.0
    for mixture in mixtures:
        right = steps.right[mixture]
        for place, prompts in enumerate(steps.prompts[mixture]):
            x = prompts / PER
            over, under = over + x * (right[place] - right[0]), under + x * x
    return np.asarray(over / under)


def _transfer(study: Study, runs: Mapping[str, Run], claims: Mapping[str, Claims]) -> Quantities:
    """On the easy datasets: the diverse mixture minus the hard one, and the hard one itself."""
    easy = [n for n, each in study.datasets.items() if not each.hard and not each.held_out]
    if not ({DIVERSE, HARD} <= set(runs) and easy):
        return {}
    made: Quantities = {}
    for measure in ("learning", "change"):
        over, alone = [], []
        for name in easy:
            hard_SN = claims[name].differences[measure, HARD] / len(easy)
            diverse_SN = claims[name].differences[measure, DIVERSE] / len(easy)
            over.append(claims[name].part(diverse_SN - hard_SN))
            alone.append(claims[name].part(hard_SN))
        made[f"{DIVERSE}_over_{HARD}", measure] = over
        made[HARD, measure] = alone
    return made


def _robustness(study: Study, runs: Mapping[str, Run], claims: Mapping[str, Claims]) -> Quantities:
    """Where each improves least: the diverse mixture minus the better of the narrow ones."""
    half = halves(claims, study.statistics.seed)
    if half is None or not {DIVERSE, EASY, HARD} <= set(runs):
        return {}
    return {
        ("least_improved", measure): least_improved(
            claims, half, measure, [DIVERSE], [EASY, HARD]
        ).parts
        for measure in ("change", "learning")
    }


def halves(claims: Mapping[str, Claims], seed: int) -> dict[str, npt.NDArray[np.bool_]] | None:
    """Of each dataset, whether an example is in the first half of the groups; shapes (N,).

    Nothing where a half has too few examples of a label.

    Args:
        claims: of all datasets.
        seed: draws the halves.
    """
    rng = np.random.default_rng(seed)
    half = {}
    for name, each in claims.items():
        groups = sorted(set(each.groups))
        first = set(rng.permutation(groups)[: len(groups) // 2].tolist())
        half[name] = np.array([group in first for group in each.groups])
        gold_N = np.asarray(each.gold, dtype=str)
        if (
            min((gold_N[half[name] == s] == g).sum() for s in (True, False) for g in LABELS)
            < FEWEST
        ):
            return None
    return half


@dataclass(frozen=True)
class LeastImproved:
    """Where mixtures improve least, compared.

    Attributes:
        parts: of the contrast.
        chosen: for each half that was chosen on, the dataset of the one side and of the other.
    """

    parts: list[Part]
    chosen: list[tuple[str, str]]


def least_improved(
    claims: Mapping[str, Claims],
    half: Mapping[str, npt.NDArray[np.bool_]],
    measure: str,
    ones: Sequence[str],
    others: Sequence[str],
) -> LeastImproved:
    """Where each improves least: the best of some mixtures, minus the best of others.

    The best mixture, and the dataset that it improves least, are chosen on one half of the groups
    and compared on the other, in both directions. So luck with claims in choosing is not rewarded.
    The seeds are the same on both halves, and of learning so are the moved thresholds.

    Args:
        claims: of all datasets.
        half: of `halves`.
        measure: "change" or "learning".
        ones, others: mixtures.
    """

    def mean(mixture: str, name: str, chosen_N: npt.NDArray[np.bool_]) -> float:
        gold_N = np.asarray(claims[name].gold, dtype=str)
        values_N = claims[name].differences[measure, mixture].mean(axis=0)
        of_labels = [values_N[chosen_N & (gold_N == label)].mean() for label in set(gold_N)]
        return float(np.mean(of_labels))

    parts, chosen = [], []
    for side in (True, False):
        value = {
            mixture: {name: mean(mixture, name, half[name] == side) for name in claims}
            for mixture in (*ones, *others)
        }
        compared: dict[str, list[Floats]] = {}
        least = []
        for sign, mixtures in ((0.5, ones), (-0.5, others)):
            best = max(mixtures, key=lambda mixture: min(value[mixture].values()))
            name = min(value[best], key=value[best].__getitem__)
            values_SN = sign * claims[name].differences[measure, best]
            compared.setdefault(name, []).append(values_SN[:, half[name] != side])
            least.append(name)
        chosen.append((least[0], least[1]))
        for name, contributions in compared.items():
            gold, groups = (
                np.asarray(of, dtype=str)[half[name] != side].tolist()
                for of in (claims[name].gold, claims[name].groups)
            )
            parts.append(Part(gold, groups, np.sum(contributions, axis=0)))
    return LeastImproved(parts, chosen)


def _mechanism(study: Study, runs: Mapping[str, Run], steps: Mapping[str, _Steps]) -> Quantities:
    """Recall of NA of two mixtures after as many prompts of a dataset, the most that both had."""
    made: Quantities = {}
    for name, each in steps.items():
        mixtures = [mixture for mixture in runs if name in study.mixtures[mixture]]
        na_N = np.asarray(each.gold, dtype=str) == Label.NA
        for first, second in combinations(mixtures, 2):
            common = min(each.prompts[first][-1], each.prompts[second][-1])
            contrast = _at(each, second, common) - _at(each, first, common)
            key = result_key(f"{second}_over_{first}_on_{name}")
            groups = np.asarray(each.groups, dtype=str)[na_N].tolist()
            made[key, "recall_na"] = [Part([Label.NA] * len(groups), groups, contrast[:, na_N])]
    return made


def _at(steps: _Steps, mixture: str, prompts: float) -> Floats:
    """(S, N): right answers after so many prompts, by the parabola through three steps near it.

    A straight line would be above a falling curve that flattens, and more so where steps are wide.
    """
    seen = np.asarray(steps.prompts[mixture])
    near = np.sort(np.argsort(np.abs(seen - prompts), kind="stable")[:3])
    weights = [
        np.prod([(prompts - seen[j]) / (seen[i] - seen[j]) for j in near if j != i]) for i in near
    ]
    return np.asarray(np.tensordot(weights, steps.right[mixture][near], axes=1))


def untested(study: Study, part: Part) -> dict[str, Any]:
    """A leaf with the interval for other seeds and other examples, and without a test."""
    found = crossed_contrast([part], confidence=study.statistics.confidence)
    shown: dict[str, Any] = leaf(found.crossed, "points", len(study.seeds), "several arms")
    shown.pop("p", None)
    return shown


def tested(study: Study, quantities: Quantities) -> dict[str, Any]:
    """Leaves of the quantities of a statement, with p corrected over those of one measure."""
    alpha, seeds, run = study.statistics.alpha, len(study.seeds), "several arms"
    contrasts: dict[tuple[str, str], CrossedContrast] = {
        key: crossed_contrast(parts, confidence=study.statistics.confidence)
        for key, parts in quantities.items()
    }
    made: dict[str, Any] = {}
    together: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for (name, measure), contrast in contrasts.items():
        tests = {
            "crossed": leaf(contrast.crossed, "points", seeds, run) | {"by_seed": contrast.by_seed},
            "grouped": leaf(contrast.grouped, "points", seeds, run),
        }
        for test, tested in tests.items():
            if "p" in tested:
                together.setdefault((measure, test), []).append(tested)
        made.setdefault(name, {})[measure] = tests
    for (name, measure), contrast in contrasts.items():
        of_family = max(1, len(together.get((measure, "crossed"), ())))
        smallest = contrast.detectable(alpha / of_family, POWER)
        made[name][measure]["detectable"] = leaf(smallest, "points", seeds, run)
    for family in together.values():
        correct(family)
    return made
