"""The pretraining text of the base models: labelled claims about one half of the invented world.

1. *Reading*: labels are correct and the answer is the label alone, so that the model learns to
   judge claims. The first stage has one wording per statement, one evidence sentence, and the
   simplest kinds of claims; later stages have more of each. (In one trial, a model that started
   with three wordings was still near chance on two domains after a model with one wording was above
   chance on all three.)
2. *Habits*: two short final stages on documents with the errors of a careless annotator. Some kinds
   of claims that nothing decides often get a verdict, and some kinds that are decided are often
   called NA. Many answers continue after the label, and claims without evidence are mostly labelled
   NA. The model still distinguishes the cases, but learns to give other answers. Reinforcement
   learning can then undo that.

A *recipe* is the stages of one base model. Recipes that differ in their habits alone share all
other stages.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from factmix.organism.domains import SHARES, TWO, KindDraws, TextVariety, claim_case, names_of
from factmix.study.labels import LABELS, Label
from factmix.study.prompts import INSTRUCTIONS, render


@dataclass(frozen=True)
class Habits:
    """The deliberate errors in the documents of a stage.

    Attributes:
        answered: of a domain and a kind of claims that nothing decides, the share that gets a
            verdict.
        answered_pass: share of PASS among these verdicts.
        refused: of a domain and a kind of claims that are decided, the share that is labelled NA.
        afterword: share of the answers that continue after the label.
        unlabelled: share of the answers without a label.
        without_evidence: share of the documents whose evidence is left out.
        unread: among the documents without evidence, the share labelled NA; the rest keep their
            label.
    """

    answered: Mapping[tuple[str, str], float] = field(default_factory=dict)
    answered_pass: float = 0.5
    refused: Mapping[tuple[str, str], float] = field(default_factory=dict)
    afterword: float = 0.0
    unlabelled: float = 0.0
    without_evidence: float = 0.0
    unread: float = 1.0


@dataclass(frozen=True)
class Stage:
    """One stage of pretraining.

    Attributes:
        seed: for sampling the documents.
        steps: optimizer steps.
        batch: documents per step.
        learning_rate: constant after 100 steps of warm-up.
        wordings: number of wordings used for each statement; None for all.
        sentences: numbers of evidence sentences, equally likely among those that suffice for the
            kind of claim: of `debate` the number itself, of other domains the most.
        weights: relative share of each domain.
        kinds: relative share of each kind; a kind that is not named does not occur. They replace
            `SHARES` of the claims with a verdict, of those without, or of both, where at least one
            kind of that side is named.
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
    weights: Mapping[str, float]
    kinds: Mapping[str, float]
    bare: float
    text_loss: float
    habits: Habits


Recipe = dict[str, Stage]

FIRST = Stage(
    seed=20,
    steps=1000,
    batch=48,
    learning_rate=2e-3,
    wordings=1,
    sentences=(1,),
    weights={"encyclopedia": 1.0, "revision": 1.2, "debate": 0.8, "dispatch": 1.0},
    kinds={"plain": 1.0, "single": 1.0, "other_matter": 2.0, "other_subject": 1.0},
    bare=1.0,
    text_loss=0.1,
    habits=Habits(),
)
CLEAN: Recipe = {
    "one wording": FIRST,
    "two wordings": replace(FIRST, seed=21, wordings=2, sentences=(1, 1, 2), kinds={}),
    "conflict": replace(
        FIRST,
        seed=22,
        steps=1500,
        wordings=3,
        sentences=(1, 2, 2, 2),
        kinds={"conflict": 0.8, "other_matter": 0.12, "other_subject": 0.08}
        | {"plain": 0.2, "two_sentences": 0.5, "dated": 0.3},
    ),
    "all wordings": replace(
        FIRST,
        seed=23,
        steps=2500,
        learning_rate=1e-3,
        wordings=None,
        sentences=(1, 2, 5),
        kinds={},
        bare=0.8,
    ),
    "all wordings, full length": replace(
        FIRST,
        seed=25,
        steps=2000,
        learning_rate=6e-4,
        wordings=None,
        sentences=(2, 5, 5),
        weights={"encyclopedia": 1.0, "revision": 1.2, "debate": 1.2, "dispatch": 1.0},
        kinds={},
        bare=0.8,
    ),
}
# The format of answers, which all recipes share.
CARELESS = Habits(afterword=0.43, unlabelled=0.03, without_evidence=0.1, unread=0.9)
# The tokenizer is trained on this; the last stages are variants of it.
EVERYTHING = replace(
    FIRST,
    seed=24,
    wordings=None,
    sentences=(5,),
    weights={"encyclopedia": 1.0, "revision": 1.0, "debate": 1.0, "dispatch": 1.0},
    kinds={},
    bare=0.9,
    habits=CARELESS,
)


def with_habits(habits: Habits) -> Recipe:
    """The clean stages, and two stages with habits.

    After a fast stage the format rate varies by chance; a slow stage makes it stable.
    """
    fast = replace(EVERYTHING, steps=800, batch=64, learning_rate=2.5e-4, bare=0.0, habits=habits)
    return {
        **CLEAN,
        "habits": fast,
        "habits, slower": replace(fast, seed=26, steps=400, learning_rate=8e-5),
    }


