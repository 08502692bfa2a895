from pathlib import Path

from factmix.report.summary import draw_summary
from factmix.study.load import find_study
from factmix.study.paths import Paths
from invented_book import invent_run


def test_the_summary_is_drawn_for_light_and_for_dark_pages(tmp_path: Path) -> None:
    study = find_study("main")
    few = study.statistics.model_copy(update={"resamples": 200})
    invent_run(study.model_copy(update={"statistics": few}), Paths(tmp_path))
    light, dark = draw_summary(Paths(tmp_path))
    assert light.read_text().lstrip().startswith("<?xml")
    assert "#ffffff" in light.read_text()
    assert "#e6edf3" in dark.read_text()
