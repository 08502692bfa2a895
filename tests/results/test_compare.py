import json
import shutil
from dataclasses import replace
from functools import reduce
from operator import getitem

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests

from factmix.results.answers import (
    CONSTANTS,
    CompareError,
    check_current,
    check_files,
    predictions,
)
from factmix.results.compare import compare
from factmix.results.of_training import TRAJECTORY_METRICS, training_metrics
from factmix.results.results_json import result_key, tidy
from factmix.stats.metrics import contingency
from factmix.study import freshness
from factmix.study.files import (
    DamagedError,
    read_attributes,
    read_record,
    sha256,
    write_parquet,
    write_record,
    write_sealed,
)
from factmix.study.labels import ANSWERS
from factmix.study.load import find_study
from factmix.study.paths import ROOT, Paths
from factmix.training.columns import most_probable

GOLD = ["NA"] * 10 + ["PASS"] * 6 + ["FAIL"] * 4
WRONG = {"NA": "PASS", "PASS": "FAIL", "FAIL": "NA"}
SHARE_RIGHT = {"base": 0.4, "format_only": 0.5, "hard_only": 0.9}  # of the others 0.7


ARMS = ("format_only", "hard_only", "hard_weighted", "balanced", "balanced_accuracy")


def few_resamples():
    """Some arms of the main study with one seed."""
    full = find_study("main")
    fewer = full.statistics.model_copy(update={"resamples": 200})
    arms = {name: full.arms[name] for name in ARMS}
    return full.model_copy(update={"statistics": fewer, "arms": arms, "seeds": [0]})


