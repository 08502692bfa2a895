"""The README's figure of a study's gains."""

import json
from pathlib import Path

import matplotlib.pyplot as plt

from factmix.report import figures, plot_style
from factmix.results.results_json import tidy
from factmix.study.files import written_whole
from factmix.study.paths import Paths


def draw_summary(frozen: Paths) -> list[Path]:
    """Draws the gains of frozen results, for light and for dark pages.

    Args:
        frozen: such as `Paths(ROOT / "results" / "embedded")`.

    Returns:
        The paths of summary.svg, on white for pages of any colour, and of summary-dark.svg.
    """
    results = json.loads(frozen.results.read_text(encoding="utf-8"))
    gains = tidy(results["gains"], ["arm", "dataset", "metric"])
    elsewhere = results["study"].get("baselines", {})  # arms on other examples: left out here
    gains = gains[~gains["arm"].isin(["base", *elsewhere])]
    alpha, metrics = results["study"]["alpha"], ("balanced_accuracy", "recall_na")
    drawn = []
    for name, dark in (("summary.svg", False), ("summary-dark.svg", True)):
        target = frozen.root / name
        with plot_style.style(dark=dark), written_whole(target) as part:
            figure = figures.plot_gains(gains, metrics=metrics, alpha=alpha)
            paper = "none" if dark else "white"
            figure.savefig(part, format="svg", facecolor=paper, metadata={"Date": None})
            plt.close(figure)
        drawn.append(target)
    return drawn
