"""Figures: tidy data in, axes or a figure out, without loading, statistics or saving.

Draw inside `style`; the background is transparent.
"""

from factmix.report.figures.awareness import plot_reliability, plot_risk_coverage
from factmix.report.figures.comparison import (
    plot_domain_number,
    plot_gains,
    plot_pairs,
    plot_protocols,
    plot_seeds,
    plot_shift,
)
from factmix.report.figures.composition import plot_mixtures
from factmix.report.figures.curves import (
    plot_answer_shares,
    plot_curves,
    plot_dose,
    plot_rewards,
    plot_training_curves,
    plot_trajectory,
)
from factmix.report.figures.matrices import (
    plot_by_kind,
    plot_confusion,
    plot_kinds,
    plot_simplex,
    plot_transfer,
)
from factmix.report.figures.samples import plot_lengths, plot_rule
from factmix.report.figures.speed import plot_phases, plot_ratios, plot_step_times
from factmix.report.plot_style import STYLE, WIDTH, style

__all__ = [
    "STYLE",
    "WIDTH",
    "plot_answer_shares",
    "plot_by_kind",
    "plot_confusion",
    "plot_curves",
    "plot_domain_number",
    "plot_dose",
    "plot_gains",
    "plot_kinds",
    "plot_lengths",
    "plot_mixtures",
    "plot_pairs",
    "plot_phases",
    "plot_protocols",
    "plot_ratios",
    "plot_reliability",
    "plot_rewards",
    "plot_risk_coverage",
    "plot_rule",
    "plot_seeds",
    "plot_shift",
    "plot_simplex",
    "plot_step_times",
    "plot_training_curves",
    "plot_trajectory",
    "plot_transfer",
    "style",
]
