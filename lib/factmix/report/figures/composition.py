"""Figure of the composition of mixtures."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from factmix.report.figures.layout import below, legend_above, names, panels
from factmix.report.plot_style import ANSWER_COLOURS
from factmix.study.labels import LABELS


def plot_mixtures(mixtures: pd.DataFrame) -> Figure:
    """Stacked bars of the training examples per label in each mixture; a panel per dataset.

    Args:
        mixtures: columns mixture, dataset, label, value (examples).
    """
    mixed = names(mixtures, "mixture")
    # Order datasets as in the mixture with the most datasets; others may lack the first one.
    of_mixture = [list(rows) for _, rows in mixtures.groupby("mixture", sort=False)["dataset"]]
    datasets = list(dict.fromkeys([*max(of_mixture, key=len), *mixtures["dataset"]]))
    table = mixtures.pivot_table("value", ["mixture", "dataset"], "label", "sum", fill_value=0)
    table = table.reindex(columns=list(LABELS), fill_value=0).astype(int)
    figure, axes = panels(datasets, 0.8 + 0.32 * len(mixed), sharex=True)
    for ax, dataset in zip(axes, datasets, strict=True):
        counts = table.xs(dataset, level="dataset").reindex(mixed, fill_value=0)
        start = np.zeros(len(mixed))
        for label in LABELS:
            bars = ax.barh(
                mixed, counts[label], left=start, color=ANSWER_COLOURS[label], label=label
            )
            texts = [str(count) if count else "" for count in counts[label]]
            ax.bar_label(bars, texts, label_type="center", color="white", fontsize=8)
            start += counts[label].to_numpy()
        for y in np.flatnonzero(start == 0):
            ax.annotate("none", (0, y), (4, 0), textcoords="offset points", va="center", fontsize=8)
        ax.grid(axis="y", visible=False)
        ax.tick_params(axis="y", length=0)
    axes[0].set_ylim(len(mixed) - 0.5, -0.5)
    below(figure, "training examples")
    legend_above(figure, *axes[0].get_legend_handles_labels())
    return figure
