"""The reward explorer: the settings that book/_static/reward_explorer.js starts from."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from factmix.report.plot_style import ANSWER_COLOURS
from factmix.study.labels import LABELS
from factmix_book.interactive import box
from factmix_book.sources import Results

CLASS = "reward-explorer"
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
    study = results.study
    reward = study.run(results.weighted_arms[0]).reward
    counts = [study.evaluation.counts[label] for label in LABELS]
    return {
        "reward": reward.model_dump(mode="json"),
        "belief": [count / sum(counts) for count in counts],
        "colours": {str(label): ANSWER_COLOURS[label] for label in LABELS},
        "names": NAMES,
    }


class RewardExplorer(SphinxDirective):
    """The explorer; its content is what is shown where scripts do not run."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        committed: Results = self.env.app.factmix_committed
        self.env.note_dependency(str(committed.paths.study))
        explorer = box(self.env, CLASS, settings(committed))
        self.state.nested_parse(self.content, self.content_offset, explorer)
        return [explorer]


def setup(app: Sphinx) -> None:
    app.add_directive(CLASS, RewardExplorer)
