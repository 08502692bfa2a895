"""The published study for the book: its numbers by key, and the verdicts on its claims."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from factmix.published import audit, claims, recomputed
from factmix.published.claim_evidence import ClaimsError, published_evidence, study_evidence
from factmix.published.claim_tests import Judgement
from factmix.published.claims import Ledger
from factmix.published.released import DATASETS, MIXTURES, SYSTEMS
from factmix.results.results_json import result_key
from factmix.study.labels import LABELS
from factmix.study.load import find_study
from factmix.study.paths import ROOT
from factmix.study.settings import WeightedReward
from factmix.study.spec import Study
from factmix_book.sources import Results, SourceError

BENCHMARKS = ROOT / "results" / "benchmarks"
AS_PUBLISHED = "paper"  # the study of ours with the published settings
READINGS = {"predicted": "weights by predicted label", "gold": "weights by gold label"}


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

    @property
    def file(self) -> Path:
        return recomputed.FROZEN / "derived.json"

    @cached_property
    def study(self) -> Study:
        return find_study(AS_PUBLISHED)

    @property
    def reward(self) -> WeightedReward:
        reward = self.study.rewards["published"]
        assert isinstance(reward, WeightedReward)
        return reward

    @cached_property
    def numbers(self) -> dict[str, Any]:
        """Leaves as results.json has them, for the role {published}."""
        return _gains(self) | _metrics(self) | _audit(self)

    @cached_property
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


def benchmarks() -> dict[str, Any]:
    """What benchmarks/ measured, by the name of the file: for the role {benchmark}."""
    found = {
        name: json.loads((BENCHMARKS / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("bootstrap", "coverage", "wiki")
    }
    speed = found["bootstrap"]
    speed |= {
        "times": count(round(speed["ratio"], -2)),
        "standard_errors": {"value": f"{speed['endpoint_error']:.1f}"},
        "seconds_ours": {"value": speed["ours_seconds"], "unit": "seconds"},
        "seconds_scikit_learn": {"value": speed["scikit_learn_seconds"], "unit": "seconds"},
    }
    wiki = found["wiki"]
    whole = wiki["full_size"]
    wiki |= {
        "build": {"value": wiki["seconds"], "unit": "seconds"},
        "memory": {"value": wiki["peak_memory_gib"], "unit": "GiB"},
        "search": {"value": wiki["seconds_per_search"], "unit": "seconds"},
    }
    whole |= {
        "build": {"value": 60 * whole["minutes"], "unit": "seconds"},
        "disk": {"value": whole["database_gb"], "unit": "GB"},
        "search": {"value": whole["seconds_per_search"], "unit": "seconds"},
    }
    sets = found["coverage"]["data_sets"]
    found["coverage"]["standard_error"] = share((0.95 * 0.05 / sets) ** 0.5)
    return found


def count(value: float) -> dict[str, Any]:
    return {"value": value, "unit": "count"}


def share(value: float) -> dict[str, Any]:
    return {"value": value, "unit": "fraction"}


def measured(value: float) -> dict[str, Any]:
    """A number without a unit, rounded."""
    return {"value": value, "unit": ""}


def _gains(study: Published) -> dict[str, Any]:
    gains: dict[str, Any] = {}
    rows = study.report["gains"]
    for row in rows:
        of = gains.setdefault(row["mixture"], {}).setdefault(row["dataset"], {})
        interval = [row["low"], row["high"]]
        of[row["metric"]] = {
            "value": row["recomputed"],
            "unit": "points",
            "interval": interval,
            "p": row["p"],
            "n": row["n"],
        }
    same = sum(row["reproduces"] for row in rows)
    return {
        "gains": gains,
        "reproduced": {"same": count(same), "of": count(len(rows))},
    }


def _metrics(study: Published) -> dict[str, Any]:
    return {
        "metrics": {
            system: {
                dataset: {name: found | {"unit": "fraction"} for name, found in of.items()}
                for dataset, of in datasets.items()
            }
            for system, datasets in study.report["metrics"].items()
        }
    }


def _audit(study: Published) -> dict[str, Any]:
    derived = study.derived
    overlap = overlaps(study)
    explored = audit.explored(derived)
    training = study.study.training
    per_step = training.prompts_per_step * training.group_size
    age = audit.sampler_age(training.steps)
    return {
        "evidence": {
            dataset: {label: {k: count(n) for k, n in of.items()} for label, of in labels.items()}
            for dataset, labels in derived["evidence"].items()
        },
        "rule": {
            dataset: {k: share(v) for k, v in audit.no_evidence_rule(derived, dataset).items()}
            for dataset in DATASETS
        },
        "pool": {label: count(n) for label, n in derived["climate_fever_pool"].items()},
        "overlap": {
            mixture: {
                kind: count(sum(of[kind] for of in labels.values()))
                if kind == "at_least"
                else count(round(sum(of[kind] for of in labels.values())))
                for kind in ("at_least", "expected")
            }
            | {"drawn": count(sum(study.study.mixtures[mixture]["climate_fever"].values()))}
            for mixture, labels in overlap.items()
        },
        "invalid": {
            dataset: {system: count(n) for system, n in of.items()}
            for dataset, of in audit.invalid_answers(derived).items()
        },
        "explored": {
            mixture: {"steps": count(of["steps"]), "greatest": measured(of["greatest"])}
            for mixture, of in explored.items()
        },
        "completions": {m: count(explored[m]["steps"] * per_step) for m in MIXTURES},
        "curves": {
            system: {
                result_key(name): {end: measured(values[end]) for end in ("start", "end", "least")}
                for name, values in derived["curves"][system]["logged"].items()
            }
            | {
                "steps": count(derived["curves"][system]["steps"]),
                "by_gold": derived["curves"][system]["by_gold"],
            }
            for system in SYSTEMS
        },
        "sampler": {
            "every": count(audit.SAMPLER_REFRESH),
            "steps": count(training.steps),
            "untrained": count(age["untrained"]),
            "longest": count(age["longest"]),
            "mean": count(round(age["mean"])),
        },
        "settings": {
            "reward": study.reward.model_dump(mode="json"),
            "alpha": study.ledger.alpha,
        },
        "earned": {
            reading: {
                str(gold): {
                    str(answer): float(audit.earned(reward)[i, j])
                    for j, answer in enumerate(LABELS)
                }
                for i, gold in enumerate(LABELS)
            }
            for reading, reward in readings(study).items()
        },
    }


def overlaps(study: Published) -> dict[str, dict[str, dict[str, float]]]:
    """Mixture -> gold label -> Climate-FEVER's pool, and least and expected overlap."""
    return {
        mixture: audit.climate_overlap(
            study.derived,
            {str(k): n for k, n in study.study.mixtures[mixture]["climate_fever"].items()},
        )
        for mixture in MIXTURES
    }


def readings(study: Published) -> Mapping[str, WeightedReward]:
    """The printed reward with the weights of the predicted and of the gold label."""
    return {reading: study.reward.model_copy(update={"weight_by": reading}) for reading in READINGS}