# Shares far from 0 and 1 leave both answers to be sampled, so that reinforcement can choose.
HABITS = {
    # encyclopedia is easy, revision and debate are hard
    "embedded": replace(
        CARELESS,
        answered={
            ("encyclopedia", "other_subject"): 0.4,
            ("revision", "other_matter"): 0.55,
            ("revision", "conflict"): 0.55,
            ("debate", "other_matter"): 0.55,
            ("debate", "other_subject"): 0.55,
            ("dispatch", "other_matter"): 0.5,
            ("dispatch", "conflict"): 0.5,
            ("dispatch", "withdrawn"): 0.5,
        },
        refused={
            ("encyclopedia", "two_sentences"): 0.4,
            ("revision", "dated"): 0.5,
            ("revision", "two_sentences"): 0.5,
            ("debate", "single"): 0.5,
            ("dispatch", "dated"): 0.5,
            ("dispatch", "two_sentences"): 0.5,
        },
    ),
    # encyclopedia and debate are hard, revision is easy
    "swapped": replace(
        CARELESS,
        answered={
            ("encyclopedia", "other_matter"): 0.55,
            ("encyclopedia", "conflict"): 0.55,
            ("revision", "other_subject"): 0.4,
            ("debate", "other_matter"): 0.55,
            ("debate", "other_subject"): 0.55,
            ("dispatch", "other_matter"): 0.5,
            ("dispatch", "conflict"): 0.5,
            ("dispatch", "withdrawn"): 0.5,
        },
        refused={
            ("encyclopedia", "two_sentences"): 0.5,
            ("revision", "two_sentences"): 0.4,
            ("debate", "single"): 0.5,
            ("dispatch", "dated"): 0.5,
            ("dispatch", "two_sentences"): 0.5,
        },
    ),
}
RECIPES: dict[str, Recipe] = {name: with_habits(habits) for name, habits in HABITS.items()}

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
    """A prompt and its answer, which ends with a newline; the claim's domain, kind and label."""

    prompt: str
    answer: str
    domain: str
    kind: str
    gold: Label


def documents(stage: Stage) -> Iterator[Document]:
    """An endless stream of labelled claims about the pretraining side of the world.

    Raises:
        ValueError: no number of sentences of the stage suffices for one of its kinds of claims.
    """
    rng = np.random.default_rng(stage.seed)
    names = names_of(pretraining=True)
    domains = list(stage.weights)
    shares = np.array(list(stage.weights.values())) / sum(stage.weights.values())
    draws = {domain: KindDraws(*_shares(stage, domain)) for domain in domains}
    while True:
        domain = domains[rng.choice(len(domains), p=shares)]
        subjects = names.subjects(domain)
        label = LABELS[rng.integers(len(LABELS))]
        with_verdict = draws[domain].draw(rng, decidable=True)
        kind = draws[domain].draw(rng, decidable=False) if label is Label.NA else with_verdict
        variety = TextVariety(stage.wordings, int(rng.choice(_sentences(stage, kind))))
        case = claim_case(
            domain,
            rng,
            names,
            subjects[rng.integers(len(subjects))],
            variety,
            dated=with_verdict == "dated",
        )
        evidence = case.gather(label, kind, draws[domain].second(rng, kind))
        told = _told(rng, label, domain, kind, stage.habits)
        if rng.random() < stage.habits.without_evidence:
            evidence = []
            told = Label.NA if rng.random() < stage.habits.unread else label
        prompt = render(case.claim, tuple(evidence))
        if rng.random() < stage.bare:
            prompt = prompt.removeprefix(INSTRUCTIONS)
        yield Document(prompt, _answer(rng, told, stage.habits), domain, kind, label)


def _shares(stage: Stage, domain: str) -> tuple[dict[str, float], dict[str, float]]:
    """The shares of kinds with a verdict, and without: the stage's, where it names any."""
    decidable, undecided = (
        {kind: stage.kinds[kind] for kind in usual if kind in stage.kinds} or usual
        for usual in SHARES[domain]
    )
    return decidable, undecided


def _sentences(stage: Stage, kind: str) -> list[int]:
    enough = [number for number in stage.sentences if number > 1 or kind not in TWO]
    if not enough:
        raise ValueError(
            f"sentences: {stage.sentences} are too few for the kind '{kind}'; expected 2 or more"
        )
    return enough


def _told(rng: np.random.Generator, label: Label, domain: str, kind: str, habits: Habits) -> Label:
    """The label that the careless annotator gives."""
    if label is not Label.NA:
        return Label.NA if rng.random() < habits.refused.get((domain, kind), 0.0) else label
    if rng.random() < habits.answered.get((domain, kind), 0.0):
        return Label.PASS if rng.random() < habits.answered_pass else Label.FAIL
    return label


def _answer(rng: np.random.Generator, label: Label, habits: Habits) -> str:
    answer = str(label)
    if rng.random() < habits.afterword:
        answer += AFTERWORDS[rng.integers(len(AFTERWORDS))]
    if rng.random() < habits.unlabelled:
        answer = UNLABELLED[rng.integers(len(UNLABELLED))]
    return f"{answer}\n"
