"""The table that holds the gains of the committed study against other ways to test them."""

from pathlib import Path
from typing import Any

from factmix.results.numbers import NOT_COMPUTED, probability, show
from factmix_book.parts import arm_name
from factmix_book.sources import Results, write_if_changed
from factmix_book.tables import markdown


def write(results: Results, into: Path) -> set[Path]:
    """Writes the table; returns the file."""
    return {write_if_changed(into / "robustness.md", table(results))}


def table(results: Results) -> str:
    """Gains in accuracy: by examples, by groups, corrected for their number, and as no loss."""
    clustered = results.content["clustered"]["gains"]
    rows = []
    for arm, of in results.content["gains"].items():
        for dataset, by_metric in of.items():
            gain, grouped = by_metric["accuracy"], clustered[arm][dataset].get("accuracy")
            rows.append(
                [
                    arm_name(arm),
                    dataset,
                    show(gain, "cell"),
                    _limits(grouped) if grouped else NOT_COMPUTED,
                    probability(gain["p"]),
                    probability(gain["p_holm"]),
                    probability(gain["p_noninferior"]),
                ]
            )
    header = [
        "accuracy, points over the baseline",
        "dataset",
        "gain",
        "interval by groups",
        "p",
        "p, Holm",
        "p, no loss",
    ]
    return markdown(header, rows)


def _limits(gain: dict[str, Any]) -> str:
    return show(gain, "cell").partition(" ")[2]
