import tempfile
from collections import Counter
from functools import cache
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from factmix.data.datasets import DATASETS, check_known
from factmix.data.leaks import LeakError, overlap
from factmix.data.mixtures import check_drawn, development, prepare
from factmix.data.pool import DataError, Pool
from factmix.study.examples import COLUMNS, Example, to_frame
from factmix.study.files import DamagedError, read_record
from factmix.study.labels import LABELS, Label
from factmix.study.load import find_study
from factmix.study.paths import Paths
from factmix.study.settings import ArmSettings, Dataset, WarmStart
from factmix.study.spec import Study

NA, PASS, FAIL = LABELS


def example(i, label, group=None, claim=None, dataset="one", evidence=("Something.",)):
    return Example(
        f"{dataset}-{i}", group or f"g{i}", dataset, claim or f"Claim {i}.", evidence, label
    )


def counts(na, passed, failed):
    return {NA: na, PASS: passed, FAIL: failed}


@cache
def smoke_study():
    return find_study("smoke")


def study_of(mixtures, evaluation, *, trajectory=None, datasets=("one",), sample_seed=42, seed=43):
    """The smoke study with other data; also with counts that no study may have, as less to draw."""
    smoke = smoke_study()
    study = Study.model_validate(
        smoke.model_dump()
        | {
            "datasets": {name: Dataset() for name in datasets},
            "sample_seed": sample_seed,
            "mixtures": mixtures,
            "arms": {"only": {"mixture": next(iter(mixtures)), "reward": "format_only"}},
            "baseline": "only",
            "training": smoke.training.model_dump() | {"prompts_per_step": 1},
        }
    )
    drawn = {"counts": evaluation, "trajectory_counts": trajectory or counts(0, 0, 0)}
    return changed(study, evaluation=study.evaluation.model_copy(update={"seed": seed} | drawn))


def changed(study, **parts):
    """A study with other parts, which are not checked."""
    return study.model_copy(update=parts)


def prepared(study, pools):
    """The report, the evaluation set, and each mixture's training set."""
    fakes = {name: lambda pool=pool: pool for name, pool in pools.items()}
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.dict("factmix.data.datasets.DATASETS", fakes, clear=True),
    ):
        paths = Paths(Path(folder))
        report = prepare(study, paths)
        assert read_record(paths.data_report) == report
        train = {
            name: pd.read_parquet(paths.data / f"train-{name}.parquet") for name in study.mixtures
        }
        return report, pd.read_parquet(paths.evaluation), train


def ids(frame):
    return set(frame["id"])


WRITTEN = ("Claim {}.", "claim {}", "“Claim” {}!", " CLAIM  {} ?")  # the same to a reader


