"""The common style of all figures."""

from factmix.report import plot_style


def test_lines_are_shortened_by_steps_between_rounded_points_and_nothing_else_is() -> None:
    line = (
        b'<path d="M 1.2345 20 \nL 3.16 19.5049 \nL 3.26 -0.98765 \n" clip-path="url(#p0.12345)"/>'
    )
    short = b'<path d="M1.2 20l2 -.5 .1 -20.5" clip-path="url(#p0.12345)"/>'
    assert plot_style._shortened(line) == short
    glyph = b'<path d="M 2034 4250 \nQ 1547 4250 1301 3770 \nz\n" transform="scale(0.015625)"/>'
    assert plot_style._shortened(glyph) == glyph
    mark = b'   <g>\n    <use x="78.545285" y="-1.398577" style="stroke-width: 0.12345"/>'
    assert plot_style._shortened(b"\n" + mark) == (
        b'\n<g>\n<use x="78.54" y="-1.39" style="stroke-width: 0.12345"/>'
    )
