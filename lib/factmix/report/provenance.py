"""The head and foot of every page: where its numbers are from, and whether they came again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from factmix.report.sources import Results, with_same_arms
from factmix.report.templates import say
from factmix.results import rerun_diff

LEAST = 0.001  # differences of a share below it are not told apart


@dataclass(frozen=True)
class Elsewhere:
    """Where a page's numbers are from that are of no study of ours.

    Attributes:
        what: in words.
        beside: whether the page has numbers of the committed study too.
    """

    what: str
    beside: bool = False


_RELEASED = "answers and logs that the published study released, as kept in results/published/"
ELSEWHERE = {
    "appendix/published": Elsewhere(_RELEASED),
    "_generated/notebooks/published": Elsewhere(_RELEASED),
    "appendix/audit": Elsewhere(_RELEASED, beside=True),
    "appendix/benchmarks": Elsewhere("measurements, as kept in results/speed/"),
    "appendix/statistics": Elsewhere("simulations, as kept in results/benchmarks/", beside=True),
}


def head(results: Results, page: str = "") -> str:
    """The line at the head of a page: study, model and date of the results that it shows.

    Args:
        results: those, or what the page would show if its numbers were of a study.
        page: its name, where it is one of `ELSEWHERE`.
    """
    origin = rerun_diff.origin(results.root)
    return say("provenance.j2", "head", results, origin, ELSEWHERE.get(page))


def foot(results: Results, committed: Sequence[Results], page: str = "") -> str:
    """The line at the foot, which agrees with the head and says whether the results came again.

    Args:
        results: as for `head`.
        committed: all committed results.
        page: as for `head`.
    """
    kept = None if results.fresh else rerun_diff.recorded(results.paths)
    rerun = _nearness(kept) if kept else None
    comparable = results.fresh and with_same_arms(results, committed) is not None
    some = [] if results.fresh else rerun_diff.recorded_answers(results.paths)
    answers = _of_some(some[-1]) if some else None
    about = results, rerun_diff.origin(results.root), rerun, answers, comparable
    return say("provenance.j2", "foot", *about, ELSEWHERE.get(page))


def _nearness(kept: dict[str, Any]) -> dict[str, Any]:
    """How near a rerun came: its origin, whether all is the same, and the largest of the shares."""
    shares = [row for unit, row in kept["largest"].items() if unit in ("fraction", "points")]
    largest = max(shares, key=lambda row: abs(row["difference"]), default=None)
    only_one = kept["only_committed"] + kept["only_fresh"]
    return kept | {
        "origin": rerun_diff.Origin(**kept["fresh"]),
        "all_same": kept["same"] == kept["compared"] and not only_one,
        "largest_share": largest,
        "least": LEAST,
    }


def _of_some(kept: dict[str, Any]) -> dict[str, Any]:
    """How near the runs that were made again came: their origin, answers, and those that differ."""
    examples, same = (
        sum(run[key] for run in kept["runs"].values()) for key in ("examples", "same")
    )
    return kept | {
        "origin": rerun_diff.Origin(**kept["fresh"]),
        "examples": examples,
        "differ": examples - same,
    }
