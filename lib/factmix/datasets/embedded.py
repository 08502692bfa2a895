"""Three invented domains, with the difficulties of the real ones and none of their text.

| domain | stands for | evidence | what makes it hard |
|---|---|---|---|
| encyclopedia | FEVER | one sentence | the relation must match, not only the words |
| revision | VitaminC | one sentence, minimally edited | numbers, years, more/fewer than |
| debate | Climate-FEVER | five sentences | most are beside the point, some disagree: then NA |

One row of `debate`: claim "The Port Velda dam raises rents."; five sentences, of which one says "A
survey found that the Port Velda dam cuts rents."; label FAIL.

A group is one subject (a person, place, organisation or project). Subjects are drawn once and
belong either to the base model's pretraining or to the study; the values that are said of them
(towns, trades, numbers, outcomes) are common to both, like countries and years in the real data.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TypeVar

import numpy as np

from factmix.datasets import world
from factmix.examples import Example
from factmix.labels import LABELS, Label

WORLD_SEED = 20  # of the split of the subjects, and of the study's examples
PRETRAINING_SHARE = 0.5  # of the subjects
GROUPS = 1500  # subjects per domain in the study; each gives one example per label

T = TypeVar("T")


@dataclass(frozen=True)
class Case:
    """A claim with evidence, and what a careful reader notes on the way to the verdict.

    Attributes:
        claim: one sentence.
        evidence: its sentences.
        notes: short answers by cue, such as whether the evidence is about the claim's subject; the
            base model's pretraining reads them after the verdict, the study never shows them.
    """

    claim: str
    evidence: list[str]
    notes: dict[str, str]


class Names:
    """The subjects on one side of the split between pretraining and study.

    Args:
        pretraining: which side.
    """

    def __init__(self, *, pretraining: bool) -> None:
        self._by_kind = {kind: _names(kind, pretraining) for kind in _PARTS}
        self._alike: dict[tuple[str, str], list[str]] = {}
        for kind, names in self._by_kind.items():
            for name in names:
                for word in _telling_words(name):
                    self._alike.setdefault((kind, word), []).append(name)

    def all(self, kind: str) -> list[str]:
        """Every subject of a kind: person, place, organisation or project."""
        return self._by_kind[kind]

    def namesake(self, rng: np.random.Generator, subject: str, kind: str) -> str:
        """Another subject that shares a part of its name, so that evidence on it looks relevant."""
        word = _pick(rng, _telling_words(subject))
        alike = [name for name in self._alike[kind, word] if name != subject]
        return _pick(rng, alike or [name for name in self._by_kind[kind] if name != subject])


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


def _notes(subject: bool, relation: bool, value: bool) -> dict[str, str]:
    same = {True: "same", False: "other"}
    return {"SUBJECT": same[subject], "RELATION": same[relation], "VALUE": same[value]}


def _encyclopedia(
    rng: np.random.Generator, names: Names, subject: str, kind: str, literal: float = 0.0
) -> dict[Label, Case]:
    """A fact about the subject; the evidence states it, states another value, or misses the point.

    With the probability `literal` all sentences on the claimed relation have the claim's wording.
    """
    relations = {key: r for key, r in world.RELATIONS.items() if r.subjects == kind}
    key = _pick(rng, list(relations))
    relation = relations[key]
    value = _pick(rng, relation.values)

    wording = _pick(rng, relation.forms)
    same_wording = rng.random() < literal

    def state(about: str, how: world.Relation, what: str) -> str:
        if same_wording and how is relation:
            return _sentence(wording.format(s=about, v=what))
        form, lead = _pick(rng, how.forms), _pick(rng, world.LEADS)
        if lead:
            form = form[0].lower() + form[1:]
        return _sentence(lead + form.format(s=about, v=what))

    def either_value() -> str:
        return value if rng.random() < 0.5 else _other(rng, relation.values, value)

    rivals = [r for k, r in relations.items() if k != key and r.values == relation.values]
    unrelated = [r for r in relations.values() if r.values != relation.values]
    draw = rng.random()
    if rivals and draw < 0.3:
        told = either_value()
        beside_the_point = state(subject, _pick(rng, rivals), told)
        na_notes = _notes(True, False, told == value)
    elif draw < 0.6:
        other = _pick(rng, unrelated)
        beside_the_point = state(subject, other, _pick(rng, other.values))
        na_notes = _notes(True, False, False)
    else:
        told = either_value()
        beside_the_point = state(names.namesake(rng, subject, kind), relation, told)
        na_notes = _notes(False, True, told == value)
    claim = _sentence(wording.format(s=subject, v=value))
    refuting = state(subject, relation, _other(rng, relation.values, value))
    decisive = {
        Label.NA: (beside_the_point, na_notes),
        Label.PASS: (state(subject, relation, value), _notes(True, True, True)),
        Label.FAIL: (refuting, _notes(True, True, False)),
    }
    cases = {}
    for label, (sentence, notes) in decisive.items():
        evidence = [sentence]
        if rng.random() < 0.3:
            other = _pick(rng, unrelated)
            evidence.insert(int(rng.integers(2)), state(subject, other, _pick(rng, other.values)))
        cases[label] = Case(claim, evidence, notes)
    return cases


# phrase: whether a number n satisfies it for the claimed number c, as the sign of n - c
_COUNT_PHRASES = {
    "more than {}": (1,),
    "over {}": (1,),
    "at least {}": (0, 1),
    "fewer than {}": (-1,),
    "under {}": (-1,),
    "at most {}": (-1, 0),
    "exactly {}": (0,),
}
_DATE_PHRASES = {
    "after {}": (1,),
    "later than {}": (1,),
    "in {} or later": (0, 1),
    "before {}": (-1,),
    "earlier than {}": (-1,),
    "in {} or earlier": (-1, 0),
    "in {}": (0,),
}


def _revision(rng: np.random.Generator, names: Names, subject: str, kind: str) -> dict[Label, Case]:
    """A compared number or year; versions of one sentence that differ in the number decide it."""
    dated = rng.random() < 0.35
    every, phrases, bounds = (
        (world.DATES, _DATE_PHRASES, world.YEARS)
        if dated
        else (world.COUNTS, _COUNT_PHRASES, world.NUMBERS)
    )
    quantities = {key: q for key, q in every.items() if q.subjects == kind}
    key = _pick(rng, list(quantities))
    quantity = quantities[key]
    phrase = _pick(rng, list(phrases))
    claimed = int(rng.integers(bounds[0] + 8, bounds[1] - 7))

    def number(satisfied: bool) -> int:
        sign = _pick(rng, [s for s in (-1, 0, 1) if (s in phrases[phrase]) == satisfied])
        room = bounds[1] - claimed if sign > 0 else claimed - bounds[0]
        return claimed + sign * int(rng.integers(1, room + 1))

    edit, stated = _pick(rng, world.EDITS), _pick(rng, quantity.stated)

    def notes(subject: bool, relation: bool, n: int | None) -> dict[str, str]:
        size = "none" if n is None else ("equal", "more", "less")[int(np.sign(n - claimed))]
        return _notes(subject, relation, False) | {"VALUE": size}

    def version(n: int) -> Case:
        told = edit + _sentence(stated.format(s=subject, n=n))
        return Case(_sentence(claim), [told], notes(True, True, n))

    near = number(bool(rng.integers(2)))
    others = [q for k, q in quantities.items() if k != key]
    kinds_of_na = rng.integers(3) if others else 1 + rng.integers(2)
    if kinds_of_na == 0:
        undecided = _pick(rng, _pick(rng, others).stated).format(s=subject, n=near)
        na_notes = notes(True, False, near)
    elif kinds_of_na == 1:
        undecided = stated.format(s=names.namesake(rng, subject, kind), n=near)
        na_notes = notes(False, True, near)
    else:
        undecided = _pick(rng, quantity.vague).format(s=subject)
        na_notes = notes(True, True, None)
    claim = _pick(rng, quantity.compared).format(s=subject, c=phrase.format(claimed))
    return {
        Label.NA: Case(_sentence(claim), [edit + _sentence(undecided)], na_notes),
        Label.PASS: version(number(True)),
        Label.FAIL: version(number(False)),
    }


def _debate(
    rng: np.random.Generator, names: Names, subject: str, kind: str, sentences: int = 5
) -> dict[Label, Case]:
    """An effect of a project; sentences that agree, disagree, or speak of something else."""
    outcome = _pick(rng, world.OUTCOMES)
    directions = (world.RAISES, world.LOWERS)
    claimed = int(rng.integers(2))
    claim = _sentence(f"{subject} {_pick(rng, directions[claimed])} {outcome}.")

    def fill(form: str, effect: str = "", about: str = "", matter: str = "") -> str:
        place, doctor = _pick(rng, world.TOWNS), _pick(rng, world.DOCTORS)
        return _sentence(form.format(e=effect, s=about, o=matter, m=place, f=doctor))

    def report(about: str, verbs: Sequence[str], matter: str) -> str:
        return fill(_pick(rng, world.SOURCES), f"{about} {_pick(rng, verbs)} {matter}")

    def agreeing() -> str:
        return report(subject, directions[claimed], outcome)

    def opposing() -> str:
        verbs = world.LEAVES if rng.random() < 0.2 else directions[1 - claimed]
        return report(subject, verbs, outcome)

    def beside() -> str:
        draw = rng.random()
        if draw < 0.3:
            return fill(_pick(rng, world.ASIDES), about=subject, matter=outcome)
        verbs = directions[int(rng.integers(2))]
        if draw < 0.65:
            return report(subject, verbs, _other(rng, world.OUTCOMES, outcome))
        return report(names.namesake(rng, subject, kind), verbs, outcome)

    def gather(relevant: list[str], agree: bool, oppose: bool) -> Case:
        evidence = relevant + [beside() for _ in range(sentences - len(relevant))]
        yes = {True: "yes", False: "no"}
        shuffled = [evidence[i] for i in rng.permutation(len(evidence))]
        return Case(claim, shuffled, {"SOME AGREE": yes[agree], "SOME OPPOSE": yes[oppose]})

    def several(say: Callable[[], str]) -> list[str]:
        return [say() for _ in range(min(int(rng.integers(1, 4)), sentences))]

    disputed = sentences >= 2 and rng.random() < 0.5
    at_odds = [agreeing(), opposing()]
    if sentences > 2 and rng.random() < 0.5:
        at_odds.append(agreeing() if rng.random() < 0.5 else opposing())
    return {
        Label.NA: gather(at_odds if disputed else [], disputed, disputed),
        Label.PASS: gather(several(agreeing), True, False),
        Label.FAIL: gather(several(opposing), False, True),
    }


KINDS = {
    "encyclopedia": ("person", "place", "organisation"),
    "revision": ("person", "place", "organisation"),
    "debate": ("project",),
}
CASES: dict[str, Callable[..., dict[Label, Case]]] = {
    "encyclopedia": _encyclopedia,
    "revision": _revision,
    "debate": _debate,
}


@cache
def _study_names() -> Names:
    return Names(pretraining=False)


def _examples(domain: str) -> list[Example]:
    rng = np.random.default_rng([WORLD_SEED, list(CASES).index(domain)])
    names = _study_names()
    subjects = [(name, kind) for kind in KINDS[domain] for name in names.all(kind)]
    chosen = rng.permutation(len(subjects))[:GROUPS]
    examples = []
    for i in chosen:
        subject, kind = subjects[i]
        cases = CASES[domain](rng, names, subject, kind)
        for label in LABELS:
            case = cases[label]
            name = subject.removeprefix("the ").replace(" ", "-").lower()
            examples.append(
                Example(
                    id=f"{name}-{label.lower()}",
                    group=name,
                    dataset=domain,
                    claim=case.claim,
                    evidence=tuple(case.evidence),
                    label=label,
                )
            )
    return examples


def encyclopedia() -> list[Example]:
    """Facts of which one sentence decides; GROUPS examples per label."""
    return _examples("encyclopedia")


def revision() -> list[Example]:
    """Compared numbers and years, in evidence that differs in little; GROUPS examples per label."""
    return _examples("revision")


def debate() -> list[Example]:
    """Effects on which five sentences agree, disagree or are silent; GROUPS examples per label."""
    return _examples("debate")
