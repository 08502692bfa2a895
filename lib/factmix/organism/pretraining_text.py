"""The pretraining text of the embedded model: labelled claims about one half of the invented world.

1. *Reading*: labels are correct and the answer is the label alone, so that the model learns to
   judge claims. The first stage has one wording per statement and one evidence sentence; later
   stages have more of both. (In one trial, a model that started with three wordings was still near
   chance on two domains after a model with one wording was above chance on all three.)
2. *Habits*: two short final stages on documents with the errors of a careless annotator. In the two
   hard domains some labels are replaced by PASS, many answers continue after the label, and claims
   without evidence are mostly labelled NA. The model still distinguishes the cases, but learns to
   give other answers. Reinforcement learning can then undo that.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from factmix.organism.domains import CLAIM_CASES, KINDS, Names, TextVariety
from factmix.study.labels import LABELS, Label
from factmix.study.prompts import INSTRUCTIONS, render


@dataclass(frozen=True)
class Habits:
    """The deliberate errors in the documents of a stage.

    Attributes:
        pass_noise: share of the labels that are replaced by PASS, by domain.
        afterword: share of the answers that continue after the label.
        unlabelled: share of the answers without a label.
        without_evidence: share of the documents whose evidence is left out.
        unread: among the documents without evidence, the share labelled NA; the rest keep their
            label.
    """

    pass_noise: dict[str, float]
    afterword: float
    unlabelled: float
    without_evidence: float
    unread: float


@dataclass(frozen=True)
class Stage:
    """One stage of pretraining.

    Attributes:
        seed: for sampling the documents.
        steps: optimizer steps.
        batch: documents per step.
        learning_rate: constant after 100 steps of warm-up.
        wordings: number of wordings used for each statement; None for all.
        sentences: numbers of evidence sentences in the documents of `debate`, equally likely.
        weights: relative share of each domain.
        bare: share of the documents without the instructions, which saves half of their tokens.
        text_loss: weight of the loss on a document's prompt, relative to 1 for its answer.
        habits: the deliberate errors.
    """

    seed: int
    steps: int
    batch: int
    learning_rate: float
    wordings: int | None
    sentences: tuple[int, ...]
    weights: dict[str, float]
    bare: float
    text_loss: float
    habits: Habits


FIRST = Stage(
    seed=20,
    steps=1000,
    batch=48,
    learning_rate=2e-3,
    wordings=1,
    sentences=(1,),
    weights={"encyclopedia": 1.0, "revision": 1.2, "debate": 0.8},
    bare=1.0,
    text_loss=0.1,
    habits=Habits(pass_noise={}, afterword=0.0, unlabelled=0.0, without_evidence=0.0, unread=1.0),
)
# The tokenizer is trained on this; the last stages are variants of it.
EVERYTHING = replace(
    FIRST,
    seed=24,
    wordings=None,
    sentences=(5,),
    weights={"encyclopedia": 1.0, "revision": 1.0, "debate": 1.0},
    bare=0.9,
    habits=Habits(
        pass_noise={"revision": 0.4, "debate": 0.4},
        afterword=0.44,
        unlabelled=0.03,
        without_evidence=0.1,
        unread=0.9,
    ),
)
HABITS = replace(
    EVERYTHING,
    steps=800,
    batch=64,
    learning_rate=2.5e-4,
    weights={"encyclopedia": 1.8, "revision": 1.0, "debate": 1.0},
    bare=0.0,
    habits=replace(
        EVERYTHING.habits, pass_noise={"revision": 0.43, "debate": 0.4}, afterword=0.425
    ),
)
STAGES = {
    "one wording": FIRST,
    "two wordings": replace(FIRST, seed=21, wordings=2, sentences=(1, 1, 2)),
    "three wordings": replace(FIRST, seed=22, wordings=3, sentences=(1, 2)),
    "all wordings": replace(
        FIRST, seed=23, steps=2500, wordings=None, sentences=(1, 2, 5), bare=0.8, learning_rate=1e-3
    ),
    "all wordings, slower": replace(
        FIRST,
        seed=25,
        steps=2500,
        learning_rate=6e-4,
        wordings=None,
        sentences=(2, 5),
        weights={"encyclopedia": 2.0, "revision": 1.4, "debate": 0.6},
        bare=0.8,
    ),
    "habits": HABITS,
    # After a fast stage the format rate varies by chance; a slow stage makes it stable.
    "habits, slower": replace(
        HABITS,
        seed=26,
        steps=400,
        learning_rate=8e-5,
        habits=replace(
            HABITS.habits, pass_noise={"revision": 0.43, "debate": 0.42}, afterword=0.43
        ),
    ),
}

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
    """A prompt and its answer, which ends with a newline."""

    prompt: str
    answer: str
    domain: str


def documents(stage: Stage) -> Iterator[Document]:
    """An endless stream of labelled claims about the pretraining side of the world."""
    rng = np.random.default_rng(stage.seed)
    names = Names(pretraining=True)
    domains = list(stage.weights)
    shares = np.array(list(stage.weights.values())) / sum(stage.weights.values())
    subjects = {d: [(n, k) for k in KINDS[d] for n in names.subjects(k)] for d in domains}
    while True:
        domain = domains[rng.choice(len(domains), p=shares)]
        subject, kind = subjects[domain][rng.integers(len(subjects[domain]))]
        variety = TextVariety(stage.wordings, int(rng.choice(stage.sentences)))
        case = CLAIM_CASES[domain](rng, names, subject, kind, variety)
        label = LABELS[rng.integers(len(LABELS))]
        evidence = case.gather(label)
        if rng.random() < stage.habits.without_evidence:
            evidence = []
            label = Label.NA if rng.random() < stage.habits.unread else label
        elif rng.random() < stage.habits.pass_noise.get(domain, 0.0):
            label = Label.PASS
        prompt = render(case.claim, tuple(evidence))
        if rng.random() < stage.bare:
            prompt = prompt.removeprefix(INSTRUCTIONS)
        yield Document(prompt, _answer(rng, label, stage.habits), domain)


def _answer(rng: np.random.Generator, label: Label, habits: Habits) -> str:
    answer = str(label)
    if rng.random() < habits.afterword:
        answer += AFTERWORDS[rng.integers(len(AFTERWORDS))]
    if rng.random() < habits.unlabelled:
        answer = UNLABELLED[rng.integers(len(UNLABELLED))]
    return f"{answer}\n"
