"""What the page on described and released says of the numbers that it is given."""

from types import SimpleNamespace
from typing import Any

import pytest

from factmix.report import findings
from factmix.results.results_json import established

GAP = {"fever": -0.2, "vitaminc": -0.5, "climatefever": -0.8}  # of the share of NA
DOMAINS = {"encyclopedia": "FEVER", "revision": "VitaminC", "debate": "Climate-FEVER"}


def leaf(value: float, p: float) -> dict[str, Any]:
    ends = [value - 0.02, value + 0.02]
    crossed = {"value": value, "unit": "points", "n": 5, "interval": ends, "p": p, "p_holm": p}
    return {"crossed": crossed, "detectable": {"value": 0.03, "unit": "points", "n": 5}}


def said(*of_domains: tuple[float, float]) -> str:
    """The sentence on the mixture as described, for a value and a p value of each domain."""
    numbers = dict(zip(DOMAINS, of_domains, strict=True))
    described = {name: {"na_share": leaf(*number)} for name, number in numbers.items()}
    described["encyclopedia"]["accuracy"] = leaf(0.01, 0.5)
    found = {"contrast": {"balanced_over_hard_only": {"described": described}}, "own": {}}
    found["own"] = {"balanced_over_hard_only": {}}
    results = SimpleNamespace(
        content={"protocols": {"published": found}},
        study=SimpleNamespace(
            datasets={name: SimpleNamespace(stands_for=real) for name, real in DOMAINS.items()}
        ),
        established=lambda leaf: established(leaf, 0.01),
    )
    pattern = {
        name: {"na_share": {"value": gap}, "accuracy": {"value": 0.2}} for name, gap in GAP.items()
    }
    text = findings.protocols(results, SimpleNamespace(numbers={"pattern": pattern}))  # type: ignore[arg-type]
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("numbers", "verdict"),
    [
        ([(-0.1, 0.001), (-0.01, 0.5), (0.01, 0.5)], "yes"),
        ([(0.1, 0.001), (-0.01, 0.5), (0.01, 0.5)], "the other way"),
        ([(0.1, 0.001), (-0.1, 0.001), (0.01, 0.5)], "undecided"),  # both ways
        ([(-0.1, 0.02), (-0.01, 0.5), (0.01, 0.5)], "undecided"),
    ],
)
def test_the_verdict_is_that_of_the_rule_in_the_plan(
    numbers: list[tuple[float, float]], verdict: str
) -> None:
    assert f"**The mixture, all as described.** Share of NA, {verdict}: " in said(*numbers)


def test_only_what_is_established_is_set_against_the_published_difference() -> None:
    text = said((-0.1, 0.001), (-0.1, 0.5), (-0.1, 0.5))
    assert (
        "Beside the published difference, taken as exact, that is 50 % [40, 60] on encyclopedia."
        in text
    )
    assert text.count("Beside the published difference") == 1
    assert (
        text.count("or more would have been in 80 % of such studies") == 3
    )  # two domains, and accuracy


@pytest.mark.parametrize(
    ("numbers", "verdict"),
    [
        ([(0.1, 0.001), (0.01, 0.5)], "Yes"),
        ([(-0.1, 0.001), (0.01, 0.5)], "The other way"),
        ([(-0.1, 0.001), (0.1, 0.001)], "Undecided"),
        ([(0.1, 0.02), (0.01, 0.5)], "Undecided"),
    ],
)
def test_contamination_is_judged_on_the_datasets_of_few_claims(
    numbers: list[tuple[float, float]], verdict: str
) -> None:
    cells = {
        cell: {"debate": {"accuracy": leaf(*number)}, "dispatch": {"accuracy": leaf(0.3, 0.0)}}
        for cell, number in zip(("settings", "released"), numbers, strict=True)
    }
    results = SimpleNamespace(
        content={"protocols": {"published": {"contamination": {"hard_only": cells}}}},
        study=SimpleNamespace(
            datasets={
                "debate": SimpleNamespace(released_pool={"NA": 1}),
                "dispatch": SimpleNamespace(released_pool=None),
            }
        ),
        established=lambda leaf: established(leaf, 0.01),
    )
    assert findings.contamination(results).startswith(f"**{verdict}**")  # type: ignore[arg-type]
