"""The tidy tables that figures are drawn from: out of results.json, and out of a run's files."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from factmix.published.released import DATASETS
from factmix.report.sources import Results
from factmix.results.answers import predictions
from factmix.results.domain_number import sets_of
from factmix.results.results_json import result_key, tidy
from factmix.results.statements import families
from factmix.results.sweep import sweep_of
from factmix.stats.awareness import COVERAGES, risks
from factmix.study.labels import ANSWERS, LABELS
from factmix.study.run import Run
from factmix.study.spec import Study
from factmix.training.columns import PROBABILITIES

LEVELS = ["arm", "dataset", "metric"]
# Below the first, a risk is that of so few examples that its curve would only be noise.
CURVE = tuple(np.round(np.linspace(0.05, 1, 96), 2).tolist())
TRANSFER_METRICS = ("balanced_accuracy", "recall_na")


def gains(results: Results) -> pd.DataFrame:
    """Gains of the arms, without those of base models; columns as `tidy` gives them."""
    frame = tidy(results.content["gains"], LEVELS)
    return frame[frame["arm"].isin(results.arms)].reset_index(drop=True)


def learning(results: Results) -> pd.DataFrame:
    """The change over the base model: metric is total, shift or learning."""
    section = {
        arm: {
            dataset: {name: found[name] for name in ("total", "shift", "learning")}
            for dataset, found in datasets.items()
        }
        for arm, datasets in results.content["learning"].items()
    }
    return tidy(section, LEVELS)


def dose(results: Results) -> pd.DataFrame:
    """Changes since step 0: columns step and prompts (of the dataset) beside those of `tidy`."""
    section = results.content["dose"]
    frame = tidy(section, ["arm", "dataset", "step", "metric"])
    at = ["arm", "dataset", "step"]
    prompts = frame[frame["metric"] == "prompts"].set_index(at)["value"].rename("prompts")
    return frame[frame["metric"] != "prompts"].join(prompts, on=at).reset_index(drop=True)


def transfer(results: Results) -> pd.DataFrame:
    """Some of the gains, with a column trained_on: whether the arm's mixture has the dataset."""
    frame, study = gains(results), results.study
    frame = frame[frame["metric"].isin(TRANSFER_METRICS)].reset_index(drop=True)
    trained_on = {
        (result_key(name), result_key(dataset))
        for name, arm in study.arms.items()
        for dataset, counts in study.mixtures[arm.mixture].items()
        if any(counts.values())
    }
    pairs = zip(frame["arm"], frame["dataset"], strict=True)
    return frame.assign(trained_on=[pair in trained_on for pair in pairs])


def pairs(results: Results) -> pd.DataFrame:
    """Columns arm, dataset, fixed, broken and p (Holm): discordant pairs with the baseline."""
    rows = [
        (arm, dataset, test["fixed"]["value"], test["broken"]["value"], test["p"]["p_holm"])
        for arm, of in results.content["mcnemar"].items()
        if arm in results.arms
        for dataset, test in of.items()
    ]
    return pd.DataFrame(rows, columns=["arm", "dataset", "fixed", "broken", "p"])


def seeds(results: Results) -> pd.DataFrame:
    """Gains over all seeds: columns arm, dataset, metric, seed, and those of `tidy`.

    A row for every seed, and one whose seed is "mean". Only of studies with several seeds.
    """

    gains = results.content["gains"]

    def of_each(gain: Mapping[str, Any], examples: int) -> dict[str, Any]:
        single = zip(map(str, results.content["seeds"]), gain["by_seed"], strict=True)
        return {"mean": gain} | {seed: {"value": value, "n": examples} for seed, value in single}

    section = {
        arm: {
            dataset: {
                metric: of_each(gains[arm][dataset][metric], spread["example_variance"]["n"])
                for metric, spread in metrics.items()
            }
            for dataset, metrics in datasets.items()
        }
        for arm, datasets in results.content["across_seeds"].items()
        if arm in results.arms
    }
    return tidy(section, [*LEVELS, "seed"])


