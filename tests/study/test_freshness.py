"""What a result depends on: settings, code without comments and docstrings, files."""

from pathlib import Path

import pytest

from factmix.study import freshness
from factmix.study.spec import Study

CODE = '''"""A module."""

LIMIT = 3


def double(value: int) -> int:
    """Twice the value."""
    return 2 * value
'''


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("LIMIT = 3", "LIMIT = 3  # a comment", True),
        ("Twice the value.", "The value, twice.", True),
        ('"""A module."""', "", True),
        ("LIMIT = 3", "LIMIT = 4", False),
        ("2 * value", "value * 2", False),
    ],
)
def test_code_counts_without_comments_and_docstrings(
    tmp_path: Path, old: str, new: str, same: bool
) -> None:
    file = tmp_path / "module.py"
    file.write_text(CODE)
    before = freshness.tree_sha256(tmp_path)
    assert old in CODE
    file.write_text(CODE.replace(old, new))
    assert (freshness.tree_sha256(tmp_path) == before) == same


def test_files_that_are_no_code_count_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "words.md").write_text("# One\n")
    before = freshness.tree_sha256(tmp_path)
    (tmp_path / "words.md").write_text("# Two\n")
    assert freshness.tree_sha256(tmp_path) != before


def test_a_difference_names_the_key_and_both_values() -> None:
    kept = {"settings": {"training": {"steps": 2, "seed": 1}}, "code_sha256": "a"}
    now = {"settings": {"training": {"steps": 3, "seed": 1}}, "code_sha256": "b"}
    assert freshness.differences(kept, now) == [
        "training.steps was 2 and is 3",
        "code is another",
    ]
    assert freshness.differences(kept, kept) == []


@pytest.mark.parametrize("kept", [{}, {"code_sha256": None}])
def test_a_part_that_was_not_recorded_is_not_compared(kept: freshness.Record) -> None:
    assert freshness.differences(kept, {"code_sha256": "b"}) == []


def test_the_answers_of_the_base_model_depend_on_no_arm(smoke: Study) -> None:
    content = smoke.model_dump()
    content["arms"]["hard_only"]["steps"] = 7
    content["training"]["learning_rate"] = 0.5
    (base,) = smoke.base_runs()
    (other,) = Study.model_validate(content).base_runs()
    assert freshness.answering_settings(base) == freshness.answering_settings(other)


def test_an_arm_more_leaves_the_record_of_other_arms_as_it_was(smoke: Study) -> None:
    content = smoke.model_dump()
    content["arms"]["more"] = content["arms"]["hard_only"] | {"steps": 1}
    more = Study.model_validate(content)
    for arm in smoke.arms:
        record = freshness.training_settings(smoke.run(arm))
        assert freshness.training_settings(more.run(arm)) == record
