"""Stand-ins for the commands of the Snakefile: each writes the files that its step should write."""

import os
import sys
import time
from pathlib import Path

import yaml

RUNS = Path(os.environ["FACTMIX_RUNS"])


def outputs(command: str, arguments: list[str]) -> list[Path]:
    """The files of one command line, relative to the root of the project."""
    if command == "jupyter-book":
        return [Path("_build/html/index.html")]
    step, *rest = arguments
    if step == "notebook":
        source, page = rest[:2]
        return [Path(page), *computed(source, rest[3].removeprefix("study="))]
    if step == "warm-start":
        folder = RUNS / rest[0] / "warm_start"
        return [folder / "adapter" / "adapter_model.safetensors", folder / "run.json"]
    study, arm = rest[:2]
    if arm == "base":
        variants = ["", *(["-as_released"] if "protocol: as_released" in text_of(study) else [])]
        return [RUNS / study / f"base{variant}" / "predictions.parquet" for variant in variants]
    run = RUNS / study / f"{arm}-s{rest[-1]}"
    answers, adapter = run / "predictions.parquet", run / "adapter" / "adapter.safetensors"
    if step == "evaluate":
        if answers.exists():
            return []  # they are current
        if not adapter.exists():
            sys.exit("no adapter")
        return [answers]
    tables = [run / f"{name}.parquet" for name in ("metrics", "trajectory", "rewards")]
    copied = "reuse: true" in text_of(study)  # a committed run has answers and no adapter
    return [answers if copied else adapter, run / "run.json", *tables]


def text_of(study: str) -> str:
    return Path("studies", f"{study}.yaml").read_text()


def computed(notebook: str, study: str) -> list[Path]:
    """What a notebook writes beside its page."""
    run = RUNS / study
    if notebook == "notebooks/compare.md":
        return [run / "results.json", run / "study.json"]
    if notebook == "notebooks/arm.md":
        return []
    content = yaml.safe_load(text_of(study))
    names = ["report.json", "shortcuts.json", "evaluation.parquet"]
    names += [f"{dataset}.parquet" for dataset in content["datasets"]]
    names += ["warm_start.parquet"] if "warm_start" in content else []
    protocols = {(mixture, "") for mixture in content["mixtures"]}
    for arm in content["arms"].values():
        if arm.get("protocol"):
            protocol = arm["protocol"]
            names.append(f"evaluation-{protocol}.parquet")
            protocols.add((arm["mixture"], f"-{protocol}"))
    for mixture, variant in protocols:
        drawn_by_seed = any(
            content["datasets"][dataset].get("generated")
            for dataset in content["mixtures"][mixture]
        )
        seeds = [f"-s{seed}" for seed in content["seeds"]] if drawn_by_seed else [""]
        names += [f"train-{mixture}{variant}{seed}.parquet" for seed in seeds]
    return [run / "data" / name for name in names]


def main() -> None:
    command = " ".join(sys.argv[1:])
    with Path("steps.log").open("a") as log:
        print(command, file=log)
    fail = Path("fail")
    if fail.exists() and fail.read_text() in command:
        sys.exit("failed as asked")
    wait = Path("wait")
    while wait.exists() and wait.read_text() in command:
        time.sleep(0.1)
    for path in outputs(sys.argv[1], sys.argv[2:]):
        path.parent.mkdir(parents=True, exist_ok=True)
        # The same mixtures.py draws the same data; nothing else here needs to come out the same.
        same = Path("lib/factmix/data/mixtures.py").read_text().splitlines()[-1]
        path.write_text(same if path.parent.name == "data" else str(time.time_ns()))
    if "factmix train" in command:
        with Path("steps.log").open("a") as log:
            print("end", command, file=log)


if __name__ == "__main__":
    main()
