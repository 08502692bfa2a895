"""The invented world: its labels, its kinds of claims, its names, and what words alone reveal."""

import re
from collections import Counter
from functools import cache

import numpy as np
import pytest

from factmix.data.datasets import DATASETS
from factmix.data.shortcuts import shortcuts
from factmix.organism import domains, facts, world
from factmix.organism.domains import SHARES, SORTS, KindDraws, Names, Subject, TextVariety
from factmix.study.examples import Example, to_frame
from factmix.study.labels import LABELS, Label

UNDECIDED = {kind for _, undecided in SHARES.values() for kind in undecided}
MADE = ("encyclopedia", "revision", "dispatch")  # of facts, numbers and years


@pytest.fixture(scope="module", params=list(SHARES))
def examples(request: pytest.FixtureRequest) -> tuple[Example, ...]:
    return domains.examples(request.param)


def of_kind(kind: str, *among: str) -> list[Example]:
    return [
        example
        for domain in among or SHARES
        for example in domains.examples(domain)
        if example.kind == kind
    ]


def test_every_group_gives_one_example_per_label(examples: tuple[Example, ...]) -> None:
    groups: dict[str, list[Label]] = {}
    for example in examples:
        groups.setdefault(example.group, []).append(example.label)
    assert len(groups) == domains.GROUPS >= 2600
    assert all(sorted(labels) == sorted(LABELS) for labels in groups.values())
    assert len({example.id for example in examples}) == len(examples)


def test_the_same_world_every_time(examples: tuple[Example, ...]) -> None:
    domain = examples[0].dataset
    assert DATASETS[domain]() is examples
    assert domains.examples.__wrapped__(domain) == examples


def test_no_subject_is_in_two_domains() -> None:
    groups = [{example.group for example in domains.examples(domain)} for domain in SHARES]
    assert len(set.union(*groups)) == sum(map(len, groups))


def test_no_name_of_pretraining_is_in_the_study_and_no_subject_is_somebody_else() -> None:
    known, study = Names(pretraining=True), Names(pretraining=False)
    rng = np.random.default_rng(0)
    for domain in SORTS:
        subjects = study.subjects(domain)
        names = {subject.name for subject in subjects}
        others = {study.other(rng, subject) for subject in subjects}
        assert names and others and not names & others
        assert not {subject.name for subject in known.subjects(domain)} & (names | others)


def test_each_kind_is_as_common_as_its_share_says(examples: tuple[Example, ...]) -> None:
    domain = examples[0].dataset
    for shares, decided in zip(SHARES[domain], (True, False), strict=True):
        assert sum(shares.values()) == pytest.approx(1)
        kinds = Counter(each.kind for each in examples if (each.label is not Label.NA) == decided)
        assert set(kinds) == set(shares)
        for kind, share in shares.items():
            assert kinds[kind] / kinds.total() == pytest.approx(share, abs=0.03)


def test_pass_and_fail_are_equally_common_in_every_kind(examples: tuple[Example, ...]) -> None:
    counts = Counter((each.kind, each.label) for each in examples)
    for kind in SHARES[examples[0].dataset][0]:
        assert counts[kind, Label.PASS] == counts[kind, Label.FAIL] > 0
    assert set(domains.KINDS) == {k for shares in SHARES.values() for of in shares for k in of}


def test_a_second_sentence_is_as_common_with_a_verdict_as_without(
    examples: tuple[Example, ...],
) -> None:
    """Leaving out the closing words of a report, which any report has."""
    closings = (*world.CLOSINGS, *world.WITHDRAWALS) if examples[0].dataset == "dispatch" else ()

    def share(*, decided: bool) -> float:
        counts = [
            sum(sentence not in closings[: len(world.CLOSINGS)] for sentence in each.evidence) > 1
            for each in examples
            if (each.label is not Label.NA) == decided
        ]
        return sum(counts) / len(counts)

    assert share(decided=True) == pytest.approx(share(decided=False), abs=0.03)
    lengths = {len(example.evidence) for example in examples}
    assert lengths == {"debate": {5}, "dispatch": {2, 3}}.get(examples[0].dataset, {1, 2})


