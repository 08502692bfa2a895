"""Figures of computing time: a training step, a speedup, and the phases of a study."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import ScalarFormatter

from factmix.report.figures.layout import dotted
from factmix.report.plot_style import SHADE, WIDTH

_KINDS = {"train": "#d55e00", "evaluate": SHADE}  # colours of phases; others are grey
_OTHER = "#7f7f7f"


def plot_step_times(times: pd.DataFrame) -> Figure:
    """Seconds per step against completions per prompt (logarithmic scale).

    Args:
        times: columns completions (per prompt) and seconds.
    """
    figure = plt.figure(figsize=(WIDTH, 3))
    ax = figure.add_subplot()
    times = times.sort_values("completions")
    ax.plot(times["completions"], times["seconds"], marker="o", color=SHADE)
    last = times.iloc[-1]
    in_proportion = last["seconds"] * times["completions"] / last["completions"]
    ax.plot(times["completions"], in_proportion, color=plt.rcParams["text.color"], ls=":", lw=1)
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.set_ylim(bottom=0)
    ax.set_xticks(times["completions"])
    ax.set_xlabel("completions per prompt")
    ax.set_ylabel("seconds per step")
    measured = Line2D([], [], color=SHADE, marker="o")
    ax.legend([measured, dotted()], ["a step", "if all of it grew with the completions"])
    return figure


def plot_ratios(ratios: pd.DataFrame) -> Figure:
    """Speedup over the stock trainer against prompt length.

    Args:
        ratios: columns tokens (of a prompt) and ratio.
    """
    figure = plt.figure(figsize=(WIDTH, 3))
    ax = figure.add_subplot()
    ratios = ratios.sort_values("tokens")
    ax.plot(ratios["tokens"], ratios["ratio"], marker="o", color=SHADE)
    for row in ratios.itertuples():
        ax.annotate(
            f"{row.ratio:.3g}", (row.tokens, row.ratio), (0, 7), textcoords="offset points",
            ha="center",
        )  # fmt: skip
    ax.axhline(1, color=plt.rcParams["text.color"], ls=":", lw=1)
    ax.annotate("as fast", (ratios["tokens"].min(), 1), (0, 4), textcoords="offset points")
    ax.set_xticks(ratios["tokens"])
    ax.set_ylim(0, 1.18 * max(1.0, ratios["ratio"].max()))
    ax.set_xlabel("tokens of a prompt")
    ax.set_ylabel("times as fast as the stock trainer")
    return figure


def plot_phases(phases: pd.DataFrame) -> Figure:
    """Bars of the time that each phase of a study takes, from top to bottom.

    Args:
        phases: columns phase, such as "data" or "train balanced-s0", and seconds.
    """
    figure = plt.figure(figsize=(WIDTH, 0.7 + 0.24 * len(phases)))
    ax = figure.add_subplot()
    colours = [_KINDS.get(phase.split()[0], _OTHER) for phase in phases["phase"]]
    bars = ax.barh(np.arange(len(phases)), phases["seconds"], color=colours)
    ax.bar_label(bars, [f"{seconds:.0f} s" for seconds in phases["seconds"]], padding=3, fontsize=8)
    ax.set_yticks(range(len(phases)), phases["phase"])
    ax.set_ylim(len(phases) - 0.5, -0.5)
    ax.margins(x=0.1)
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("seconds")
    return figure
