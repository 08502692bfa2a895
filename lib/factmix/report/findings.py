"""The facts of the sentences whose verdict depends on the results; their words are templates."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from factmix.published.audit import decision_shares, earned
from factmix.published.released import DATASETS
from factmix.report import figure_data
from factmix.report.baselines import (
    BaselineGroup,
    Contrast,
    baseline_groups,
    contrasts_of,
)
from factmix.report.published_study import PATTERN, Published
from factmix.report.sources import Results, in_both_readings
from factmix.report.templates import listed, lowest_and_highest, render
from factmix.results import domain_number as numbers
from factmix.results import domain_shares as shares
from factmix.results import statements
from factmix.results.answers import read_answers
from factmix.results.numbers import Leaf
from factmix.results.protocols import OUTCOMES
from factmix.results.results_json import correct, leaf, result_key
from factmix.results.shared_kinds import kind_cases
from factmix.stats.metrics import Floats
from factmix.stats.seeds import least_rejected, seed_gains
from factmix.study.labels import ANSWERS, LABELS, Label
from factmix.study.run import PREDICTIONS
from factmix.study.settings import Dataset
from factmix.study.spec import Study
from factmix.training.columns import PROBABILITIES

Where = tuple[str, str]  # arm and dataset
POWER = f"{100 * statements.POWER:g}\u00a0%"  # as sentences have it
SEED_METRICS = ("balanced_accuracy", "recall_na")  # in which further seeds are compared
NEARLY_ALL = 0.99  # of the claims
ENOUGH = 0.1  # of the groups, for a reward of its own
# What a cell of `protocols` is called in sentences.
PARTS = {
    "described": "The mixture, all as described",
    "evidence": "Added by training evidence as released",
    "settings": "Added by all other settings as released",
    "released": "Added by both together",
}
SHORT = {
    "described": "the mixture as described",
    "evidence": "training evidence as released",
    "settings": "the other settings as released",
    "released": "both as released, which includes the evidence",
}


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
    """Findings as a Markdown list: the statements of the plan, NA, the levers, and learning."""
    families = statements.families(results.study).get(statements.DECIDING, {})
    return render(
        "headlines.md.j2",
        named={mixture: result_key(run.arm) for mixture, run in families.items()},
        ceiling=_ceiling(results),
        levers=_levers(results),
        recall_na=_recall_of_na(results),
        learned=_learned(results),
        least=_least_alike(results),
        **_statements(results),
        **_thresholds(results),
    )


def _recall_of_na(results: Results) -> dict[str, dict[str, Any]]:
    """Of the arms of each reward that differ in their mixture: where recall of NA changed."""
    gains, found = results.content["gains"], {}
    for reward, runs in statements.families(results.study).items():
        arms = [result_key(run.arm) for run in runs.values()]
        where = [(arm, dataset) for arm in arms for dataset in results.datasets]
        leaves = [gains[arm][dataset]["recall_na"] for arm, dataset in where]
        sure = [results.established(leaf) * np.sign(leaf["value"]) for leaf in leaves]
        values = [leaf["value"] for leaf in leaves]
        found[reward] = {
            "lower": sure.count(-1),
            "higher": sure.count(1),
            "of": len(sure),
            "lowest": where[values.index(min(values))],
            "highest": where[values.index(max(values))],
        }
    return found


def _levers(results: Results, metric: str = "balanced_accuracy") -> list[dict[str, Any]]:
    """For mixture and reward, the pair of arms that differ most in a metric."""
    found = []
    for setting, contrasts in contrasts_of(results).items():
        if not contrasts:
            continue
        content = results.content["contrasts"][setting]
        leaves = [content[each.pair][each.dataset][metric] for each in contrasts]
        at = max(range(len(leaves)), key=lambda i: abs(leaves[i]["value"]))
        sure = [results.established(leaf) for leaf in leaves]
        found.append(
            {
                "setting": setting,
                "pair": contrasts[at],
                "established": sure[at],
                "sure": sum(sure),
                "of": len(contrasts),
            }
        )
    return found


def learning(results: Results) -> str:
    """How much of the change over the base model is shift, and how much is learning."""
    section = results.content["learning"]
    where = [(arm, d) for arm in results.arms for d in results.datasets]

    def reach(at: Where) -> tuple[float, float]:
        low, high = section[at[0]][at[1]]["learning"]["interval"]
        return float(max(-low, high)), float(high)

    def moved(part: str) -> list[bool]:
        return [results.established(section[arm][d][part]) for arm, d in where]

    return render(
        "learning.md.j2",
        sure=moved("total"),
        shifted=moved("shift"),
        tested=moved("learning"),
        learned=_learned(results),
        most=max(where, key=lambda at: abs(section[at[0]][at[1]]["shift"]["value"])),
        farthest=max(where, key=reach),
        **_thresholds(results),
    )


def reseeded(results: Results) -> str:
    """How two arms of the language model differ as means of seeds, and what they learned."""
    pair = contrasts_of(results)["mixture"][0]
    contrast = results.content["contrasts"]["mixture"][pair.pair]
    differ = {
        metric: {name: contrast[name][metric] for name in results.datasets}
        for metric in SEED_METRICS
    }
    return render(
        "reseeded.md.j2",
        pair=pair,
        differ=differ,
        level=f"{results.study.statistics.alpha:g}",
        later={metric: _later_seeds(results, pair, metric) for metric in differ},
        enough={metric: _enough(results, pair.pair, metric) for metric in differ},
        sure={
            metric: [name for name, leaf in leaves.items() if results.established(leaf)]
            for metric, leaves in differ.items()
        },
        same={
            metric: [name for name, leaf in leaves.items() if _one_sign(leaf["by_seed"])]
            for metric, leaves in differ.items()
        },
        learned=_learned(results, (pair.first, pair.second)),
    )


def reseeded_short(results: Results) -> str:
    """Where two arms of the language model are established to differ as means of seeds."""
    pair = contrasts_of(results)["mixture"][0]
    contrast = results.content["contrasts"]["mixture"][pair.pair]
    return render(
        "reseeded-short.md.j2",
        pair=pair,
        seeds=len(results.study.seeds),
        metrics=SEED_METRICS,
        sure=[
            (metric, name)
            for metric in SEED_METRICS
            for name in results.datasets
            if results.established(contrast[name][metric])
        ],
    )


def _enough(results: Results, pair: str, metric: str) -> dict[str, float]:
    """By dataset, the smallest mean over seeds that Holm's first test finds, in points."""
    settings = results.content["contrasts"].values()
    means = [of[metric] for pairs in settings for each in pairs.values() for of in each.values()]
    tests = sum("p" in mean for mean in means)
    spreads = results.content["contrasts_across_seeds"]["mixture"][pair]
    least = {}
    for name in results.datasets:
        sources = (spreads[name][metric][of] for of in ("seed_variance", "example_variance"))
        variances = [(each["value"], each["n"] - 1) for each in sources]
        least[name] = 100 * least_rejected(results.study.statistics.alpha / tests, variances)
    return least


