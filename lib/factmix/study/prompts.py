"""The prompt, which training and evaluation share, and the parsing of completions."""

from dataclasses import dataclass
from zlib import crc32

from factmix.study.examples import Example
from factmix.study.labels import INVALID, LABELS, Label, labels_in

INSTRUCTIONS = (
    "Judge the claim by the evidence alone.\n"
    "PASS: the evidence supports it.\n"
    "FAIL: the evidence refutes it.\n"
    "NA: the evidence does not decide it.\n"
)

# The additional instructions for the control of the released study, in our own words.
ANSWER_FORMAT = (
    "Answer with exactly one of the labels PASS, FAIL and NA, in capital letters, and with nothing"
    " else: no reason and no further word.\n"
)

# Few-shot examples for models with enough context; they are invented, so none is in a dataset.
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
    """The prompt for one claim; it ends where the model writes the label.

    Args:
        claim: the sentence to judge.
        evidence: its evidence sentences, possibly none.
        worked_examples: how many of `WORKED_EXAMPLES` come first. The claim decides with which of
            them they begin, so that no label is always the last before the answer.
        instructed: whether `ANSWER_FORMAT` is included.
    """
    first = crc32(claim.encode()) % len(WORKED_EXAMPLES)
    rotated = WORKED_EXAMPLES[first:] + WORKED_EXAMPLES[:first]
    worked = "".join(
        f"{_case(example.claim, example.evidence)}{example.label}\n"
        for example in rotated[:worked_examples]
    )
    told = INSTRUCTIONS + (ANSWER_FORMAT if instructed else "")
    return f"{told}{worked}{_case(claim, evidence)}"


@dataclass(frozen=True)
class Answer:
    """The parsed answer of a completion.

    Attributes:
        predicted: a label, or "INVALID" unless exactly one label can be read.
        format_valid: whether the completion is one label and nothing else.
    """

    predicted: str
    format_valid: bool


def parse(completion: str) -> Answer:
    """Parses the first line of a completion.

    A line that is one label and nothing else has a valid format. One label, once or repeated, amid
    other text is the answer, but its format is not valid. No label, or several different ones, is
    INVALID.
    """
    line = completion.split("\n", 1)[0].strip()
    if line in LABELS:
        return Answer(line, True)
    named = labels_in(line)
    return Answer(named.pop() if len(named) == 1 else INVALID, False)
