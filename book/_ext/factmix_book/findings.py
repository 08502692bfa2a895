"""Sentences whose verdict depends on the results: written from the numbers, never typed."""

from functools import partial
from typing import Any

import numpy as np

from factmix.report import figure_data
from factmix.results.numbers import amount
from factmix.results.results_json import established, result_key
from factmix.study.labels import INVALID, LABELS, Label
from factmix.study.settings import Reward, WeightedReward
from factmix.study.spec import Study
from factmix.training.rewards import components
from factmix_book.parts import BaselineGroup, arm_name, parts
from factmix_book.sources import Results


def bullets(results: Results) -> str:
    """The findings as a Markdown list; one for each baseline that arms are compared with."""
    compared = [part for part in parts(results) if part.compared]
    blocks = []
    for part in compared:
        lines = [_best(part, dataset) for dataset in results.datasets]
        lines += [_na_recall(part), _format(part), _constant(part)]
        named = "" if len(compared) == 1 else f"Compared with `{part.baseline}`:\n\n"
        blocks.append(named + bullet_list(lines))
    if len(compared) == 1:
        return blocks[0] + bullet_list([_learned(results)])
    return "\n".join([*blocks, "All arms:\n\n" + bullet_list([_learned(results)])])


def _system(arm: str) -> str:
    words = arm_name(arm)
    return words if words.startswith("`") else f"the {words}"


def num(*path: str, form: str = "", role: str = "num") -> str:
    """A number of results.json as a role, which shows where it is from."""
    return f"{{{role}}}`{'.'.join(path)}{'|' if form else ''}{form}`"


def bullet_list(lines: list[str]) -> str:
    return "".join(f"- {line}\n" for line in lines)


def _best(part: BaselineGroup, dataset: str) -> str:
    metrics = part.results.content["metrics"]
    best = max(part.arms, key=lambda arm: metrics[arm][dataset]["balanced_accuracy"]["value"])
    reached = num("metrics", best, dataset, "balanced_accuracy", form="full")
    if best == part.baseline:
        return (
            f"**{dataset}**: no arm has a higher balanced accuracy than the baseline `{best}`, "
            f"{reached}."
        )
    gain = part.results.content["gains"][best][dataset]["balanced_accuracy"]
    sure = "" if established(gain, part.results.study.statistics.alpha) else "not "
    difference = num("gains", best, dataset, "balanced_accuracy", form="full")
    return (
        f"**{dataset}**: `{best}` has the highest balanced accuracy of the arms, {reached}. Its "
        f"difference to the baseline, {difference}, is {sure}established."
    )


def _na_recall(part: BaselineGroup) -> str:
    """Which arms answer NA less often, and which more often, where NA is right."""
    gains, alpha = part.results.content["gains"], part.results.study.statistics.alpha
    recall = {
        (arm, dataset): gains[arm][dataset]["recall_na"]
        for arm in part.systems
        if arm != part.baseline
        for dataset in part.results.datasets
    }
    sure = {where: gain["value"] for where, gain in recall.items() if established(gain, alpha)}
    lost = [where for where, value in sure.items() if value < 0]
    won = [where for where, value in sure.items() if value > 0]
    about = "**Knowing when evidence is not enough** (recall of NA, against the baseline): "
    if not sure:
        return about + "no change is established."
    return (
        f"{about}lower for {places(lost)}; higher for {places(won)}; not established for the rest."
    )


def _format(part: BaselineGroup) -> str:
    """Which arms keep the asked format less often than the baseline, interval below interval."""
    rates = part.results.content["format_rate"]
    lost = []
    for arm in part.systems:
        where = [
            f"{dataset} {num('format_rate', arm, dataset)}"
            for dataset in part.results.datasets
            if rates[arm][dataset]["interval"][1] < rates[part.baseline][dataset]["interval"][0]
        ]
        if where:
            lost.append(f"{_system(arm)} ({', '.join(where)})")
    verdict = listed(lost) if lost else "none"
    about = "**Format** (answers that are one label and nothing else), lower than the baseline's"
    return f"{about}: {verdict}."


