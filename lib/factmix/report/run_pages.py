"""A page for each study that was run on this machine, all from one template."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from factmix.data.datasets import FILES
from factmix.report import downloads, findings, tables
from factmix.report.baselines import baseline_groups
from factmix.report.markdown import table
from factmix.report.sources import Results, of_seed, with_same_arms
from factmix.report.templates import METRIC_NAMES, render
from factmix.results.numbers import amount
from factmix.results.rerun_diff import comparable

BESIDE = ("balanced_accuracy", "recall_na")  # metrics beside those of another study
ROWS = 20  # of the table of differences, at most


def page(
    run: Results, committed: Sequence[Results], drawn: Collection[str], made: Mapping[str, bytes]
) -> str:
    """The page of one run.

    Args:
        run: its results.
        committed: all committed results, those of the default study first.
        drawn: the names of the run's figures.
        made: the run's downloads.
    """
    kept = with_same_arms(run, committed)
    same = kept is not None and kept.name == run.name
    return render(
        "run-page.md.j2",
        run=run,
        findings=findings.findings(run),
        tables=tables.of_study(run),
        groups=baseline_groups(run),
        drawn=drawn,
        files=downloads.files(run, made, "../../"),
        adapters=downloads.adapters(run),
        **kind_of_model(run, committed),
        beside=None if kept is None or same else _beside(run, kept),
        **_difference(run, kept if same else None),
    )


def kind_of_model(run: Results, committed: Sequence[Results]) -> dict[str, bool]:
    """Whether the model is the toy of a committed study, and whether it met real text."""
    return {
        "toy": run.study.model.path
        in {each.study.model.path for each in committed if not _real_text(each)},
        "real_text": _real_text(run),
    }


def _real_text(results: Results) -> bool:
    return not FILES.keys().isdisjoint(results.study.datasets)


def _beside(run: Results, kept: Results) -> dict[str, Any]:
    """Metrics of each arm beside those of the same arm and seed in another, committed study."""
    rows, gaps = [], []
    for arm in run.arms:
        for dataset in run.datasets:
            row = [f"`{arm}`", dataset]
            for metric in BESIDE:
                at = run.seed, arm, dataset, metric
                there, here = of_seed(kept, *at), of_seed(run, *at)
                gaps.append(here - there)
                row += [f"{100 * there:.1f}", f"{100 * here:.1f}"]
            rows.append(row)
    names = [f"{METRIC_NAMES[metric]}, {where}" for metric in BESIDE for where in ("there", "here")]
    return {
        "study": kept.name,
        "seed": run.seed,
        "of": len(gaps),
        "same": gaps.count(0.0),
        "largest": max(map(abs, gaps)),
        "table": table(["percent", "dataset", *names], rows),
    }


def _difference(run: Results, committed: Results | None) -> dict[str, Any]:
    """The largest differences to the committed results of the same study."""
    if committed is None:
        return {"compared": 0}
    frame = comparable(committed.content, run.content)
    changed = frame[frame["difference"] != 0]
    largest = changed.reindex(
        changed["difference"].abs().sort_values(ascending=False, na_position="first").index
    ).head(ROWS)
    sides = largest[["committed", "fresh", "difference"]].astype(object)
    numbers = sides.where(sides.notna(), None).to_numpy().tolist()
    rows = [
        [f"`{key}`", *map(amount, each)] for key, each in zip(largest["key"], numbers, strict=True)
    ]
    return {
        "compared": len(frame),
        "changed": len(changed),
        "rows": ROWS,
        "difference": table(["number", "committed", "this run", "difference"], rows),
    }
