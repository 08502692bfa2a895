"""The published study and the benchmarks of the statistics: their numbers by key, and verdicts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from factmix.published import audit, claims, recomputed
from factmix.published.claim_evidence import ClaimsError, published_evidence, study_evidence
from factmix.published.claim_tests import Judgement
from factmix.published.claims import Ledger
from factmix.published.released import DATASETS, MIXTURES, SYSTEMS
from factmix.report.sources import BENCHMARKS, Results, SourceError, in_both_readings
from factmix.results.results_json import result_key
from factmix.study.labels import LABELS
from factmix.study.load import find_study
from factmix.study.settings import AccuracyReward, Reward, WeightedReward
from factmix.study.spec import Study

PATTERN = ("balanced", "hard_only")  # arms whose difference, first minus second, is the pattern
AS_PUBLISHED = "paper"  # the study of ours with the published settings


@dataclass(frozen=True)
class Published:
    """What is known of the published study.

    Attributes:
        derived: counts and curves, from results/published/.
        report: gains, metrics, tests; see `factmix.published.recomputed.report`.
        ledger: the claims of the blog.
        judged: "published" and "ours" -> claim -> verdict and its numbers. Ours is the committed
            study that the book is built from, whatever it says.
    """

    derived: dict[str, Any]
    report: dict[str, Any]
    ledger: Ledger
    judged: dict[str, dict[str, Judgement]]

    @cached_property
    def study(self) -> Study:
        return find_study(AS_PUBLISHED)

    @property
    def reward(self) -> WeightedReward:
        reward = self.study.rewards["published"]
        assert isinstance(reward, WeightedReward)
        return reward

    @property
    def rewards(self) -> dict[str, Reward]:
        """What is compared by the beliefs at which each label earns most, by its title."""
        readings = in_both_readings(self.reward).items()
        titled: dict[str, Reward] = {f"weights by {by} label": reward for by, reward in readings}
        return titled | {"plain accuracy": AccuracyReward(kind="accuracy")}

    @cached_property
    def decision_shares(self) -> dict[str, dict[str, float]]:
        """Title of a reward -> label -> share of beliefs for which it earns most."""
        return {name: audit.decision_shares(reward) for name, reward in self.rewards.items()}

    @property
    def accuracies(self) -> dict[str, dict[str, float]]:
        return audit.accuracies(self.derived)

    @property
    def implied_weights(self) -> dict[str, dict[str, float]]:
        """Mixture -> gold label -> the weight that its log was paid with."""
        wrong = self.reward.wrong
        return {name: audit.implied_weights(self.derived, name, wrong) for name in MIXTURES}

    @property
    def sizes(self) -> dict[str, dict[str, float]]:
        return audit.mixture_sizes(self.study)

    @cached_property
    def overlaps(self) -> dict[str, dict[str, dict[str, float]]]:
        """Mixture -> gold label -> Climate-FEVER's pool, and least and expected overlap."""
        return {
            mixture: audit.climate_overlap(
                self.derived, {str(label): n for label, n in self.drawn(mixture).items()}
            )
            for mixture in MIXTURES
        }

    def drawn(self, mixture: str) -> Mapping[Any, int]:
        """Claims that a mixture takes from Climate-FEVER, by label."""
        return self.study.mixtures[mixture]["climate_fever"]

    @cached_property
    def numbers(self) -> dict[str, Any]:
        """Leaves as results.json has them, for the role {published}."""
        return _recomputed(self) | _audited(self)

    @property
    def verdicts(self) -> dict[str, Any]:
        """Claim -> "published" and "ours" -> verdict, for the role {claim}."""
        return {
            name: {by: found[name].verdict for by, found in self.judged.items()}
            for name in self.ledger.claims
        }


def read(committed: Results) -> Published:
    """The committed counts of the published study, judged beside our committed results."""
    derived = recomputed.load()
    ledger = claims.load_ledger()
    try:
        ours = study_evidence(committed.study, committed.paths)
    except ClaimsError as error:
        raise SourceError(str(error)) from error
    return Published(
        derived=derived,
        report=recomputed.report(derived),
        ledger=ledger,
        judged={
            "published": claims.judge_all(ledger, published_evidence(derived)),
            "ours": claims.judge_all(ledger, ours),
        },
    )


def in_unit(unit: str, tree: Any) -> Any:
    """A number, or nested mappings of numbers, with every number as a leaf of this unit."""
    if isinstance(tree, Mapping):
        return {key: in_unit(unit, branch) for key, branch in tree.items()}
    return {"value": tree, "unit": unit}


