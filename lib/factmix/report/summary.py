"""The README's figure of a study's gains."""

import json
from functools import partial
from pathlib import Path

from factmix.report import figures, plot_style
from factmix.results.results_json import tidy
from factmix.study.files import written_whole
from factmix.study.paths import Paths


def draw_summary(frozen: Paths) -> list[Path]:
    """Draws the gains of frozen results, for light and for dark pages.

    Args:
        frozen: such as `Paths(ROOT / "results" / "main")`.

    Returns:
        The paths of summary.svg, on white for pages of any colour, and of summary-dark.svg.
    """
    results = json.loads(frozen.results.read_text(encoding="utf-8"))
    gains = tidy(results["gains"], ["arm", "dataset", "metric"])
    elsewhere = results["study"].get("baselines", {})  # arms on other examples: left out here
    gains = gains[~gains["arm"].isin(["base", *elsewhere])]
    metrics = ("balanced_accuracy", "recall_na")
    draw = partial(figures.plot_gains, gains, metrics=metrics, alpha=results["study"]["alpha"])
    light = plot_style.svg(draw, paper="white")
    dark = plot_style.darkened(light).replace(b"fill: #ffffff", b"fill: none", 1)
    versions = {"summary.svg": light, "summary-dark.svg": dark}
    for name, version in versions.items():
        with written_whole(frozen.root / name) as part:
            part.write_bytes(version)
    return [frozen.root / name for name in versions]
