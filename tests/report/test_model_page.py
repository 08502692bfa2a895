"""The tests of a base model that a study's own answers and curves can make."""

import copy

import pytest

from factmix.report import model_page
from factmix.report.sources import Results, committed_results


@pytest.fixture
def real() -> Results:
    read = committed_results("smollm2")
    return Results(read.root, copy.deepcopy(read.content))


def shown(real: Results) -> dict[str, str]:
    return model_page.of_answers(real, model_page.tests_of_answers(real), "real")


def row(text: str, *starts: str) -> list[str]:
    (found,) = [line for line in text.splitlines() if line.startswith(f"| {' | '.join(starts)} |")]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_every_test_that_answers_can_make_is_made(real: Results) -> None:
    table = shown(real)["real-tests"]
    names = {line.split("|")[1].strip() for line in table.splitlines()[2:]}
    assert names == {"A1, blocking", "A2", "A3", "A4, blocking", "A5", "A6, blocking"}


def test_values_are_those_of_the_untrained_model_beside_what_is_asked(real: Results) -> None:
    base = real.content["metrics"]["base"]["vitaminc"]
    base["recall_na"]["value"] = 0.55
    base["balanced_accuracy"]["value"] = 0.99
    table = shown(real)["real-tests"]
    assert row(table, "A2", "recall of NA", "vitaminc")[-3:] == ["0.550", "0.20 to 0.60", "yes"]
    above = row(table, "A1, blocking", "balanced accuracy above words alone", "vitaminc")
    assert above[-1] == "yes"
    # FEVER, which is to lead the others, is now behind
    lead = row(table, "A3", "lead over hard datasets in balanced accuracy", "fever")
    assert lead[-1] == "**no**" and lead[-3].startswith("\u2212")


def test_the_failed_tests_that_block_are_named(real: Results) -> None:
    said = shown(real)["real-rejected"]
    table = shown(real)["real-tests"]
    for test in ("A1", "A4", "A6"):
        failed = any(
            line.startswith(f"| {test}, blocking") and "**no**" in line
            for line in table.splitlines()
        )
        assert failed == (f"{test} (" in said)
    assert "Learning was established for no arm on any dataset." in said
    real.content["learning"]["balanced"]["fever"]["learning"] |= {"value": 0.1, "p_holm": 0.001}
    assert "no arm" not in shown(real)["real-rejected"]
