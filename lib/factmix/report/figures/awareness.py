"""Figures of label probabilities: reliability diagrams and risk-coverage curves."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from factmix.report.figures.layout import arm_handles, below, dotted, legend_above, names, panels
from factmix.report.plot_style import arm_colours, arm_markers


def plot_reliability(bins: pd.DataFrame) -> Figure:
    """Reliability diagram: accuracy of the most probable label by its probability, per dataset.

    Points below the dotted line are overconfident.

    Args:
        bins: columns arm, dataset, confidence, value, low, high (fractions): accuracy among
            examples of similar confidence, with its interval.
    """
    datasets, arms = names(bins, "dataset"), names(bins, "arm")
    colours, markers = arm_colours(arms), arm_markers(arms)
    figure, axes = panels(datasets, 3.1, sharex=True)
    for ax, dataset in zip(axes, datasets, strict=True):
        ax.plot([0, 1], [0, 1], color=plt.rcParams["text.color"], ls=":", lw=1)
        for arm in arms:
            rows = bins[(bins["dataset"] == dataset) & (bins["arm"] == arm)]
            rows = rows.sort_values("confidence")
            at, colour = rows["confidence"], colours[arm]
            ax.vlines(at, rows["low"], rows["high"], color=colour, linewidth=1, alpha=0.35)
            ax.plot(at, rows["value"], marker=markers[arm], ms=4, color=colour, lw=1.3)
        ax.set_xlim(min(0.33, bins["confidence"].min() - 0.02), 1.01)
        ax.set_ylim(-0.02, 1.02)
    axes[0].set_ylabel("share that is right")
    below(figure, "probability of the most probable label")
    legend_above(figure, [*arm_handles(arms), dotted()], [*arms, "as sure as right"])
    return figure


def plot_risk_coverage(risks: pd.DataFrame) -> Figure:
    """Risk-coverage curves with abstention on the claims of highest p(NA); a panel per dataset.

    Args:
        risks: columns arm, dataset, coverage, value (fractions: errors among the answered claims),
            and low and high where there is an interval.
    """
    datasets, arms = names(risks, "dataset"), names(risks, "arm")
    colours, markers = arm_colours(arms), arm_markers(arms)
    figure, axes = panels(datasets, 3.1, sharex=True)
    for ax, dataset in zip(axes, datasets, strict=True):
        for i, arm in enumerate(arms):
            rows = risks[(risks["dataset"] == dataset) & (risks["arm"] == arm)]
            rows = rows.sort_values("coverage")
            sure = rows.dropna(subset="low")
            at, colour = sure["coverage"] + 0.008 * (i - (len(arms) - 1) / 2), colours[arm]
            ax.plot(rows["coverage"], rows["value"], color=colour, lw=1.3)
            ax.vlines(at, sure["low"], sure["high"], color=colour, linewidth=1, alpha=0.6)
            ax.scatter(at, sure["value"], s=16, marker=markers[arm], color=colour, zorder=3)
    axes[0].set_xlim(0, 1.04)
    axes[0].set_ylim(0, 1.02)
    axes[0].set_ylabel("errors among them (risk)")
    below(figure, "share of claims that are answered PASS or FAIL (coverage)")
    legend_above(figure, arm_handles(arms), arms)
    return figure