def _later_seeds(results: Results, pair: Contrast, metric: str) -> dict[str, dict[str, Any]]:
    """By dataset, the contrast of two arms over all seeds but the first, which chose it.

    Nothing where only one other seed is there: it has no spread.
    """
    study = results.study
    found: dict[str, dict[str, Any]] = {}
    if len(study.seeds) < 3:
        return found
    later = [read_answers(study, results.paths, seed) for seed in study.seeds[1:]]
    for name in study.datasets:
        first, second = ([of[arm][name] for of in later] for arm in (pair.first, pair.second))
        found[result_key(name)] = leaf(
            seed_gains(
                first[0].gold,
                [each.predicted for each in first],
                [each.predicted for each in second],
                groups=first[0].groups,
                confidence=study.statistics.confidence,
            )[metric].crossed,
            "points",
            len(later),
            "several arms",
        )
    correct(list(found.values()))
    return found


def _one_sign(values: Sequence[float]) -> bool:
    return min(values) > 0 or max(values) < 0


def _learned(results: Results, arms: Sequence[str] = ()) -> list[bool]:
    """For every arm, or some, on every dataset: whether it learned more than moved thresholds."""
    section = results.content["learning"]
    return [
        results.established(gain := section[arm][dataset]["learning"]) and gain["value"] > 0
        for arm in arms or results.arms
        for dataset in results.datasets
    ]


def _least_alike(results: Results) -> Where:
    """The arm and the dataset whose answers constants explain least."""
    section = results.content["learning"]
    where = [(arm, dataset) for arm in results.arms for dataset in results.datasets]
    return min(where, key=lambda at: section[at[0]][at[1]]["agreement"]["value"])


