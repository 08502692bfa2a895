"""The statistical test for each kind of claim in the blog.

A claim is supported when its test is significant at level alpha, not supported when the opposite
is, and inconclusive otherwise. A claim about several datasets or arms is supported only if every
test is significant, so those p values are not corrected. One significant opposite is enough for
"not supported", so those p values are corrected by Holm.

A study with several seeds is tested for other seeds and other claims (`factmix.stats.seeds`). With
one seed, or where only counts are known, only the examples are a sample, by the paired bootstrap.
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
    Estimate,
    bootstrap_p,
    is_floor,
    mean_by_t,
    noninferiority_p,
    percentiles,
    proportion,
    resample,
)
from factmix.stats.metrics import Floats, gains
from factmix.stats.paired_tests import holm_in_order
from factmix.stats.seeds import ROUNDING, Part, crossed_contrast, mean_gain, seed_gains
from factmix.study.labels import LABELS, Label

SEED = 7
HALF = 0.5  # of the examples: a share above it is a collapse

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
    """The comparisons that claims are judged by, on one study, as `Judgement.numbers` has them."""

    study: Evidence
    alpha: float
    margin: float
    resamples: int

    def gain(
        self,
        first: str,
        second: str,
        datasets: Sequence[str],
        metric: str,
        margin: float | None = None,
    ) -> dict[str, Any]:
        """Mean gain of `second` over `first` across datasets.

        Args:
            first, second: arms.
            datasets: that the mean is over.
            metric: one of `METRICS`.
            margin: if given, p is one-sided, of "worse by at least the margin"; otherwise it is of
                "no difference".
        """
        if len(self.study.answers) > 1:
            return self._gain_over_seeds(first, second, datasets, metric, margin)
        drawn = self.gains(first, second, datasets, metric)
        if margin is None:
            p, sides = bootstrap_p(drawn[1:]), 2
        else:
            p, sides = noninferiority_p(drawn[1:], margin), 1
        return {
            "value": float(drawn[0]),
            "interval": list(percentiles(drawn[1:], 1 - self.alpha)),
            "p": p,
            "at_floor": ["p"] if is_floor(p, self.resamples, sides=sides) else [],
        }

    def gains(self, first: str, second: str, datasets: Sequence[str], metric: str) -> Floats:
        """The same of one seed: the value, then B resamples.

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

    def _gain_over_seeds(
        self, first: str, second: str, datasets: Sequence[str], metric: str, margin: float | None
    ) -> dict[str, Any]:
        parts = []
        for dataset in datasets:
            before, after = (
                [systems[arm][dataset] for systems in self.study.answers] for arm in (first, second)
            )
            of_metrics = seed_gains(
                after[0].gold,
                [each.predicted for each in before],
                [each.predicted for each in after],
                groups=after[0].groups,
                confidence=1 - self.alpha,
            )
            parts.append(of_metrics[metric])
        estimate = mean_gain(parts, confidence=1 - self.alpha, margin=margin)
        if margin is None:
            p = _p_of(estimate.p, above_0=abs(estimate.value))
        else:
            p = _p_of(estimate.p_noninferior, above_0=estimate.value + margin)
        return _number(estimate) | {"p": p}

    def na_share(self, arm: str, dataset: str) -> dict[str, Any]:
        """Share of the PASS and FAIL examples that an arm answers NA; p is of "it is a half"."""
        if len(self.study.answers) > 1:
            return self._na_share_over_seeds(arm, dataset)
        na = LABELS.index(Label.NA)
        counts_LA = self.study.counts(self.study.baseline, arm, dataset).sum(axis=1)
        decided = np.delete(counts_LA, na, axis=0)
        count, total = int(decided[:, na].sum()), int(decided.sum())
        # Wilson's interval contains 0.5 exactly where this test does not reject it.
        p = float(proportions_ztest(count, total, HALF, prop_var=HALF)[1])
        return _number(proportion(count, total, confidence=1 - self.alpha)) | {"p": p}

    def _na_share_over_seeds(self, arm: str, dataset: str) -> dict[str, Any]:
        answers = [systems[arm][dataset] for systems in self.study.answers]
        decided_N = np.array([gold != Label.NA for gold in answers[0].gold])
        said_SN = np.array([[given == Label.NA for given in each.predicted] for each in answers])
        groups = np.asarray(answers[0].groups, dtype=str)[decided_N].tolist()
        part = Part(["decided"] * len(groups), groups, said_SN[:, decided_N] - HALF)
        over = crossed_contrast([part], confidence=1 - self.alpha).crossed
        assert over.interval is not None
        p = _p_of(over.p, above_0=abs(over.value))
        within = np.clip(np.add(over.interval, HALF), 0, 1).tolist()  # a share is from 0 to 1
        return {"value": over.value + HALF, "interval": within, "p": p}

    def reward_gain(self, first: str, second: str) -> dict[str, Any]:
        """Difference of the mean rewards at the end of the logs, by Student's t over seeds.

        No p where t is not defined, as with one seed.
        """
        ends_S = np.subtract(self.study.reward_end[second], self.study.reward_end[first])
        return _number(mean_by_t(ends_S, confidence=1 - self.alpha))

    def over(self, claim: Claim) -> str:
        return self.study.baseline if claim.over == "baseline" else claim.over


