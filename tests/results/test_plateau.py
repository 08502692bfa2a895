"""The rule that says when training changes nothing any more."""

import pytest

from factmix.results.plateau import plateau


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.7, 0.8, 0.85, 0.852, 0.853], 200),
        ([0.7, 0.702, 0.8, 0.805, 0.81], 200),  # once is not enough
        ([0.7, 0.75, 0.8, 0.85, 0.855], None),
        ([0.85, 0.846, 0.85], 0),
        ([0.9, 0.88, 0.881, 0.9], None),  # down is a change, too
        ([0.9], None),
    ],
)
def test_a_plateau_begins_where_two_changes_in_a_row_are_small(
    values: list[float], expected: int | None
) -> None:
    assert plateau({100 * i: value for i, value in enumerate(values)}) == expected
