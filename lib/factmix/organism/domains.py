"""Four invented domains with the difficulties of the real datasets, and none of their text.

| domain | stands for | evidence | what makes it hard |
|---|---|---|---|
| encyclopedia | FEVER | one or two sentences | the fact must match, not only the words |
| revision | VitaminC | one or two sentences, minimally edited | numbers, years, more/fewer than |
| debate | Climate-FEVER | five sentences | most are beside the point, some disagree: then NA |
| dispatch | no dataset | two or three sentences | facts, numbers, years in another voice |

One row of `debate`: claim "The Outer Ashlow dam raises rents."; five sentences, of which one says
"A survey found that the Outer Ashlow dam cuts rents."; label FAIL.

Every example has a *kind*, which says what decides it, or why nothing does (`KINDS`). The kinds
have the same names in all domains, and `SHARES` says how often each occurs.

A group is one subject (a person, place, organisation or project). Names are drawn once, and are
used either in the base model's pretraining or in one domain of the study. Some of the study's names
are never a subject: evidence about somebody else names them, so that no evidence names another
group. Facts, numbers and outcomes occur on both sides, like countries and years in the real data.
"""

from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, product
from typing import NamedTuple, TypeVar

import numpy as np

from factmix.organism import world
from factmix.organism.facts import FACTS, NEWS, Fact
from factmix.organism.world import Quantity
from factmix.study.examples import Example
from factmix.study.labels import LABELS, Label

WORLD_SEED = 20  # for the split of the names, and for the study's examples
PRETRAINING_SHARE = 0.5  # of the names
OTHERS_SHARE = 0.12  # of the study's names
GROUPS = 2700  # subjects per domain in the study; each gives one example per label

# Kind -> what the evidence says.
KINDS = {
    "plain": "one sentence decides",
    "two_sentences": "one sentence decides, another is about the same subject and beside the point",
    "dated": "a year decides",
    "single": "one of several sentences decides",
    "several": "two or three of several sentences agree and decide",
    "other_matter": "another fact, number or outcome of the same subject",
    "other_subject": "what is claimed, or its opposite, of somebody else",
    "vague": "the number or year is mentioned and not given",
    "conflict": "sentences about the claim that contradict each other",
    "withdrawn": "what is claimed, or its opposite, and that this report was withdrawn",
}
# How often each kind occurs among claims with a verdict, and among those without: domain -> kind ->
# share. `vague` is in one domain of training only and `withdrawn` in none: skills that cannot have
# been transferred.
SHARES: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "encyclopedia": (
        {"plain": 0.5, "two_sentences": 0.5},
        {"other_matter": 0.5, "other_subject": 0.25, "conflict": 0.25},
    ),
    "revision": (
        {"plain": 0.4, "two_sentences": 0.25, "dated": 0.35},
        {"other_matter": 0.3, "other_subject": 0.25, "vague": 0.2, "conflict": 0.25},
    ),
    "debate": (
        {"single": 0.5, "several": 0.5},
        {"other_matter": 0.4, "other_subject": 0.2, "conflict": 0.4},
    ),
    "dispatch": (
        {"plain": 0.35, "two_sentences": 0.35, "dated": 0.3},
        {"other_matter": 0.3, "other_subject": 0.25, "conflict": 0.25, "withdrawn": 0.2},
    ),
}
TWO = frozenset({"two_sentences", "several", "conflict", "withdrawn"})  # need two sentences
DATED_SECOND = 0.5  # share of the dated claims with a second sentence that is beside the point
VAGUE_SECOND = 0.3  # share of vague ones among such sentences of revision

# What a reader should notice: whose matter it is, whether it is beside the point, which way a fact
# or an effect goes, how a number compares with the claimed one, and whether a sentence agrees.
ASIDE = "aside"
SAME_SUBJECT, AGREES, AGAINST = "same subject", "agrees", "against"
_WHOSE = ("elsewhere", SAME_SUBJECT)
_SIDES = ("one", "other")
_WAYS = ("up", "down", "unchanged")
_SIGNS = {1: "above", 0: "equal", -1: "below"}
_AGREES = (AGAINST, AGREES)
RELATIONS = (ASIDE, "vague", "withdrawn", *_WHOSE, *_SIGNS.values(), *_AGREES)

T = TypeVar("T")
Matter = TypeVar("Matter", Fact, Quantity)


class Subject(NamedTuple):
    """What a claim is about: a name, and its sort (person, place, organisation or project)."""

    name: str
    sort: str


