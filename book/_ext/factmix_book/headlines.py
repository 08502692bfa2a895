"""The three findings that the book begins with: written from the numbers, never typed."""

from dataclasses import dataclass

from factmix.results.compare import alike_but, contrasted
from factmix.results.numbers import Leaf
from factmix.results.results_json import established, result_key
from factmix_book.findings import bullet_list, listed, not_above_constant, num, places
from factmix_book.parts import BaselineGroup, parts
from factmix_book.sources import Results


@dataclass(frozen=True)
class Contrast:
    """Two arms, by their names in results.json, on a dataset, and what the pair is called there."""

    pair: str
    first: str
    second: str
    dataset: str


def headlines(results: Results) -> str:
    """Three findings as a Markdown list: about NA, about the two levers, and about accuracy.

    They are of the largest set of arms that differ in nothing but their mixture.
    """
    part = parts(results)[0]
    mixtures = compared_mixtures(results)
    lines = [_na_recall_of(part, mixtures), _levers(part, mixtures)] if mixtures else []
    return bullet_list([*lines, _constant_in_short(part)])


def compared_mixtures(results: Results) -> list[str]:
    """The largest set of compared arms that differ in nothing but their mixture."""
    compared = parts(results)[0].compared
    alike = [list(map(result_key, arms)) for arms in alike_but(results.study, "mixture")]
    return max((arms for arms in alike if set(arms) <= set(compared)), key=len, default=[])


def _na_recall_of(part: BaselineGroup, arms: list[str]) -> str:
    """What arms that differ in their mixture do to the recall of NA, where they do most."""
    gains, alpha = part.results.content["gains"], part.results.study.statistics.alpha
    most = most_changed(part.results, arms)
    changes = [gains[arm][most]["recall_na"] for arm in arms]
    sure = [change["value"] > 0 for change in changes if established(change, alpha)]
    verdicts = [
        f"{_of_all(sure.count(rose), len(arms))} {words} NA claims than the baseline"
        for rose, words in ((False, "fewer"), (True, "more"))
        if rose in sure
    ]
    verdict = ", and ".join(verdicts) or "no mixture arm differs from the baseline for sure"
    reward = part.results.study.arms[_named(part)[arms[0]]].reward
    each = listed([f"{num('gains', arm, most, 'recall_na')} (`{arm}`)" for arm in arms])
    return (
        f"**Knowing when evidence is not enough.** Trained with the reward `{reward}`, {verdict} on"
        f" **{most}**: recall of NA changes by {each}."
    )


def most_changed(results: Results, arms: list[str]) -> str:
    """The dataset where these arms change the recall of NA most."""
    gains = results.content["gains"]
    return max(
        results.datasets,
        key=lambda dataset: sum(abs(gains[arm][dataset]["recall_na"]["value"]) for arm in arms),
    )


def contrasts_of(results: Results, mixtures: list[str]) -> dict[str, list[Contrast]]:
    """Pairs of these arms, and of one of them and an arm that differs in its reward alone.

    Returns:
        "mixture" and, where there are such arms, "reward" -> each pair on each dataset.
    """
    found: dict[str, list[Contrast]] = {}
    for setting, pairs in contrasted(results.study).items():
        for name, (first, second) in pairs.items():
            among = {result_key(first), result_key(second)} & set(mixtures)
            if among and (setting == "reward" or len(among) > 1):
                found.setdefault(setting, []).extend(
                    Contrast(name, result_key(first), result_key(second), dataset)
                    for dataset in results.datasets
                )
    return found


def _levers(part: BaselineGroup, mixtures: list[str]) -> str:
    """Whether the mixture or the reward moves balanced accuracy further."""
    content, alpha = part.results.content["contrasts"], part.results.study.statistics.alpha

    def moved(setting: str, contrast: Contrast) -> Leaf:
        leaf: Leaf = content[setting][contrast.pair][contrast.dataset]["balanced_accuracy"]
        return leaf

    sentences, sizes = [], []
    for setting, contrasts in contrasts_of(part.results, mixtures).items():
        largest = max(contrasts, key=lambda each: abs(moved(setting, each)["value"]))
        leaf = moved(setting, largest)
        sure = established(leaf, alpha)
        sizes.append((abs(leaf["value"]), setting, sure))
        number = num("contrasts", setting, largest.pair, largest.dataset, "balanced_accuracy")
        sentences.append(
            f"with the {setting} alone changed, balanced accuracy moves most from"
            f" `{largest.first}` to `{largest.second}` on **{largest.dataset}**, by {number}"
            f" ({'an' if sure else 'no'} established difference)"
        )
    text = f"**Mixture or reward.** W{'; '.join(sentences)[1:]}."
    _, setting, sure = max(sizes)
    if len(sizes) > 1 and sure:
        text += f" Among these arms the **{setting}** makes the larger difference."
    return text


def _constant_in_short(part: BaselineGroup) -> str:
    datasets = part.results.datasets
    beaten = not_above_constant(part)
    results = len(part.arms) * len(datasets)
    where = f": all but {places(beaten)}" if beaten and 2 * len(beaten) < results else ""
    return (
        "**Accuracy alone tells little.** Always answering NA is right in "
        f"{num('metrics', part.constants, datasets[0], 'accuracy')} of the evaluation examples;"
        f" in {results - len(beaten)} of the {results} combinations of arm and domain, the whole"
        f" interval of accuracy lies above that{where}."
    )


def _named(part: BaselineGroup) -> dict[str, str]:
    """The names of arms in the study by those in results.json."""
    return {result_key(arm): arm for arm in part.results.study.arms}


def _of_all(count: int, total: int) -> str:
    if count == total:
        return "every mixture arm recognises"
    return f"{count} of {total} mixture arms recognise{'s' if count == 1 else ''}"
