"""The invented world: its labels, its names, and how much its words alone reveal."""

import re
from collections import Counter
from functools import cache

import numpy as np
import pytest

from factmix.data.datasets import DATASETS
from factmix.data.shortcuts import shortcuts
from factmix.organism import domains, facts, world
from factmix.study.examples import Example, to_frame
from factmix.study.labels import LABELS, Label

DOMAINS = ("encyclopedia", "revision", "debate")


@pytest.fixture(scope="module", params=DOMAINS)
def examples(request: pytest.FixtureRequest) -> list[Example]:
    return DATASETS[request.param]()


def test_every_group_gives_one_example_per_label(examples: list[Example]) -> None:
    groups: dict[str, list[Label]] = {}
    for example in examples:
        groups.setdefault(example.group, []).append(example.label)
    assert len(groups) == domains.GROUPS
    assert all(sorted(labels) == sorted(LABELS) for labels in groups.values())
    assert len({example.id for example in examples}) == len(examples)


def test_the_same_world_every_time(examples: list[Example]) -> None:
    assert DATASETS[examples[0].dataset]() == examples


@pytest.mark.parametrize("kind", ["person", "place", "organisation", "project"])
def test_no_subject_is_both_in_pretraining_and_in_the_study(kind: str) -> None:
    rng = np.random.default_rng(0)
    known = set(domains.Names(pretraining=True).subjects(kind))
    study = domains.Names(pretraining=False)
    subjects = set(study.subjects(kind))
    namesakes = {study.namesake(rng, subject, kind) for subject in study.subjects(kind)}
    assert known and subjects and namesakes
    assert not known & (subjects | namesakes)
    assert not subjects & namesakes


def test_no_evidence_names_what_the_claim_of_another_group_is_about(
    examples: list[Example],
) -> None:
    """Or evidence that is trained on would speak of what is evaluated."""
    subjects = {" ".join(example.group.split("-")) for example in examples}
    seen = 0
    for example in examples:
        words = re.sub(r"[^a-z ]", "", " ".join(example.evidence).lower()).split()
        spans = {" ".join(words[i : i + n]) for i in range(len(words)) for n in (2, 3)}
        own = _subject(example)
        seen += own in spans
        assert spans & subjects <= {own}, example
    assert seen > len(examples) / 2


def test_claims_never_speak_of_a_pretraining_subject(examples: list[Example]) -> None:
    known = {
        name.lower()
        for kind in domains.KINDS[examples[0].dataset]
        for name in domains.Names(pretraining=True).subjects(kind)
    }
    for example in examples:
        words = example.claim.lower().rstrip(".").split()
        spans = {" ".join(words[i : i + n]) for i in range(len(words)) for n in (2, 3, 4)}
        assert not spans & known, example.claim


def test_na_claims_have_evidence_that_names_the_subject_or_a_namesake(
    examples: list[Example],
) -> None:
    for example in examples:
        if example.label is Label.NA:
            evidence = " ".join(example.evidence).lower()
            assert any(part in evidence for part in example.group.split("-")), example


def test_debate_has_five_sentences_and_others_one_or_two(examples: list[Example]) -> None:
    counts = Counter(len(example.evidence) for example in examples)
    expected = {"encyclopedia": {1, 2}, "revision": {1}, "debate": {5}}[examples[0].dataset]
    assert set(counts) == expected


def _subject(example: Example) -> str:
    return " ".join(example.group.split("-"))


def test_revision_labels_follow_from_the_numbers() -> None:
    """Recomputes every decidable verdict from the text alone."""
    above = ("more than", "over", "after", "later than")
    below = ("fewer than", "under", "before", "earlier than")
    checked = Counter[str]()
    for example in domains.revision():
        if example.label is Label.NA:
            continue
        claimed = int(re.findall(r"\d+", example.claim)[0])
        found = int(re.findall(r"\d+", example.evidence[0])[0])
        claim = example.claim.lower()
        if "at least" in claim or "or later" in claim:
            true = found >= claimed
        elif "at most" in claim or "or earlier" in claim:
            true = found <= claimed
        elif any(f"{phrase} {claimed}" in claim for phrase in above):
            true = found > claimed
        elif any(f"{phrase} {claimed}" in claim for phrase in below):
            true = found < claimed
        else:
            true = found == claimed
        assert (example.label is Label.PASS) == true, example
        checked[example.label] += 1
    assert checked[Label.PASS] == checked[Label.FAIL] == domains.GROUPS