@dataclass(frozen=True)
class TextVariety:
    """How varied the texts are; the study uses the default, the most varied.

    Attributes:
        wordings: number of wordings used for each statement; None for all of them.
        sentences: evidence sentences: of `debate` the number, of other domains the most.
    """

    wordings: int | None = None
    sentences: int = 5


class Said(NamedTuple):
    """A sentence with what a reader should notice, which only pretraining uses.

    Attributes:
        text: the sentence.
        meaning: among `MEANINGS`, what it is about and which way it goes; the same in all wordings.
        relation: among `RELATIONS`, how a sentence of the evidence relates to the claim.
    """

    text: str
    meaning: tuple[str, ...]
    relation: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClaimCase:
    """A claim, and a sampler of evidence.

    Attributes:
        claim: one sentence.
        gather: samples new evidence with which the claim has a label and a kind; the third argument
            is whether a sentence beside the point is added, where the kind leaves that open.
    """

    claim: Said
    gather: Callable[[Label, str, bool], list[Said]]


class KindDraws:
    """Draws kinds of claims in given shares, and second sentences so that they reveal no label.

    Args:
        decidable: share of each kind among claims with a verdict; any scale.
        undecided: the same among claims without.
    """

    def __init__(self, decidable: Mapping[str, float], undecided: Mapping[str, float]) -> None:
        self._kinds = {True: list(decidable), False: list(undecided)}
        self._up_to = {
            True: list(accumulate(decidable.values())),
            False: list(accumulate(undecided.values())),
        }
        two = decidable.get("two_sentences", 0.0) + DATED_SECOND * decidable.get("dated", 0.0)
        forced = sum(share for kind, share in undecided.items() if kind in TWO)
        wanted = two / sum(decidable.values()) - forced / sum(undecided.values())
        free = 1 - forced / sum(undecided.values())
        self._second = min(max(wanted / free, 0.0), 1.0) if free else 0.0

    def draw(self, rng: np.random.Generator, *, decidable: bool) -> str:
        """A kind of a claim with a verdict, or of one without."""
        up_to = self._up_to[decidable]
        return self._kinds[decidable][bisect(up_to, rng.random() * up_to[-1], hi=len(up_to) - 1)]

    def second(self, rng: np.random.Generator, kind: str) -> bool:
        """Whether evidence of a kind that leaves it open has a second sentence.

        So many have one that two sentences are as common with a verdict as without.
        """
        if kind in ("plain", *TWO):
            return kind == "two_sentences"
        return bool(rng.random() < (DATED_SECOND if kind == "dated" else self._second))


class Names:
    """The names on one side of the split between pretraining and study.

    In pretraining, every name may be a subject of every domain, and somebody else. In the study, a
    name is a subject of one domain, or somebody else.

    Args:
        pretraining: whether this is the pretraining side.
    """

    def __init__(self, *, pretraining: bool) -> None:
        self._subjects: dict[str, list[Subject]] = {domain: [] for domain in SORTS}
        self._others: dict[str, list[str]] = {}
        for sort in _PARTS:
            names = _names(sort, pretraining)
            domains = [domain for domain, sorts in SORTS.items() if sort in sorts]
            cut = 0 if pretraining else round(OTHERS_SHARE * len(names))
            self._others[sort] = names[:cut] or names
            for i, domain in enumerate(domains):
                own = names if pretraining else names[cut:][i :: len(domains)]
                self._subjects[domain] += [Subject(name, sort) for name in own]

    def subjects(self, domain: str) -> list[Subject]:
        """All subjects of a domain."""
        return self._subjects[domain]

    def other(self, rng: np.random.Generator, subject: Subject, *more: str) -> str:
        """Somebody else of the same sort; no word of the name is in the subject's or in `more`."""
        taken = _words(" ".join((subject.name, *more)))
        while _words(name := _pick(rng, self._others[subject.sort])) & taken:
            pass
        return name


# The sorts of subjects of each domain.
SORTS = {
    "encyclopedia": ("person", "place", "organisation"),
    "revision": ("person", "place", "organisation"),
    "debate": ("project",),
    "dispatch": ("person", "place", "organisation"),
}
_PARTS: dict[str, tuple[Sequence[str], Sequence[str], str]] = {
    "person": (world.GIVEN, world.FAMILY, "{} {}"),
    "place": (world.MODIFIERS, world.STEMS, "{} {}"),
    "organisation": (world.STEMS, world.ORGANISATIONS, "the {} {}"),
    "project": (
        [f"{part} {site}" for part, site in product(world.PARTS, world.SITES)],
        world.PROJECTS,
        "the {} {}",
    ),
}


