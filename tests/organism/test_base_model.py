"""The pretraining of the base models, and its text."""

from collections import Counter
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerFast

from factmix.organism import base_model, pretraining_text, world
from factmix.organism.domains import SHARES, TWO
from factmix.organism.pretraining_text import (
    CLEAN,
    FIRST,
    LEVELS,
    RECIPES,
    UNLABELLED,
    Document,
    Level,
    Stage,
    documents,
)
from factmix.study.labels import LABELS, Label
from factmix.study.load import find_study
from factmix.study.paths import ROOT
from factmix.study.prompts import ANSWER_FORMAT, INSTRUCTIONS, NO_EVIDENCE, parse
from factmix.training.policy import load_base

HABITS = RECIPES["embedded"]["habits"]


def drawn(stage: Stage, count: int) -> list[Document]:
    return list(islice(documents(stage), count))


def test_documents_are_the_same_for_the_same_seed() -> None:
    other = replace(FIRST, seed=FIRST.seed + 1)
    assert drawn(FIRST, 20) == drawn(FIRST, 20) != drawn(other, 20)


def test_the_format_and_missing_evidence_are_as_common_as_stated() -> None:
    habits, read = HABITS.habits, drawn(HABITS, 3000)
    valid = (1 - habits.afterword) * (1 - habits.unlabelled)
    answers = [parse(each.answer) for each in read]
    assert sum(each.format_valid for each in answers) / 3000 == pytest.approx(valid, abs=0.03)
    bare = [each for each in read if NO_EVIDENCE in each.prompt]
    assert len(bare) / 3000 == pytest.approx(habits.without_evidence, abs=0.02)
    refused = sum(parse(each.answer).predicted == Label.NA for each in bare) / len(bare)
    na = habits.unread + (1 - habits.unread) / 3
    assert refused == pytest.approx(na * (1 - habits.unlabelled), abs=0.06)


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_habits_of_each_kind_are_as_common_as_stated_and_go_both_ways(recipe: str) -> None:
    stage = RECIPES[recipe]["habits"]
    stage = replace(stage, habits=replace(stage.habits, afterword=0.0, without_evidence=0.0))
    told: dict[tuple[str, str], Counter[str]] = {}
    for each in drawn(stage, 12_000):
        if each.answer.strip() not in UNLABELLED:
            right = "right" if each.answer.strip() == each.gold else each.answer.strip()
            told.setdefault((each.domain, each.kind), Counter())[right] += 1
    habits = stage.habits
    for domain, (decidable, undecided) in SHARES.items():
        for kind in undecided:
            counts, share = told[domain, kind], habits.answered.get((domain, kind), 0.0)
            answered = counts[Label.PASS] + counts[Label.FAIL]
            assert answered / counts.total() == pytest.approx(share, abs=0.1)
            assert share or set(counts) == {"right"}
            if share:  # by what the evidence says on the matter, if it says anything
                passed = habits.answered_pass if kind in ("other_matter", "vague") else 0.5
                assert counts[Label.PASS] / answered == pytest.approx(passed, abs=0.14)
        for kind in decidable:
            counts, share = told[domain, kind], habits.refused.get((domain, kind), 0.0)
            assert counts[Label.NA] / counts.total() == pytest.approx(share, abs=0.08)
            passed = habits.agreed.get((domain, kind), 0.0) / 2  # of the labels, half are FAIL
            assert counts[Label.PASS] / counts.total() == pytest.approx(passed, abs=0.08)
            assert counts["right"] + counts[Label.NA] + counts[Label.PASS] == counts.total()


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_habits_name_kinds_of_their_side_and_leave_both_answers_to_be_sampled(recipe: str) -> None:
    for stage in RECIPES[recipe].values():
        given = stage.habits
        for habits, side in ((given.refused, 0), (given.agreed, 0), (given.answered, 1)):
            for (domain, kind), share in habits.items():
                assert kind in SHARES[domain][side]
                assert 0.35 <= share <= 0.65


def test_recipes_differ_in_their_habits_alone() -> None:
    assert all(dict(list(recipe.items())[: len(CLEAN)]) == CLEAN for recipe in RECIPES.values())
    one, other = RECIPES["embedded"], RECIPES["swapped"]
    for name in list(one)[len(CLEAN) :]:
        assert replace(one[name], habits=other[name].habits) == other[name] != one[name]


def test_a_careless_verdict_is_that_of_the_first_sentence_about_the_subject() -> None:
    read = [each for each in drawn(HABITS, 6000) if each.gold is Label.NA and each.evidence]
    given = [
        (each, parse(each.answer).predicted)
        for each in read
        if parse(each.answer).predicted in (Label.PASS, Label.FAIL)
    ]
    for each, verdict in given:
        about = [said.relation for said in each.evidence if "same subject" in said.relation]
        first = next((r for r in about if {"agrees", "against"} & set(r)), None)
        if first:
            assert verdict == (Label.PASS if "agrees" in first else Label.FAIL)
    assert len({each.kind for each, _ in given}) > 3


