"""Heat maps: confusion matrices, gains by dataset or kind of claim, values over three shares."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from factmix.report.figures.layout import below, beside, names, words
from factmix.report.plot_style import SHADE, WIDTH
from factmix.study.labels import ANSWERS, LABELS

STRONG = 0.42  # from one half: AUROCs whose shade takes white numbers


def plot_confusion(predictions: pd.DataFrame) -> Figure:
    """Confusion matrices: a row of panels per arm, a column per dataset.

    Each row of a matrix adds up to 100 %; correct answers are framed.

    Args:
        predictions: columns arm, dataset, gold, predicted; one row per answer, or one per
            combination with its number of answers in a column n.
    """
    arms, datasets = names(predictions, "arm"), names(predictions, "dataset")
    shape, size = (len(arms), len(datasets)), (WIDTH, 0.5 + 1.15 * len(arms))
    figure, axes = plt.subplots(*shape, figsize=size, sharex=True, sharey=True, squeeze=False)
    for row, arm in enumerate(arms):
        for column, dataset in enumerate(datasets):
            of_panel = (predictions["arm"] == arm) & (predictions["dataset"] == dataset)
            _confusion_panel(axes[row, column], predictions[of_panel])
            if row == 0:
                axes[row, column].set_title(dataset)
        name = arm if len(arm) < 13 else arm.replace("_", "_\n")
        axes[row, 0].set_ylabel(name, fontweight="bold", labelpad=6)
    below(figure, "answer")
    beside(figure, "gold label")
    return figure


def plot_transfer(gains: pd.DataFrame) -> Figure:
    """Heat map of the gain of each arm on each dataset over the baseline; a panel per metric.

    Cells of datasets that the arm was trained on are framed; the other cells are transfer.

    Args:
        gains: columns arm, dataset, metric, value, low, high (fractions) and trained_on (bool).
    """
    metrics = names(gains, "metric")
    arms, datasets = names(gains, "arm"), names(gains, "dataset")
    figure, axes = plt.subplots(
        len(metrics),
        1,
        figsize=(WIDTH, 0.8 + (0.35 + 0.36 * len(arms)) * len(metrics)),
        sharex=True,
        squeeze=False,
    )
    # No cell reaches the strongest shade, so that its text stays readable.
    reach = 1.4 * max(100 * gains["value"].abs().max(), 1.0)
    for ax, metric in zip(axes.flat, metrics, strict=True):
        rows = gains[gains["metric"] == metric].assign(text=_with_interval)
        points, texts, trained = (
            rows.pivot_table(column, "arm", "dataset", "first").loc[arms, datasets]
            for column in ("value", "text", "trained_on")
        )
        sns.heatmap(
            100 * points,
            ax=ax,
            vmin=-reach,
            vmax=reach,
            cmap=_below_and_above(),
            cbar=False,
            annot=texts,
            fmt="",
            annot_kws={"fontsize": 7, "linespacing": 1.3, "color": plt.rcParams["text.color"]},
            linewidths=3,
            linecolor=plt.rcParams["patch.edgecolor"],
        )
        _frame(ax, trained)
        ax.set_title(f"{words(metric)}, points")
        ax.set_xlabel("")
        ax.set_ylabel("")
        ax.set_yticklabels(arms, rotation=0)
        ax.tick_params(length=0)
        ax.grid(visible=False)
    below(figure, "evaluated on (framed: trained on it)")
    beside(figure, "trained as")
    return figure


def plot_kinds(kinds: pd.DataFrame) -> Figure:
    """Heat map of how well p(NA) tells each kind of claim from the other side, by dataset.

    Args:
        kinds: columns dataset, decided (whether the claims have a verdict), kind, auroc_na.
    """
    datasets = names(kinds, "dataset")
    sides = {
        "nothing decides": kinds[~kinds["decided"]],
        "the evidence decides": kinds[kinds["decided"]],
    }
    rows = [rows["kind"].nunique() for rows in sides.values()]
    figure, axes = plt.subplots(
        len(sides),
        1,
        figsize=(WIDTH, 1.0 + 0.3 * sum(rows)),
        height_ratios=rows,
        sharex=True,
    )
    for ax, (side, of_side) in zip(axes, sides.items(), strict=True):
        wide = of_side.pivot_table("auroc_na", "kind", "dataset", sort=False)
        sns.heatmap(
            wide.reindex(columns=datasets),
            ax=ax,
            vmin=0,
            vmax=1,
            cmap=_below_and_above(),
            cbar=False,
            annot=True,
            fmt=".2f",
            annot_kws={"fontsize": 8},
            linewidths=2,
            linecolor=plt.rcParams["patch.edgecolor"],
        )
        for number in ax.texts:  # white on the strong shades, on light and dark pages
            strong = abs(float(number.get_text()) - 0.5) > STRONG
            number.set_color("white" if strong else plt.rcParams["text.color"])
        ax.set_title(side)
        ax.set(xlabel="", ylabel="")
        ax.set_yticklabels([words(kind) for kind in wide.index], rotation=0)
        ax.tick_params(length=0)
        ax.grid(visible=False)
    below(figure, "AUROC of p(NA) against the claims of the other side (one half: nothing seen)")
    return figure


def plot_by_kind(values: pd.DataFrame) -> Figure:
    """Heat map of a value by kind of claim and dataset; a row of panels for each side.

    Args:
        values: columns mixture (a panel each), dataset, side ("undecided" or "decided"), kind,
            trained_on (framed) and value (a fraction).
    """
    mixtures, datasets = names(values, "mixture"), names(values, "dataset")
    sides = {
        "nothing decides": values[values["side"] == "undecided"],
        "the evidence decides": values[values["side"] == "decided"],
    }
    figure, axes = plt.subplots(
        len(sides),
        len(mixtures),
        figsize=(WIDTH, 1.2 + 0.27 * sum(of["kind"].nunique() for of in sides.values())),
        height_ratios=[of["kind"].nunique() for of in sides.values()],
        sharex=True,
        sharey="row",
        squeeze=False,
    )
    reach = 1.4 * max(100 * values["value"].abs().max(), 1.0)
    for row, of_side in zip(axes, sides.values(), strict=True):
        kinds = names(of_side, "kind")
        for ax, mixture in zip(row, mixtures, strict=True):
            of = of_side[of_side["mixture"] == mixture]
            wide, trained = (
                of.pivot_table(column, "kind", "dataset", "first").reindex(kinds, columns=datasets)
                for column in ("value", "trained_on")
            )
            sns.heatmap(
                100 * wide.astype(float),
                ax=ax,
                vmin=-reach,
                vmax=reach,
                cmap=_below_and_above(),
                cbar=False,
                annot=wide.map(lambda value: "" if pd.isna(value) else _signed(value).lstrip("+")),
                fmt="",
                annot_kws={"fontsize": 7, "color": plt.rcParams["text.color"]},
                linewidths=2,
                linecolor=plt.rcParams["patch.edgecolor"],
            )
            _frame(ax, trained.eq(True))
            ax.set(xlabel="", ylabel="")
            ax.set_yticks(np.arange(len(kinds)) + 0.5, [words(kind) for kind in kinds], rotation=0)
            ax.set_xticks(np.arange(len(datasets)) + 0.5, datasets)
            ax.tick_params(axis="x", rotation=60)
            ax.tick_params(length=0)
            ax.grid(visible=False)
    for ax, mixture in zip(axes[0], mixtures, strict=True):
        ax.set_title(f"{mixture} alone")
    for row, side in zip(axes, sides, strict=True):
        row[0].set_ylabel(side)
    below(figure, "evaluated on (framed: the domain that was trained on)")
    return figure


def plot_simplex(values: pd.DataFrame) -> Figure:
    """Triangles of the shares of three datasets, coloured by a value; a panel for each value.

    Between the mixtures, whose values are written at their places with half the width of their
    intervals below, where they have one, colours are interpolated. All panels have one scale.

    Args:
        values: columns panel, mixture, the share of each of three datasets, value, low and high
            (fractions).
    """
    panels = names(values, "panel")
    others = ("panel", "mixture", "value", "low", "high")
    datasets = [name for name in values if name not in others]
    rows, columns = -(-len(panels) // 3), min(3, len(panels))
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, 2.35 * rows), squeeze=False)
    reach = 1.4 * max(100 * values["value"].abs().max(), 1.0)  # so that text stays readable
    corners = np.array([(0.5, np.sqrt(0.75)), (0, 0), (1, 0)])
    halo = withStroke(linewidth=2.5, foreground=plt.rcParams["patch.edgecolor"])
    for ax, panel in zip(axes.flat, panels, strict=False):
        of = values[values["panel"] == panel]
        x, y = (of[datasets].to_numpy() @ corners).T
        levels = np.linspace(-reach, reach, 26)
        ax.tricontourf(x, y, 100 * of["value"], levels=levels, cmap=_below_and_above())
        ax.plot(*np.vstack([corners, corners[:1]]).T, color=plt.rcParams["axes.edgecolor"], lw=0.8)
        half = (of["high"] - of["low"]) / 2
        for at_x, at_y, value, wide in zip(x, y, of["value"], half, strict=True):
            ax.text(
                at_x, at_y, _signed(value).lstrip("+"), ha="center", va="bottom", fontsize=6.5,
                path_effects=[halo],
            )  # fmt: skip
            if not np.isnan(wide):
                ax.text(
                    at_x, at_y, f"\u00b1{100 * wide:.1f}", ha="center", va="top", fontsize=5,
                    path_effects=[halo],
                )  # fmt: skip
        for (at_x, at_y), name, up in zip(corners, datasets, (0.06, -0.07, -0.07), strict=True):
            ax.text(
                at_x, at_y + up, name, ha="center", va="bottom" if up > 0 else "top",
                fontsize=plt.rcParams["xtick.labelsize"],
            )  # fmt: skip
        ax.set_title(panel)
        ax.set(xlim=(-0.16, 1.16), ylim=(-0.2, 1.02), aspect="equal")
        ax.axis("off")
    for ax in axes.flat[len(panels) :]:
        ax.axis("off")
    return figure


def _frame(ax: Axes, cells: pd.DataFrame) -> None:
    """Frames the cells of a heat map that are true."""
    for row, column in np.argwhere(cells.to_numpy(dtype=bool)):
        corner, ink = (column + 0.03, row + 0.04), plt.rcParams["text.color"]
        ax.add_patch(Rectangle(corner, 0.94, 0.92, fill=False, ec=ink, lw=1.2))


def _with_interval(gains: pd.DataFrame) -> list[str]:
    return [
        f"{_signed(row.value)}\n{_signed(row.low)} to {_signed(row.high)}"
        for row in gains.itertuples()
    ]


def _signed(fraction: object) -> str:
    text = f"{100 * float(str(fraction)):+.1f}"
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", "\u2212")


def _below_and_above() -> Colormap:
    """A colour map: orange for losses, blue for gains, transparent for no change."""
    ends = [to_rgba("#d55e00"), to_rgba("#d55e00", 0), to_rgba(SHADE, 0), to_rgba(SHADE)]
    places = (0, 0.5, 0.5, 1)
    return LinearSegmentedColormap.from_list("gains", list(zip(places, ends, strict=True)))


def _confusion_panel(ax: Axes, answers: pd.DataFrame) -> None:
    counted = answers if "n" in answers else answers.assign(n=1)
    counts_LA = (
        counted.pivot_table("n", "gold", "predicted", "sum", fill_value=0)
        .reindex(index=list(LABELS), columns=list(ANSWERS), fill_value=0)
        .to_numpy()
    )
    share_LA = counts_LA / np.maximum(counts_LA.sum(axis=1, keepdims=True), 1)
    shade_LA4 = np.empty((*share_LA.shape, 4))
    shade_LA4[..., :3] = to_rgba(SHADE)[:3]
    shade_LA4[..., 3] = 0.75 * share_LA  # at most 0.75, so that the text stays readable
    ax.imshow(shade_LA4, aspect="auto")
    for gold, answer in np.ndindex(*share_LA.shape):
        share = f"{share_LA[gold, answer]:.0%}"
        ax.text(answer, gold, share, ha="center", va="center", fontsize=8)
    for right in range(len(LABELS)):
        corner, ink = (right - 0.5, right - 0.5), plt.rcParams["text.color"]
        ax.add_patch(Rectangle(corner, 1, 1, fill=False, ec=ink, lw=1.2, clip_on=False))
    # The longest word is lower than the others: panels are narrow.
    ax.set_xticks(range(len(ANSWERS)), [*ANSWERS[:-1], f"\n{ANSWERS[-1]}"])
    ax.set_yticks(range(len(LABELS)), list(LABELS))
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[["left", "bottom"]].set_visible(False)
