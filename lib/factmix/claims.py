"""The blog's claims, each tested on the published answers and on a study of ours.

A claim is supported when its test shows it at level alpha, not supported when the data show the
contrary, and inconclusive otherwise. Where a claim speaks of several datasets or arms at once, all
of them have to show it (so that none needs correcting), and one contrary is enough.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict

from factmix import stats
from factmix.claim_evidence import Evidence
from factmix.intervals import Floats, percentiles
from factmix.labels import LABELS, Label
from factmix.released import MIXTURES

LEDGER = Path(__file__).with_name("claims.yaml")
RESAMPLES = 10_000
SEED = 7

Verdict = Literal["supported", "not supported", "inconclusive"]


class Claim(BaseModel):
    """One entry of claims.yaml, which explains the fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    source: str
    quantity: str
    kind: str
    arm: str = ""
    over: str = ""
    other: str = ""
    datasets: Literal["easy", "hard", "all", ""] = ""
    metric: str = ""
    verdicts: dict[str, Verdict]


class Ledger(BaseModel):
    """claims.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alpha: float
    margin: float
    claims: dict[str, Claim]


@dataclass(frozen=True)
class Judgement:
    """The verdict on a claim, and the numbers that it rests on.

    Attributes:
        verdict: supported, not supported or inconclusive.
        numbers: by what was compared: value, and interval and p where something was tested.
    """

    verdict: Verdict
    numbers: dict[str, dict[str, Any]]


def load_ledger(path: Path = LEDGER) -> Ledger:
    """Reads claims.yaml."""
    return Ledger.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def judge_all(
    ledger: Ledger, evidence: Evidence, *, resamples: int = RESAMPLES
) -> dict[str, Judgement]:
    """Each claim of the ledger judged on one study."""
    return {
        name: KINDS[claim.kind](claim, _Tests(evidence, ledger.alpha, ledger.margin, resamples))
        for name, claim in ledger.claims.items()
    }


def as_json(ledger: Ledger, judged: Mapping[str, Mapping[str, Judgement]]) -> dict[str, Any]:
    """Claim -> text, source, quantity, and for each study the verdict and its numbers."""
    return {
        name: {
            "text": claim.text,
            "source": claim.source,
            "quantity": claim.quantity,
            "judged": {
                study: {"verdict": found[name].verdict, "numbers": found[name].numbers}
                for study, found in judged.items()
            },
        }
        for name, claim in ledger.claims.items()
    }


def as_text(ledger: Ledger, judged: Mapping[str, Mapping[str, Judgement]]) -> str:
    """The ledger for a terminal: each claim, its verdicts and their numbers."""
    lines = []
    for name, claim in ledger.claims.items():
        lines.append(f"{claim.text} ({claim.source}; {claim.quantity})")
        for study, found in judged.items():
            lines.append(f"  {study}: {found[name].verdict}")
            for what, number in found[name].numbers.items():
                interval = number.get("interval")
                between = f" [{interval[0]:+.3f}, {interval[1]:+.3f}]" if interval else ""
                chance = f", p = {number['p']:.4f}" if "p" in number else ""
                lines.append(f"    {what}: {number['value']:+.3f}{between}{chance}")
    return "\n".join(lines)


@dataclass(frozen=True)
class _Tests:
    """The comparisons that the kinds of claims are made of, on one study."""

    study: Evidence
    alpha: float
    margin: float
    resamples: int

    def gains(self, first: str, second: str, datasets: Sequence[str], metric: str) -> Floats:
        """What `second` has more than `first`, mean over datasets: its value, then B resamples.

        Datasets hold different examples, so one stream of random numbers serves them in turn: from
        the same seed each, datasets with like tables would be drawn alike.
        """
        rng = np.random.default_rng(SEED)
        parts = []
        for dataset in datasets:
            counts_LAA = self.study.counts(first, second, dataset)
            drawn = stats.resample(counts_LAA, self.resamples, rng)
            tables = np.concatenate([counts_LAA[None], drawn])
            parts.append(stats.gains(tables)[metric])
        mean: Floats = np.mean(parts, axis=0)
        return mean

    def number(self, gains: Floats) -> dict[str, Any]:
        low, high = percentiles(gains[1:], 1 - self.alpha)
        return {
            "value": float(gains[0]),
            "interval": [low, high],
            "p": stats.bootstrap_p(gains[1:]),
        }

    def over(self, claim: Claim) -> str:
        return self.study.baseline if claim.over == "baseline" else claim.over


def _all_of(shown: Sequence[bool], contrary: Sequence[bool]) -> Verdict:
    if any(contrary):
        return "not supported"
    return "supported" if shown and all(shown) else "inconclusive"


def _sign(numbers: Mapping[str, dict[str, Any]], alpha: float) -> list[int]:
    """+1 or -1 where a difference is significant, else 0."""
    return [int(np.sign(n["value"])) if n["p"] < alpha else 0 for n in numbers.values()]


def _better(claim: Claim, tests: _Tests, sign: int = 1) -> Judgement:
    """The arm exceeds another on each dataset."""
    numbers = {
        f"{claim.metric}, {dataset}, {claim.arm} over {tests.over(claim)}": tests.number(
            tests.gains(tests.over(claim), claim.arm, [dataset], claim.metric)
        )
        for dataset in tests.study.datasets[claim.datasets]
    }
    signs = _sign(numbers, tests.alpha)
    return Judgement(_all_of([s == sign for s in signs], [s == -sign for s in signs]), numbers)


def _worse(claim: Claim, tests: _Tests) -> Judgement:
    """The arm falls below another on each dataset."""
    return _better(claim, tests, sign=-1)


def _best(claim: Claim, tests: _Tests) -> Judgement:
    """The arm exceeds each other mixture in the mean over datasets (drawn independently)."""
    datasets = tests.study.datasets[claim.datasets]
    numbers = {
        f"{claim.metric}, {claim.arm} over {other}": tests.number(
            tests.gains(other, claim.arm, datasets, claim.metric)
        )
        for other in MIXTURES
        if other != claim.arm
    }
    signs = _sign(numbers, tests.alpha)
    return Judgement(_all_of([s > 0 for s in signs], [s < 0 for s in signs]), numbers)


def _not_worse(claim: Claim, tests: _Tests) -> Judgement:
    """The arm's loss against another is below the margin on each dataset."""
    numbers, shown, contrary = {}, [], []
    for dataset in tests.study.datasets[claim.datasets]:
        gains = tests.gains(tests.over(claim), claim.arm, [dataset], claim.metric)
        p = stats.noninferiority_p(gains[1:], tests.margin)
        number = tests.number(gains) | {"p": p, "margin": tests.margin}
        numbers[f"{claim.metric}, {dataset}, {claim.arm} over {tests.over(claim)}"] = number
        shown.append(p < tests.alpha)
        contrary.append(number["interval"][1] < -tests.margin)
    return Judgement(_all_of(shown, contrary), numbers)


