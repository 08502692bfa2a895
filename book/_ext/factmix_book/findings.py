"""Sentences whose verdict depends on the results: written from the numbers, never typed."""

from functools import partial
from typing import Any

import numpy as np

from factmix import figure_data
from factmix.labels import INVALID, LABELS, Label
from factmix.numbers import amount
from factmix.results import key
from factmix.rewards import components
from factmix.study import Reward, Study, WeightedReward
from factmix_book.parts import Part, arm_name, parts
from factmix_book.sources import Results


def bullets(results: Results) -> str:
    """The findings as a Markdown list; one for each baseline that arms are compared with."""
    compared = [part for part in parts(results) if part.compared]
    blocks = []
    for part in compared:
        lines = [_best(part, dataset) for dataset in results.datasets]
        lines += [_na_recall(part), _format(part), _constant(part)]
        named = "" if len(compared) == 1 else f"Compared with `{part.baseline}`:\n\n"
        blocks.append(named + _list(lines))
    if len(compared) == 1:
        return blocks[0] + _list([_learned(results)])
    return "\n".join([*blocks, "All arms:\n\n" + _list([_learned(results)])])


def headlines(results: Results) -> str:
    """Three findings as a Markdown list: about NA, about the two levers, and about accuracy.

    They are of the largest set of arms that differ in nothing but their mixture.
    """
    part = parts(results)[0]
    mixtures = max(_alike(part, "mixture"), key=len, default=[])
    lines = [_na_recall_of(part, mixtures), _levers(part, mixtures)] if len(mixtures) > 1 else []
    return _list([*lines, _constant_in_short(part)])


def _system(arm: str) -> str:
    words = arm_name(arm)
    return words if words.startswith("`") else f"the {words}"


def _alike(part: Part, but: str) -> list[list[str]]:
    """Compared arms with the same settings except for one."""
    sets: dict[str, list[str]] = {}
    for arm in part.compared:
        settings = part.results.study.arm(_named(part)[arm]).model_dump_json(exclude={but})
        sets.setdefault(settings, []).append(arm)
    return list(sets.values())


def _na_recall_of(part: Part, arms: list[str]) -> str:
    """What arms that differ in their mixture do to the recall of NA, where they do most."""
    gains, alpha = part.results.content["gains"], part.results.study.statistics.alpha

    def changes(dataset: str) -> list[dict[str, Any]]:
        return [gains[arm][dataset]["recall_na"] for arm in arms]

    most = max(part.results.datasets, key=lambda d: sum(abs(c["value"]) for c in changes(d)))
    sure = [change["value"] > 0 for change in changes(most) if change["p"] < alpha]
    verdicts = [
        f"{_of_all(sure.count(rose), len(arms))} {words} NA claims than the baseline"
        for rose, words in ((False, "fewer"), (True, "more"))
        if rose in sure
    ]
    verdict = ", and ".join(verdicts) or "no mixture recognises more or fewer NA claims for sure"
    reward = part.results.study.arm(_named(part)[arms[0]]).reward
    each = _listed([f"{_num('gains', arm, most, 'recall_na')} (`{arm}`)" for arm in arms])
    return (
        f"**Knowing when evidence is not enough.** Trained with the reward `{reward}`, {verdict} on"
        f" **{most}**: recall of NA changes by {each}."
    )


def _levers(part: Part, mixtures: list[str]) -> str:
    """Whether the mixture or the reward moves balanced accuracy further."""
    study, metrics = part.results.study, part.results.content["metrics"]

    def apart(arms: list[str]) -> tuple[float, str]:
        reached = {
            dataset: [metrics[arm][dataset]["balanced_accuracy"]["value"] for arm in arms]
            for dataset in part.results.datasets
        }
        return max((max(values) - min(values), dataset) for dataset, values in reached.items())

    by_mixture, there = apart(mixtures)
    first = (
        f"**Mixture or reward.** With the mixture alone changed, balanced accuracy differs by at"
        f" most {_distance(by_mixture)}, on **{there}**"
    )
    pairs = [arms for arms in _alike(part, "reward") if set(arms) & set(mixtures) and arms[1:]]
    if not pairs:
        return f"{first}."
    arms = max(pairs, key=apart)
    by_reward, where = apart(arms)
    mixture = study.arm(_named(part)[arms[0]]).mixture
    larger = "reward" if by_reward > by_mixture else "mixture"
    return (
        f"{first}; with the reward alone changed, on the mixture `{mixture}`, by"
        f" {_distance(by_reward)}, on **{where}**. The larger lever of the two is the"
        f" **{larger}**."
    )


def _distance(fraction: float) -> str:
    return amount(fraction, "points").removeprefix("+")


