"""The statistical test for each kind of claim in the blog.

A claim is supported when its test is significant at level alpha, not supported when the opposite
is, and inconclusive otherwise. A claim about several datasets or arms is supported only if every
test is significant, so those p values are not corrected. One significant opposite is enough for
"not supported", so those p values are corrected by Holm.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict
from statsmodels.stats.proportion import proportions_ztest

from factmix.published.claim_evidence import Evidence
from factmix.published.released import MIXTURES
from factmix.stats.bootstrap import (
    bootstrap_p,
    is_floor,
    noninferiority_p,
    percentiles,
    proportion,
    resample,
)
from factmix.stats.metrics import Floats, gains
from factmix.stats.paired_tests import holm_in_order
from factmix.study.labels import LABELS, Label

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


@dataclass(frozen=True)
class Judgement:
    """The verdict on a claim, with the numbers behind it.

    Attributes:
        verdict: supported, not supported or inconclusive.
        numbers: for each comparison its value, and interval and p where it was tested; at_floor
            says whether p is the smallest that the resamples allow.
    """

    verdict: Verdict
    numbers: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Comparisons:
    """The comparisons that claims are judged by, on one study."""

    study: Evidence
    alpha: float
    margin: float
    resamples: int

    def gains(self, first: str, second: str, datasets: Sequence[str], metric: str) -> Floats:
        """Mean gain of `second` over `first` across datasets: the value, then B resamples.

        All datasets are resampled from one random stream. With the same seed for each, datasets
        with similar tables would get correlated resamples.
        """
        rng = np.random.default_rng(SEED)
        parts = []
        for dataset in datasets:
            counts_LAA = self.study.counts(first, second, dataset)
            drawn = resample(counts_LAA, self.resamples, rng)
            tables = np.concatenate([counts_LAA[None], drawn])
            parts.append(gains(tables)[metric])
        mean: Floats = np.mean(parts, axis=0)
        return mean

    def number(self, gains: Floats, p: float | None = None, *, sides: int = 2) -> dict[str, Any]:
        """A comparison with its p value, by default that of "no difference"."""
        p = bootstrap_p(gains[1:]) if p is None else p
        return {
            "value": float(gains[0]),
            "interval": list(percentiles(gains[1:], 1 - self.alpha)),
            "p": p,
            "at_floor": ["p"] if is_floor(p, self.resamples, sides=sides) else [],
        }

    def over(self, claim: Claim) -> str:
        return self.study.baseline if claim.over == "baseline" else claim.over


def _verdict(shown: Sequence[bool], contrary: Sequence[bool]) -> Verdict:
    if any(contrary):
        return "not supported"
    return "supported" if shown and all(shown) else "inconclusive"


def _signs(values: Sequence[float], p: Sequence[float], alpha: float) -> list[int]:
    """+1 or -1 if a value is significantly above or below 0, else 0."""
    return [int(np.sign(v)) if each < alpha else 0 for v, each in zip(values, p, strict=True)]


def _directed(
    numbers: Mapping[str, dict[str, Any]], claimed: Sequence[int], alpha: float
) -> Verdict:
    """Whether each difference has its claimed sign; 0 stands for the claim of no gain."""
    values, p = [n["value"] for n in numbers.values()], [n["p"] for n in numbers.values()]
    found, sure = _signs(values, p, alpha), _signs(values, holm_in_order(p), alpha)
    shown = [s == c if c else s <= 0 for s, c in zip(found, claimed, strict=True)]
    contrary = [s == -c if c else s > 0 for s, c in zip(sure, claimed, strict=True)]
    return _verdict(shown, contrary)


def _better(claim: Claim, comparisons: Comparisons, sign: int = 1) -> Judgement:
    """The arm is better than another on each dataset."""
    other = comparisons.over(claim)
    numbers = {
        f"{claim.metric}, {dataset}, {claim.arm} over {other}": comparisons.number(
            comparisons.gains(other, claim.arm, [dataset], claim.metric)
        )
        for dataset in comparisons.study.datasets[claim.datasets]
    }
    return Judgement(_directed(numbers, [sign] * len(numbers), comparisons.alpha), numbers)


def _worse(claim: Claim, comparisons: Comparisons) -> Judgement:
    """The arm is worse than another on each dataset."""
    return _better(claim, comparisons, sign=-1)


def _best(claim: Claim, comparisons: Comparisons) -> Judgement:
    """The arm is better than each other mixture in the mean over datasets."""
    datasets = comparisons.study.datasets[claim.datasets]
    numbers = {
        f"{claim.metric}, {claim.arm} over {other}": comparisons.number(
            comparisons.gains(other, claim.arm, datasets, claim.metric)
        )
        for other in MIXTURES
        if other != claim.arm
    }
    return Judgement(_directed(numbers, [1] * len(numbers), comparisons.alpha), numbers)


def _not_worse(claim: Claim, comparisons: Comparisons) -> Judgement:
    """The arm's loss against another is below the margin on each dataset."""
    numbers, losses = {}, []
    for dataset in comparisons.study.datasets[claim.datasets]:
        gains = comparisons.gains(comparisons.over(claim), claim.arm, [dataset], claim.metric)
        p = noninferiority_p(gains[1:], comparisons.margin)
        number = comparisons.number(gains, p, sides=1) | {"margin": comparisons.margin}
        numbers[f"{claim.metric}, {dataset}, {claim.arm} over {comparisons.over(claim)}"] = number
        losses.append(noninferiority_p(-gains[1:], -comparisons.margin))
    shown = [number["p"] < comparisons.alpha for number in numbers.values()]
    return Judgement(
        _verdict(shown, [p < comparisons.alpha for p in holm_in_order(losses)]), numbers
    )


