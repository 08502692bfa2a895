"""The gains of the committed study beside other ways to test them."""

from factmix.report.sources import committed_results
from factmix.report.tables import of_study
from factmix.results.numbers import NOT_COMPUTED, show


def test_each_gain_stands_beside_its_groups_its_correction_and_the_margin() -> None:
    results = committed_results("main")
    lines = of_study(results)["robustness"].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    content = results.content
    assert len(rows) == len(content["gains"]) * len(results.datasets)
    [row] = [row for row in rows if row[:2] == ["`hard_only`", "encyclopedia"]]
    gain = content["gains"]["hard_only"]["encyclopedia"]["accuracy"]
    grouped = content["across_seeds"]["hard_only"]["encyclopedia"]["accuracy"]["grouped"]
    limits = "[" + ", ".join(f"{100 * each:+.1f}" for each in grouped["interval"]) + "]"
    limits = limits.replace("-", "\N{MINUS SIGN}").replace(", ", ",\N{NO-BREAK SPACE}")
    assert row[2:4] == [show(gain, "cell"), limits]
    assert row[4:] == [show(gain, key) for key in ("p", "p_holm", "p_noninferior")]
    del content["across_seeds"]["hard_only"]  # of one seed
    content["clustered"]["gains"]["hard_only"] = {name: {} for name in results.datasets}
    without = f"| `hard_only` | encyclopedia | {show(gain, 'cell')} | {NOT_COMPUTED} |"
    assert without in of_study(results)["robustness"]
