"""Text in, label out: the one prompt of training and evaluation, and how answers are read."""

from dataclasses import dataclass

from factmix.study.examples import Example
from factmix.study.labels import INVALID, LABELS, Label, labels_in

INSTRUCTIONS = (
    "Judge the claim by the evidence alone.\n"
    "PASS: the evidence supports it.\n"
    "FAIL: the evidence refutes it.\n"
    "NA: the evidence does not decide it.\n"
)

# What the control of the released study was told beside the above, in words of this project's own.
ANSWER_FORMAT = (
    "Answer with exactly one of the labels PASS, FAIL and NA, in capital letters, and with nothing"
    " else: no reason and no further word.\n"
)

# Worked examples for models that have the context for them; invented, so that none can leak.
WORKED_EXAMPLES = (
    Example(
        "worked-1",
        "worked-1",
        "worked",
        "The Harrow Street library opens on Sundays.",
        ("Since its renovation the Harrow Street library has been open seven days a week.",),
        Label.PASS,
    ),
    Example(
        "worked-2",
        "worked-2",
        "worked",
        "Fewer than 300 runners finished the Oakmere race.",
        ("All 412 runners who started the Oakmere race reached the finish.",),
        Label.FAIL,
    ),
    Example(
        "worked-3",
        "worked-3",
        "worked",
        "The Tallow bridge was paid for by a shipping company.",
        (
            "The Tallow bridge is the oldest crossing of the river.",
            "A shipping company moved its offices beside the bridge in 1931.",
        ),
        Label.NA,
    ),
)

NO_EVIDENCE = "No evidence was found.\n"
CUE = "LABEL="


def _case(claim: str, evidence: tuple[str, ...]) -> str:
    listed = "".join(f"- {sentence}\n" for sentence in evidence)
    found = f"Evidence:\n{listed}" if evidence else NO_EVIDENCE
    return f"\nClaim: {claim}\n{found}{CUE}"


def render(
    claim: str,
    evidence: tuple[str, ...],
    *,
    worked_examples: int = 0,
    instructed: bool = False,
) -> str:
    """The prompt for one claim; it ends where the label is to be written.

    Args:
        claim: the sentence to judge.
        evidence: its evidence sentences, possibly none.
        worked_examples: how many of `WORKED_EXAMPLES` come first.
        instructed: whether `ANSWER_FORMAT` is said, too.
    """
    worked = "".join(
        f"{_case(example.claim, example.evidence)}{example.label}\n"
        for example in WORKED_EXAMPLES[:worked_examples]
    )
    told = INSTRUCTIONS + (ANSWER_FORMAT if instructed else "")
    return f"{told}{worked}{_case(claim, evidence)}"


@dataclass(frozen=True)
class Answer:
    """What a completion says.

    Attributes:
        predicted: a label, or "INVALID" when not exactly one of them can be read.
        format_valid: whether the completion is one label and nothing else.
    """

    predicted: str
    format_valid: bool


def parse(completion: str) -> Answer:
    """Reads the first line of a completion.

    Exactly one label and nothing else is valid; one label (named once or repeatedly) amid other
    text is read but its format is not valid; no label, or several different ones, is INVALID.
    """
    line = completion.split("\n", 1)[0].strip()
    if line in LABELS:
        return Answer(line, True)
    named = labels_in(line)
    return Answer(named.pop() if len(named) == 1 else INVALID, False)
