"""What a run was made with: versions, commit and machine, for its run.json."""

import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import torch

from factmix.study.paths import ROOT


def made_with(*packages: str) -> dict[str, Any]:
    """The entries of run.json about origin.

    Args:
        packages: the libraries whose versions are noted.
    """
    return {
        "versions": {name: version(name) for name in packages},
        "git_commit": _git_commit(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else _processor(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _git_commit() -> str | None:
    """The commit of the checkout, with "+" if there are changes; None outside a checkout."""
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True
        )
        changed = subprocess.run(
            ["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True
        )
    except FileNotFoundError:
        return None
    if commit.returncode != 0:
        return None
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")


def _processor() -> str:
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