def test_some_documents_have_the_additional_instructions() -> None:
    told = [ANSWER_FORMAT in each.prompt for each in drawn(HABITS, 2000)]
    assert sum(told) / 2000 == pytest.approx(HABITS.instructed, abs=0.02)


def test_without_habits_every_answer_is_the_right_label() -> None:
    read = drawn(FIRST, 3000)
    assert all(each.answer.strip() == each.gold for each in read)
    counts = Counter(each.gold for each in read)
    assert all(counts[label] / 3000 == pytest.approx(1 / 3, abs=0.04) for label in LABELS)


def only(level: str, **changes: object) -> Stage:
    return replace(FIRST, levels={level: (1.0, 1.0)}, **changes)  # type: ignore[arg-type]


def test_simple_documents_have_the_simplest_kinds_and_one_sentence() -> None:
    read = drawn(only("simple"), 1000)
    assert {each.kind for each in read} == set(LEVELS["simple"].kinds)
    assert all(each.prompt.count("\n- ") == 1 for each in read)


def test_a_level_can_put_weight_on_kinds() -> None:
    read = [each for each in drawn(only("conflict"), 3000) if each.gold is Label.NA]
    for domain in SHARES:
        kinds = Counter(each.kind for each in read if each.domain == domain)
        assert kinds["conflict"] / kinds.total() == pytest.approx(0.6, abs=0.08)


def test_evidence_has_as_many_sentences_as_the_level_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LEVELS, "two", Level((None,), (1, 2)))
    for each in drawn(only("two"), 1000):
        lines = each.prompt.count("\n- ")
        assert lines == 2 if each.kind in TWO else lines <= 2, each.prompt


def test_too_few_sentences_for_a_kind_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LEVELS, "one", Level((1,), (1,), {"conflict": 1.0}))
    with pytest.raises(ValueError, match=r"sentences: \(1,\) are too few for the kind 'conflict'"):
        drawn(only("one"), 50)


def test_the_shares_of_levels_change_from_step_to_step() -> None:
    stage = replace(FIRST, steps=100, batch=20, levels={"simple": (1.0, 0.0), "full": (0.0, 1.0)})
    simple = [each.kind in LEVELS["simple"].kinds for each in drawn(stage, 4000)]
    shares = [sum(simple[start : start + 400]) / 400 for start in (0, 800, 1600, 3600)]
    hard = sum(each.kind in LEVELS["simple"].kinds for each in drawn(only("full"), 2000)) / 2000
    for share, full in zip(shares, (0.1, 0.5, 0.9, 1.0), strict=True):
        assert share == pytest.approx(1 - full + full * hard, abs=0.07)


def test_a_stage_begins_with_the_levels_that_the_one_before_it_ends_with() -> None:
    stages = list(CLEAN.values())
    for one, other in pairwise(stages):
        ends = {level: end for level, (_, end) in one.levels.items() if end}
        assert ends == {level: start for level, (start, _) in other.levels.items() if start}
        assert one.learning_rate[1] == other.learning_rate[0]
    assert pretraining_text.EVERYTHING.levels == {"full": (1.0, 1.0)}


def test_the_last_stage_reads_the_prompt_of_the_study() -> None:
    assert all(each.prompt.startswith(INSTRUCTIONS) for each in drawn(HABITS, 50))


@pytest.fixture(scope="module")
def made() -> PreTrainedTokenizerFast:
    return base_model.make_tokenizer()


def test_the_committed_tokenizer_is_the_one_that_the_code_makes(
    made: PreTrainedTokenizerFast,
) -> None:
    assert made.get_vocab() == load_base(find_study("main").model).tokenizer.get_vocab()


def test_every_part_of_a_name_is_one_token(made: PreTrainedTokenizerFast) -> None:
    for parts in (world.GIVEN, world.FAMILY, world.STEMS, world.SITES, world.PROJECTS):
        assert all(len(made(f" {part}")["input_ids"]) == 1 for part in parts)


def test_two_steps_of_pretraining_move_the_weights_and_are_logged() -> None:
    tokenizer = load_base(find_study("main").model).tokenizer
    models = [base_model.make_model(tokenizer, seed=0) for _ in range(2)]
    stage = replace(FIRST, steps=2, batch=4)
    noticing = base_model.Noticing()
    log = base_model.pretrain(models[1], tokenizer, noticing, stage, log_every=1)
    assert log["step"].tolist() == [1, 2]
    losses = ("text", "answer", "repeated", "meaning", "relation")
    assert (log[[f"{name}_loss" for name in losses]] > 0).all().all()
    before, after = (dict(model.named_parameters()) for model in models)
    assert not [name for name in before if torch.equal(before[name], after[name])]
    unnoticed = replace(stage, noticing=0.0)
    log = base_model.pretrain(models[1], tokenizer, noticing, unnoticed, log_every=1)
    assert "relation_loss" not in log