def benchmarks(folder: Path = BENCHMARKS) -> dict[str, Any]:
    """What benchmarks/ measured, by the name of the file: for the role {benchmark}."""
    found = {
        name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("bootstrap", "coverage", "wiki")
    }
    speed, wiki, whole = found["bootstrap"], found["wiki"], found["wiki"]["full_size"]
    for measured, name, unit, value in (
        (speed, "times", "count", round(speed["ratio"], -2)),
        (speed, "standard_errors", "", f"{speed['endpoint_error']:.1f}"),
        (speed, "seconds_ours", "seconds", speed["ours_seconds"]),
        (speed, "seconds_scikit_learn", "seconds", speed["scikit_learn_seconds"]),
        (wiki, "build", "seconds", wiki["seconds"]),
        (wiki, "memory", "GiB", wiki["peak_memory_gib"]),
        (wiki, "search", "seconds", wiki["seconds_per_search"]),
        (whole, "build", "seconds", 60 * whole["minutes"]),
        (whole, "disk", "GB", whole["database_gb"]),
        (whole, "search", "seconds", whole["seconds_per_search"]),
    ):
        measured[name] = in_unit(unit, value)
    sets = found["coverage"]["data_sets"]
    found["coverage"]["standard_error"] = in_unit("fraction", (0.95 * 0.05 / sets) ** 0.5)
    return found


def _recomputed(study: Published) -> dict[str, Any]:
    gains: dict[str, Any] = {}
    rows = study.report["gains"]
    for row in rows:
        of = gains.setdefault(row["mixture"], {}).setdefault(row["dataset"], {})
        about = {"interval": [row["low"], row["high"]]}
        about |= {name: row[name] for name in ("p", "p_holm", "at_floor", "n")}
        of[row["metric"]] = in_unit("points", row["recomputed"]) | about
    same = sum(row["reproduces"] for row in rows)
    metrics = {
        system: {
            dataset: {name: found | {"unit": "fraction"} for name, found in of.items()}
            for dataset, of in datasets.items()
        }
        for system, datasets in study.report["metrics"].items()
    }
    reproduced = in_unit("count", {"same": same, "of": len(rows)})
    levels = {"na_share": audit.na_shares(study.derived), "accuracy": study.accuracies}
    one, other = PATTERN
    return {
        "gains": gains,
        "metrics": metrics,
        "reproduced": reproduced,
        "level": {
            system: {
                dataset: in_unit(
                    "fraction", {name: of[dataset][system] for name, of in levels.items()}
                )
                for dataset in DATASETS
            }
            for system in SYSTEMS
        },
        "pattern": {
            dataset: in_unit(
                "points",
                {name: of[dataset][one] - of[dataset][other] for name, of in levels.items()},
            )
            for dataset in DATASETS
        },
    }


def _audited(study: Published) -> dict[str, Any]:
    derived, training = study.derived, study.study.training
    per_step = training.prompts_per_step * training.group_size
    explored = audit.explored(derived)
    age = audit.sampler_age(training.steps)
    counts = {
        "evidence": derived["evidence"],
        "pool": derived["climate_fever_pool"],
        "overlap": {
            mixture: {
                "at_least": sum(of["at_least"] for of in labels.values()),
                "expected": round(sum(of["expected"] for of in labels.values())),
                "drawn": sum(study.drawn(mixture).values()),
            }
            for mixture, labels in study.overlaps.items()
        },
        "invalid": audit.invalid_answers(derived),
        "completions": {mixture: explored[mixture]["steps"] * per_step for mixture in MIXTURES},
        "sampler": age
        | {"every": audit.SAMPLER_REFRESH, "steps": training.steps, "mean": round(age["mean"])},
    }
    rule = {dataset: audit.no_evidence_rule(derived, dataset) for dataset in DATASETS}
    curves = {}
    for system in SYSTEMS:
        logged = derived["curves"][system]["logged"].items()
        ends = ("start", "end", "least")
        curves[system] = {
            **in_unit("", {result_key(name): {e: of[e] for e in ends} for name, of in logged}),
            "steps": in_unit("count", derived["curves"][system]["steps"]),
            "by_gold": derived["curves"][system]["by_gold"],
        }
    return {
        **in_unit("count", counts),
        "rule": in_unit("fraction", rule),
        "curves": curves,
        "explored": {
            mixture: {"steps": in_unit("count", of["steps"])} for mixture, of in explored.items()
        },
        "settings": {
            "reward": study.reward.model_dump(mode="json"),
            "alpha": study.ledger.alpha,
        },
        "earned": {
            reading: pd.DataFrame(audit.earned(reward), LABELS, LABELS).T.to_dict()
            for reading, reward in in_both_readings(study.reward).items()
        },
    }
