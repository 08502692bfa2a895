"""The tables of the page that checks the statistics by simulation."""

from pathlib import Path

from factmix_book.published_study import benchmarks
from factmix_book.sources import write_if_changed
from factmix_book.tables import markdown

KINDS = {
    "stratified": "stratified, percentile",
    "stratified_bca": "stratified, BCa",
    "plain": "plain, percentile",
    "clustered": "clustered, groups resampled",
    "clustered_ignored": "clustered, groups ignored",
}
TESTS = {
    "bootstrap": "paired bootstrap",
    "bootstrap_clustered": "cluster bootstrap (clustered data)",
    "noninferiority": "non-inferiority, paired bootstrap",
    "mcnemar": "McNemar, exact",
    "mid_p": "McNemar, mid-p",
    "shift": "Stuart-Maxwell",
}


def write(into: Path) -> set[Path]:
    """Writes every table; returns the files."""
    made = {"coverage": coverage(), "type-one": type_one(), "benchmark-commands": commands()}
    return {write_if_changed(into / f"{name}.md", text) for name, text in made.items()}


def coverage() -> str:
    """How often 95 % intervals hold the truth, in percent."""
    found = benchmarks()["coverage"]["coverage"]
    return markdown(
        ["percent of intervals that hold the truth", "accuracy", "macro F1"],
        [
            [words, *(f"{100 * found[kind][m]:.1f}" for m in ("accuracy", "macro_f1"))]
            for kind, words in KINDS.items()
        ],
    )


def type_one() -> str:
    """How often tests reject what is true, in percent."""
    found = benchmarks()["coverage"]["type_one"]
    levels = ("0.01", "0.05")
    return markdown(
        ["percent of rejections of what is true", "level 1 %", "level 5 %"],
        [
            [words, *(f"{100 * found[test][at]:.2f}" for at in levels)]
            for test, words in TESTS.items()
        ],
    )


def commands() -> str:
    """How the benchmarks of the statistics were run."""
    found = benchmarks()
    lines = [found[name]["command"] for name in ("bootstrap", "coverage")]
    return "```bash\n" + "".join(f"{line}\n" for line in lines) + "```\n"
