"""The origin of a measurement."""

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path


def origin() -> dict[str, str]:
    """The command that measures, the machine, the day, and the version of Python."""
    system = f"{platform.system()} {platform.machine()}"
    return {
        "command": " ".join(["python", *sys.argv]),
        "machine": f"{system}, {_processor()}, {os.cpu_count()} cores",
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    """The processor's name, if the system reports it."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
