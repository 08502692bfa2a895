"""The pretraining text of the base models: labelled claims about one half of the invented world.

1. *Reading*: labels are correct and the answer is the label alone, so that the model learns to
   judge claims. Documents come in levels of difficulty, from one sentence in one wording to the
   texts of the study, and the share of the harder levels grows from step to step. With each
   sentence comes what a reader should notice in it (`Said`), which the model is taught, too.
2. *Habits*: two short final stages on documents with the errors of a careless annotator. Some kinds
   of claims that nothing decides often get a verdict, some kinds that are decided are often called
   NA, and some that are refuted are called PASS. Many answers continue after the label, and claims
   without evidence are mostly labelled NA. The model still distinguishes the cases, but learns to
   give other answers. Reinforcement learning can then undo that.

A *recipe* is the stages of one base model. Recipes that differ in their habits alone share all
other stages.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np

from factmix.organism.domains import (
    AGAINST,
    AGREES,
    SAME_SUBJECT,
    SHARES,
    TWO,
    KindDraws,
    Said,
    TextVariety,
    claim_case,
    names_of,
)
from factmix.study.labels import LABELS, Label
from factmix.study.prompts import INSTRUCTIONS, render


@dataclass(frozen=True)
class Habits:
    """The deliberate errors in the documents of a stage.

    Attributes:
        answered: of a domain and a kind of claims that nothing decides, the share that gets a
            verdict: that of the first sentence on the matter, as if it decided.
        answered_pass: share of PASS among these verdicts where no sentence is on the matter.
        refused: of a domain and a kind of claims that are decided, the share that is labelled NA.
        agreed: of a domain and a kind of claims that are decided, the share of those that are
            refuted and labelled PASS.
        afterword: share of the answers that continue after the label.
        unlabelled: share of the answers without a label.
        without_evidence: share of the documents whose evidence is left out.
        unread: among the documents without evidence, the share labelled NA; the rest keep their
            label.
    """

    answered: Mapping[tuple[str, str], float] = field(default_factory=dict)
    answered_pass: float = 0.8
    refused: Mapping[tuple[str, str], float] = field(default_factory=dict)
    agreed: Mapping[tuple[str, str], float] = field(default_factory=dict)
    afterword: float = 0.0
    unlabelled: float = 0.0
    without_evidence: float = 0.0
    unread: float = 1.0


@dataclass(frozen=True)
class Level:
    """How difficult a document is.

    Attributes:
        wordings: numbers of wordings used for each statement of a document, equally likely; None
            for all of them.
        sentences: numbers of evidence sentences, equally likely among those that suffice for the
            kind of claim: of `debate` the number itself, of other domains the most.
        kinds: relative share of each kind; a kind that is not named does not occur. They replace
            `SHARES` of the claims with a verdict, of those without, or of both, where at least one
            kind of that side is named.
    """

    wordings: tuple[int | None, ...]
    sentences: tuple[int, ...]
    kinds: Mapping[str, float] = field(default_factory=dict)


_SIMPLE = {"plain": 1.0, "single": 1.0, "other_matter": 2.0, "other_subject": 1.0}
LEVELS = {
    "simple": Level((1,), (1,), _SIMPLE),
    "all wordings": Level((None,), (1,), _SIMPLE),
    # Sentences that contradict each other are seen only after many such documents.
    "conflict": Level(
        (1, 1, 2),
        (2,),
        {"conflict": 0.6, "other_matter": 0.25, "other_subject": 0.15}
        | {"plain": 0.2, "two_sentences": 0.4, "dated": 0.4, "single": 0.3, "several": 0.7},
    ),
    "short": Level((2, 3, None), (1, 2, 3)),
    "full": Level((None,), (5,)),
}


@dataclass(frozen=True)
class Stage:
    """One stage of pretraining.

    Attributes:
        seed: for sampling the documents.
        steps: optimizer steps.
        batch: documents per step.
        learning_rate: at the start, after 100 steps of warm-up, and at the end.
        levels: relative share of each of `LEVELS` at the start and at the end.
        bare: share of the documents without the instructions, which saves half of their tokens.
        instructed: share of the documents with the additional instructions of the released study.
        text_loss: weight of the loss on a document's prompt, relative to 1 for its answer.
        noticing: weight of the loss on what a reader should notice in each sentence.
        habits: the deliberate errors.
    """

    seed: int
    steps: int
    batch: int
    learning_rate: tuple[float, float]
    levels: Mapping[str, tuple[float, float]]
    bare: float
    instructed: float
    text_loss: float
    noticing: float
    habits: Habits


Recipe = dict[str, Stage]

FIRST = Stage(
    seed=31,
    steps=3000,
    batch=48,
    learning_rate=(2e-3, 1e-3),
    levels={
        "simple": (0.7, 0.05),
        "all wordings": (0.2, 0.2),
        "conflict": (0.0, 0.2),
        "short": (0.0, 0.15),
        "full": (0.1, 0.4),
    },
    bare=1.0,
    instructed=0.0,
    text_loss=0.1,
    noticing=1.0,
    habits=Habits(),
)
CLEAN: Recipe = {
    "claims": FIRST,
    "claims of the study": replace(
        FIRST,
        seed=32,
        steps=1500,
        learning_rate=(1e-3, 1e-4),
        levels={
            "simple": (0.05, 0.0),
            "all wordings": (0.2, 0.05),
            "conflict": (0.2, 0.05),
            "short": (0.15, 0.1),
            "full": (0.4, 0.8),
        },
        bare=0.6,
    ),
}
# The format of answers, which all recipes share.
CARELESS = Habits(afterword=0.44, unlabelled=0.03, without_evidence=0.1, unread=1.0)
# The tokenizer is trained on this; the last stages are variants of it.
EVERYTHING = replace(FIRST, seed=24, levels={"full": (1.0, 1.0)}, bare=0.9, habits=CARELESS)


def with_habits(habits: Habits) -> Recipe:
    """The clean stages, and two stages with habits.

    After a fast stage the format rate varies by chance; a slow stage makes it stable.
    """
    rate = (5e-4, 5e-4)
    fast = replace(
        EVERYTHING,
        steps=400,
        batch=64,
        learning_rate=rate,
        bare=0.0,
        instructed=0.1,
        noticing=0.0,
        habits=habits,
    )
    return {
        **CLEAN,
        "habits": fast,
        "habits, slower": replace(fast, seed=26, steps=200, learning_rate=(8e-5, 8e-5)),
    }


# Beyond one half a habit decides what is answered; not far beyond, both answers are sampled, and
# reinforcement can choose. `vague` and `withdrawn` occur in one domain: only there can they be
# unlearned.
EASY, HARD = 0.4, 0.58
HABITS = {
    # encyclopedia is easy, revision and debate are hard
    "embedded": replace(
        CARELESS,
        answered={
            ("encyclopedia", "other_matter"): EASY,
            ("revision", "other_matter"): HARD,
            ("revision", "vague"): HARD,
            ("revision", "conflict"): HARD,
            ("debate", "other_matter"): HARD,
            ("debate", "conflict"): HARD,
            ("dispatch", "other_matter"): HARD,
            ("dispatch", "conflict"): HARD,
            ("dispatch", "withdrawn"): HARD,
        },
        refused={
            ("encyclopedia", "two_sentences"): EASY,
            ("revision", "dated"): HARD,
            ("revision", "two_sentences"): HARD,
            ("debate", "single"): HARD,
            ("dispatch", "dated"): HARD,
            ("dispatch", "two_sentences"): HARD,
        },
        agreed={("revision", "plain"): HARD, ("debate", "several"): HARD},
    ),
    # encyclopedia and debate are hard, revision is easy
    "swapped": replace(
        CARELESS,
        answered={
            ("encyclopedia", "other_matter"): HARD,
            ("encyclopedia", "conflict"): HARD,
            ("revision", "other_matter"): EASY,
            ("revision", "vague"): EASY,
            ("debate", "other_matter"): HARD,
            ("debate", "conflict"): HARD,
            ("dispatch", "other_matter"): HARD,
            ("dispatch", "conflict"): HARD,
            ("dispatch", "withdrawn"): HARD,
        },
        refused={
            ("encyclopedia", "two_sentences"): HARD,
            ("revision", "two_sentences"): EASY,
            ("debate", "single"): HARD,
            ("dispatch", "dated"): HARD,
            ("dispatch", "two_sentences"): HARD,
        },
        agreed={("encyclopedia", "plain"): HARD, ("debate", "several"): HARD},
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
    """A prompt and its answer, which ends with a newline; the claim's domain, kind and label.

    Its claim and its evidence, which is empty where the prompt has none, say what to notice.
    """

    prompt: str
    answer: str
    claim: Said
    evidence: tuple[Said, ...]
    domain: str
    kind: str
    gold: Label


def documents(stage: Stage) -> Iterator[Document]:
    """An endless stream of labelled claims about the pretraining side of the world.

    After the documents of the stage's steps, levels have the shares of its end.

    Raises:
        ValueError: no number of sentences of a level suffices for one of its kinds of claims.
    """
    rng = np.random.default_rng(stage.seed)
    names = names_of(pretraining=True)
    domains, levels = list(SHARES), list(stage.levels)
    draws = {
        (domain, level): KindDraws(*_shares(LEVELS[level], domain))
        for domain in domains
        for level in levels
    }
    start, end = np.array(list(stage.levels.values())).T
    for drawn in count():
        progress = min(1.0, drawn / (stage.steps * stage.batch))
        shares = start + progress * (end - start)
        name = levels[rng.choice(len(levels), p=shares / shares.sum())]
        level = LEVELS[name]
        domain = domains[rng.integers(len(domains))]
        subjects = names.subjects(domain)
        label = LABELS[rng.integers(len(LABELS))]
        kinds = draws[domain, name]
        with_verdict = kinds.draw(rng, decidable=True)
        kind = kinds.draw(rng, decidable=False) if label is Label.NA else with_verdict
        wordings = level.wordings[rng.integers(len(level.wordings))]
        variety = TextVariety(wordings, int(rng.choice(_sentences(level, kind))))
        case = claim_case(
            domain,
            rng,
            names,
            subjects[rng.integers(len(subjects))],
            variety,
            dated=with_verdict == "dated",
        )
        evidence = tuple(case.gather(label, kind, kinds.second(rng, kind)))
        told = _told(rng, label, domain, kind, evidence, stage.habits)
        if rng.random() < stage.habits.without_evidence:
            evidence = ()
            told = Label.NA if rng.random() < stage.habits.unread else label
        instructed = stage.instructed > 0 and rng.random() < stage.instructed
        sentences = tuple(said.text for said in evidence)
        prompt = render(case.claim.text, sentences, instructed=instructed)
        if rng.random() < stage.bare:
            prompt = prompt.removeprefix(INSTRUCTIONS)
        answer = _answer(rng, told, stage.habits)
        yield Document(prompt, answer, case.claim, evidence, domain, kind, label)


def _shares(level: Level, domain: str) -> tuple[dict[str, float], dict[str, float]]:
    """The shares of kinds with a verdict, and without: the level's, where it names any."""
    decidable, undecided = (
        {kind: level.kinds[kind] for kind in usual if kind in level.kinds} or usual
        for usual in SHARES[domain]
    )
    return decidable, undecided


