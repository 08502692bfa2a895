"""Runs of studies: their figures, findings and page, with several baselines or several seeds."""

import copy
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from factmix.report import drawings, findings, markdown, run_pages, sources
from factmix.study.load import find_study
from factmix.study.paths import Paths
from factmix.study.spec import Study
from invented_book import invent_run


def test_run_on_an_invented_dataset_is_not_called_one_on_real_data() -> None:
    committed = sources.committed_results("main")
    run = sources.committed_results("main")
    standing_for_none = run.study.datasets["debate"].model_copy(update={"stands_for": None})
    for name, real in (("boxes", False), ("fever", True)):
        datasets = run.study.datasets | {name: standing_for_none}
        run.__dict__["study"] = run.study.model_copy(update={"datasets": datasets})
        about = run_pages.kind_of_model(run, [committed])
        assert about == {"toy": True, "real_text": real}


Drawn = tuple[sources.Results, dict[str, drawings.Drawing]]


def draw_invented(study: Study, folder: Path) -> Drawn:
    """Invents a run of a study that has no file in studies/, and makes its figures."""
    invent_run(study, Paths(folder / "run"))
    results = sources.read(folder / "run")
    return results, drawings.of_study(results)


def changed(name: str, **content: Any) -> Study:
    """A study of studies/ with other content and few resamples."""
    study = find_study(name)
    content["statistics"] = study.statistics.model_dump() | {"resamples": 50}
    return Study.model_validate(study.model_dump() | content)


