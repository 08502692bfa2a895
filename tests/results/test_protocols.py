"""What departures of the released code change, on claims that no arm was trained on."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from factmix.data import mixtures
from factmix.data.text import normalised
from factmix.results.answers import CompareError
from factmix.results.compare import compare
from factmix.results.freeze import freeze
from factmix.results.protocols import tables
from factmix.study import freshness
from factmix.study.files import write_parquet
from factmix.study.load import find_study
from factmix.study.paths import Paths
from factmix.study.run import CLEAN, Run
from factmix.study.spec import Study
from factmix.training.columns import PREDICTIONS, most_probable
from invented_book import invent_training

PUBLISHED = {"reward": "published"}
ARMS: dict[str, dict[str, Any]] = {
    "format_only": {"mixture": "balanced", "reward": "format_only"},
    "format_released": {"mixture": "balanced", "reward": "format_only", "protocol": "as_released"},
    **{
        f"{mixture}_{cell}": {"mixture": mixture, **PUBLISHED, **settings}
        for mixture in ("hard_only", "balanced")
        for cell, settings in {
            "plain": {},
            "evidence": {"evidence_train": "as_released"},
            "settings": {"protocol": "as_released", "evidence_train": "retrieved"},
            "released": {"protocol": "as_released"},
        }.items()
    },
}
POOL = {"NA": 40, "PASS": 30, "FAIL": 25}


def with_protocols(**changes: Any) -> Study:
    content = find_study("smoke").model_dump()
    content["statistics"]["resamples"] = 100
    for name, dataset in content["datasets"].items():
        dataset["generated"] = True
        if name == "debate":
            dataset["released_pool"] = POOL
    return Study.model_validate({**content, "arms": ARMS, "seeds": [0, 1], **changes})


STUDY = with_protocols()


def answers(run: Any, paths: Paths, right: float, rng: np.random.Generator) -> pd.DataFrame:
    """Answers of a system that says NA, or the right label with this probability."""
    examples = pd.read_parquet(paths.sample(run.evaluation_sample))
    said = np.where(rng.random(len(examples)) < right, examples["label"], "NA")
    rows = examples.assign(
        arm=run.arm,
        seed=run.seed,
        gold=examples["label"],
        predicted=said,
        **dict(
            zip(("p_na", "p_pass", "p_fail"), rng.dirichlet([1, 1, 1], len(said)).T, strict=True)
        ),
        format_valid=True,
        completion=said,
    )[list(PREDICTIONS)]
    rows.attrs["depends_on"] = {"settings": freshness.answering_settings(run)}
    return rows


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """The data as drawn, and made-up answers to them."""
    rng = np.random.default_rng(5)
    paths = Paths(tmp_path_factory.mktemp("protocols") / "run")
    mixtures.prepare(STUDY, paths)
    for base in STUDY.base_runs():
        write_parquet(paths.run(base) / "predictions.parquet", answers(base, paths, 0.4, rng))
    for i, run in enumerate(STUDY.all_runs()):
        folder, right = paths.run(run), 0.3 + 0.04 * (i % len(STUDY.arms))
        for name, asked in run.answers().items():
            write_parquet(folder / name, answers(asked, paths, right, rng))
        during = answers(run, paths, right, rng)
        during = during.assign(most_probable=most_probable(during), step=0)
        during.attrs["depends_on"] = freshness.trajectory(run, paths)
        write_parquet(folder / "trajectory.parquet", during)
        invent_training(run, paths)
    return paths


@pytest.fixture(scope="module")
def results(finished: Paths) -> dict[str, Any]:
    return compare(STUDY, finished)


def share(finished: Paths, run: Run, dataset: str, outcome: str, *, own: bool = False) -> float:
    name = CLEAN if run.clean_sample and not own else "predictions.parquet"
    rows = pd.read_parquet(finished.run(run) / name)
    rows = rows[rows["dataset"] == dataset]
    given = rows["gold"] if outcome == "accuracy" else "NA"
    return float((rows["predicted"] == given).mean())


def means(finished: Paths, arm: str, dataset: str, outcome: str, **how: bool) -> float:
    runs = [STUDY.run(arm, seed) for seed in STUDY.seeds]
    return float(np.mean([share(finished, run, dataset, outcome, **how) for run in runs]))


def test_arms_that_differ_in_mixture_and_protocol_alone_form_a_table() -> None:
    (table,) = tables(STUDY).values()
    assert {
        mixture: {cell: run.arm for cell, run in cells.items()} for mixture, cells in table.items()
    } == {
        mixture: {
            "described": f"{mixture}_plain",
            "evidence": f"{mixture}_evidence",
            "settings": f"{mixture}_settings",
            "released": f"{mixture}_released",
        }
        for mixture in ("hard_only", "balanced")
    }
    longer = {**ARMS, "hard_only_evidence": {**ARMS["hard_only_evidence"], "steps": 7}}
    (table,) = tables(with_protocols(arms=longer)).values()
    assert set(table["hard_only"]) == {"described", "settings", "released"}
    partly = {
        **ARMS,
        "hard_only_settings": {**ARMS["hard_only_settings"], "weight_by": "predicted"},
    }
    (table,) = tables(with_protocols(arms=partly)).values()
    assert set(table["hard_only"]) == {"described", "evidence", "released"}
    assert tables(find_study("main")) == {}


def test_contrasts_are_differences_of_means_over_seeds_on_clean_claims(
    finished: Paths, results: dict[str, Any]
) -> None:
    found = results["protocols"]["published"]
    pair = found["contrast"]["balanced_over_hard_only"]
    asked = [(d, "na_share") for d in STUDY.datasets] + [("encyclopedia", "accuracy")]
    assert {
        (dataset, outcome) for dataset, of in pair["described"].items() for outcome in of
    } == set(asked)
    for dataset, outcome in asked:
        mean = {
            (mixture, cell): means(finished, f"{mixture}_{cell}", dataset, outcome)
            for mixture in ("hard_only", "balanced")
            for cell in ("plain", "evidence", "settings", "released")
        }
        described = mean["balanced", "plain"] - mean["hard_only", "plain"]
        assert pair["described"][dataset][outcome]["crossed"]["value"] == pytest.approx(described)
        level = found["level"]["balanced"]["described"][dataset][outcome]["crossed"]
        assert level["value"] == pytest.approx(mean["balanced", "plain"]) and "p" not in level
        for cell in ("evidence", "settings", "released"):
            added = mean["balanced", cell] - mean["hard_only", cell] - described
            number = pair[cell][dataset][outcome]["crossed"]
            assert number["value"] == pytest.approx(added)
            assert number["p_holm"] >= number["p"]
            effect = found["effect"]["balanced"][cell][dataset][outcome]["crossed"]
            assert effect["value"] == pytest.approx(
                mean["balanced", cell] - mean["balanced", "plain"]
            )
            assert "p" not in effect
    own = found["own"]["balanced_over_hard_only"]
    assert set(own) == {"settings", "released"}
    differ = [
        means(finished, f"{mixture}_released", "debate", "na_share", own=True)
        for mixture in ("balanced", "hard_only")
    ]
    value = own["released"]["debate"]["na_share"]["crossed"]["value"]
    assert value == pytest.approx(differ[0] - differ[1])


@pytest.mark.parametrize("order", [1, -1])
def test_what_is_subtracted_from_what_does_not_depend_on_the_order_of_arms(order: int) -> None:
    (table,) = tables(with_protocols(arms=dict(list(ARMS.items())[::order]))).values()
    assert list(table) == ["hard_only", "balanced"]


def test_a_reward_decides_what_was_paid_whatever_the_protocol_says() -> None:
    rewards = STUDY.model_dump()["rewards"]
    rewards["published"]["weight_by"] = "gold"
    assert tables(with_protocols(rewards=rewards)) == {}


def test_contamination_is_what_the_own_claims_gain_beyond_the_clean_ones(
    finished: Paths, results: dict[str, Any]
) -> None:
    found = results["protocols"]["published"]["contamination"]
    base, own_base = STUDY.base_runs()
    assert set(found["hard_only"]) == {"settings", "released"}
    assert set(found["hard_only"]["released"]) == {"debate"}  # of few claims
    for cell in ("settings", "released"):
        gains = []
        for own, untrained in ((True, own_base), (False, base)):
            rows = pd.read_parquet(finished.run(untrained) / "predictions.parquet")
            rows = rows[rows["dataset"] == "debate"]
            before = float((rows["predicted"] == rows["gold"]).mean())
            gains.append(
                means(finished, f"hard_only_{cell}", "debate", "accuracy", own=own) - before
            )
        value = found["hard_only"][cell]["debate"]["accuracy"]["crossed"]["value"]
        assert value == pytest.approx(gains[0] - gains[1])


def test_the_released_split_shares_no_claim_with_the_clean_evaluation_set(finished: Paths) -> None:
    run = STUDY.run("hard_only_released", 1)
    assert run.clean_sample == STUDY.base_runs()[0].evaluation_sample
    clean = pd.read_parquet(finished.sample(run.clean_sample))
    for sample in (run.training_sample, run.evaluation_sample):
        other = pd.read_parquet(finished.sample(sample))
        assert not set(other["group"]) & set(clean["group"])
        assert not set(other["claim"].map(normalised)) & set(clean["claim"].map(normalised))


def test_a_released_pool_bounds_what_training_and_evaluation_are_drawn_from(
    finished: Paths,
) -> None:
    runs = [
        STUDY.run(arm, seed)
        for arm in ("hard_only_released", "balanced_released")
        for seed in (0, 1)
    ]
    seen: dict[str, set[str]] = {}
    for sample in {
        s.name: s for run in runs for s in (run.training_sample, run.evaluation_sample)
    }.values():
        rows = pd.read_parquet(finished.sample(sample)).query("dataset == 'debate'")
        for label, ids in rows.groupby("label")["id"]:
            seen.setdefault(str(label), set()).update(ids)
    assert all(len(ids) <= POOL[label] for label, ids in seen.items())
    assert STUDY.run("hard_only_plain").training_sample.pool == {}


def test_a_released_pool_that_is_larger_than_the_dataset_is_refused(tmp_path: Path) -> None:
    datasets = STUDY.model_dump()["datasets"]
    datasets["debate"]["released_pool"] = {**POOL, "FAIL": 100_000}
    with pytest.raises(mixtures.DataError, match=r"debate\.released_pool: FAIL: 100000 examples"):
        mixtures.prepare(with_protocols(datasets=datasets), Paths(tmp_path))


@pytest.mark.parametrize(
    "changes",
    [
        {"datasets": find_study("smoke").model_dump()["datasets"]},  # too few to leave some out
        {"protocol": "as_released", "baseline": "format_released"},  # shares claims itself
    ],
    ids=["not generated", "released study"],
)
def test_an_arm_has_no_clean_sample_where_there_can_be_none(changes: dict[str, Any]) -> None:
    study = with_protocols(**changes)
    assert all(run.clean_sample is None and len(run.answers()) == 1 for run in study.runs())
    assert all(
        cell in ("described", "evidence")
        for table in tables(study).values()
        for cells in table.values()
        for cell in cells
    )


def test_baselines_and_arms_that_answer_the_studys_set_have_no_second_sample() -> None:
    asked = {run.arm for run in STUDY.runs() if len(run.answers()) > 1}
    assert asked == {
        f"{m}_{c}" for m in ("hard_only", "balanced") for c in ("settings", "released")
    }


def test_clean_answers_are_frozen_and_asked_for(
    finished: Paths, results: dict[str, Any], tmp_path: Path
) -> None:
    freeze(STUDY, finished, tmp_path)
    run = STUDY.run("balanced_released", 1)
    file = Paths(tmp_path).run(run) / CLEAN
    assert file.is_file()
    kept = pd.read_parquet(file)
    write_parquet(file, kept.iloc[1:])
    with pytest.raises(CompareError, match=r"clean\.parquet answers other examples than base's"):
        compare(STUDY, Paths(tmp_path))
    file.unlink()
    with pytest.raises(
        CompareError, match=r"lacks balanced_released-s1/clean\.parquet; .*evaluate"
    ):
        compare(STUDY, Paths(tmp_path))