def _no_collapse(claim: Claim, tests: _Tests) -> Judgement:
    """No mixture answers NA to more than half of what is PASS or FAIL, on any of the datasets."""
    numbers, shown, contrary = {}, [], []
    na = LABELS.index(Label.NA)
    for arm in MIXTURES:
        for dataset in tests.study.datasets[claim.datasets]:
            counts_LA = tests.study.counts(tests.study.baseline, arm, dataset).sum(axis=1)
            decided = np.delete(counts_LA, na, axis=0)
            share = stats.proportion(
                int(decided[:, na].sum()), int(decided.sum()), confidence=1 - tests.alpha
            )
            low, high = share.interval or (share.value, share.value)
            numbers[f"share of PASS and FAIL answered NA, {dataset}, {arm}"] = {
                "value": share.value,
                "interval": [low, high],
            }
            shown.append(high < 0.5)
            contrary.append(low > 0.5)
    return Judgement(_all_of(shown, contrary), numbers)


def _gain_of_one_alone(claim: Claim, tests: _Tests) -> Judgement:
    """The arm gains significantly on each dataset, the other on none, and it gains more.

    The difference between "significant" and "not significant" need not be significant itself, so
    the two arms are compared too.
    """
    pairs = {
        "arm": (tests.study.baseline, claim.arm),
        "other": (tests.study.baseline, claim.other),
        "between": (claim.other, claim.arm),
    }
    numbers: dict[str, dict[str, Any]] = {}
    signs: dict[str, list[int]] = {}
    for role, (first, second) in pairs.items():
        part = {
            f"{claim.metric}, {dataset}, {second} over {first}": tests.number(
                tests.gains(first, second, [dataset], claim.metric)
            )
            for dataset in tests.study.datasets[claim.datasets]
        }
        numbers |= part
        signs[role] = _sign(part, tests.alpha)
    shown = [s > 0 for s in (*signs["arm"], *signs["between"])] + [s <= 0 for s in signs["other"]]
    contrary = [s < 0 for s in (*signs["arm"], *signs["between"])] + [s > 0 for s in signs["other"]]
    return Judgement(_all_of(shown, contrary), numbers)


def _separate(claim: Claim, tests: _Tests) -> Judgement:
    """No claim is in training and evaluation. Of the published study this is the pigeonhole bound:

    training + evaluation - pool, by label, is the least number of Climate-FEVER's claims in both.
    """
    shared = tests.study.overlap
    verdict: Verdict = "not supported" if shared else "supported"
    return Judgement(verdict, {"claims in both, at least": {"value": shared}})


def _highest_reward(claim: Claim, tests: _Tests) -> Judgement:
    """The arm's log ends on the highest reward. Logs are compared as they are, not tested.

    Rewards of different formulas are on different scales, and decide nothing.
    """
    ends = tests.study.reward_end
    highest = max(ends, key=ends.__getitem__) == claim.arm
    verdict: Verdict = "supported" if highest else "not supported"
    if not tests.study.one_reward:
        verdict = "inconclusive"
    return Judgement(verdict, {f"reward, {arm}": {"value": end} for arm, end in ends.items()})


KINDS: dict[str, Callable[[Claim, _Tests], Judgement]] = {
    "better": _better,
    "worse": _worse,
    "best": _best,
    "not_worse": _not_worse,
    "no_collapse": _no_collapse,
    "gain_of_one_alone": _gain_of_one_alone,
    "separate": _separate,
    "highest_reward": _highest_reward,
}
