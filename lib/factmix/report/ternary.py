"""Triangle plots of the answer with the highest expected reward, by belief about the gold label."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from factmix.report.plot_style import ANSWER_COLOURS, WIDTH
from factmix.stats.metrics import Floats
from factmix.study.labels import LABELS

# The corners of the triangle: certainty of NA, PASS and FAIL.
_CORNERS_L2 = np.array([(0.5, np.sqrt(3) / 2), (0.0, 0.0), (1.0, 0.0)])


def plot_decision_maps(maps: Mapping[str, Mapping[str, Floats]]) -> Figure:
    """One triangle per reward; a point is a belief (p(NA), p(PASS), p(FAIL)).

    Args:
        maps: title -> label -> corners (V, 3) of the region in which the label has the highest
            expected reward.
    """
    figure, axes = plt.subplots(1, len(maps), figsize=(WIDTH, 2.35), squeeze=False)
    for ax, (title, regions) in zip(axes.flat, maps.items(), strict=True):
        _triangle(ax, regions)
        ax.set_title(title, loc="center")
    return figure


def _triangle(ax: Axes, regions: Mapping[str, Floats]) -> None:
    for label in map(str, LABELS):
        corners_V3 = regions[label]
        if len(corners_V3):
            corners_V2 = corners_V3 @ _CORNERS_L2
            ax.add_patch(Polygon(corners_V2, facecolor=ANSWER_COLOURS[label], alpha=0.85))
            x, y = _centroid(corners_V2)
            ax.text(x, y, label, color="white", weight="bold", ha="center", va="center")
    ink = plt.rcParams["text.color"]
    ax.add_patch(Polygon(_CORNERS_L2, fill=False, edgecolor=ink, linewidth=1))
    for label, corner, place in zip(LABELS, _CORNERS_L2, ("bottom", "top", "top"), strict=True):
        ax.annotate(
            f"p({label}) = 1",
            corner,
            (0, 4 if place == "bottom" else -4),
            textcoords="offset points",
            ha="center",
            va=place,
            fontsize=8,
        )
    ax.set_xlim(-0.2, 1.2)
    ax.set_ylim(-0.14, 1.02)
    ax.set_aspect("equal")
    ax.set_axis_off()


def _centroid(corners_V2: Floats) -> Floats:
    """The centroid of a polygon's area, where its label is drawn."""
    after = np.roll(corners_V2, -1, axis=0)
    cross_V = corners_V2[:, 0] * after[:, 1] - after[:, 0] * corners_V2[:, 1]
    centroid: Floats = ((corners_V2 + after) * cross_V[:, None]).sum(axis=0) / (3 * cross_V.sum())
    return centroid
