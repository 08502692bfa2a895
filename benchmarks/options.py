"""The command line that the benchmarks of training have in common."""

import argparse


def options(
    about: str, *, study: str = "its configuration", arm: str | None = None
) -> argparse.ArgumentParser:
    """The options that the benchmarks of training share: --study, --json and perhaps --arm.

    Args:
        about: the docstring of the benchmark, whose first line is shown.
        study: what is taken from the study.
        arm: the default arm; None where the benchmark has no --arm.
    """
    parser = argparse.ArgumentParser(description=about.split("\n")[0])
    parser.add_argument("--study", default="quick", help=f"{study} (%(default)s)")
    if arm:
        parser.add_argument("--arm", default=arm, help="its prompts and reward (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print one object instead of a table")
    return parser
