"""The reward explorer: the settings that book/_static/reward_explorer.js starts from."""

from typing import Any

from factmix.report.baselines import baseline_groups
from factmix.report.plot_style import ANSWER_COLOURS
from factmix.report.sources import Results
from factmix.study.labels import LABELS

# As the chapter names them.
NAMES = {
    "correct": "correct_factor",
    "wrong": "wrong_factor",
    "false_na": "false_na_factor",
    "explore": "explore_bonus",
    "format": "format_penalty",
}


def settings(results: Results) -> dict[str, Any]:
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
        "colours": {str(label): ANSWER_COLOURS[label] for label in LABELS},
        "names": NAMES,
    }