def _thresholds(results: Results) -> dict[str, Any]:
    """The datasets with results of constants, and of each the arm with the best answers.

    Constants and arms are compared by the same rule: the answer is the most probable label.
    """
    section = results.content["learning"]
    best = {
        d: max(results.arms, key=lambda arm: section[arm][d]["after"]["value"])
        for d in results.datasets
    }
    return {"constants": [d for d in best if results.content["constants"]["base"][d]], "best": best}


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


def abstain(results: Results) -> str:
    """How often a reward that ranks NA above a wrong verdict differs from one for right answers.

    It differs in groups that hold both, on claims with a verdict.
    """
    study = results.study
    answered = pd.read_parquet(results.paths.base / PREDICTIONS)
    with_verdict = answered[answered["gold"] != Label.NA]
    shares = {
        name: float(_hold_both(of, study).mean())
        for name, of in with_verdict.groupby("dataset", sort=False)
        if not study.datasets[str(name)].held_out
    }
    ends = [by(shares, key=shares.__getitem__) for by in (min, max)]
    return render(
        "abstain.md.j2",
        mean=sum(shares.values()) / len(shares),
        enough=ENOUGH,
        ends=[(name, shares[name]) for name in ends],
    )


def _hold_both(answered: pd.DataFrame, study: Study) -> Floats:
    """(N,): the probability that a group of completions holds both NA and the wrong verdict.

    From the probabilities of the labels, at the temperature of training.
    """
    probabilities_NL = answered[list(PROBABILITIES)].to_numpy() ** (1 / study.training.temperature)
    probabilities_NL /= probabilities_NL.sum(axis=1, keepdims=True)
    label_L = np.array([str(label) for label in LABELS])
    na_N = probabilities_NL[:, label_L == Label.NA].sum(axis=1)
    right_N = (probabilities_NL * (answered["gold"].to_numpy()[:, None] == label_L)).sum(axis=1)
    size = study.training.group_size
    return np.asarray(1 - (1 - na_N) ** size - (na_N + right_N) ** size + right_N**size)


def reward_verdict(study: Study) -> str:
    """For how many beliefs about the gold label NA is the best answer, in both readings."""
    readings = in_both_readings(study.rewards["published"]).items()
    facts = {by: (earned(reward)[0], decision_shares(reward)["NA"]) for by, reward in readings}
    return render("reward-verdict.md.j2", readings=facts)


def answer(results: Results) -> str:
    """The answer to the title of the book, in a few sentences."""
    return render(
        "answer.md.j2", na=_na_carried(results), learned=_carried(results), **_statements(results)
    )


def _ceiling(results: Results) -> dict[str, Any]:
    """How much there is to gain on the easy domain, and what that leaves of the fourth statement.

    Returns:
        dataset, and room: to a balanced accuracy of one. Where the fourth statement was tested,
        narrow: what the better of `easy_only` and `hard_only` gains where it gains least; and left:
        how much more another mixture could, whose least gain is at most the room.
    """
    study, section = results.study, results.content["learning"]
    easy = [result_key(name) for name, dataset in study.datasets.items() if _easy(dataset)]
    runs = statements.families(study).get(statements.DECIDING, {})
    if len(easy) != 1 or not {"easy_only", "hard_only"} <= runs.keys():
        return {}
    arms = {mixture: section[result_key(run.arm)] for mixture, run in runs.items()}
    room = 1 - arms["easy_only"][easy[0]]["before"]["value"]
    narrow = max(
        min(arms[mixture][dataset]["total"]["value"] for dataset in results.datasets)
        for mixture in ("easy_only", "hard_only")
    )
    return {"dataset": easy[0], "room": room, "narrow": narrow, "left": room - narrow}


def statement(results: Results, name: str) -> str:
    """What the runs say about one statement of the plan, under each reward that it is tested for.

    Args:
        results: of a study whose arms the statement is about.
        name: a key of `statements.MEASURE`.
    """
    return render("statement.md.j2", name=name, **_statements(results))


def _statements(results: Results) -> dict[str, Any]:
    """The statements under each reward, and which reward decides about them."""
    found = results.content.get("statements", {})
    section = dict(sorted(found.items(), key=lambda each: each[0] != statements.DECIDING))
    alpha = results.study.statistics.alpha
    verdicts, with_groups = (
        {
            reward: dict.fromkeys(statements.MEASURE)
            | {name: statements.verdict(name, each, alpha, test) for name, each in of.items()}
            for reward, of in section.items()
        }
        for test in ("crossed", "grouped")
    )
    verdicts.setdefault(statements.DECIDING, dict.fromkeys(statements.MEASURE))
    return {
        "section": section,
        "verdicts": verdicts,
        "other_with_groups": {
            name: {
                reward: of[name]
                for reward, of in with_groups.items()
                if of[name] != verdicts[reward][name]
            }
            for name in statements.MEASURE
        },
        "sure": results.established,
        "deciding": statements.DECIDING,
        "per": f"{statements.PER:,}",
        "power": POWER,
        "level": f"{alpha:g}",
        "confidence": f"{100 * results.study.statistics.confidence:g}\u00a0%",
    }