def _constant_in_short(part: Part) -> str:
    datasets = part.results.datasets
    beaten = _no_better_than_constant(part)
    results = len(part.arms) * len(datasets)
    where = f": all but {_places(beaten)}" if beaten and 2 * len(beaten) < results else ""
    return (
        "**Accuracy alone tells little.** Always answering NA is right in "
        f"{_num('metrics', part.constants, datasets[0], 'accuracy')} of the evaluation examples;"
        f" of the {results} results of an arm in a domain, {results - len(beaten)} are better than"
        f" that{where}."
    )


def _of_all(count: int, total: int) -> str:
    if count == total:
        return "every mixture recognises"
    return f"{count} of {total} mixtures recognise{'s' if count == 1 else ''}"


def _named(part: Part) -> dict[str, str]:
    """The names of arms in the study by those in results.json."""
    return {key(arm): arm for arm in part.results.study.arms}


def _num(*path: str, form: str = "") -> str:
    """A number of results.json as a role, which shows where it is from."""
    return f"{{num}}`{'.'.join(path)}{'|' if form else ''}{form}`"


def _list(lines: list[str]) -> str:
    return "".join(f"- {line}\n" for line in lines)


def _best(part: Part, dataset: str) -> str:
    metrics = part.results.content["metrics"]
    best = max(part.arms, key=lambda arm: metrics[arm][dataset]["balanced_accuracy"]["value"])
    reached = _num("metrics", best, dataset, "balanced_accuracy", form="full")
    if best == part.baseline:
        return (
            f"**{dataset}**: no arm has a higher balanced accuracy than the baseline `{best}`, "
            f"{reached}."
        )
    gain = part.results.content["gains"][best][dataset]["balanced_accuracy"]
    established = "" if gain["p"] < part.results.study.statistics.alpha else "not "
    difference = _num("gains", best, dataset, "balanced_accuracy", form="full")
    return (
        f"**{dataset}**: `{best}` has the highest balanced accuracy of the arms, {reached}. Its "
        f"difference to the baseline, {difference}, is {established}established."
    )


def _na_recall(part: Part) -> str:
    """Which arms answer NA less often, and which more often, where NA is right."""
    gains, alpha = part.results.content["gains"], part.results.study.statistics.alpha
    recall = {
        (arm, dataset): gains[arm][dataset]["recall_na"]
        for arm in part.systems
        if arm != part.baseline
        for dataset in part.results.datasets
    }
    sure = {where: gain["value"] for where, gain in recall.items() if gain["p"] < alpha}
    lost = [where for where, value in sure.items() if value < 0]
    won = [where for where, value in sure.items() if value > 0]
    return (
        "**Knowing when evidence is not enough** (recall of NA, against the baseline): "
        f"lower for {_places(lost)}; higher for {_places(won)}; not established for the rest "
        f"(p ≥ {alpha:g})."
    )


def _format(part: Part) -> str:
    """Which arms keep the asked format less often than the baseline, interval below interval."""
    rates = part.results.content["format_rate"]
    lost = []
    for arm in part.systems:
        where = [
            f"{dataset} {_num('format_rate', arm, dataset)}"
            for dataset in part.results.datasets
            if rates[arm][dataset]["interval"][1] < rates[part.baseline][dataset]["interval"][0]
        ]
        if where:
            lost.append(f"{_system(arm)} ({', '.join(where)})")
    verdict = _listed(lost) if lost else "none"
    about = "**Format** (answers that are one label and nothing else), lower than the baseline's"
    return f"{about}: {verdict}."


def _constant(part: Part) -> str:
    """Which trained arms are no more accurate than an answer that never looks."""
    datasets = part.results.datasets
    beaten = _no_better_than_constant(part)
    if not beaten:
        verdict = "Every arm is more accurate than that in every domain."
    elif len(beaten) == len(part.arms) * len(datasets):
        verdict = "No arm is more accurate than that in any domain."
    else:
        verdict = f"Not more accurate than that: {_places(beaten)}."
    return (
        "**A constant answer as yardstick**: always answering NA is right in "
        f"{_num('metrics', part.constants, datasets[0], 'accuracy')} of the evaluation examples."
        f" {verdict}"
    )


def _no_better_than_constant(part: Part) -> list[tuple[str, str]]:
    """Arm and dataset of every result that always answering NA reaches too."""
    metrics = part.results.content["metrics"]
    return [
        (arm, dataset)
        for arm in part.arms
        for dataset in part.results.datasets
        if metrics[arm][dataset]["accuracy"]["value"]
        <= metrics[part.constants][dataset]["accuracy"]["value"]
    ]


def _places(found: list[tuple[str, str]]) -> str:
    """Arms and datasets in words, arms with the same datasets together."""
    datasets_of: dict[str, list[str]] = {}
    for arm, dataset in found:
        datasets_of.setdefault(arm, []).append(dataset)
    arms_of: dict[tuple[str, ...], list[str]] = {}
    for arm, datasets in datasets_of.items():
        arms_of.setdefault(tuple(datasets), []).append(_system(arm))
    groups = [f"{_listed(arms)} on {_listed(list(on))}" for on, arms in arms_of.items()]
    return ", ".join(groups) or "none"


