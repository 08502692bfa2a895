"""A page for each study that was run on this machine, all from one template."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from factmix.data.datasets import FILES
from factmix.report import downloads, findings, tables
from factmix.report.baselines import baseline_groups
from factmix.report.markdown import table
from factmix.report.sources import Results
from factmix.report.templates import render
from factmix.results.numbers import amount
from factmix.results.rerun_diff import comparable

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
    kept = {each.name: each for each in committed}
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
        **_difference(run, kept.get(run.name)),
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