def _number(estimate: Estimate) -> dict[str, Any]:
    """An estimate as `Judgement.numbers` has it."""
    number: dict[str, Any] = {"value": estimate.value}
    if estimate.interval is not None:
        number["interval"] = list(estimate.interval)
    return number if estimate.p is None else number | {"p": estimate.p}


def _p_of(p: float | None, *, above_0: float) -> float:
    """A p value; where neither seeds nor examples vary, its limit for ever smaller variances."""
    return float(above_0 < ROUNDING) if p is None else p


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
    """Whether each difference has its claimed sign; 0 stands for the claim of no gain.

    What was not tested has no sign.
    """
    values = [n["value"] for n in numbers.values()]
    p = [n.get("p", 1.0) for n in numbers.values()]
    found, sure = _signs(values, p, alpha), _signs(values, holm_in_order(p), alpha)
    shown = [s == c if c else s <= 0 for s, c in zip(found, claimed, strict=True)]
    contrary = [s == -c if c else s > 0 for s, c in zip(sure, claimed, strict=True)]
    return _verdict(shown, contrary)


def _better(claim: Claim, comparisons: Comparisons, sign: int = 1) -> Judgement:
    """The arm is better than another on each dataset."""
    other = comparisons.over(claim)
    numbers = {
        f"{claim.metric}, {dataset}, {claim.arm} over {other}": comparisons.gain(
            other, claim.arm, [dataset], claim.metric
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
        f"{claim.metric}, {claim.arm} over {other}": comparisons.gain(
            other, claim.arm, datasets, claim.metric
        )
        for other in MIXTURES
        if other != claim.arm
    }
    return Judgement(_directed(numbers, [1] * len(numbers), comparisons.alpha), numbers)


def _not_worse(claim: Claim, comparisons: Comparisons) -> Judgement:
    """The arm's loss against another is below the margin on each dataset.

    The contrary is that the other's gain over the arm is above the margin.
    """
    other, margin = comparisons.over(claim), comparisons.margin
    numbers, contrary = {}, []
    for dataset in comparisons.study.datasets[claim.datasets]:
        gain = comparisons.gain(other, claim.arm, [dataset], claim.metric, margin)
        numbers[f"{claim.metric}, {dataset}, {claim.arm} over {other}"] = gain | {"margin": margin}
        loss = comparisons.gain(claim.arm, other, [dataset], claim.metric, -margin)
        contrary.append(loss["p"])
    shown = [number["p"] < comparisons.alpha for number in numbers.values()]
    return Judgement(
        _verdict(shown, [p < comparisons.alpha for p in holm_in_order(contrary)]), numbers
    )


def _no_collapse(claim: Claim, comparisons: Comparisons) -> Judgement:
    """No mixture answers NA on more than half of the PASS and FAIL examples of any dataset."""
    numbers = {
        f"share of PASS and FAIL answered NA, {dataset}, {arm}": comparisons.na_share(arm, dataset)
        for arm in MIXTURES
        for dataset in comparisons.study.datasets[claim.datasets]
    }
    over = {name: n | {"value": n["value"] - HALF} for name, n in numbers.items()}
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
            gain = comparisons.gain(first, second, [dataset], claim.metric)
            numbers[f"{claim.metric}, {dataset}, {second} over {first}"] = gain
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
    """The arm's log ends with a higher reward than that of each other mixture.

    Inconclusive with one seed, of which nothing can be tested, and where the arms were trained with
    different rewards, whose scales differ.
    """
    ends = comparisons.study.reward_end
    reached = {f"reward, {arm}": {"value": float(np.mean(of))} for arm, of in ends.items()}
    if not comparisons.study.one_reward:
        return Judgement("inconclusive", reached)
    numbers = {
        f"reward, {claim.arm} over {other}": comparisons.reward_gain(other, claim.arm)
        for other in MIXTURES
        if other != claim.arm
    }
    return Judgement(_directed(numbers, [1] * len(numbers), comparisons.alpha), reached | numbers)


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


_OR_SEEDS = "or with several seeds by the test over seeds and claims, at p < {alpha:g}"
_PAIRED = f"by the paired bootstrap, {_OR_SEEDS}"

KINDS = {
    "better": Kind(_better, f"each difference is above 0 {_PAIRED}"),
    "worse": Kind(_worse, f"each difference is below 0 {_PAIRED}"),
    "best": Kind(_best, f"the difference to each other mixture is above 0 {_PAIRED}"),
    "not_worse": Kind(
        _not_worse,
        "each loss is less than {margin:g}, one-sided p < {alpha:g} (non-inferiority: a smaller "
        "loss may be there)",
    ),
    "no_collapse": Kind(_no_collapse, f"each share is below 0.5 by the score test, {_OR_SEEDS}"),
    "gain_of_one_alone": Kind(
        _gain_of_one_alone,
        "each gain of the one and each difference between the two is above 0, and no gain of the "
        f"other, each {_PAIRED}",
    ),
    "separate": Kind(_separate, "the least number is 0"),
    "highest_reward": Kind(
        _highest_reward,
        "the difference to each other mixture is above 0 at p < {alpha:g} by Student's t over "
        "seeds; with one seed nothing is tested",
    ),
}
