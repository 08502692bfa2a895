"""The study `smoke` with more steps, alike in every arm."""

from pathlib import Path

import yaml

from factmix.study.paths import ROOT


def write(file: Path, *, steps: int, checkpoint_steps: int) -> None:
    """Writes the study's YAML.

    Args:
        file: in a folder that there is.
        steps: of each arm.
        checkpoint_steps: from one checkpoint to the next.
    """
    content = yaml.safe_load((ROOT / "studies/smoke.yaml").read_text(encoding="utf-8"))
    content["description"] = "The smoke test with more steps."
    content["training"] |= {"steps": steps, "checkpoint_steps": checkpoint_steps}
    content["evaluation"]["trajectory_steps"] = [0, steps]
    for arm in content["arms"].values():
        arm.pop("steps", None)
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
