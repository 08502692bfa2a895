"""The ledger of the blog's claims and the verdict on each, as text and as JSON."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from factmix.published.claim_evidence import Evidence
from factmix.published.claim_tests import KINDS, Claim, Comparisons, Judgement
from factmix.results.numbers import in_terminal, show

LEDGER = Path(__file__).with_name("claims.yaml")
RESAMPLES = 10_000


class Ledger(BaseModel):
    """claims.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alpha: float
    margin: float
    claims: dict[str, Claim]


def load_ledger(path: Path = LEDGER) -> Ledger:
    """The ledger in claims.yaml."""
    return Ledger.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def judge_all(
    ledger: Ledger, evidence: Evidence, *, resamples: int = RESAMPLES
) -> dict[str, Judgement]:
    """The judgement of each claim of the ledger on one study."""
    return {
        name: KINDS[claim.kind].judge(
            claim, Comparisons(evidence, ledger.alpha, ledger.margin, resamples)
        )
        for name, claim in ledger.claims.items()
    }


def test_of(ledger: Ledger, claim: Claim) -> str:
    """The condition for a claim to be supported, in words, with its thresholds."""
    return KINDS[claim.kind].test.format(alpha=ledger.alpha, margin=ledger.margin)


def as_json(ledger: Ledger, judged: Mapping[str, Mapping[str, Judgement]]) -> dict[str, Any]:
    """Claim -> text, source, quantity, test, and for each study the verdict and its numbers."""
    return {
        name: {
            "text": claim.text,
            "source": claim.source,
            "quantity": claim.quantity,
            "test": test_of(ledger, claim),
            "judged": {
                study: {"verdict": found[name].verdict, "numbers": found[name].numbers}
                for study, found in judged.items()
            },
        }
        for name, claim in ledger.claims.items()
    }


def as_text(ledger: Ledger, judged: Mapping[str, Mapping[str, Judgement]]) -> str:
    """The ledger for a terminal: each claim, its verdicts and their numbers."""
    lines = [f"In brackets: intervals of {1 - ledger.alpha:.0%}."]
    for name, claim in ledger.claims.items():
        lines.append(f"{claim.text} ({claim.source}; {claim.quantity})")
        lines.append(f"  supported if {test_of(ledger, claim)}")
        for study, found in judged.items():
            lines.append(f"  {study}: {found[name].verdict}")
            for what, number in found[name].numbers.items():
                interval = number.get("interval")
                between = f" [{interval[0]:+.3f}, {interval[1]:+.3f}]" if interval else ""
                chance = f", {in_terminal(show(number, 'p'))}" if "p" in number else ""
                lines.append(f"    {what}: {number['value']:+.3f}{between}{chance}")
    return "\n".join(lines)
