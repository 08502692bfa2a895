"""The facts of the sentences whose verdict depends on the results; their words are templates."""

import json
from statistics import NormalDist
from typing import Any

import numpy as np

from factmix.published.audit import decision_shares, earned
from factmix.report import figure_data
from factmix.report.baselines import (
    BaselineGroup,
    Contrast,
    baseline_groups,
    compared_mixtures,
    contrasts_of,
)
from factmix.report.sources import Results, SourceError, in_both_readings
from factmix.report.templates import render
from factmix.results import rerun_diff
from factmix.results.numbers import Leaf
from factmix.results.results_json import established, result_key
from factmix.study import freshness
from factmix.study.spec import Study

REPEATED = ("balanced_accuracy", "recall_na")  # the metrics that are looked at with other seeds
Where = tuple[str, str]  # arm and dataset


def findings(results: Results) -> str:
    """What came out, as a Markdown list; one for each baseline that arms are compared with."""
    groups = [group for group in baseline_groups(results) if group.compared]
    training = results.content["training"]
    rose = [arm for arm in results.arms if _above_zero(training[arm]["reward_gain"])]
    return render(
        "findings.md.j2",
        groups=[
            {
                "baseline": group.baseline,
                "best": [_best(group, dataset) for dataset in results.datasets],
                "recall_na": _changed(group, "recall_na"),
                "malformed": _malformed(group),
                "constant": _constant(group),
            }
            for group in groups
        ],
        rose=rose,
        flat=[arm for arm in results.arms if arm not in rose],
    )


def _best(group: BaselineGroup, dataset: str) -> dict[str, Any]:
    """The arm with the highest balanced accuracy, and whether its gain is established."""
    content = group.results.content
    metrics = content["metrics"]
    best = max(group.arms, key=lambda arm: metrics[arm][dataset]["balanced_accuracy"]["value"])
    gain = content["gains"][best][dataset]["balanced_accuracy"] if best in group.compared else None
    established = gain is not None and group.results.established(gain)
    return {"dataset": dataset, "arm": best, "established": established}


def _changed(group: BaselineGroup, metric: str) -> dict[str, list[Where]]:
    """Where a metric is established to be lower, and higher, than the baseline's."""
    gains = group.results.content["gains"]
    sure = {
        (arm, dataset): gain["value"]
        for arm in group.systems
        if arm != group.baseline
        for dataset in group.results.datasets
        if group.results.established(gain := gains[arm][dataset][metric])
    }
    return {
        "lower": [where for where, value in sure.items() if value < 0],
        "higher": [where for where, value in sure.items() if value > 0],
    }


def _malformed(group: BaselineGroup) -> dict[str, list[str]]:
    """Datasets where an arm keeps the format less often than the baseline, interval below it."""
    rates = group.results.content["format_rate"]
    found = {
        arm: [
            dataset
            for dataset in group.results.datasets
            if rates[arm][dataset]["interval"][1] < rates[group.baseline][dataset]["interval"][0]
        ]
        for arm in group.systems
    }
    return {arm: datasets for arm, datasets in found.items() if datasets}


def _constant(group: BaselineGroup) -> dict[str, Any]:
    """The key of always NA, and where an arm's whole interval of accuracy is not above it."""
    metrics, datasets = group.results.content["metrics"], group.results.datasets
    return {
        "key": ("metrics", group.constants, datasets[0], "accuracy"),
        "of": len(group.arms) * len(datasets),
        "not_above": [
            (arm, dataset)
            for arm in group.arms
            for dataset in datasets
            if metrics[arm][dataset]["accuracy"]["interval"][0]
            <= metrics[group.constants][dataset]["accuracy"]["value"]
        ],
    }


def _above_zero(leaf: Leaf) -> bool:
    interval = leaf.get("interval")
    return interval is not None and interval[0] > 0


def headlines(results: Results) -> str:
    """Findings as a Markdown list: about NA, the two levers, what was learned, and accuracy.

    They are of the largest set of arms that differ in nothing but their mixture.
    """
    group, arms = baseline_groups(results)[0], compared_mixtures(results)
    names = {result_key(name): arm for name, arm in results.study.arms.items()}
    constants, best = _thresholds(results)
    facts: dict[str, Any] = {
        "arms": arms,
        "constant": _constant(group),
        "learned": _learned(results),
        "least": _least_alike(results),
        "constants": constants,
        "best": best,
    }
    if arms:
        most = most_changed(results, arms)
        changes = [results.content["gains"][arm][most]["recall_na"] for arm in arms]
        rose = [change["value"] > 0 for change in changes if results.established(change)]
        facts |= {
            "reward": names[arms[0]].reward,
            "most": most,
            "fewer": rose.count(False),
            "more": rose.count(True),
            "levers": _levers(results, arms),
        }
    return render("headlines.md.j2", **facts)


