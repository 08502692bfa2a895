from pathlib import Path

from factmix.report.summary import draw_summary
from factmix.study.paths import Paths
from invented_book import invent_run, smaller


def test_the_summary_is_drawn_for_light_and_for_dark_pages(tmp_path: Path) -> None:
    invent_run(smaller("main"), Paths(tmp_path))
    light, dark = draw_summary(Paths(tmp_path))
    assert light.read_text().lstrip().startswith("<?xml")
    assert "#ffffff" in light.read_text()
    assert "#e6edf3" in dark.read_text()
