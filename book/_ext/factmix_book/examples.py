"""Every example of the evaluation set with its answers: data for book/_static/example_browser.js.

Predictions name an example and do not hold its text. The embedded datasets are generated from a
seed, so the texts are generated again here and matched by id and gold label.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from factmix.data.datasets import load
from factmix.report.plot_style import ANSWER_COLOURS
from factmix.study.examples import Example
from factmix.study.labels import ANSWERS, LABELS
from factmix_book.interactive import box
from factmix_book.parts import ARM_NAMES
from factmix_book.sources import Results, SourceError, write_if_changed

CLASS = "example-browser"
WITHOUT_SCRIPTS = 4  # examples of each dataset and gold label


def files(results: Results) -> dict[str, Path]:
    """The predictions of the untrained model and of each arm that answers the same examples."""
    alike = [run.arm for run in results.study.runs() if not run.evaluation_sample.variant]
    folders = {"base": results.paths.base}
    folders |= {arm: results.paths.arm(arm, results.seed) for arm in alike}
    return {arm: folder / "predictions.parquet" for arm, folder in folders.items()}


def data(results: Results) -> dict[str, Any]:
    """What the browser shows, by column; see `columns`."""
    predictions = {arm: pd.read_parquet(file) for arm, file in files(results).items()}
    texts = {name: list(load(name).examples) for name in results.datasets}
    try:
        shown = columns(predictions, texts)
    except ValueError as error:
        raise SourceError(
            f"{results.root}: {error}. The answers were given to other examples than the datasets "
            "hold now: run the study again with `make study` and then `make freeze`."
        ) from error
    for arm, of in shown["arms"].items():
        baseline = arm if arm == "base" else results.study.run(arm).baseline
        of["baseline"] = None if baseline == arm else baseline
    return shown


def columns(
    predictions: Mapping[str, pd.DataFrame], texts: Mapping[str, Sequence[Example]]
) -> dict[str, Any]:
    """Examples and answers in columns, as few characters as is simple.

    Args:
        predictions: arm -> its predictions; every arm of the same examples in the same order.
        texts: dataset -> its examples, at least those of the predictions.

    Returns:
        datasets: names; and with one entry per example dataset: its digit there, gold: its digit
        in `ANSWERS`, ids, claims, evidence. arms.<arm>.answers: digits in `ANSWERS`;
        arms.<arm>.chances: p(NA), p(PASS) and p(FAIL) in thousandths, two digits to the base 36
        each. Digits are joined to one string.

    Raises:
        ValueError: a prediction's example is not in `texts`, or has another gold label there.
    """
    first = next(iter(predictions.values()))
    known = {(name, e.id): e for name, examples in texts.items() for e in examples}
    examples = []
    for dataset, id_, gold in zip(first["dataset"], first["id"], first["gold"], strict=True):
        example = known.get((dataset, id_))
        if example is None:
            raise ValueError(f"the predictions name the example '{id_}', not one of {dataset}")
        if example.label != gold:
            raise ValueError(
                f"the predictions give {dataset} '{id_}' the gold label {gold}, but the dataset "
                f"{example.label}"
            )
        examples.append(example)
    keys = ["dataset", "id", "gold"]
    for arm, frame in predictions.items():
        if not frame[keys].reset_index(drop=True).equals(first[keys].reset_index(drop=True)):
            raise ValueError(f"the predictions of {arm} are of other examples than the first ones")
    datasets = list(texts)
    return {
        "datasets": datasets,
        "dataset": "".join(str(datasets.index(e.dataset)) for e in examples),
        "gold": _digits(first["gold"]),
        "ids": [e.id for e in examples],
        "claims": [e.claim for e in examples],
        "evidence": [list(e.evidence) for e in examples],
        "arms": {
            arm: {"answers": _digits(frame["predicted"]), "chances": _chances(frame)}
            for arm, frame in predictions.items()
        },
    }


def _digits(answers: pd.Series) -> str:
    return "".join(str(ANSWERS.index(answer)) for answer in answers)


def _chances(predictions: pd.DataFrame) -> str:
    chances_EL = predictions[[f"p_{label.lower()}" for label in LABELS]].to_numpy()
    thousandths = np.round(1000 * chances_EL).astype(int).ravel()
    return "".join(np.base_repr(n, 36).lower().zfill(2) for n in thousandths)


def script(shown: Mapping[str, Any]) -> str:
    """The data as a script: a page that was opened as a file may load that, but not JSON."""
    text = json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
    return f"window.factmixExamples = {text};\n"


def write(shown: Mapping[str, Any], into: Path) -> set[Path]:
    return {write_if_changed(into / "examples_data.js", script(shown))}


class ExampleBrowser(SphinxDirective):
    """The browser; without scripts, a table of some examples and a sentence that says so."""

    def run(self) -> list[nodes.Node]:
        committed: Results = self.env.app.factmix_committed
        shown: dict[str, Any] = self.env.app.factmix_examples
        chosen = _some(shown)
        text = (
            f"These are {len(chosen)} of the {len(shown['ids']):,} examples. Searching them all "
            "takes a browser that runs scripts; all answers are in the files predictions.parquet "
            f"below results/{committed.name}/."
        )
        names = {arm: ARM_NAMES.get(arm, arm) for arm in shown["arms"]}
        colours = {str(label): ANSWER_COLOURS[label] for label in LABELS}
        browser = box(self.env, CLASS, {"names": names, "colours": colours})
        browser += nodes.paragraph(text, text)
        browser += _table(
            ["claim", "evidence", "dataset", "gold", *names.values()],
            [_row(shown, i) for i in chosen],
        )
        return [browser]


def _some(shown: Mapping[str, Any]) -> list[int]:
    """The first few examples of each dataset and gold label."""
    kinds = list(zip(shown["dataset"], shown["gold"], strict=True))
    return [i for i, kind in enumerate(kinds) if kinds[:i].count(kind) < WITHOUT_SCRIPTS]


def _row(shown: Mapping[str, Any], i: int) -> list[str]:
    answers = [ANSWERS[int(of["answers"][i])] for of in shown["arms"].values()]
    dataset, gold = shown["datasets"][int(shown["dataset"][i])], ANSWERS[int(shown["gold"][i])]
    return [shown["claims"][i], " ".join(shown["evidence"][i]), dataset, gold, *answers]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> nodes.table:
    """A table of plain text: whatever a cell holds, it is no markup."""
    group = nodes.tgroup(cols=len(header))
    group += [nodes.colspec(colwidth=1) for _ in header]
    for part, lines in ((nodes.thead(), [header]), (nodes.tbody(), rows)):
        for line in lines:
            part += nodes.row("", *(nodes.entry("", nodes.paragraph(t, t)) for t in line))
        group += part
    return nodes.table("", group)


def setup(app: Sphinx) -> None:
    app.add_directive(CLASS, ExampleBrowser)
