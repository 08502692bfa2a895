"""The style of every figure: light and dark pages, and a colour per arm and per answer."""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from factmix.study.labels import INVALID, Label

STYLE = Path(__file__).with_name("factmix.mplstyle")
WIDTH = 7.0  # inches; with the style's dpi, the width of the book's text

# Okabe and Ito's colours, darkened where the contrast on light or dark pages would be too low.
# Add a line here for an arm that must have the same colour in every figure.
ARM_COLOURS = {
    "base": "#a6761d",
    "format_only": "#7f7f7f",
    "easy_only": "#8c8c00",
    "hard_only": "#d55e00",
    "hard_weighted": "#c8719f",
    "balanced": "#0072b2",
    "easy_only_accuracy": "#8172c6",
    "hard_only_accuracy": "#c2556b",
    "hard_weighted_accuracy": "#2f96c4",
    "balanced_accuracy": "#009e73",
}
# An arm of the released protocol has the colour of the arm it is named after: the two have
# different baselines, and no figure shows two baselines.
TWIN = "_released"
SPARE_COLOURS = ("#b5651d", "#3f9142", "#5b7f95")  # for other arms, by name
MARKERS = "osD^vPX<>ph*d"  # for colour-blind readers; in the order of the arms above
ANSWER_COLOURS = {
    Label.NA: "#b07d00",
    Label.PASS: "#0086a8",
    Label.FAIL: "#c2477f",
    INVALID: "#7f7f7f",
}
SHADE = "#0072b2"

# What light figures have -> what dark ones have in its place. The page's own white is not quite
# white, so that white text on a colour stays white.
PAGE = "#fefefe"
_DARK = {"#24292f": "#e6edf3", "#8c959f": "#7d8590", "#d8dee4": "#343b44", PAGE: "#14181e"}


@contextmanager
def style() -> Iterator[None]:
    """The project's plotting style on a light page: draw and save inside this context."""
    with plt.style.context(STYLE):
        yield


def svg(draw: Callable[[], Any], paper: str = "none") -> bytes:
    """What a function draws, as an SVG whose background has the colour `paper`."""
    buffer = io.BytesIO()
    with style():
        drawn = draw()
        figure = drawn if isinstance(drawn, Figure) else drawn.get_figure()
        # Without a date the same figure is the same file, and its page is not built again.
        figure.savefig(buffer, format="svg", facecolor=paper, metadata={"Date": None})
        plt.close(figure)
    return _shortened(buffer.getvalue())


def darkened(light: bytes) -> bytes:
    """The same figure for dark pages: text, lines and what has the colour of the page."""
    colours = "|".join(_DARK).encode()
    return re.sub(colours, lambda found: _DARK[found[0].decode()].encode(), light)


def _shortened(svg: bytes) -> bytes:
    """The SVG at a tenth of a point, curves by their steps, not indented: less than half of it."""
    svg = re.sub(rb"\n +", b"\n", svg)
    svg = re.sub(rb'(?<= )(x|y)="(-?\d+\.\d\d)\d+"', rb'\1="\2"', svg)
    return re.sub(rb' d="(M [-\d.]+ [-\d.]+ (?:\nL [-\d.]+ [-\d.]+ )+)\n"', _by_steps, svg)


def _by_steps(path: re.Match[bytes]) -> bytes:
    """A line through points as one through rounded points, each from the one before."""
    xy = [round(10 * float(each)) for each in re.findall(rb"-?[\d.]+", path[1])]
    steps = [after - before for before, after in zip(xy, xy[2:], strict=False)]
    start, rest = (" ".join(map(_tenths, each)) for each in (xy[:2], steps))
    return f' d="M{start}l{rest}"'.encode()


def _tenths(tenths: int) -> str:
    """12 as 1.2, 30 as 3, and 5 as .5."""
    return f"{tenths / 10:g}".replace("0.", ".", 1) if abs(tenths) < 10 else f"{tenths / 10:g}"


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
