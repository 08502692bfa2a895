"""Three invented domains with the difficulties of the real datasets, and none of their text.

| domain | stands for | evidence | what makes it hard |
|---|---|---|---|
| encyclopedia | FEVER | one or two sentences | the fact must match, not only the words |
| revision | VitaminC | one sentence, minimally edited | numbers, years, more/fewer than |
| debate | Climate-FEVER | five sentences | most are beside the point, some disagree: then NA |

One row of `debate`: claim "The Port Velda dam raises rents."; five sentences, of which one says "A
survey found that the Port Velda dam cuts rents."; label FAIL.

A group is one subject (a person, place, organisation or project). Names are drawn once, and are
used either in the base model's pretraining or in the study. Some of the study's names are never a
subject: they serve as namesakes in distracting evidence, so that no evidence names another group.
Facts, numbers and outcomes occur on both sides, like countries and years in the real data.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TypeVar

import numpy as np

from factmix.organism import world
from factmix.organism.facts import FACTS, Fact
from factmix.study.examples import Example
from factmix.study.labels import LABELS, Label

WORLD_SEED = 20  # for the split of the names, and for the study's examples
PRETRAINING_SHARE = 0.5  # of the names
NAMESAKE_SHARE = 0.15  # of the study's names
GROUPS = 1430  # subjects per domain in the study; each gives one example per label

T = TypeVar("T")


@dataclass(frozen=True)
class TextVariety:
    """How varied the texts are; the study uses the default, the most varied.

    Attributes:
        wordings: number of wordings used for each statement; None for all of them.
        sentences: number of evidence sentences in the domain `debate`.
    """

    wordings: int | None = None
    sentences: int = 5


@dataclass(frozen=True)
class ClaimCase:
    """A claim, and a sampler of evidence for each label.

    Attributes:
        claim: one sentence.
        gather: samples new evidence, of one or more sentences, under which the claim has a label.
    """

    claim: str
    gather: Callable[[Label], list[str]]


class Names:
    """The names on one side of the split between pretraining and study.

    In pretraining, every name is a subject and may also be a namesake. In the study, no name is
    both.

    Args:
        pretraining: whether this is the pretraining side.
    """

    def __init__(self, *, pretraining: bool) -> None:
        self._subjects = {kind: _names(kind, pretraining) for kind in _PARTS}
        self._namesakes = dict(self._subjects)
        if not pretraining:
            for kind, names in self._subjects.items():
                cut = round(NAMESAKE_SHARE * len(names))
                self._namesakes[kind], self._subjects[kind] = names[:cut], names[cut:]
        self._alike: dict[tuple[str, str], list[str]] = {}
        for kind, names in self._namesakes.items():
            for name in names:
                for word in _telling_words(name):
                    self._alike.setdefault((kind, word), []).append(name)

    def subjects(self, kind: str) -> list[str]:
        """All subjects of a kind: person, place, organisation or project."""
        return self._subjects[kind]

    def namesake(self, rng: np.random.Generator, subject: str, kind: str) -> str:
        """Another name that shares a word with the subject, so that its evidence looks relevant."""
        words = [word for word in _telling_words(subject) if (kind, word) in self._alike]
        alike = self._alike[kind, _pick(rng, words)] if words else []
        others = [name for name in alike if name != subject]
        return _pick(rng, others or [name for name in self._namesakes[kind] if name != subject])


_PARTS: dict[str, tuple[Sequence[str], Sequence[str], str]] = {
    "person": (world.GIVEN, world.FAMILY, "{} {}"),
    "place": (world.MODIFIERS, world.STEMS, "{} {}"),
    "organisation": (world.STEMS, world.ORGANISATIONS, "the {} {}"),
    "project": (
        [f"{modifier} {stem}" for modifier, stem in product(world.MODIFIERS, world.STEMS)],
        world.PROJECTS,
        "the {} {}",
    ),
}


def _names(kind: str, pretraining: bool) -> list[str]:
    first, second, form = _PARTS[kind]
    names = [form.format(*pair) for pair in product(first, second)]
    order = np.random.default_rng([WORLD_SEED, list(_PARTS).index(kind)]).permutation(len(names))
    cut = round(PRETRAINING_SHARE * len(names))
    return [names[i] for i in (order[:cut] if pretraining else order[cut:])]


def _telling_words(name: str) -> list[str]:
    return [word for word in name.split() if word != "the"]


def _pick(rng: np.random.Generator, among: Sequence[T]) -> T:
    return among[int(rng.integers(len(among)))]


def _other(rng: np.random.Generator, among: Sequence[T], than: T) -> T:
    return _pick(rng, [each for each in among if each != than])


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _encyclopedia(
    rng: np.random.Generator, names: Names, subject: str, kind: str, variety: TextVariety
) -> ClaimCase:
    """A fact about the subject; the evidence states it, its opposite, or another fact."""
    facts = [fact for fact in FACTS.values() if fact.subjects == kind]
    fact = _pick(rng, facts)
    claimed = int(rng.integers(2))

    def state(about: str, how: Fact, side: int) -> str:
        form = _pick(rng, how.sides[side][: variety.wordings])
        lead = _pick(rng, world.LEADS[: variety.wordings])
        if lead and not form.startswith("{s}"):
            form = form[0].lower() + form[1:]
        return _sentence(lead + form.format(s=about))

    def unrelated() -> str:
        return state(subject, _other(rng, facts, fact), int(rng.integers(2)))

    def say(label: Label) -> str:
        if label is not Label.NA:
            return state(subject, fact, claimed if label is Label.PASS else 1 - claimed)
        if rng.random() < 0.6:
            return unrelated()
        return state(names.namesake(rng, subject, kind), fact, int(rng.integers(2)))

    def gather(label: Label) -> list[str]:
        evidence = [say(label)]
        if variety.wordings is None and rng.random() < 0.3:
            evidence.insert(int(rng.integers(2)), unrelated())
        return evidence

    claim = _pick(rng, fact.sides[claimed][: variety.wordings]).format(s=subject)
    return ClaimCase(_sentence(claim), gather)


# From phrase to the signs of n - c for which a number n satisfies it, c being the claimed number.
# The plainest phrases come first.
_COUNT_PHRASES = {
    "more than {}": (1,),
    "fewer than {}": (-1,),
    "over {}": (1,),
    "under {}": (-1,),
    "exactly {}": (0,),
    "at least {}": (0, 1),
    "at most {}": (-1, 0),
}
_DATE_PHRASES = {
    "after {}": (1,),
    "before {}": (-1,),
    "later than {}": (1,),
    "earlier than {}": (-1,),
    "in {}": (0,),
    "in {} or later": (0, 1),
    "in {} or earlier": (-1, 0),
}


def _revision(
    rng: np.random.Generator, names: Names, subject: str, kind: str, variety: TextVariety
) -> ClaimCase:
    """A claim that compares a number or year; the number in one evidence sentence decides it."""
    dated = rng.random() < 0.35
    every, phrases, bounds = (
        (world.DATES, _DATE_PHRASES, world.YEARS)
        if dated
        else (world.COUNTS, _COUNT_PHRASES, world.NUMBERS)
    )
    quantities = {key: q for key, q in every.items() if q.subjects == kind}
    key = _pick(rng, list(quantities))
    others = [q for k, q in quantities.items() if k != key]
    phrase = _pick(rng, list(phrases)[: variety.wordings and 2 * variety.wordings])
    claimed = int(rng.integers(bounds[0] + 8, bounds[1] - 7))

    def worded(forms: tuple[str, ...]) -> str:
        return _pick(rng, forms[: variety.wordings])

    edit, stated = worded(world.EDITS), worded(quantities[key].stated)

    def number(satisfied: bool) -> int:
        sign = _pick(rng, [s for s in (-1, 0, 1) if (s in phrases[phrase]) == satisfied])
        room = bounds[1] - claimed if sign > 0 else claimed - bounds[0]
        return claimed + sign * int(rng.integers(1, room + 1))

    def undecided() -> str:
        near = number(bool(rng.integers(2)))
        way = rng.integers(3) if others else 1 + rng.integers(2)
        if way == 0:
            return worded(_pick(rng, others).stated).format(s=subject, n=near)
        if way == 1:
            return stated.format(s=names.namesake(rng, subject, kind), n=near)
        return worded(quantities[key].vague).format(s=subject)

    def gather(label: Label) -> list[str]:
        if label is Label.NA:
            return [edit + _sentence(undecided())]
        return [edit + _sentence(stated.format(s=subject, n=number(label is Label.PASS)))]

    claim = worded(quantities[key].compared).format(s=subject, c=phrase.format(claimed))
    return ClaimCase(_sentence(claim), gather)


def _debate(
    rng: np.random.Generator, names: Names, subject: str, kind: str, variety: TextVariety
) -> ClaimCase:
    """An effect of a project; evidence sentences agree, disagree, or are off topic."""
    outcome = _pick(rng, world.OUTCOMES)
    directions = (world.RAISES, world.LOWERS)
    claimed = int(rng.integers(2))

    def fill(forms: Sequence[str], effect: str = "", about: str = "", matter: str = "") -> str:
        place, doctor = _pick(rng, world.TOWNS), _pick(rng, world.DOCTORS)
        form = _pick(rng, forms[: variety.wordings])
        return _sentence(form.format(e=effect, s=about, o=matter, m=place, f=doctor))

    def effect(about: str, verbs: Sequence[str], matter: str) -> str:
        return f"{about} {_pick(rng, verbs[: variety.wordings])} {matter}"

    def report(about: str, verbs: Sequence[str], matter: str) -> str:
        return fill(world.SOURCES, effect(about, verbs, matter))

    def say(label: Label) -> str:
        if label is Label.PASS:
            return report(subject, directions[claimed], outcome)
        if label is Label.FAIL:
            verbs = world.LEAVES if rng.random() < 0.2 else directions[1 - claimed]
            return report(subject, verbs, outcome)
        draw = rng.random()
        if draw < 0.3:
            return fill(world.ASIDES, about=subject, matter=outcome)
        verbs = directions[int(rng.integers(2))]
        if draw < 0.65:
            return report(subject, verbs, _other(rng, world.OUTCOMES, outcome))
        return report(names.namesake(rng, subject, kind), verbs, outcome)

    def gather(label: Label) -> list[str]:
        if label is not Label.NA:
            relevant = [label] * min(int(rng.integers(1, 4)), variety.sentences)
        elif variety.sentences >= 2 and rng.random() < 0.5:
            relevant = [Label.PASS, Label.FAIL]
            if variety.sentences > 2 and rng.random() < 0.5:
                relevant.append(Label.PASS if rng.random() < 0.5 else Label.FAIL)
        else:
            relevant = []
        said = [say(each) for each in relevant + [Label.NA] * (variety.sentences - len(relevant))]
        return [said[i] for i in rng.permutation(len(said))]

    return ClaimCase(_sentence(effect(subject, directions[claimed], outcome)) + ".", gather)


KINDS = {
    "encyclopedia": ("person", "place", "organisation"),
    "revision": ("person", "place", "organisation"),
    "debate": ("project",),
}
CLAIM_CASES: dict[str, Callable[[np.random.Generator, Names, str, str, TextVariety], ClaimCase]] = {
    "encyclopedia": _encyclopedia,
    "revision": _revision,
    "debate": _debate,
}


@cache
def _study_names() -> Names:
    return Names(pretraining=False)


def _examples(domain: str) -> list[Example]:
    rng = np.random.default_rng([WORLD_SEED, list(CLAIM_CASES).index(domain)])
    names = _study_names()
    subjects = [(name, kind) for kind in KINDS[domain] for name in names.subjects(kind)]
    chosen = rng.permutation(len(subjects))[:GROUPS]
    examples = []
    for i in chosen:
        subject, kind = subjects[i]
        case = CLAIM_CASES[domain](rng, names, subject, kind, TextVariety())
        for label in LABELS:
            name = subject.removeprefix("the ").replace(" ", "-").lower()
            examples.append(
                Example(
                    id=f"{name}-{label.lower()}",
                    group=name,
                    dataset=domain,
                    claim=case.claim,
                    evidence=tuple(case.gather(label)),
                    label=label,
                )
            )
    return examples


def encyclopedia() -> list[Example]:
    """Facts, each decided by one evidence sentence; GROUPS examples per label."""
    return _examples("encyclopedia")


def revision() -> list[Example]:
    """Comparisons of numbers or years, minimally edited evidence; GROUPS examples per label."""
    return _examples("revision")


def debate() -> list[Example]:
    """Effects, with five evidence sentences, some off topic; GROUPS examples per label."""
    return _examples("debate")