def _carried(results: Results) -> dict[str, Any]:
    """Where the arms of the deciding reward learned, as `_rises` says."""
    section = results.content["learning"]
    return _rises(results, lambda arm, dataset: section[arm][dataset]["learning"])


def _na_carried(results: Results) -> dict[str, Any]:
    """Where their recall of NA rose over the baseline's, as `_rises` says."""
    gains = results.content["gains"]
    return _rises(results, lambda arm, dataset: gains[arm][dataset]["recall_na"])


def _rises(results: Results, change: Callable[[str, str], Leaf]) -> dict[str, Any]:
    """Where a change is established for the arms of the deciding reward.

    Returns:
        inside, outside and new: whether each rose, on the datasets of an arm's mixture, on others,
        and on those of no mixture; held_out: of the latter the arms with the least and the largest
        change; fell and new_fell: how many fell, in all and there; most: the arm and the dataset
        of the largest rise, None without one; most_inside: whether that is of its mixture.
    """
    study = results.study
    arms = {
        result_key(run.arm): study.mixtures[mixture]
        for mixture, run in statements.families(study).get(statements.DECIDING, {}).items()
    }
    sides: dict[str, list[bool]] = {"inside": [], "outside": [], "new": []}
    sure: dict[Where, float] = {}
    held_out = {}
    for name, dataset in study.datasets.items():
        key = result_key(name)
        for arm, mixture in arms.items():
            if results.established(leaf := change(arm, key)):
                sure[arm, key] = leaf["value"]
            side = "new" if dataset.held_out else "inside" if name in mixture else "outside"
            sides[side].append(sure.get((arm, key), 0) > 0)
        if dataset.held_out and arms:
            ordered = sorted(arms, key=lambda arm: change(arm, key)["value"])
            held_out[key] = ordered[0], ordered[-1]
    rose = {at: value for at, value in sure.items() if value > 0}
    most = max(rose, key=rose.__getitem__, default=None)
    return {
        **sides,
        "held_out": held_out,
        "fell": len(sure) - len(rose),
        "new_fell": sum(at not in rose for at in sure if at[1] in held_out),
        "most": most,
        "most_inside": most is not None and most[1] in map(result_key, arms[most[0]]),
    }


def seeds(results: Results) -> str:
    """How far one run is from another, beside what the choice of examples does; medians.

    Nothing where there is one seed.
    """
    content = results.content
    if len(content["seeds"]) == 1:
        return ""
    of_mean, of_examples = [], []
    for arm in baseline_groups(results)[0].compared:
        for spread in content["across_seeds"][arm].values():
            found = spread["balanced_accuracy"]
            of_mean.append(found["seed_variance"]["value"] ** 0.5)
            of_examples.append(found["example_variance"]["value"] ** 0.5)
    return render(
        "seeds.md.j2",
        of_seeds=float(np.median(of_mean)) * len(content["seeds"]) ** 0.5,
        of_mean=float(np.median(of_mean)),
        of_examples=float(np.median(of_examples)),
    )


def second(default: Results, second: Results, rejected_by: Sequence[Mapping[str, Any]] = ()) -> str:
    """What came out on the second base model, beside the first.

    Args:
        default: of the first.
        second: of the second.
        rejected_by: the tests that the second should have passed.
    """
    return render(
        "second.md.j2",
        rejected_by=rejected_by,
        default=_statements(default),
        second=_statements(second),
        carried=_carried(second),
        easy=[name for name, each in second.study.datasets.items() if _easy(each)],
        was_easy=[name for name, each in default.study.datasets.items() if _easy(each)],
    )


