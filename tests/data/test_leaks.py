"""The overlap of training and evaluation, and the error if there is any."""

import pytest

from factmix.data.leaks import LeakError, check_disjoint, shared_examples
from factmix.study.examples import Example, to_frame
from factmix.study.labels import Label


def example(number: int, group: str, claim: str, label: Label = Label.NA) -> Example:
    return Example(f"e{number}", group, "one", claim, (), label)


EVALUATION = to_frame([example(0, "g", "A b."), example(1, "h", "C.", Label.PASS)])


def test_nothing_shared_is_no_error() -> None:
    check_disjoint(to_frame([example(2, "i", "D.")]), EVALUATION, "here")


@pytest.mark.parametrize(
    ("group", "claim", "counted"),
    [("g", "D.", (1, 0)), ("i", "a, B!", (0, 1)), ("h", "a b", (1, 1))],
)
def test_a_shared_group_or_claim_stops_with_the_id(
    group: str, claim: str, counted: tuple[int, int]
) -> None:
    train = to_frame([example(2, "i", "D."), example(3, group, claim)])
    with pytest.raises(LeakError) as caught:
        check_disjoint(train, EVALUATION, "study s, arm a")
    message = str(caught.value)
    assert message.startswith(
        f"study s, arm a: {counted[0]} training examples share a group with the evaluation set and"
        f" {counted[1]} a claim; expected none: one e3. "
    )


def test_many_offending_ids_are_counted() -> None:
    train = to_frame([example(number, "g", f"D {number}.") for number in range(12)])
    with pytest.raises(LeakError, match=r"one e0, .*one e9 and 2 more\."):
        check_disjoint(train, EVALUATION, "here")


def test_shared_examples_are_counted_by_dataset_and_label() -> None:
    train = to_frame(
        [
            example(0, "g", "A b."),
            example(1, "h", "C.", Label.PASS),
            example(5, "h", "C.", Label.PASS),
            Example("e0", "g", "two", "A b.", (), Label.NA),
        ]
    )
    assert shared_examples(train, EVALUATION) == {
        "one": {"NA": 1, "PASS": 1, "FAIL": 0},
        "two": {"NA": 0, "PASS": 0, "FAIL": 0},
    }