def _constant(part: BaselineGroup) -> str:
    """Which trained arms are not surely more accurate than an answer that never looks."""
    datasets = part.results.datasets
    beaten = not_above_constant(part)
    if not beaten:
        verdict = "Every arm is more accurate than that in every domain, its interval included."
    elif len(beaten) == len(part.arms) * len(datasets):
        verdict = "No arm is above that with its whole interval in any domain."
    else:
        verdict = f"Not above that with its whole interval: {places(beaten)}."
    return (
        "**A constant answer as yardstick**: always answering NA is right in "
        f"{num('metrics', part.constants, datasets[0], 'accuracy')} of the evaluation examples."
        f" {verdict}"
    )


def not_above_constant(part: BaselineGroup) -> list[tuple[str, str]]:
    """Arm and dataset of every result whose interval is not wholly above always answering NA."""
    metrics = part.results.content["metrics"]
    return [
        (arm, dataset)
        for arm in part.arms
        for dataset in part.results.datasets
        if metrics[arm][dataset]["accuracy"]["interval"][0]
        <= metrics[part.constants][dataset]["accuracy"]["value"]
    ]


def places(found: list[tuple[str, str]]) -> str:
    """Arms and datasets in words, arms with the same datasets together."""
    datasets_of: dict[str, list[str]] = {}
    for arm, dataset in found:
        datasets_of.setdefault(arm, []).append(dataset)
    arms_of: dict[tuple[str, ...], list[str]] = {}
    for arm, datasets in datasets_of.items():
        arms_of.setdefault(tuple(datasets), []).append(_system(arm))
    groups = [f"{listed(arms)} on {listed(list(on))}" for on, arms in arms_of.items()]
    return ", ".join(groups) or "none"


def transfer(results: Results) -> str:
    """What happened to datasets that an arm was not trained on, in one sentence each."""
    gains, alpha = results.content["gains"], results.study.statistics.alpha
    table = figure_data.transfer(results.content, results.study)
    lines = []
    for row in table[~table["trained_on"] & (table["metric"] == "balanced_accuracy")].itertuples():
        gain = gains[row.arm][row.dataset]["balanced_accuracy"]
        verdict = "is established" if established(gain, alpha) else "is not established"
        lines.append(
            f"The mixture of `{row.arm}` leaves out **{row.dataset}**; its change in balanced "
            "accuracy there, "
            f"{num('gains', row.arm, row.dataset, 'balanced_accuracy', form='full')}, {verdict}."
        )
    return bullet_list(lines) or "No mixture leaves a domain out.\n"


def awareness(results: Results) -> str:
    """What p(NA) knows, how calibrated the arms are, and what abstaining buys, by dataset."""
    measured = results.content["awareness"]
    lines = []
    for dataset in results.datasets:
        best, worst = _lowest_and_highest(measured, results.arms, dataset, "ece")
        ranks, blurs = _lowest_and_highest(measured, results.arms, dataset, "aurc")
        least, most = _lowest_and_highest(measured, results.arms, dataset, "auroc_na")
        of = partial(_of_awareness, dataset)
        lines.append(
            f"**{dataset}**: p(NA) tells NA from the rest with an AUROC of "
            f"{of('base', 'auroc_na')} before training, and of {of(least, 'auroc_na')} (`{least}`) "
            f"to {of(most, 'auroc_na')} (`{most}`) after it. The "
            f"probabilities of `{best}` are nearest to how often it is right "
            f"(calibration error {of(best, 'ece')}), those of `{worst}` farthest "
            f"({of(worst, 'ece')}). Abstaining leaves the fewest errors with `{ranks}` "
            f"(area under the curve {of(ranks, 'aurc')}), the most with `{blurs}` "
            f"({of(blurs, 'aurc')})."
        )
    return bullet_list(lines)


def _of_awareness(dataset: str, arm: str, name: str) -> str:
    return num("awareness", arm, dataset, name, form="full")


def _lowest_and_highest(
    section: dict[str, Any], arms: list[str], dataset: str, name: str
) -> tuple[str, str]:
    ordered = sorted(map(result_key, arms), key=lambda arm: section[arm][dataset][name]["value"])
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
        f"{listed([f'`{arm}`' for arm in rose])}; no gain can be told from chance for "
        f"{listed([f'`{arm}`' for arm in flat])}."
    )


def _above_zero(leaf: dict[str, Any]) -> bool:
    interval = leaf.get("interval")
    return interval is not None and interval[0] > 0


def listed(names: list[str]) -> str:
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
