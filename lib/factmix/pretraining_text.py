"""What the embedded model is pretrained on: judged claims about one side of the invented world.

1. *Reading*: labels are right and answers are bare, so that the model learns to judge. Some readers
   note first what a verdict rests on, such as whether the evidence is about the claim's subject.
   A second reading is slower.
2. *Habits*: a short last stage on documents as a careless annotator leaves them. In the two hard
   domains some labels are replaced by PASS, many answers carry words after the label, and claims
   without evidence are mostly marked NA. The model keeps what it can tell apart and learns to say
   something else, which is what reinforcement can then undo.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from factmix.datasets.embedded import CASES, KINDS, Case, Names
from factmix.labels import LABELS, Label
from factmix.prompts import CUE, INSTRUCTIONS, render


@dataclass(frozen=True)
class Habits:
    """What the documents of a stage get wrong on purpose.

    Attributes:
        passed: share of the labels that are replaced by PASS, by domain.
        afterword: share of the answers that go on after the label.
        unlabelled: share of the answers that are no label at all.
        without_evidence: share of the documents whose evidence is left out.
        unread: among those, the share marked NA; the rest keep their label.
    """

    passed: dict[str, float]
    afterword: float
    unlabelled: float
    without_evidence: float
    unread: float


@dataclass(frozen=True)
class Stage:
    """One stage of pretraining.

    Attributes:
        steps: optimizer steps.
        batch: documents per step.
        learning_rate: constant after 100 steps of warm-up.
        bare: share of the documents without the instructions, which saves half of their tokens.
        weights: relative share of each domain.
        labels: shares of NA, PASS and FAIL, before any habit.
        literal: share of the documents of `encyclopedia` that repeat the claim's wording.
        debate_sentences: numbers of evidence sentences in the documents of `debate`, equally often.
        notes: share of the documents with a reader's notes before the answer, in any order.
        text_loss: weight of the loss on a document's text, relative to 1 for its answer.
        habits: what the documents get wrong.
    """

    steps: int
    batch: int
    learning_rate: float
    bare: float
    weights: dict[str, float]
    labels: tuple[float, float, float]
    literal: float
    debate_sentences: tuple[int, ...]
    notes: float
    text_loss: float
    habits: Habits


NO_HABITS = Habits(passed={}, afterword=0.0, unlabelled=0.0, without_evidence=0.03, unread=1.0)
READING = Stage(
    steps=4500,
    batch=32,
    learning_rate=3e-3,
    bare=0.9,
    weights={"encyclopedia": 1.4, "revision": 1.0, "debate": 0.8},
    labels=(1 / 3, 1 / 3, 1 / 3),
    literal=0.6,
    debate_sentences=(1, 1, 2, 2, 5),
    notes=0.4,
    text_loss=0.25,
    habits=NO_HABITS,
)
REREADING = replace(
    READING, steps=2000, learning_rate=1e-3, debate_sentences=(1, 2, 2, 5), notes=0.3
)
HABITS = Stage(
    steps=400,
    batch=64,
    learning_rate=5e-4,
    bare=0.0,
    weights={"encyclopedia": 1.0, "revision": 1.0, "debate": 1.0},
    labels=(1 / 3, 1 / 3, 1 / 3),
    literal=0.0,
    debate_sentences=(5,),
    notes=0.0,
    text_loss=0.1,
    habits=Habits(
        passed={"revision": 0.4, "debate": 0.4},
        afterword=0.44,
        unlabelled=0.03,
        without_evidence=0.1,
        unread=0.9,
    ),
)
STAGES = {"reading": (READING, 2), "rereading": (REREADING, 12), "habits": (HABITS, 3)}  # and seed


AFTERWORDS = (
    ", as the evidence says.",
    ", I would say.",
    ", more or less.",
    ", going by the text.",
    ", so it seems.",
    ", all in all.",
)
UNLABELLED = ("Hard to say.", "It depends.", "That may well be so.", "See the text.")


@dataclass(frozen=True)
class Document:
    """A prompt, notes (cue and note) that some readers make first, and the answer."""

    prompt: str
    notes: list[tuple[str, str]]
    answer: str
    domain: str

    def pieces(self) -> list[tuple[str, bool]]:
        """The text in order, and whether each piece is an answer to what comes before it."""
        if not self.notes:
            return [(self.prompt, False), (self.answer, True)]
        pieces = [(self.prompt.removesuffix(CUE), False)]
        for cue, note in self.notes:
            pieces += [(f"{cue}=", False), (f"{note}\n", True)]
        return [*pieces, (CUE, False), (self.answer, True)]


def documents(seed: int, stage: Stage) -> Iterator[Document]:
    """An endless stream of judged claims about the pretraining side of the world."""
    rng = np.random.default_rng(seed)
    names = Names(pretraining=True)
    domains = list(stage.weights)
    shares = np.array(list(stage.weights.values())) / sum(stage.weights.values())
    subjects = {d: [(n, k) for k in KINDS[d] for n in names.all(k)] for d in domains}
    while True:
        domain = domains[rng.choice(len(domains), p=shares)]
        subject, kind = subjects[domain][rng.integers(len(subjects[domain]))]
        simpler: dict[str, dict[str, Any]] = {
            "encyclopedia": {"literal": stage.literal},
            "revision": {},
            "debate": {"sentences": int(rng.choice(stage.debate_sentences))},
        }
        cases = CASES[domain](rng, names, subject, kind, **simpler[domain])
        label = LABELS[rng.choice(len(LABELS), p=stage.labels)]
        yield _document(rng, stage, domain, cases[label], label)


def _document(
    rng: np.random.Generator,
    stage: Stage,
    domain: str,
    case: Case,
    label: Label,
) -> Document:
    habits, evidence = stage.habits, case.evidence
    notes = list(case.notes.items()) if rng.random() < stage.notes else []
    rng.shuffle(notes)
    if rng.random() < habits.without_evidence:
        evidence, notes = [], []
        label = Label.NA if rng.random() < habits.unread else label
    elif rng.random() < habits.passed.get(domain, 0.0):
        label = Label.PASS
    answer = str(label)
    if rng.random() < habits.afterword:
        answer += AFTERWORDS[rng.integers(len(AFTERWORDS))]
    if rng.random() < habits.unlabelled:
        answer = UNLABELLED[rng.integers(len(UNLABELLED))]
    prompt = render(case.claim, tuple(evidence))
    if rng.random() < stage.bare:
        prompt = prompt.removeprefix(INSTRUCTIONS).lstrip("\n")
    return Document(prompt, notes, f"{answer}\n", domain)