@st.composite
def pools(draw):
    """Two datasets whose groups and claims overlap, also between them; claims in several forms."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    groups, claims = draw(st.integers(8, 40)), draw(st.integers(8, 60))
    return {
        name: [
            example(
                i,
                LABELS[rng.integers(3)],
                group=f"group {rng.integers(groups)}",
                claim=WRITTEN[rng.integers(4)].format(rng.integers(claims)),
                dataset=name,
            )
            for i in range(draw(st.integers(30, 80)))
        ]
        for name in ("one", "two")
    }


small = st.fixed_dictionaries({label: st.integers(0, 4) for label in LABELS})
seeds = st.integers(0, 2**32 - 2)  # tests take the next one, too


def number(claim):
    return int("".join(character for character in claim if character.isdigit()))


@settings(max_examples=40)
@given(pools(), small, small, seeds, seeds)
def test_training_and_evaluation_never_share_a_group_or_a_claim(
    pools, evaluation, train, seed, sample_seed
):
    assume(sum(train.values()))
    study = study_of(
        {"both": {"one": train, "two": train}},
        evaluation,
        datasets=("one", "two"),
        seed=seed,
        sample_seed=sample_seed,
    )
    try:
        report, evaluated, trained = prepared(study, pools)
    except DataError as error:
        assume("available" not in str(error))
        raise
    both = trained["both"]
    assert set(both["group"]).isdisjoint(evaluated["group"])
    assert set(both["claim"].map(number)).isdisjoint(evaluated["claim"].map(number))
    assert report["overlap"] == {"both": {"groups": 0, "claims": 0}}
    for name in ("one", "two"):
        for frame, wanted in ((evaluated, evaluation), (both, train)):
            labels = Counter(frame["label"][frame["dataset"] == name])
            assert labels == {str(label): n for label, n in wanted.items() if n}
    assert not both["id"].duplicated().any()


@settings(max_examples=40)
@given(pools(), small, seeds)
def test_a_smaller_mixture_takes_a_part_of_what_a_larger_one_takes(pools, train, sample_seed):
    assume(sum(train.values()))
    larger = {label: n + 1 for label, n in train.items()}
    evaluation = counts(1, 1, 1)

    def trained(mixtures):
        study = study_of(mixtures, evaluation, sample_seed=sample_seed)
        try:
            return prepared(study, pools)[2]
        except DataError as error:
            assume("available" not in str(error))
            raise

    together = trained({"larger": {"one": larger}, "smaller": {"one": train}})
    assert ids(together["smaller"]) < ids(together["larger"])
    alone = trained({"smaller": {"one": train}})
    assert alone["smaller"].equals(together["smaller"])


@settings(max_examples=40)
@given(pools(), seeds, seeds)
def test_the_same_seeds_give_the_same_files_and_the_evaluation_seed_alone_moves_evaluation(
    pools, seed, sample_seed
):
    def all_of(seed, sample_seed):
        study = study_of(
            {"some": {"one": counts(1, 1, 1)}},
            counts(2, 2, 2),
            trajectory=counts(1, 1, 1),
            seed=seed,
            sample_seed=sample_seed,
        )
        try:
            return prepared(study, pools)
        except DataError as error:
            assume("available" not in str(error))
            raise

    report, evaluated, trained = all_of(seed, sample_seed)
    again = all_of(seed, sample_seed)
    assert again[0] == report
    assert again[1].equals(evaluated)
    assert again[2]["some"].equals(trained["some"])
    assert all_of(seed, sample_seed + 1)[1].equals(evaluated)


def hundred(dataset="one"):
    """100 groups of one claim with each of the three labels, as in the embedded data."""
    return [
        example(
            f"{i}-{label}", label, group=f"{dataset} {i}", claim=f"{dataset} {i}", dataset=dataset
        )
        for i in range(100)
        for label in LABELS
    ]


def test_other_seeds_draw_other_examples():
    def drawn(**seeds):
        study = study_of({"some": {"one": counts(9, 9, 9)}}, counts(9, 9, 9), **seeds)
        report, evaluated, trained = prepared(study, {"one": hundred()})
        return report["fingerprint"], ids(evaluated), ids(trained["some"])

    first = drawn()
    other_sample, other_evaluation = drawn(sample_seed=1), drawn(seed=1)
    assert other_sample[1] == first[1]
    assert other_sample[2] != first[2]
    assert other_evaluation[1] != first[1]
    assert len({first[0], other_sample[0], other_evaluation[0]}) == 3


def test_evaluation_does_not_depend_on_the_mixtures():
    def evaluated(mixtures):
        return prepared(study_of(mixtures, counts(9, 9, 9)), {"one": hundred()})[1]

    one = evaluated({"small": {"one": counts(1, 0, 0)}})
    other = evaluated({"large": {"one": counts(50, 50, 50)}, "small": {"one": counts(9, 9, 9)}})
    assert one.equals(other)


def test_the_report_counts_what_was_drawn_and_what_was_kept_out():
    # One group of four, whose PASS is the only one there is: evaluation reserves all four. A fifth
    # row says the same as the drawn one; a sixth, of another dataset, belongs to the same group.
    pools = {
        "one": [
            example(0, PASS, group="g", claim="The drawn claim."),
            example(1, FAIL, group="g"),
            example(2, FAIL, group="g"),
            example(3, NA, group="g", evidence=()),
            example(4, NA, group="h", claim="the drawn claim", evidence=()),
            example(5, NA, group="i", evidence=()),
            example(6, FAIL, group="j"),
        ],
        "two": [
            example(0, NA, dataset="two", group="g"),
            example(1, NA, dataset="two", group="k"),
            example(2, PASS, dataset="two", group="l"),
        ],
    }
    study = study_of(
        {"m": {"one": counts(1, 0, 1), "two": counts(1, 0, 0)}},
        counts(0, 1, 0),
        datasets=("one", "two"),
    )
    report, evaluated, trained = prepared(study, pools)
    assert ids(evaluated) == {"one-0", "two-2"}
    assert ids(trained["m"]) == {"one-5", "one-6", "two-1"}
    assert report["datasets"]["one"] == {
        "pool": {"NA": 3, "PASS": 1, "FAIL": 3, "with_evidence": 4, "without_evidence": 3},
        "evaluation": {"NA": 0, "PASS": 1, "FAIL": 0, "with_evidence": 1, "without_evidence": 0},
        "excluded": {"group": 3, "claim": 1},
    }
    assert report["arms"] == {
        "only": {
            "groups": 0,
            "claims": 0,
            "examples": {"one": counts(0, 0, 0), "two": counts(0, 0, 0)},
        }
    }
    assert report["datasets"]["two"]["excluded"] == {"group": 1, "claim": 0}
    assert report["mixtures"] == {
        "m": {
            "one": {"NA": 1, "PASS": 0, "FAIL": 1, "with_evidence": 1, "without_evidence": 1},
            "two": {"NA": 1, "PASS": 0, "FAIL": 0, "with_evidence": 1, "without_evidence": 0},
        }
    }
    assert report["overlap"] == {"m": {"groups": 0, "claims": 0}}


def test_overlap_counts_groups_and_claims():
    train = to_frame([example(0, NA, "g", "A b."), example(1, NA, "h", "C"), example(2, NA, "h")])
    test = to_frame(
        [example(3, NA, "h", "D"), example(4, NA, "i", "a B"), example(5, NA, "h", "c!")]
    )
    assert overlap(train, test) == {"groups": 1, "claims": 2}


def test_a_part_of_the_evaluation_set_is_marked_for_the_trajectory():
    study = study_of({"m": {"one": counts(1, 0, 0)}}, counts(9, 8, 7), trajectory=counts(4, 3, 2))
    evaluated = prepared(study, {"one": hundred()})[1]
    assert tuple(evaluated.columns) == (*COLUMNS, "trajectory")
    assert Counter(evaluated["label"]) == {"NA": 9, "PASS": 8, "FAIL": 7}
    marked = evaluated[evaluated["trajectory"]]
    assert Counter(marked["label"]) == {"NA": 4, "PASS": 3, "FAIL": 2}


def shortage(study, pools):
    with pytest.raises(DataError) as caught:
        prepared(study, pools)
    return str(caught.value)


def test_a_pool_too_small_to_train_on_says_how_much_there_is():
    pool = [example(i, FAIL) for i in range(5)] + [example(5, NA), example(6, PASS)]
    study = study_of({"m": {"one": {FAIL: 4}}}, counts(0, 0, 2))
    assert shortage(study, {"one": pool}) == (
        "study smoke: mixtures.m: one, FAIL: 4 examples needed, 3 available (of 5; the others are"
        " in the evaluation set or share a group or a claim with it)"
    )
    enough = study_of({"m": {"one": {FAIL: 3}}}, counts(0, 0, 2))
    assert len(prepared(enough, {"one": pool})[2]["m"]) == 3


def test_a_pool_too_small_to_evaluate_says_how_much_there_is():
    study = study_of({"m": {"one": {FAIL: 1}}}, counts(0, 0, 3))
    assert shortage(study, {"one": [example(i, FAIL) for i in range(2)]}) == (
        "study smoke: evaluation.counts: one, FAIL: 3 examples needed, 2 available"
    )


def test_a_mixture_smaller_than_one_step_is_refused(smoke):
    content = smoke.model_dump()
    content["mixtures"]["m"] = {"debate": {Label.NA: 3}}
    study = Study.model_validate(content)
    with pytest.raises(
        DataError, match=r"mixtures\.m: 3 examples are fewer than the 4 of training"
    ):
        prepare(study, Paths(Path("unused")))


def test_an_unknown_dataset_is_answered_with_the_known_ones():
    study = study_of({"m": {"fever": {FAIL: 1}}}, counts(0, 0, 1), datasets=("fever",))
    assert shortage(study, {"one": [], "another": []}) == (
        "study smoke: datasets.fever: there is no such dataset; expected one of: another, one"
    )


def test_an_id_that_occurs_twice_is_refused():
    study = study_of({"m": {"one": {FAIL: 1}}}, counts(0, 0, 1))
    assert "dataset one: the id 'one-0' occurs more than once" in shortage(
        study, {"one": [example(0, FAIL), example(0, NA)]}
    )


def test_nothing_is_written_when_the_data_do_not_suffice(tmp_path):
    study = study_of({"m": {"one": {FAIL: 9}}}, counts(0, 0, 1))
    fakes = {"one": lambda: [example(i, FAIL) for i in range(5)]}
    with patch.dict("factmix.data.datasets.DATASETS", fakes), pytest.raises(DataError):
        prepare(study, Paths(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_development_examples_share_nothing_with_training_or_evaluation(tmp_path):
    study = study_of(
        {"m": {"one": counts(9, 9, 9)}, "n": {"one": counts(0, 20, 0), "two": counts(9, 0, 0)}},
        counts(9, 9, 9),
        datasets=("one", "two"),
    )
    pools = {"one": hundred(), "two": hundred("two")}
    pools["two"].append(example("same", NA, group="x", claim="One 7!", dataset="two"))
    fakes = {name: lambda pool=pool: pool for name, pool in pools.items()}
    paths = Paths(tmp_path)
    with patch.dict("factmix.data.datasets.DATASETS", fakes):
        prepare(study, paths)
    left = development(study, paths)
    files = [paths.evaluation, paths.data / "train-m.parquet", paths.data / "train-n.parquet"]
    used = pd.concat([pd.read_parquet(file) for file in files])
    assert tuple(left.columns) == COLUMNS
    assert overlap(left, used) == {"groups": 0, "claims": 0}
    # What is left out is left out for a reason: its group, or the one claim that is in both.
    unused = {each.group for pool in pools.values() for each in pool} - set(used["group"]) - {"x"}
    assert set(left["group"]) - {"x"} == unused
    assert ("x" in set(left["group"])) == ("one 7" in unused)


@pytest.mark.parametrize("name", ["smoke", "quick"])
def test_the_studies_on_embedded_data_can_be_prepared(name, tmp_path):
    study = find_study(name)
    report = prepare(study, Paths(tmp_path))
    for dataset in study.datasets:
        drawn = report["datasets"][dataset]["evaluation"]
        assert {label: drawn[label] for label in LABELS} == study.evaluation.counts
    for mixture, parts in study.mixtures.items():
        got = report["mixtures"][mixture]
        assert {d: {label: got[d][label] for label in LABELS} for d in got} == parts
    assert len(development(study, Paths(tmp_path))) > 0


@pytest.mark.parametrize("name", ["paper", "real"])
def test_real_claims_suffice_for_what_a_study_evaluates_and_trains_on(name, mirror):
    # 253 claims are refuted, and both studies use the last of them, whatever the seed.
    climate = "climate_fever"
    named = find_study(name)
    asked = named.datasets[climate].disjoint_counts
    mixtures = {
        mixture: {climate: parts[climate]}
        for mixture, parts in named.mixtures.items()
        if climate in parts
    }
    most = max(parts[climate][FAIL] for parts in mixtures.values())
    assert asked[FAIL] + most == 253
    pool = {climate: DATASETS[climate]()}
    for seed in range(10):
        study = study_of(mixtures, asked, datasets=(climate,), seed=seed)
        report, evaluated, trained = prepared(study, pool)
        assert len(evaluated) == sum(asked.values())
        assert {each: len(trained[each]) for each in mixtures} == {
            each: sum(parts[climate].values()) for each, parts in mixtures.items()
        }
        assert report["overlap"] == {each: {"groups": 0, "claims": 0} for each in mixtures}


def test_real_pages_do_not_dominate_the_evaluation_set(mirror):
    pool = {"vitaminc": DATASETS["vitaminc"]()}
    study = study_of(
        {"m": {"vitaminc": counts(460, 460, 380)}}, counts(500, 250, 250), datasets=("vitaminc",)
    )
    evaluated = prepared(study, pool)[1]
    # The largest page holds 869 of the rows; here at most a fiftieth of each label.
    assert max(Counter(evaluated["group"]).values()) <= 10 + 5 + 5


def test_the_study_on_real_files_can_be_prepared(mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("FACTMIX_CACHE", str(tmp_path / "cache"))
    study = find_study("real_smoke")
    report = prepare(study, Paths(tmp_path))
    for dataset in ("fever", "vitaminc", "climate_fever"):
        drawn = report["datasets"][dataset]["evaluation"]
        assert [drawn[label] for label in LABELS] == [30, 15, 15]
    assert report["overlap"] == {name: {"groups": 0, "claims": 0} for name in study.mixtures}


def released(study, **arm):
    """The study with a second arm under the released protocol."""
    settings = study.arms["only"].model_dump() | {"protocol": "as_released", **arm}
    return changed(study, arms=study.arms | {"released": ArmSettings.model_validate(settings)})


def variants(study, pools):
    """The report, and training sample and evaluation set of each arm."""
    fakes = {name: lambda pool=pool: pool for name, pool in pools.items()}
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.dict("factmix.data.datasets.DATASETS", fakes, clear=True),
    ):
        paths = Paths(Path(folder))
        report = prepare(study, paths)
        return report, {
            arm: (
                pd.read_parquet(paths.sample(study.run(arm).training_sample)),
                pd.read_parquet(paths.sample(study.run(arm).evaluation_sample)),
            )
            for arm in study.arms
        }


@settings(max_examples=25)
@given(pools(), seeds, seeds)
def test_an_arm_of_the_released_protocol_moves_nothing_of_the_others(pools, seed, sample_seed):
    study = study_of(
        {"m": {"one": counts(2, 2, 2)}}, counts(2, 2, 2), seed=seed, sample_seed=sample_seed
    )
    try:
        _, evaluated, trained = prepared(study, pools)
        report, arms = variants(released(study), pools)
    except DataError as error:
        assume("available" not in str(error))
        raise
    assert arms["only"][0].equals(trained["m"])
    assert arms["only"][1].equals(evaluated)
    train, evaluation = arms["released"]
    assert (
        Counter(train["label"]) == Counter(evaluation["label"]) == {"NA": 2, "PASS": 2, "FAIL": 2}
    )
    assert overlap(train, evaluation).items() <= report["arms"]["released"].items()
    assert report["arms"]["only"]["groups"] == report["arms"]["only"]["claims"] == 0


def test_what_must_be_shared_under_the_released_split_is_shared_and_counted():
    # 8 to train on and 7 to evaluate of 10: at least 5 are both.
    pool = [example(i, FAIL) for i in range(10)]
    study = study_of({"m": {"one": {FAIL: 8}}}, counts(0, 0, 7))
    small = Dataset().model_copy(update={"disjoint_counts": counts(0, 0, 2)})
    report, arms = variants(released(changed(study, datasets={"one": small})), {"one": pool})
    assert [len(frame) for frame in arms["only"]] == [8, 2]
    assert [len(frame) for frame in arms["released"]] == [8, 7]
    shared = ids(arms["released"][0]) & ids(arms["released"][1])
    assert len(shared) >= 5
    assert report["arms"]["released"] == {
        "groups": len(shared),
        "claims": len(shared),
        "examples": {"one": counts(0, 0, len(shared))},
    }


def test_evidence_is_set_for_training_and_evaluation_separately():
    pool = [example(i, label, dataset="vitaminc") for i, label in enumerate(LABELS * 9)]
    study = study_of({"m": {"vitaminc": counts(2, 2, 2)}}, counts(1, 1, 1), datasets=("vitaminc",))
    study = released(study, split="group_disjoint", evidence_eval="retrieved")
    report, arms = variants(study, {"vitaminc": pool})
    assert ids(arms["released"][0]) == ids(arms["only"][0])
    assert not arms["released"][0]["evidence"].map(len).any()
    assert arms["only"][0]["evidence"].map(len).all()
    assert arms["released"][1].equals(arms["only"][1])
    assert report["arms"]["released"]["groups"] == 0


def test_a_page_that_one_dataset_links_is_kept_from_training_on_in_another():
    # A claim of the first dataset is decided by Alpha and Beta; the second has rows on Beta only.
    linked = {"Alpha": "Alpha", "Beta": "Alpha"}
    both = Pool([example(i, FAIL, dataset="one", group="Alpha") for i in range(3)], pages=linked)
    rest = [example(10 + i, FAIL, dataset="two", group=f"Page {i}") for i in range(6)]
    rest += [example(20 + i, FAIL, dataset="two", group="Beta") for i in range(3)]
    for seed in range(5):
        study = study_of(
            {"m": {"two": {FAIL: 4}}}, counts(0, 0, 2), datasets=("one", "two"), sample_seed=seed
        )
        report, arms = variants(study, {"one": both, "two": rest})
        train, evaluation = arms["only"]
        # the second dataset is evaluated first on what the first has made unfit for training
        for name in ("one", "two"):
            assert "Alpha" in set(evaluation["group"][evaluation["dataset"] == name])
        assert set(train["group"]).isdisjoint({"Alpha", "Beta"})
        assert report["datasets"]["two"]["excluded"]["group"] >= 1


def test_what_a_dataset_left_out_is_reported():
    pool = Pool([example(i, FAIL) for i in range(5)], {"rows without text": 3})
    study = study_of({"m": {"one": {FAIL: 1}}}, counts(0, 0, 1))
    report, _, _ = prepared(study, {"one": pool})
    assert report["datasets"]["one"]["skipped"] == {"rows without text": 3}


def test_a_leak_stops_the_drawing_with_the_ids(tmp_path):
    study = study_of({"m": {"one": {FAIL: 3}}}, counts(0, 0, 2))
    fakes = {"one": lambda: [example(i, FAIL, group="same") for i in range(5)]}
    with (
        patch.dict("factmix.data.datasets.DATASETS", fakes),
        patch(
            "factmix.data.mixtures._training", lambda study, pools, *_: {"train-m": pools["one"]}
        ),
        pytest.raises(LeakError, match=r"study smoke, sample train-m: 5 .*one one-0, one one-1"),
    ):
        prepare(study, Paths(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_the_released_split_of_the_real_claims_shares_what_it_must(mirror):
    pool = {"climate_fever": DATASETS["climate_fever"]()}
    study = study_of(
        {"m": {"climate_fever": counts(180, 180, 150)}},
        counts(500, 250, 250),
        datasets=("climate_fever",),
    )
    small = Dataset(disjoint_counts=counts(126, 63, 63))
    report, _ = variants(released(changed(study, datasets={"climate_fever": small})), pool)
    shared = report["arms"]["released"]["examples"]["climate_fever"]
    assert shared["FAIL"] >= 150 + 250 - 253 == 147
    assert shared["NA"] >= 180 + 500 - 628 == 52
    # expected: 180 * 500 / 628 + 180 * 250 / 654 + 150 * 250 / 253 = 360
    assert sum(shared.values()) == pytest.approx(360, abs=40)


def test_samples_of_other_counts_than_the_study_now_asks_for_are_refused(smoke, tmp_path):
    paths = Paths(tmp_path)
    prepare(smoke, paths)
    for run in smoke.systems():
        check_drawn(run, paths)
    mixtures = {name: dict(parts) for name, parts in smoke.mixtures.items()}
    mixtures["hard_only"]["debate"] = {NA: 1, PASS: 6, FAIL: 5}
    changed = smoke.model_copy(update={"mixtures": mixtures})
    check_drawn(changed.run("balanced"), paths)
    with pytest.raises(
        DataError, match=r"train-hard_only\.parquet .*: counts\.debate\.NA was 6 and is 1; draw"
    ):
        check_drawn(changed.run("hard_only"), paths)


def test_a_sample_that_was_changed_by_hand_is_refused(smoke, tmp_path):
    paths = Paths(tmp_path)
    prepare(smoke, paths)
    run = smoke.run("hard_only")
    for sample in (run.training_sample, run.evaluation_sample):
        file = paths.sample(sample)
        drawn = file.read_bytes()
        pd.read_parquet(file).assign(label="PASS").to_parquet(file, index=False)
        with pytest.raises(
            DataError, match=rf"{file.name} was changed after it was drawn; draw the"
        ):
            check_drawn(run, paths)
        file.write_bytes(drawn)
        check_drawn(run, paths)
    text = paths.data_report.read_text()
    for changed in (text[:-9], text.replace('"groups": 0', '"groups": 1', 1)):
        paths.data_report.write_text(changed)
        with pytest.raises(DamagedError, match=r"report\.json: it .*; expected the file as it was"):
            check_drawn(run, paths)


def test_datasets_in_another_order_inside_a_mixture_are_another_sample(smoke, tmp_path):
    paths = Paths(tmp_path)
    prepare(smoke, paths)
    mixtures = {name: dict(reversed(parts.items())) for name, parts in smoke.mixtures.items()}
    with pytest.raises(DataError, match=r"train-hard_only\.parquet .*: order was"):
        check_drawn(smoke.model_copy(update={"mixtures": mixtures}).run("hard_only"), paths)


def warm(study, **counts_of):
    settings = {"steps": 1, "batch": 1, "learning_rate": 1.0, "seed": 0, "afterwords": 0.0}
    return changed(study, warm_start=WarmStart(counts=counts_of, **settings))


def test_a_warm_start_takes_what_evaluation_and_mixtures_leave():
    def group(i):
        return f"g{i // 3}"

    pool = [example(i, LABELS[i % 3], group=group(i)) for i in range(60)]
    study = study_of({"m": {"one": counts(3, 3, 3)}}, counts(2, 2, 2))
    usual, evaluation, train = prepared(study, {"one": pool})
    assert "warm_start" not in usual and "left" not in usual
    started = warm(study, one=counts(2, 0, 1))
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.dict("factmix.data.datasets.DATASETS", {"one": lambda: pool}, clear=True),
    ):
        paths = Paths(Path(folder))
        report = prepare(started, paths)
        sample = paths.sample(started.warm_start_run().sample)
        drawn, before = pd.read_parquet(sample), sample.read_bytes()
        check_drawn(started.warm_start_run(), paths)
        drawn.assign(label="PASS").to_parquet(sample, index=False)
        with pytest.raises(DataError, match=r"warm_start\.parquet was changed after it was drawn"):
            check_drawn(started.warm_start_run(), paths)
        sample.write_bytes(before)
        pd.testing.assert_frame_equal(pd.read_parquet(paths.evaluation), evaluation)
        pd.testing.assert_frame_equal(pd.read_parquet(paths.data / "train-m.parquet"), train["m"])
        apart = development(started, paths)
    taken = set(evaluation["group"]) | set(train["m"]["group"])
    assert Counter(drawn["label"]) == {NA: 2, FAIL: 1}
    assert not taken & set(drawn["group"])
    left = 20 - len(taken | set(drawn["group"]))
    assert report["warm_start"]["one"] | counts(2, 0, 1) == report["warm_start"]["one"]
    assert report["left"]["one"] | counts(left, left, left) == report["left"]["one"]
    assert len(apart) == 3 * left
    assert report["fingerprint"] != usual["fingerprint"]


def test_a_warm_start_that_needs_more_than_is_left_is_told_the_numbers():
    pool = [example(i, LABELS[i % 3]) for i in range(30)]
    study = study_of({"m": {"one": counts(3, 3, 3)}}, counts(2, 2, 2))
    with pytest.raises(
        DataError, match=r"warm_start\.counts: one, FAIL: 6 .*, 5 available \(of 10; "
    ):
        prepared(warm(study, one=counts(5, 5, 6)), {"one": pool})


def of_generated(study, *names, **changes):
    content = study.model_dump() | changes
    for name in names:
        content["datasets"][name]["generated"] = True
    return Study.model_validate(content)


def two_datasets(folder, **changes):
    """A study of a generated and another dataset, drawn: the study and its paths."""
    mixture = {"m": {"one": counts(9, 9, 9), "two": counts(3, 3, 3)}}
    datasets = ("one", "two")
    study = study_of(mixture, counts(9, 9, 9), trajectory=counts(3, 3, 3), datasets=datasets)
    study = of_generated(study, "one", **changes)
    fakes = {
        name: lambda name=name: [
            example(f"{i}-{label}", label, group=f"{name} {i}", dataset=name, claim=f"{name} {i}")
            for i in range(100)
            for label in LABELS
        ]
        for name in ("one", "two")
    }
    with patch.dict("factmix.data.datasets.DATASETS", fakes, clear=True):
        prepare(study, Paths(folder))
    return study, Paths(folder)


def test_each_seed_draws_its_own_examples_of_generated_data_and_the_same_of_other_data(tmp_path):
    study, paths = two_datasets(tmp_path, seeds=[0, 1])
    samples = [pd.read_parquet(paths.sample(each)) for each in study.training_samples()]
    of_one, of_two = (
        [ids(sample[sample["dataset"] == name]) for sample in samples] for name in ("one", "two")
    )
    assert [len(each) for each in (*of_one, *of_two)] == [27, 27, 9, 9]
    assert of_one[0] != of_one[1] and of_two[0] == of_two[1]
    for run in study.all_runs():
        check_drawn(run, paths)
    missing = r"train-m-s7\.parquet does not exist; .*it draws for the seeds that it lists; add 7"
    with pytest.raises(DataError, match=missing):
        check_drawn(study.run("only", 7), paths)


def test_further_seeds_and_mixtures_move_neither_evaluation_nor_the_samples_of_others(tmp_path):
    one, paths = two_datasets(tmp_path / "one", seeds=[1])
    mixtures = one.model_dump()["mixtures"] | {"n": {"one": counts(1, 1, 1)}}
    _, more = two_datasets(tmp_path / "more", seeds=[0, 1, 2], mixtures=mixtures)
    for name in ("evaluation", "train-m-s1"):
        files = [each.data / f"{name}.parquet" for each in (paths, more)]
        assert pd.read_parquet(files[0]).equals(pd.read_parquet(files[1]))


def test_some_groups_of_generated_data_are_kept_for_development_whatever_is_drawn(tmp_path):
    study, paths = two_datasets(tmp_path / "a", seeds=[0, 1, 2])
    left = development(study, paths)
    kept = set(left.loc[left["dataset"] == "one", "group"])
    assert len(kept) == round(100 / 8)
    assert Counter(left["group"])[min(kept)] == 3  # whole groups
    for sample in study.samples():
        assert not kept & set(pd.read_parquet(paths.sample(sample))["group"])
    assert "two" in set(left["dataset"])  # what no sample took
    other, others = two_datasets(tmp_path / "b", seeds=[9], sample_seed=1)
    again = development(other, others)
    assert set(again.loc[again["dataset"] == "one", "group"]) == kept
    report = read_record(paths.data_report)
    assert report["datasets"]["one"]["development"] == 3 * len(kept)
    assert "development" not in report["datasets"]["two"]


def test_each_invented_domain_keeps_enough_groups_for_the_model_card(tmp_path):
    study = find_study("main")
    prepare(study, Paths(tmp_path))
    left = development(study, Paths(tmp_path))
    assert left.groupby("dataset")["group"].nunique().reindex(list(study.datasets)).min() >= 300


def test_a_dataset_that_is_read_from_files_is_not_generated():
    one = counts(1, 1, 1)
    study = study_of({"m": {"vitaminc": one}}, one, trajectory=one, datasets=("vitaminc",))
    message = r"datasets\.vitaminc\.generated: its examples are read from files and too few"
    with pytest.raises(DataError, match=message):
        check_known(of_generated(study, "vitaminc"))
