"""Everything that the book includes and offers, as files by path; each function makes one part."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from factmix.report import (
    benchmarks,
    downloads,
    drawings,
    findings,
    interactive,
    model_page,
    more_steps,
    provenance,
    published_study,
    run_pages,
    tables,
)
from factmix.report.markdown import tabled
from factmix.report.sources import Results
from factmix.report.templates import say
from factmix.results.compare_files import as_text, compare_pairs
from factmix.results.prediction_files import pair
from factmix.results.statements import MEASURE

Files = Mapping[str, str | bytes]  # path below the folder of what is generated -> content


def _tables(made: Mapping[str, str]) -> Files:
    return {f"tables/{name}.md": text for name, text in made.items()}


def _json(tree: Any) -> str:
    return json.dumps(tree, indent=1, ensure_ascii=False) + "\n"


def chapter_tables(default: Results, second: Results) -> Files:
    made = tables.of_study(default) | tables.of_seeds(default) | tables.of_second(second)
    made |= model_page.of_card(second, "second-model") | tables.of_kinds()
    return _tables(made | model_page.tables(default))


def sentences(default: Results, second: Results) -> Files:
    """The sentences of chapters whose verdict depends on the results."""
    made = {
        "findings": findings.findings(default),
        "findings-headlines": findings.headlines(default),
        "findings-transfer": findings.transfer(default),
        "findings-awareness": findings.awareness(default),
        "findings-learning": findings.learning(default),
        "reward-abstain": findings.abstain(default),
        "reward-verdict": findings.reward_verdict(default.study),
        "findings-answer": findings.answer(default),
        "findings-seeds": findings.seeds(default),
        "findings-second": findings.second(default, second, model_page.rejected_by(second)),
    }
    made |= {f"statement-{name}": findings.statement(default, name) for name in MEASURE}
    return _tables(made)


@cache
def _published(default: Results) -> published_study.Published:
    return published_study.read(default)


def protocols(default: Results, of_protocols: Results) -> Files:
    """Tables and sentences of the page about described and released."""
    published = _published(default)
    made = tables.of_protocols(of_protocols, published)
    made["findings-protocols"] = findings.protocols(of_protocols, published)
    return _tables(made | {"findings-contamination": findings.contamination(of_protocols)})


def pairs(results: Results) -> Files:
    """Table and sentences of the page about the number of training domains."""
    made = {
        "findings-domain-number": findings.domain_number(results),
        "findings-domain-number-short": findings.domain_number(results, short=True),
    }
    return _tables(made | tables.of_pairs(results))


def sweep(results: Results) -> Files:
    """Table and sentences of the page about the shares of training domains."""
    made = {
        "findings-domain-shares": findings.domain_shares(results),
        "findings-domain-shares-short": findings.domain_shares(results, "short"),
        "findings-domain-shares-kinds": findings.domain_shares(results, "kinds"),
    }
    return _tables(made | tables.of_sweep(results))


def plateau(default: Results, longer: Results) -> Files:
    """Tables and sentences of the page about more steps."""
    return _tables(more_steps.said(default, longer))


def real(default: Results, results: Results) -> Files:
    """Tables and sentences of the page about a language model on real claims."""
    tests = model_page.tests_of_answers(results)
    failed = list(model_page.blocking(tests))
    said = {
        "findings-real-beside": findings.beside(default, results),
        "findings-real-short": findings.beside(default, results, failed, short=True),
        "findings-real": findings.findings(results),
        "findings-real-learning": findings.learning(results),
        "findings-real-transfer": findings.transfer(results),
    }
    said |= model_page.of_answers(results, tests, "real")
    said |= model_page.of_warm_start(results, "real") | model_page.of_plan(results, "real")
    said |= model_page.of_ties(results, "real") | model_page.of_unseen(results, "real")
    return _tables(said | tables.of_real(results))


def reseeded(results: Results) -> Files:
    """Tables and sentences of the page about further seeds of the language model."""
    said = {
        "findings-reseeded": findings.reseeded(results),
        "findings-reseeded-short": findings.reseeded_short(results),
    }
    return _tables(said | tables.of_reseeded(results))


@cache
def _drawn(kind: str, source: Any) -> dict[str, drawings.Drawing]:
    """Figures that are drawn from one source."""
    if kind == "published":
        return drawings.of_published(_published(source))
    if kind == "speed":
        return benchmarks.drawings(benchmarks.read(source))
    if kind == "second":
        return drawings.of_second(source) | model_page.drawing(source, notebook="")
    if kind == "protocols":
        default, of_protocols = source
        return drawings.of_protocols(of_protocols, _published(default).numbers["level"])
    if kind == "pairs":
        return drawings.of_pairs(source)
    if kind == "sweep":
        return drawings.of_sweep(source)
    if kind == "plateau":
        return drawings.of_plateau(source)
    if kind == "real":
        return drawings.of_real(source)
    return drawings.of_study(source) | model_page.drawing(source)


def images(kind: str, source: Any, folder: str) -> Files:
    """The figures of a "study", of one of `ASIDES`, of the "published" study, or of "speed"."""
    return drawings.images(_drawn(kind, source), folder)


def words(kind: str, source: Any, folder: str) -> Files:
    """What the same figures show in words."""
    return drawings.descriptions(_drawn(kind, source), folder)


def published_numbers(default: Results) -> Files:
    """Numbers of the published study, and verdicts of the ledger."""
    study = _published(default)
    return {
        "numbers/published.json": _json(study.numbers),
        "numbers/claims.json": _json(study.verdicts),
    }


def published_tables(default: Results) -> Files:
    return _tables(tables.of_published(_published(default)))


def measured(speed: Path) -> Files:
    """What benchmarks/ measured: the speed of training, and the statistics."""
    simulated = published_study.benchmarks()
    made = tables.of_statistics(simulated) | {"benchmarks": benchmarks.page(benchmarks.read(speed))}
    return {"numbers/benchmarks.json": _json(simulated), **_tables(made)}


def killed(kept: Path, kept_smollm2: Path, two_processes: Path) -> Files:
    """How studies went on that were killed, from the files that the scripts of tests/faults wrote.

    Args:
        kept: of kills.py.
        kept_smollm2: of kills_smollm2.py.
        two_processes: of two_processes.py, whose training was not killed.
    """
    found, real, compared = (
        json.loads(file.read_text(encoding="utf-8")) for file in (kept, kept_smollm2, two_processes)
    )
    said = {
        "kills": say("kills.md.j2", "sentence", found),
        "kills-each": tabled(say("kills.md.j2", "outcomes", found)),
        "kills-real": say("kills.md.j2", "real", real),
        "two-processes": say("kills.md.j2", "processes", compared),
    }
    return _tables(said)


def committed_downloads(default: Results, asides: Mapping[str, Results]) -> Files:
    made = downloads.of_study(default) | downloads.elsewhere()
    for results in asides.values():
        made |= downloads.of_study(results)
    return {**_html(made), **_tables(downloads.tables(default, asides, made))}


def _html(made: Mapping[str, bytes]) -> Files:
    return {f"html/{path}": content for path, content in made.items()}


# Two runs, for the example of `factmix compare`.
EXAMPLE = ("format_only-s0", "balanced_accuracy-s0")


def two_systems(default: Results) -> Files:
    """What `factmix compare` prints for two committed files of answers, below the command."""
    files = [f"{default.place}/{name}/predictions.parquet" for name in EXAMPLE]
    pairs = pair(*(default.root / name / "predictions.parquet" for name in EXAMPLE))
    result = compare_pairs(pairs)
    for read, file in zip(result["read"].values(), files, strict=True):
        read["file"] = file  # as it is called in the repository
    command = " \\\n    ".join(["$ factmix compare", *files])
    text = f"{command}\n{as_text(result)}\n"
    return {"text/compare.txt": text}


def scripts(default: Results) -> Files:
    """The settings and data of the explorer and of the example browser."""
    shown = interactive.data(default)
    return {
        "static/examples_data.js": interactive.script(shown),
        "settings/example-browser.json": _json(interactive.browser(shown)),
        "settings/reward-explorer.json": _json(interactive.explorer(default)),
        "tables/examples.md": interactive.without_scripts(default, shown),
    }


def run(results: Results, committed: Sequence[Results]) -> Files:
    """The page of a run on this machine, and its downloads."""
    made = downloads.of_study(results)
    page = run_pages.page(results, committed, _drawn("study", results), made)
    return {f"runs/{results.name}.md": page, **_html(made)}


def lines(shown: Sequence[Results], committed: Sequence[Results]) -> Files:
    """The line at the head and the one at the foot of pages, by what a page shows.

    Args:
        shown: all results that have pages.
        committed: those that are committed, of the default study first.
    """
    of = {results.place: (results, "") for results in shown}
    of |= {page: (committed[0], page) for page in provenance.ELSEWHERE}
    return {
        f"lines/{place}.json": _json(
            {"head": provenance.head(each, page), "foot": provenance.foot(each, committed, page)}
        )
        for place, (each, page) in of.items()
    }
