"""A page for each study that was run on this machine, all from one template."""

from collections.abc import Mapping
from pathlib import Path
from string import Template

import numpy as np

from factmix.data.datasets import FILES
from factmix.results.numbers import amount
from factmix.results.rerun_diff import comparable
from factmix.results.results_json import result_key
from factmix_book import downloads, findings, tables
from factmix_book.parts import parts
from factmix_book.sources import Results, write_if_changed

TEMPLATE = Path(__file__).with_name("run_page.md")
_COMPARED = {
    "gains": "Change against the baseline, in points, with paired bootstrap intervals.",
    "transfer": "The same by what an arm was trained on.",
    "seeds": "Every training seed, and the interval of their mean.",
}
_PAIRS = {"pairs": "Answers of the baseline that an arm fixes and breaks."}
_CURVES = {
    "reward": "Mean reward per training step.",
    "components": "The parts of the published reward; other rewards are not taken apart here.",
    "accuracy-by-label": "Right answers during training, by gold label.",
    "shares": "Answers during training.",
    "trajectory": "Balanced accuracy on a fixed part of the evaluation examples during training.",
}
_ANSWERS = {
    "confusion": "Gold label against answer.",
    "reliability": "How often the most probable label is right, by its probability.",
    "risk": "Errors among the answered claims when those with the highest p(NA) are not answered.",
}


def write(run: Results, committed: Results, html: Path, into: Path, *, again: Results) -> set[Path]:
    """Writes the page of one run.

    Args:
        run: its results.
        committed: those of the default study.
        html: the folder that has the run's downloads.
        into: the folder of the page.
        again: committed results of the default study with other seeds.
    """
    kept = {each.name: each for each in (committed, again)}
    page = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        name=run.name,
        description=run.content["study"]["description"],
        model=run.content["study"]["model"],
        toy=_toy_note(run, committed),
        findings=findings.bullets(run),
        compared=_figures(run, _COMPARED, compared=True),
        gains=tables.gains(run),
        pairs=_figures(run, _PAIRS, compared=True),
        mcnemar=tables.mcnemar(run),
        metrics="\n".join(
            f"### {dataset}\n\n{tables.metrics(run, dataset)}" for dataset in run.datasets
        ),
        curves=_figures(run, _CURVES),
        training=tables.training(run),
        answers=_figures(run, _ANSWERS),
        awareness=tables.awareness(run),
        arms=tables.arms(run),
        mixtures=tables.mixtures(run),
        difference=_difference(run, kept.get(run.name)),
        seed=_seed_note(run),
        downloads=downloads.files(run, html, "../../"),
        adapters=downloads.adapters(run),
    )
    return {write_if_changed(into / f"{run.name}.md", page)}


def _toy_note(run: Results, committed: Results) -> str:
    """Says on what kind of model the numbers rest, where that is the model of the default study."""
    if run.study.model.path != committed.study.model.path:
        return ""
    size = f"{run.parameters / 1e6:.1f} million parameters"
    text = f"The model is that of the default study: a toy model of {size}"
    if not FILES.keys().isdisjoint(run.study.datasets):
        text += (
            " that knows only an invented world. On real text its answers show that the pipeline "
            "runs, and nothing about what a language model can do"
        )
    return f":::{{warning}}\n{text}.\n:::\n"


def _figures(run: Results, captions: Mapping[str, str], *, compared: bool = False) -> str:
    """Those of some figures that were drawn of a run, once for each baseline.

    Args:
        run: the run.
        captions: name of a figure -> its caption.
        compared: whether they show a comparison, which needs somebody to compare with.
    """
    found = parts(run)
    texts = []
    for part in found:
        if compared and not part.compared:
            continue
        of_part = f" Baseline: `{part.baseline}`." if len(found) > 1 else ""
        for name, caption in captions.items():
            if name == "components" and not set(part.arms) & set(
                map(result_key, run.weighted_arms)
            ):
                continue
            if name == "seeds" and len(run.content["seeds"]) < 2:
                continue
            drawn = f"run-{run.name}/{name}{part.suffix}"
            texts.append(tables.figure(drawn, f"{caption}{of_part}"))
    return "\n".join(texts)


def _seed_note(run: Results) -> str:
    """Which seed the numbers are of, where there are several."""
    if len(run.study.seeds) < 2:
        return ""
    return f"Where nothing is said of seeds, numbers are of the first, {run.seed}.\n"


def _difference(run: Results, committed: Results | None, rows: int = 20) -> str:
    """The largest differences to the committed results of the same study."""
    if committed is None:
        return "There are no committed results of this study to compare the run with.\n"
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