def most_changed(results: Results, arms: list[str]) -> str:
    """The dataset where these arms change the recall of NA most."""
    gains = results.content["gains"]
    return max(
        results.datasets,
        key=lambda dataset: sum(abs(gains[arm][dataset]["recall_na"]["value"]) for arm in arms),
    )


def _levers(results: Results, arms: list[str]) -> list[dict[str, Any]]:
    """For mixture and reward, the pair of arms whose balanced accuracy differs most."""
    found = []
    for setting, contrasts in contrasts_of(results, arms).items():
        content = results.content["contrasts"][setting]
        leaves = [content[each.pair][each.dataset]["balanced_accuracy"] for each in contrasts]
        at = max(range(len(leaves)), key=lambda i: abs(leaves[i]["value"]))
        size, sure = abs(leaves[at]["value"]), results.established(leaves[at])
        found.append({"setting": setting, "pair": contrasts[at], "size": size, "established": sure})
    return found


def learning(results: Results) -> str:
    """How much of the change over the untrained model is shift, and how much is learning."""
    section = results.content["learning"]
    where = [(arm, d) for arm in results.arms for d in results.datasets]

    def most(part: str) -> Where:
        return max(where, key=lambda at: abs(section[at[0]][at[1]][part]["value"]))

    constants, best = _thresholds(results)
    return render(
        "learning.md.j2",
        sure=[results.established(section[arm][d]["total"]) for arm, d in where],
        learned=_learned(results),
        most=most("shift"),
        largest=most("learning"),
        constants=constants,
        best=best,
    )


def _learned(results: Results) -> list[bool]:
    """For every arm on every dataset, whether it learned more than moved thresholds give."""
    section = results.content["learning"]
    return [
        results.established(section[arm][dataset]["learning"])
        for arm in results.arms
        for dataset in results.datasets
    ]


def _least_alike(results: Results) -> Where:
    """The arm and the dataset whose answers constants explain least."""
    section = results.content["learning"]
    where = [(arm, dataset) for arm in results.arms for dataset in results.datasets]
    return min(where, key=lambda at: section[at[0]][at[1]]["agreement"]["value"])


def _thresholds(results: Results) -> tuple[list[str], dict[str, str]]:
    """The datasets with results of constants, most gained over the best arm first; that arm."""
    metrics, constants = results.content["metrics"], results.content["constants"]["base"]
    best = {
        d: max(results.arms, key=lambda arm: metrics[arm][d]["balanced_accuracy"]["value"])
        for d in results.datasets
    }

    def over(dataset: str) -> float:
        reached = metrics[best[dataset]][dataset]["balanced_accuracy"]["value"]
        return float(constants[dataset]["balanced_accuracy"]["value"] - reached)

    return sorted(filter(constants.get, results.datasets), key=over, reverse=True), best


def transfer(results: Results) -> str:
    """What happened to datasets that an arm was not trained on, in one sentence each."""
    table = figure_data.transfer(results)
    left_out = table[~table["trained_on"] & (table["metric"] == "balanced_accuracy")]
    where = left_out[["arm", "dataset"]].to_numpy().tolist()
    return render("transfer.md.j2", left_out=where, results=results)


def awareness(results: Results) -> str:
    """What p(NA) knows, how calibrated the arms are, and what abstaining buys, by dataset."""
    section = results.content["awareness"]
    found = {
        name: {arm: {d: section[arm][d][name] for d in results.datasets} for arm in results.arms}
        for name in ("auroc_na", "ece", "aurc")
    }
    return render("awareness.md.j2", datasets=results.datasets, found=found)


def reward_verdict(study: Study) -> str:
    """For how many beliefs about the gold label NA is the best answer, in both readings."""
    readings = in_both_readings(study.rewards["published"]).items()
    facts = {by: (earned(reward)[0], decision_shares(reward)["NA"]) for by, reward in readings}
    return render("reward-verdict.md.j2", readings=facts)


def check_only_seeds_differ(default: Results, again: Results) -> None:
    """Raises SourceError unless both studies' arms differ in nothing but their seeds."""

    def made_of(results: Results) -> set[str]:
        asked = [[run.arm, freshness.answering_settings(run)] for run in results.study.systems()]
        trained = map(_but_for_seeds, rerun_diff.run_records(results.root).values())
        return {*trained, *(json.dumps(each, sort_keys=True) for each in asked)}

    if made_of(default) != made_of(again):
        raise SourceError(
            f"{again.root}: the arms of {again.name} are not those of {default.name} with other "
            f"seeds: they were trained with other settings, or on other data; make them again "
            f"with: make study STUDY={again.name}, and make freeze STUDY={again.name}"
        )


