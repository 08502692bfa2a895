import dataclasses
import json

import numpy as np
import pytest

from factmix.data.fetch import SourceError, fetch
from factmix.data.sources import SOURCES
from factmix.published import recomputed, released
from factmix.published.released import SYSTEMS, PublishedError
from factmix.stats.metrics import gains, metrics


@pytest.fixture(scope="module")
def derived():
    return recomputed.load()


@pytest.fixture(scope="module")
def table(derived):
    return recomputed.gains_table(derived, resamples=200)


def test_what_is_committed_follows_from_the_released_files(mirror, derived):
    printed = released.read_printed(mirror / "published" / "blog_gains.csv")
    assert released.derive(fetch, printed) == derived


def test_freezing_writes_what_is_derived(mirror, derived, tmp_path):
    assert json.loads(recomputed.freeze(tmp_path).read_text()) == derived


def test_every_gain_that_the_blog_prints_reproduces(table):
    assert len(table) == 36
    assert table["reproduces"].all()
    n = table.groupby(["dataset", "metric"])["n"].unique().map(list)
    assert n.xs("accuracy", level="metric").to_dict() == {
        "climatefever": [951],
        "fever": [988],
        "vitaminc": [990],
    }
    assert n.xs("recall_na", level="metric").to_dict() == {
        "climatefever": [473],
        "fever": [500],
        "vitaminc": [493],
    }


def test_a_p_at_the_floor_of_the_resamples_is_printed_as_a_bound(table):
    row = table.set_index(["mixture", "dataset", "metric"]).loc[
        "hard_weighted", "fever", "accuracy"
    ]
    assert row["p"] == pytest.approx(2 / 201) and row["at_floor"] == ["p", "p_holm"]
    line = next(
        line
        for line in recomputed.as_text(table).splitlines()
        if line.startswith("hard_weighted  FEVER         accuracy")
    )
    assert line.endswith("< 0.01     < 0.36")


def test_the_accuracies_behind_one_gain(derived):
    valid = recomputed.drop_invalid(
        recomputed.counts_of(derived, "control", "hard_weighted", "fever")
    )
    assert metrics(valid.sum(axis=2))["accuracy"] == pytest.approx(0.7591, abs=5e-5)
    assert metrics(valid.sum(axis=1))["accuracy"] == pytest.approx(0.9433, abs=5e-5)


def test_a_printed_value_that_does_not_reproduce_is_said(derived, table):
    changed = json.loads(json.dumps(derived))
    changed["printed"]["balanced"]["fever"]["accuracy"] += 0.002
    off = recomputed.gains_table(changed, resamples=20)
    assert off[~off["reproduces"]][["mixture", "metric"]].to_numpy().tolist() == [
        ["balanced", "accuracy"]
    ]
    assert "35 of 36 reproduce" in recomputed.as_text(off)
    assert "36 of 36 reproduce" in recomputed.as_text(table)


def test_systems_can_be_asked_for_in_either_order(derived):
    there = recomputed.counts_of(derived, "hard_weighted", "balanced", "vitaminc")
    back = recomputed.counts_of(derived, "balanced", "hard_weighted", "vitaminc")
    assert (there == back.transpose(0, 2, 1)).all()
    assert there.sum(axis=(1, 2)).tolist() == [500, 250, 250]


def test_the_report_has_every_system_dataset_and_the_constant_answers(derived):
    report = recomputed.report(derived, resamples=20)
    assert set(report["metrics"]) == {*SYSTEMS, "always_na", "always_pass"}
    assert report["metrics"]["always_na"]["fever"]["accuracy"]["value"] == 0.5
    assert report["metrics"]["balanced"]["vitaminc"]["accuracy"]["value"] == pytest.approx(0.497)
    assert np.sum(report["confusion"]["hard_only"]["climatefever"]) == 1000
    test = report["mcnemar"]["hard_weighted"]["fever"]
    counts = recomputed.counts_of(derived, "control", "hard_weighted", "fever")
    gain = gains(counts)["accuracy"]
    assert test["fixed"] - test["broken"] == pytest.approx(1000 * gain)
    json.dumps(report, allow_nan=False)


def test_curves_keep_what_the_logs_show(derived):
    hard_only = derived["curves"]["hard_only"]
    explore = hard_only["logged"]["reward/r_explore"]
    assert hard_only["steps"] == 200
    assert explore["least"] == explore["greatest"] == 0
    assert derived["curves"]["balanced"]["steps"] == 51
    assert len(derived["curves"]["control"]["logged"]["accuracy"]["windows"]) == 10


def test_without_a_mirror_the_files_are_fetched_and_the_printed_gains_kept(
    mirror, derived, tmp_path, monkeypatch, capsys
):
    fetched = []

    def found(name):
        fetched.append(name)
        return mirror / ("climate-fever.jsonl" if name == "climate_fever" else f"{name}.json")

    monkeypatch.setattr("factmix.data.fetch.fetch", found)
    monkeypatch.delenv("FACTMIX_MIRROR")
    assert json.loads(recomputed.freeze(tmp_path).read_text()) == derived
    assert set(fetched) <= set(SOURCES) and len(set(fetched)) == 17
    assert "no table of the gains that the blog prints; kept" in capsys.readouterr().err


def test_a_file_that_cannot_be_had_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("FACTMIX_MIRROR", raising=False)
    monkeypatch.setenv("FACTMIX_CACHE", str(tmp_path))
    unreachable = dataclasses.replace(
        SOURCES["published/control/fever"], url="http://127.0.0.1:1/fever.json"
    )
    monkeypatch.setitem(SOURCES, "published/control/fever", unreachable)
    with pytest.raises(SourceError, match="published/control/fever: "):
        recomputed.freeze(tmp_path / "results")
    assert not (tmp_path / "results").exists()
    with pytest.raises(PublishedError, match="factmix published --freeze"):
        recomputed.load(tmp_path)