def _effects(example: Example) -> list[bool | None]:
    """For each sentence: does it agree with the claim (True), oppose it (False), or neither?"""
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


def test_debate_labels_follow_from_the_sentences() -> None:
    disputed = 0
    for example in domains.debate():
        effects = _effects(example)
        agree, oppose = effects.count(True), effects.count(False)
        expected = (
            Label.PASS if agree and not oppose else Label.FAIL if oppose and not agree else Label.NA
        )
        assert example.label is expected, example
        disputed += bool(agree and oppose)
    assert 0.4 < disputed / domains.GROUPS < 0.6


def test_encyclopedia_labels_follow_from_subject_and_fact() -> None:
    for example in domains.encyclopedia():
        claimed = _stated(example, example.claim)
        assert claimed is not None
        told = [_stated(example, sentence) for sentence in example.evidence]
        verdicts = {
            Label.PASS if each == claimed else Label.FAIL
            for each in told
            if each is not None and each[0] == claimed[0]
        }
        assert verdicts == ({example.label} if example.label is not Label.NA else set()), example


def _stated(example: Example, sentence: str) -> tuple[str, int] | None:
    """The fact and the side of it that a sentence states of the example's subject, if any."""
    return _facts_of(_subject(example)).get(_without_lead(sentence))


@cache
def _facts_of(subject: str) -> dict[str, tuple[str, int]]:
    return {
        form.format(s=about).lower(): (key, side)
        for about in (subject, f"the {subject}")
        for key, fact in facts.FACTS.items()
        for side, forms in enumerate(fact.sides)
        for form in forms
    }


def _without_lead(sentence: str) -> str:
    sentence = sentence.lower()
    for lead in filter(None, world.LEADS):
        sentence = sentence.removeprefix(lead.lower())
    return sentence


def test_no_sentence_states_two_facts() -> None:
    forms = [form for fact in facts.FACTS.values() for side in fact.sides for form in side]
    assert len(set(forms)) == len(forms)
    assert all(form.count("{s}") == 1 for form in forms)


def test_negation_is_as_common_on_either_side_of_the_facts() -> None:
    sides = (
        [form for fact in facts.FACTS.values() for form in fact.sides[side]] for side in (0, 1)
    )
    negated = [sum(bool(re.search(r"\b(not|never|no)\b", form)) for form in side) for side in sides]
    assert abs(negated[0] - negated[1]) <= 0.2 * sum(negated)


def test_one_wording_means_the_first_of_each_list() -> None:
    rng, names = np.random.default_rng(0), domains.Names(pretraining=True)
    subject = names.subjects("project")[0]
    for _ in range(50):
        case = domains.CLAIM_CASES["debate"](
            rng, names, subject, "project", domains.TextVariety(1, 1)
        )
        (sentence,) = case.gather(Label.PASS)
        verbs = (world.RAISES[0], world.LOWERS[0])
        assert any(f" {verb} " in case.claim and f" {verb} " in sentence for verb in verbs)
        assert sentence.startswith("A survey found that ")


def test_words_alone_stay_far_below_a_perfect_score(examples: list[Example]) -> None:
    frame = to_frame(examples)
    groups = frame["group"].unique()
    held = set(np.random.default_rng(0).permutation(groups)[: len(groups) // 3])
    test = frame["group"].isin(held)
    scores = shortcuts(frame[~test], frame[test], seed=0)
    assert scores["claim_and_evidence"]["balanced_accuracy"]["value"] < 0.70
    # every claim stands there once with each label, so that no rule on claims alone can do better
    assert scores["claim_only"]["balanced_accuracy"]["value"] == pytest.approx(1 / 3)