@pytest.fixture
def study():
    return few_resamples()


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The results of `paths`, for those that only read them."""
    study = few_resamples()
    return compare(study, finished_run(study, tmp_path_factory.mktemp("run")))


def answer_rows(arm, dataset, rng):
    right = rng.random(len(GOLD)) < SHARE_RIGHT.get(arm, 0.7)
    guesses = rng.choice(ANSWERS, len(GOLD))
    predicted = np.where(right, GOLD, guesses)
    chances = rng.dirichlet([1, 1, 1], len(GOLD))
    return pd.DataFrame(
        {
            "arm": arm,
            "seed": 0,
            "dataset": dataset,
            "id": [f"{dataset}-{i:02d}" for i in range(len(GOLD))],
            "group": "g",
            "gold": GOLD,
            "predicted": predicted,
            "p_na": chances[:, 0],
            "p_pass": chances[:, 1],
            "p_fail": chances[:, 2],
            "format_valid": predicted != "INVALID",
        }
    )


def curve(steps):
    """Reward rises from 1 to 2 halfway through, give or take a tenth."""
    step = np.arange(1, steps + 1)
    wobble = np.where(step % 2, 0.1, -0.1)
    return pd.DataFrame(
        {
            "step": step,
            "reward/total": np.where(step <= steps // 2, 1.0, 2.0) + wobble,
            "format_rate": np.where(step <= steps // 2, 0.5, 1.0),
            "kl": step / 100,
            "zero_spread": 0.25,
        }
    )


@pytest.fixture
def paths(study, tmp_path):
    return finished_run(study, tmp_path / "run")


def finished_run(study, folder):
    """A finished run of the study with few and made-up answers."""
    paths = Paths(folder)
    rng = np.random.default_rng(5)
    counts = {"NA": 10, "PASS": 6, "FAIL": 4, "with_evidence": 20, "without_evidence": 0}
    report = {
        "study": study.name,
        "fingerprint": "abc",
        "datasets": {name: {"evaluation": counts} for name in study.datasets},
    }
    write_record(paths.data_report, report)
    for sample in study.training_samples():
        write_parquet(paths.sample(sample), pd.DataFrame({"claim": [sample.mixture]}))
    for arm in ("base", *study.arms):
        folder = paths.base if arm == "base" else paths.arm(arm, 0)
        answers = pd.concat([answer_rows(arm, name, rng) for name in study.datasets])
        shuffled = answers.sample(frac=1, random_state=len(arm))  # order must not matter
        write_parquet(folder / "predictions.parquet", shuffled)
        if arm != "base":
            during = answers.assign(most_probable=most_probable(answers))
            trajectory = pd.concat([during.assign(step=step) for step in (0, 25)])
            write_parquet(folder / "trajectory.parquet", trajectory)
            write_parquet(folder / "metrics.parquet", curve(40))
            rewards = pd.DataFrame({"before": [1.0, 2.0, 3.0], "after": [2.0, 2.5, 4.5]})
            write_parquet(folder / "rewards.parquet", rewards)
            record = {"depends_on": freshness.training(study.run(arm, 0), paths)}
            record |= {"wall_seconds": 12.5, "peak_memory_gb": 1.5}
            write_record(folder / "run.json", record)
    return paths


def numeric_leaves(tree):
    if isinstance(tree, dict) and "value" in tree:
        yield tree
    elif isinstance(tree, dict):
        for branch in tree.values():
            yield from numeric_leaves(branch)


def test_results_have_every_section_and_are_what_the_file_says(study, paths):
    results = compare(study, paths)
    assert json.loads(paths.results.read_text()) == results
    arms = set(study.arms)
    assert set(results["metrics"]) == arms | {"base"} | set(CONSTANTS)
    assert set(results["gains"]) == set(results["mcnemar"]) == arms - {"format_only"} | {"base"}
    for section in ("format_rate", "answer_share", "confusion"):
        assert set(results[section]) == arms | {"base"}
    assert set(results["training"]) == set(results["trajectory"]) == arms
    assert results["seeds"] == [0]
    assert list(results["metrics"]["base"]) == list(study.datasets)


def test_leaves_are_complete_and_values_lie_in_their_intervals(compared):
    found = list(numeric_leaves(compared))
    assert len(found) > 500
    for leaf in found:
        assert {"value", "unit", "n", "run"} <= set(leaf)
        if "interval" in leaf:
            low, high = leaf["interval"]
            assert low <= high
        assert 0 <= leaf.get("p", 0) <= 1


def test_metrics_are_those_of_the_predictions(paths, compared):
    frame = pd.read_parquet(paths.arm("hard_only", 0) / "predictions.parquet")
    debate = frame[frame["dataset"] == "debate"]
    right = debate["gold"] == debate["predicted"]
    of_debate = compared["metrics"]["hard_only"]["debate"]
    assert of_debate["accuracy"]["value"] == pytest.approx(right.mean())
    assert of_debate["recall_na"]["value"] == pytest.approx(right[debate["gold"] == "NA"].mean())
    assert of_debate["accuracy"]["n"] == 20
    assert of_debate["accuracy"]["run"] == "hard_only-s0"
    confusion = compared["confusion"]["hard_only"]["debate"]
    assert confusion == contingency(debate["gold"], debate["predicted"]).tolist()
    rate = compared["format_rate"]["hard_only"]["debate"]["value"]
    assert rate == pytest.approx((debate["predicted"] != "INVALID").mean())


def test_answer_shares_add_up(compared):
    shares = compared["answer_share"]["balanced"]["revision"]
    assert list(shares) == list(ANSWERS)
    assert sum(leaf["value"] for leaf in shares.values()) == pytest.approx(1)


def test_constant_answers_score_by_the_labels_alone(compared):
    metrics = compared["metrics"]
    always_na, always_pass = (metrics[name]["encyclopedia"] for name in CONSTANTS)
    assert always_na["accuracy"]["value"] == 0.5
    assert always_na["f1_na"]["value"] == pytest.approx(2 * 10 / (10 + 20))
    assert always_pass["accuracy"]["value"] == pytest.approx(0.3)
    assert always_pass["balanced_accuracy"]["value"] == pytest.approx(1 / 3)
    assert "interval" not in always_na["accuracy"]


def test_gains_and_mcnemar_pair_the_arm_with_the_baseline_by_id(paths, compared):
    right = {
        arm: (frame := pd.read_parquet(paths.arm(arm, 0) / "predictions.parquet"))
        .assign(right=frame["gold"] == frame["predicted"])
        .query("dataset == 'revision'")
        .set_index("id")["right"]
        .sort_index()
        for arm in ("format_only", "hard_only")
    }
    first, second = right["format_only"], right["hard_only"]
    gain = compared["gains"]["hard_only"]["revision"]["accuracy"]
    assert gain["value"] == pytest.approx(second.mean() - first.mean())
    assert gain["value"] > 0
    assert gain["interval"][0] <= gain["value"] <= gain["interval"][1]
    assert gain["unit"] == "points"
    test = compared["mcnemar"]["hard_only"]["revision"]
    assert test["fixed"]["value"] == (~first & second).sum()
    assert test["broken"]["value"] == (first & ~second).sum()


def test_every_p_value_stands_beside_its_correction_over_the_family(compared):
    gains = tidy(compared["gains"], ["arm", "dataset", "metric"])
    family = gains[gains["metric"] == "accuracy"]
    corrected = [
        compared["gains"][arm][dataset]["accuracy"]["p_holm"]
        for arm, dataset in zip(family["arm"], family["dataset"], strict=True)
    ]
    assert corrected == pytest.approx(multipletests(family["p"], method="holm")[1].tolist())
    exact = compared["mcnemar"]["hard_only"]["debate"]["p"]
    assert exact["p_holm"] >= exact["p"] == exact["value"]
    assert all("p_holm" not in leaf for leaf in numeric_leaves(compared["metrics"]))


def test_losing_less_than_the_margin_is_tested(study, paths, compared):
    gain = compared["gains"]["hard_only"]["debate"]["accuracy"]
    assert gain["interval"][0] > -study.statistics.margin
    assert gain["p_noninferior"] < 0.025
    without = study.statistics.model_copy(update={"margin": None})
    results = compare(study.model_copy(update={"statistics": without}), paths)
    assert "p_noninferior" not in results["gains"]["hard_only"]["debate"]["accuracy"]


def test_groups_are_resampled_where_they_repeat_and_are_enough(study, paths, compared):
    few = compared["clustered"]["gains"]["hard_only"]["debate"]
    assert few == {}  # all examples are of one group
    for folder in (paths.base, *(paths.arm(arm, 0) for arm in study.arms)):
        frame = pd.read_parquet(folder / "predictions.parquet")
        more = pd.concat([frame, frame.assign(id=frame["id"] + "-again")])
        more["group"] = more["id"].str.removesuffix("-again")
        write_parquet(folder / "predictions.parquet", more)
    results = compare(study, paths)
    clustered = results["clustered"]["gains"]["hard_only"]["debate"]["accuracy"]
    plain = results["gains"]["hard_only"]["debate"]["accuracy"]
    assert clustered["value"] == pytest.approx(plain["value"])
    assert np.subtract(*clustered["interval"]) < np.subtract(*plain["interval"])  # it is wider
    assert results["clustered"]["metrics"]["base"]["debate"]["accuracy"]["n"] == 40


def sizes_by_metric(metrics):
    return {name: metrics[name]["n"] for name in ("accuracy", "macro_f1", "recall_na")}


def test_every_n_is_of_what_the_number_is_a_share_of(study, paths, compared):
    many, of_na = len(GOLD), GOLD.count("NA")
    expected = {"accuracy": many, "macro_f1": many, "recall_na": of_na}
    for section in ("metrics", "gains"):
        assert sizes_by_metric(compared[section]["balanced"]["debate"]) == expected
    contrast = compared["contrasts"]["reward"]["balanced_accuracy_over_balanced"]["debate"]
    assert sizes_by_metric(contrast) == expected
    assert contrast["recall_fail"]["n"] == GOLD.count("FAIL")
    during = compared["trajectory"]["balanced"]["debate"]["step_25"]
    assert (during["balanced_accuracy"]["n"], during["recall_pass"]["n"]) == (
        many,
        GOLD.count("PASS"),
    )
    tested = compared["mcnemar"]["balanced"]["debate"]
    discordant = tested["fixed"]["value"] + tested["broken"]["value"]
    assert 0 < discordant < many
    assert [tested[name]["n"] for name in ("fixed", "p", "mid_p")] == [many, discordant, discordant]
    # p(NA) has no ties, so exactly so many are answered
    known = compared["awareness"]["balanced"]["debate"]
    risks = {name: known[name]["n"] for name in known if name.startswith("risk_at_")}
    assert risks == {f"risk_at_{share}": -(-many * share // 100) for share in (10, 25, 50, 75, 100)}
    assert known["auroc_na"]["n"] == many


def test_p_values_at_the_floor_of_the_resamples_are_marked(study, paths):
    for arm in study.arms:
        file = paths.arm(arm, 0) / "predictions.parquet"
        frame = pd.read_parquet(file)
        right = arm == "hard_only"
        frame["predicted"] = frame["gold"] if right else frame["gold"].map(WRONG)
        write_parquet(file, frame)
    results = compare(study, paths)
    always = results["gains"]["hard_only"]["debate"]["accuracy"]
    floor = 2 / (study.statistics.resamples + 1)
    assert always["p"] == pytest.approx(floor)
    assert always["at_floor"] == ["p", "p_noninferior", "p_holm"]
    tests = [of["accuracy"] for arm in results["gains"].values() for of in arm.values()]
    assert always["p_holm"] == pytest.approx(len(tests) * floor)
    never = results["gains"]["balanced"]["debate"]["accuracy"]
    assert never["p"] == never["p_holm"] == 1
    assert never["at_floor"] == ["p_noninferior"]


def test_label_probabilities_are_measured(paths, compared):
    known = compared["awareness"]["balanced"]["revision"]
    frame = pd.read_parquet(paths.arm("balanced", 0) / "predictions.parquet")
    frame = frame[frame["dataset"] == "revision"]
    expected = roc_auc_score(frame["gold"] == "NA", frame["p_na"])
    assert known["auroc_na"]["value"] == pytest.approx(expected)
    low, high = known["auroc_na"]["interval"]
    assert low <= expected <= high
    assert sum(each["accuracy"]["n"] for each in known["reliability"].values()) == len(GOLD)


def _at(tree, *path):
    return reduce(getitem, path, tree)


def test_the_warm_start_is_among_the_commands_that_make_what_is_missing(tmp_path):
    study, there = find_study("smollm2"), Paths(tmp_path)
    with pytest.raises(
        CompareError, match=r"lacks data/report\.json, warm_start/run\.json, base"
    ) as no:
        check_files(study, there)
    steps = ["data smollm2", "warm-start smollm2", "evaluate smollm2 base", "train smollm2 format"]
    said = str(no.value)
    places = [said.index(f"factmix {step}") for step in steps]
    assert places == sorted(places)
    # committed results have no warm start, and need none
    check_files(study, Paths(ROOT / "results" / "smollm2"))


def test_several_seeds_are_summarised_for_other_seeds_and_examples(study, paths):
    two = study.model_copy(update={"seeds": [0, 1]})
    for sample in two.training_samples():
        write_parquet(paths.sample(sample), pd.DataFrame({"claim": [sample.mixture]}))
    with pytest.raises(CompareError, match="factmix evaluate main hard_only --seed 1"):
        compare(two, paths)
    for arm in study.arms:
        frame = pd.read_parquet(paths.arm(arm, 0) / "predictions.parquet")
        if arm == "hard_only":
            frame["predicted"] = frame["gold"]
        write_parquet(paths.arm(arm, 1) / "predictions.parquet", frame)
        for name in ("trajectory.parquet", "metrics.parquet", "rewards.parquet"):
            shutil.copy(paths.arm(arm, 0) / name, paths.arm(arm, 1) / name)
        record = {"depends_on": freshness.training(two.run(arm, 1), paths)}
        write_record(paths.arm(arm, 1) / "run.json", record)
    answered = pd.read_parquet(paths.arm("hard_only", 1) / "trajectory.parquet")
    later = answered["step"] > 0
    answered.loc[later, "predicted"] = answered.loc[later, "gold"]
    write_parquet(paths.arm("hard_only", 1) / "trajectory.parquet", answered)
    once = compare(study, paths)
    results = compare(two, paths)
    first = once["gains"]["hard_only"]["debate"]["accuracy"]["value"]
    second = 1 - once["metrics"]["format_only"]["debate"]["accuracy"]["value"]
    # what is said without a seed is said of all
    gain = results["gains"]["hard_only"]["debate"]["accuracy"]
    assert gain["value"] == pytest.approx((first + second) / 2)
    assert gain["n"] == 2
    assert gain["by_seed"] == pytest.approx([first, second])
    assert gain["interval"][0] < gain["value"]
    spread = results["across_seeds"]["hard_only"]["debate"]["accuracy"]
    assert spread["seed_variance"]["value"] == pytest.approx((first - second) ** 2 / 4)
    assert spread["grouped"]["value"] == gain["value"]
    assert "format_only" not in results["across_seeds"]
    tested = results["contrasts"]["mixture"]["hard_weighted_over_hard_only"]["debate"]["accuracy"]
    of_arms = [
        results["gains"][arm]["debate"]["accuracy"]["by_seed"]
        for arm in ("hard_weighted", "hard_only")
    ]
    assert tested["by_seed"] == pytest.approx(np.subtract(*of_arms).tolist())
    assert tested["p"] < tested["p_holm"] <= 1
    of_arm = results["metrics"]["hard_only"]["debate"]["accuracy"]
    right = once["metrics"]["hard_only"]["debate"]["accuracy"]["value"]
    assert of_arm["value"] == pytest.approx((right + 1) / 2) and of_arm["unit"] == "fraction"
    assert of_arm["n"] == 2 and "p" not in of_arm
    split = results["learning"]["hard_only"]["debate"]
    assert split["learning"]["n"] == 2 and len(split["learning"]["by_seed"]) == 2
    at = "hard_only", "debate", "step_25", "balanced_accuracy"
    mean, alone = (_at(each["trajectory"], *at) for each in (results, once))
    assert mean["value"] == pytest.approx((alone["value"] + 1) / 2)
    assert mean["n"] == 2 and set(mean) == {"value", "unit", "n", "run", "interval"}
    change, of_first = (_at(each["dose"], *at) for each in (results, once))
    start = _at(once["trajectory"], *at[:2], "step_0", at[3])["value"]
    assert change["value"] == pytest.approx((of_first["value"] + 1 - start) / 2)
    assert change["unit"] == "points" and "p" not in change
    prompts = [_at(each["dose"], *at[:3], "prompts")["value"] for each in (results, once)]
    assert prompts[0] == prompts[1] > 0
    total = split["before"]["value"] + split["total"]["value"]
    assert split["after"]["value"] == pytest.approx(total)


def test_moved_thresholds_of_an_arm_are_no_learning(study, paths):
    names = ["p_na", "p_pass", "p_fail"]
    by = ["dataset", "id"]
    base = pd.read_parquet(paths.root / "base" / "predictions.parquet").set_index(by)
    folder = paths.arm("hard_only", 0)
    kept = read_attributes(folder / "predictions.parquet")
    frame = pd.read_parquet(folder / "predictions.parquet")
    moved = base.loc[pd.MultiIndex.from_frame(frame[by]), names].to_numpy() * [1.0, 3.0, 0.5]
    frame[names] = moved / moved.sum(axis=1, keepdims=True)
    write_parquet(folder / "predictions.parquet", frame, **kept)
    results = compare(study, paths)
    split = results["learning"]["hard_only"]["revision"]
    assert split["learning"]["value"] == 0 and split["agreement"]["value"] == 1
    assert split["total"]["value"] == split["shift"]["value"] != 0
    # constants with the same answers: between the examples next to the thresholds
    assert split["constants"]["PASS"]["value"] == pytest.approx(np.log(3), abs=0.5)
    assert split["rank_correlation"]["value"] == pytest.approx(1)
    assert split["auroc_pass_fail"]["value"] == pytest.approx(0)
    assert 0 < split["shift"]["p"] <= split["shift"]["p_holm"]
    assert split["shift"]["run"] == "hard_only-s0"


def test_changes_stand_beside_the_prompts_of_the_dataset(study, paths):
    results = compare(study, paths)
    dose, trajectory = results["dose"]["hard_only"], results["trajectory"]["hard_only"]
    assert list(dose) == ["encyclopedia", "revision", "debate", "dispatch"]
    steps = sorted(int(name.removeprefix("step_")) for name in trajectory["revision"])
    for step in steps[1:]:
        at = f"step_{step}"
        assert dose["encyclopedia"][at]["prompts"]["value"] == 0
        half = step * study.training.prompts_per_step / 2  # of two datasets of one size
        assert dose["revision"][at]["prompts"]["value"] == half
        first, now = (trajectory["revision"][f"step_{s}"]["recall_na"] for s in (steps[0], step))
        gain = now["value"] - first["value"]
        assert dose["revision"][at]["recall_na"]["value"] == pytest.approx(gain)


def test_arms_that_differ_in_one_setting_are_contrasted(study, paths):
    results = compare(study, paths)
    contrasts = results["contrasts"]
    assert {setting: list(pairs) for setting, pairs in contrasts.items()} == {
        "mixture": [
            "hard_weighted_over_hard_only",
            "balanced_over_hard_only",
            "balanced_over_hard_weighted",
        ],
        "reward": ["balanced_accuracy_over_balanced"],
    }
    found = contrasts["reward"]["balanced_accuracy_over_balanced"]["debate"]["accuracy"]
    right = [results["metrics"][arm]["debate"]["accuracy"]["value"] for arm in study.arms]
    assert found["value"] == pytest.approx(right[-1] - right[-2])
    assert found["interval"][0] <= found["value"] <= found["interval"][1]
    tests = {
        (pair, dataset): metrics["accuracy"]
        for pairs in contrasts.values()
        for pair, datasets in pairs.items()
        for dataset, metrics in datasets.items()
    }
    _, corrected, *_ = multipletests([leaf["p"] for leaf in tests.values()], method="holm")
    assert [leaf["p_holm"] for leaf in tests.values()] == pytest.approx(corrected.tolist())


def test_training_summarises_its_ends_and_the_rewards_before_and_after(compared):
    training = compared["training"]["balanced"]
    assert training["reward_start"]["value"] == pytest.approx(1)
    assert training["reward_end"]["value"] == pytest.approx(2)
    assert training["reward_before"]["value"] == pytest.approx(2)
    assert training["reward_after"]["value"] == pytest.approx(3)
    gain = training["reward_gain"]
    assert gain["value"] == pytest.approx(1) and gain["n"] == 3
    # of the differences 1, 0.5 and 1.5, with a standard error of 0.5 / sqrt(3)
    assert gain["interval"] == pytest.approx([1 - 4.302653 / 12**0.5, 1 + 4.302653 / 12**0.5])
    assert training["format_rate_end"]["value"] == 1
    assert training["kl_end"]["value"] == pytest.approx(np.mean(range(21, 41)) / 100)  # of 40 steps
    assert training["zero_spread_mean"] == {
        "value": 0.25,
        "unit": "fraction",
        "n": 40,
        "run": "balanced-s0",
    }
    assert training["seconds"]["value"] == 12.5
    assert training["peak_memory_gb"]["unit"] == "GiB"


def test_windows_of_a_short_run_do_not_overlap(study, paths):
    write_parquet(paths.arm("balanced", 0) / "metrics.parquet", curve(2))
    training = compare(study, paths)["training"]["balanced"]
    assert training["reward_start"]["value"] == pytest.approx(1.1)
    assert training["reward_end"]["value"] == pytest.approx(1.9)
    assert training["reward_end"]["n"] == 1


def test_numbers_do_not_depend_on_the_order_of_rows_or_on_other_arms(study, paths):
    before = compare(study, paths)
    file = paths.arm("hard_only", 0) / "predictions.parquet"
    write_parquet(file, pd.read_parquet(file).sample(frac=1, random_state=3))
    without = study.model_copy(
        update={"arms": {name: arm for name, arm in study.arms.items() if name != "balanced"}}
    )
    after = compare(without, paths)
    for leaf in (*numeric_leaves(before["gains"]), *numeric_leaves(after["gains"])):
        leaf.pop("p_holm")  # by its nature it depends on how many arms are tested
    assert after["gains"]["hard_only"] == before["gains"]["hard_only"]
    assert "balanced" not in after["metrics"]


def test_files_that_were_changed_by_hand_are_refused(study, paths):
    folder = paths.arm("hard_only", 0)
    record, curve, answers = (
        folder / name for name in ("run.json", "metrics.parquet", "predictions.parquet")
    )
    sums = {"metrics.parquet": sha256(curve), "adapter/adapter_model.safetensors": "of a file"}
    write_record(record, read_record(record) | {"files_sha256": sums})
    write_sealed(answers, pd.read_parquet(answers))
    compare(study, paths)  # a frozen copy has no adapter
    for file, change, message in (
        (curve, lambda: curve.write_bytes(curve.read_bytes()[:-9]), "was changed after the train"),
        (record, lambda: record.write_text(record.read_text().replace("12.5", "2.5")), "changed"),
        (answers, lambda: answers.write_bytes(answers.read_bytes()[:-9]), "cannot be read as Parq"),
        (
            answers,
            lambda: pd.read_parquet(answers).assign(predicted="NA").to_parquet(answers),
            "its rows were changed after it was written",
        ),
    ):
        before = file.read_bytes()
        change()
        with pytest.raises((CompareError, DamagedError), match=rf"{file.name}.* {message}"):
            compare(study, paths)
        file.write_bytes(before)
    compare(study, paths)


def test_everything_missing_is_named_at_once_with_the_commands(study, paths):
    (paths.arm("hard_only", 0) / "predictions.parquet").unlink()
    (paths.arm("balanced", 0) / "run.json").unlink()
    (paths.base / "predictions.parquet").unlink()
    with pytest.raises(CompareError) as error:
        compare(study, paths)
    message = str(error.value)
    assert "hard_only-s0/predictions.parquet" in message
    assert "factmix evaluate main hard_only --seed 0" in message
    assert "factmix train main balanced --seed 0" in message
    assert "factmix evaluate main base" in message
    assert "\n" not in message
    assert not paths.results.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.iloc[1:], "answers other examples than format_only's"),
        (lambda frame: pd.concat([frame, frame.head(1)]), "answers other examples"),
        (lambda frame: frame.assign(gold="NA"), "has other gold labels than format_only's"),
    ],
)
def test_answers_that_cannot_be_paired_are_refused(study, paths, change, message):
    file = paths.arm("hard_only", 0) / "predictions.parquet"
    write_parquet(file, change(pd.read_parquet(file)))
    with pytest.raises(CompareError, match=message) as error:
        compare(study, paths)
    assert str(file) in str(error.value)


def test_a_dataset_without_answers_is_refused(study, paths):
    file = paths.arm(study.baseline, 0) / "predictions.parquet"
    write_parquet(file, pd.read_parquet(file).query("dataset != 'debate'"))
    with pytest.raises(CompareError, match="has no answers to debate"):
        compare(study, paths)


def test_an_arm_trained_on_another_sample_is_refused(study, paths):
    write_parquet(paths.data / "train-hard_only-s0.parquet", pd.DataFrame({"claim": ["another"]}))
    problem = r"hard_only-s0/run\.json is not current: training_sample is another"
    with pytest.raises(CompareError, match=problem):
        compare(study, paths)


def test_answers_from_during_training_under_other_settings_are_used_and_said(study, paths, capsys):
    run = study.run("hard_only", 0)
    write_parquet(paths.sample(run.evaluation_sample), pd.DataFrame({"claim": ["one"]}))
    file = paths.run(run) / "trajectory.parquet"
    frame = pd.read_parquet(file)
    frame.attrs["depends_on"] = freshness.trajectory(run, paths)
    frame.attrs["depends_on"]["settings"]["trajectory_steps"] = [0, 99]
    write_parquet(file, frame)
    assert compare(study, paths)["trajectory"]["hard_only"]
    assert "trajectory_steps was [0, 99] and is" in capsys.readouterr().err
    of_seeds = [run, replace(run, seed=1)]  # of which statements rest on these answers
    with pytest.raises(CompareError, match=r"trajectory_steps was .* rest on it: move .*hard_only"):
        check_current(of_seeds, paths)


def test_data_counts_are_leaves_in_the_report_s_nesting(compared):
    data = compared["data"]
    assert data["datasets"]["debate"]["evaluation"]["NA"]["value"] == 10
    assert data["datasets"]["debate"]["evaluation"]["NA"]["unit"] == "count"
    assert "fingerprint" not in data and "depends_on" not in data


def test_predictions_of_before_there_were_kinds_are_read_with_empty_ones(study, paths):
    assert set(predictions(study, paths)["kind"]) == {""}
    file = paths.base / "predictions.parquet"
    write_parquet(file, pd.read_parquet(file).assign(kind="plain"))
    kinds = predictions(study, paths).groupby("arm")["kind"].first()
    assert kinds["base"] == "plain" and kinds["hard_only"] == ""


def test_trajectory_becomes_a_tidy_table_with_integer_steps(study, paths):
    results = compare(study, paths)
    frame = tidy(results["trajectory"], ["arm", "dataset", "step", "metric"])
    assert sorted(frame["step"].unique()) == [0, 25]
    assert len(frame) == len(study.arms) * len(study.datasets) * 2 * len(TRAJECTORY_METRICS)
    end = frame.query("arm == 'balanced' and dataset == 'debate' and step == 25")
    accuracy = end.set_index("metric").loc["accuracy"]
    assert accuracy["value"] == results["metrics"]["balanced"]["debate"]["accuracy"]["value"]
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    assert np.isnan(accuracy["p"])


def test_keys_hold_no_dots():
    assert result_key("climate-fever.v1") == "climate_fever_v1"


def test_training_metrics_are_named_by_arm_and_seed(study, paths):
    write_parquet(paths.arm("balanced", 1) / "metrics.parquet", curve(4))
    two_seeds = study.model_copy(update={"seeds": [0, 1]})
    frame = training_metrics(two_seeds, paths)
    assert list(frame.columns[:3]) == ["arm", "seed", "step"]
    assert frame.groupby(["arm", "seed"]).size()["balanced"].tolist() == [40, 4]
    assert list(dict.fromkeys(frame["arm"])) == list(study.arms)


def test_training_metrics_of_nothing_name_the_command(study, tmp_path):
    with pytest.raises(CompareError, match="factmix train main format_only --seed 0"):
        training_metrics(study, Paths(tmp_path))
