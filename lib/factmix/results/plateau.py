"""When training changes nothing any more: the rule of book/plan.md."""

from collections.abc import Mapping
from itertools import pairwise

LESS_THAN = 0.01  # change of balanced accuracy from one step to the next that was answered
TIMES = 2  # in a row


def plateau(means: Mapping[int, float]) -> int | None:
    """The first step after which a mean changes less than `LESS_THAN`, `TIMES` times in a row.

    Args:
        means: of balanced accuracy over the datasets, by step, in order.

    Returns:
        None where there is no such step.
    """
    steps = list(means)
    little = [abs(means[after] - means[step]) < LESS_THAN for step, after in pairwise(steps)]
    starts = range(len(little) - TIMES + 1)
    return next((steps[i] for i in starts if all(little[i : i + TIMES])), None)