def _no_collapse(claim: Claim, comparisons: Comparisons) -> Judgement:
    """No mixture answers NA on more than half of the PASS and FAIL examples of any dataset."""
    numbers: dict[str, dict[str, Any]] = {}
    na = LABELS.index(Label.NA)
    for arm in MIXTURES:
        for dataset in comparisons.study.datasets[claim.datasets]:
            counts_LA = comparisons.study.counts(comparisons.study.baseline, arm, dataset).sum(
                axis=1
            )
            decided = np.delete(counts_LA, na, axis=0)
            count, total = int(decided[:, na].sum()), int(decided.sum())
            share = proportion(count, total, confidence=1 - comparisons.alpha)
            numbers[f"share of PASS and FAIL answered NA, {dataset}, {arm}"] = {
                "value": share.value,
                "interval": list(share.interval or ()),
                # Wilson's interval contains 0.5 exactly where this test does not reject it.
                "p": float(proportions_ztest(count, total, 0.5, prop_var=0.5)[1]),
            }
    over = {name: n | {"value": n["value"] - 0.5} for name, n in numbers.items()}
    return Judgement(_directed(over, [-1] * len(over), comparisons.alpha), numbers)


def _gain_of_one_alone(claim: Claim, comparisons: Comparisons) -> Judgement:
    """The arm gains significantly on each dataset, the other arm on none, and the first gains more.

    A significant and a non-significant gain need not differ significantly, so the two arms are
    also compared with each other.
    """
    compared = (
        (comparisons.study.baseline, claim.arm, 1),
        (comparisons.study.baseline, claim.other, 0),
        (claim.other, claim.arm, 1),
    )
    numbers, claimed = {}, []
    for first, second, sign in compared:
        for dataset in comparisons.study.datasets[claim.datasets]:
            gains = comparisons.gains(first, second, [dataset], claim.metric)
            numbers[f"{claim.metric}, {dataset}, {second} over {first}"] = comparisons.number(gains)
            claimed.append(sign)
    return Judgement(_directed(numbers, claimed, comparisons.alpha), numbers)


def _separate(claim: Claim, comparisons: Comparisons) -> Judgement:
    """No claim is in both training and evaluation.

    For the published study, the number of shared Climate-FEVER claims is a lower bound by the
    pigeonhole principle: training + evaluation - pool, for each label.
    """
    shared = comparisons.study.overlap
    verdict: Verdict = "not supported" if shared else "supported"
    return Judgement(verdict, {"claims in both, at least": {"value": shared}})


def _highest_reward(claim: Claim, comparisons: Comparisons) -> Judgement:
    """The arm's log ends with the highest reward; this is compared, not tested.

    Inconclusive where the arms were trained with different rewards, whose scales differ.
    """
    ends = comparisons.study.reward_end
    highest = max(ends, key=ends.__getitem__) == claim.arm
    verdict: Verdict = "supported" if highest else "not supported"
    if not comparisons.study.one_reward:
        verdict = "inconclusive"
    return Judgement(verdict, {f"reward, {arm}": {"value": end} for arm, end in ends.items()})


@dataclass(frozen=True)
class Kind:
    """The test for one kind of claim.

    Attributes:
        judge: returns the verdict.
        test: the condition for "supported", in words; {alpha} and {margin} are filled in from the
            ledger.
    """

    judge: Callable[[Claim, Comparisons], Judgement]
    test: str


KINDS = {
    "better": Kind(_better, "each difference is above 0, paired bootstrap, p < {alpha:g}"),
    "worse": Kind(_worse, "each difference is below 0, paired bootstrap, p < {alpha:g}"),
    "best": Kind(
        _best, "the difference to each other mixture is above 0, paired bootstrap, p < {alpha:g}"
    ),
    "not_worse": Kind(
        _not_worse,
        "each loss is less than {margin:g}, one-sided p < {alpha:g} (non-inferiority: a smaller "
        "loss may be there)",
    ),
    "no_collapse": Kind(_no_collapse, "each share is below 0.5, score test, p < {alpha:g}"),
    "gain_of_one_alone": Kind(
        _gain_of_one_alone,
        "each gain of the one and each difference between the two is above 0, and no gain of the "
        "other, paired bootstrap, p < {alpha:g}",
    ),
    "separate": Kind(_separate, "the least number is 0"),
    "highest_reward": Kind(_highest_reward, "it is the highest of the three; nothing is tested"),
}
