"""Shared layout of figures: rows of panels, a legend above them, metric names as words."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from factmix.report.plot_style import WIDTH, arm_colours, arm_markers

LETTERS = 90  # letters of a legend that fit in one row


def panels(
    titles: Sequence[str], height: float, *, sharex: bool = False
) -> tuple[Figure, list[Axes]]:
    """A row of panels with one y axis, `height` inches high."""
    figure, axes = plt.subplots(
        1, len(titles), figsize=(WIDTH, height), sharex=sharex, sharey=True, squeeze=False
    )
    for ax, title in zip(axes.flat, titles, strict=True):
        ax.set_title(title)
    return figure, list(axes.flat)


def names(frame: pd.DataFrame, column: str) -> list[str]:
    """The distinct names in a column, in order of first occurrence."""
    return list(dict.fromkeys(frame[column]))


def below(figure: Figure, text: str) -> None:
    """Sets the x label of all panels; it is centred below them, so that a long text fits."""
    figure.supxlabel(text, fontsize=plt.rcParams["axes.labelsize"])


def beside(figure: Figure, text: str) -> None:
    """Sets the y label of all panels."""
    figure.supylabel(text, fontsize=plt.rcParams["axes.labelsize"])


def legend_above(figure: Figure, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    figure.legend(handles, labels, loc="outside upper center", ncols=legend_columns(labels))


def legend_columns(labels: Sequence[str]) -> int:
    """The columns of a legend as wide as a figure: one row if the entries fit, else two or more."""
    in_one_row = sum(map(len, labels)) + 5 * len(labels) <= LETTERS
    if in_one_row:
        return len(labels)
    return max(1, min(-(-len(labels) // 2), LETTERS // (max(map(len, labels)) + 5)))


def arm_handles(arms: Sequence[str]) -> list[Artist]:
    """A line with a marker for each arm, for a legend."""
    colours, markers = arm_colours(arms), arm_markers(arms)
    return [Line2D([], [], color=colours[a], marker=markers[a]) for a in arms]


def dotted() -> Line2D:
    """The dotted line of a reference value, for a legend."""
    return Line2D([], [], color=plt.rcParams["text.color"], ls=":", lw=1)


def words(metric: str) -> str:
    capital = {"na": "NA", "pass": "PASS", "fail": "FAIL", "f1": "F1", "kl": "KL"}
    return " ".join(capital.get(word, word) for word in metric.split("_"))
