"""The README's figure of a study: that of the book's first page."""

from functools import partial
from pathlib import Path

from factmix.report import drawings, plot_style, sources
from factmix.report.baselines import baseline_groups
from factmix.study.files import written_whole
from factmix.study.paths import Paths


def draw_summary(frozen: Paths) -> list[Path]:
    """Draws what frozen results show at a glance, for light and for dark pages.

    Args:
        frozen: such as `Paths(ROOT / "results" / "main")`.

    Returns:
        The paths of summary.svg, on white for pages of any colour, and of summary-dark.svg.
    """
    drawing = drawings.summary(baseline_groups(sources.read(frozen.root))[0])
    light = plot_style.svg(partial(drawing.draw, drawing.data), paper="white")
    dark = plot_style.darkened(light).replace(b"fill: #ffffff", b"fill: none", 1)
    versions = {"summary.svg": light, "summary-dark.svg": dark}
    for name, version in versions.items():
        with written_whole(frozen.root / name) as part:
            part.write_bytes(version)
    return [frozen.root / name for name in versions]