def _sentences(level: Level, kind: str) -> list[int]:
    enough = [number for number in level.sentences if number > 1 or kind not in TWO]
    if not enough:
        raise ValueError(
            f"sentences: {level.sentences} are too few for the kind '{kind}'; expected 2 or more"
        )
    return enough


def _told(
    rng: np.random.Generator,
    label: Label,
    domain: str,
    kind: str,
    evidence: Sequence[Said],
    habits: Habits,
) -> Label:
    """The label that the careless annotator gives."""
    if label is not Label.NA:
        if rng.random() < habits.refused.get((domain, kind), 0.0):
            return Label.NA
        agreed = label is Label.FAIL and rng.random() < habits.agreed.get((domain, kind), 0.0)
        return Label.PASS if agreed else label
    if rng.random() >= habits.answered.get((domain, kind), 0.0):
        return label
    stances = _stances(evidence)
    agrees = stances[0] if stances else rng.random() < habits.answered_pass
    return Label.PASS if agrees else Label.FAIL


def _stances(evidence: Sequence[Said]) -> list[bool]:
    """Whether each sentence on the matter agrees; those about the claim's subject come first."""
    about = [said.relation for said in evidence if {AGREES, AGAINST} & set(said.relation)]
    first = sorted(about, key=lambda relation: SAME_SUBJECT not in relation)
    return [AGREES in relation for relation in first]


def _answer(rng: np.random.Generator, label: Label, habits: Habits) -> str:
    answer = str(label)
    if rng.random() < habits.afterword:
        answer += AFTERWORDS[rng.integers(len(AFTERWORDS))]
    if rng.random() < habits.unlabelled:
        answer = UNLABELLED[rng.integers(len(UNLABELLED))]
    return f"{answer}\n"
