"""The common style of all figures."""

from factmix.report import plot_style


def test_drawings_are_shortened_in_their_points_alone() -> None:
    svg = b'<path d="M 1.23456 20 L 3.1 -0.98765" transform="scale(0.015625)"/>'
    short = b'<path d="M 1.23 20 L 3.1 -0.98" transform="scale(0.015625)"/>'
    assert plot_style._shortened(svg) == short