def _names(sort: str, pretraining: bool) -> list[str]:
    first, second, form = _PARTS[sort]
    names = [form.format(*pair) for pair in product(first, second)]
    order = np.random.default_rng([WORLD_SEED, list(_PARTS).index(sort)]).permutation(len(names))
    cut = round(PRETRAINING_SHARE * len(names))
    return [names[i] for i in (order[:cut] if pretraining else order[cut:])]


def _words(name: str) -> set[str]:
    return set(name.split()) - {"the"}


def _pick(rng: np.random.Generator, among: Sequence[T]) -> T:
    return among[int(rng.random() * len(among))]  # much faster than integers()


def _shuffled(rng: np.random.Generator, among: Sequence[T]) -> list[T]:
    order = rng.random(len(among)).argsort()
    return [among[i] for i in order]


def _whose(about: str, subject: Subject) -> str:
    return _WHOSE[about == subject.name]


def _aside(text: str) -> Said:
    return Said(text, (ASIDE,), (ASIDE,))


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


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


@dataclass(frozen=True)
class _Voice:
    """What a domain speaks of, and how.

    Attributes:
        facts, counts, dates: by sort of subject.
        leads: beginnings of sentences that state a fact.
        edits: beginnings of the evidence if it is one sentence.
        edited: whether all evidence of a claim has the same wording and differs in the number.
        news: whether evidence is a dated report of two or three sentences.
    """

    facts: Mapping[str, Sequence[Fact]]
    counts: Mapping[str, Sequence[Quantity]]
    dates: Mapping[str, Sequence[Quantity]]
    leads: Sequence[str] = ("",)
    edits: Sequence[str] = ("",)
    edited: bool = False
    news: bool = False


# A word for each fact, number and year.
_TOPICS: dict[Fact | Quantity, str] = {
    matter: topic
    for matters in (
        *(FACTS, world.COUNTS, world.DATES),
        *(NEWS, world.NEWS_COUNTS, world.NEWS_DATES),
    )
    for topic, matter in matters.items()
}


MEANINGS = tuple(dict.fromkeys((*_TOPICS.values(), *world.OUTCOMES, *_SIDES, *_WAYS, ASIDE)))


def _by_sort(of: Mapping[str, Matter]) -> dict[str, list[Matter]]:
    sorts: dict[str, list[Matter]] = {}
    for each in of.values():
        sorts.setdefault(each.subjects, []).append(each)
    return sorts


_VOICES = {
    "encyclopedia": _Voice(_by_sort(FACTS), {}, {}, leads=world.LEADS),
    "revision": _Voice(
        {}, _by_sort(world.COUNTS), _by_sort(world.DATES), edits=world.EDITS, edited=True
    ),
    "dispatch": _Voice(
        _by_sort(NEWS),
        _by_sort(world.NEWS_COUNTS),
        _by_sort(world.NEWS_DATES),
        leads=world.NEWS_LEADS,
        news=True,
    ),
}