def test_second_sentences_balance_whatever_the_shares_are() -> None:
    rng = np.random.default_rng(0)
    draws = KindDraws({"plain": 0.3, "two_sentences": 0.7}, {"other_matter": 0.6, "conflict": 0.4})
    drawn = [draws.draw(rng, decidable=False) for _ in range(4000)]
    two = [kind == "conflict" or draws.second(rng, kind) for kind in drawn]
    assert sum(two) / 4000 == pytest.approx(0.7, abs=0.03)


def words_of(text: str) -> set[str]:
    return set(re.sub(r"[^a-z ]", " ", text.lower()).split()) - {"the"}


def names_in(example: Example) -> str:
    """The words of the evidence that are parts of names."""
    parts = (world.GIVEN, world.FAMILY, world.MODIFIERS, world.STEMS, world.PARTS, world.SITES)
    known = {part for each in parts for part in each} | {"Doctor"}
    text = re.sub(r"Doctor \w+", "", " ".join(example.evidence))
    return " ".join(word for word in re.findall(r"\w+", text) if word in known)


@pytest.mark.parametrize("pretraining", [True, False])
def test_somebody_else_shares_no_word_with_the_subject(pretraining: bool) -> None:
    rng, names = np.random.default_rng(0), Names(pretraining=pretraining)
    for domain in SORTS:
        for subject in names.subjects(domain)[::7]:
            other = names.other(rng, subject)
            assert not words_of(other) & words_of(subject.name)
    first = names.subjects("debate")[0]
    taken = names.other(rng, first)
    assert all(not words_of(names.other(rng, first, taken)) & words_of(taken) for _ in range(50))


def test_evidence_about_somebody_else_never_names_the_subject() -> None:
    for example in of_kind("other_subject", *MADE):
        assert not words_of(names_in(example)) & set(example.group.split("-")), example


def test_other_evidence_without_a_verdict_names_the_subject() -> None:
    for kind in UNDECIDED - {"other_subject"}:
        for example in of_kind(kind):
            assert _subject(example) in " ".join(example.evidence).lower(), example


def test_no_evidence_names_what_the_claim_of_another_group_is_about(
    examples: tuple[Example, ...],
) -> None:
    """Or evidence that is trained on would speak of what is evaluated."""
    subjects = {
        " ".join(each.group.split("-")) for domain in SHARES for each in domains.examples(domain)
    }
    seen = 0
    for example in examples:
        words = re.sub(r"[^a-z ]", "", " ".join(example.evidence).lower()).split()
        spans = {" ".join(words[i : i + n]) for i in range(len(words)) for n in (2, 3)}
        own = _subject(example)
        seen += own in spans
        assert spans & subjects <= {own}, example
    assert seen > len(examples) / 2


def test_claims_never_speak_of_a_pretraining_subject(examples: tuple[Example, ...]) -> None:
    known = {
        subject.name.lower() for subject in Names(pretraining=True).subjects(examples[0].dataset)
    }
    for example in examples:
        words = example.claim.lower().rstrip(".").split()
        spans = {" ".join(words[i : i + n]) for i in range(len(words)) for n in (2, 3, 4)}
        assert not spans & known, example.claim


def _subject(example: Example) -> str:
    return " ".join(example.group.split("-"))


# What each sentence says of the claim, read from the texts alone: True, False, or None if nothing.

ABOVE, BELOW = ("more than", "over", "after", "later than"), ("fewer than", "under", "before")


def _quantities(domain: str) -> dict[str, world.Quantity]:
    if domain == "revision":
        return world.COUNTS | world.DATES
    return world.NEWS_COUNTS | world.NEWS_DATES


@cache
def _patterns(domain: str, claims: bool) -> list[tuple[str, re.Pattern[str]]]:
    """The name of each quantity with a pattern of a sentence that states, or compares, it."""
    return [
        (key, re.compile(_pattern(form), re.IGNORECASE))
        for key, quantity in _quantities(domain).items()
        for form in sorted(quantity.compared if claims else quantity.stated, key=len, reverse=True)
    ]


