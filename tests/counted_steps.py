"""Lets a copy of the library write down each step of a training when it is over.

The file is named in the variable STEPS of the environment. A line of it is the name of a training
and the number of a step, or, of a supervised training, its name alone.
"""

from collections import Counter
from pathlib import Path

OF_ARMS = """

import os as _os


def _note_step(self: Progress, args: Any, state: Any, control: Any, **given: Any) -> None:
    if "reward" in given.get("logs", {}):
        with open(_os.environ["STEPS"], "a", encoding="utf-8") as steps:
            print(self._name, state.global_step, sep="\\t", file=steps)
    _on_log(self, args, state, control, **given)


_on_log, Progress.on_log = Progress.on_log, _note_step
"""
SUPERVISED = """

import os as _os


def _noted(*given: object) -> float:
    loss = _unnoted(*given)
    with open(_os.environ["STEPS"], "a", encoding="utf-8") as steps:
        print("supervised", file=steps)
    return loss


_unnoted, _backward = _backward, _noted
"""


def count_steps(library: Path) -> None:
    """Adds to the modules of a copy of lib/factmix what notes their steps."""
    for module, noting in (("callbacks", OF_ARMS), ("supervised", SUPERVISED)):
        file = library / "training" / f"{module}.py"
        file.write_text(file.read_text(encoding="utf-8") + noting, encoding="utf-8")


def steps_of(noted: Path) -> Counter[str]:
    """How often each step was made, such as "hard_only, seed 0<tab>3"."""
    return Counter(noted.read_text(encoding="utf-8").splitlines() if noted.is_file() else [])


def repeated(steps: Counter[str]) -> int:
    """How many steps of arms were made more than once, each counted as often as it was too many."""
    return sum((steps - Counter(set(steps))).values())