def _claimed(
    voice: _Voice,
    rng: np.random.Generator,
    names: Names,
    subject: Subject,
    variety: TextVariety,
    dated: bool,
) -> ClaimCase:
    """A fact, number or year of the subject; the evidence states one, of the subject or another."""
    topics: list[Sequence[Fact | Quantity]] = [
        of.get(subject.sort, ()) for of in (voice.facts, voice.counts, voice.dates)
    ]
    *by_topic, dates = topics
    matters = dates if dated else _pick(rng, [each for each in by_topic if each])
    matter = _pick(rng, matters)

    def worded(forms: Sequence[str]) -> str:
        return _pick(rng, forms[: variety.wordings])

    def said(text: str, meaning: tuple[str, ...], about: str, *relation: str) -> Said:
        return Said(_sentence(text), meaning, (_whose(about, subject), *relation))

    def state_fact(fact: Fact, about: str, side: int, *relation: str) -> Said:
        form, lead = worded(fact.sides[side]), worded(voice.leads)
        if lead and not form.startswith("{s}"):
            form = form[0].lower() + form[1:]
        meaning = (_TOPICS[fact], _SIDES[side])
        return said(lead + form.format(s=about), meaning, about, *relation)

    if isinstance(matter, Fact):
        side = int(rng.integers(2))
        claim = worded(matter.sides[side]).format(s=subject.name)
        meaning: tuple[str, ...] = (_TOPICS[matter], _SIDES[side])

        def state(about: str, agrees: bool) -> Said:
            return state_fact(matter, about, side if agrees else 1 - side, _AGREES[agrees])

    else:
        phrases = _DATE_PHRASES if dated else _COUNT_PHRASES
        low, high = world.YEARS if dated else world.NUMBERS
        phrase = _pick(rng, list(phrases)[: variety.wordings and 2 * variety.wordings])
        limit = int(rng.integers(low + 8, high - 7))
        claim = worded(matter.compared).format(s=subject.name, c=phrase.format(limit))
        meaning = (_TOPICS[matter],)
        form = worded(matter.stated)

        def state(about: str, agrees: bool) -> Said:
            sign = _pick(rng, [s for s in (-1, 0, 1) if (s in phrases[phrase]) == agrees])
            room = high - limit if sign > 0 else limit - low
            number = limit + sign * int(rng.integers(1, room + 1))
            text = (form if voice.edited else worded(matter.stated)).format(s=about, n=number)
            return said(text, meaning, about, _SIGNS[sign], _AGREES[agrees])

    def asides(about: str, count: int) -> list[Said]:
        """Sentences about other matters of somebody."""
        rest = [each for each in matters if each is not matter]
        if len(rest) < count:
            rest += [each for topic in topics if topic is not matters for each in topic]
        return [tell(each, about) for each in _shuffled(rng, rest)[:count]]

    def tell(other: Fact | Quantity, about: str) -> Said:
        if isinstance(other, Fact):
            return state_fact(other, about, int(rng.integers(2)), ASIDE)
        low, high = world.YEARS if other.dated else world.NUMBERS
        text = worded(other.stated).format(s=about, n=int(rng.integers(low, high + 1)))
        return said(text, (_TOPICS[other],), about, ASIDE)

    def tell_vaguely(of: Quantity, about: str, relation: str) -> Said:
        return said(worded(of.vague).format(s=about), (_TOPICS[of],), about, relation)

    def beside(about: str) -> Said:
        """A second sentence, which may be vague where there are such sentences."""
        vague = [
            each
            for each in matters
            if isinstance(each, Quantity) and each.vague and each is not matter
        ]
        if vague and rng.random() < VAGUE_SECOND:
            return tell_vaguely(_pick(rng, vague), about, ASIDE)
        return asides(about, 1)[0]

    def content(label: Label, kind: str, second: bool) -> list[Said]:
        agrees = label is Label.PASS if label is not Label.NA else bool(rng.integers(2))
        second = second and variety.sentences > 1
        if kind == "conflict":
            found = [state(subject.name, True), state(subject.name, False)]
        elif kind == "withdrawn":
            withdrawal = Said(worded(world.WITHDRAWALS), (ASIDE,), (kind,))
            return [state(subject.name, agrees), withdrawal]
        elif kind == "other_matter":
            found = asides(subject.name, 1 + second)
        else:
            about = names.other(rng, subject) if kind == "other_subject" else subject.name
            if kind == "vague" and isinstance(matter, Quantity):
                first = tell_vaguely(matter, about, kind)
            else:
                first = state(about, agrees)
            found = [first] + [beside(about)] * second
        return _shuffled(rng, found)

    def gather(label: Label, kind: str, second: bool) -> list[Said]:
        found = content(label, kind, second)
        if len(found) == 1:
            found[0] = found[0]._replace(text=worded(voice.edits) + found[0].text)
        if not voice.news:
            return found
        more = min(2 + int(rng.integers(2)), variety.sentences) - len(found)
        closings = world.CLOSINGS[: variety.wordings and max(variety.wordings, more)]
        found += [_aside(text) for text in _shuffled(rng, closings)[: max(more, 0)]]
        placed = f"{_pick(rng, world.TOWNS)}, {_pick(rng, world.DAYS)}. {found[0].text}"
        found[0] = found[0]._replace(text=placed)
        return found

    return ClaimCase(Said(_sentence(claim), meaning), gather)


