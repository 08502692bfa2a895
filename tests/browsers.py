"""The browser that tests and the screenshot drive: a Chromium that the system has."""

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ON_MACOS = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
MISSING = f"none of {', '.join(NAMES)} is installed: apt-get install chromium"


def find() -> str | None:
    """Its path, or None."""
    return next(filter(None, map(shutil.which, (*NAMES, ON_MACOS))), None)


def chromium() -> str:
    """Its path; without one the test skips, or fails where FACTMIX_BROWSER is "required"."""
    found = find()
    if found is None:
        if os.environ.get("FACTMIX_BROWSER") == "required":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    return found
