"""The page of the base model: what it sees, what it says, and whether it has something to learn."""

import json
from typing import Any

import pandas as pd

from factmix.report import figures
from factmix.report.drawings import Drawing
from factmix.report.markdown import table, tabled
from factmix.report.sources import RECIPES, Results
from factmix.report.templates import digits, say

TABLES = ("says", "learns", "tests")
UNSEEN = 0.6  # AUROC, below which a sentence says that a kind is hardly told from the other side


def card_of(results: Results) -> dict[str, Any] | None:
    """card.json of a study; None where its base model was not measured."""
    file = results.paths.card
    if not file.is_file():
        return None
    card: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return card


def tables(results: Results) -> dict[str, str]:
    """The tables of the page, by name; those of the card only where the model was measured."""
    return {"model-recipes": _recipes(), **of_card(results, "model")}


def of_card(results: Results, prefix: str) -> dict[str, str]:
    """The tables of a base model's card, and which tests it failed, by name; none without it."""
    card = card_of(results)
    if card is None:
        return {}
    failed: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in card["tests"]:
        if not (each["passed"] or each["blocking"]):
            failed.setdefault((each["test"], each["about"]), []).append(each)
    unseen = [row for row in card["kinds"] if row["auroc_na"] < UNSEEN]
    blocking = [each for each in card["tests"] if each["blocking"] and not each["passed"]]
    made = {f"{prefix}-{name}": tabled(say("model.md.j2", name, card)) for name in TABLES}
    made[f"{prefix}-unseen"] = say("model.md.j2", "unseen", unseen)
    return made | {f"{prefix}-failed": say("model.md.j2", "failed", failed, blocking)}


def _recipes() -> str:
    """The table of recipes; shares of right labels are of each recipe's own documents."""
    tried = pd.read_csv(RECIPES)
    shares = [name for name in tried if name not in ("recipe", "steps", "minutes", "outcome")]
    header = ["taught", "steps", "minutes", *(f"{name}, %" for name in shares), "what came of it"]
    rows = [
        [
            row["recipe"],
            digits(row["steps"], ",.0f"),
            _given(row["minutes"], "{:.0f}"),
            *(_given(100 * row[name], "{:.0f}") for name in shares),
            row["outcome"],
        ]
        for row in tried.to_dict("records")
    ]
    return table(header, rows)


def _given(value: float, form: str) -> str:
    return "" if pd.isna(value) else form.format(value)


def drawing(results: Results, notebook: str = "base_model") -> dict[str, Drawing]:
    """The heat map of what the base model's probabilities tell by kind of claim.

    Args:
        results: of a study on it.
        notebook: whose page shows it, too; "" where none does.
    """
    card = card_of(results)
    if card is None:
        return {}
    seen = sorted(card["kinds"], key=lambda row: row["auroc_na"])
    ends = [(row["auroc_na"], row["kind"], row["dataset"]) for row in (seen[0], seen[-1])]
    kinds = pd.DataFrame(card["kinds"])
    return {"kinds": Drawing(kinds, figures.plot_kinds, ("kinds", *ends), notebook)}