def protocols(results: Results, published: Published) -> str:
    """What the mixture and each part of the protocol do to the published difference."""
    ((reward, found),) = results.content["protocols"].items()
    pair = "_over_".join(PATTERN)
    contrast, own = found["contrast"][pair], found["own"][pair]
    datasets = {each.stands_for: result_key(d) for d, each in results.study.datasets.items()}
    gap = {
        datasets[DATASETS[name]]: {outcome: leaf["value"] for outcome, leaf in of.items()}
        for name, of in published.numbers["pattern"].items()
    }

    def found_of(cell: str, outcome: str) -> dict[str, Any]:
        """The datasets by what was found, and what that is of the published difference."""
        sides: dict[str, list[str]] = {"same": [], "other": [], "open": []}
        shares = {}
        for dataset in (each for each in gap if outcome in contrast[cell][each]):
            leaf = contrast[cell][dataset][outcome]["crossed"]
            side = "same" if leaf["value"] * gap[dataset][outcome] > 0 else "other"
            if not results.established(leaf):
                side = "open"
            else:
                ends = sorted(end / gap[dataset][outcome] for end in leaf["interval"])
                shares[dataset] = (leaf["value"] / gap[dataset][outcome], *ends)
            sides[side].append(dataset)
        verdict = _one_way(bool(sides["same"]), bool(sides["other"]))
        return {**sides, "shares": shares, "verdict": verdict}

    return render(
        "protocols.md.j2",
        reward=reward,
        pair=pair,
        titles=PARTS,
        short=SHORT,
        parts={
            cell: {outcome: found_of(cell, outcome) for outcome in OUTCOMES} for cell in contrast
        },
        own={
            cell: {
                dataset: leaf["na_share"]["crossed"]["value"] / gap[dataset]["na_share"]
                for dataset, leaf in of.items()
            }
            for cell, of in own.items()
        },
        power=POWER,
    )


def beside(
    default: Results, real: Results, failed: Sequence[str] = (), *, short: bool = False
) -> str:
    """A language model on real claims beside the model organism.

    Args:
        default: of the model organism.
        real: of the language model.
        failed: the tests of a base model that block, and that it fails.
        short: in a sentence or two.
    """

    def facts(results: Results) -> dict[str, Any]:
        section, shares = results.content["learning"], results.content["answer_share"]
        sure = {
            (arm, dataset): total["value"]
            for arm in results.arms
            for dataset in results.datasets
            if results.established(total := section[arm][dataset]["total"])
        }
        return {
            # the largest first
            "up": [at for at in sorted(sure, key=lambda at: -sure[at]) if sure[at] > 0],
            "down": [at for at in sorted(sure, key=lambda at: sure[at]) if sure[at] < 0],
            "learned": _learned(results),
            # where an arm gives one answer, balanced accuracy cannot show what it learned
            "single": sum(
                max(float(share["value"]) for share in shares[arm][dataset].values()) == 1
                for arm in results.arms
                for dataset in results.datasets
            ),
            "levers": {each: _levers(results, each) for each in ("balanced_accuracy", "recall_na")},
            "datasets": results.datasets,
        }

    missing = [f"`{run}`" for run in real.content.get("missing", [])]
    metrics = real.content["metrics"]
    recall = {
        arm: {name: metrics[arm][name]["recall_na"] for name in real.datasets} for arm in real.arms
    }
    return render(
        "real-short.md.j2" if short else "real.md.j2",
        failed=failed,
        default=facts(default),
        real=facts(real),
        alone=_one_answer(real),
        na={name: lowest_and_highest(recall, name) for name in real.datasets},
        seeds=len(real.study.seeds),
        missing=missing,
    )


def _one_answer(results: Results) -> dict[str, dict[str, Any]]:
    """Arms that give one answer to nearly every claim of every dataset, by reward.

    Returns:
        reward -> of (its arms), arms (those that do), least (the arm, dataset and answer with the
        lowest share of it).
    """
    found: dict[str, dict[str, Any]] = {}
    for run in results.study.runs():
        arm, reward = result_key(run.arm), results.study.arms[run.arm].reward
        of_reward = found.setdefault(reward, {"of": 0, "arms": {}, "least": None})
        of_reward["of"] += 1
        shares = results.content["answer_share"][arm]
        for answer in ANSWERS:
            lowest = min(shares, key=lambda name: float(shares[name][answer]["value"]))
            value = shares[lowest][answer]["value"]
            if value >= NEARLY_ALL:
                of_reward["arms"][arm] = answer
                if of_reward["least"] is None or value < of_reward["least"][0]:
                    of_reward["least"] = (value, arm, lowest, answer)
    return {reward: of for reward, of in found.items() if of["arms"]}


