"""The style of every figure: light and dark pages, and a colour per arm and per answer."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib.pyplot as plt

from factmix.study.labels import INVALID, Label

STYLE = Path(__file__).with_name("factmix.mplstyle")
WIDTH = 7.0  # inches; with the style's dpi, the width of the book's text

# Okabe and Ito's colours, darkened where the contrast on light or dark pages would be too low.
# Add a line here for an arm that must have the same colour in every figure.
ARM_COLOURS = {
    "base": "#a6761d",
    "format_only": "#7f7f7f",
    "hard_only": "#d55e00",
    "hard_weighted": "#c8719f",
    "balanced": "#0072b2",
    "balanced_accuracy": "#009e73",
    "hard_only_matched": "#8c8c00",
    "hard_weighted_matched": "#8172c6",
    "balanced_matched": "#2f96c4",
}
# An arm of the released protocol has the colour of the arm it is named after: the two have
# different baselines, and no figure shows two baselines.
TWIN = "_released"
SPARE_COLOURS = ("#c2556b", "#3f9142", "#5b7f95")  # for other arms, by name
MARKERS = "osD^vPX<>ph*d"  # for colour-blind readers; in the order of the arms above
ANSWER_COLOURS = {
    Label.NA: "#b07d00",
    Label.PASS: "#0086a8",
    Label.FAIL: "#c2477f",
    INVALID: "#7f7f7f",
}
SHADE = "#0072b2"

_DARK = {
    "text.color": "e6edf3",
    "axes.labelcolor": "e6edf3",
    "axes.edgecolor": "7d8590",
    "xtick.color": "7d8590",
    "ytick.color": "7d8590",
    "xtick.labelcolor": "e6edf3",
    "ytick.labelcolor": "e6edf3",
    "grid.color": "343b44",
    "patch.edgecolor": "14181e",
}


@contextmanager
def style(dark: bool) -> Iterator[None]:
    """The project's plotting style, for pages with a dark or a light background.

    matplotlib looks up colours while drawing: draw and save inside this context.
    """
    with plt.style.context([STYLE, _DARK if dark else {}]):
        yield


def shortened(svg: bytes) -> bytes:
    """The SVG with coordinates cut to two decimals, which saves a fifth of a figure of curves."""
    return re.sub(rb' d="[^"]*"', lambda path: re.sub(rb"(\.\d\d)\d+", rb"\1", path[0]), svg)


def arm_colours(arms: Sequence[str]) -> dict[str, str]:
    """A colour for each arm; arms without a fixed one get the spare colours, in order of name."""
    spare = {name: SPARE_COLOURS[i % len(SPARE_COLOURS)] for i, name in enumerate(_others(arms))}
    return {name: ARM_COLOURS.get(_known(name)) or spare[name] for name in dict.fromkeys(arms)}


def arm_markers(arms: Sequence[str]) -> dict[str, str]:
    """A marker for each arm, assigned like the colours."""
    order = [*ARM_COLOURS, *_others(arms)]
    place = {name: order.index(_known(name)) for name in dict.fromkeys(arms)}
    return {name: MARKERS[at % len(MARKERS)] for name, at in place.items()}


def _known(name: str) -> str:
    """The arm with a fixed colour that a name is a twin of, else the name itself."""
    twin = name.removesuffix(TWIN)
    return twin if twin in ARM_COLOURS else name


def _others(arms: Sequence[str]) -> list[str]:
    return sorted({name for name in arms if _known(name) not in ARM_COLOURS})
