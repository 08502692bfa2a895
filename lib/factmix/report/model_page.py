"""The page of the base model: what it sees, what it says, and whether it has something to learn."""

import json
from typing import Any

import pandas as pd

from factmix.report import figures
from factmix.report.drawings import Drawing
from factmix.report.markdown import tabled
from factmix.report.sources import Results
from factmix.report.templates import say

TABLES = ("says", "learns", "tests")


def card_of(results: Results) -> dict[str, Any] | None:
    """card.json of a study; None where its base model was not measured."""
    file = results.paths.card
    if not file.is_file():
        return None
    card: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return card


def tables(results: Results) -> dict[str, str]:
    """The tables of the page, by name; none where the base model was not measured."""
    card = card_of(results)
    if card is None:
        return {}
    return {f"model-{name}": tabled(say("model.md.j2", name, card)) for name in TABLES}


def drawing(results: Results) -> dict[str, Drawing]:
    """The heat map of what the base model sees by kind of claim."""
    card = card_of(results)
    if card is None:
        return {}
    seen = sorted(card["kinds"], key=lambda row: row["auroc_na"])
    ends = [(row["auroc_na"], row["kind"], row["dataset"]) for row in (seen[0], seen[-1])]
    kinds = pd.DataFrame(card["kinds"])
    return {"kinds": Drawing(kinds, figures.plot_kinds, ("kinds", *ends), "base_model")}
