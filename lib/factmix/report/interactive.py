"""What the scripts of interactive pages start from: reward explorer, and browser of examples.

Predictions name an example and do not hold its text. The embedded datasets are generated from a
seed, so the texts are generated again here and matched by id and gold label.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from factmix.data.datasets import load
from factmix.report.baselines import ARM_NAMES, baseline_groups
from factmix.report.markdown import table
from factmix.report.plot_style import ANSWER_COLOURS
from factmix.report.sources import Results, SourceError
from factmix.report.templates import render
from factmix.study.examples import Example
from factmix.study.labels import ANSWERS, LABELS

COLOURS = {str(label): ANSWER_COLOURS[label] for label in LABELS}
# As the chapter names them.
FACTORS = {
    "correct": "correct_factor",
    "wrong": "wrong_factor",
    "false_na": "false_na_factor",
    "explore": "explore_bonus",
    "format": "format_penalty",
}
WITHOUT_SCRIPTS = 4  # examples of each dataset and gold label


def explorer(results: Results) -> dict[str, Any]:
    """Where the explorer starts: the study's first weighted reward, and its share of each label.

    Returns:
        reward: as in the study's YAML; belief: (p(NA), p(PASS), p(FAIL)), the shares of the
        evaluation set; colours: by answer; names: of the reward's numbers.
    """
    groups = baseline_groups(results)
    reward = next(reward for group in groups for reward in group.weighted.values())
    counts = [results.study.evaluation.counts[label] for label in LABELS]
    return {
        "reward": reward.model_dump(mode="json"),
        "belief": [count / sum(counts) for count in counts],
        "colours": COLOURS,
        "names": FACTORS,
    }


def files(results: Results) -> dict[str, Path]:
    """The predictions of the base model and of each arm that answers the same examples."""
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


def names(arms: Iterable[str]) -> dict[str, str]:
    return {arm: ARM_NAMES.get(arm, arm) for arm in arms}


def browser(shown: Mapping[str, Any]) -> dict[str, Any]:
    """What the browser's script starts from, beside the data: words for arms, and colours."""
    return {"names": names(shown["arms"]), "colours": COLOURS}


def without_scripts(results: Results, shown: Mapping[str, Any]) -> str:
    """A sentence and a table of the first few examples of each dataset and gold label."""
    kinds = list(zip(shown["dataset"], shown["gold"], strict=True))
    chosen = [i for i, kind in enumerate(kinds) if kinds[:i].count(kind) < WITHOUT_SCRIPTS]
    arms = shown["arms"]
    rows = [
        [
            _plain(shown["claims"][i]),
            _plain(" ".join(shown["evidence"][i])),
            shown["datasets"][int(shown["dataset"][i])],
            ANSWERS[int(shown["gold"][i])],
            *(ANSWERS[int(of["answers"][i])] for of in arms.values()),
        ]
        for i in chosen
    ]
    header = ["claim", "evidence", "dataset", "gold", *map(_plain, names(arms).values())]
    return render(
        "examples.md.j2",
        study=results.name,
        shown=len(chosen),
        of=len(shown["ids"]),
        table=table(header, rows, words=True),
    )


def _plain(text: str) -> str:
    """A text as Markdown that shows it as it is: whatever it holds is no markup."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)