def _debated(
    rng: np.random.Generator, names: Names, subject: Subject, variety: TextVariety
) -> ClaimCase:
    """An effect of a project; evidence sentences agree, disagree, or are beside the point."""
    outcome = _pick(rng, world.OUTCOMES)
    directions = (world.RAISES, world.LOWERS)
    side = int(rng.integers(2))

    def worded(forms: Sequence[str]) -> str:
        return _pick(rng, forms[: variety.wordings])

    def fill(form: str, effect: str = "", about: str = "", on: str = "") -> str:
        place, doctor = _pick(rng, world.TOWNS), _pick(rng, world.DOCTORS)
        return _sentence(form.format(e=effect, s=about, o=on, m=place, f=doctor))

    def meaning(on: str, verbs: Sequence[str]) -> tuple[str, ...]:
        return on, _WAYS[(*directions, world.LEAVES).index(verbs)]

    def state(about: str, on: str, agrees: bool) -> Said:
        verbs: Sequence[str] = directions[side if agrees else 1 - side]
        if not agrees and rng.random() < 0.2:
            verbs = world.LEAVES
        text = fill(worded(world.SOURCES), f"{about} {worded(verbs)} {on}")
        relation = _AGREES[agrees] if on == outcome else ASIDE
        return Said(text, meaning(on, verbs), (_whose(about, subject), relation))

    def gather(label: Label, kind: str, second: bool) -> list[Said]:
        agrees = label is Label.PASS if label is not Label.NA else bool(rng.integers(2))
        # Evidence about another outcome or project is made as if the claim were about that.
        about = names.other(rng, subject) if kind == "other_subject" else subject.name
        elsewhere = [each for each in world.OUTCOMES if each != outcome]
        on = _pick(rng, elsewhere) if kind == "other_matter" else outcome
        several = rng.random() < 0.5 if kind in ("other_matter", "other_subject") else kind in TWO
        on_topic = min(int(rng.integers(2, 4)) if several else 1, variety.sentences)
        asides = min(int(rng.integers(3)), variety.sentences - on_topic)
        sides = [agrees] * on_topic
        if kind == "conflict":
            sides[0] = not agrees
        said = [state(about, on, each) for each in sides]
        forms = _shuffled(rng, world.ASIDES[: variety.wordings])[:asides]
        said += [_aside(fill(form, about=subject.name, on=outcome)) for form in forms]
        while len(said) < variety.sentences:
            if rng.random() < 0.6:
                which = (subject.name, _pick(rng, [each for each in elsewhere if each != on]))
            else:
                which = (names.other(rng, subject, about), on)
            said.append(state(*which, bool(rng.integers(2))))
        return _shuffled(rng, said)

    claim = f"{subject.name} {worded(directions[side])} {outcome}."
    return ClaimCase(Said(_sentence(claim), meaning(outcome, directions[side])), gather)


def claim_case(
    domain: str,
    rng: np.random.Generator,
    names: Names,
    subject: Subject,
    variety: TextVariety,
    *,
    dated: bool,
) -> ClaimCase:
    """A claim of a domain about a subject.

    Args:
        domain: a key of `SHARES`.
        rng: the source of randomness, also of the evidence.
        names: of the side that the subject is from.
        subject: what the claim is about.
        variety: of the texts.
        dated: whether it is about a year.
    """
    if domain == "debate":
        return _debated(rng, names, subject, variety)
    return _claimed(_VOICES[domain], rng, names, subject, variety, dated)


@cache
def names_of(*, pretraining: bool) -> Names:
    """The names of one side of the world."""
    return Names(pretraining=pretraining)


@cache
def examples(domain: str) -> tuple[Example, ...]:
    """The study's examples of a domain: of each of `GROUPS` subjects one claim with each label."""
    rng = np.random.default_rng([WORLD_SEED, list(SHARES).index(domain)])
    names = names_of(pretraining=False)
    kinds = KindDraws(*SHARES[domain])
    found = []
    for subject in _shuffled(rng, names.subjects(domain))[:GROUPS]:
        with_verdict = kinds.draw(rng, decidable=True)
        case = claim_case(domain, rng, names, subject, TextVariety(), dated=with_verdict == "dated")
        group = subject.name.removeprefix("the ").replace(" ", "-").lower()
        for label in LABELS:
            kind = kinds.draw(rng, decidable=False) if label is Label.NA else with_verdict
            found.append(
                Example(
                    id=f"{group}-{label.lower()}",
                    group=group,
                    dataset=domain,
                    claim=case.claim.text,
                    evidence=tuple(
                        said.text for said in case.gather(label, kind, kinds.second(rng, kind))
                    ),
                    label=label,
                    kind=kind,
                )
            )
    return tuple(found)


def encyclopedia() -> tuple[Example, ...]:
    """Facts; one evidence sentence decides, or nothing does."""
    return examples("encyclopedia")


def revision() -> tuple[Example, ...]:
    """Comparisons of numbers or years; minimally edited evidence."""
    return examples("revision")


def debate() -> tuple[Example, ...]:
    """Effects; five evidence sentences, some beside the point."""
    return examples("debate")


def dispatch() -> tuple[Example, ...]:
    """Facts, numbers and years in short reports, in another voice than the other domains."""
    return examples("dispatch")