def _pattern(form: str) -> str:
    number = r"(?P<c>.*?\d+(?: or later| or earlier)?)"
    filled = re.escape(form.replace("{s}", "SUBJECT").replace("{n}", "NUMBER"))
    filled = filled.replace(r"\{c\}", number).replace("NUMBER", r"(?P<n>\d+)")
    return filled.replace("SUBJECT", r"(?:the )?(?P<s>.+)") + "$"


def _read(domain: str, sentence: str, *, claims: bool = False) -> tuple[str, str, str] | None:
    """Quantity, subject, and number or comparison of a sentence."""
    for key, pattern in _patterns(domain, claims):
        if found := pattern.match(sentence):
            subject, said = found["s"].lower().removeprefix("the "), found["c" if claims else "n"]
            if re.search(r"\d", subject) is None:
                return key, subject, said.lower()
    return None


def _holds(number: int, comparison: str) -> bool:
    limit = int(re.findall(r"\d+", comparison)[0])
    if "at least" in comparison or "or later" in comparison:
        return number >= limit
    if "at most" in comparison or "or earlier" in comparison:
        return number <= limit
    if any(phrase in comparison for phrase in ABOVE):
        return number > limit
    if any(phrase in comparison for phrase in (*BELOW, "earlier than")):
        return number < limit
    return number == limit


def _plain(sentence: str) -> str:
    """A sentence without what comes before its statement."""
    sentence = re.sub(r"^\w+, \w+day\. ", "", sentence)
    for lead in filter(None, (*world.LEADS, *world.NEWS_LEADS, *world.EDITS)):
        sentence = sentence.removeprefix(lead)
    return sentence


def _told(example: Example) -> list[bool | None]:
    """For each sentence: does it agree with the claim (True), oppose it (False), or neither?"""
    claim = _read(example.dataset, example.claim, claims=True) if _is_numeric(example) else None
    told: list[bool | None] = []
    for sentence in map(_plain, example.evidence):
        if claim:
            said = _read(example.dataset, sentence)
            same = said is not None and said[:2] == claim[:2]
            told.append(_holds(int(said[2]), claim[2]) if said and same else None)
        else:
            claimed = _facts_of(_subject(example), example.dataset)[example.claim.lower()]
            fact = _facts_of(_subject(example), example.dataset).get(sentence.lower())
            told.append(fact == claimed if fact and fact[0] == claimed[0] else None)
    return told


def _is_numeric(example: Example) -> bool:
    return re.search(r"\d", example.claim) is not None


@cache
def _facts_of(subject: str, domain: str) -> dict[str, tuple[str, int]]:
    known = facts.FACTS if domain == "encyclopedia" else facts.NEWS
    return {
        form.format(s=about).lower(): (key, side)
        for about in (subject, f"the {subject}")
        for key, fact in known.items()
        for side, forms in enumerate(fact.sides)
        for form in forms
    }


def _effects(example: Example) -> list[bool | None]:
    """The same for sentences of `debate`."""
    directions = dict.fromkeys(world.RAISES, True) | dict.fromkeys(world.LOWERS, False)

    def effect(text: str) -> tuple[bool | None, str] | None:
        pattern = "|".join(map(re.escape, (*directions, *world.LEAVES)))
        found = re.search(rf"the {_subject(example)} ({pattern}) (\w+)", text.lower())
        return (directions.get(found[1]), found[2]) if found else None

    claimed = effect(example.claim)
    assert claimed is not None
    told = [effect(sentence) for sentence in example.evidence]
    return [
        None if each is None or each[1] != claimed[1] else each[0] == claimed[0] for each in told
    ]


def test_labels_and_kinds_follow_from_the_texts(examples: tuple[Example, ...]) -> None:
    checked = Counter[str]()
    for example in examples:
        told = _effects(example) if example.dataset == "debate" else _told(example)
        agree, oppose = told.count(True), told.count(False)
        beside, kind = len(told) - agree - oppose, example.kind
        if kind == "conflict":
            assert agree and oppose and example.label is Label.NA, example
        elif kind == "withdrawn":
            assert agree + oppose == 1 and example.label is Label.NA, example
            assert example.evidence[1] in world.WITHDRAWALS, example
        elif kind in UNDECIDED:
            assert not agree and not oppose and example.label is Label.NA, example
        else:
            expected = Label.PASS if agree else Label.FAIL
            assert (agree == 0) != (oppose == 0) and example.label is expected, example
            if example.dataset == "debate":
                assert agree + oppose in {"single": (1,), "several": (2, 3)}[kind]
            else:
                assert agree + oppose == 1
            assert kind != "two_sentences" or beside, example
        if kind == "dated" or (kind in ("plain", "two_sentences") and _is_numeric(example)):
            year = int(re.findall(r"\d+", example.claim)[0]) > world.NUMBERS[1]
            assert (kind == "dated") == year
        checked[kind] += 1
    assert set(checked) == {kind for shares in SHARES[examples[0].dataset] for kind in shares}