def transfer(results: Results) -> str:
    """What happened to datasets that an arm was not trained on, in one sentence each."""
    gains, alpha = results.content["gains"], results.study.statistics.alpha
    table = figure_data.transfer(results.content, results.study)
    lines = []
    for row in table[~table["trained_on"] & (table["metric"] == "balanced_accuracy")].itertuples():
        gain = gains[row.arm][row.dataset]["balanced_accuracy"]
        established = "is established" if gain["p"] < alpha else "is not established"
        lines.append(
            f"`{row.arm}` never saw **{row.dataset}**; its change in balanced accuracy there, "
            f"{_num('gains', row.arm, row.dataset, 'balanced_accuracy', form='full')}, "
            f"{established}."
        )
    return _list(lines) or "Every arm was trained on every dataset; nothing here is transfer.\n"


def awareness(results: Results) -> str:
    """How calibrated the arms are, and what abstaining buys, by dataset."""
    measured = results.content["awareness"]
    lines = []
    for dataset in results.datasets:
        best, worst = _lowest_and_highest(measured, results.arms, dataset, "ece")
        ranks, blurs = _lowest_and_highest(measured, results.arms, dataset, "aurc")
        of = partial(_of_awareness, dataset)
        lines.append(
            f"**{dataset}**: the probabilities of `{best}` are nearest to how often it is right "
            f"(calibration error {of(best, 'ece')}), those of `{worst}` farthest "
            f"({of(worst, 'ece')}). Abstaining by p(NA) leaves the fewest errors with `{ranks}` "
            f"(area under the curve {of(ranks, 'aurc')}), the most with `{blurs}` "
            f"({of(blurs, 'aurc')})."
        )
    return _list(lines)


def _of_awareness(dataset: str, arm: str, name: str) -> str:
    return _num("awareness", arm, dataset, name, form="full")


def _lowest_and_highest(
    section: dict[str, Any], arms: list[str], dataset: str, name: str
) -> tuple[str, str]:
    ordered = sorted(map(key, arms), key=lambda arm: section[arm][dataset][name]["value"])
    return ordered[0], ordered[-1]


def _learned(results: Results) -> str:
    """Which arms earn more on their training claims than before."""
    training = results.content["training"]
    rose = [arm for arm in results.arms if _above_zero(training[arm]["reward_gain"])]
    flat = [arm for arm in results.arms if arm not in rose]
    if not flat:
        return "**Training**: on its training claims, every arm earns more than before."
    return (
        "**Training**: on its training claims, more is earned after training than before by "
        f"{_listed([f'`{arm}`' for arm in rose])}; no gain can be told from chance for "
        f"{_listed([f'`{arm}`' for arm in flat])}."
    )


def _above_zero(leaf: dict[str, Any]) -> bool:
    interval = leaf.get("interval")
    return interval is not None and interval[0] > 0


def _listed(names: list[str]) -> str:
    if len(names) < 2:
        return names[0] if names else "none"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def total(reward: Reward, answer: str, gold: Label) -> float:
    """What an answer in valid format (or none, for INVALID) earns."""
    return sum(
        components(reward, predicted=answer, format_valid=answer != INVALID, gold=gold).values()
    )


def reward_verdict(study: Study) -> str:
    """Whether some belief about the gold label makes NA the best answer, computed on a grid."""
    published = study.rewards["published"]
    assert isinstance(published, WeightedReward)
    sentences = []
    for reading in ("predicted", "gold"):
        reward = published.model_copy(update={"weight_by": reading})
        earned_AL = np.array([[total(reward, a, gold) for gold in LABELS] for a in LABELS])
        # An answer that earns at least as much as NA whatever is true makes NA never the best.
        dominated = (earned_AL[1:] >= earned_AL[0]).all(axis=1).any()
        na, guess = total(reward, Label.NA, Label.NA), total(reward, Label.PASS, Label.NA)
        sentences.append(
            f"With the weights of the **{reading}** label, at gold NA the answer NA earns "
            f"{amount(na)} and the answer PASS {amount(guess)}; "
            + (
                "there is no belief about the gold label for which NA is the best answer."
                if dominated
                else "NA is the best answer for "
                f"{amount(_share_where_na_is_best(earned_AL), 'fraction')} of all beliefs."
            )
        )
    return "".join(f"- {sentence}\n" for sentence in sentences)


def _share_where_na_is_best(earned_AL: np.ndarray, steps: int = 60) -> float:
    """Fraction of a grid on the simplex of beliefs where the first answer is strictly best."""
    beliefs_BL = np.array(
        [(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)]
    )
    expected_BA = beliefs_BL / steps @ earned_AL.T
    return float((expected_BA[:, 0] > expected_BA[:, 1:].max(axis=1)).mean())
