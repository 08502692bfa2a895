"""The examples of CONTRIBUTING.md, applied to a copy of the project as a reader would."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from factmix.study.paths import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### A (\w+)\n(.*?)(?=^##)", TEXT, re.MULTILINE | re.DOTALL))
DATA = """
import json
from factmix.data import mixtures
from factmix.study.load import find_study
from factmix.study.paths import Paths
study = find_study("smoke")
print(json.dumps(mixtures.prepare(study, Paths.of(study))))
"""
REWARD = """
import json
from factmix.study.labels import Label
from factmix.study.load import find_study
from factmix.training.reward_functions import reward_functions
study = find_study("smoke")
*paid, answers = reward_functions(study.run("cautious").reward)
given = dict(completions=["PASS", "FAIL", "NA"], gold=["PASS"] * 3, example=["a", "b", "c"])
print(json.dumps({each.__name__: each(**given, log_metric=lambda *_: None) for each in paid}))
"""


def blocks(section: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", SECTIONS[section], re.MULTILINE | re.DOTALL)


class Copy:
    """The parts of the project that a study reads, with one section's examples applied."""

    def __init__(self, root: Path, section: str) -> None:
        self.root = root
        ignored = shutil.ignore_patterns("__pycache__")
        for name in ("lib", "studies", "models"):
            shutil.copytree(ROOT / name, root / name, ignore=ignored)
        for code in blocks(section, "python"):
            (root / "lib/factmix/data/datasets/boxes.py").write_text(code)
        (patch,) = blocks(section, "diff")
        subprocess.run(["git", "apply", "-"], cwd=root, input=patch, text=True, check=True)

    def run(self, *arguments: str) -> str:
        unwanted = ("FACTMIX_RUNS", "FACTMIX_MIRROR")
        kept = {name: value for name, value in os.environ.items() if name not in unwanted}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env=kept | {"PYTHONPATH": str(self.root / "lib")},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


SECTION = pytest.mark.parametrize("section", ["mixture", "dataset", "reward"])


@SECTION
def test_each_patch_applies_exactly_where_it_says_and_can_be_taken_back(
    section: str, tmp_path: Path
) -> None:
    (patch,) = blocks(section, "diff")
    before = {}
    for name in re.findall(r"^\+\+\+ b/(.+)$", patch, re.MULTILINE):
        before[name] = (ROOT / name).read_text(encoding="utf-8")
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    after = dict(before)
    for options in (["--verbose"], ["--verbose", "--reverse"]):
        done = subprocess.run(
            ["git", "apply", *options, "-"],
            cwd=tmp_path,
            env=os.environ | {"LC_ALL": "C"},
            input=patch,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "offset" not in done.stderr  # git looks for the lines elsewhere, and says so
        previous, after = after, {name: (tmp_path / name).read_text("utf-8") for name in before}
        assert all(previous[name] != after[name] for name in before)
    assert after == before


@pytest.mark.slow
def test_a_mixture_is_drawn(tmp_path: Path) -> None:
    report = json.loads(Copy(tmp_path, "mixture").run("-c", DATA))
    assert list(report["mixtures"]["easy_only"]) == ["encyclopedia"]
    assert report["overlap"]["easy_only"]["groups"] == 0


@pytest.mark.slow
def test_a_dataset_is_drawn_and_its_code_is_in_style(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "dataset")
    report = json.loads(copy.run("-c", DATA))
    assert report["datasets"]["boxes"]["pool"]["NA"] == 100
    drawn = report["mixtures"]["boxes_only"]["boxes"]
    assert [drawn[label] for label in ("NA", "PASS", "FAIL")] == [6, 6, 5]
    assert report["overlap"]["boxes_only"]["groups"] == 0
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    copy.run("-m", "ruff", "check", "lib")
    copy.run("-m", "ruff", "format", "--check", "lib")


@pytest.mark.slow
def test_a_reward_pays_its_components_and_its_code_is_in_style(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "reward")
    paid = json.loads(copy.run("-c", REWARD))
    assert paid == {"right": [1.0, 0.0, 0.0], "wrong": [0.0, -1.0, 0.0]}
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    copy.run("-m", "ruff", "check", "lib")
    copy.run("-m", "ruff", "format", "--check", "lib")