def test_only_withdrawn_reports_say_that_they_are() -> None:
    for example in domains.examples("dispatch"):
        withdrawn = any(each in world.WITHDRAWALS for each in example.evidence)
        assert withdrawn == (example.kind == "withdrawn")


def test_reports_begin_with_place_and_day() -> None:
    for example in domains.examples("dispatch"):
        assert re.match(r"[A-Z]\w+, [A-Z]\w+day\. ", example.evidence[0])
        assert not any(", " in each and "day. " in each for each in example.evidence[1:])


def test_vague_evidence_gives_no_number_of_what_is_claimed() -> None:
    for example in of_kind("vague", "revision"):
        claim = _read("revision", example.claim, claims=True)
        said = [_read("revision", _plain(each)) for each in example.evidence]
        assert claim and all(each is None or each[0] != claim[0] for each in said)


def test_no_sentence_states_two_facts() -> None:
    known = (facts.FACTS | {f"news {key}": fact for key, fact in facts.NEWS.items()}).values()
    forms = [form for fact in known for side in fact.sides for form in side]
    assert len(set(forms)) == len(forms)
    assert all(form.count("{s}") == 1 for form in forms)


@pytest.mark.parametrize("known", [facts.FACTS, facts.NEWS], ids=["encyclopedia", "dispatch"])
def test_negation_is_as_common_on_either_side_of_the_facts(known: dict[str, facts.Fact]) -> None:
    sides = ([form for fact in known.values() for form in fact.sides[side]] for side in (0, 1))
    negated = [sum(bool(re.search(r"\b(not|never|no)\b", form)) for form in side) for side in sides]
    assert abs(negated[0] - negated[1]) <= 0.2 * sum(negated)


@pytest.mark.parametrize("domain", list(SHARES))
def test_one_wording_means_the_first_of_each_list(domain: str) -> None:
    rng, names = np.random.default_rng(0), Names(pretraining=True)
    subject: Subject = names.subjects(domain)[0]
    claims = set()
    for _ in range(300):
        case = domains.claim_case(domain, rng, names, subject, TextVariety(1, 1), dated=False)
        (sentence,) = case.gather(Label.PASS, "plain", False)
        claims.add(re.sub(r"\d+", "", case.claim.text))
        if domain == "debate":
            verbs = (world.RAISES[0], world.LOWERS[0])
            assert any(
                f" {verb} " in case.claim.text and f" {verb} " in sentence.text for verb in verbs
            )
            assert sentence.text.startswith("A survey found that ")
    sorts = {"encyclopedia": 2 * 6, "revision": 2 * 5, "debate": 2 * 10, "dispatch": 2 * 6 + 2 * 4}
    assert len(claims) == sorts[domain]


# Balanced accuracy that a model must beat; chance is 1/3.
WORDS_ALONE = {"encyclopedia": 0.40, "revision": 0.50, "debate": 0.45, "dispatch": 0.50}


def test_words_alone_stay_near_chance(examples: tuple[Example, ...]) -> None:
    frame = to_frame(examples)
    groups = frame["group"].unique()
    held = set(np.random.default_rng(0).permutation(groups)[: len(groups) // 3])
    test = frame["group"].isin(held)
    scores = shortcuts(frame[~test], frame[test], seed=0)
    score = scores["claim_and_evidence"]["balanced_accuracy"]["value"]
    assert score < WORDS_ALONE[examples[0].dataset]
    # every claim stands there once with each label, so that no rule on claims alone can do better
    assert scores["claim_only"]["balanced_accuracy"]["value"] == pytest.approx(1 / 3)