def domain_number(results: Results, *, short: bool = False) -> str:
    """What the number of training domains changes, apart from how hard they are.

    Args:
        results: of a study with every single domain, every pair and all of them.
        short: in a sentence or two.
    """
    held_out = _held_out(results)
    arms = [result_key(run.arm) for run in figure_data.compared_by_number(results).values()]

    def learned(dataset: str) -> Callable[[str], float]:
        learning = results.content["learning"]
        return lambda arm: float(learning[arm][dataset]["learning"]["value"])

    away = map(result_key, held_out)
    return render(
        "domain-number-short.md.j2" if short else "domain-number.md.j2",
        of=_questions(results, "domain_number", numbers.MEASURE, role="pairs"),
        ends={name: (max(arms, key=learned(name)), min(arms, key=learned(name))) for name in away},
        away=listed([f"*{name}*" for name in held_out]),
    )


def domain_shares(results: Results, about: str = "") -> str:
    """What the shares of three training domains do.

    Args:
        results: of a study with all quarters of them.
        about: "short" for a sentence or two; "kinds" for whether learning follows kinds of claims.
    """
    trained_on = [name for name, each in results.study.datasets.items() if not each.held_out]
    of = _questions(results, "domain_shares", shares.MEASURE, role="sweep")
    by_kind = {name: each["learning"] for name, each in of["found"].get("kinds", {}).items()}
    values = sorted(float(each["crossed"]["value"]) for each in by_kind.values())
    kinds = of["found"].get("kinds", {}).values()
    changes = sorted(float(each["change"]["crossed"]["value"]) for each in kinds)
    return render(
        f"domain-shares{about and '-'}{about}.md.j2",
        of=of,
        away=listed([f"*{name}*" for name in _held_out(results)]),
        sources=[result_key(name) for name in trained_on],
        cases={case.question: case for case in kind_cases(results.study)},
        ends=_ends(by_kind),
        without_largest=float(np.mean(values[:-1])) if len(values) > 1 else None,
        changes_without_two=float(np.mean(changes[:-2])) if len(changes) > 2 else None,
        alone=of["found"]["alone"],
    )


def _ends(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The names of the lowest and of the highest number."""
    ordered = sorted(found, key=lambda name: float(found[name]["crossed"]["value"]))
    return ordered[:1] + ordered[-1:]


def _held_out(results: Results) -> list[str]:
    return [name for name, each in results.study.datasets.items() if each.held_out]


def _questions(
    results: Results, section: str, measures: Mapping[str, str], *, role: str
) -> dict[str, Any]:
    """What questions.j2 is given: questions of the plan with their verdicts.

    Args:
        results: of the study that asks them.
        section: of results.json, of one reward.
        measures: family -> what its verdicts rest on.
        role: that shows numbers of these results.
    """
    ((reward, found),) = results.content[section].items()

    def verdicts(test: str) -> dict[str, dict[str, str]]:
        return {
            family: {
                question: numbers.verdict(of, measure, results.study.statistics.alpha, test)
                for question, of in found[family].items()
            }
            for family, measure in measures.items()
            if family in found
        }

    by_claims, by_groups = verdicts("crossed"), verdicts("grouped")
    return {
        "section": section,
        "reward": reward,
        "role": role,
        "measures": measures,
        "found": found,
        "families": by_claims,
        "verdicts": [verdict for of in by_claims.values() for verdict in of.values()],
        "other_with_groups": sum(
            verdict != by_groups[family][question]
            for family, questions in by_claims.items()
            for question, verdict in questions.items()
        ),
        "power": POWER,
        "alpha": results.study.statistics.alpha,
    }


def contamination(results: Results) -> str:
    """Whether it matters that some evaluation claims were trained on."""
    (found,) = results.content["protocols"].values()
    few = [result_key(name) for name, each in results.study.datasets.items() if each.released_pool]
    leaves = [
        of_dataset[dataset]["accuracy"]["crossed"]
        for cells in found["contamination"].values()
        for of_dataset in cells.values()
        for dataset in few
    ]
    sure = [leaf["value"] for leaf in leaves if results.established(leaf)]
    verdict = _one_way(any(value > 0 for value in sure), any(value < 0 for value in sure))
    return render("contamination.md.j2", verdict=verdict, datasets=few, power=POWER)


def _one_way(some: bool, opposite: bool) -> str:
    """The plan's verdict on a question that is asked of several numbers.

    Args:
        some: whether one is established in the direction that is asked for.
        opposite: whether one is established in the other.
    """
    if some == opposite:
        return "undecided"
    return "yes" if some else "the other way"


def _easy(dataset: Dataset) -> bool:
    return not (dataset.hard or dataset.held_out)