def _but_for_seeds(run: dict[str, Any]) -> str:
    """What the training of a run depends on, and its evaluation sample, without seed and code."""
    record = run["depends_on"]
    settings = {key: value for key, value in record["settings"].items() if key != "seed"}
    files = [record[key] for key in ("training_sample_sha256", "model_sha256")]
    files.append(run["evaluation_sample_sha256"])
    return json.dumps([run["arm"], settings, *files], sort_keys=True)


def seeds_findings(default: Results, again: Results) -> str:
    """Whether the findings of the default study came again with other seeds, as a Markdown list."""
    arms = compared_mixtures(default)
    facts: dict[str, Any] = {"arms": arms, **_came_again(default, again)}
    if arms:
        most = most_changed(default, arms)
        section, once = again.content["across_seeds"], default.content["gains"]
        facts["most"] = most
        facts["same_direction"] = [
            leaf["value"] * once[arm][most]["recall_na"]["value"] > 0
            for arm in arms
            for leaf in by_seed(section[arm][most]["recall_na"])
        ]
        facts["levers"], facts["reward_wins"] = _levers_by_seed(default, again, arms)
    return render("seeds-findings.md.j2", **facts, **_one_run(default, again))


def seeds_in_short(default: Results, again: Results) -> str:
    """What came again, in a sentence that leads to the page about it."""
    seeds = len(again.content["seeds"])
    return render("seeds-in-short.md.j2", seeds=seeds, **_came_again(default, again))


def by_seed(spread: Any) -> list[Leaf]:
    return list(spread["by_seed"].values())


def over_seeds(again: Results, setting: str, contrast: Contrast) -> Any:
    """Metric -> spread of a contrast."""
    section = again.content["contrasts_across_seeds"]
    return section[setting][contrast.pair][contrast.dataset]


def _levers_by_seed(
    default: Results, again: Results, arms: list[str]
) -> tuple[list[dict[str, Any]], list[bool]]:
    """For mixture and reward what moves balanced accuracy, and in which seeds the reward does more.

    The second is empty unless there are both.
    """
    sizes, found = {}, []
    for setting, contrasts in contrasts_of(default, arms).items():
        spreads = [over_seeds(again, setting, each)["balanced_accuracy"] for each in contrasts]
        values_CS = np.array([[leaf["value"] for leaf in by_seed(each)] for each in spreads])
        sizes[setting] = np.abs(values_CS).max(axis=0)
        first = max(range(len(contrasts)), key=lambda i: abs(spreads[i]["crossed"]["value"]))
        alpha = default.study.statistics.alpha
        sure = sum(established(each["crossed"], alpha) for each in spreads)
        found.append(
            {"setting": setting, "of": len(contrasts), "sure": sure, "pair": contrasts[first]}
        )
    wins = (sizes["reward"] > sizes["mixture"]).tolist() if len(sizes) > 1 else []
    return found, wins


def _came_again(default: Results, again: Results) -> dict[str, Any]:
    """How many established gains have the same direction in every other seed, and of how many."""
    section = again.content["across_seeds"]
    came = [
        all(leaf["value"] * gain["value"] > 0 for leaf in by_seed(section[arm][dataset][metric]))
        for arm, datasets in default.content["gains"].items()
        if arm in section
        for dataset, metrics in datasets.items()
        for metric, gain in metrics.items()
        if metric in REPEATED and default.established(gain)
    ]
    return {"came": sum(came), "total": len(came)}


def _one_run(default: Results, again: Results) -> dict[str, float]:
    """How far one run is from another, beside what the choice of examples does; medians."""
    reach = NormalDist().inv_cdf((1 + default.content["study"]["confidence"]) / 2)
    gains, seeds = default.content["gains"], len(again.content["seeds"])
    of_seeds, of_examples = [], []
    for arm, datasets in again.content["across_seeds"].items():
        for dataset, spread in datasets.items():
            of_seeds.append((seeds * spread["balanced_accuracy"]["seed_variance"]["value"]) ** 0.5)
            low, high = gains[arm][dataset]["balanced_accuracy"]["interval"]
            of_examples.append((high - low) / (2 * reach))
    return {
        "of_seeds": float(np.median(of_seeds)),
        "of_examples": float(np.median(of_examples)),
    }