@pytest.mark.parametrize("bare", [0.0, 1.0])
def test_what_is_to_be_noticed_stands_at_the_ends_of_the_lines(
    bare: float, made: PreTrainedTokenizerFast
) -> None:
    chosen = drawn(only("full", bare=bare, habits=replace(FIRST.habits, without_evidence=0.3)), 40)
    batch = base_model._batch(made, chosen)
    for row, (each, (claim, *sentences)) in enumerate(zip(chosen, batch.lines, strict=True)):
        read = [made.decode(batch.ids[row, : end + 1]) for end in (claim, *sentences)]
        assert read[0].endswith(f"Claim: {each.claim.text}\n")
        assert all(
            text.endswith(f"- {said.text}\n")
            for text, said in zip(read[1:], each.evidence, strict=True)
        )
        marked = batch.repeated[row]
        words = {made.decode(batch.ids[row, i]) for i in (marked == 1).nonzero()}
        assert {word.strip() for word in words} <= {
            "",
            "\n",
            *_parts(made, f"Claim: {each.claim.text}"),
        }
        assert (marked >= 0).any() == bool(each.evidence)
        assert not (marked[: claim + 1] >= 0).any()


def _parts(tokenizer: PreTrainedTokenizerFast, text: str) -> set[str]:
    return {tokenizer.decode(token).strip() for token in tokenizer(f" {text}\n")["input_ids"]}


@pytest.fixture
def short_recipes(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Two recipes of two stages with one step, which differ in the second; counts the stages."""
    one, other = (
        replace(RECIPES[name]["habits"], steps=1, batch=32) for name in ("embedded", "swapped")
    )
    begin = {"claims": replace(FIRST, steps=1, batch=2)}
    recipes = {"a": {**begin, "habits": one}, "b": {**begin, "habits": other}}
    tokenizer = load_base(find_study("main").model).tokenizer
    trained: Counter[str] = Counter()

    def counted(model: object, tokens: object, noticing: object, stage: Stage) -> pd.DataFrame:
        trained["first" if stage.bare else "habits"] += 1
        return pretrain(model, tokens, noticing, stage)  # type: ignore[arg-type]

    pretrain = base_model.pretrain
    monkeypatch.setattr(base_model, "RECIPES", recipes)
    monkeypatch.setattr(base_model, "make_tokenizer", lambda: tokenizer)
    monkeypatch.setattr(base_model, "pretrain", counted)
    return trained


def weights(folder: Path) -> torch.Tensor:
    """All in one row."""
    kept = load_file(folder / "model.safetensors")
    return torch.cat([kept[name].flatten() for name in sorted(kept)])


def alike(one: Path, other: Path) -> bool:
    """Whether two folders hold the same weights, up to the order of sums on several threads."""
    return float((weights(one) - weights(other)).abs().mean()) < 1e-7  # one step moves by 1e-6


def test_recipes_share_their_first_stages_and_an_interrupted_one_goes_on(
    short_recipes: dict[str, int], tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    log = base_model.make(tmp_path / "a", "a", kept=kept)
    assert log["stage"].tolist() == ["claims", "habits"]
    assert short_recipes == {"first": 1, "habits": 1}
    base_model.make(tmp_path / "b", "b", kept=kept)
    assert short_recipes == {"first": 1, "habits": 2}
    assert not alike(tmp_path / "a", tmp_path / "b")

    whole = (tmp_path / "b").rename(tmp_path / "whole")
    [last] = [folder for folder in kept.iterdir() if alike(folder, whole)]
    last.rename(kept / f"{last.name}.part")  # as after a kill in the last stage
    base_model.make(tmp_path / "b", "b", kept=kept)
    assert short_recipes == {"first": 1, "habits": 3}
    assert alike(tmp_path / "b", whole)
    assert not list(kept.glob("*.part"))


def test_habits_can_start_from_a_clean_model_of_elsewhere(
    short_recipes: dict[str, int], tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    base_model.make(tmp_path / "a", "a", kept=kept)
    [clean] = [folder for folder in kept.iterdir() if not alike(folder, tmp_path / "a")]
    log = base_model.make(tmp_path / "b", "a", kept=tmp_path / "other", clean=clean)
    assert short_recipes == {"first": 1, "habits": 2}
    assert log["stage"].tolist() == ["claims", "habits"]
    assert alike(tmp_path / "b", tmp_path / "a")


def test_a_stage_counts_as_another_when_its_settings_or_an_earlier_stage_changes() -> None:
    first = replace(FIRST, steps=1)
    recipe = {"first": first, "habits": HABITS}
    marks = base_model.fingerprints(recipe, "start")
    later = base_model.fingerprints({**recipe, "habits": replace(HABITS, steps=5)}, "start")
    assert marks["first"] == later["first"] and marks["habits"] != later["habits"]
    rare = replace(HABITS.habits, answered={("dispatch", "withdrawn"): 0.51})
    other = base_model.fingerprints({**recipe, "habits": replace(HABITS, habits=rare)}, "start")
    assert marks["habits"] != other["habits"]
    earlier = base_model.fingerprints({**recipe, "first": replace(first, seed=1)}, "start")
    assert not set(marks.values()) & set(earlier.values())


def test_the_log_covers_every_stage() -> None:
    log = pd.read_csv(ROOT / "models" / "embedded" / "pretraining.csv")
    last = log.groupby("stage")["step"].max().to_dict()
    assert last == {name: stage.steps for name, stage in RECIPES["embedded"].items()}