@pytest.fixture(scope="module")
def two_protocols(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """A study in which two arms are evaluated in another way, one of them as their baseline."""
    arms = find_study("smoke").model_dump()["arms"]
    for name in ("format_only", "hard_only"):
        arms[f"{name}_released"] = arms[name] | {"protocol": "as_released"}
    return draw_invented(changed("smoke", arms=arms), tmp_path_factory.mktemp("two"))


def test_each_arm_is_compared_with_its_own_baseline_in_a_figure_of_its_own(
    two_protocols: Drawn,
) -> None:
    _, drawn = two_protocols
    apart = {"": {"hard_only", "balanced"}, "-format_only_released": {"hard_only_released"}}
    for suffix, compared in apart.items():
        for name in ("gains", "transfer", "pairs"):
            data = drawn[f"{name}{suffix}"].data
            assert set(data["arm"]) == compared
        own = suffix.removeprefix("-") or "format_only"
        assert f"against {own}: " in drawn[f"gains{suffix}"].words
        for name in ("reward", "shares"):
            data = drawn[f"{name}{suffix}"].data
            assert set(data["arm"]) == compared | {own}
    untrained = drawn["risk-format_only_released"].data["arm"]
    assert "base_as_released" in set(untrained) and "base" not in set(untrained)


def test_findings_name_the_baseline_of_each_part_and_no_gain_over_oneself(
    two_protocols: Drawn,
) -> None:
    results = copy.deepcopy(two_protocols[0])
    text = findings.findings(results)
    first, second = text.split("Compared with `format_only_released`:")
    assert first.startswith("Compared with `format_only`:")
    assert "_released" not in first
    assert "`hard_only`" not in second.split("All arms:")[0]
    rates = results.content["format_rate"]
    for dataset in results.datasets:  # well above any interval of so few examples
        rates["format_only"][dataset]["interval"] = [2.0, 2.0]
    (every,) = [line for line in findings.findings(results).splitlines() if "**Format**" in line][
        :1
    ]
    (of_arm,) = re.findall(r"`hard_only` \(([^)]*)\)", every)
    assert of_arm.split(", ") == [
        f"{dataset} {{num}}`format_rate.hard_only.{dataset}`" for dataset in results.datasets
    ]
    metrics = results.content["metrics"]
    arms = ["format_only_released", "hard_only_released"]
    for dataset in results.datasets:
        best = max(arms, key=lambda arm: metrics[arm][dataset]["balanced_accuracy"]["value"])
        (line,) = [line for line in second.splitlines() if line.startswith(f"- **{dataset}**")]
        assert f"`{best}`" in line
        assert ("no arm has a higher" in line) == (best == "format_only_released")


def test_columns_of_numbers_are_aligned_right_and_those_of_words_left() -> None:
    cells = [
        "F1\u00a0NA",
        "`8e5ba`",
        "p of a test",
        "p\u00a0=\u00a00.1",
        "\u22120.2",
        "**18**",
        "\u2013",
    ]
    text = markdown.table(["1", *"abcdefg"], [["1", *cells]])
    assert text.splitlines()[1] == "| :-- | :-- | :-- | :-- | --: | --: | --: | --: |"
    lines = [" | ".join(row) for row in (["1", *"abcdefg"], ["1", *cells])]
    assert markdown.tabled("\n".join(lines)) == text
    assert markdown.tabled("\n".join(lines), words=True).splitlines()[1].count("--:") == 0


def test_rows_that_have_run_together_are_no_table() -> None:
    with pytest.raises(ValueError, match=r"expected 2 cells below \['a', 'b'\]; got 3"):
        markdown.tabled("a | b\n1 | 23 | 4")


def test_run_page_shows_the_figures_of_every_baseline(two_protocols: Drawn) -> None:
    results, drawn = two_protocols
    page = run_pages.page(results, [results, results], drawn, {})
    shown = re.findall(r"```\{drawn\} run-smoke/(\S+)", page)
    assert set(shown) <= set(drawn) and len(shown) == len(set(shown))
    assert {"gains", "gains-format_only_released", "risk-format_only_released"} <= set(shown)
    assert "`hard_only_released` against `format_only_released` | encyclopedia" in page
    assert "Baseline: `format_only_released`." in page


def test_baseline_without_fellows_has_no_comparison(tmp_path: Path) -> None:
    arms = find_study("smoke").model_dump()["arms"]
    arms["alone"] = arms["hard_only"] | {"protocol": "as_released"}
    results, drawn = draw_invented(changed("smoke", arms=arms), tmp_path)
    assert "gains-alone" not in drawn and "shares-alone" in drawn
    assert "Compared with" not in findings.findings(results)


def test_seeds_are_drawn_where_there_are_several(tmp_path: Path, two_protocols: Drawn) -> None:
    assert "seeds" not in two_protocols[1]
    _, drawn = draw_invented(changed("smoke", seeds=[0, 1, 2]), tmp_path)
    assert "of 3 seeds" in drawn["seeds"].words
    data = drawn["seeds"].data
    assert set(data["seed"]) == {"mean", "0", "1", "2"}
    for _, gains in data.groupby(["arm", "dataset", "metric"]):
        mean = gains[gains["seed"] == "mean"]["value"].item()
        assert gains[gains["seed"] != "mean"]["value"].mean() == pytest.approx(mean, abs=1e-5)


def test_the_page_of_a_run_with_several_seeds_says_which_its_numbers_are_of(
    tmp_path: Path, two_protocols: Drawn
) -> None:
    said = "numbers are of the first, "
    results, drawn = two_protocols
    assert said not in run_pages.page(results, [results], drawn, {})
    results, drawn = draw_invented(changed("smoke", seeds=[1, 2]), tmp_path)
    assert f"{said}1." in run_pages.page(results, [results], drawn, {})


def test_a_run_stands_beside_the_same_arms_and_seed_of_a_committed_study(
    two_protocols: Drawn,
) -> None:
    run, drawn = two_protocols
    content = copy.deepcopy(run.content) | {"study": run.content["study"] | {"name": "larger"}}
    larger = replace(run, content=content)
    assert "The study `larger` has the same arms" in run_pages.page(run, [larger], drawn, {})
    (arm, *_), (dataset, *_) = run.arms, run.datasets
    leaf = content["metrics"][arm][dataset]["balanced_accuracy"]
    here = leaf["value"]
    # a mean over seeds, of which one is that of the run
    leaf |= {"value": 0.0, "by_seed": [here - 0.01, 1.0]}
    content["seeds"] = [run.seed, 7]
    page = run_pages.page(run, [larger], drawn, {})
    of = 2 * len(run.arms) * len(run.datasets)
    assert f"Of {of} metrics, {of - 1} are the same here; the largest difference is 1.0" in page
    first = f"| `{arm}` | {dataset} | {100 * here - 1:.1f} | {100 * here:.1f} |"
    assert first in page
    other = changed("smoke", seeds=[7])
    elsewhere = replace(larger)
    elsewhere.__dict__["study"] = other
    assert "There are no committed results" in run_pages.page(run, [elsewhere], drawn, {})
    assert "has the same arms" not in run_pages.page(run, [elsewhere], drawn, {})
