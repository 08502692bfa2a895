"""The browser that tests drive: a Chromium that the system has."""

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ON_MACOS = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


def chromium() -> str:
    """Its path; without one the test skips, or fails where FACTMIX_BROWSER is "required"."""
    found = next(filter(None, map(shutil.which, (*NAMES, ON_MACOS))), None)
    if found is None:
        said = f"none of {', '.join(NAMES)} is installed: apt-get install chromium"
        if os.environ.get("FACTMIX_BROWSER") == "required":
            pytest.fail(said)
        pytest.skip(said)
    return found
