"""Figures of a study's data: prompt lengths, and how much missing evidence reveals.

As in `figures`: tidy data in, axes out.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from factmix.report.plot_style import SHADE, WIDTH

_PROTOCOLS = {"as_described": SHADE, "as_released": "#d55e00"}
_MARKS = {"median": "o", "95 %": "|", "longest": "x"}
_PARTS = {"train": "training", "evaluation": "evaluation"}


def plot_lengths(lengths: pd.DataFrame, *, most: int, ax: Axes | None = None) -> Axes:
    """Median, 95th percentile and maximum of prompt lengths per dataset and part, with the limit.

    Args:
        lengths: from `data_summary.lengths_table`; tokens.
        most: the limit, in tokens, beyond which evidence is cut.
        ax: the axes to draw on; by default those of a new figure.
    """
    ax = ax or plt.figure(figsize=(WIDTH, 0.9 + 0.27 * len(lengths))).add_subplot()
    rows = np.arange(len(lengths))
    ax.hlines(rows, lengths["median"], lengths["longest"], color=SHADE, linewidth=1)
    for name, mark in _MARKS.items():
        ax.plot(lengths[name], rows, mark, color=SHADE, label=name, markersize=7)
    ax.axvline(most, color=plt.rcParams["text.color"], linestyle="--", linewidth=1, label="cut off")
    ax.set_yticks(rows, [", ".join(each) for each in lengths.index])
    ax.set_ylim(len(lengths) - 0.5, -0.5)
    ax.set_xlim(left=0)
    ax.set_xlabel("tokens of the prompt")
    ax.grid(axis="y", visible=False)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(_MARKS) + 1)
    return ax


def plot_rule(accuracy: pd.DataFrame, *, part: str, ax: Axes | None = None) -> Axes:
    """Accuracy of "no evidence means NA" per dataset, one bar for each protocol.

    Args:
        accuracy: from `data_summary.rule_table`; fractions, by protocol and part.
        part: "train" or "evaluation".
        ax: the axes to draw on; by default those of a new figure.
    """
    ax = ax or plt.figure(figsize=(WIDTH, 0.9 + 0.5 * len(accuracy))).add_subplot()
    height = 0.8 / len(_PROTOCOLS)
    for i, (protocol, colour) in enumerate(_PROTOCOLS.items()):
        values = accuracy[protocol, part]
        places = np.arange(len(accuracy)) + i * height
        ax.barh(places, values, height, color=colour, label=protocol)
        for place, value in zip(places, values, strict=True):
            at, words = (0, "none drawn") if np.isnan(value) else (value, f"{value:.1%}")
            ax.annotate(
                words, (at, place), (3, 0), textcoords="offset points", va="center", fontsize=8
            )
    ax.set_yticks(np.arange(len(accuracy)) + height / 2, list(accuracy.index))
    ax.set_ylim(len(accuracy) - 0.3, -0.5)
    ax.set_xlim(0, 1.1)
    ax.set_xlabel(f"accuracy of the rule on the examples for {_PARTS[part]}")
    ax.grid(axis="y", visible=False)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(_PROTOCOLS))
    return ax
