"""The benchmarks page: what was measured, and on which machine."""

from pathlib import Path

import pytest

from factmix.report import benchmarks
from factmix.report.drawings import images
from factmix.report.sources import SourceError
from factmix.study.files import write_json

MEASURED = {
    "evaluate": {"ratio": 4.44, "reading_ratio": 1.25},
    "group_size": {"cost_8_to_32": 1.9, "step_seconds": {"8": 0.52, "2": 0.4}},
    "prompt_length": {"sampling_and_backward_ratio": {"60": 5.2, "500": 14.93}},
    "study": {"minutes": 9.876, "phases": {"data": {"seconds": 5.4}, "base": {"seconds": 41}}},
    "curves": {
        "reward_gap": -0.00234,
        "reward_gap_error": 0.0026,
        "rewards": {"stock": [0.1, 0.62], "ours": [0.2, 0.51]},
    },
}


def write_measurements(folder: Path) -> None:
    for name, result in MEASURED.items():
        command = f"python benchmarks/{name}.py --json"
        about = {"command": command, "machine": "two cores", "measured": "2026-01-02"}
        write_json(folder / f"{name}.json", about | {"result": result})


def test_benchmarks_page_shows_numbers_and_figures_with_their_machine(tmp_path: Path) -> None:
    write_measurements(tmp_path)
    measured = benchmarks.read(tmp_path)
    text = benchmarks.page(measured)
    for name in MEASURED:
        assert f"two cores, 2026-01-02: `python benchmarks/{name}.py --json`" in text
    for row in (
        f"{benchmarks.NAMES['ratio']} | 4.44",
        f"{benchmarks.NAMES['step_seconds']}, 8 completions per prompt | 0.52",
        f"{benchmarks.NAMES['sampling_and_backward_ratio']}, 500 prompt tokens | 14.9",
        "the study's compute, minutes | 9.88",
        "`base`, seconds | 41",
        f"{benchmarks.NAMES['reward_gap']} | \u22120.00234",
    ):
        assert f"| {row} |" in text
    assert benchmarks.TITLES["grpo_step"] not in text  # it was not measured
    drawn = benchmarks.drawings(measured)
    assert list(drawn) == ["group_size", "prompt_length", "study", "curves"]
    assert "2 training steps" in drawn["curves"].words
    assert "\u22120.00234 on average, standard error 0.0026." in drawn["curves"].words
    assert "0.62" not in text  # of single steps there is only the figure
    assert all(f"{{drawn}} speed/{name}\n" in text for name in drawn)
    assert "two cores: 0.4 for 2, 0.52 for 8." in drawn["group_size"].words
    assert "two cores; the longest is base with 41" in drawn["study"].words
    assert "speed/study-dark.svg" in images({"study": drawn["study"]}, "speed")
    write_json(tmp_path / "study.json", {"result": {}})
    with pytest.raises(SourceError, match=r"study\.json: the key 'machine' is missing"):
        benchmarks.read(tmp_path)


def test_parts_of_a_step_stand_beside_those_of_an_earlier_trainer(tmp_path: Path) -> None:
    about = {"machine": "two cores", "measured": "2026-01-02"}
    few, most = {"reading": 0.06, "the whole step": 0.2}, {"reading": 0.05, "the whole step": 0.18}
    for name, slower in (("parts", 1), ("parts_before", 2)):
        result = {"parts_few": few, "parts_most": {part: slower * x for part, x in most.items()}}
        if slower == 2:
            result["parts_most"]["scoring"] = 0.01
        write_json(tmp_path / f"{name}.json", {**about, "command": name, "result": result})
    measured = benchmarks.read(tmp_path)
    text = benchmarks.page(measured)
    assert "| the whole step | 200 | 200 | 360 | 180 |\n| reading | 60 | 60 | 100 | 50 |" in text
    assert "| scoring | none | none | 10 | none |" in text
    assert "Before, on two cores, 2026-01-02: `parts_before`" in text and text.count("## ") == 1
    (tmp_path / "parts_before.json").unlink()
    assert "parts_most" in benchmarks.page(benchmarks.read(tmp_path))
