"""A page for each study that was run on this machine, all from one template."""

from pathlib import Path
from string import Template

import numpy as np

from factmix.drift import comparable
from factmix.numbers import amount
from factmix_book import downloads, findings, tables
from factmix_book.sources import Results, write_if_changed

TEMPLATE = Path(__file__).with_name("run_page.md")


def write(run: Results, committed: Results, html: Path, into: Path) -> set[Path]:
    """Writes the page of one run, whose downloads are in the folder `html`."""
    page = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        name=run.name,
        description=run.content["study"]["description"],
        model=run.content["study"]["model"],
        toy=_toy_note(run, committed),
        findings=findings.bullets(run),
        gains=tables.gains(run),
        metrics="\n".join(
            f"### {dataset}\n\n{tables.metrics(run, dataset)}" for dataset in run.datasets
        ),
        training=tables.training(run),
        arms=tables.arms(run),
        mixtures=tables.mixtures(run),
        components=_components(run),
        difference=_difference(run, committed),
        downloads=downloads.files(run, html, "../../"),
        adapters=downloads.adapters(run),
    )
    return {write_if_changed(into / f"{run.name}.md", page)}


def _toy_note(run: Results, committed: Results) -> str:
    """Says on what kind of model the numbers rest, where that is the model of the default study."""
    if run.study.model.path != committed.study.model.path:
        return ""
    real = [name for name, dataset in run.study.datasets.items() if not dataset.stands_for]
    size = f"{run.parameters / 1e6:.1f} million parameters"
    text = f"The model is that of the default study: a toy model of {size}"
    if real:
        text += (
            " that knows only an invented world. On real text its answers show that the pipeline "
            "runs, and nothing about what a language model can do"
        )
    return f":::{{warning}}\n{text}.\n:::\n"


def _components(run: Results) -> str:
    if not run.weighted_arms:
        return ""
    return f"```{{drawn}} run-{run.name}/components\nThe parts of the reward.\n```\n"


def _difference(run: Results, committed: Results, rows: int = 20) -> str:
    """The largest differences to the committed results of the same study."""
    if run.name != committed.name:
        return (
            f"The committed results are those of the study `{committed.name}`; "
            "there are none to compare this run with.\n"
        )
    frame = comparable(committed.content, run.content)
    changed = frame[frame["difference"] != 0]
    summary = (
        f"Of {len(frame):,} numbers, {len(frame) - len(changed):,} are the same as the committed "
        "ones. "
    )
    if changed.empty:
        return summary + "\n"
    largest = changed.reindex(
        changed["difference"].abs().sort_values(ascending=False, na_position="first").index
    ).head(rows)
    table = tables.markdown(
        ["number", "committed", "this run", "difference"],
        [
            [f"`{row.key}`", *(_plain(x) for x in (row.committed, row.fresh, row.difference))]
            for row in largest.itertuples()
        ],
    )
    return f"{summary}The largest differences, at most {rows}:\n\n{table}"


def _plain(number: float) -> str:
    return amount(None if np.isnan(number) else number)
