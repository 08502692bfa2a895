"""Cost of the computing steps of `make study`: wall time and peak memory of each phase.

Runs the computing steps of the Snakefile with the same commands, one after another, each in its own
process. Set-up, pages and book are left out. The results go to a temporary folder, or to the folder
in FACTMIX_RUNS (to compare them with the committed ones: factmix rerun-diff). The time of a step
includes starting Python; for `train` the table also has the time in run.json, which does not.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from factmix.study.files import peak_memory_gb
from factmix.study.load import find_study
from factmix.study.paths import ROOT, Paths, folder_in
from factmix.study.spec import Study
from options import options
from timing import machine, progress, report, table


def phases_of(study: Study, arms: list[str]) -> dict[str, list[str]]:
    """Arguments of `factmix` by the name of the phase, in order."""
    name = study.name
    phases = {"data": ["data", name], "base": ["evaluate", name, "base"]}
    for arm in arms:
        for seed in study.seeds:
            phases[f"train {arm}-s{seed}"] = ["train", name, arm, "--seed", str(seed)]
            phases[f"evaluate {arm}-s{seed}"] = ["evaluate", name, arm, "--seed", str(seed)]
    if set(arms) == set(study.arms):
        phases["results"] = ["results", name]
    return phases


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds and peak resident memory in GiB of a command.

    Raises:
        SystemExit: the command failed; the message includes its output.
    """
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            said = output.read().decode(errors="replace")
            sys.exit(f"{said}\n{' '.join(command)}: exit status {process.returncode}")
    return took, peak_memory_gb(usage)


def measure(study: Study, arms: list[str]) -> dict[str, dict[str, float]]:
    """By phase: seconds, peak_gb, and for training the seconds in its run.json."""
    found: dict[str, dict[str, float]] = {}
    phases = phases_of(study, arms)
    kept = folder_in("FACTMIX_RUNS")
    if kept and (kept / study.name).exists():
        sys.exit(
            f"{kept / study.name} already exists, so nothing would be left to measure;"
            " remove it, or set FACTMIX_RUNS to another folder"
        )
    place: contextlib.AbstractContextManager[str] = (
        contextlib.nullcontext(str(kept)) if kept else tempfile.TemporaryDirectory()
    )
    with place as folder, progress(len(phases), "phases") as bar:
        environment = {**os.environ, "FACTMIX_RUNS": folder}
        for name, arguments in phases.items():
            bar.set_postfix_str(name)
            took, peak = timed([sys.executable, "-m", "factmix.cli", *arguments], environment)
            found[name] = {"seconds": took, "peak_gb": peak}
            if arguments[0] == "train":
                run = Paths(Path(folder) / study.name).arm(arguments[2], int(arguments[-1]))
                stated = json.loads((run / "run.json").read_text(encoding="utf-8"))
                found[name]["run_seconds"] = stated["wall_seconds"]
            bar.update()
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = options(__doc__, study="to run")
    parser.add_argument("--arms", nargs="*", help="only these, and no comparison (all)")
    chosen = parser.parse_args(arguments)
    study = find_study(chosen.study)
    arms = list(study.arms) if chosen.arms is None else chosen.arms
    for arm in arms:
        study.run(arm)
    found = measure(study, arms)
    minutes = sum(phase["seconds"] for phase in found.values()) / 60
    peak = max(phase["peak_gb"] for phase in found.values())
    rows = [
        [
            name,
            f"{phase['seconds']:.1f} s",
            f"{phase['run_seconds']:.1f} s" if "run_seconds" in phase else "",
            f"{phase['peak_gb']:.2f} GiB",
        ]
        for name, phase in found.items()
    ]
    rows.append(["all", f"{minutes:.1f} min", "", f"{peak:.2f} GiB"])
    report(
        {"minutes": minutes, "peak_gb": peak, "phases": found},
        f"{table(['phase', 'time', 'in run.json', 'peak memory'], rows)}\non {machine()}",
        as_json=chosen.json,
    )


if __name__ == "__main__":
    main()
