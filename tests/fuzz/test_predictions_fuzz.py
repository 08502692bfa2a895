"""A few files of the campaign that `predictions.py` runs by hand."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from predictions import Case, cases, check


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_a_mutated_file_is_compared_or_refused_in_one_line(case: Case) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert check(case, Path(folder))[1] in ("compared", "refused")
