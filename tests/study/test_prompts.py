import re
from collections import Counter

import pytest

from factmix.study.labels import LABELS
from factmix.study.prompts import WORKED_EXAMPLES, Answer, parse, render


def test_prompt_gives_definitions_claim_and_evidence_and_ends_at_the_label():
    assert render("Rain fell.", ("It rained.", "It poured.")) == (
        "Judge the claim by the evidence alone.\n"
        "PASS: the evidence supports it.\n"
        "FAIL: the evidence refutes it.\n"
        "NA: the evidence does not decide it.\n"
        "\n"
        "Claim: Rain fell.\n"
        "Evidence:\n"
        "- It rained.\n"
        "- It poured.\n"
        "LABEL="
    )


def test_prompt_says_when_there_is_no_evidence():
    assert render("Rain fell.", ()).endswith("\nClaim: Rain fell.\nNo evidence was found.\nLABEL=")


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_worked_examples_come_first_with_their_labels(count):
    prompt = render("Rain fell.", (), worked_examples=count)
    assert prompt.count("Claim: ") == count + 1
    assert prompt.endswith(
        render("Rain fell.", ()).removeprefix(render("", ()).split("\nClaim")[0])
    )
    shown = [
        example
        for example in WORKED_EXAMPLES
        if f"- {example.evidence[-1]}\nLABEL={example.label}\n" in prompt
    ]
    assert len(shown) == count
    assert all(f"Claim: {example.claim}\n" in prompt for example in shown)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_label_is_the_last_before_the_answer_about_equally_often(count):
    prompts = [render(f"Claim {i}.", (), worked_examples=count) for i in range(300)]
    last = Counter(re.findall(r"LABEL=(\w+)\n", prompt)[-1] for prompt in prompts)
    assert set(last) == set(LABELS) and min(last.values()) > 80
    assert prompts[7] == render("Claim 7.", (), worked_examples=count)


def test_worked_examples_show_every_label():
    assert {example.label for example in WORKED_EXAMPLES} == set(LABELS)


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("PASS", Answer("PASS", True)),
        (" FAIL \n", Answer("FAIL", True)),
        ("NA\nClaim: another", Answer("NA", True)),
        ("PASS.", Answer("PASS", False)),
        ("LABEL=FAIL", Answer("FAIL", False)),
        ("PASS PASS", Answer("PASS", False)),
        ("the label is NA", Answer("NA", False)),
        ("PASS or FAIL", Answer("INVALID", False)),
        ("", Answer("INVALID", False)),
        ("\nPASS", Answer("INVALID", False)),
        ("pass", Answer("INVALID", False)),
        ("N/A", Answer("INVALID", False)),
        ("NATO", Answer("INVALID", False)),
        ("PASSFAIL", Answer("INVALID", False)),
    ],
)
def test_parse(completion, answer):
    assert parse(completion) == answer