def reliability(results: Results) -> pd.DataFrame:
    """Columns arm, dataset, bin, confidence, and value, low, high: the share that is right."""
    rows = [
        (arm, dataset, name, each["confidence"]["value"], right["value"], *right["interval"])
        for arm, datasets in results.content["awareness"].items()
        for dataset, measures in datasets.items()
        for name, each in measures["reliability"].items()
        for right in [each["accuracy"]]
    ]
    columns = ["arm", "dataset", "bin", "confidence", "value", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def risk_coverage(results: Results) -> pd.DataFrame:
    """Risk at many coverages, computed from the predictions; at some, results have its interval.

    Returns:
        columns arm, dataset, coverage, value, low and high; NaN where there is no interval.
    """
    rows = []
    answers = predictions(results.study, results.paths)
    for names, given in answers.groupby(["arm", "dataset"], sort=False):
        arm, dataset = (result_key(str(name)) for name in names)
        chances_NL = given[list(PROBABILITIES)].to_numpy(dtype=float)
        measured = results.content["awareness"][arm][dataset]
        risk_C = risks(given["gold"].tolist(), chances_NL, CURVE)
        for coverage, risk in zip(CURVE, risk_C.tolist(), strict=True):
            found = measured[f"risk_at_{round(100 * coverage)}"] if coverage in COVERAGES else {}
            low, high = found.get("interval", (np.nan, np.nan))
            rows.append((arm, dataset, coverage, risk, low, high))
    return pd.DataFrame(rows, columns=["arm", "dataset", "coverage", "value", "low", "high"])


def confusion(content: Mapping[str, Any]) -> pd.DataFrame:
    """Columns arm, dataset, gold, predicted and n: how many answers; from a section confusion."""
    rows = [
        (arm, dataset, str(LABELS[gold]), str(ANSWERS[answer]), counts_LA[gold][answer])
        for arm, datasets in content["confusion"].items()
        for dataset, counts_LA in datasets.items()
        for gold, answer in np.ndindex(len(LABELS), len(ANSWERS))
    ]
    return pd.DataFrame(rows, columns=["arm", "dataset", "gold", "predicted", "n"])


def mixtures(study: Study) -> pd.DataFrame:
    """Columns mixture, dataset, label and value: training examples."""
    rows = [
        (mixture, dataset, str(label), count)
        for mixture, datasets in study.mixtures.items()
        for dataset, counts in datasets.items()
        for label, count in counts.items()
    ]
    return pd.DataFrame(rows, columns=["mixture", "dataset", "label", "value"])


def compared_by_number(results: Results) -> dict[tuple[str, ...], Run]:
    """The runs of the first seed that are compared, by the datasets of their mixture."""
    study = results.study
    ((reward, _),) = results.content["domain_number"].items()
    runs = {result_key(name): found for name, found in families(study).items()}[reward]
    sets = sets_of(study, list(runs))
    assert sets is not None
    mixtures = [*sets.single.values(), *sets.pairs.values(), sets.whole]
    return {
        tuple(name for name in study.datasets if name in study.mixtures[mixture]): runs[mixture]
        for mixture in mixtures
    }


def domain_number(results: Results) -> pd.DataFrame:
    """Learning by the number of training datasets.

    Returns:
        columns mixture (the initials of its datasets), number (of them), dataset, trained_on,
        value, low and high.
    """
    rows = []
    for of, run in compared_by_number(results).items():
        for dataset, found in results.content["learning"][result_key(run.arm)].items():
            leaf = found["learning"]
            inside = dataset in map(result_key, of)
            initials = "".join(name[0] for name in of)
            rows.append((initials, len(of), dataset, inside, leaf["value"], *leaf["interval"]))
    columns = ["mixture", "number", "dataset", "trained_on", "value", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def by_kind(results: Results) -> pd.DataFrame:
    """Learning by kind of claim, of the mixtures of a single dataset.

    Returns:
        columns mixture (its dataset), dataset, side, kind, trained_on and value.
    """
    ((_, found),) = results.content["by_kind"].items()
    runs = {of[0]: run.mixture for of, run in compared_by_number(results).items() if len(of) == 1}
    rows = [
        (name, dataset, side, kind, dataset == result_key(name), of["learning"]["value"])
        for name, mixture in runs.items()
        for dataset, sides in found[result_key(mixture)].items()
        for side, kinds in sides.items()
        for kind, of in kinds.items()
    ]
    columns = ["mixture", "dataset", "side", "kind", "trained_on", "value"]
    return pd.DataFrame(rows, columns=columns)


def domain_shares(results: Results) -> pd.DataFrame:
    """Learning by the shares of training datasets, and the change where each improves least.

    Returns:
        columns panel, mixture, one for each training dataset (its share), value, and the ends of
        its interval, low and high, which the smallest of several changes does not have.
    """
    study = results.study
    ((reward, _),) = results.content["domain_shares"].items()
    runs = {result_key(name): found for name, found in families(study).items()}[reward]
    sweep = sweep_of(study, list(runs))
    assert sweep is not None
    learning = results.content["learning"]
    rows = []
    for mixture, shares in sweep.shares.items():
        found = learning[result_key(runs[mixture].arm)]
        leaves = {f"learning, {name}": each["learning"] for name, each in found.items()}
        least = min(each["total"]["value"] for each in found.values())
        leaves["change, least improved"] = {"value": least, "interval": [np.nan, np.nan]}
        rows += [
            (panel, mixture, *shares, leaf["value"], *leaf["interval"])
            for panel, leaf in leaves.items()
        ]
    named = ["panel", "mixture", *sweep.datasets, "value", "low", "high"]
    frame = pd.DataFrame(rows, columns=named)
    return frame.sort_values("panel", key=lambda of: of.map(list(leaves).index), kind="stable")


def protocols(results: Results, published: Mapping[str, Any]) -> pd.DataFrame:
    """What arms answer by protocol, beside the published arms of the same mixtures.

    Args:
        results: of a study with arms that differ in their protocol.
        published: system -> dataset -> outcome -> leaf.

    Returns:
        columns mixture, cell (the last is "published"), dataset, outcome, value, low and high; NaN
        where there is no interval.
    """
    (found,) = results.content["protocols"].values()
    levels = {
        (mixture, cell, dataset): outcomes
        for mixture, cells in found["level"].items()
        for cell, datasets in cells.items()
        for dataset, outcomes in datasets.items()
    }
    stands_for = {each.stands_for: result_key(d) for d, each in results.study.datasets.items()}
    for mixture in found["level"]:
        for dataset, outcomes in published[mixture].items():
            levels[mixture, "published", stands_for[DATASETS[dataset]]] = outcomes
    rows = []
    for at, outcomes in levels.items():
        for outcome, of in outcomes.items():
            leaf = of.get("crossed", of)
            low, high = leaf.get("interval", (np.nan, np.nan))
            rows.append((*at, outcome, leaf["value"], low, high))
    return pd.DataFrame(
        rows, columns=["mixture", "cell", "dataset", "outcome", "value", "low", "high"]
    )
