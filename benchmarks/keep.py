"""Runs the benchmarks and writes their results to results/speed/, for the book's appendix."""

import argparse
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from factmix.study.files import write_json
from factmix.study.paths import ROOT
from origin import origin
from timing import machine

REAL = ["--study", "smollm2", "--arm", "balanced_accuracy", "--steps", "4", "--prompts", "2"]
ALL: dict[str, list[str]] = {  # the name of the result: the script and its options
    "grpo_step": ["grpo_step"],
    "group_size": ["group_size"],
    "prompt_length": ["prompt_length"],
    "evaluate": ["evaluate"],
    "study": ["study"],
    "curves": ["curves"],
    "parts": ["parts"],
    "grpo_step_smollm2": ["grpo_step", *REAL],
    "grpo_step_smollm2_float32": ["grpo_step", *REAL, "--dtype", "float32"],
    "evaluate_smollm2": ["evaluate", "--study", "smollm2", "--examples", "300", "--repeats", "3"],
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="name",
        help=f"any of {', '.join(ALL)} (all but those of smollm2, which need the language model,"
        " its datasets and its warm start)",
    )
    parser.add_argument("--into", type=Path, default=ROOT / "results" / "speed")
    chosen = parser.parse_args(arguments)
    for name in chosen.names:
        if name not in ALL:
            parser.error(f"'{name}' is no benchmark; expected any of: {', '.join(ALL)}")
    where = origin()
    for name in chosen.names or [name for name in ALL if "smollm2" not in name]:
        script, *given = ALL[name]
        command = [sys.executable, str(Path(__file__).with_name(f"{script}.py")), *given, "--json"]
        printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        content = {
            "command": " ".join(["python", f"benchmarks/{script}.py", *given, "--json"]),
            "machine": f"{where['machine']}; {machine()}",
            "measured": where["measured"],
            "versions": {each: version(each) for each in ("torch", "transformers", "trl", "peft")},
            "result": json.loads(printed),
        }
        write_json(chosen.into / f"{name}.json", content)
        print(f"wrote {chosen.into / name}.json")


if __name__ == "__main__":
    main()
